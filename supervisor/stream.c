/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/stream.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define QUEUE_MAX (1U << 20)       /* bytes of ordinary lines that may wait for a slow reader */
#define QUEUE_RESERVE (256U << 10) /* on top, for the records that must not be lost: the kill and the exit */

#define PIPE_MOST (1 << 20)  /* bytes; what every user may have (pipe-max-size) */
#define PIPE_LAST (64 << 10) /* of them, for the last records */
#define HELD_MAX (64U << 10) /* bytes that wait for more to be written at once */

/*
 * O_NONBLOCK belongs to the open file description, which the sandboxed program may share (2>&1). A pipe or terminal can
 * be opened anew through /proc and gets a description of its own.
 */
static void make_private(struct sg_stream *s)
{
	char path[64];
	struct stat st;
	int fd;

	if (fstat(s->fd, &st) < 0)
		return;
	s->terminal = isatty(s->fd);
	s->socket = S_ISSOCK(st.st_mode);
	s->fifo = S_ISFIFO(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		s->may_block = true;
		return;
	}
	if (s->own_fd)
		close(s->fd);
	s->fd = fd;
	s->own_fd = true;
}

int sg_stream_open(struct sg_stream *s, const char *target, struct sg_err *err)
{
	uint64_t n;
	int flags;

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	if (!target) {
		s->fd = STDERR_FILENO;
	} else if (!strcmp(target, "-")) {
		s->fd = STDOUT_FILENO;
	} else if (!strncmp(target, "fd:", 3)) {
		if (sg_parse_u64(target + 3, INT_MAX, &n) < 0)
			return sg_err_set(err, EINVAL, "--verdicts %s: expected fd:N with a descriptor number", target);
		s->fd = (int)n;
	} else {
		s->fd = open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
		if (s->fd < 0)
			return sg_err_set(err, errno, "--verdicts: cannot open %s: %s", target, strerror(errno));
		s->own_fd = true;
	}
	flags = fcntl(s->fd, F_GETFL);
	/* O_PATH: what sgrun puts in the place of a closed standard descriptor */
	if (flags < 0 || (flags & O_PATH)) {
		s->fd = -1;
		/* Standard error may be closed: then there is nowhere to say so, and the run goes on without a stream.
		 */
		return target ? sg_err_set(err, EBADF, "--verdicts %s: that descriptor is not open", target) : 0;
	}
	/* The end of a pipe that is to be read would be opened for writing below, and nobody be there to read. */
	if (target && (flags & O_ACCMODE) == O_RDONLY) {
		s->fd = -1;
		return sg_err_set(err, EBADF, "--verdicts %s: that descriptor is open for reading only", target);
	}
	make_private(s);
	return 0;
}

static bool reserve(struct sg_stream *s, size_t need, bool essential)
{
	size_t limit = QUEUE_MAX + (essential ? QUEUE_RESERVE : 0), cap = s->cap ? s->cap : 4096;
	char *q;

	if (need > limit - (s->len < limit ? s->len : limit))
		return false;
	while (cap < s->len + need)
		cap *= 2;
	if (cap == s->cap)
		return true;
	q = realloc(s->queue, cap);
	if (!q)
		return false;
	s->queue = q;
	s->cap = cap;
	return true;
}

bool sg_stream_line(struct sg_stream *s, const char *line, size_t len, bool essential)
{
	if (s->fd < 0 || s->broken || !reserve(s, len + 1, essential)) {
		s->dropped++;
		return false;
	}
	if (essential) {
		if (s->n_essential == SG_STREAM_ESSENTIAL)
			memmove(s->essential, s->essential + 1, --s->n_essential * sizeof(s->essential[0]));
		s->essential[s->n_essential++] = s->len;
	}
	memcpy(s->queue + s->len, line, len);
	s->queue[s->len + len] = '\n';
	s->len += len + 1;
	if (!s->held || s->len >= HELD_MAX)
		sg_stream_pump(s);
	return true;
}

void sg_stream_hold(struct sg_stream *s, bool hold)
{
	s->held = hold;
	if (!hold && s->len)
		sg_stream_pump(s);
}

static ssize_t write_some(struct sg_stream *s, const char *data, size_t len)
{
	if (s->socket)
		return send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (s->may_block) {
		struct pollfd p = {.fd = s->fd, .events = POLLOUT};

		if (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLOUT | POLLERR))) {
			errno = EAGAIN;
			return -1;
		}
		if (s->terminal)
			len = sg_terminal_takes(data, len);
		else if (len > PIPE_BUF)
			len = PIPE_BUF; /* a pipe that polls writable takes this much without blocking */
	}
	return write(s->fd, data, len);
}

