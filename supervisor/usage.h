/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_USAGE_H
#define SG_USAGE_H

#include "supervisor/members.h"

#include <stdint.h>
#include <stdlib.h>

/* What the processes of a sandbox use now, summed up from /proc: for hosts without the cgroup controllers. */

/*
 * A look at memory that is under way: it is taken in pieces, because with many processes that share much all of it can
 * take a second, in which nothing else would be done. Zeroes: none.
 */
struct sg_look {
	pid_t *pids; /* whom to look at, and how many of them have been */
	size_t n, room, at;
	uint64_t began;  /* ticks since boot */
	uint64_t memory; /* of those */
	int failed;      /* error number: something could not be looked at */
};

/*
 * Resident anonymous and shared memory of all members, bytes, in *used. Pages that several members share after a fork
 * are counted once where the sum would be over `limit` (proportional set size, which costs a walk of the page tables)
 * and the kernel lets us see it; a child of vfork does not count then. More than `limit` where not all can be looked
 * at. Not seen: files in a tmpfs, memfds that are not mapped, buffers of pipes and sockets. *unseen: the error number
 * that says why not all can be looked at, otherwise unchanged. False: it is not over yet, to be called again soon.
 */
bool sg_usage_memory(const struct sg_members *m, uint64_t limit, struct sg_look *look, uint64_t *used, int *unseen);
/* Ends a look, whether it is over or not. */
static inline void sg_look_end(struct sg_look *look)
{
	free(look->pids);
	*look = (struct sg_look){0};
}

/*
 * CPU time, ns: of the cgroup (cpu.stat needs no controller); without one, of the members that live, the children they
 * waited for and those that came back to the supervisor. A child of a process that ignores SIGCHLD is lost then.
 * UINT64_MAX where not all can be looked at, with *unseen as above.
 */
uint64_t sg_usage_cpu(const struct sg_members *m, int *unseen);

/* A number in a file of "key value" lines; key with the blank. 0 when it is not there. */
uint64_t sg_key_value(const char *text, const char *key);

#endif
