/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on other processes, and the ways to get more of one's own. */
#include "hostile.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define SECRET_LEN 16
#define BOMB_MAX 200

static int kill_victim(const struct target *t)
{
	return outcome(syscall(SYS_kill, t->victim, SIGUSR1));
}

static int kill_high_bits(const struct target *t)
{
	return outcome(syscall(SYS_kill, 0x5a5a5a5a00000000UL | (unsigned)t->victim, (unsigned long)SIGUSR1));
}

static int kill_group(const struct target *t)
{
	return outcome(syscall(SYS_kill, -t->victim, SIGUSR1));
}

/* Signal 0 to everyone: a question only, and still not this process's business. */
static int kill_everyone(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_kill, -1, 0));
}

static int kill_parent(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_kill, getppid(), 0));
}

static int tkill_victim(const struct target *t)
{
	return outcome(syscall(SYS_tkill, t->victim, SIGUSR1));
}

static int tgkill_victim(const struct target *t)
{
	return outcome(syscall(SYS_tgkill, t->victim, t->victim, SIGUSR1));
}

static int sigqueue_victim(const struct target *t)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = SIGUSR1;
	si.si_code = SI_QUEUE;
	return outcome(syscall(SYS_rt_sigqueueinfo, t->victim, SIGUSR1, &si));
}

static int tgsigqueue_victim(const struct target *t)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = SIGUSR1;
	si.si_code = SI_QUEUE;
	return outcome(syscall(SYS_rt_tgsigqueueinfo, t->victim, t->victim, SIGUSR1, &si));
}

static int pidfd_open_victim(const struct target *t)
{
	return outcome(syscall(SYS_pidfd_open, t->victim, 0));
}

/* The driver passes a pidfd of the victim: the signal is the only forbidden call. */
static int pidfd_signal_victim(const struct target *t)
{
	return outcome(syscall(SYS_pidfd_send_signal, t->fd, SIGUSR1, NULL, 0));
}

static int pidfd_getfd_victim(const struct target *t)
{
	return outcome(syscall(SYS_pidfd_getfd, t->fd, 0, 0));
}

/* Asks the kernel to send SIGIO on its behalf. */
static int sigio_victim(const struct target *t)
{
	int p[2];

	if (pipe(p))
		return SG_SETUP;
	if (fcntl(p[0], F_SETOWN, t->victim) < 0)
		return -errno;
	if (fcntl(p[0], F_SETSIG, SIGUSR1) < 0)
		return -errno;
	if (fcntl(p[0], F_SETFL, O_ASYNC) < 0)
		return -errno;
	return write(p[1], "x", 1) == 1 ? 0 : SG_SETUP;
}

/* With it a terminal signals its foreground group, whoever that is. Nobody types here. */
static int sigio_terminal(const struct target *t)
{
	(void)t;
	return isatty(0) ? outcome(fcntl(0, F_SETFL, O_RDWR | O_ASYNC)) : SG_SETUP;
}

static int ptrace_victim(const struct target *t)
{
	return outcome(ptrace(PTRACE_SEIZE, t->victim, NULL, NULL));
}

static int ptrace_traceme(const struct target *t)
{
	(void)t;
	return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int vm_read_victim(const struct target *t)
{
	char got[SECRET_LEN];
	struct iovec local = {got, sizeof(got)}, remote = {(void *)t->addr, sizeof(got)};

	return outcome(process_vm_readv(t->victim, &local, 1, &remote, 1, 0));
}

static int vm_write_victim(const struct target *t)
{
	char bad[SECRET_LEN] = "overwritten";
	struct iovec local = {bad, sizeof(bad)}, remote = {(void *)t->addr, sizeof(bad)};

	return outcome(process_vm_writev(t->victim, &local, 1, &remote, 1, 0));
}

/* The same without a special call: seccomp cannot see which file it is. */
static int proc_mem_victim(const struct target *t)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", t->victim);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return outcome(pwrite(fd, "overwritten", 11, (off_t)t->addr));
}

/* Leaves the sandbox's cgroup by the front door. arg: cgroup.procs of the root of the hierarchy. */
static int cgroup_escape(const struct target *t)
{
	int fd = open(t->arg, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return outcome(write(fd, "0", 1));
}

static int kcmp_victim(const struct target *t)
{
	return outcome(syscall(SYS_kcmp, getpid(), t->victim, KCMP_VM, 0, 0));
}

static int process_madvise_victim(const struct target *t)
{
	struct iovec remote = {(void *)(t->addr & ~4095UL), 4096};

	return outcome(syscall(SYS_process_madvise, t->fd, &remote, 1UL, 20 /* MADV_COLD */, 0UL));
}

static int migrate_victim(const struct target *t)
{
	unsigned long nodes = 1;

	return outcome(syscall(SYS_migrate_pages, t->victim, 64UL, &nodes, &nodes));
}

static int prlimit_victim(const struct target *t)
{
	const struct rlimit64 low = {60, 60};

	return outcome(syscall(SYS_prlimit64, t->victim, RLIMIT_NOFILE, &low, NULL));
}

static int affinity_victim(const struct target *t)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	return outcome(sched_setaffinity(t->victim, sizeof(one), &one));
}

static int priority_victim(const struct target *t)
{
	return outcome(syscall(SYS_setpriority, PRIO_PROCESS, t->victim, 19));
}

