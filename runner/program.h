/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_RUN_PROGRAM_H
#define SG_RUN_PROGRAM_H

#include "runner/plan.h"

#define SG_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * Finds what is to be executed: plan->path and plan->argv from the options' words and the environment of the plan.
 * Errors: -ENOENT, -EACCES, -EISDIR with *exit_status 127 or 126, as a shell has them, and a message that says why.
 */
int sg_program_find(struct sg_plan *plan, int *exit_status, struct sg_err *err);

/* Why execve(2) failed with this code, for people. Looks at no file. Not allocated. */
const char *sg_plan_exec_error(const struct sg_plan *plan, int code);

/* "NAME=VALUE" of an environment, NULL: it is not there. */
char *sg_env_find(char **env, const char *name);

#endif
