/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SHORTEN_H
#define SG_SHORTEN_H

#include "policy/seccomp.h"

/*
 * Makes an unbound filter shorter that answers the same: parts that are alike become one, jumps lead where the jumps
 * that they lead to lead, what cannot be reached is dropped. The kernel checks and translates a filter at every launch,
 * which takes as long as the filter is.
 * insns, patches: rewritten in place, n and n_patches with them. Errors: -ENOMEM; -EINVAL for what no filter of ours
 * looks like. Where the result would not be shorter all stays as it is.
 */
int sg_filter_shorten(struct sock_filter *insns, unsigned *n, struct sg_patch *patches, unsigned *n_patches,
		      struct sg_err *err);

#endif
