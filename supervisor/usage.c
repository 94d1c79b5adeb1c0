/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/usage.h"

#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PIECE_NS 2000000ULL /* of a look at memory, before its caller gets its turn again */

uint64_t sg_key_value(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = strstr(text, key); p; p = strstr(p + 1, key))
		if (p == text || p[-1] == '\n')
			return strtoull(p + n, NULL, 10);
	return 0;
}

struct sum {
	uint64_t memory;
	uint64_t cpu;
	int processes;
	int failed; /* error number: something could not be looked at */
};

/* What of a process's memory counts: lines of a file in /proc, the last of them last there. */
struct fields {
	const char *file, *name[5]; /* the rest NULL */
};
static const struct fields of_status = {"status", {"RssAnon:", "RssShmem:", "VmPTE:", "VmSwap:"}};
static const struct fields of_smaps = {"smaps_rollup", {"Pss_Anon:", "Pss_Shmem:", "SwapPss:"}};
static const struct fields of_tables = {"status", {"VmPTE:"}}; /* a page of them a read costs, and nothing else */

/*
 * The sum of the fields of a file, KiB, however far down they stand: a user may be in thousands of groups. 1: found, 0:
 * the file has not all of them, or negative errno.
 */
static int sum_fields(const char *file, const struct fields *fields, uint64_t *kib)
{
	FILE *f = fopen(file, "re");
	char line[128], page[4096];
	bool found = false;
	size_t i;
	int rc;

	if (!f)
		return -errno;
	(void)setvbuf(f, page, _IOFBF, sizeof(page));
	*kib = 0;
	errno = 0;
	/* A piece of a longer line is none of these: there the names stand behind numbers and blanks. */
	while (!found && fgets(line, sizeof(line), f)) {
		for (i = 0; fields->name[i] && strncmp(line, fields->name[i], strlen(fields->name[i])); i++)
			;
		if (!fields->name[i])
			continue;
		found = !fields->name[i + 1];
		*kib += strtoull(line + strcspn(line, ":") + 1, NULL, 10);
	}
	rc = found || feof(f) ? found : errno ? -errno : -EIO;
	(void)fclose(f);
	return rc;
}

/* Of a process, by its first thread, or, where that has ended while others go on, by any that still has the memory. */
static int of_process(pid_t pid, const struct fields *fields, uint64_t *kib)
{
	struct dirent *e;
	char path[320];
	int rc, last;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, fields->file);
	rc = sum_fields(path, fields, kib);
	if (rc && rc != -ESRCH)
		return rc;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		return -errno;
	while (rc <= 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", (int)pid, e->d_name, fields->file);
		last = sum_fields(path, fields, kib);
		rc = last == -ENOENT || last == -ESRCH ? rc : last;
	}
	closedir(d);
	return rc;
}

static int taken(pid_t pid, uint64_t *kib)
{
	return of_process(pid, &of_status, kib);
}

static int proportional(pid_t pid, uint64_t *kib)
{
	uint64_t tables = 0;
	int rc = of_process(pid, &of_smaps, kib);

	if (rc <= 0)
		return taken(pid, kib);
	if (of_process(pid, &of_tables, &tables) > 0)
		*kib += tables;
	return rc;
}

/*
 * A child of vfork has all its parent's memory until it executes, and the pages do not tell. Two first threads that
 * have ended compare as equal, too, so its own must still have memory afterwards.
 */
static bool borrows(const struct sg_members *m, pid_t pid)
{
	struct sg_proc_info info;
	char file[64];
	uint64_t kib;

	if (sg_proc_info(pid, &info) < 0 || syscall(SYS_kcmp, pid, info.ppid, KCMP_VM, 0, 0) != 0)
		return false;
	snprintf(file, sizeof(file), "/proc/%d/status", (int)pid);
	return sum_fields(file, &of_status, &kib) > 0 && sg_members_contains(m, info.ppid);
}

