/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_BATCH_H
#define SG_BATCH_H

#include "runner/options.h"

#define SG_EXIT_BATCH 1 /* some program did not end with 0, or did not run; its exit record says how */

/*
 * sgrun --batch: many programs through the daemon, a sandbox each, several at a time. s: where records go; those of
 * jobs that never ran are written here. What jobs with the same words and directory have in common (plan, ruleset,
 * request) is made once. Returns the exit status for sgrun: 0, SG_EXIT_BATCH, 128 + the signal that ended it; negative
 * errno with *err where it could not go on, and running sandboxes were ended.
 */
int sg_batch_run(const struct sg_options *o, struct sg_session *s, struct sg_err *err);

#endif
