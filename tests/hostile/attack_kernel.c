/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's large and rarely needed surfaces. What would harm the machine is called with arguments that the kernel
 * itself refuses: its own errno (EINVAL, EFAULT, ENOENT) then shows that the call had reached it.
 */
#include "hostile.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <sys/types.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#define KEY_PROCESS (-2)
#define NO_FILE "/nonexistent/sandgate"

static int io_uring(const struct target *t)
{
	struct io_uring_params params;

	(void)t;
	memset(&params, 0, sizeof(params));
	return outcome(syscall(SYS_io_uring_setup, 4U, &params));
}

static int io_uring_enter_bad(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_io_uring_enter, -1, 1U, 0U, 0U, NULL, 0UL));
}

static int io_uring_register_bad(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_io_uring_register, -1, 0U, NULL, 0U));
}

static int bpf_map(const struct target *t)
{
	union bpf_attr attr;

	(void)t;
	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = 4;
	attr.value_size = 4;
	attr.max_entries = 1;
	return outcome(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int bpf_prog(const struct target *t)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr;

	(void)t;
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (unsigned long)insns;
	attr.insn_cnt = 2;
	attr.license = (unsigned long)"GPL";
	return outcome(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}

static int perf_event(const struct target *t)
{
	struct perf_event_attr attr;

	(void)t;
	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_SOFTWARE;
	attr.size = sizeof(attr);
	attr.config = PERF_COUNT_SW_DUMMY;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	return outcome(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0UL));
}

static int do_keyctl(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_keyctl, 0, KEY_PROCESS, 1));
}

static int do_add_key(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_add_key, "user", "sandgate-hostile", "x", 1UL, KEY_PROCESS));
}

static int do_request_key(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_request_key, "user", "sandgate-none", NULL, 0));
}

static int do_personality(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_personality, 0x0040000UL)); /* ADDR_NO_RANDOMIZE */
}

static int personality_rie(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_personality, 0x0400000UL)); /* READ_IMPLIES_EXEC */
}

static int init_mod(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_init_module, NULL, 0UL, ""));
}

static int finit_mod(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_finit_module, -1, "", 0));
}

static int delete_mod(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_delete_module, "sandgate_no_such_module", O_NONBLOCK));
}

static int kexec(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_kexec_load, 0UL, ~0UL, NULL, 0xffffUL));
}

static int kexec_file(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL, ~0UL));
}

static int do_reboot(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_reboot, 0x1, 0x2, 0x3, NULL)); /* the magic numbers are wrong */
}

static int do_swapon(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_swapon, NO_FILE, 0));
}

static int do_swapoff(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_swapoff, NO_FILE));
}

static int do_acct(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_acct, NO_FILE));
}

static int do_quotactl(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_quotactl, 0, NO_FILE, 0, NULL));
}

static int do_quotactl_fd(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_quotactl_fd, -1U, 0, 0, NULL));
}

static int do_iopl(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_iopl, 0U));
}

static int do_ioperm(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_ioperm, 0x80UL, 1UL, 0));
}

static int do_syslog(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_syslog, 10, NULL, 0)); /* size of the kernel's log */
}

static int fanotify(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_fanotify_init, 0U, 0U));
}

static int name_to_handle(const struct target *t)
{
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + 128];
	} u = {.h.handle_bytes = 128};
	int id;

	return outcome(syscall(SYS_name_to_handle_at, AT_FDCWD, t->dir, &u.h, &id, 0));
}

/* arg: TYPE:HEX of a file that the driver made, which the open reads around every directory above it. */
static int open_by_handle(const struct target *t)
{
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + 128];
	} u = {.h.handle_bytes = 0};
	char *hex = NULL;
	int mount;

	if (!t->arg)
		return SG_SETUP;
	u.h.handle_type = (int)strtol(t->arg, &hex, 10);
	for (hex++; hex[0] && hex[1] && u.h.handle_bytes < 128; hex += 2) {
		const char pair[3] = {hex[0], hex[1], 0};

		u.h.f_handle[u.h.handle_bytes++] = (unsigned char)strtoul(pair, NULL, 16);
	}
	mount = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount < 0)
		return SG_SETUP;
	return outcome(syscall(SYS_open_by_handle_at, mount, &u.h, O_RDONLY));
}

static int dcookie(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_lookup_dcookie, 0UL, NULL, 0UL));
}

static int do_settimeofday(const struct target *t)
{
	const struct timeval bad = {.tv_usec = 2000000};

	(void)t;
	return outcome(syscall(SYS_settimeofday, &bad, NULL));
}

static int do_clock_settime(const struct target *t)
{
	const struct timespec bad = {.tv_nsec = 2000000000};

	(void)t;
	return outcome(syscall(SYS_clock_settime, CLOCK_REALTIME, &bad));
}

static int do_adjtimex(const struct target *t)
{
	struct timex nothing;

	(void)t;
	memset(&nothing, 0, sizeof(nothing));
	return outcome(syscall(SYS_adjtimex, &nothing));
}

static int do_clock_adjtime(const struct target *t)
{
	struct timex nothing;

	(void)t;
	memset(&nothing, 0, sizeof(nothing));
	return outcome(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &nothing));
}

static int shm_get(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_shmget, IPC_PRIVATE, 4096UL, 0600));
}

static int msg_get(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_msgget, IPC_PRIVATE, 0600));
}

static int sem_get(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_semget, IPC_PRIVATE, 1, 0600));
}

static int do_mq_open(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_mq_open, "sandgate-hostile", O_RDWR | O_CREAT, 0600, NULL));
}

