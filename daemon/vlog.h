/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_VLOG_H
#define SG_SGD_VLOG_H

#include "daemon/loop.h"
#include "supervisor/stream.h"

/*
 * The verdict log of the whole host: JSON lines to a file, which is rotated by size, or to standard output, which may
 * be slow. What cannot be written is counted and said in a `lost` record when writing works again.
 */
#define SGD_VLOG_KEEP 5 /* FILE.1 to FILE.5 */

struct sgd_vlog {
	const char *path; /* NULL: standard output; "": no log */
	int fd;
	uint64_t size, max; /* bytes; max 0: never rotated */
	uint64_t lines, lost, lost_told;
	struct sg_stream out;  /* standard output */
	struct sgd_source src; /* its, while lines wait */
	struct sgd_loop *loop;
	bool held;
	bool growing;  /* it cannot be rotated, which was said */
	char *waiting; /* whole lines */
	size_t n_waiting;
};

/* loop: where it is waited for that a slow reader takes more. */
int sgd_vlog_open(struct sgd_vlog *l, struct sgd_loop *loop, const char *path, uint64_t max, struct sg_err *err);
/* Opens the file anew (it was moved away). On failure the old one stays in use. */
int sgd_vlog_reopen(struct sgd_vlog *l, struct sg_err *err);
/* One record, without newline. */
void sgd_vlog_line(struct sgd_vlog *l, const char *json);
/* While many come: they are written together, when hold ends or there are enough of them. */
void sgd_vlog_hold(struct sgd_vlog *l, bool hold);
void sgd_vlog_close(struct sgd_vlog *l);

#endif
