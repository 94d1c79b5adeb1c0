/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_REMOTE_H
#define SG_REMOTE_H

#include "runner/request.h"
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

/* The rest of a run that sg_front_try() began. *status as above. Errors: -EPIPE, -ENOMEM, what sgd said. */
int sg_remote_resume(const struct sg_options *o, struct sg_stream *stream, int *status, struct sg_err *err);

/* The same in its parts, for many runs at a time. */

/* The tier of a run through the daemon at fd, on which nothing was said yet. buf: SG_PROTO_PACKET_MAX bytes, aligned as
 * by malloc(3). 0; 1 as above; errors: of sg_remote_answer(). */
int sg_remote_tier(const struct sg_options *o, int fd, char *buf, enum sg_tier *tier, char why[200],
		   struct sg_err *err);
/* Ruleset, or places, of all runs of a plan. To be released by sg_launch_release() in any case. Errors: as
 * sg_launch_confine(), sg_places_open(). */
int sg_remote_prepare(struct sg_launch *l, struct sg_plan *plan, enum sg_tier tier, struct sg_err *err);
/* SG_WIRE_* that the options and the stream call for. */
uint32_t sg_remote_flags(const struct sg_options *o, const struct sg_stream *stream);

/* One message of the daemon. text: in buf, not terminated. */
struct sg_answer {
	uint16_t type; /* enum sg_wire_type */
	uint32_t number;
	const char *text;
	int len; /* bytes */
};
/* flags: MSG_DONTWAIT or 0. 1: there is none. Errors: -EPIPE the connection broke, -EACCES refused, -EPROTO. */
int sg_remote_answer(int fd, char *buf, int flags, struct sg_answer *a, struct sg_err *err);
/* A record on its way to the reader: what comes by the hundred thousand leaves room for what comes once. */
void sg_remote_record(struct sg_stream *stream, const struct sg_answer *a);
/* Tells the daemon a number: SG_WIRE_SIGNAL, SG_WIRE_CANCEL … */
void sg_remote_say(int fd, uint16_t type, uint32_t number);

#endif
