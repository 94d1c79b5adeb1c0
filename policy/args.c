// SPDX-License-Identifier: Apache-2.0
#include "policy/consts.h"

#include <string.h>

#include "policy/in_place.h"

/*
 * Widths are what the kernel's own prototype reads: an int argument's upper half is ignored by the kernel, so a
 * condition must ignore it too; an unsigned long argument is looked at whole.
 */
#define A(sc, i, nm, w, fam)                                                                                           \
	{                                                                                                              \
#sc, nm, i, w, SG_FAMILY_##fam, false                                                                  \
	}
#define D(sc, i, nm, w, fam)                                                                                           \
	{                                                                                                              \
#sc, nm, i, w, SG_FAMILY_##fam, true                                                                   \
	}

static const struct sg_arg table[] = {
	D(socket, 0, "domain", 32, DOMAIN),
	D(socket, 1, "type", 32, SOCKTYPE),
	D(socket, 2, "protocol", 32, IPPROTO),
	D(socketpair, 0, "domain", 32, DOMAIN),
	D(socketpair, 1, "type", 32, SOCKTYPE),
	D(socketpair, 2, "protocol", 32, NONE),
	A(sendto, 0, "fd", 32, INT),
	D(sendto, 3, "flags", 32, MSG),
	A(sendto, 4, "addr", 64, NONE),
	A(sendmsg, 0, "fd", 32, INT),
	D(sendmsg, 2, "flags", 32, MSG),
	A(sendmmsg, 0, "fd", 32, INT),
	D(sendmmsg, 3, "flags", 32, MSG),
	A(recvfrom, 0, "fd", 32, INT),
	D(recvfrom, 3, "flags", 32, MSG),
	A(recvmsg, 0, "fd", 32, INT),
	D(recvmsg, 2, "flags", 32, MSG),
	A(accept4, 3, "flags", 32, SOCKTYPE),
	A(setsockopt, 0, "fd", 32, INT),
	A(setsockopt, 1, "level", 32, INT),
	A(setsockopt, 2, "optname", 32, INT),
	A(getsockopt, 0, "fd", 32, INT),
	A(getsockopt, 1, "level", 32, INT),
	A(getsockopt, 2, "optname", 32, INT),
	A(shutdown, 1, "how", 32, INT),

	D(clone, 0, "flags", 32, CLONE),
	D(unshare, 0, "flags", 64, NEWNS),
	A(setns, 0, "fd", 32, INT),
	D(setns, 1, "nstype", 32, NEWNS),

	D(open, 1, "flags", 32, OPEN),
	D(open, 2, "mode", 16, OCTAL),
	A(openat, 0, "dirfd", 32, INT),
	D(openat, 2, "flags", 32, OPEN),
	D(openat, 3, "mode", 16, OCTAL),
	D(creat, 1, "mode", 16, OCTAL),
	D(chmod, 1, "mode", 16, MODE),
	D(fchmod, 1, "mode", 16, MODE),
	D(fchmodat, 2, "mode", 16, MODE),
	D(fchmodat2, 2, "mode", 16, MODE),
	D(mknod, 1, "mode", 16, MODE),
	D(mknodat, 2, "mode", 16, MODE),
	D(mkdir, 1, "mode", 16, OCTAL),
	D(mkdirat, 2, "mode", 16, OCTAL),
	A(unlinkat, 2, "flags", 32, NONE),
	A(renameat2, 4, "flags", 32, NONE),
	A(linkat, 4, "flags", 32, NONE),
	A(fchownat, 4, "flags", 32, NONE),
	A(execveat, 4, "flags", 32, NONE),
	A(umask, 0, "mask", 32, OCTAL),
	A(pipe2, 1, "flags", 32, OPEN),
	A(dup3, 2, "flags", 32, OPEN),
	A(lseek, 2, "whence", 32, INT),
	A(fallocate, 1, "mode", 32, NONE),
	A(getrandom, 2, "flags", 32, NONE),
	A(epoll_create1, 0, "flags", 32, NONE),
	A(eventfd2, 1, "flags", 32, NONE),
	A(inotify_init1, 0, "flags", 32, NONE),
	D(memfd_create, 1, "flags", 32, MFD),
	A(fcntl, 0, "fd", 32, INT),
	D(fcntl, 1, "cmd", 32, FCNTL),
	A(fcntl, 2, "arg", 64, NONE),
	A(ioctl, 0, "fd", 32, INT),
	D(ioctl, 1, "request", 32, IOCTL),
	A(ioctl, 2, "arg", 64, NONE),

	D(kill, 0, "pid", 32, INT),
	D(kill, 1, "sig", 32, SIGNAL),
	A(kill, 1, "signal", 32, SIGNAL),
	D(tkill, 0, "pid", 32, INT),
	D(tkill, 1, "sig", 32, SIGNAL),
	A(tkill, 0, "tid", 32, INT),
	A(tkill, 1, "signal", 32, SIGNAL),
	D(tgkill, 0, "tgid", 32, INT),
	D(tgkill, 1, "pid", 32, INT),
	D(tgkill, 2, "sig", 32, SIGNAL),
	A(tgkill, 1, "tid", 32, INT),
	A(tgkill, 2, "signal", 32, SIGNAL),
	D(pidfd_send_signal, 0, "pidfd", 32, INT),
	D(pidfd_send_signal, 1, "sig", 32, SIGNAL),
	A(pidfd_send_signal, 1, "signal", 32, SIGNAL),
	A(pidfd_send_signal, 3, "flags", 32, NONE),
	D(pidfd_open, 0, "pid", 32, INT),
	A(pidfd_open, 1, "flags", 32, NONE),
	D(pidfd_getfd, 0, "pidfd", 32, INT),
	D(pidfd_getfd, 1, "targetfd", 32, INT),
	D(rt_sigqueueinfo, 0, "pid", 32, INT),
	D(rt_sigqueueinfo, 1, "sig", 32, SIGNAL),
	D(rt_tgsigqueueinfo, 0, "tgid", 32, INT),
	D(rt_tgsigqueueinfo, 1, "pid", 32, INT),
	D(rt_tgsigqueueinfo, 2, "sig", 32, SIGNAL),
	A(wait4, 0, "pid", 32, INT),
	A(wait4, 2, "options", 32, NONE),
	A(waitid, 0, "which", 32, IDTYPE),
	A(waitid, 1, "pid", 32, INT),
	A(waitid, 3, "options", 32, NONE),
	D(process_vm_readv, 0, "pid", 32, INT),
	D(process_vm_writev, 0, "pid", 32, INT),
	D(kcmp, 0, "pid1", 32, INT),
	D(kcmp, 1, "pid2", 32, INT),
	D(setpgid, 0, "pid", 32, INT),
	D(setpgid, 1, "pgid", 32, INT),
	A(getpgid, 0, "pid", 32, INT),
	A(getsid, 0, "pid", 32, INT),
	A(get_robust_list, 0, "pid", 32, INT),
	A(sched_getaffinity, 0, "pid", 32, INT),
	D(sched_setaffinity, 0, "pid", 32, INT),
	D(sched_setscheduler, 0, "pid", 32, INT),
	D(sched_setscheduler, 1, "policy", 32, INT),
	D(sched_setparam, 0, "pid", 32, INT),
	D(sched_setattr, 0, "pid", 32, INT),
	A(sched_getscheduler, 0, "pid", 32, INT),
	A(sched_getparam, 0, "pid", 32, INT),
	A(sched_getattr, 0, "pid", 32, INT),
	A(sched_rr_get_interval, 0, "pid", 32, INT),
	A(migrate_pages, 0, "pid", 32, INT),
	A(move_pages, 0, "pid", 32, INT),
	D(setpriority, 0, "which", 32, PRIO),
	D(setpriority, 1, "who", 32, INT),
	D(setpriority, 2, "prio", 32, INT),
	A(getpriority, 0, "which", 32, PRIO),
	A(getpriority, 1, "who", 32, INT),
	A(ioprio_set, 0, "which", 32, INT),
	A(ioprio_set, 1, "who", 32, INT),

	A(mmap, 0, "addr", 64, NONE),
	A(mmap, 1, "length", 64, NONE),
	D(mmap, 2, "prot", 64, PROT),
	D(mmap, 3, "flags", 64, MAP),
	A(mmap, 4, "fd", 32, INT),
	A(mmap, 5, "offset", 64, NONE),
	A(mprotect, 0, "addr", 64, NONE),
	A(mprotect, 1, "length", 64, NONE),
	D(mprotect, 2, "prot", 64, PROT),
	A(pkey_mprotect, 0, "addr", 64, NONE),
	A(pkey_mprotect, 1, "length", 64, NONE),
	D(pkey_mprotect, 2, "prot", 64, PROT),
	A(pkey_mprotect, 3, "pkey", 32, INT),
	A(mremap, 3, "flags", 64, NONE),
	A(msync, 2, "flags", 32, NONE),
	A(mlockall, 0, "flags", 32, NONE),
	D(madvise, 2, "advice", 32, MADV),
	D(process_madvise, 3, "advice", 32, MADV),
	A(shmat, 2, "flags", 32, NONE),
	D(shmget, 2, "flags", 32, NONE),

	D(mount, 3, "flags", 64, MOUNT),
	D(umount2, 1, "flags", 32, UMOUNT),
	D(ptrace, 0, "request", 64, PTRACE),
	D(ptrace, 1, "pid", 32, INT),
	D(personality, 0, "persona", 32, PERSONALITY),
	D(keyctl, 0, "op", 32, KEYCTL),
	D(bpf, 0, "cmd", 32, BPF),
	D(prctl, 0, "op", 32, PRCTL),
	A(prctl, 0, "option", 32, PRCTL),
	A(prctl, 1, "arg2", 64, NONE),
	A(prctl, 2, "arg3", 64, NONE),
	A(prctl, 3, "arg4", 64, NONE),
	A(prctl, 4, "arg5", 64, NONE),
	D(arch_prctl, 0, "op", 32, ARCH_PRCTL),
	A(arch_prctl, 0, "option", 32, ARCH_PRCTL),
	D(prlimit64, 0, "pid", 32, INT),
	D(prlimit64, 1, "resource", 32, RLIMIT),
	A(prlimit64, 2, "new_limit", 64, NONE),
	A(prlimit64, 3, "old_limit", 64, NONE),
	D(setrlimit, 0, "resource", 32, RLIMIT),
	A(getrlimit, 0, "resource", 32, RLIMIT),
	D(seccomp, 0, "op", 32, SECCOMP),
	A(seccomp, 1, "flags", 32, NONE),
	D(perf_event_open, 1, "pid", 32, INT),
	A(userfaultfd, 0, "flags", 32, OPEN),
	A(futex, 1, "op", 32, NONE),
	A(membarrier, 0, "cmd", 32, NONE),
	A(modify_ldt, 0, "func", 32, INT),
	A(clock_gettime, 0, "clockid", 32, CLOCK),
	A(clock_getres, 0, "clockid", 32, CLOCK),
	D(clock_settime, 0, "clockid", 32, CLOCK),
	A(clock_nanosleep, 0, "clockid", 32, CLOCK),
	A(clock_nanosleep, 1, "flags", 32, NONE),
	A(timer_create, 0, "clockid", 32, CLOCK),
	D(setuid, 0, "uid", 32, INT),
	D(setgid, 0, "gid", 32, INT),
	D(setreuid, 0, "ruid", 32, INT),
	D(setreuid, 1, "euid", 32, INT),
	D(setregid, 0, "rgid", 32, INT),
	D(setregid, 1, "egid", 32, INT),
	D(setresuid, 0, "ruid", 32, INT),
	D(setresuid, 1, "euid", 32, INT),
	D(setresuid, 2, "suid", 32, INT),
	D(setresgid, 0, "rgid", 32, INT),
	D(setresgid, 1, "egid", 32, INT),
	D(setresgid, 2, "sgid", 32, INT),
	D(chown, 1, "uid", 32, INT),
	D(chown, 2, "gid", 32, INT),
	D(fchown, 1, "uid", 32, INT),
	D(fchown, 2, "gid", 32, INT),
	D(lchown, 1, "uid", 32, INT),
	D(lchown, 2, "gid", 32, INT),
	D(fchownat, 2, "uid", 32, INT),
	D(fchownat, 3, "gid", 32, INT),
};
#define N_ARGS (sizeof(table) / sizeof(table[0]))

const struct sg_arg *sg_arg_at(const char *syscall, size_t index)
{
	size_t i;

	for (i = 0; i < N_ARGS; i++)
		if (!strcmp(table[i].syscall, syscall) && !index--)
			return &table[i];
	return NULL;
}

const struct sg_arg *sg_arg_find(const char *syscall, const char *name)
{
	size_t i;

	for (i = 0; i < N_ARGS; i++)
		if (!strcmp(table[i].syscall, syscall) && !strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}
