/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_TEST_POLICY_AGREE_H
#define SG_TEST_POLICY_AGREE_H

#include "policy/policy.h"
#include "policy/seccomp.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * Do the oracle and the simulated seccomp filter agree? Shared by the unit tests and the fuzz target. A disagreement is
 * printed to stderr.
 */
struct agree {
	const struct sg_policy *policy;
	struct sock_filter *insns;
	unsigned n;
	struct sg_binding binding;
	unsigned calls; /* compared so far */
	/* Gets every call that is compared; NULL: nobody. */
	void (*also)(void *ctx, uint32_t audit_arch, uint32_t nr, const uint64_t args[SG_ARGS]);
	void *ctx;
};

/* Compiles and binds. Returns 0 or negative errno. Release with agree_end(). */
int agree_begin(struct agree *a, const struct sg_policy *p, struct sg_err *err);
void agree_end(struct agree *a);

/* What the filter must return for a decision of the oracle. */
uint32_t agree_return(const struct agree *a, struct sg_decision d);

/* One call. */
bool agree_on(struct agree *a, uint32_t audit_arch, uint32_t nr, const uint64_t args[SG_ARGS]);
/* Every number, with argument values around every boundary that the rules name. */
bool agree_on_boundaries(struct agree *a);

#endif
