/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_LEARN_SHAPE_H
#define SG_LEARN_SHAPE_H

#include "policy/policy.h"

/*
 * The condition that a call is taken down with: "request == TCGETS", or "" where nothing of its registers says what it
 * does. oracle: tells pids of the sandbox from others; those are named by `self` and `in sandbox`.
 */
void sg_learn_shape(const char *syscall, const uint64_t args[SG_ARGS], const struct sg_oracle *oracle, char *out,
		    size_t size);

#endif
