/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_JOB_H
#define SG_JOB_H

#include "policy/err.h"
#include "supervisor/session.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The programs that sgrun --batch runs: one JSON object a line (docs/sgrun.1.md). Lines come from a file or from who
 * writes them as he goes; every byte of them is somebody's word.
 */
#define SG_JOB_LINE_MAX (1U << 20) /* bytes of one line */

struct sg_job {
	json_t *object;               /* owned; what the other members point into */
	size_t size;                  /* bytes, about, of what was made of its line */
	unsigned line;                /* from 1 */
	char label[SG_LABEL_MAX + 1]; /* its own, else the number of its line */
	char **argv;                  /* NULL: the command line's. Owned array */
	const char *chdir, *files[3]; /* for standard input, output and error; NULL: nothing said */
};

/* One line, len bytes, without newline. Errors: -EINVAL with what is wrong and where; *job has a label then, too. To be
 * freed in any case. */
int sg_job_parse(struct sg_job *job, const char *line, size_t len, unsigned number, struct sg_err *err);
void sg_job_free(struct sg_job *job);

/*
 * Opens its files: std[0] for reading, the others for writing, created or emptied; where nothing is said /dev/null and
 * our own. The same name for both outputs is one file. *owned: bits of those that are to be closed. Never waits: a FIFO
 * that nobody reads is refused. Errors: of open(2), with the name; none is open then.
 */
int sg_job_open(const struct sg_job *job, int std[3], unsigned *owned, struct sg_err *err);

/* Lines that arrive. */
struct sg_lines {
	int fd;
	char *buf; /* owned */
	size_t start, len, cap;
	unsigned number; /* of the line given last */
	bool ended;      /* nothing comes any more */
	bool skipping;   /* the rest of a line that is too long */
};

/* target: a file, or "-" for standard input. Errors: of open(2). */
int sg_lines_open(struct sg_lines *l, const char *target, struct sg_err *err);
/* The next line that is complete: *line, which is not terminated and valid until the next call of either function.
 * 1: there is one; 0: none yet; -E2BIG: one that was too long, and is left out. */
int sg_lines_next(struct sg_lines *l, const char **line, size_t *len);
/* Reads what is there; to be called when fd is readable. Errors: of read(2), -ENOMEM. */
int sg_lines_read(struct sg_lines *l, struct sg_err *err);
void sg_lines_close(struct sg_lines *l);

#endif
