/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_STREAM_H
#define SG_STREAM_H

#include "policy/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SG_STREAM_ESSENTIAL 16

/*
 * Where verdicts go: whole lines to a descriptor that may be slow, stuck or gone. Nothing here ever blocks the
 * supervisor for longer than the bounded flush at the end; what finds no room is dropped and counted.
 */
struct sg_stream {
	int fd;         /* -1: discarded */
	bool own_fd;    /* ours to close */
	bool may_block; /* a descriptor that could not be made non-blocking without touching another's: poll, small
			   writes */
	bool socket;
	bool fifo;
	bool terminal;
	bool midway;                           /* the first line of the queue is written in part */
	size_t essential[SG_STREAM_ESSENTIAL]; /* where the last of those lines begin in the queue */
	unsigned n_essential;
	bool held;        /* lines wait until there are many */
	bool broken;      /* the reader is gone, or nothing can be written any more */
	int failed;       /* the error number that says why, where it is not the reader; 0: none */
	char *queue;      /* lines that wait */
	size_t len, cap;  /* bytes */
	uint64_t dropped; /* lines that found no room, or no reader */
};

/* target: "fd:N", "-" (standard output), a file name (created, appended to) or NULL (standard error). */
int sg_stream_open(struct sg_stream *s, const char *target, struct sg_err *err);
/* Takes one line without newline. A line marked essential displaces nothing but is given the reserve at the end of the
 * queue. Returns false when it was dropped. */
bool sg_stream_line(struct sg_stream *s, const char *line, size_t len, bool essential);
/* Writes what can be written now. */
void sg_stream_pump(struct sg_stream *s);
/* While many lines come: they are written many at a time, the rest when hold ends. Not while anything is waited for. */
void sg_stream_hold(struct sg_stream *s, bool hold);
/* Descriptor to wait on for writability while lines are queued, else -1. */
int sg_stream_wait_fd(const struct sg_stream *s);
/*
 * Where the reader of a pipe or socket is far behind: makes that larger, and drops of what waits the lines that leave
 * no room there for the last ones, which must not be lost. Never leaves part of a line.
 */
void sg_stream_make_room(struct sg_stream *s);
/* Tries for at most timeout_ms to write the rest. Returns true when all is written. */
bool sg_stream_flush(struct sg_stream *s, int timeout_ms);
void sg_stream_close(struct sg_stream *s);

#endif
