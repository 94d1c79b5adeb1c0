/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_RUN_ACCESS_H
#define SG_RUN_ACCESS_H

#include "runner/plan.h"

#define SG_OPERANDS 32 /* as many arguments are looked at for a file that the program may read */

/* What a launch may do to files and addresses: the policy's rules, filled in and widened for this one launch. */

/*
 * With the program known: what the policy's variables stand for, and the trees that come with the command line: the
 * program itself, a file it is given, what its standard descriptors are, and --read, --write, --exec. Errors: a path or
 * an address of an option that is none.
 */
int sg_plan_places(struct sg_plan *plan, struct sg_err *err);

/* What the options add to the policy's system calls: sets plan->widen. */
int sg_plan_widening(struct sg_plan *plan, struct sg_err *err);

/* With the policy known (plan->objects, plan->trees): adds the trees and addresses of the launch to it. */
int sg_plan_access(struct sg_plan *plan, struct sg_err *err);

/* How much of a program's path is the tree that it was installed in (PREFIX of PREFIX/bin/NAME, or a store of such); 0:
 * it is one of the system's own, or lies in no such tree. */
size_t sg_runtime_prefix(const char *program);

#endif
