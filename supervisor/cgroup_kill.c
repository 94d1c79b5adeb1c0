/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/cgroup.h"

#include "supervisor/util.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define AT_ONCE 64 /* processes, each a descriptor while it is looked at */

struct list {
	pid_t *pids;
	size_t n, room;
	bool cut; /* for want of memory */
};

static void add(void *ctx, pid_t pid)
{
	struct list *l = ctx;

	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : AT_ONCE;
		pid_t *pids = realloc(l->pids, room * sizeof(*pids));

		if (!pids) {
			l->cut = true;
			return;
		}
		l->pids = pids;
		l->room = room;
	}
	l->pids[l->n++] = pid;
}

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* False: it cannot be told who is in it. */
static bool list(const struct sg_cgroup *cg, struct list *l)
{
	l->n = 0;
	l->cut = false;
	if (sg_cgroup_each(cg, add, l) < 0 || l->cut)
		return false;
	if (l->n)
		qsort(l->pids, l->n, sizeof(*l->pids), by_number);
	return true;
}

/*
 * By the time that a number of the list is signalled its process may have ended and the number be somebody else's, whom
 * a sandbox that has counted on it would have us kill. So each is held first, and then seen in the list once more: who
 * is still there by that number is the one that is held, or the one that is held has ended.
 */
static void kill_listed(const struct sg_cgroup *cg, const pid_t *pids, size_t n, struct list *now)
{
	int fds[AT_ONCE];
	bool told, failed[AT_ONCE];

	for (size_t i = 0; i < n; i++) {
		/* Number 0 is who has none here, 1 the first process of all. */
		fds[i] = pids[i] > 1 ? (int)syscall(SYS_pidfd_open, pids[i], 0) : -1;
		failed[i] = pids[i] > 1 && fds[i] < 0 && errno != ESRCH;
	}
	told = list(cg, now);
	for (size_t i = 0; i < n; i++) {
		bool there = !told || (now->n && bsearch(&pids[i], now->pids, now->n, sizeof(*pids), by_number));

		/* Without a descriptor for it: that a program goes on would be worse. */
		if (failed[i] && there)
			(void)kill(pids[i], SIGKILL);
		else if (fds[i] >= 0 && there)
			(void)syscall(SYS_pidfd_send_signal, fds[i], SIGKILL, NULL, 0);
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

int sg_cgroup_kill(const struct sg_cgroup *cg)
{
	struct list in = {0}, now = {0};
	bool old;
	int rc;

	if (cg->dirfd < 0)
		return -ENOENT;
	rc = sg_write_file(cg->dirfd, "cgroup.kill", "1");
	/* Before Linux 5.14 there is no cgroup.kill: hold everything still, signal each process, let the signals act.
	 */
	old = rc == -ENOENT;
	if (old)
		rc = sg_write_file(cg->dirfd, "cgroup.freeze", "1");
	/*
	 * And cgroup.kill sends its signal to the first thread alone: a process whose first thread has ended while
	 * others go on does not notice.
	 */
	(void)list(cg, &in);
	for (size_t at = 0; at < in.n; at += AT_ONCE)
		kill_listed(cg, in.pids + at, in.n - at < AT_ONCE ? in.n - at : AT_ONCE, &now);
	free(in.pids);
	free(now.pids);
	if (old)
		(void)sg_write_file(cg->dirfd, "cgroup.freeze", "0");
	return rc;
}
