/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loop.h"

#include "runner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 64
#define FEW_FDS 64 /* as many have room in a table without one allocated (NR_OPEN_DEFAULT) */

void sgd_high(int *fd)
{
	int high = *fd >= 0 && *fd < SG_FDS_LOW ? fcntl(*fd, F_DUPFD_CLOEXEC, SG_FDS_LOW) : -1;

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
