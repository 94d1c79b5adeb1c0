/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_RUNNER_LEARN_H
#define SG_RUNNER_LEARN_H

#include "policy/learn.h"
#include "runner/launch.h"

/* `sgrun --learn FILE`: a run that lets everything through and writes down what policy it would have needed. */

/* For the plan: what is learnt goes to *learn (owned by the plan), the policy to learn under to *policy. language: NULL
 * where the program's name tells none. */
int sg_learn_prepare(const struct sg_plan *plan, const char *language, struct sg_learn **learn,
		     struct sg_policy **policy, struct sg_err *err);
/* Makes the BPF program pass over what is known by now, so that it has room for what is new. */
int sg_learn_refresh(struct sg_launch *l, struct sg_err *err);
/* Merges what was learnt into the file and says on standard error how much that is. lost: records that are missing. */
int sg_learn_finish(struct sg_learn *learn, const char *file, char *const *argv, uint64_t lost, struct sg_err *err);
/* `sgrun policy merge FILE...`: to standard output. Returns an exit status. */
int sg_verb_merge(int n, char **files);

#endif
