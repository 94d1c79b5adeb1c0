/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_LOOP_H
#define SG_SGD_LOOP_H

#include "policy/err.h"

#include <stdint.h>

/* One epoll(7) set. */
struct sgd_source;
typedef void (*sgd_source_fn)(struct sgd_source *s, uint32_t events);

struct sgd_source {
	int fd; /* -1: not watched. Not owned */
	uint32_t events;
	sgd_source_fn fn;
	void *owner;
};

/*
 * Takes all numbers below SG_FDS_COMMON, so that no descriptor that is opened or arrives later is copied by a child.
 * Returns our own pidfd there, by which children fetch what is theirs; -1: they may not, and all is copied.
 */
int sgd_common_fds(void);

/* Moves a descriptor out of the numbers that children look at. Where that cannot be it stays as it is. */
void sgd_high(int *fd);
/* The same for what is of one launch, which is many times in a second: while there are few they may stay, as a child
 * closes those faster than they are moved. */
void sgd_aside(int *fd);

struct sgd_loop {
	int epoll;
};

int sgd_loop_open(struct sgd_loop *l, struct sg_err *err);
/* Watches fd for events; another descriptor or other events than before replace what was. fd -1 or events 0: none. */
int sgd_loop_set(struct sgd_loop *l, struct sgd_source *s, int fd, uint32_t events);
/* Waits at most timeout_ms (-1: for ever) and calls whoever is due. A source may unset any other from its function;
 * what belongs to a source must not be freed before this returns. */
int sgd_loop_run(struct sgd_loop *l, int timeout_ms);

#endif
