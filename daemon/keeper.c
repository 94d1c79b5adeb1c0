/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that shares the daemon's table of descriptors, and nothing else. When the daemon dies the table stays, and
 * with it what object rules name: the kernel knows an inode by its address, which must not be given to another one
 * while a rule names it. The next daemon takes the descriptors from it and ends it.
 */
#include "daemon/sgd.h"

#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define LOOK_NS 500000000L

/* Whether the sandbox of an entry is still there. */
static bool lives(const struct sgd_entry *e, const char *mount)
{
	char path[1024], events[256];

	if (snprintf(path, sizeof(path), "%s%.*s/cgroup.events", mount, (int)sizeof(e->rel) - 1, e->rel) >=
		    (int)sizeof(path) ||
	    sg_read_file(AT_FDCWD, path, events, sizeof(events)) < 0)
		return false;
	return (e->flags & SGD_ENTRY_ATTACHED) || strstr(events, "populated 1");
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes all that is not a place; false: nothing is left to be kept. */
static bool keep(const struct sgd *d, const char *mount, int *fds)
{
	unsigned from = 0;
	size_t n = 0;

	for (unsigned i = 0; i < d->state.n; i++) {
		const struct sgd_entry *e = &d->state.entries[i];

		if (e->used && (e->flags & SGD_ENTRY_LSM) && e->places[d->state.column] >= 0 && lives(e, mount))
			fds[n++] = e->places[d->state.column];
	}
	qsort(fds, n, sizeof(*fds), by_number);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned)fds[i] > from)
			(void)close_range(from, (unsigned)fds[i] - 1, 0);
		from = (unsigned)fds[i] + 1;
	}
	(void)close_range(from, ~0U, 0);
	return n > 0;
}

static bool in_charge(const struct sgd *d)
{
	const struct sgd_keepers *k = d->state.keepers;

	return __atomic_load_n(&k->column, __ATOMIC_ACQUIRE) == d->state.column && k->pid[d->state.column] == getpid();
}

__attribute__((noreturn)) static void run(struct sgd *d, pid_t daemon, int *fds)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	char mount[256], root[256];
	struct sg_err err = {0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	(void)prctl(PR_SET_NAME, "sgd-keeper", 0, 0, 0);
	(void)setsid();
	if (sg_cgroup_find_mount(mount, sizeof(mount), root, sizeof(root), &err) < 0)
		_exit(1);
	if (prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0) < 0)
		_exit(1);
	if (getppid() == daemon)
		(void)sigwaitinfo(&set, NULL);
	/* Another one is in charge as soon as a daemon has all that we keep, and says so. */
	while (in_charge(d) && keep(d, mount, fds))
		(void)nanosleep(&look, NULL);
	_exit(0);
}

int sgd_keeper_fetch(struct sgd *d, const struct sgd_entry *e)
{
	const struct sgd_keepers *k = d->state.keepers;
	pid_t pid = k->pid[k->column & 1];
	int number = e->places[k->column & 1], fd;
	SG_CLOSE int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (number < 0 || pidfd < 0 || sg_proc_start_time(pid) != k->start[k->column & 1])
		return -1;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	return fd < 0 ? -1 : fd;
}

int sgd_keeper_start(struct sgd *d, struct sg_err *err)
{
	struct sgd_keepers *k = d->state.keepers;
	uint32_t before = k->column & 1, ours = d->state.column;
	pid_t daemon = getpid(), pid;
	int *fds;

	if (!d->lsm)
		return 0;                           /* what an earlier one keeps it goes on keeping */
	fds = calloc(d->state.n + 1, sizeof(*fds)); /* the keeper's */
	if (!fds)
		return sg_err_set(err, ENOMEM, "out of memory");
	pid = (pid_t)syscall(SYS_clone, (unsigned long)CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		run(d, daemon, fds);
	free(fds);
	if (pid < 0)
		return sg_err_set(err, errno, "cannot start the process that keeps places open: %s", strerror(errno));
	d->keeper = pid;
	k->pid[ours] = pid;
	k->start[ours] = sg_proc_start_time(pid);
	/* From here on it is our column of the table that counts. */
	__atomic_store_n(&k->column, ours, __ATOMIC_RELEASE);
	if (k->pid[before] > 0 && sg_proc_start_time(k->pid[before]) == k->start[before])
		(void)kill(k->pid[before], SIGKILL);
	return sg_bpf_protect(d->bpf, SG_PROTECTED_PROCESS, (uint64_t)pid, err);
}

void sgd_keeper_stop(struct sgd *d)
{
	if (d->keeper <= 0)
		return;
	d->state.keepers->pid[d->state.column] = 0;
	(void)kill(d->keeper, SIGKILL);
	(void)waitpid(d->keeper, NULL, 0);
	d->keeper = 0;
}
