/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_GUARD_H
#define SG_GUARD_H

#include "policy/err.h"
#include "supervisor/cgroup.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * The guard: a tiny process that outlives a supervisor which was killed, only to end its sandbox. It shares the
 * supervisor's memory (so starting it costs next to nothing), waits on a pipe, and does nothing while that is open.
 */
struct sg_guard {
	pid_t pid;
	int pipe; /* write end: closing it, by death or otherwise, wakes the guard */
	struct sg_guard_state *state;
};

/* cg may have no directory: then marker names the sandbox's processes (their RLIMIT_MSGQUEUE). */
int sg_guard_start(struct sg_guard *g, const struct sg_cgroup *cg, uint64_t marker, struct sg_err *err);
/* Ends the guard; to be called when the sandbox is gone. */
void sg_guard_stop(struct sg_guard *g);
/* Its first half, to be followed by sg_guard_stop(): what is done in between need not be waited for afterwards. */
void sg_guard_leave(struct sg_guard *g);

#endif
