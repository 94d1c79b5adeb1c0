/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_OUTPUT_H
#define SG_OUTPUT_H

#include "policy/err.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The output limit: standard output and error of the program are pipes that end here, and what comes out of them goes
 * on to where the caller's lead, up to a number of bytes for both together. Nothing waits: the caller polls.
 *
 * Where output and error are one file (2>&1) they stay one pipe, so that their order is kept. A reader that is slow
 * slows the program, a reader that goes away lets it have its SIGPIPE, as without the pipe in between.
 */
enum { SG_OUTPUT_LANES = 2 };

struct sg_output_lane {
	int from;      /* our end of the program's pipe; -1: at its end */
	int to;        /* where it goes */
	bool own;      /* `to` is a description of our own, made so that it never blocks */
	bool copy;     /* by read and write: splice does not do it */
	bool socket;   /* write with send(2) */
	bool terminal; /* one that is not ours to open */
	bool full;     /* the reader has no room now */
	char *buf;     /* copied, not yet written */
	unsigned at, len;
};

struct sg_output {
	uint64_t limit; /* bytes; 0: there is no output limit, everything here does nothing */
	uint64_t total; /* bytes that went on to the caller */
	bool exceeded;  /* the program wrote more */
	bool around;    /* its standard input is a socket, which can be written to and is not counted */
	int failed;     /* errno of a write that did not reach the caller's descriptor; 0 */
	struct sg_output_lane lane[SG_OUTPUT_LANES];
	int n;
	int child[3]; /* what the child puts in the place of its 0, 1 and 2; -1: nothing */
};

void sg_output_init(struct sg_output *o);
/* std: the caller's 0, 1 and 2, which must stay open. Errors: what pipe(2) said. A descriptor that is closed stays
 * closed. */
int sg_output_open(struct sg_output *o, const int std[3], uint64_t limit, struct sg_err *err);
/* The child has its ends: closes them here. */
void sg_output_started(struct sg_output *o);
/* What to poll for; a descriptor of -1 where there is nothing. */
void sg_output_poll(const struct sg_output *o, struct pollfd p[SG_OUTPUT_LANES]);
/* Moves what can be moved without waiting. */
void sg_output_pump(struct sg_output *o);
/* Every pipe is at its end and all that is allowed is delivered, or cannot be delivered any more. */
bool sg_output_done(const struct sg_output *o);
/* Closes what is open; undelivered output is lost. */
void sg_output_close(struct sg_output *o);

#endif
