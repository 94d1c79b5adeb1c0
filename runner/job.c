/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/job.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one job ---- */

static const char *const file_keys[3] = {"stdin", "stdout", "stderr"};

static int text_of(const json_t *o, const char *key, const char **out, struct sg_err *err)
{
	const json_t *v = json_object_get(o, key);

	*out = json_string_value(v);
	if (v && (!*out || !**out))
		return sg_err_set(err, EINVAL, "%s: expected a text that is not empty", key);
	return 0;
}

static int take_argv(struct sg_job *job, struct sg_err *err)
{
	const json_t *list = json_object_get(job->object, "argv");
	size_t n = json_array_size(list);

	if (!list)
		return 0;
	if (!n)
		return sg_err_set(err, EINVAL, "argv: expected a list of texts, the program first");
	job->argv = calloc(n + 1, sizeof(char *));
	if (!job->argv)
		return sg_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		job->argv[i] = (char *)json_string_value(json_array_get(list, i));
		if (!job->argv[i])
			return sg_err_set(err, EINVAL, "argv: item %zu is no text", i + 1);
	}
	return 0;
}

static int take_label(struct sg_job *job, struct sg_err *err)
{
	const json_t *v = json_object_get(job->object, "label");
	const char *text = json_string_value(v);

	if (!v)
		return 0;
	if (!text || !sg_label_usable(text))
		return sg_err_set(err, EINVAL,
				  "label: expected 1 to %d bytes of UTF-8 without control and invisible characters",
				  SG_LABEL_MAX);
	memcpy(job->label, text, strlen(text) + 1);
	return 0;
}

static int check_keys(const json_t *object, struct sg_err *err)
{
	static const char *const known[] = {"argv", "label", "chdir", "stdin", "stdout", "stderr"};
	const char *key;
	json_t *v;
	size_t i;

	json_object_foreach((json_t *)object, key, v)
	{
		for (i = 0; i < SG_ARRAY_SIZE(known) && strcmp(key, known[i]) != 0; i++)
			;
		if (i == SG_ARRAY_SIZE(known))
			return sg_err_set(err, EINVAL,
					  "unknown key \"%.64s\"; expected argv, label, chdir, stdin, stdout or stderr",
					  key);
	}
	return 0;
}

int sg_job_parse(struct sg_job *job, const char *line, size_t len, unsigned number, struct sg_err *err)
{
	json_error_t at;
	int rc;

	/* The worst is a list of empty texts: three bytes there, a hundred here. */
	*job = (struct sg_job){.line = number, .size = 32 * len};
	snprintf(job->label, sizeof(job->label), "%u", number);
	job->object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &at);
	if (!job->object)
		return sg_err_set(err, EINVAL, "no JSON: %s (byte %d)", at.text, at.position);
	if (!json_is_object(job->object))
		return sg_err_set(err, EINVAL, "expected an object: {\"argv\": [\"./program\"], \"stdin\": \"1.in\"}");
	/* First, so that whatever else is wrong is said under it. */
	rc = take_label(job, err);
	if (!rc)
		rc = check_keys(job->object, err);
	if (!rc)
		rc = take_argv(job, err);
	if (!rc)
		rc = text_of(job->object, "chdir", &job->chdir, err);
	for (int i = 0; !rc && i < 3; i++)
		rc = text_of(job->object, file_keys[i], &job->files[i], err);
	return rc;
}

void sg_job_free(struct sg_job *job)
{
	free(job->argv);
	json_decref(job->object);
	*job = (struct sg_job){0};
}

/*
 * O_NONBLOCK: a FIFO without its other end must not keep all other jobs waiting. The program is not to find it set.
 * O_NOFOLLOW: a program of an earlier job may have put a link there, to what it could not open itself.
 */
static int open_one(const char *name, int how, const char *key, struct sg_err *err)
{
	int fd = open(name, how | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0666);

	if (fd < 0)
		return sg_err_set(err, errno, "%s: cannot open %s: %s", key, name,
				  errno == ENXIO   ? "nobody reads from it"
				  : errno == ELOOP ? "it is a symbolic link, which is not followed"
						   : strerror(errno));
	(void)fcntl(fd, F_SETFL, how & (O_ACCMODE | O_APPEND));
	return fd;
}

int sg_job_open(const struct sg_job *job, int std[3], unsigned *owned, struct sg_err *err)
{
	static const int how[3] = {O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_CREAT | O_TRUNC};
	const char *const *files = job->files;

	*owned = 0;
	for (int i = 0; i < 3; i++) {
		const char *name = files[i] ? files[i] : i == 0 ? "/dev/null" : NULL;

		std[i] = i;
		if (i == 2 && name && files[1] && !strcmp(name, files[1]))
			std[i] = std[1];
		else if (name) {
			std[i] = open_one(name, how[i], file_keys[i], err);
			if (std[i] < 0) {
				for (int k = 0; k < i; k++)
					if (*owned & 1U << k)
						close(std[k]);
				return -err->code;
			}
			*owned |= 1U << i;
		}
	}
	return 0;
}

/* ---- lines ---- */

int sg_lines_open(struct sg_lines *l, const char *target, struct sg_err *err)
{
	*l = (struct sg_lines){.fd = STDIN_FILENO};
	if (!strcmp(target, "-"))
		return 0;
	/* Who waits for the writer of a FIFO hears of nothing else. */
	l->fd = open(target, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return l->fd < 0 ? sg_err_set(err, errno, "cannot open %s: %s", target, strerror(errno)) : 0;
}

int sg_lines_next(struct sg_lines *l, const char **line, size_t *len)
{
	const char *from = l->len ? l->buf + l->start : "";
	const char *end = memchr(from, '\n', l->len);
	bool skipped = l->skipping;

	if (!end && l->len > SG_JOB_LINE_MAX) {
		l->skipping = true;
		l->len = l->start = 0;
	}
	/* The last line need not be terminated. */
	if (!end && l->ended && (l->len || l->skipping))
		end = from + l->len;
	if (!end)
		return 0;
	*line = from;
	*len = (size_t)(end - from);
	l->number++;
	l->start += *len + 1;
	l->len -= *len + (l->len > *len);
	l->skipping = false;
	return skipped || *len > SG_JOB_LINE_MAX ? -E2BIG : 1;
}

int sg_lines_read(struct sg_lines *l, struct sg_err *err)
{
	ssize_t n;

	if (l->len && l->start)
		memmove(l->buf, l->buf + l->start, l->len);
	l->start = 0;
	if (l->cap - l->len < 4096) {
		size_t cap = l->cap ? 2 * l->cap : 65536;
		char *more = realloc(l->buf, cap);

		if (!more)
			return sg_err_set(err, ENOMEM, "out of memory");
		l->buf = more;
		l->cap = cap;
	}
	n = read(l->fd, l->buf + l->len, l->cap - l->len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0)
		return sg_err_set(err, errno, "cannot read the jobs: %s", strerror(errno));
	l->ended = n == 0;
	l->len += (size_t)n;
	return 0;
}

void sg_lines_close(struct sg_lines *l)
{
	if (l->fd > 2)
		close(l->fd);
	free(l->buf);
}