static void forget(struct sg_stream *s, size_t done)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_essential; i++)
		if (s->essential[i] >= done)
			s->essential[n++] = s->essential[i] - done;
	s->n_essential = n;
}

void sg_stream_pump(struct sg_stream *s)
{
	size_t done = 0;

	if (!s->len)
		return;
	while (done < s->len && !s->broken) {
		ssize_t n = write_some(s, s->queue + done, s->len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		else
			s->broken = true;
		if (s->broken && n < 0 && errno != EPIPE && errno != ECONNRESET)
			s->failed = errno;
	}
	if (s->broken) {
		for (size_t i = done; i < s->len; i++)
			s->dropped += s->queue[i] == '\n';
		done = s->len;
	}
	if (done)
		s->midway = s->queue[done - 1] != '\n';
	memmove(s->queue, s->queue + done, s->len - done);
	s->len -= done;
	forget(s, done);
}

static bool is_essential(const struct sg_stream *s, size_t at)
{
	for (unsigned i = 0; i < s->n_essential; i++)
		if (s->essential[i] == at)
			return true;
	return false;
}

/* Bytes that the pipe still takes; its buffers are whole pages, and we are not the only one who knows how full. */
static size_t pipe_room(const struct sg_stream *s)
{
	int size = fcntl(s->fd, F_GETPIPE_SZ), used = 0;

	if (size < 0 || ioctl(s->fd, FIONREAD, &used) < 0 || used > size)
		return 0;
	return (size_t)(size - used);
}

static void widen_pipe(const struct sg_stream *s)
{
	for (int size = PIPE_MOST; size >= PIPE_LAST * 2 && fcntl(s->fd, F_SETPIPE_SZ, size) < 0; size /= 2)
		;
}

static int socket_size(const struct sg_stream *s)
{
	int size = 0;

	return getsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &size, &(socklen_t){sizeof(size)}) < 0 ? 0 : size;
}

/* What the kernel needs beside the bytes counts, too: half of what seems to be there. */
static size_t socket_room(const struct sg_stream *s)
{
	int size = socket_size(s), used = 0;

	return ioctl(s->fd, SIOCOUTQ, &used) < 0 || used > size ? 0 : (size_t)(size - used) / 2;
}

/* Twice its size, because the kernel doubles what it is told. */
static void widen_socket(const struct sg_stream *s)
{
	int size = socket_size(s), domain = 0;

	if (!size || setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0)
		return;
	/* Without privilege up to net.core.wmem_max; beyond that TCP has grown its own by now. */
	if (getsockopt(s->fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){sizeof(domain)}) == 0 && domain == AF_UNIX)
		(void)setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

void sg_stream_make_room(struct sg_stream *s)
{
	size_t room, kept = 0, at = 0;
	bool first = s->midway;

	if (!(s->fifo || s->socket) || !s->len || s->broken)
		return;
	if (s->socket)
		widen_socket(s);
	else
		widen_pipe(s);
	room = s->socket ? socket_room(s) : pipe_room(s);
	room = room > (size_t)PIPE_LAST ? room - (size_t)PIPE_LAST : 0;
	while (at < s->len) {
		const char *end = memchr(s->queue + at, '\n', s->len - at);
		size_t len = (size_t)(end - (s->queue + at)) + 1;
		bool essential = is_essential(s, at);

		if (first || essential || kept + len <= room) {
			memmove(s->queue + kept, s->queue + at, len);
			for (unsigned i = 0; i < s->n_essential; i++)
				if (s->essential[i] == at)
					s->essential[i] = kept;
			kept += len;
		} else {
			s->dropped++;
		}
		first = false;
		at += len;
	}
	s->len = kept;
	sg_stream_pump(s);
}

int sg_stream_wait_fd(const struct sg_stream *s)
{
	return s->len && !s->broken ? s->fd : -1;
}

bool sg_stream_flush(struct sg_stream *s, int timeout_ms)
{
	uint64_t end = sg_clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000ULL;

	for (;;) {
		struct pollfd p = {.fd = s->fd, .events = POLLOUT};
		uint64_t now;

		sg_stream_pump(s);
		if (!s->len)
			return !s->broken;
		now = sg_clock_ns(CLOCK_MONOTONIC);
		if (now >= end)
			return false;
		(void)poll(&p, 1, (int)((end - now) / 1000000ULL) + 1);
	}
}

void sg_stream_close(struct sg_stream *s)
{
	if (s->own_fd && s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	free(s->queue);
	s->queue = NULL;
	s->len = s->cap = 0;
}
