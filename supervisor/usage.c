/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/usage.h"

#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

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
	bool proportional; /* count shared pages once */
};

static uint64_t resident(pid_t pid)
{
	char file[64], buf[4096];

	snprintf(file, sizeof(file), "/proc/%d/status", (int)pid);
	if (sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) <= 0)
		return 0;
	return (sg_key_value(buf, "RssAnon:") + sg_key_value(buf, "RssShmem:")) << 10;
}

static uint64_t proportional(pid_t pid)
{
	char file[64], buf[2048];

	snprintf(file, sizeof(file), "/proc/%d/smaps_rollup", (int)pid);
	if (sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) <= 0)
		return resident(pid);
	return (sg_key_value(buf, "Pss_Anon:") + sg_key_value(buf, "Pss_Shmem:")) << 10;
}

static void add_memory(void *ctx, pid_t pid)
{
	struct sum *s = ctx;

	s->processes++;
	s->memory += s->proportional ? proportional(pid) : resident(pid);
}

uint64_t sg_usage_memory(const struct sg_members *m, uint64_t limit)
{
	struct sum s = {0};

	sg_members_each(m, add_memory, &s);
	if (s.memory <= limit || s.processes < 2)
		return s.memory;
	s = (struct sum){.proportional = true};
	sg_members_each(m, add_memory, &s);
	return s.memory;
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

uint64_t sg_usage_cpu(const struct sg_members *m)
{
	struct sum s = {0};
	struct rusage waited;
	char buf[1024];

	if (m->cg && m->cg->dirfd >= 0) {
		if (sg_read_file(m->cg->dirfd, "cpu.stat", buf, sizeof(buf)) <= 0)
			return 0;
		return sg_key_value(buf, "usage_usec ") * 1000;
	}
	sg_members_each(m, add_cpu, &s);
	if (getrusage(RUSAGE_CHILDREN, &waited) == 0)
		s.cpu += rusage_ns(&waited.ru_utime) + rusage_ns(&waited.ru_stime);
	return s.cpu;
}
