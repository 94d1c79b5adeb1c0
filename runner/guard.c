/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/guard.h"

#include "runner/arch.h"
#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define STACK_SIZE (32U << 10)
#define ROUNDS 400 /* of 5 ms: how long the guard tries */

/* All the guard needs, in memory that nobody else writes after the start. */
struct sg_guard_state {
	int pipe;   /* read end */
	int keep;   /* cgroup directory, -1: none */
	int proc;   /* /proc, for the search by marker */
	pid_t self; /* the supervisor */
	uint64_t marker;
	char path[512];
	char stack[STACK_SIZE] __attribute__((aligned(16)));
};

/*
 * Below: no libc state. The memory may be the supervisor's own, stopped in the middle of anything (a lock held in
 * malloc), so only system calls and local variables.
 */
static long sys(long nr, long a, long b, long c, long d)
{
	return sg_raw_syscall(nr, a, b, c, d, 0);
}

static bool is_digits(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (*s < '0' || *s > '9')
			return false;
	return true;
}

static bool marked(const struct sg_guard_state *g, pid_t pid)
{
	struct rlimit have = {0};

	return g->marker && sys(SYS_prlimit64, pid, RLIMIT_MSGQUEUE, 0, (long)&have) == 0 && have.rlim_max == g->marker;
}

/* One pass over /proc; returns how many were killed. */
static int kill_marked(const struct sg_guard_state *g)
{
	char buf[4096] __attribute__((aligned(8)));
	int killed = 0;
	long n;

	(void)sys(SYS_lseek, g->proc, 0, SEEK_SET, 0);
	while ((n = sys(SYS_getdents64, g->proc, (long)buf, sizeof(buf), 0)) > 0) {
		for (long at = 0; at < n;) {
			struct dirent64 *e = (struct dirent64 *)(buf + at);
			pid_t pid = 0;

			at += e->d_reclen;
			if (!is_digits(e->d_name))
				continue;
			for (const char *p = e->d_name; *p; p++)
				pid = pid * 10 + (*p - '0');
			if (pid != g->self && marked(g, pid)) {
				(void)sys(SYS_kill, pid, SIGKILL, 0, 0);
				killed++;
			}
		}
	}
	return killed;
}

static void kill_listed(const struct sg_guard_state *g)
{
	long fd = sys(SYS_openat, g->keep, (long)"cgroup.procs", O_RDONLY | O_CLOEXEC, 0), n;
	char buf[1024];
	pid_t pid = 0;

	if (fd < 0)
		return;
	while ((n = sys(SYS_read, fd, (long)buf, sizeof(buf), 0)) > 0) {
		for (long i = 0; i < n; i++) {
			if (buf[i] != '\n') {
				pid = pid * 10 + (buf[i] - '0');
				continue;
			}
			if (pid > 1)
				(void)sys(SYS_kill, pid, SIGKILL, 0, 0);
			pid = 0;
		}
	}
	(void)sys(SYS_close, fd, 0, 0, 0);
}

