/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_FORKS_H
#define SG_FORKS_H

#include "supervisor/members.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The limit on tasks where the supervisor counts forks. A fork that was let through is not there yet when the next one
 * asks: so it counts from the answer on, until it is known to have happened. A fork whose answer hangs on one that is
 * still under way waits for it.
 */
#define SG_FORKS_MAX 256

/* To begin with: zeroes, and timer -1. Of what follows n_held only as much is read as was written. */
struct sg_forks {
	int timer; /* timerfd, readable while answers are held; -1: none yet. Whoever owns the structure closes it */
	uint64_t most; /* there cannot be more tasks, ended ones that nobody waited for included; 0: the first alone */
	unsigned n_out, n_held;
	struct {
		pid_t tid; /* who was let through */
		uint64_t since_ns;
		uint64_t ran_ns; /* its CPU time by then */
	} out[SG_FORKS_MAX];
	struct {
		uint64_t id; /* of its notification */
		pid_t tid;
	} held[SG_FORKS_MAX];
};

enum sg_fork_verdict { SG_FORK_GO, SG_FORK_REFUSE, SG_FORK_WAIT };

/* A task that asks for anything is back from the fork it was granted. */
void sg_forks_back(struct sg_forks *f, pid_t tid);
/*
 * Whether one more task fits under max. *tasks: how many there are, negative errno when they cannot be counted (then
 * the answer is SG_FORK_REFUSE).
 */
enum sg_fork_verdict sg_forks_ask(struct sg_forks *f, const struct sg_members *m, uint64_t max, int *tasks);
/* Notes that tid was let through. */
void sg_forks_granted(struct sg_forks *f, pid_t tid);
/* Notes that the answer waits. False: it cannot, answer now. */
bool sg_forks_hold(struct sg_forks *f, uint64_t id, pid_t tid);
/* Takes the first of those that wait. False: none. When the timer has fired, take all there were. */
bool sg_forks_next(struct sg_forks *f, uint64_t *id, pid_t *tid);

#endif
