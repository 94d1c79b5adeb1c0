/* SPDX-License-Identifier: Apache-2.0 */
/* Other processes: one outside (or in a sandbox beside), and the supervisor. */
#include "objects.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define VICTIM target.victim

static const char *proc(pid_t pid, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return path;
}

static int attach(void)
{
	return outcome(ptrace(PTRACE_ATTACH, VICTIM, NULL, NULL));
}

static int seize(void)
{
	if (ptrace(PTRACE_SEIZE, VICTIM, NULL, NULL))
		return -errno;
	hold();
	return 0;
}

static int read_memory(void)
{
	char buf[17] = {0};
	struct iovec local = {buf, 16}, remote = {(void *)target.addr, 16};

	if (process_vm_readv(VICTIM, &local, 1, &remote, 1, 0) != 16)
		return -errno;
	return dprintf(1, "MEMORY %s\n", buf) < 0 ? -errno : 0;
}

static int write_memory(void)
{
	char buf[16] = "overwritten";
	struct iovec local = {buf, 16}, remote = {(void *)target.addr, 16};

	return outcome(process_vm_writev(VICTIM, &local, 1, &remote, 1, 0));
}

static int proc_mem_read(void)
{
	char buf[17] = {0};
	int fd = open(proc(VICTIM, "mem"), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, buf, 16, (off_t)target.addr) != 16)
		return -errno;
	return dprintf(1, "MEMORY %s\n", buf) < 0 ? -errno : 0;
}

static int proc_mem_write(void)
{
	int fd = open(proc(VICTIM, "mem"), O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(pwrite(fd, "overwritten", 12, (off_t)target.addr));
}

static int take_fd(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, VICTIM, 0), fd;

	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(438 /* pidfd_getfd */, pidfd, 0, 0);
	if (fd < 0)
		return -errno;
	hold();
	return 0;
}

static int environment(void)
{
	return leak_path(proc(VICTIM, "environ"));
}

static int arguments(void)
{
	return leak_path(proc(VICTIM, "cmdline"));
}

static int status(void)
{
	return leak_path(proc(VICTIM, "status"));
}

static int maps(void)
{
	return leak_path(proc(VICTIM, "maps"));
}

static int descriptors(void)
{
	char buf[4096];
	ssize_t n = readlink(proc(VICTIM, "fd/1"), buf, sizeof(buf) - 1);

	if (n < 0)
		return -errno;
	return dprintf(1, "LINK %.*s\n", (int)n, buf) < 0 ? -errno : 0;
}

static int process_list(void)
{
	return leak_path("/proc/1/status");
}

static int kill_victim(void)
{
	return outcome(kill(VICTIM, SIGUSR1));
}

static int tgkill_victim(void)
{
	return outcome(syscall(SYS_tgkill, VICTIM, VICTIM, SIGUSR1));
}

static int queue_victim(void)
{
	return outcome(sigqueue(VICTIM, SIGUSR1, (union sigval){0}));
}

static int pidfd_victim(void)
{
	int fd = (int)syscall(SYS_pidfd_open, VICTIM, 0);

	return fd < 0 ? -errno : outcome(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
}

/* The kernel sends SIGIO to the owner of a descriptor when something arrives. */
static int sigio_victim(void)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) || fcntl(p[0], F_SETOWN, VICTIM) || fcntl(p[0], F_SETFL, O_ASYNC))
		return -errno;
	return outcome(write(p[1], "x", 1));
}

/* As somebody who may name himself, also where he has another number. */
static int sigio_from_namespace(void)
{
	int status, p[2];
	pid_t pid;

	if (enter_userns(CLONE_NEWPID) || pipe2(p, O_CLOEXEC))
		give_up("namespace");
	pid = fork();
	if (pid == 0)
		_exit(getpid() != 1 || fcntl(p[0], F_SETOWN, getpid()));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		give_up("naming oneself");
	return sigio_victim();
}

/* The same owner by ioctl, which sockets have. */
static int sigio_by_ioctl(unsigned long request)
{
	int on = 1, owner = VICTIM, s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) || ioctl(s[0], request, &owner) ||
	    ioctl(s[0], FIOASYNC, &on))
		return -errno;
	return outcome(write(s[1], "x", 1));
}

