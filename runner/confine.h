/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_CONFINE_H
#define SG_CONFINE_H

#include "runner/launch.h"

/*
 * In the lsm tier: hands the policy's object rules to the BPF side. Else builds l->landlock: what protects Sandgate
 * itself, and, where no BPF LSM does it, as much of the policy's object rules as Landlock can express. What it cannot
 * is put into l->not_enforced, and what the policy's own text asks for in vain into l->degraded. Opens l->places.
 * Errors: a tree that is denied cannot be opened, no descriptors, no memory. A kernel without Landlock is none, but
 * degrades.
 */
int sg_launch_confine(struct sg_launch *l, struct sg_err *err);

/* Whether the seccomp filter lets the program change its own RLIMIT_MSGQUEUE. */
bool sg_launch_may_unmark(const struct sg_launch *l);

/* In the lsm tier: notes in l->not_enforced what would need a hook that this kernel does not have. */
void sg_launch_missing_hooks(struct sg_launch *l);

#endif
