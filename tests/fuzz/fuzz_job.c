// SPDX-License-Identifier: Apache-2.0
/* Bytes given to --batch, in pieces: each line is a job, or refused with a reason. */
#include "runner/job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static size_t take(struct sg_lines *l)
{
	struct sg_err err = {0};
	struct sg_job job;
	const char *line;
	size_t len, all = 0;
	int rc;

	while ((rc = sg_lines_next(l, &line, &len)) != 0) {
		must(rc == 1 && !memchr(line, '\n', len));
		all += len + 1;
		sg_err_reset(&err);
		if (sg_job_parse(&job, line, len, l->number, &err))
			must(err.message[0] && sg_label_usable(job.label));
		else
			must(job.object && (!job.argv || job.argv[0]) && sg_label_usable(job.label));
		sg_job_free(&job);
	}
	return all;
}

/* The first byte says how large the first piece is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sg_lines l = {0};
	struct sg_err err = {0};
	size_t first, all;
	int pair[2];

	if (!size || size > 4096)
		return 0;
	first = data[0] < size - 1 ? data[0] : size - 1;
	data++;
	size--;
	must(pipe(pair) == 0);
	l.fd = pair[0];
	must(!first || (write(pair[1], data, first) == (ssize_t)first && sg_lines_read(&l, &err) == 0));
	all = take(&l);
	must(first == size || (write(pair[1], data + first, size - first) == (ssize_t)(size - first)));
	close(pair[1]);
	while (!l.ended)
		must(sg_lines_read(&l, &err) == 0);
	all += take(&l);
	/* Nothing is lost, and the last line need not end. */
	must(all == size || (all == size + 1 && data[size - 1] != '\n'));
	sg_lines_close(&l);
	return 0;
}
