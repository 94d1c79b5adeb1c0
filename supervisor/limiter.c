/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/limiter.h"

#include "supervisor/usage.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MS 1000000ULL
/* How fast memory can grow per processor, bytes a millisecond: page faults of 4 KiB pages allow less. */
#define GROWTH (4ULL << 20)
#define LOOK_MEMORY_MIN (1 * MS)
#define LOOK_MEMORY_MAX (50 * MS)
#define LOOK_CPU_MIN (2 * MS)
#define LOOK_CPU_UNSEEN (20 * MS)
#define CPU_PERIOD_US 100000ULL
/* How far a throttled sandbox may be ahead of its share, and how much of an unused share it may keep. */
#define SHARE_BURST (20 * MS)

static void note(json_t *degraded, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(json_t *degraded, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(degraded, json_string(text));
}

static bool have_cgroup(const struct sg_limiter *x)
{
	return x->cg->dirfd >= 0;
}

static int put(const struct sg_limiter *x, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int put(const struct sg_limiter *x, const char *file, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return sg_write_file(x->cg->dirfd, file, text);
}

/* ---- plan ---- */

struct plan {
	struct sg_limiter *x;
	json_t *mechanisms, *degraded;
	bool require;
	struct sg_err *err;
};

static void mechanism(struct plan *p, const char *limit, const char *by)
{
	json_object_set_new(p->mechanisms, limit, json_string(by));
}

/* Where the controller is, so that the advice fits: bound to cgroup v1, there but not enabled, or nowhere. */
static const char *how_to_get(const struct sg_cgroup *cg, const char *controller)
{
	char v1[2048], key[32];

	if (cg->dirfd < 0)
		return "sgrun needs a cgroup of its own: run it as root, or in a delegated scope (systemd-run --user "
		       "--scope -p Delegate=yes sgrun ...); in a container mount cgroup2 read-write (docker run "
		       "--cgroupns=private -v /sys/fs/cgroup:/sys/fs/cgroup:rw, or --privileged)";
	if (sg_cgroup_offers(cg, controller))
		return "it is there but cannot be enabled for sandboxes, because the parent cgroup holds processes: "
		       "move them to a child (mkdir CGROUP/main; echo PID > CGROUP/main/cgroup.procs), or start sgrun "
		       "in a "
		       "scope of its own (systemd-run --scope -p Delegate=yes sgrun ...)";
	/* In /proc/cgroups the second column is the v1 hierarchy: 0 means that v2 has it, or nobody. */
	snprintf(key, sizeof(key), "%s\t", controller);
	if (sg_read_file(AT_FDCWD, "/proc/cgroups", v1, sizeof(v1)) > 0 && sg_key_value(v1, key))
		return "this host keeps it on a cgroup v1 hierarchy: boot with systemd.unified_cgroup_hierarchy=1 "
		       "cgroup_no_v1=all to have it on cgroup v2";
	return "it is not delegated to this cgroup (systemd: Delegate=cpu memory pids in the unit or slice), or the "
	       "kernel lacks it (cgroup_enable=memory on its command line, CONFIG_MEMCG, CONFIG_CGROUP_PIDS, "
	       "CONFIG_CFS_BANDWIDTH)";
}

/* True where the controller does it. Otherwise the caller finds a stand-in, unless p->err is set. */
static bool controlled(struct plan *p, const char *controller, bool has, int written)
{
	if (has && written == 0)
		return true;
	if (p->require && !p->err->code)
		sg_err_set(p->err, ENOTSUP, "--require-limits: no %s controller for this sandbox: %s", controller,
			   has ? strerror(-written) : how_to_get(p->x->cg, controller));
	return false;
}

static void plan_memory(struct plan *p)
{
	struct sg_limiter *x = p->x;
	bool has = have_cgroup(x) && x->cg->has_memory;
	int rc = has ? put(x, "memory.max", "%llu", (unsigned long long)x->want.memory) : -ENOENT;

	if (controlled(p, "memory", has, rc)) {
		/* Absent where the kernel has no swap. A whole sandbox ends, not one process of it. */
		(void)put(x, "memory.swap.max", "0");
		(void)put(x, "memory.oom.group", "1");
		x->memory_max = true;
		mechanism(p, "memory", "cgroup memory.max");
		return;
	}
	x->memory_at = 1;
	mechanism(p, "memory", "watched by the supervisor (resident and swapped memory of all processes)");
}

static void plan_pids(struct plan *p, bool filter)
{
	struct sg_limiter *x = p->x;
	bool has = have_cgroup(x) && x->cg->has_pids;
	int rc = has ? put(x, "pids.max", "%llu", (unsigned long long)x->want.pids) : -ENOENT;

	if (controlled(p, "pids", has, rc)) {
		x->pids_max = true;
		mechanism(p, "pids", "cgroup pids.max");
	} else if (filter) {
		x->count_pids = true;
		mechanism(p, "pids", "seccomp notification");
	} else {
		note(p->degraded, "limit pids: no pids controller, and no seccomp filter to count forks");
	}
}

static void plan_cpus(struct plan *p)
{
	struct sg_limiter *x = p->x;
	bool has = have_cgroup(x) && x->cg->has_cpu;
	int rc = has ? put(x, "cpu.max", "%llu %llu", (unsigned long long)(x->want.cpus * CPU_PERIOD_US / 1000),
			   CPU_PERIOD_US)
		     : -ENOENT;

	if (controlled(p, "cpu", has, rc)) {
		mechanism(p, "millicpus", "cgroup cpu.max");
	} else if (have_cgroup(x) && put(x, "cgroup.freeze", "0") == 0) {
		x->throttle = true;
		mechanism(p, "millicpus", "cgroup.freeze by the supervisor whenever it is ahead of its share");
	} else {
		note(p->degraded, "limit cpus: no cpu controller, and no cgroup to freeze");
	}
}

int sg_limiter_plan(struct sg_limiter *x, const struct sg_limits *want, const struct sg_cgroup *cg,
		    const struct sg_members *members, bool filter, bool require, json_t *mechanisms, json_t *degraded,
		    struct sg_err *err)
{
	struct plan p = {.x = x, .mechanisms = mechanisms, .degraded = degraded, .require = require, .err = err};

	memset(x, 0, sizeof(*x));
	x->want = *want;
	x->cg = cg;
	x->members = members;
	if (want->pids)
		plan_pids(&p, filter);
	if (want->memory)
		plan_memory(&p);
	if (want->cpus)
		plan_cpus(&p);
	if (want->cpu_time)
		mechanism(&p, "cpu_time_ms",
			  have_cgroup(x) ? "cgroup cpu.stat watched by the supervisor; RLIMIT_CPU for each process"
					 : "CPU clocks of all processes watched by the supervisor; RLIMIT_CPU for each "
					   "process");
	if (want->wall_time)
		mechanism(&p, "wall_time_ms", "supervisor timer");
	if (want->open_files)
		mechanism(&p, "open_files", "RLIMIT_NOFILE");
	if (want->file_size)
		mechanism(&p, "file_size", "RLIMIT_FSIZE");
	if (want->stack)
		mechanism(&p, "stack", "RLIMIT_STACK");
	if (want->output)
		mechanism(&p, "output", "pipe through the supervisor");
	return -err->code;
}

/* ---- watch ---- */

static uint64_t clamp(uint64_t v, uint64_t low, uint64_t high)
{
	return v < low ? low : v > high ? high : v;
}

/* The earliest time at which the limit can be reached, however fast the sandbox grows. */
static uint64_t next_memory_look(const struct sg_limiter *x, uint64_t used)
{
	uint64_t room = x->want.memory > used ? x->want.memory - used : 0;

	return clamp(room / (GROWTH * x->online) * MS, LOOK_MEMORY_MIN, LOOK_MEMORY_MAX);
}

static uint64_t next_cpu_look(const struct sg_limiter *x, uint64_t used_ns)
{
	uint64_t limit = x->want.cpu_time * MS, room = limit > used_ns ? limit - used_ns : 0;

	return clamp(room / x->online, LOOK_CPU_MIN, UINT64_MAX / 4);
}

void sg_limiter_start(struct sg_limiter *x, uint64_t now_ns)
{
	long n = 0;

	if (x->want.wall_time)
		x->wall_at = now_ns + x->want.wall_time * MS;
	if (x->memory_at || x->throttle || x->want.cpu_time)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	x->online = n > 0 ? (unsigned)n : 1;
	if (x->memory_at)
		x->memory_at = now_ns + next_memory_look(x, 0);
	if (x->want.cpu_time)
		x->cpu_at = now_ns + next_cpu_look(x, 0);
	if (x->throttle) {
		x->share_from_ns = now_ns;
		x->cpus_at = now_ns + SHARE_BURST;
	}
}

uint64_t sg_limiter_next(const struct sg_limiter *x)
{
	const uint64_t at[] = {x->wall_at, x->cpu_at, x->memory_at, x->cpus_at};
	uint64_t next = 0;

	for (size_t i = 0; i < SG_ARRAY_SIZE(at); i++)
		if (at[i] && (!next || at[i] < next))
			next = at[i];
	return next;
}

/*
 * Freezes the sandbox while it is ahead of its share and lets it go on when the share has caught up. What it does not
 * use it loses, but for a burst, as with cpu.max.
 */
static void check_share(struct sg_limiter *x, uint64_t now)
{
	uint64_t usage = sg_usage_cpu(x->members, &x->unseen), elapsed = now - x->share_from_ns, pause;
	uint64_t used = usage > x->share_from_usage ? usage - x->share_from_usage : 0;
	uint64_t share = elapsed * x->want.cpus / 1000;

	if (usage == UINT64_MAX) {
		x->cpus_at = now + SHARE_BURST;
		return;
	}
	if (used > share) {
		pause = (used - share) * 1000 / x->want.cpus;
		if (!x->frozen && put(x, "cgroup.freeze", "1") == 0)
			x->frozen = true;
		x->cpus_at = now + clamp(pause, MS, 1000 * MS);
		return;
	}
	if (x->frozen && put(x, "cgroup.freeze", "0") == 0)
		x->frozen = false;
	if (share - used > SHARE_BURST) {
		x->share_from_ns = now - SHARE_BURST * 1000 / x->want.cpus;
		x->share_from_usage = usage;
		share = SHARE_BURST;
		used = 0;
	}
	x->cpus_at = now + clamp((share - used) / x->online, 5 * MS, SHARE_BURST);
}

const char *sg_limiter_check(struct sg_limiter *x, uint64_t now, uint64_t *value)
{
	uint64_t used;

	if (x->wall_at && now >= x->wall_at) {
		*value = x->want.wall_time;
		return "wall_time";
	}
	if (x->cpu_at && now >= x->cpu_at) {
		used = sg_usage_cpu(x->members, &x->unseen);
		*value = x->want.cpu_time;
		if (used == UINT64_MAX && have_cgroup(x)) {
			/* The program has no part in that, and each of its processes has its own limit besides. */
			x->cpu_at = now + LOOK_CPU_UNSEEN;
		} else {
			if (used >= x->want.cpu_time * MS)
				return "cpu_time";
			x->cpu_at = now + next_cpu_look(x, used);
		}
	}
	if (x->memory_at && now >= x->memory_at &&
	    !sg_usage_memory(x->members, x->want.memory, &x->look, &used, &x->unseen)) {
		x->memory_at = now; /* it goes on as soon as all else has been seen to */
	} else if (x->memory_at && now >= x->memory_at) {
		if (used > x->peak_memory)
			x->peak_memory = used;
		*value = x->want.memory;
		if (used > x->want.memory)
			return "memory";
		x->memory_at = now + next_memory_look(x, used);
	}
	if (x->cpus_at && now >= x->cpus_at)
		check_share(x, now);
	return NULL;
}

/* ---- the end ---- */

bool sg_limiter_out_of_memory(const struct sg_limiter *x)
{
	char buf[512];

	return x->memory_max && sg_read_file(x->cg->dirfd, "memory.events", buf, sizeof(buf)) > 0 &&
	       sg_key_value(buf, "oom_kill ") > 0;
}

uint64_t sg_limiter_refused_forks(const struct sg_limiter *x)
{
	char buf[128];

	return x->pids_max && sg_read_file(x->cg->dirfd, "pids.events", buf, sizeof(buf)) > 0
		       ? sg_key_value(buf, "max ")
		       : 0;
}

void sg_limiter_used(const struct sg_limiter *x, struct sg_used *used)
{
	char buf[1024];

	if (x->peak_memory > used->peak_memory)
		used->peak_memory = x->peak_memory;
	if (!have_cgroup(x))
		return;
	if (sg_read_file(x->cg->dirfd, "cpu.stat", buf, sizeof(buf)) > 0 && sg_key_value(buf, "usage_usec ")) {
		used->cpu = sg_key_value(buf, "usage_usec ") * 1000;
		used->user = sg_key_value(buf, "user_usec ") * 1000;
		used->system = sg_key_value(buf, "system_usec ") * 1000;
	}
	if (x->cg->has_memory && sg_read_file(x->cg->dirfd, "memory.peak", buf, sizeof(buf)) > 0)
		used->peak_memory = strtoull(buf, NULL, 10);
	if (x->cg->has_pids && sg_read_file(x->cg->dirfd, "pids.peak", buf, sizeof(buf)) > 0)
		used->peak_pids = strtoull(buf, NULL, 10);
}
