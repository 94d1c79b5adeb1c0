/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sgd.h"

#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What is left of a sandbox that has ended: its cgroup, until the last of its processes is gone. */

#define REMOVE_NS 1000000ULL        /* between the first attempts */
#define REMOVALS 250                /* so many, some 5 s, until it is said that it cannot be done */
#define STUCK_LOOK_NS 5000000000ULL /* between attempts from then on */

struct survivor {
	pid_t pid, tracer;
};

static void find_survivor(void *ctx, pid_t pid)
{
	struct survivor *s = ctx;
	struct sg_proc_info info;

	if (s->tracer || sg_proc_info(pid, &info) < 0)
		return;
	s->pid = pid;
	s->tracer = info.tracer;
}

/* A tracer can hold a process in its end for as long as it likes. */
static void say_stuck(struct sgd_box *b, int error)
{
	struct survivor s = {0};
	char who[64] = "", why[64] = "";

	if (b->watch.held)
		find_survivor(&s, b->launch.pid);
	else
		(void)sg_cgroup_each(&b->launch.cg, find_survivor, &s);
	snprintf(who, sizeof(who), "process %d does not end", (int)s.pid);
	if (s.tracer)
		snprintf(why, sizeof(why), ", process %d traces it", (int)s.tracer);
	fprintf(stderr,
		"sgd: an ended sandbox of user %u cannot be removed: %s%s (%s); this is tried every %d s, and until "
		"then it takes one of the user's places\n",
		b->uid, s.pid ? who : strerror(error), why, b->launch.cg.path, (int)(STUCK_LOOK_NS / 1000000000));
}

/* 0, or why something of it is left. */
static int remove_rest(struct sgd_box *b)
{
	if (b->watch.held && waitpid(b->launch.pid, NULL, WNOHANG) != 0)
		b->watch.held = false;
	if (unlinkat(b->d->parent.dirfd, b->launch.cg.name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return errno;
	return b->watch.held ? EBUSY : 0;
}

/* A killed process leaves its cgroup a moment after it could be reaped, and nobody here waits for that. */
void sgd_box_remove(struct sgd_box *b)
{
	int rc;

	if (b->attached || b->launch.cg.dirfd < 0) {
		if (b->launch.cg.dirfd >= 0)
			close(SG_TAKE_FD(b->launch.cg.dirfd));
		b->phase = SGD_GONE;
		return;
	}
	rc = remove_rest(b);
	if (!rc) {
		if (b->stuck)
			fprintf(stderr, "sgd: %s is removed\n", b->launch.cg.path);
		close(SG_TAKE_FD(b->launch.cg.dirfd));
		b->phase = SGD_GONE;
		b->deadline = 0;
		return;
	}
	if (++b->removals > 4 || b->stuck)
		(void)sg_cgroup_kill(&b->launch.cg);
	if (!b->stuck && (!b->launch.empty || b->watch.held || b->removals > REMOVALS)) {
		b->stuck = true;
		say_stuck(b, rc);
	}
	sgd_box_deadline(b, sg_clock_ns(CLOCK_MONOTONIC) +
				    (b->stuck ? STUCK_LOOK_NS : REMOVE_NS * (b->removals < 20 ? b->removals : 20)));
}
