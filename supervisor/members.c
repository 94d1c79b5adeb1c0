/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/members.h"

#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_DEPTH 4096 /* longer chains of ancestors than any sandbox can build under its process limit */

static bool by_cgroup(const struct sg_members *m)
{
	return m->cg && m->cg->dirfd >= 0;
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
			return pid != m->guard;
		pid = info.ppid;
	}
	return false;
}

static bool contains_task(const struct sg_members *m, pid_t pid)
{
	return by_cgroup(m) ? sg_cgroup_contains(m->cg, pid) : descends(m, pid);
}

static bool contains_group(const struct sg_members *m, pid_t pgrp)
{
	DIR *d = opendir("/proc");
	bool found = false;
	struct dirent *e;

	if (!d)
		return false;
	while (!found && (e = readdir(d))) {
		uint64_t pid;

		if (sg_parse_u64(e->d_name, INT_MAX, &pid) == 0 && sg_proc_pgrp((pid_t)pid) == pgrp)
			found = contains_task(m, (pid_t)pid);
	}
	closedir(d);
	return found;
}

bool sg_members_contains(const struct sg_members *m, pid_t pid)
{
	if (pid == 0)
		return true;
	if (pid > 0)
		return contains_task(m, pid);
	return pid != -1 && pid != INT_MIN && contains_group(m, -pid);
}

struct walk {
	const struct sg_members *m;
	int count;
	int sig;
	int depth;
};

static int visit(void *ctx, pid_t child)
{
	struct walk *w = ctx;

	if (child == w->m->guard || w->depth > 64)
		return 0;
	w->count += (int)sg_proc_threads(child);
	/* Stop before descending, so that the children seen are all there will be. */
	if (w->sig)
		kill(child, SIGSTOP);
	w->depth++;
	(void)sg_proc_children(child, visit, w);
	w->depth--;
	if (w->sig)
		kill(child, w->sig);
	return 0;
}

int sg_members_count(const struct sg_members *m)
{
	struct walk w = {.m = m};

	if (by_cgroup(m))
		return sg_cgroup_tasks(m->cg);
	(void)sg_proc_children(m->supervisor, visit, &w);
	return w.count;
}

struct each {
	const struct sg_members *m;
	void (*fn)(void *ctx, pid_t pid);
	void *ctx;
	int depth;
};

static int each_child(void *ctx, pid_t child)
{
	struct each *e = ctx;

	if (child == e->m->guard || e->depth > 64)
		return 0;
	e->fn(e->ctx, child);
	e->depth++;
	(void)sg_proc_children(child, each_child, e);
	e->depth--;
	return 0;
}

void sg_members_each(const struct sg_members *m, void (*fn)(void *ctx, pid_t pid), void *ctx)
{
	struct each e = {.m = m, .fn = fn, .ctx = ctx};

	if (by_cgroup(m))
		sg_cgroup_each(m->cg, fn, ctx);
	else
		(void)sg_proc_children(m->supervisor, each_child, &e);
}

static int count_zombie(void *ctx, pid_t child)
{
	*(int *)ctx += sg_proc_zombie(child);
	return 0;
}

static void count_zombies(void *ctx, pid_t pid)
{
	(void)sg_proc_children(pid, count_zombie, ctx);
}

/* Orphans come back to the supervisor where there is no cgroup. The first process is its launcher's to wait for. */
static void reap_orphans(const struct sg_members *m)
{
	siginfo_t info = {0};

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid && info.si_pid != m->first) {
		(void)waitpid(info.si_pid, NULL, 0);
		info.si_pid = 0;
	}
}

int sg_members_count_all(const struct sg_members *m)
{
	int zombies = 0, tasks;

	if (!by_cgroup(m)) {
		reap_orphans(m);
		return sg_members_count(m);
	}
	tasks = sg_cgroup_tasks(m->cg);
	if (tasks >= 0)
		sg_cgroup_each(m->cg, count_zombies, &zombies);
	return tasks < 0 ? tasks : tasks + zombies;
}

int sg_members_kill(const struct sg_members *m)
{
	struct walk w = {.m = m, .sig = SIGKILL};

	if (by_cgroup(m))
		return sg_cgroup_kill(m->cg);
	(void)sg_proc_children(m->supervisor, visit, &w);
	return 0;
}

bool sg_members_any(const struct sg_members *m)
{
	struct walk w = {.m = m};
	siginfo_t si;

	if (by_cgroup(m))
		return sg_cgroup_populated(m->cg) != 0;
	/* Orphans become children of the supervisor; the guard is of the kind of child that is not asked for here. */
	if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
		return false;
	(void)sg_proc_children(m->supervisor, visit, &w);
	return w.count > 0;
}

int sg_members_wait_empty(const struct sg_members *m, int timeout_ms)
{
	uint64_t end = sg_clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000ULL;
	struct timespec pause = {.tv_nsec = 20000};

	for (;;) {
		/* The guard is no ordinary child (its exit signal is 0), so it is not reaped here. */
		while (waitpid(-1, NULL, WNOHANG) > 0)
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
