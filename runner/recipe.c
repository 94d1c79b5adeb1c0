/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/recipe.h"

#include "runner/remote.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECIPES SG_BATCH_JOBS_MAX
#define ROUNDS_MAX 64        /* jobs for one ruleset that each program adds to */
#define KEPT_MAX (16U << 20) /* bytes, about, of recipes that no job uses */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_words(char *const *a, char *const *b)
{
	if (!a || !b)
		return a == b;
	while (*a && *b && !strcmp(*a, *b)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

static void drop(struct sg_recipes *rs, unsigned i)
{
	struct sg_recipe *r = rs->list[i];

	rs->list[i] = NULL;
	if (r->launched) {
		sg_request_free(&r->request);
		sg_launch_release(&r->launch);
	}
	sg_plan_free(&r->plan);
	json_decref(r->object);
	free(r->argv);
	free(r);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	return (h ^ v) * 0x9e3779b97f4a7c15ULL ^ h >> 29;
}

/* Of a file that is written to, it is still the same; of one that is executed it may say another interpreter. */
static uint64_t look_at(uint64_t h, int base, const char *path, bool contents)
{
	struct stat st;

	if (fstatat(base, path, &st, 0) < 0)
		return mix(h, 0);
	h = mix(mix(h, st.st_dev), st.st_ino);
	return contents ? mix(mix(h, (uint64_t)st.st_ctim.tv_sec), (uint64_t)st.st_ctim.tv_nsec) : h;
}

/*
 * Rules are about objects and not about names. What the command line or a job names may be another object for the next
 * job: a program that was compiled again, a directory that is made for each. Then a recipe no longer serves.
 */
static uint64_t look(const struct sg_recipe *r)
{
	const struct sg_plan *plan = &r->plan;
	uint64_t h = look_at(0, AT_FDCWD, r->options.chdir ? r->options.chdir : ".", false);

	h = look_at(h, plan->base, plan->path, true);
	for (size_t i = 0; i < plan->n_extra; i++)
		h = look_at(h, AT_FDCWD, plan->extra[i].path, false);
	return h;
}

static int make(struct sg_recipes *rs, struct sg_recipe *r, int *status, struct sg_err *err)
{
	struct sg_options *o = &r->options;
	int rc;

	*o = *rs->options;
	o->argv = r->argv ? r->argv : rs->options->argv;
	o->chdir = r->chdir ? r->chdir : rs->options->chdir;
	o->not_std = r->not_std;
	if (!o->argv[0])
		return sg_err_set(err, EINVAL, "no program: neither \"argv\" here nor one on the command line");
	rc = sg_plan_program(&r->plan, o, status, err);
	if (!rc)
		rc = sg_plan_policy(&r->plan, err);
	if (!rc && r->plan.then)
		rc = sg_err_set(err, ENOTSUP, "its policy has a second phase (then), which only sgrun by itself keeps");
	if (!rc)
		r->found = look(r);
	r->launched = !rc;
	if (!rc)
		rc = sg_remote_prepare(&r->launch, &r->plan, rs->tier, err);
	/* The ruleset holds what it names; in the lsm tier each sandbox is given the places themselves. */
	if (!rc && r->launch.landlock.fd >= 0)
		sg_places_settle(&r->launch.places);
	if (!rc)
		rc = sg_request_make(&r->request, &r->launch, sg_remote_flags(o, rs->stream), rs->signals, err);
	return rc;
}

/* The words of a job that may be tried again, and has to find this recipe then. */
static char **copy_words(char **words)
{
	size_t n = 0;
	char **copy;

	while (words[n])
		n++;
	copy = calloc(n + 1, sizeof(char *));
	return copy ? memcpy(copy, words, n * sizeof(char *)) : NULL;
}

/* Which of our descriptors 0 to 2 a job does not get: it has others, that are its own. */
static unsigned not_std(const struct sg_job *job)
{
	return 1U << STDIN_FILENO | (job->files[1] ? 1U << STDOUT_FILENO : 0) |
	       (job->files[2] ? 1U << STDERR_FILENO : 0);
}

/*
 * Where a program may see no processes but its own it adds its directory in /proc to the ruleset: who gets that while
 * it runs would see it, too. Afterwards there is nothing to be seen, but the rule remains.
 */
static bool is_taken(const struct sg_recipe *r)
{
	return r->launch.landlock.own_proc && (r->users || r->rounds >= ROUNDS_MAX);
}

struct sg_recipe *sg_recipe_for(struct sg_recipes *rs, const struct sg_job *job, int *status, struct sg_err *err)
{
	unsigned at = RECIPES;
	struct sg_recipe *r;

	for (unsigned i = 0; i < RECIPES; i++) {
		r = rs->list[i];
		if (r && !is_taken(r) && same_words(r->argv, job->argv) && same_text(r->chdir, job->chdir) &&
		    r->not_std == not_std(job) && r->found == look(r))
			return r;
		if (r && !r->users && is_taken(r)) {
			drop(rs, i);
			r = NULL;
		}
		/* A free place, else that of the one not used for longest. */
		if ((!r || !r->users) && (at == RECIPES || (rs->list[at] && (!r || r->used < rs->list[at]->used))))
			at = i;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		(void)sg_err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	if (rs->list[at])
		drop(rs, at);
	rs->list[at] = r;
	r->plan.base = -1;
	r->request = (struct sg_request){.cwd = -1, .strings_fd = -1, .policy_fd = -1};
	r->object = json_incref(job->object);
	r->chdir = job->chdir;
	r->not_std = not_std(job);
	r->size = job->size;
	r->argv = job->argv ? copy_words(job->argv) : NULL;
	if (job->argv && !r->argv)
		(void)sg_err_set(err, ENOMEM, "out of memory");
	else if (make(rs, r, status, err) == 0)
		return r;
	drop(rs, at);
	return NULL;
}

bool sg_recipes_drop_idle(struct sg_recipes *rs, const struct sg_recipe *kept)
{
	bool any = false;

	for (unsigned i = 0; i < RECIPES; i++) {
		struct sg_recipe *r = rs->list[i];

		if (r && r != kept && !r->users) {
			drop(rs, i);
			any = true;
		}
	}
	return any;
}

void sg_recipes_keep_few(struct sg_recipes *rs)
{
	for (;;) {
		unsigned oldest = RECIPES;
		size_t sum = 0;

		for (unsigned i = 0; i < RECIPES; i++) {
			const struct sg_recipe *r = rs->list[i];

			if (!r || r->users)
				continue;
			sum += r->size + r->request.strings_cap;
			if (oldest == RECIPES || r->used < rs->list[oldest]->used)
				oldest = i;
		}
		if (sum <= KEPT_MAX)
			return;
		drop(rs, oldest);
	}
}

void sg_recipes_free(struct sg_recipes *rs)
{
	for (unsigned i = 0; i < RECIPES; i++)
		if (rs->list[i])
			drop(rs, i);
}
