/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_MEMBERS_H
#define SG_MEMBERS_H

#include "supervisor/cgroup.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#define SG_MEMBERS_OTHERS 64

/*
 * The processes of a sandbox: those of its cgroup, or, where no cgroup could be had, the descendants of the
 * supervisor (which is a child subreaper, so that orphans come back to it).
 */
struct sg_members {
	const struct sg_cgroup *cg; /* NULL or dirfd -1: by descent */
	pid_t supervisor;
	pid_t first; /* the sandbox's first process */
	pid_t guard; /* the supervisor's own helper: never a member */
	/* Children that the supervisor had before, of the program that executed it: no members. */
	pid_t others[SG_MEMBERS_OTHERS];
	unsigned n_others;
	struct rusage before; /* by descent: of children that the supervisor waited for before it had a sandbox */
};

/* Whether /proc is that of our processes. why: what needs it, for the message. Errors: -ESRCH, what readlink(2) said.
 */
int sg_members_need_proc(const char *why, struct sg_err *err);

/*
 * By descent, before the first process: whether /proc shows the supervisor's children, and which there are already.
 * 0, or negative errno and *err.
 */
int sg_members_begin(struct sg_members *m, struct sg_err *err);
/* pid > 0: that task; 0: the caller's own group (a member's group holds only members: each sandbox is a session of its
 * own); < -1: that process group; -1 (everyone): never. */
bool sg_members_contains(const struct sg_members *m, pid_t pid);
/* Whether any process is left, dead ones that nobody has reaped yet included. */
bool sg_members_any(const struct sg_members *m);
/* Number of tasks; negative errno when not all can be seen. */
int sg_members_count(const struct sg_members *m);
/*
 * Calls fn for each process that is a member, those that wait for their parent excepted where there is a cgroup. 0, or
 * negative errno when there may be more.
 */
int sg_members_each(const struct sg_members *m, void (*fn)(void *ctx, pid_t pid), void *ctx);
/* Number of tasks, with those that have ended and whose parent, a member, has not waited for them: they keep a pid.
 * Dear. */
int sg_members_count_all(const struct sg_members *m);
/*
 * As sg_members_count. Without a cgroup that counts those, too, that have ended and that we have to wait for: which is
 * done first, where tasks, so many as there were, are max or more.
 */
int sg_members_recount(const struct sg_members *m, int tasks, uint64_t max);
/*
 * Waits for the dead among what became the supervisor's child: all orphans where there is no cgroup, and where it is
 * the first process of its PID namespace. The sandbox's first process is its launcher's to wait for.
 */
void sg_members_reap(const struct sg_members *m);
/* Nobody waits for the first process any more: it is no member from here on. */
void sg_members_drop_first(struct sg_members *m);
/* Sends SIGKILL to all, again and again until none is left that is not being reaped. 0 or negative errno. */
int sg_members_kill(const struct sg_members *m);
/* Reaps children of the supervisor and waits until no member is left. 0, or -ETIMEDOUT after timeout_ms. */
int sg_members_wait_empty(const struct sg_members *m, int timeout_ms);
/*
 * Waits for what is left of them as the supervisor's children once none lives: a cgroup is empty before they can be
 * waited for. Whom we leave them to, the first process of a container, may wait for nobody.
 */
void sg_members_reap_last(const struct sg_members *m);

#endif
