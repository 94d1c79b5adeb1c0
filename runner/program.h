/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_RUN_PROGRAM_H
#define SG_RUN_PROGRAM_H

#include "runner/plan.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SG_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * Finds what is to be executed: plan->path and plan->argv from the options' words and the environment of the plan.
 * Errors: -ENOENT, -EACCES, -EISDIR with *exit_status 127 or 126, as a shell has them, and a message that says why.
 */
int sg_program_find(struct sg_plan *plan, int *exit_status, struct sg_err *err);

/* Why execve(2) failed with this code, for people. Looks at no file. Not allocated. */
const char *sg_plan_exec_error(const struct sg_plan *plan, int code);

/* Where a name may be next along a PATH, of which *p is what is left; NULL afterwards: it was the last place. False:
 * the path there is too long. */
static inline bool sg_program_candidate(const char **p, const char *name, char out[PATH_MAX])
{
	size_t n = strcspn(*p, ":");
	int size = snprintf(out, PATH_MAX, "%.*s/%s", n ? (int)n : 1, n ? *p : ".", name);

	*p = (*p)[n] ? *p + n + 1 : NULL;
	return size > 0 && size < PATH_MAX;
}

/* "NAME=VALUE" of an environment, NULL: it is not there. */
char *sg_env_find(char **env, const char *name);

#endif