static void add_memory(void *ctx, pid_t pid)
{
	struct sum *s = ctx;
	uint64_t kib = 0;
	int rc = taken(pid, &kib);

	s->processes++;
	if (rc > 0)
		s->memory += kib << 10;
	else if (rc != 0 && rc != -ENOENT && rc != -ESRCH)
		s->failed = -rc;
}

static void list(void *ctx, pid_t pid)
{
	struct sg_look *l = ctx;
	size_t room = l->room ? 2 * l->room : 64;
	pid_t *more;

	if (l->n == l->room) {
		more = realloc(l->pids, room * sizeof(*more));
		if (!more) {
			l->failed = ENOMEM;
			return;
		}
		l->pids = more;
		l->room = room;
	}
	l->pids[l->n++] = pid;
}

static void look_at(const struct sg_members *m, struct sg_look *l, pid_t pid)
{
	uint64_t kib = 0;
	int rc;

	if (borrows(m, pid))
		return;
	rc = proportional(pid, &kib);
	/* What began later is another process, which has its number now. */
	if (rc > 0)
		l->memory += sg_proc_start_time(pid) <= l->began ? kib << 10 : 0;
	else if (rc != 0 && rc != -ENOENT && rc != -ESRCH)
		l->failed = -rc;
}

bool sg_usage_memory(const struct sg_members *m, uint64_t limit, struct sg_look *look, uint64_t *used, int *unseen)
{
	struct sum s = {0};
	uint64_t until;
	int rc;

	if (!look->pids) {
		rc = sg_members_each(m, add_memory, &s);
		s.failed = rc < 0 ? -rc : s.failed;
		if (!s.failed && s.memory > limit && s.processes > 1) {
			look->began = sg_proc_now();
			rc = sg_members_each(m, list, look);
			look->failed = rc < 0 ? -rc : look->failed;
			s = (struct sum){.failed = look->failed};
			if (!look->pids)
				sg_look_end(look);
		}
	}
	if (look->pids) {
		until = sg_clock_ns(CLOCK_MONOTONIC) + PIECE_NS;
		do
			look_at(m, look, look->pids[look->at++]);
		while (look->at < look->n && sg_clock_ns(CLOCK_MONOTONIC) < until);
		if (look->at < look->n)
			return false;
		s = (struct sum){.memory = look->memory, .failed = look->failed};
		sg_look_end(look);
	}
	if (s.failed)
		*unseen = s.failed;
	/* What cannot be seen might be any size. */
	*used = s.failed && s.memory <= limit && limit < UINT64_MAX ? limit + 1 : s.memory;
	return true;
}

static uint64_t rusage_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000ULL + (uint64_t)t->tv_usec * 1000ULL;
}

static void add_cpu(void *ctx, pid_t pid)
{
	/* A process's own CPU clock (clock_getcpuclockid): exact, also while it runs. */
	clockid_t clock = (clockid_t)((~(unsigned)pid << 3) | 2U);
	struct sum *s = ctx;

	s->cpu += sg_clock_ns(clock) + sg_proc_waited_cpu(pid);
}

uint64_t sg_usage_cpu(const struct sg_members *m, int *unseen)
{
	struct sum s = {0};
	struct rusage waited;
	char buf[1024];
	ssize_t n;

	if (m->cg && m->cg->dirfd >= 0) {
		n = sg_read_piece(m->cg->dirfd, "cpu.stat", buf, sizeof(buf));
		if (n > 0)
			return sg_key_value(buf, "usage_usec ") * 1000;
		*unseen = n ? (int)-n : EIO;
		return UINT64_MAX;
	}
	n = sg_members_each(m, add_cpu, &s);
	if (n < 0) {
		*unseen = (int)-n;
		return UINT64_MAX;
	}
	if (getrusage(RUSAGE_CHILDREN, &waited) == 0)
		s.cpu += rusage_ns(&waited.ru_utime) + rusage_ns(&waited.ru_stime) - rusage_ns(&m->before.ru_utime) -
			 rusage_ns(&m->before.ru_stime);
	return s.cpu;
}
