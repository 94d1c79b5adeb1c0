/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_LANDLOCK_H
#define SG_LANDLOCK_H

#include "policy/err.h"

#include <stdbool.h>

/*
 * What keeps a launched sandbox from reaching out of itself where it has the right user id for it (kernel
 * documentation: userspace-api/landlock): a program that runs as root, though without capabilities, may by its uid
 * write cgroup.procs, /proc/sys and other processes' memory. Inside this ruleset it cannot
 *   - change anything below /proc, /sys and the directory the cgroup file system is mounted in, or write to a device
 *     other than the usual ones (null, zero, full, random, urandom, tty, terminals, shared memory),
 *   - trace, or read the memory of, a process outside (any Landlock domain does that),
 *   - signal a process outside, or connect to an abstract unix socket made outside (Landlock ABI 6, Linux 6.12).
 * Files are otherwise left alone.
 */
struct sg_landlock {
	int fd;  /* ruleset, to be enforced by the child after no_new_privs; -1: none */
	int abi; /* what the kernel offers; 0: no Landlock */
	bool scopes_signals;
};

/* Builds the ruleset. cgroup_dir: absolute path of the sandbox's cgroup, "" for none. Errors: -EOPNOTSUPP where the
 * kernel has no Landlock, or one that would break renames between directories (ABI 1, Linux 5.13 to 5.18); what open(2)
 * and landlock_add_rule(2) said. */
int sg_landlock_build(struct sg_landlock *l, const char *cgroup_dir, struct sg_err *err);
/* For the child: 0 or -1 with errno. */
int sg_landlock_enforce(int fd);

#endif