static int fiosetown_victim(void)
{
	return sigio_by_ioctl(FIOSETOWN);
}

static int siocspgrp_victim(void)
{
	return sigio_by_ioctl(SIOCSPGRP);
}

/* The driver's terminal, whose foreground is the victim: it becomes the owner, and the driver types. */
static int tty_async(void)
{
	if (fcntl(target.fd, F_SETFL, O_RDWR | O_ASYNC))
		return -errno;
	return shown();
}

static int tty_fioasync(void)
{
	int on = 1;

	if (ioctl(target.fd, FIOASYNC, &on))
		return -errno;
	return shown();
}

static int limit_victim(void)
{
	const struct rlimit low = {60, 60};

	return outcome(prlimit(VICTIM, RLIMIT_NOFILE, &low, NULL));
}

static int read_limit(void)
{
	struct rlimit have;

	if (prlimit(VICTIM, RLIMIT_NOFILE, NULL, &have))
		return -errno;
	return dprintf(1, "LIMIT %lu\n", (unsigned long)have.rlim_cur) < 0 ? -errno : 0;
}

static int nice_victim(void)
{
	return outcome(setpriority(PRIO_PROCESS, (id_t)VICTIM, 19));
}

static int affinity_victim(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	return outcome(sched_setaffinity(VICTIM, sizeof(one), &one));
}

static int scheduler_victim(void)
{
	const struct sched_param p = {0};

	return outcome(sched_setscheduler(VICTIM, SCHED_BATCH, &p));
}

static int ioprio_victim(void)
{
	return outcome(syscall(SYS_ioprio_set, 1, VICTIM, 3 << 13));
}

/* ---- the supervisor ---- */

static int kill_supervisor(void)
{
	int rc = outcome(kill(target.supervisor, SIGUSR2));

	hold();
	return rc;
}

static int trace_supervisor(void)
{
	return seen(outcome(ptrace(PTRACE_SEIZE, target.supervisor, NULL, NULL)), "TRACED");
}

static int supervisor_memory(void)
{
	int fd = open(proc(target.supervisor, "mem"), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return dprintf(1, "OPENED\n") < 0 ? -errno : 0;
}

static int supervisor_limit(void)
{
	const struct rlimit low = {50, 50};

	if (prlimit(target.supervisor, RLIMIT_MSGQUEUE, &low, NULL))
		return -errno;
	return dprintf(1, "LIMITED\n") < 0 ? -errno : 0;
}

static int supervisor_fd(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, target.supervisor, 0), fd;

	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(438 /* pidfd_getfd */, pidfd, 2, 0);
	if (fd < 0)
		return -errno;
	return dprintf(1, "TAKEN\n") < 0 ? -errno : 0;
}

const struct attack sg_objects_procs[] = {
	{"trace-attach", attach},
	{"trace-seize", seize},
	{"trace-vm-read", read_memory},
	{"trace-vm-write", write_memory},
	{"trace-proc-mem-read", proc_mem_read},
	{"trace-proc-mem-write", proc_mem_write},
	{"trace-pidfd-getfd", take_fd},
	{"trace-environ", environment},
	{"trace-cmdline", arguments},
	{"trace-status", status},
	{"trace-maps", maps},
	{"trace-fd", descriptors},
	{"trace-init", process_list},
	{"signal-kill", kill_victim},
	{"signal-tgkill", tgkill_victim},
	{"signal-sigqueue", queue_victim},
	{"signal-pidfd", pidfd_victim},
	{"signal-sigio", sigio_victim},
	{"signal-sigio-namespace", sigio_from_namespace},
	{"signal-fiosetown", fiosetown_victim},
	{"signal-siocspgrp", siocspgrp_victim},
	{"signal-tty-async", tty_async},
	{"signal-tty-fioasync", tty_fioasync},
	{"limits-prlimit", limit_victim},
	{"limits-read", read_limit},
	{"limits-nice", nice_victim},
	{"limits-affinity", affinity_victim},
	{"limits-scheduler", scheduler_victim},
	{"limits-ioprio", ioprio_victim},
	{"supervisor-kill", kill_supervisor},
	{"supervisor-ptrace", trace_supervisor},
	{"supervisor-mem", supervisor_memory},
	{"supervisor-limit", supervisor_limit},
	{"supervisor-fd", supervisor_fd},
	{0},
};
