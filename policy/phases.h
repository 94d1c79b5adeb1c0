/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_PHASES_H
#define SG_PHASES_H

#include "policy/policy.h"
#include "policy/seccomp.h"

/*
 * Two phases of one run: until the program says that its start is over, the first policy holds; from then on a call
 * needs the consent of both. The filter cannot be changed from outside, so the calls about which the two differ are put
 * to the supervisor from the beginning, and it knows which phase it is. All other calls stay with the kernel alone.
 */

/* How a program says it, in any language: kill(SG_PHASE_MARK, 0). No process has this pid: the kernel's are below 2^22.
 */
#define SG_PHASE_MARK 0x53474154

/* The language that a language of the document names in `then`, NULL when it names none. Belongs to the document. */
const char *sg_doc_then(const struct sg_doc *doc, const char *language);

/*
 * Whether `then` may follow `first`: only rules for system calls may differ, since files, net, exec and kernel rules
 * are in force once and for all. 0, or -EINVAL.
 */
int sg_phases_check(const struct sg_policy *first, const struct sg_policy *then, struct sg_err *err);
/* The filter for both phases. As sg_filter_compile(). */
int sg_phases_compile(const struct sg_policy *first, const struct sg_policy *then, struct sg_filter *out,
		      struct sg_err *err);
/* Whether b is stricter than a. */
bool sg_phases_stricter(const struct sg_decision *a, const struct sg_decision *b);

#endif
