/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/members.h"

#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_DEPTH 4096      /* longer chains of ancestors than any sandbox can build under its process limit */
#define MAX_PIDS (1U << 22) /* the kernel's own bound: whoever finds more is being led in circles */

static bool by_cgroup(const struct sg_members *m)
{
	return m->cg && m->cg->dirfd >= 0;
}

/* Nobody waits for these, so whichever has ended keeps its pid, and none is somebody else by now. */
static bool is_other(const struct sg_members *m, pid_t pid)
{
	for (unsigned i = 0; i < m->n_others; i++)
		if (m->others[i] == pid)
			return true;
	return pid == m->guard;
}

static bool descends(const struct sg_members *m, pid_t pid)
{
	struct sg_proc_info info;

	if (sg_proc_info(pid, &info) < 0)
		return false;
	pid = info.tgid;
	for (int i = 0; i < MAX_DEPTH && pid > 1; i++) {
		if (pid == m->supervisor || pid == m->guard || sg_proc_info(pid, &info) < 0)
			return false;
		if (info.ppid == m->supervisor)
			return !is_other(m, pid);
		pid = info.ppid;
	}
	return false;
}

static bool contains_task(const struct sg_members *m, pid_t pid)
{
	return by_cgroup(m) ? sg_cgroup_contains(m->cg, pid) : descends(m, pid);
}

struct group {
	pid_t pgrp;
	bool found;
};

static int look_at_child(void *ctx, pid_t pid)
{
	struct group *g = ctx;

	g->found = sg_proc_pgrp(pid) == g->pgrp;
	return g->found;
}

static void look_at(void *ctx, pid_t pid)
{
	struct group *g = ctx;

	if (!g->found)
		(void)look_at_child(ctx, pid);
}

static void look_at_children(void *ctx, pid_t pid)
{
	struct group *g = ctx;

	if (!g->found)
		(void)sg_proc_children(pid, look_at_child, g);
}

/*
 * By what is in the sandbox, and not by all that is on the host: a program can ask as often as it likes, and has the
 * supervisor do nothing else meanwhile.
 */
static bool contains_group(const struct sg_members *m, pid_t pgrp)
{
	struct group g = {.pgrp = pgrp};

	(void)sg_members_each(m, look_at, &g);
	/* A cgroup does not list those that wait for their parent, whose group is there as long as they are. */
	if (!g.found && by_cgroup(m))
		(void)sg_members_each(m, look_at_children, &g);
	return g.found;
}

bool sg_members_contains(const struct sg_members *m, pid_t pid)
{
	if (pid == 0)
		return true;
	if (pid > 0)
		return contains_task(m, pid);
	return pid != -1 && pid != INT_MIN && contains_group(m, -pid);
}

/* ---- by descent ---- */

/*
 * A walk over all descendants: those found and not yet looked at wait in a list, so that neither their number nor their
 * depth costs more than that.
 */
struct walk {
	const struct sg_members *m;
	void (*fn)(void *ctx, pid_t pid);
	void *ctx;
	bool kill;
	struct found {
		pid_t pid, parent;
	} * all, few[256];
	size_t n, room;
	pid_t parent; /* whose children are read */
};