static int do_mq_unlink(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_mq_unlink, "sandgate-no-such-queue"));
}

/* Standard input is a terminal of the driver's: a byte pushed into it would be the next command. */
static int tiocsti(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_ioctl, 0, (unsigned long)TIOCSTI, "x"));
}

static int tiocsti_high_bits(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_ioctl, 0, 0x7700000000UL | TIOCSTI, "x"));
}

static int tioclinux(const struct target *t)
{
	char paste = 3;

	(void)t;
	return outcome(syscall(SYS_ioctl, 0, (unsigned long)TIOCLINUX, &paste));
}

static int tiocsetd(const struct target *t)
{
	int tty = 0; /* N_TTY: what it has already */

	(void)t;
	return outcome(syscall(SYS_ioctl, 0, (unsigned long)TIOCSETD, &tty));
}

static int pr(int op, unsigned long a, unsigned long b)
{
	return outcome(syscall(SYS_prctl, op, a, b, 0UL, 0UL));
}

static int prctl_mm(const struct target *t)
{
	unsigned size = 0;

	(void)t;
	return pr(PR_SET_MM, PR_SET_MM_MAP_SIZE, (unsigned long)&size);
}

static int prctl_dumpable(const struct target *t)
{
	(void)t;
	return pr(PR_SET_DUMPABLE, 0, 0);
}

static int prctl_ptracer(const struct target *t)
{
	return pr(PR_SET_PTRACER, (unsigned long)t->victim, 0);
}

static int prctl_subreaper(const struct target *t)
{
	(void)t;
	return pr(PR_SET_CHILD_SUBREAPER, 1, 0);
}

static int prctl_keepcaps(const struct target *t)
{
	(void)t;
	return pr(PR_SET_KEEPCAPS, 1, 0);
}

static int prctl_securebits(const struct target *t)
{
	(void)t;
	return pr(PR_SET_SECUREBITS, 0, 0);
}

/* The supervisor's hold on the first process must not be something that the process can let go of. */
static int prctl_pdeathsig(const struct target *t)
{
	(void)t;
	return pr(PR_SET_PDEATHSIG, 0, 0);
}

static int prctl_tsc(const struct target *t)
{
	(void)t;
	return pr(PR_SET_TSC, PR_TSC_SIGSEGV, 0);
}

static int prctl_ambient(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL));
}

/* A filter of its own could lie to its children; and a listener would make it a supervisor. */
static int seccomp_again(const struct target *t)
{
	struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
	const struct sock_fprog prog = {.len = 1, .filter = &allow};

	(void)t;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &prog));
}

static int prctl_seccomp(const struct target *t)
{
	struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
	const struct sock_fprog prog = {.len = 1, .filter = &allow};

	(void)t;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return pr(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (unsigned long)&prog);
}

static int landlock(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_landlock_create_ruleset, NULL, 0UL, 1U));
}

static int inotify(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_inotify_init1, 0));
}

static int do_uselib(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_uselib, NO_FILE));
}

const struct attack sg_attacks_kernel[] = {
	{"io-uring-setup", io_uring},
	{"io-uring-enter", io_uring_enter_bad},
	{"io-uring-register", io_uring_register_bad},
	{"bpf-map", bpf_map},
	{"bpf-prog", bpf_prog},
	{"perf-event-open", perf_event},
	{"keyctl", do_keyctl},
	{"add-key", do_add_key},
	{"request-key", do_request_key},
	{"personality", do_personality},
	{"personality-read-implies-exec", personality_rie},
	{"init-module", init_mod},
	{"finit-module", finit_mod},
	{"delete-module", delete_mod},
	{"kexec-load", kexec},
	{"kexec-file-load", kexec_file},
	{"reboot", do_reboot},
	{"swapon", do_swapon},
	{"swapoff", do_swapoff},
	{"acct", do_acct},
	{"quotactl", do_quotactl},
	{"quotactl-fd", do_quotactl_fd},
	{"iopl", do_iopl},
	{"ioperm", do_ioperm},
	{"syslog", do_syslog},
	{"fanotify", fanotify},
	{"name-to-handle", name_to_handle},
	{"open-by-handle", open_by_handle},
	{"lookup-dcookie", dcookie},
	{"settimeofday", do_settimeofday},
	{"clock-settime", do_clock_settime},
	{"adjtimex", do_adjtimex},
	{"clock-adjtime", do_clock_adjtime},
	{"shmget", shm_get},
	{"msgget", msg_get},
	{"semget", sem_get},
	{"mq-open", do_mq_open},
	{"mq-unlink", do_mq_unlink},
	{"tiocsti", tiocsti},
	{"tiocsti-high-bits", tiocsti_high_bits},
	{"tioclinux", tioclinux},
	{"tiocsetd", tiocsetd},
	{"prctl-mm", prctl_mm},
	{"prctl-dumpable", prctl_dumpable},
	{"prctl-ptracer", prctl_ptracer},
	{"prctl-subreaper", prctl_subreaper},
	{"prctl-keepcaps", prctl_keepcaps},
	{"prctl-securebits", prctl_securebits},
	{"prctl-pdeathsig", prctl_pdeathsig},
	{"prctl-tsc", prctl_tsc},
	{"prctl-ambient", prctl_ambient},
	{"seccomp-again", seccomp_again},
	{"prctl-seccomp", prctl_seccomp},
	{"landlock", landlock},
	{"inotify", inotify},
	{"uselib", do_uselib},
	{NULL, NULL},
};
