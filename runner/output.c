/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/output.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define CHUNK (64U << 10)
#define ROUNDS 16 /* chunks moved before the caller gets its turn again */

void sg_output_init(struct sg_output *o)
{
	memset(o, 0, sizeof(*o));
	for (int i = 0; i < SG_OUTPUT_LANES; i++)
		o->lane[i] = (struct sg_output_lane){.from = -1, .to = -1};
	for (int i = 0; i < 3; i++)
		o->child[i] = -1;
}

/* Not what sgrun puts in the place of a closed standard descriptor. */
static bool is_open(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_PATH);
}

static bool writable(int fd)
{
	int flags = is_open(fd) ? fcntl(fd, F_GETFL) : 0;

	return (flags & O_ACCMODE) != O_RDONLY;
}

/* One open file under two numbers (2>&1), or two openings of the same pipe, terminal or socket: one stream. */
static bool one_stream(int a, int b)
{
	long rc = syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b);
	struct stat x, y;

	if (rc == 0)
		return true;
	if (fstat(a, &x) < 0 || fstat(b, &y) < 0 || x.st_dev != y.st_dev || x.st_ino != y.st_ino)
		return false;
	return rc < 0 || !S_ISREG(x.st_mode);
}

/*
 * O_NONBLOCK belongs to the open file description, which others share: a pipe or terminal is opened anew through /proc
 * and gets a description of its own. splice(2) does without for pipes; a regular file never makes one wait.
 */
static void choose_way(struct sg_output_lane *l)
{
	char path[64];
	struct stat st;
	int fd;

	if (fstat(l->to, &st) < 0)
		return;
	l->socket = S_ISSOCK(st.st_mode);
	l->copy = !S_ISFIFO(st.st_mode) && !S_ISREG(st.st_mode);
	if (!S_ISCHR(st.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->to);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0) {
		l->to = fd;
		l->own = true;
	} else {
		l->terminal = isatty(l->to);
	}
}

/* number: the program's; fd: where it goes. */
static int add_lane(struct sg_output *o, int number, int fd, struct sg_err *err)
{
	struct sg_output_lane *l = &o->lane[o->n];
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return sg_err_set(err, errno, "cannot create a pipe: %s", strerror(errno));
	*l = (struct sg_output_lane){.from = fds[0], .to = fd};
	(void)fcntl(l->from, F_SETFL, O_NONBLOCK); /* a description of ours alone */
	choose_way(l);
	o->child[number] = fds[1];
	o->n++;
	return 0;
}

int sg_output_open(struct sg_output *o, const int std[3], uint64_t limit, struct sg_err *err)
{
	bool out = is_open(std[STDOUT_FILENO]), error = is_open(std[STDERR_FILENO]);
	struct stat st = {0};
	char in[64];
	off_t at;
	int rc = 0, how;

	o->limit = limit;
	if (out)
		rc = add_lane(o, STDOUT_FILENO, std[STDOUT_FILENO], err);
	if (!rc && out && error && one_stream(std[STDOUT_FILENO], std[STDERR_FILENO])) {
		o->child[STDERR_FILENO] = fcntl(o->child[STDOUT_FILENO], F_DUPFD_CLOEXEC, 3);
		if (o->child[STDERR_FILENO] < 0)
			rc = sg_err_set(err, errno, "cannot duplicate a pipe: %s", strerror(errno));
	} else if (!rc && error) {
		rc = add_lane(o, STDERR_FILENO, std[STDERR_FILENO], err);
	}
	/* A standard input that is open for writing too, as a terminal's is, would be a way around. */
	if (!rc && writable(std[STDIN_FILENO])) {
		if (fstat(std[STDIN_FILENO], &st) == 0 && S_ISSOCK(st.st_mode)) {
			o->around = true; /* a socket cannot be opened anew */
			return 0;
		}
		snprintf(in, sizeof(in), "/proc/self/fd/%d", std[STDIN_FILENO]);
		/* What its caller may not read it may not either: then it is good for nothing. */
		how = (fcntl(std[STDIN_FILENO], F_GETFL) & O_ACCMODE) == O_WRONLY ? O_PATH : O_RDONLY;
		o->child[STDIN_FILENO] = open(in, how | O_CLOEXEC | O_NOCTTY);
		if (o->child[STDIN_FILENO] < 0)
			rc = sg_err_set(err, errno, "--output: cannot open standard input for reading alone: %s",
					strerror(errno));
		/* Where its caller has read to, and not from the beginning. */
		at = rc || !S_ISREG(st.st_mode) || how == O_PATH ? 0 : lseek(std[STDIN_FILENO], 0, SEEK_CUR);
		if (at > 0)
			(void)lseek(o->child[STDIN_FILENO], at, SEEK_SET);
	}
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(SG_TAKE_FD(*fd));
}

void sg_output_started(struct sg_output *o)
{
	for (int i = 0; i < 3; i++)
		close_fd(&o->child[i]);
}

