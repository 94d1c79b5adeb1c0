/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_REMOTE_H
#define SG_REMOTE_H

#include "runner/plan.h"
#include "supervisor/stream.h"

/*
 * A run by the daemon: hands it the plan and what the program gets, passes signals and records on, and
 * answers with the program's exit status. The daemon compiles the policy for itself.
 */

/* Connects as --daemon says. 0: *fd is the connection. 1: no daemon is to be used; *why (room for 200 bytes) says what
 * speaks against one that is there, "" where there is none. Negative errno: one was asked for and cannot be reached. */
int sg_remote_connect(const struct sg_options *o, int *fd, char why[200], struct sg_err *err);

/*
 * Runs. stream: where the records go. 0: *status is the exit status for sgrun. 1: the daemon cannot do it and nothing
 * ran; *why says why, and the caller may do it alone. Negative errno with *err: nothing ran, *status set.
 */
int sg_remote_run(int fd, struct sg_plan *plan, struct sg_stream *stream, int *status, char why[200],
		  struct sg_err *err);

#endif
