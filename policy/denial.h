/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_DENIAL_H
#define SG_DENIAL_H

#include "policy/policy.h"

#include <jansson.h>

/* Records of the verdict stream (docs/stream.md) in words. Knows the format, not the kernel. */

/*
 * One sentence about a record: who tried what, which rule forbids it, what was done. For `syscall_violation`,
 * `lsm_violation`, `audit`, `limit`, and an `exit` that was not a normal end. *out: owned by the caller; NULL for a
 * record that denies nothing. Errors: -EINVAL for something that is no record, -ENOMEM.
 */
int sg_denial_sentence(const json_t *record, char **out, struct sg_err *err);

/*
 * What a policy says of the call in a `syscall_violation` or `audit` record. A record does not tell which pids were of
 * the sandbox: *out is the answer for a pid that was not, *other for one that was (or was its first process). They are
 * the same where no rule asks. Errors: -EINVAL as above.
 */
int sg_denial_decide(const json_t *record, const struct sg_policy *p, struct sg_decision *out,
		     struct sg_decision *other, struct sg_err *err);

#endif
