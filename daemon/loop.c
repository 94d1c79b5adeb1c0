/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loop.h"

#include "runner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH 64
#define FEW_FDS 64 /* as many have room in a table without one allocated (NR_OPEN_DEFAULT) */

static bool kept_apart; /* whatever we open has a number that children do not look at */

/* Another kernel, Yama or a container's filter may refuse it: a child is asked, as a child will do it. */
static bool may_fetch(int self)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(syscall(SYS_pidfd_getfd, self, self, 0) < 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int sgd_common_fds(void)
{
	int null, self, fd;

	do
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (null >= 0 && null <= STDERR_FILENO);
	self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	for (fd = null; fd >= 0 && fd < SG_FDS_COMMON;)
		fd = fcntl(null, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	kept_apart = fd >= 0 && self >= 0 && self < SG_FDS_COMMON && may_fetch(self);
	return kept_apart ? self : -1;
}

void sgd_high(int *fd)
{
	int high = !kept_apart && *fd >= 0 && *fd < SG_FDS_LOW ? fcntl(*fd, F_DUPFD_CLOEXEC, SG_FDS_LOW) : -1;

	if (high < 0)
		return;
	close(*fd);
	*fd = high;
}

void sgd_aside(int *fd)
{
	if (*fd >= FEW_FDS)
		sgd_high(fd);
}

int sgd_loop_open(struct sgd_loop *l, struct sg_err *err)
{
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll < 0 ? sg_err_set(err, errno, "cannot create an epoll set: %s", strerror(errno)) : 0;
}

int sgd_loop_set(struct sgd_loop *l, struct sgd_source *s, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};
	int rc = 0;

	if (fd < 0 || !events)
		fd = -1;
	if (s->fd == fd && (fd < 0 || s->events == events))
		return 0;
	if (s->fd >= 0 && s->fd != fd)
		(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	if (fd >= 0)
		rc = epoll_ctl(l->epoll, s->fd == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
	s->fd = rc ? -1 : fd;
	s->events = rc ? 0 : events;
	return rc;
}

int sgd_loop_run(struct sgd_loop *l, int timeout_ms)
{
	struct epoll_event e[BATCH];
	int n = epoll_wait(l->epoll, e, BATCH, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct sgd_source *s = e[i].data.ptr;

		if (s->fd >= 0)
			s->fn(s, e[i].events);
	}
	return n;
}
