/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_LEARN_PATH_H
#define SG_LEARN_PATH_H

#include "policy/learn.h"

#include <sys/types.h>

/*
 * For a call that names a file and waits for the supervisor: which file is meant, and what is done to it. Reads the
 * caller's memory: to take notes only, what it says may have changed by the time the call runs.
 */
void sg_learner_paths(struct sg_learn *l, pid_t pid, uint32_t nr, const uint64_t args[SG_ARGS]);

#endif
