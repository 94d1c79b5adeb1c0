/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_RECIPE_H
#define SG_RECIPE_H

#include "runner/job.h"
#include "runner/request.h"

/* What the jobs of a batch with the same words, directory and kinds of files have in common: made once, kept for more.
 */
struct sg_recipe {
	json_t *object; /* that of the first of them; owned */
	char **argv;    /* NULL: the command line's. Owned */
	const char *chdir;
	unsigned not_std;
	struct sg_options options;
	struct sg_plan plan;
	struct sg_launch launch;
	struct sg_request request;
	bool launched;   /* there is something in launch and request */
	uint64_t found;  /* what its names led to */
	size_t size;     /* bytes, about */
	unsigned users;  /* jobs that run: what its rules name stays open for them. The caller's to count */
	unsigned rounds; /* jobs that it served, as well */
	uint64_t used;   /* when last; the caller's, a number that only grows */
};

/* There is room for one for each job that runs. The first members are the caller's to set. */
struct sg_recipes {
	const struct sg_options *options; /* the command line's */
	const struct sg_stream *stream;
	const struct sg_signals *signals;
	enum sg_tier tier;
	struct sg_recipe *list[SG_BATCH_JOBS_MAX]; /* owned; NULL: a free place */
};

/*
 * The recipe for a job: one that is there and whose names still lead to the same objects, else a new one. NULL with
 * *err and, where it is about the program, *status (126, 127). Errors: as sg_plan_program(), sg_plan_policy(),
 * sg_remote_prepare(), sg_request_make(); -ENOTSUP for a policy of two phases, -EINVAL without a program.
 */
struct sg_recipe *sg_recipe_for(struct sg_recipes *rs, const struct sg_job *job, int *status, struct sg_err *err);
/* Gives back what recipes hold that no job uses. False: there was none but the one that is kept. */
bool sg_recipes_drop_idle(struct sg_recipes *rs, const struct sg_recipe *kept);
/* Gives back those not used for longest until the rest is small: a line can be long, and what becomes of it is many
 * times as long. */
void sg_recipes_keep_few(struct sg_recipes *rs);
void sg_recipes_free(struct sg_recipes *rs);

#endif
