/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_TEST_DECIDER_H
#define SG_TEST_DECIDER_H

#include "policy/ruleset.h"

#include <stdint.h>

/* The BPF program's decision alone, by BPF_PROG_TEST_RUN of sg_test_decide. A failure fails the running test. */
struct decider;

/* Tasks TABLE_SELF and TABLE_INSIDE belong to the sandbox. */
struct decider *decider_open(void);
void decider_close(struct decider *d);
void decider_policy(struct decider *d, const struct sg_ruleset *rs);
/* One native call. */
struct sg_decision decider_run(struct decider *d, uint32_t nr, const uint64_t args[SG_ARGS]);

#endif
