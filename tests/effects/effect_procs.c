/* SPDX-License-Identifier: Apache-2.0 */
/* Effects on other processes, and new processes. A child's effect is the file "new". */
#include "effects.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>

static long leave_mark(void)
{
	return syscall(SYS_open, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

/* In the parent, long enough for the child to have run when the driver looks. */
static long child_marks(long pid)
{
	const struct timespec wait = {.tv_nsec = 50000000};

	if (!pid) {
		leave_mark();
		_exit(0);
	}
	if (pid > 0)
		nanosleep(&wait, NULL);
	return pid;
}

static siginfo_t queued_signal(void)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = SIGUSR1;
	si.si_code = SI_QUEUE;
	return si;
}

static long do_kill(void)
{
	go();
	return syscall(SYS_kill, params.victim, SIGUSR1);
}

static long do_tkill(void)
{
	go();
	return syscall(SYS_tkill, params.victim, SIGUSR1);
}

static long do_tgkill(void)
{
	go();
	return syscall(SYS_tgkill, params.victim, params.victim, SIGUSR1);
}

static long do_sigqueue(void)
{
	siginfo_t si = queued_signal();

	go();
	return syscall(SYS_rt_sigqueueinfo, params.victim, SIGUSR1, &si);
}

static long do_tgsigqueue(void)
{
	siginfo_t si = queued_signal();

	go();
	return syscall(SYS_rt_tgsigqueueinfo, params.victim, params.victim, SIGUSR1, &si);
}

static long do_pidfd_signal(void)
{
	int fd = (int)syscall(SYS_pidfd_open, params.victim, 0);

	if (fd < 0)
		give_up("pidfd_open");
	go();
	return syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0);
}

static long do_setpriority(void)
{
	go();
	return syscall(SYS_setpriority, PRIO_PROCESS, params.victim, 19);
}

static long do_affinity(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	go();
	return syscall(SYS_sched_setaffinity, params.victim, sizeof(one), &one);
}

static long do_scheduler(void)
{
	const struct sched_param p = {0};

	go();
	return syscall(SYS_sched_setscheduler, params.victim, SCHED_BATCH, &p);
}

static long do_ioprio(void)
{
	go();
	return syscall(SYS_ioprio_set, 1, params.victim, 3 << 13);
}

static long do_prlimit(void)
{
	const struct rlimit64 low = {60, 60};

	go();
	return syscall(SYS_prlimit64, params.victim, RLIMIT_NOFILE, &low, NULL);
}

/* PTRACE_ATTACH stops the victim, and it stays stopped when the tracer dies. */
static long do_ptrace(void)
{
	go();
	return syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, params.victim, 0UL, 0UL);
}

static long do_vm_write(void)
{
	char bytes[16] = "overwritten";
	struct iovec local = {bytes, sizeof(bytes)}, remote = {(void *)params.addr, sizeof(bytes)};

	go();
	return syscall(SYS_process_vm_writev, params.victim, &local, 1UL, &remote, 1UL, 0UL);
}

static long do_fork(void)
{
	go();
	return child_marks(syscall(SYS_fork));
}

static long do_vfork(void)
{
	pid_t pid;

	go();
	pid = vfork();
	return child_marks(pid);
}

static long do_clone(void)
{
	go();
	return child_marks(syscall(SYS_clone, (unsigned long)SIGCHLD, 0UL, 0UL, 0UL, 0UL));
}

static long do_clone3(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};

	go();
	return child_marks(syscall(SYS_clone3, &args, sizeof(args)));
}

static char *const mark_argv[] = {(char *)"effects", (char *)"leave-mark", NULL};
static char *const no_env[] = {NULL};

static long do_execve(void)
{
	go();
	return syscall(SYS_execve, "/proc/self/exe", mark_argv, no_env);
}

static long do_execveat(void)
{
	int fd = (int)syscall(SYS_open, "/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		give_up("open");
	go();
	return syscall(SYS_execveat, fd, "", mark_argv, no_env, AT_EMPTY_PATH);
}

/* --- what needs capabilities: in a user namespace of its own, which the driver keeps and looks into --- */

static void own_namespaces(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS))
		give_up("unshare");
}

static long do_mount(void)
{
	own_namespaces();
	go();
	return syscall(SYS_mount, "d", "d", NULL, (unsigned long)MS_BIND, NULL);
}

static long do_umount(void)
{
	own_namespaces();
	/* Landlock lets nobody mount; then there is nothing to take away, and the driver knows. */
	if (mount("d", "d", NULL, MS_BIND, NULL) && errno != EPERM)
		give_up("mount");
	go();
	return syscall(SYS_umount2, "d", MNT_DETACH);
}

static long do_move_mount(void)
{
	int fd;

	own_namespaces();
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, "d", 1UL /* OPEN_TREE_CLONE */ | O_CLOEXEC);
	if (fd < 0)
		give_up("open_tree");
	go();
	return syscall(SYS_move_mount, fd, "", AT_FDCWD, "d", 4U /* MOVE_MOUNT_F_EMPTY_PATH */);
}

static long do_sethostname(void)
{
	own_namespaces();
	go();
	return syscall(SYS_sethostname, "taken-over", 10UL);
}

static long do_setdomainname(void)
{
	own_namespaces();
	go();
	return syscall(SYS_setdomainname, "taken-over", 10UL);
}

const struct effect sg_effects_proc[] = {
	{"kill", "kill", do_kill},
	{"tkill", "tkill", do_tkill},
	{"tgkill", "tgkill", do_tgkill},
	{"rt_sigqueueinfo", "rt_sigqueueinfo", do_sigqueue},
	{"rt_tgsigqueueinfo", "rt_tgsigqueueinfo", do_tgsigqueue},
	{"pidfd_send_signal", "pidfd_send_signal", do_pidfd_signal},
	{"setpriority", "setpriority", do_setpriority},
	{"sched_setaffinity", "sched_setaffinity", do_affinity},
	{"sched_setscheduler", "sched_setscheduler", do_scheduler},
	{"ioprio_set", "ioprio_set", do_ioprio},
	{"prlimit64", "prlimit64", do_prlimit},
	{"ptrace-attach", "ptrace", do_ptrace},
	{"process_vm_writev", "process_vm_writev", do_vm_write},
	{"fork", "fork", do_fork},
	{"vfork", "vfork", do_vfork},
	{"clone", "clone", do_clone},
	{"clone3", "clone3", do_clone3},
	{"execve", "execve", do_execve},
	{"execveat", "execveat", do_execveat},
	{"leave-mark", "none", leave_mark},
	{"mount", "mount", do_mount},
	{"umount2", "umount2", do_umount},
	{"move_mount", "move_mount", do_move_mount},
	{"sethostname", "sethostname", do_sethostname},
	{"setdomainname", "setdomainname", do_setdomainname},
	{NULL, NULL, NULL},
};