static void kill_cgroup(const struct sg_guard_state *g)
{
	long fd = sys(SYS_openat, g->keep, (long)"cgroup.kill", O_WRONLY | O_CLOEXEC, 0);
	struct timespec ts = {.tv_nsec = 5000000};

	if (fd >= 0) {
		(void)sys(SYS_write, fd, (long)"1", 1, 0);
		(void)sys(SYS_close, fd, 0, 0, 0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		long rc;

		/* cgroup.kill does not reach a process whose first thread has ended while others go on. */
		kill_listed(g);
		rc = sys(SYS_unlinkat, AT_FDCWD, (long)g->path, AT_REMOVEDIR, 0);

		if (rc != -EBUSY)
			break;
		(void)sys(SYS_nanosleep, (long)&ts, 0, 0, 0);
	}
}

static void guard_main(void *arg)
{
	struct sg_guard_state *g = arg;
	struct timespec ts = {.tv_nsec = 5000000};
	uint64_t all = ~0ULL;
	char byte;
	long n;

	(void)sys(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, 0, 8);
	(void)sys(SYS_setsid, 0, 0, 0, 0);
	(void)sys(SYS_prctl, PR_SET_NAME, (long)"sg-guard", 0, 0);
	/* Hold nothing of the supervisor's open: its pipes' readers wait for the end of file. */
	for (int fd = 0, last = 0; fd <= 3; fd++) {
		int keep[3] = {g->pipe, g->keep, g->proc};

		for (int i = 0; i < 2; i++)
			for (int j = 0; j < 2; j++)
				if (keep[j] > keep[j + 1]) {
					int t = keep[j];

					keep[j] = keep[j + 1];
					keep[j + 1] = t;
				}
		if (fd < 3 && keep[fd] < 0)
			continue;
		n = fd < 3 ? keep[fd] : 0x7fffffff;
		if (n > last)
			(void)sys(SYS_close_range, last, n - 1, 0, 0);
		last = (int)n + 1;
	}
	do
		n = sys(SYS_read, g->pipe, (long)&byte, 1, 0);
	while (n == -EINTR);
	if (n == 0) {
		if (g->keep >= 0) {
			kill_cgroup(g);
		} else {
			/* Its forks need the supervisor's answer, so what is found once is all there is; look twice
			 * more. */
			for (int quiet = 0, i = 0; quiet < 3 && i < ROUNDS; i++) {
				quiet = kill_marked(g) ? 0 : quiet + 1;
				(void)sys(SYS_nanosleep, (long)&ts, 0, 0, 0);
			}
		}
	}
	(void)sys(SYS_exit_group, 0, 0, 0, 0);
}

int sg_guard_start(struct sg_guard *g, const struct sg_cgroup *cg, uint64_t marker, struct sg_err *err)
{
	SG_CLOSE int proc = -1;
	struct clone_args args;
	int fds[2];
	void *memory;

	memset(g, 0, sizeof(*g));
	g->pipe = -1;
	if (cg->dirfd < 0) {
		proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0)
			return sg_err_set(err, errno, "cannot open /proc: %s", strerror(errno));
	}
	memory = mmap(NULL, sizeof(*g->state), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return sg_err_set(err, ENOMEM, "out of memory");
	g->state = memory;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		munmap(memory, sizeof(*g->state));
		g->state = NULL;
		return sg_err_set(err, errno, "cannot create a pipe: %s", strerror(errno));
	}
	g->state->pipe = fds[0];
	g->state->keep = cg->dirfd;
	g->state->proc = proc;
	g->state->self = getpid();
	g->state->marker = marker;
	snprintf(g->state->path, sizeof(g->state->path), "%s", cg->path);
	g->pipe = fds[1];
	/* Exit signal 0: its end is nobody's SIGCHLD and waitpid(-1) does not take it for the program's. */
	args = (struct clone_args){
		.flags = CLONE_VM, .stack = (uint64_t)(uintptr_t)g->state->stack, .stack_size = STACK_SIZE};
	g->pid = (pid_t)sg_clone_call(&args, sizeof(args), guard_main, g->state);
	close(fds[0]);
	if (g->pid < 0) {
		int e = -g->pid;

		close(fds[1]);
		munmap(memory, sizeof(*g->state));
		*g = (struct sg_guard){.pipe = -1};
		return sg_err_set(err, e, "cannot start the guard process: %s", strerror(e));
	}
	return 0;
}

void sg_guard_leave(struct sg_guard *g)
{
	/* A killed process never gets back to its own code, whatever its pipe says by then. */
	if (g->state)
		kill(g->pid, SIGKILL);
}

void sg_guard_stop(struct sg_guard *g)
{
	if (!g->state)
		return;
	kill(g->pid, SIGKILL);
	while (waitpid(g->pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	close(g->pipe);
	munmap(g->state, sizeof(*g->state));
	*g = (struct sg_guard){.pipe = -1};
}
