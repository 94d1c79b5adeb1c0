/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SPAWN_H
#define SG_SPAWN_H

#include "runner/child.h"
#include "policy/net_filter.h"
#include "runner/launch.h"

/* One start of a sandbox's first process, from its clone to its word that it is ready. */
struct sg_spawn {
	struct sg_secret secret;
	struct sock_filter *insns; /* the bound filter, NULL: none */
	struct sock_filter net[SG_NET_FILTER_MAX];
	int ends[2];   /* the child's ends of its pipes, while it shares our descriptors; -1 */
	uint32_t gate; /* futex: the child may go on */
	struct sg_child child;
};

/* Before anything else is done with it, sg_spawn_end() included. */
void sg_spawn_init(struct sg_spawn *s);
/*
 * Starts the child in its cgroup, with everything that l says. Fills l->pid, pidfd, report, started_ns. The child uses
 * *s until it has executed or died: end it then, and not before. mask: the signal mask it gets. heir: NULL
 * where the child is the caller's own; else it must stay as long as *s.
 * Errors: what clone3(2) said, -ENOMEM; -E2BIG and the like from binding the filter.
 */
int sg_spawn_begin(struct sg_launch *l, struct sg_spawn *s, const struct sg_heir *heir, const sigset_t *mask,
		   struct sg_err *err);
/*
 * The same for a child that is its caller's own, in two steps: the child sets itself up beside us while we do what it
 * needs in the end, l->landlock. Not where it has to be judged from its first step (SG_TIER_LSM) or shares no memory
 * with us.
 */
bool sg_spawn_can_wait(const struct sg_launch *l);
int sg_spawn_early(struct sg_launch *l, struct sg_spawn *s, const sigset_t *mask, struct sg_err *err);
int sg_spawn_go(struct sg_launch *l, struct sg_spawn *s, struct sg_err *err);
/*
 * Takes the child's report that it is ready (its filter is loaded), and the listener if it needs one: l->listener.
 * Errors: -ETIMEDOUT after timeout_ms, -ECHILD when it died, else what the child says went wrong at which step.
 */
int sg_spawn_ready(struct sg_launch *l, struct sg_spawn *s, int timeout_ms, struct sg_err *err);
void sg_spawn_end(struct sg_spawn *s);

#endif
