// SPDX-License-Identifier: Apache-2.0
#include "kernel_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECONDS 60

/* In front of the calls: the same page range, so one mapping. */
struct shared {
	volatile int done;
	volatile int failed; /* errno of what the process needed before it could begin */
	char pad[56];
};

static struct shared *head(struct kf_call *calls)
{
	return (struct shared *)calls - 1;
}

struct kf_call *kf_calls(size_t n)
{
	struct shared *s = mmap(NULL, sizeof(*s) + n * sizeof(struct kf_call), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(s != MAP_FAILED);
	return (struct kf_call *)(s + 1);
}

void kf_release(struct kf_call *calls, size_t n)
{
	munmap(head(calls), sizeof(struct shared) + n * sizeof(*calls));
}

#ifdef __x86_64__
static long native(uint32_t nr, const uint64_t *a)
{
	register uint64_t r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"((uint64_t)nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static long foreign(uint32_t nr, const uint64_t *a)
{
	int ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"((uint32_t)a[0]), "c"((uint32_t)a[1]), "d"((uint32_t)a[2]), "S"((uint32_t)a[3]),
			   "D"((uint32_t)a[4])
			 : "r8", "r9", "r10", "r11", "memory");
	return ret;
}
#else
static long native(uint32_t nr, const uint64_t *a)
{
	return syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? -errno : 0;
}

static long foreign(uint32_t nr, const uint64_t *a)
{
	return 0;
}
#endif

bool kf_has_i386(void)
{
	const uint64_t none[SG_ARGS] = {0};
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		(void)signal(SIGSEGV, SIG_DFL); /* cmocka has a handler */
		(void)foreign(20 /* getpid */, none);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return !WIFSIGNALED(status);
}

/* Everything is an error, but for the seccomp(2) that loads the filter in question: it is told by its argument. */
static int load_floor(const struct sock_fprog *question)
{
	const uint64_t at = (uint64_t)(uintptr_t)question;
	struct sock_filter floor[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)at, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(at >> 32), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | KF_ALLOWED),
	};
	const struct sock_fprog prog = {.len = sizeof(floor) / sizeof(floor[0]), .filter = floor};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return errno;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) ? errno : 0;
}

static void ask(const struct sock_fprog *question, struct kf_call *calls, size_t n)
{
	const uint64_t load[SG_ARGS] = {SECCOMP_SET_MODE_FILTER, 0, (uint64_t)(uintptr_t)question};
	struct shared *s = head(calls);
	size_t i;

	s->failed = load_floor(question);
	if (!s->failed)
		s->failed = (int)-native(SYS_seccomp, load);
	for (i = 0; !s->failed && i < n; i++) {
		long ret = calls[i].arch == AUDIT_ARCH_I386 ? foreign(calls[i].nr, calls[i].args)
							    : native(calls[i].nr, calls[i].args);

		calls[i].answer = ret < 0 ? (int)-ret : 0;
	}
	s->done = 1;
	for (;;)
		; /* until it is killed: leaving would be a call */
}

int kf_run(const struct sock_filter *insns, unsigned n_insns, struct kf_call *calls, size_t n)
{
	struct sock_fprog question = {.len = (unsigned short)n_insns, .filter = (struct sock_filter *)insns};
	const struct timespec pause = {.tv_nsec = 100000};
	struct shared *s = head(calls);
	struct timespec now, start;
	int status = 0;
	pid_t pid;
	size_t i;

	for (i = 0; i < n; i++)
		calls[i].answer = -1;
	s->done = s->failed = 0;
	clock_gettime(CLOCK_MONOTONIC, &start);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		ask(&question, calls, n);
	}
	while (!s->done && waitpid(pid, &status, WNOHANG) == 0) {
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > SECONDS)
			break;
	}
	if (s->done || !WIFSIGNALED(status)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	if (s->failed)
		fail_msg("the filter cannot be loaded: errno %d", s->failed);
	return status;
}
