/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_STATS_H
#define SG_SGD_STATS_H

#include "daemon/loop.h"
#include "supervisor/http.h"
#include "supervisor/metrics.h"

#include <jansson.h>

/* The daemon's metrics: what sandboxes do is added when they end and when somebody looks. */
struct sgd;
struct sgd_box;
struct sg_call;

struct sgd_stats {
	struct sg_metrics *metrics;
	struct sg_http *http; /* NULL: not served */
	struct sgd_source src;
	char *text; /* the last answer, which is given again until then (CLOCK_MONOTONIC); NULL: none yet */
	size_t text_len;
	uint64_t fresh_until;
};

/* Serves the metrics where the options say. A default port that is taken is said on standard error and done without. */
int sgd_stats_start(struct sgd *d, struct sg_err *err);
void sgd_stats_stop(struct sgd *d);
/* The HTTP server's own time: calls it when it is due, returns the milliseconds until it is; -1: never. */
int sgd_stats_time(struct sgd *d);
/* For sg_session.seen_call. */
void sgd_stats_call(void *box, const struct sg_call *call, const char *name);
/* For sg_session.seen: counts a record. box: struct sgd_box. */
void sgd_stats_record(void *box, const json_t *record);
/* Adds what the BPF side has counted for a sandbox since it was last asked. */
void sgd_stats_collect(struct sgd_box *b);
/* A launched sandbox was found empty then (CLOCK_REALTIME); what killed it is known. */
void sgd_stats_empty(struct sgd_box *b, uint64_t empty);

#endif
