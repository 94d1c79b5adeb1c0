/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_MONITOR_H
#define SG_MONITOR_H

#include "runner/launch.h"

#include <poll.h>
#include <sys/resource.h>

/* Exit statuses of sgrun that are not the program's own. */
#define SG_EXIT_TIME_LIMIT 124
#define SG_EXIT_FAILED 125
#define SG_EXIT_NOT_EXECUTABLE 126
#define SG_EXIT_NOT_FOUND 127
#define SG_EXIT_MEMORY_LIMIT 137
#define SG_EXIT_OUTPUT_LIMIT 153 /* as a shell shows SIGXFSZ */
#define SG_EXIT_VIOLATION 159

/*
 * One launched sandbox being watched. sg_monitor() is the loop for one; a daemon has many and asks each what it waits
 * for. Nothing here blocks but sg_monitor() itself.
 */
struct sg_watch {
	struct sg_launch *l;
	bool ended; /* the first process was reaped, or is not going to be */
	bool held;  /* it has ended, and whoever traces it keeps it from being reaped */
	int status;
	char unknown[128]; /* why nobody can tell how it ended; "": status says it */
	struct rusage usage;
	uint64_t ended_ns;    /* when it ended, CLOCK_MONOTONIC; 0: it has not */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
	int epoll;            /* a daemon's, with shared launches */
	uint64_t asked_ns;    /* when we were first asked to end, CLOCK_MONOTONIC; 0: we were not */
	bool cancelled;       /* by our caller */
	bool behind;          /* who reads the records is slower than we may wait for */
	bool gave_up;         /* cancelled after the end: nobody waits for the rest of the output */
};

/* Whether who sends that signal wants the sandbox to end. */
static inline bool sg_signal_ends(int sig)
{
	return sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT;
}

/* What it waits for. */
enum {
	SG_WATCH_PID,
	SG_WATCH_SIGNALS,
	SG_WATCH_REPORT,
	SG_WATCH_LISTENER,
	SG_WATCH_BPF, /* of the whole BPF object: a daemon reads it once for all sandboxes */
	SG_WATCH_STREAM,
	SG_WATCH_FORKS, /* answers that were held */
	SG_WATCH_CANCEL,
	SG_WATCH_OUTPUT, /* and as many as there are lanes */
	SG_WATCH_N = SG_WATCH_OUTPUT + SG_OUTPUT_LANES,
};

void sg_watch_start(struct sg_watch *w, struct sg_launch *l);
/* Descriptors and events as of now; fd -1 where there is nothing to wait for. They change with every step. */
void sg_watch_fds(const struct sg_watch *w, struct pollfd p[SG_WATCH_N]);
/* Does what the revents say. */
void sg_watch_step(struct sg_watch *w, const struct pollfd p[SG_WATCH_N]);
/* Looks at the limits and ends the sandbox that is over one; to be called at w->deadline_ns, and after each step. Sets
 * the next w->deadline_ns. */
void sg_watch_deadline(struct sg_watch *w);
/* A signal for the first process; the second request to end is not left to the program. */
void sg_watch_signal(struct sg_watch *w, int sig);
/* The caller wants no more of it: kills it, and `exit` says so unless the program had ended by itself before. */
void sg_watch_cancel(struct sg_watch *w);
/* How the first process ended cannot be told, for that reason. */
void sg_watch_unknown(struct sg_watch *w, const char *why);
/* Kills every process of the sandbox. */
void sg_watch_stop(struct sg_watch *w);
/* When it has ended and no process is left: the last records, the exit record. Returns the exit status for sgrun. */
int sg_watch_finish(struct sg_watch *w);

/*
 * The end of a stream whose records others made (sgd, the sandboxes of a batch), so that no record tells what found no
 * room here: gives its reader some time, makes room for the last records, and says on standard error what was lost.
 */
void sg_finish_stream(struct sg_stream *s);

/*
 * Watches a launched sandbox to its end: answers and records calls, passes signals on, keeps the limits. Then ends what
 * is left of it and writes the `exit` record. Returns the exit status for sgrun.
 */
int sg_monitor(struct sg_launch *l);

#endif
