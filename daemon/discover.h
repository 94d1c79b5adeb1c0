/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_DISCOVER_H
#define SG_SGD_DISCOVER_H

#include "daemon/loop.h"
#include "daemon/rules.h"
#include "policy/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Cgroups that nobody attaches by name: `--discover PATTERN`. Where one appears whose path matches, it becomes a
 * sandbox in which each process is judged by the policy of the interpreter that was executed in it, or in the process
 * it was forked from; other processes are not judged.
 */
struct sgd;
struct sgd_box;
struct sgd_policy;
struct sg_session;
struct sgd_discover;

/* Keeps the policies' numbers that processes are judged by already. Before anything is taken over. */
void sgd_discover_reserve(struct sgd *d);
/* Hands languages and interpreters to the programs, and begins to watch. When everything is attached. */
int sgd_discover_start(struct sgd *d, struct sg_err *err);
/* After other policies came: all processes of a language change over by one store. */
int sgd_discover_reload(struct sgd *d, struct sg_err *err);
void sgd_discover_stop(struct sgd *d);
/* Tries once more what there was no room for, when that is due. */
void sgd_discover_time(struct sgd *d, uint64_t now);
/* Whether a rule still wants this cgroup, and in that mode. */
bool sgd_discover_wants(const struct sgd *d, const char *rel, bool audit);

/*
 * Tells the programs of the tasks that are in the cgroup already: each has the language of the program it executes,
 * else its parents'. Holds them for that (cgroup.freeze), a millisecond or two; what went wrong is in the exit record.
 */
void sgd_discover_tasks(struct sgd_box *b);
/* Lets a cgroup go on that a daemon before this one held when it died. */
void sgd_discover_thaw(struct sgd *d);

/* While a record is written: the session speaks of that language's policy (number + 1, 0: of the sandbox's own). */
struct sgd_as {
	const char *language, *source, *digest;
	void *policy;
};
void sgd_discover_as(struct sgd_box *b, unsigned language, struct sgd_as *was);
void sgd_discover_was(struct sgd_box *b, const struct sgd_as *was);

#endif
