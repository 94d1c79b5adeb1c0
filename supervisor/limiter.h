/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_LIMITER_H
#define SG_LIMITER_H

#include "policy/policy.h"
#include "supervisor/cgroup.h"
#include "supervisor/members.h"
#include "supervisor/usage.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The limits of one sandbox: by what each is enforced, what has to be looked at and when, what was used in the end.
 * cgroup v2 controllers where they are there; what stands in for them is watched from here. Nothing in this file waits:
 * its caller asks for the time of the next look and comes back then.
 */
struct sg_limiter {
	struct sg_limits want;
	const struct sg_cgroup *cg; /* dirfd -1: none */
	const struct sg_members *members;
	bool memory_max; /* memory.max is set: the kernel kills */
	bool pids_max;   /* pids.max is set: the kernel refuses forks */
	bool count_pids; /* forks must be counted by whoever answers seccomp notifications */

	/* CLOCK_MONOTONIC, ns: when to look next; 0: nothing to look at */
	uint64_t wall_at, cpu_at, memory_at, cpus_at;
	unsigned online;      /* processors */
	struct sg_look look;  /* at memory; its owner ends it */
	uint64_t peak_memory; /* bytes, as far as it was looked at */
	int unseen;           /* error number: why once something could not be looked at */

	/* --cpus without a controller: the cgroup is frozen whenever it is ahead of its share */
	bool throttle, frozen;
	uint64_t share_from_ns, share_from_usage;
};

/* What a sandbox used. Times in nanoseconds, sizes in bytes; 0: not known. */
struct sg_used {
	uint64_t cpu, user, system;
	uint64_t peak_memory;
	uint64_t peak_pids;
};

/*
 * Decides the mechanisms and writes the cgroup's files; nothing runs yet. mechanisms: object, gains limit -> mechanism;
 * degraded: array, gains a sentence for each limit that nothing enforces. filter: a seccomp filter can count forks.
 * require: -ENOTSUP where a limit's controller is missing, and *err says how to get it.
 */
int sg_limiter_plan(struct sg_limiter *x, const struct sg_limits *want, const struct sg_cgroup *cg,
		    const struct sg_members *members, bool filter, bool require, json_t *mechanisms, json_t *degraded,
		    struct sg_err *err);
/* The program is about to run: clocks start. */
void sg_limiter_start(struct sg_limiter *x, uint64_t now_ns);
/* When sg_limiter_check() wants to be called next, CLOCK_MONOTONIC ns; 0: never. */
uint64_t sg_limiter_next(const struct sg_limiter *x);
/* Looks at what is due. Returns the name of the limit that is over, and its value, or NULL. The caller ends it. */
const char *sg_limiter_check(struct sg_limiter *x, uint64_t now_ns, uint64_t *value);

/* The kernel killed for memory.max. */
bool sg_limiter_out_of_memory(const struct sg_limiter *x);
/* How often pids.max refused a fork. */
uint64_t sg_limiter_refused_forks(const struct sg_limiter *x);
/* Replaces in *used what the cgroup knows better; call it before the cgroup is removed. */
void sg_limiter_used(const struct sg_limiter *x, struct sg_used *used);

#endif