static int grow(struct walk *w)
{
	struct found *more;

	if (w->n >= MAX_PIDS)
		return -E2BIG;
	more = realloc(w->all == w->few ? NULL : w->all, 2 * w->room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	if (w->all == w->few)
		memcpy(more, w->few, sizeof(w->few));
	w->all = more;
	w->room *= 2;
	return 0;
}

static int found(void *ctx, pid_t pid)
{
	struct walk *w = ctx;
	int rc;

	/* What is found may be killed. */
	if (pid <= 1 || pid == w->m->supervisor || is_other(w->m, pid))
		return 0;
	rc = w->n == w->room ? grow(w) : 0;
	if (!rc)
		w->all[w->n++] = (struct found){pid, w->parent};
	return rc;
}

/* Whether who has that number is of ours, the one that was found or another. What cannot be told counts for yes. */
static bool is_ours(const struct walk *w, const struct found *f)
{
	struct sg_proc_info info;
	int rc = sg_proc_info(f->pid, &info);

	if (rc < 0)
		return rc != -ESRCH;
	return info.ppid == f->parent || info.ppid == w->m->supervisor || descends(w->m, f->pid);
}

/*
 * Whom a number stands for is held before it is looked at once more, so that nobody is signalled who got it meanwhile.
 * False: it is nobody of ours any more. *fd: -1 for want of a descriptor; then the number has to do.
 */
static bool hold(const struct walk *w, const struct found *f, int *fd)
{
	*fd = (int)syscall(SYS_pidfd_open, f->pid, 0);
	if (*fd < 0)
		return errno != ESRCH;
	if (is_ours(w, f))
		return true;
	close(SG_TAKE_FD(*fd));
	return false;
}

static void send_signal(const struct found *f, int fd, int sig)
{
	if (fd < 0)
		(void)kill(f->pid, sig);
	else
		(void)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

/* 0, or negative errno when some may have been missed; those that were found have been treated all the same. */
static int walk(struct walk *w)
{
	int failed;

	w->all = w->few;
	w->room = SG_ARRAY_SIZE(w->few);
	w->n = 0;
	w->parent = w->m->supervisor;
	failed = sg_proc_children(w->m->supervisor, found, w);
	for (size_t i = 0; i < w->n; i++) {
		const struct found f = w->all[i];
		SG_CLOSE int fd = -1;
		int rc;

		if (w->fn)
			w->fn(w->ctx, f.pid);
		if (w->kill && !hold(w, &f, &fd))
			continue;
		/* Stop before descending, so that the children seen are all there will be. */
		if (w->kill)
			send_signal(&f, fd, SIGSTOP);
		w->parent = f.pid;
		rc = sg_proc_children(f.pid, found, w);
		if (rc < 0 && rc != -ENOENT && rc != -ESRCH)
			failed = rc;
		if (w->kill)
			send_signal(&f, fd, SIGKILL);
	}
	if (w->all != w->few)
		free(w->all);
	return failed;
}

static int note_other(void *ctx, pid_t pid)
{
	struct sg_members *m = ctx;

	if (m->n_others == SG_MEMBERS_OTHERS)
		return -E2BIG;
	m->others[m->n_others++] = pid;
	return 0;
}

/* Of any thread, dead or alive. Mostly there is none, and this costs less than a look into /proc. */
static bool has_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

int sg_members_need_proc(const char *why, struct sg_err *err)
{
	char text[32] = "";
	uint64_t self = 0;

	if (readlink("/proc/self", text, sizeof(text) - 1) < 0)
		return sg_err_set(err, errno,
				  "%s, and /proc/self cannot be read: %s; mount /proc here (mount -t proc proc /proc)",
				  why, strerror(errno));
	if (sg_parse_u64(text, INT_MAX, &self) < 0 || (pid_t)self != getpid())
		return sg_err_set(
			err, ESRCH,
			"%s, and the one here is of another pid namespace; mount this one's (mount -t proc proc "
			"/proc)",
			why);
	return 0;
}

int sg_members_begin(struct sg_members *m, struct sg_err *err)
{
	SG_CLOSE int fd = -1;
	char text[1], file[64];
	int rc = sg_members_need_proc("without a cgroup of its own a sandbox's processes are found in /proc", err);

	if (rc)
		return rc;
	(void)getrusage(RUSAGE_CHILDREN, &m->before);
	snprintf(file, sizeof(file), "/proc/self/task/%d/children", (int)getpid());
	/*
	 * One byte: that it can be read is what counts. Where it can be seen that the kernel has such files, the own is
	 * not looked at, which would be made for it, and be taken down at our end.
	 */
	if (access("/proc/1/task/1/children", F_OK) < 0 &&
	    ((fd = open(file, O_RDONLY | O_CLOEXEC)) < 0 || read(fd, text, 1) < 0))
		return sg_err_set(err, errno,
				  "without a cgroup of its own a sandbox's processes are found in /proc, and %s cannot "
				  "be read: %s (does the kernel have CONFIG_PROC_CHILDREN?)",
				  file, strerror(errno));
	m->n_others = 0;
	rc = has_children() ? sg_proc_children(m->supervisor, note_other, m) : 0;
	if (rc == -E2BIG)
		return sg_err_set(
			err, E2BIG,
			"without a cgroup of its own a sandbox's processes are sgrun's children, and it has more "
			"than %d from before it was executed; start it from a fresh process",
			SG_MEMBERS_OTHERS);
	return rc ? sg_err_set(err, -rc, "cannot read %s: %s", file, strerror(-rc)) : 0;
}

static void count_threads(void *ctx, pid_t pid)
{
	*(int *)ctx += (int)sg_proc_threads(pid);
}

/* Our own to wait for, and not waited for: then it is among the descendants, dead or alive. */
static bool first_is_there(const struct sg_members *m)
{
	siginfo_t info;

	return m->first > 0 && waitid(P_PID, (id_t)m->first, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int sg_members_count(const struct sg_members *m)
{
	int count = 0, rc;
	struct walk w = {.m = m, .fn = count_threads, .ctx = &count};

	if (by_cgroup(m))
		return sg_cgroup_tasks(m->cg);
	rc = walk(&w);
	if (rc < 0)
		return rc;
	return count || !first_is_there(m) ? count : -ENODATA;
}

int sg_members_each(const struct sg_members *m, void (*fn)(void *ctx, pid_t pid), void *ctx)
{
	struct walk w = {.m = m, .fn = fn, .ctx = ctx};

	return by_cgroup(m) ? sg_cgroup_each(m->cg, fn, ctx) : walk(&w);
}

struct zombies {
	int count;
	int failed;
};

static int count_zombie(void *ctx, pid_t child)
{
	struct zombies *z = ctx;

	z->count += sg_proc_zombie(child);
	return 0;
}

static void count_zombies(void *ctx, pid_t pid)
{
	struct zombies *z = ctx;
	int rc = sg_proc_children(pid, count_zombie, z);

	if (rc < 0 && rc != -ENOENT && rc != -ESRCH)
		z->failed = rc;
}

struct reaper {
	const struct sg_members *m;
	bool first_too;
};

static int reap_member(void *ctx, pid_t pid)
{
	const struct reaper *r = ctx;

	if (!is_other(r->m, pid) && (r->first_too || pid != r->m->first))
		(void)waitpid(pid, NULL, WNOHANG);
	return 0;
}

void sg_members_reap(const struct sg_members *m)
{
	siginfo_t info = {0};

	if (m->n_others) {
		(void)sg_proc_children(m->supervisor, reap_member, &(struct reaper){.m = m});
		return;
	}
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid && info.si_pid != m->first) {
		(void)waitpid(info.si_pid, NULL, 0);
		info.si_pid = 0;
	}
}

void sg_members_drop_first(struct sg_members *m)
{
	if (m->n_others == SG_MEMBERS_OTHERS)
		return;
	m->others[m->n_others++] = m->first;
	m->first = 0;
}

int sg_members_count_all(const struct sg_members *m)
{
	struct zombies z = {0};
	int tasks, rc;

	if (!by_cgroup(m)) {
		sg_members_reap(m);
		return sg_members_count(m);
	}
	tasks = sg_cgroup_tasks(m->cg);
	if (tasks < 0)
		return tasks;
	rc = sg_cgroup_each(m->cg, count_zombies, &z);
	if (rc || z.failed)
		return rc ? rc : z.failed;
	return tasks + z.count;
}

int sg_members_recount(const struct sg_members *m, int tasks, uint64_t max)
{
	return tasks < 0 || (uint64_t)tasks < max || by_cgroup(m) ? tasks : sg_members_count_all(m);
}

int sg_members_kill(const struct sg_members *m)
{
	struct walk w = {.m = m, .kill = true};

	return by_cgroup(m) ? sg_cgroup_kill(m->cg) : walk(&w);
}

bool sg_members_any(const struct sg_members *m)
{
	siginfo_t si;

	if (by_cgroup(m))
		return sg_cgroup_populated(m->cg) != 0;
	/* Orphans become children of the supervisor; the guard is of the kind of child that is not asked for here. */
	if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
		return false;
	return sg_members_count(m) != 0;
}

int sg_members_wait_empty(const struct sg_members *m, int timeout_ms)
{
	uint64_t end = sg_clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000ULL;
	struct timespec pause = {.tv_nsec = 20000};

	for (;;) {
		/* The guard is no ordinary child (its exit signal is 0), so it is not reaped here. */
		if (m->n_others)
			(void)sg_proc_children(m->supervisor, reap_member, &(struct reaper){.m = m, .first_too = true});
		while (!m->n_others && waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (!sg_members_any(m))
			return 0;
		if (sg_clock_ns(CLOCK_MONOTONIC) > end)
			return -ETIMEDOUT;
		(void)sg_members_kill(m);
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 5000000)
			pause.tv_nsec *= 2;
	}
}

void sg_members_reap_last(const struct sg_members *m)
{
	const struct timespec pause = {.tv_nsec = 100000};
	siginfo_t info = {0};

	if (m->n_others) {
		(void)sg_proc_children(m->supervisor, reap_member, &(struct reaper){.m = m, .first_too = true});
		return;
	}
	/* Whom the program that executed us had started may be there for longer: it is not waited for long. */
	for (int waits = 0; waits < 100 && waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0; info.si_pid = 0)
		if (!info.si_pid) {
			nanosleep(&pause, NULL);
			waits++;
		}
}