static int scheduler_victim(const struct target *t)
{
	const struct sched_param param = {0};

	return outcome(syscall(SYS_sched_setscheduler, t->victim, SCHED_BATCH, &param));
}

static int ioprio_victim(const struct target *t)
{
	return outcome(syscall(SYS_ioprio_set, 1, t->victim, 3 << 13));
}

static int raise_nofile(const struct target *t)
{
	struct rlimit64 lim;

	(void)t;
	if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &lim))
		return SG_SETUP;
	return outcome(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &lim, NULL));
}

static int raise_setrlimit(const struct target *t)
{
	struct rlimit lim;

	(void)t;
	if (syscall(SYS_getrlimit, RLIMIT_CORE, &lim))
		return SG_SETUP;
	return outcome(syscall(SYS_setrlimit, RLIMIT_CORE, &lim));
}

static int reap(long pid)
{
	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(0);
	waitpid((pid_t)pid, NULL, 0);
	return 0;
}

static int do_fork(const struct target *t)
{
	(void)t;
	return reap(syscall(SYS_fork));
}

static int do_vfork(const struct target *t)
{
	pid_t pid = vfork();

	(void)t;
	return reap(pid);
}

static int clone_with(unsigned long flags)
{
	return reap(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
}

static int clone_plain(const struct target *t)
{
	(void)t;
	return clone_with(0);
}

#define CLONE_ATTACK(id, flags)                                                                                        \
	static int clone_##id(const struct target *t)                                                                  \
	{                                                                                                              \
		(void)t;                                                                                               \
		return clone_with(flags);                                                                              \
	}
CLONE_ATTACK(newuser, CLONE_NEWUSER)
CLONE_ATTACK(newns, CLONE_NEWNS)
CLONE_ATTACK(newpid, CLONE_NEWPID)
CLONE_ATTACK(newnet, CLONE_NEWNET)
CLONE_ATTACK(newuts, CLONE_NEWUTS)
CLONE_ATTACK(newcgroup, CLONE_NEWCGROUP)

/* Becomes a sibling: a child of whoever started this process. The child ends by itself; its new parent reaps it. */
static int clone_parent(const struct target *t)
{
	long pid = syscall(SYS_clone, (unsigned long)CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

	(void)t;
	if (!pid)
		_exit(0);
	return outcome(pid);
}

static int clone3_plain(const struct target *t)
{
	struct clone_args args = {.exit_signal = SIGCHLD};

	(void)t;
	return reap(syscall(SYS_clone3, &args, sizeof(args)));
}

static int clone3_newuser(const struct target *t)
{
	struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};

	(void)t;
	return reap(syscall(SYS_clone3, &args, sizeof(args)));
}

/* Bounded: at most BOMB_MAX children, each gone after two seconds whatever happens. Effect: more than arg children. */
static int fork_bomb(const struct target *t)
{
	const struct timespec two = {.tv_sec = 2};
	int allowed = 0, made = 0, err = 0;

	if (t->arg)
		sscanf(t->arg, "%d", &allowed);
	for (int i = 0; i < BOMB_MAX; i++) {
		pid_t pid = fork();

		if (!pid) {
			nanosleep(&two, NULL);
			_exit(0);
		}
		if (pid < 0) {
			err = errno;
			break;
		}
		made++;
	}
	if (made > allowed)
		return 0;
	return err ? -err : 0;
}

const struct attack sg_attacks_proc[] = {
	{"kill-victim", kill_victim},
	{"kill-high-bits", kill_high_bits},
	{"kill-group", kill_group},
	{"kill-everyone", kill_everyone},
	{"kill-parent", kill_parent},
	{"tkill-victim", tkill_victim},
	{"tgkill-victim", tgkill_victim},
	{"sigqueue-victim", sigqueue_victim},
	{"tgsigqueue-victim", tgsigqueue_victim},
	{"pidfd-open-victim", pidfd_open_victim},
	{"pidfd-signal-victim", pidfd_signal_victim},
	{"pidfd-getfd-victim", pidfd_getfd_victim},
	{"sigio-victim", sigio_victim},
	{"sigio-terminal", sigio_terminal},
	{"ptrace-victim", ptrace_victim},
	{"ptrace-traceme", ptrace_traceme},
	{"vm-read-victim", vm_read_victim},
	{"vm-write-victim", vm_write_victim},
	{"proc-mem-victim", proc_mem_victim},
	{"cgroup-escape", cgroup_escape},
	{"kcmp-victim", kcmp_victim},
	{"process-madvise-victim", process_madvise_victim},
	{"migrate-victim", migrate_victim},
	{"prlimit-victim", prlimit_victim},
	{"affinity-victim", affinity_victim},
	{"priority-victim", priority_victim},
	{"scheduler-victim", scheduler_victim},
	{"ioprio-victim", ioprio_victim},
	{"prlimit-self", raise_nofile},
	{"setrlimit-self", raise_setrlimit},
	{"fork", do_fork},
	{"vfork", do_vfork},
	{"clone-process", clone_plain},
	{"clone-newuser", clone_newuser},
	{"clone-newns", clone_newns},
	{"clone-newpid", clone_newpid},
	{"clone-newnet", clone_newnet},
	{"clone-newuts", clone_newuts},
	{"clone-newcgroup", clone_newcgroup},
	{"clone-parent", clone_parent},
	{"clone3", clone3_plain},
	{"clone3-newuser", clone3_newuser},
	{"fork-bomb", fork_bomb},
	{NULL, NULL},
};