static void end_lane(struct sg_output_lane *l)
{
	close_fd(&l->from);
	if (l->own)
		close_fd(&l->to);
	free(l->buf);
	l->buf = NULL;
	l->at = l->len = 0;
	l->full = false;
}

void sg_output_close(struct sg_output *o)
{
	sg_output_started(o);
	for (int i = 0; i < o->n; i++)
		end_lane(&o->lane[i]);
	o->n = 0;
}

void sg_output_poll(const struct sg_output *o, struct pollfd p[SG_OUTPUT_LANES])
{
	for (int i = 0; i < SG_OUTPUT_LANES; i++) {
		const struct sg_output_lane *l = &o->lane[i];

		p[i] = (struct pollfd){.fd = -1};
		if (i >= o->n || l->from < 0)
			continue;
		if (l->full)
			p[i] = (struct pollfd){.fd = l->to, .events = POLLOUT};
		else
			p[i] = (struct pollfd){.fd = l->from, .events = POLLIN};
	}
}

bool sg_output_done(const struct sg_output *o)
{
	for (int i = 0; i < o->n; i++)
		if (o->lane[i].from >= 0 && (o->lane[i].len || !o->exceeded || o->total < o->limit))
			return false;
	return true;
}

static uint64_t waiting(const struct sg_output_lane *l)
{
	int n = 0;

	return l->from >= 0 && ioctl(l->from, FIONREAD, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

static ssize_t write_some(const struct sg_output_lane *l, const char *data, size_t len)
{
	struct pollfd p = {.fd = l->to, .events = POLLOUT};

	if (l->socket)
		return send(l->to, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!l->own) {
		if (poll(&p, 1, 0) <= 0) {
			errno = EAGAIN;
			return -1;
		}
		if (l->terminal)
			len = sg_terminal_takes(data, len);
		else if (len > PIPE_BUF)
			len = PIPE_BUF; /* what polls writable takes this much without waiting */
	}
	return write(l->to, data, len);
}

/* Gives the reader what was read before. 0 when nothing is left, -EAGAIN where the reader has no room, negative errno.
 */
static int flush_buffer(struct sg_output_lane *l)
{
	while (l->len) {
		ssize_t n = write_some(l, l->buf + l->at, l->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			l->full = errno == EAGAIN;
			return -errno;
		}
		l->at += (unsigned)n;
		l->len -= (unsigned)n;
	}
	return 0;
}

/* As splice: bytes taken from the program's pipe, 0 at its end, -EAGAIN when it is empty. */
static ssize_t copy_some(struct sg_output_lane *l, size_t max)
{
	ssize_t n;

	if (!l->buf)
		l->buf = malloc(CHUNK);
	if (!l->buf)
		return -ENOMEM;
	n = read(l->from, l->buf, max < CHUNK ? max : CHUNK);
	if (n < 0)
		return -errno;
	l->at = 0;
	l->len = (unsigned)n;
	return n;
}

static ssize_t splice_some(struct sg_output_lane *l, size_t max)
{
	ssize_t n = splice(l->from, NULL, l->to, NULL, max, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		l->full = waiting(l) > 0;
	return -errno;
}

static void pump_lane(struct sg_output *o, struct sg_output_lane *l)
{
	l->full = false;
	for (int i = 0; i < ROUNDS && l->from >= 0; i++) {
		uint64_t room = o->limit - o->total;
		size_t max = room < (1U << 20) ? (size_t)room : 1U << 20;
		struct pollfd p = {.fd = l->from, .events = POLLIN};
		ssize_t n = flush_buffer(l);

		if (n == 0 && !room) {
			if (waiting(l))
				o->exceeded = true;
			else if (poll(&p, 1, 0) > 0 && p.revents & POLLHUP)
				end_lane(l);
			return;
		}
		if (n == 0) {
			n = l->copy ? copy_some(l, max) : splice_some(l, max);
			if (n > 0)
				o->total += (uint64_t)n;
			else if (n == 0)
				end_lane(l);
		}
		if (n == -EAGAIN)
			return;
		if (n == -EINVAL && !l->copy)
			l->copy = true; /* a file opened for appending, a file system without splice */
		else if (n < 0 && n != -EINTR) {
			/* Gone is a reader that wants no more; a full disk is not. */
			if (n != -EPIPE && n != -ECONNRESET)
				o->failed = (int)-n;
			end_lane(l);
		}
	}
}

void sg_output_pump(struct sg_output *o)
{
	uint64_t pending = 0;

	for (int i = 0; i < o->n; i++)
		pending += waiting(&o->lane[i]);
	/* Also where the reader is too slow to be given all that is allowed. */
	if (o->limit && o->total + pending > o->limit)
		o->exceeded = true;
	for (int i = 0; i < o->n; i++)
		pump_lane(o, &o->lane[i]);
}
