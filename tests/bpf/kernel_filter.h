/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_TEST_KERNEL_FILTER_H
#define SG_TEST_KERNEL_FILTER_H

#include "policy/ruleset.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A seccomp filter in the kernel, asked without letting anything run: a second filter below it turns what it would
 * allow into an error of its own, and the process that is asked makes no calls but those of the question.
 */
#define KF_ALLOWED 3000 /* what an allowed call answers */

struct kf_call {
	uint32_t arch, nr; /* native (x32 by bit 30 of nr) or AUDIT_ARCH_I386, which takes 32-bit arguments only */
	uint64_t args[SG_ARGS];
	int answer; /* -1 for a call that was not made, 0 for one that returned, else the errno */
};

/* Whether i386 calls can be made: under some hypervisors their entry is a fault of the program. */
bool kf_has_i386(void);

/* Room for n calls that the asked process shares. Fails the test when there is none. */
struct kf_call *kf_calls(size_t n);
void kf_release(struct kf_call *calls, size_t n);

/*
 * Makes the calls in order in a new process under the filter. Returns the process's wait status: killed by SIGKILL
 * when all calls were made, by SIGSYS when the filter killed.
 */
int kf_run(const struct sock_filter *insns, unsigned n_insns, struct kf_call *calls, size_t n);

#endif
