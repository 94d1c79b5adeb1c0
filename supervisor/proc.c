/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/proc.h"

#include "policy/seccomp.h"
#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The text behind "Name:\t" of a status file, NULL when it is not there. */
static const char *status_field(const char *status, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = status; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, name, n) && p[n] == ':')
			return p + n + 1 + strspn(p + n + 1, " \t");
		if (!*p)
			break;
	}
	return NULL;
}

int sg_proc_info(pid_t pid, struct sg_proc_info *info)
{
	char file[64], buf[4096];
	const char *tgid, *ppid, *tracer, *uid, *gid, *name;
	ssize_t n;
	size_t len;

	memset(info, 0, sizeof(*info));
	snprintf(file, sizeof(file), "/proc/%d/status", (int)pid);
	n = sg_read_file(AT_FDCWD, file, buf, sizeof(buf));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	/* Name comes first and the kernel escapes newlines in it, so the other fields cannot be forged by a comm. */
	name = status_field(buf, "Name");
	tgid = status_field(buf, "Tgid");
	ppid = status_field(buf, "PPid");
	tracer = status_field(buf, "TracerPid");
	uid = status_field(buf, "Uid");
	gid = status_field(buf, "Gid");
	if (!name || !tgid || !ppid || !tracer || !uid || !gid)
		return -ESRCH;
	info->tgid = (pid_t)strtol(tgid, NULL, 10);
	info->ppid = (pid_t)strtol(ppid, NULL, 10);
	info->tracer = (pid_t)strtol(tracer, NULL, 10);
	info->uid = (uid_t)strtoul(uid, NULL, 10);
	info->gid = (gid_t)strtoul(gid, NULL, 10);
	len = strcspn(name, "\n");
	if (len >= sizeof(info->comm))
		len = sizeof(info->comm) - 1;
	memcpy(info->comm, name, len);
	return 0;
}

/* Field number `field` (from 3 on) of /proc/PID/stat; the comm in field 2 may hold anything, so start behind its last
 * ')'. */
static uint64_t stat_field(pid_t pid, int field)
{
	char file[64], buf[1024];
	char *p;

	snprintf(file, sizeof(file), "/proc/%d/stat", (int)pid);
	if (sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) < 0)
		return 0;
	p = strrchr(buf, ')');
	if (!p)
		return 0;
	for (int i = 2; p && i < field; i++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

uint64_t sg_proc_start_time(pid_t pid)
{
	return stat_field(pid, 22);
}

uint64_t sg_proc_now(void)
{
	return sg_clock_ns(CLOCK_BOOTTIME) / (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
}

pid_t sg_proc_pgrp(pid_t pid)
{
	return (pid_t)stat_field(pid, 5);
}

unsigned sg_proc_threads(pid_t pid)
{
	return (unsigned)stat_field(pid, 20);
}

static char state(pid_t pid)
{
	char file[64], buf[1024];
	const char *p;

	snprintf(file, sizeof(file), "/proc/%d/stat", (int)pid);
	if (sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) < 0)
		return 0;
	p = strrchr(buf, ')');
	return p && p[1] == ' ' ? p[2] : 0;
}

bool sg_proc_zombie(pid_t pid)
{
	return state(pid) == 'Z';
}

/* Stopped inside the call until the child, which is there, gives its memory back (vfork). */
static bool lends_its_memory(pid_t tid)
{
	char file[64], buf[64];

	if (state(tid) != 'D')
		return false;
	snprintf(file, sizeof(file), "/proc/%d/task/%d/children", (int)tid, (int)tid);
	return sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) > 0;
}

/*
 * Whether a call for a new task lets its caller wait until that one has executed or ended, and for nothing else: a copy
 * of the memory waits for its lock, too. arguments: as in /proc.
 */
static bool waits_for_child(uint32_t nr, const char *arguments)
{
#ifdef SYS_vfork
	if (nr == SYS_vfork)
		return true;
#endif
	if (nr == SYS_clone)
		return (~strtoull(arguments, NULL, 16) & (CLONE_VM | CLONE_VFORK)) == 0;
	return false; /* clone3: its flags are in the caller's memory, where they may change */
}

uint64_t sg_proc_ran(pid_t tid)
{
	char file[64], buf[128];

	snprintf(file, sizeof(file), "/proc/%d/schedstat", (int)tid);
	return sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) > 0 ? strtoull(buf, NULL, 10) : UINT64_MAX;
}

bool sg_proc_waits_for_cpu(pid_t tid)
{
	return state(tid) == 'R';
}

bool sg_proc_may_fork(pid_t tid)
{
	char file[64], buf[256], *arguments;
	uint32_t nr;
	ssize_t n;

	snprintf(file, sizeof(file), "/proc/%d/syscall", (int)tid);
	n = sg_read_file(AT_FDCWD, file, buf, sizeof(buf));
	/* Of one that has ended the file is root's: it could not be read, and there is nothing in it. */
	if (n <= 0)
		return n == 0 || (n != -ENOENT && n != -ESRCH && !sg_proc_zombie(tid));
	/* "running", or the number of the call it waits in; -1: it waits outside of any */
	if (buf[0] == 'r')
		return true;
	nr = (uint32_t)strtol(buf, &arguments, 10);
	/* In fork(2) it may wait for a lock of the memory, too, and have children that it made before. */
	return sg_is_fork(nr) && !(waits_for_child(nr, arguments) && lends_its_memory(tid));
}

uint64_t sg_proc_waited_cpu(pid_t pid)
{
	long hz = sysconf(_SC_CLK_TCK);

	return (stat_field(pid, 16) + stat_field(pid, 17)) * (1000000000ULL / (uint64_t)(hz > 0 ? hz : 100));
}

static bool is_gone(int rc)
{
	return rc == -ENOENT || rc == -ESRCH;
}

/*
 * Calls fn for each pid in a file of children. However many there are: the kernel gives a page at a time, and what has
 * no blank behind it yet is not a whole pid.
 */
static int each_listed(int dir, const char *file, int (*fn)(void *ctx, pid_t child), void *ctx)
{
	SG_CLOSE int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	char buf[4096];
	pid_t pid = 0;
	ssize_t n;
	int rc;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = pid * 10 + (buf[i] - '0');
				continue;
			}
			rc = pid ? fn(ctx, pid) : 0;
			if (rc)
				return rc;
			pid = 0;
		}
	}
	return 0;
}

int sg_proc_children(pid_t pid, int (*fn)(void *ctx, pid_t child), void *ctx)
{
	char file[300];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	snprintf(file, sizeof(file), "/proc/%d/task", (int)pid);
	d = opendir(file);
	if (!d) {
		rc = -errno;
		/* Mounted with hidepid, /proc denies that there is a process which does not let itself be looked at. */
		return is_gone(rc) && (kill(pid, 0) == 0 || errno == EPERM) ? -EACCES : rc;
	}
	while (!rc) {
		errno = 0;
		e = readdir(d);
		if (!e) {
			rc = -errno;
			break;
		}
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/children", e->d_name);
		rc = each_listed(dirfd(d), file, fn, ctx);
		if (is_gone(rc))
			rc = 0;
	}
	closedir(d);
	return rc;
}
