/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_LEARNER_H
#define SG_LEARNER_H

#include "policy/learn.h"

#include <sys/types.h>

/*
 * Takes a call that was let through into what is learnt: who made it is asked of /proc, and only for what is new.
 * comm: the caller's name, NULL: to be asked for as well. ip: where the call was made. Returns whether it was new.
 */
bool sg_learner_see(struct sg_learn *l, const struct sg_oracle *oracle, pid_t pid, const char *comm, uint32_t nr,
		    const uint64_t args[SG_ARGS], uint64_t ip);

#endif
