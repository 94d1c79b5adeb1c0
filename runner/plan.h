/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_PLAN_H
#define SG_PLAN_H

#include "policy/arena.h"
#include "policy/seccomp.h"
#include "runner/options.h"
#include "supervisor/places.h"

#include <linux/filter.h>
#include <sys/resource.h>

/*
 * Everything a launch will do, decided and checked before anything is done. Once a plan stands, only the kernel can
 * refuse a step.
 */
struct sg_rlimit_step {
	int resource;
	struct rlimit value;
};

/* A tree that comes with the command line. */
struct sg_plan_tree {
	const char *path;
	uint32_t allow;
	bool asked; /* by an option: more than the policy's own word */
};
#define SG_PLAN_TREES (SG_MAX_ACCESS_OPTIONS + 16)

struct sg_plan {
	const struct sg_options *options;

	/* what runs */
	char *path;  /* resolved program */
	char **argv; /* owned array, borrowed strings where possible */
	char **env;
	char *home; /* storage behind env */
	const char *chdir;
	int base; /* where relative paths of programs start: the --chdir directory, or AT_FDCWD */
	bool set_ids;
	uid_t uid;
	gid_t gid;
	int fds[SG_MAX_PASSED_FDS]; /* sorted, unique, all > 2 */
	int n_fds;

	/* by which policy */
	const char *language;
	const char *policy_source;
	const char *policy_digest;
	struct sg_learn *learn;   /* NULL: not --learn */
	struct sg_policy *then;   /* of the second phase, NULL: there is only one */
	struct sg_policy *policy; /* NULL: a built-in one that is not parsed unless needed */
	struct sg_filter filter;
	struct sg_limits limits;
	struct sg_rlimit_step rlimits[8];
	int n_rlimits;

	/* what it may do to objects: the policy's rules with this launch's own */
	struct sg_objects objects;
	const struct sg_tree *trees;
	size_t n_trees;
	struct sg_place_vars vars; /* no_mounts is for who opens the places to set */
	struct sg_plan_tree extra[SG_PLAN_TREES];
	size_t n_extra;
	const char *widened[SG_MAX_ACCESS_OPTIONS + 1]; /* --read and its kin as they were given, for the record */
	unsigned widen; /* SG_WIDEN_*: with which plan->policy is resolved, now or when a record needs it */

	char no_daemon[200];   /* why a daemon that is there was not used; "" */
	struct sg_arena arena; /* paths and trees */
	void *owned[16];       /* freed with the plan */
	int n_owned;
};

/* Whether what --fd and --cancel-fd name is open: to be asked before anything else is. Errors: -EBADF, -EINVAL. */
int sg_plan_check_fds(const struct sg_options *o, struct sg_err *err);

/*
 * The two halves of a plan. What runs: user, environment, program, language (a name, not looked up yet); and by which
 * policy: the filter, the limits and the object rules. Errors: the message says what to change; err->code ENOENT/EACCES
 * about the program itself are told apart by *exit_status (127/126), which is 125 for all else.
 */
int sg_plan_program(struct sg_plan *plan, const struct sg_options *o, int *exit_status, struct sg_err *err);
int sg_plan_policy(struct sg_plan *plan, struct sg_err *err);
/* Turns plan->limits into steps. ceiling: RLIM_NLIMITS hard limits that none may exceed; NULL: the caller's own. */
void sg_plan_rlimits(struct sg_plan *plan, const struct rlimit *ceiling);
/* What from sets replaces what into has. */
void sg_limits_merge(struct sg_limits *into, const struct sg_limits *from);
void sg_plan_free(struct sg_plan *plan);

#endif
