/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_PROC_H
#define SG_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What /proc says of a process (proc(5)). Everything may be gone or changed by the time it is read. */
struct sg_proc_info {
	pid_t tgid;
	pid_t ppid;
	uid_t uid;
	gid_t gid;
	pid_t tracer;  /* 0: none, or of another PID namespace */
	char comm[16]; /* terminated */
};

/* Fills info for a thread or process. Returns 0 or negative errno (-ESRCH: gone). */
int sg_proc_info(pid_t pid, struct sg_proc_info *info);
/* Start time in clock ticks after boot (field 22 of stat); 0 when there is no such process. */
uint64_t sg_proc_start_time(pid_t pid);
/* Now, in the same. */
uint64_t sg_proc_now(void);
/* Process group and session ids, 0 when gone. */
pid_t sg_proc_pgrp(pid_t pid);
/*
 * Calls fn for every child of a process, until fn returns non-zero. Returns that, 0, or negative errno: -ESRCH or
 * -ENOENT only where the process is gone.
 */
int sg_proc_children(pid_t pid, int (*fn)(void *ctx, pid_t child), void *ctx);
/*
 * Whether a task may be inside a call that makes a task. False: it is gone, or waits in another call, so that whatever
 * fork it was in is over. Where the kernel does not say, true.
 */
bool sg_proc_may_fork(pid_t tid);
/* CPU time of one task, ns; UINT64_MAX where the kernel does not say. */
uint64_t sg_proc_ran(pid_t tid);
/* It runs, or would if it got a processor. */
bool sg_proc_waits_for_cpu(pid_t tid);
/* CPU time, ns, of the children that a process has waited for, theirs included; 0 when gone. */
uint64_t sg_proc_waited_cpu(pid_t pid);
/* It has ended and waits for its parent. */
bool sg_proc_zombie(pid_t pid);
/* Number of threads, 0 when gone. */
unsigned sg_proc_threads(pid_t pid);

#endif
