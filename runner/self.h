/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SELF_H
#define SG_SELF_H

#include "policy/err.h"

#include <jansson.h>
#include <signal.h>

/* One run of this very program, for verbs that try policies out. Through the same contract as everybody's. */
struct sg_self_result {
	int status;      /* as a shell shows it */
	json_t *records; /* array; owned */
	json_t *exit;    /* the last record where that is `exit`, NULL; borrowed from records */
	char out[8192];  /* what the program wrote to both outputs, cut */
};

/* The signal by which the verb is to end, set by its handler: a run that goes on is ended, and answers -EINTR. */
extern volatile sig_atomic_t sg_self_stopped;

/* options: of sgrun, NULL-terminated; it is always bounded by a --wall-time among them. argv: the program. */
int sg_self_run(const char *const *options, const char *const *argv, struct sg_self_result *r, struct sg_err *err);
void sg_self_release(struct sg_self_result *r);
/* "violation by execve", "ok, exit status 3": the end of a run in a few words. Returns buf. */
const char *sg_self_words(const struct sg_self_result *r, char *buf, size_t size);

#endif
