/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/vlog.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>

#define WAITING_MAX (256U << 10) /* more than any record */

static int open_file(const char *path, uint64_t *size, struct sg_err *err)
{
	SG_CLOSE int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	struct stat st;
	char last;

	if (fd < 0 || fstat(fd, &st) < 0)
		return sg_err_set(err, errno, "cannot open the verdict log %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return sg_err_set(err, EINVAL, "the verdict log %s is no regular file", path);
	*size = (uint64_t)st.st_size;
	/* What a crash of the host cut off is not to take the next record with it. */
	if (st.st_size && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n' && write(fd, "\n", 1) == 1)
		++*size;
	return SG_TAKE_FD(fd);
}

/* Nobody else comes back to what waits when no more records come. */
static void wait_for_reader(struct sgd_vlog *l)
{
	(void)sgd_loop_set(l->loop, &l->src, sg_stream_wait_fd(&l->out), EPOLLOUT);
	l->lost = l->out.dropped;
}

static void on_room(struct sgd_source *s, uint32_t events)
{
	struct sgd_vlog *l = s->owner;

	(void)events;
	sg_stream_pump(&l->out);
	wait_for_reader(l);
}

int sgd_vlog_open(struct sgd_vlog *l, struct sgd_loop *loop, const char *path, uint64_t max, struct sg_err *err)
{
	*l = (struct sgd_vlog){.path = path, .fd = -1, .max = max, .out.fd = -1, .loop = loop};
	l->src = (struct sgd_source){.fd = -1, .fn = on_room, .owner = l};
	if (!path)
		return sg_stream_open(&l->out, "-", err);
	if (!*path)
		return 0;
	l->fd = open_file(path, &l->size, err);
	return l->fd < 0 ? l->fd : 0;
}

int sgd_vlog_reopen(struct sgd_vlog *l, struct sg_err *err)
{
	uint64_t size = 0;
	int fd;

	if (!l->path || !*l->path)
		return 0;
	fd = open_file(l->path, &size, err);
	if (fd < 0)
		return fd;
	close(l->fd);
	l->fd = fd;
	l->size = size;
	return 0;
}

static void move_up(const struct sgd_vlog *l)
{
	char from[4096 + 16], to[4096 + 16];

	for (int i = SGD_VLOG_KEEP; i > 1; i--) {
		snprintf(to, sizeof(to), "%s.%d", l->path, i);
		snprintf(from, sizeof(from), "%s.%d", l->path, i - 1);
		(void)rename(from, to);
	}
}

/* The next file first: as long as there can be none, nothing is moved, and the old one goes on growing. */
static int next_file(struct sgd_vlog *l, struct sg_err *err)
{
	char next[4096 + 16], first[4096 + 16];
	SG_CLOSE int fd = -1;
	uint64_t size = 0;

	snprintf(next, sizeof(next), "%s.new", l->path);
	snprintf(first, sizeof(first), "%s.1", l->path);
	fd = open_file(next, &size, err);
	if (fd < 0)
		return fd;
	move_up(l);
	if ((rename(l->path, first) < 0 && errno != ENOENT) || rename(next, l->path) < 0) {
		(void)sg_err_set(err, errno, "cannot rename %s: %s", l->path, strerror(errno));
		(void)unlink(next);
		return -err->code;
	}
	close(l->fd);
	l->fd = SG_TAKE_FD(fd);
	l->size = size;
	return 0;
}

static void rotate(struct sgd_vlog *l)
{
	struct sg_err err = {0};
	int rc = next_file(l, &err);

	if (rc && !l->growing)
		fprintf(stderr, "sgd: the verdict log grows beyond its size and is not rotated: %s\n", err.message);
	l->growing = rc;
}

/* How many of n bytes of whole lines got there, as whole lines. */
static size_t write_lines(struct sgd_vlog *l, const char *lines, size_t n)
{
	size_t whole;
	ssize_t done;

	if (l->max && l->size && l->size + n > l->max)
		rotate(l);
	do
		done = write(l->fd, lines, n);
	while (done < 0 && errno == EINTR);
	if (done == (ssize_t)n) {
		l->size += n;
		return n;
	}
	/* The disk filled up in the middle of a line: half a record would spoil the next one. */
	for (whole = done > 0 ? (size_t)done : 0; whole && lines[whole - 1] != '\n'; whole--)
		;
	l->size += whole;
	if (done > (ssize_t)whole && ftruncate(l->fd, (off_t)l->size) < 0)
		l->size += (size_t)done - whole;
	return whole;
}

static void tell_lost(struct sgd_vlog *l)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
			 "{\"timestamp\":%" PRIu64 ",\"level\":\"error\",\"type\":\"lost\",\"sandbox\":\"sgd\","
			 "\"cgroup_id\":0,\"language\":\"none\",\"what\":\"log\",\"count\":%" PRIu64 "}\n",
			 sg_clock_ns(CLOCK_REALTIME), l->lost - l->lost_told);

	if (write_lines(l, line, (size_t)n) == (size_t)n)
		l->lost_told = l->lost;
}

static void flush(struct sgd_vlog *l)
{
	size_t done = 0, n = l->n_waiting;

	l->n_waiting = 0;
	if (n)
		done = write_lines(l, l->waiting, n);
	for (size_t i = done; i < n; i++)
		l->lost += l->waiting[i] == '\n';
	if (n && done == n && l->lost != l->lost_told)
		tell_lost(l);
}

void sgd_vlog_line(struct sgd_vlog *l, const char *json)
{
	size_t n = strlen(json) + 1;

	l->lines++;
	if (!l->path) {
		(void)sg_stream_line(&l->out, json, n - 1, true);
		wait_for_reader(l);
		return;
	}
	if (l->fd < 0)
		return;
	if (l->n_waiting + n > WAITING_MAX || (l->max && l->size + l->n_waiting + n > l->max))
		flush(l);
	if (!l->waiting)
		l->waiting = malloc(WAITING_MAX);
	if (!l->waiting || n > WAITING_MAX) {
		l->lost++;
		return;
	}
	memcpy(l->waiting + l->n_waiting, json, n - 1);
	l->waiting[l->n_waiting + n - 1] = '\n';
	l->n_waiting += n;
	if (!l->held)
		flush(l);
}

void sgd_vlog_hold(struct sgd_vlog *l, bool hold)
{
	l->held = hold;
	if (!hold)
		flush(l);
}

void sgd_vlog_close(struct sgd_vlog *l)
{
	if (!l->path)
		(void)sg_stream_flush(&l->out, 1000);
	if (l->loop)
		(void)sgd_loop_set(l->loop, &l->src, -1, 0);
	sg_stream_close(&l->out);
	if (l->fd >= 0)
		close(SG_TAKE_FD(l->fd));
	free(l->waiting);
	l->waiting = NULL;
}
