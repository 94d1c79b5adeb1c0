// SPDX-License-Identifier: Apache-2.0
/* The only writer of policies, sandboxes and the cgroup table. */
#include "supervisor/bpf_priv.h"
#include "bpf/sg.skel.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAIT_US 20000 /* a program takes microseconds */
#define SLOT_EMPTY 0ULL
#define SLOT_DELETED (~0ULL)
#define SANDBOX_NEEDS_SYS_ENTER                                                                                        \
	(SG_SANDBOX_SYS_ENTER | SG_SANDBOX_ARM_ON_EXEC | SG_SANDBOX_COUNT | SG_SANDBOX_PROC_EVENTS)

int sg_bpf_maps_open(struct sg_bpf *b, struct sg_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at;

	b->cpus = libbpf_num_possible_cpus();
	if (b->cpus <= 0)
		return sg_err_set(err, b->cpus ? -b->cpus : EINVAL, "cannot tell the number of processors");
	b->used = calloc(b->max_sandboxes, sizeof(*b->used));
	b->level = calloc(b->max_sandboxes, sizeof(*b->level));
	if (!b->used || !b->level)
		return sg_err_set(err, ENOMEM, "out of memory");
	b->sandboxes_size = (b->max_sandboxes * sizeof(*b->sandboxes) + page - 1) / page * page;
	at = mmap(NULL, b->sandboxes_size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(b->skel->maps.sg_sandboxes),
		  0);
	if (at == MAP_FAILED)
		return sg_err_set(err, errno, "cannot map the table of sandboxes: %s", strerror(errno));
	b->sandboxes = at;
	if (b->only_cgroup)
		return 0;
	at = mmap(NULL, sizeof(*b->table), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(b->skel->maps.sg_slots), 0);
	if (at == MAP_FAILED)
		return sg_err_set(err, errno, "cannot map the table of cgroups: %s", strerror(errno));
	b->table = at;
	return 0;
}

static int index_check(const struct sg_bpf *b, uint32_t index, struct sg_err *err)
{
	if (index >= b->max_sandboxes || !b->used[index])
		return sg_err_set(err, ENOENT, "no sandbox has the number %u", index);
	return 0;
}

int sg_bpf_set_policy(struct sg_bpf *b, uint32_t index, const struct sg_ruleset *rs, struct sg_err *err)
{
	if (rs->size != sizeof(*rs) || rs->version != SG_RULESET_VERSION)
		return sg_err_set(err, EINVAL, "a compiled policy of another version (size %u, version %u)", rs->size,
				  rs->version);
	if (index >= b->max_policies)
		return sg_err_set(err, EINVAL, "policy number %u: there is room for %u", index, b->max_policies);
	if (!(b->programs & SG_BPF_SYS_ENTER))
		return 0;
	if (bpf_map__update_elem(b->skel->maps.sg_policies, &index, sizeof(index), rs, sizeof(*rs), BPF_ANY))
		return sg_err_set(err, errno, "cannot hand policy %u to the kernel: %s", index, strerror(errno));
	return 0;
}

/* The depths in use, ascending, as the programs read them: see struct sg_table. */
static void levels_publish(struct sg_bpf *b)
{
	uint64_t packed = 0;
	unsigned shift = 0;
	uint32_t level;

	for (level = 1; level < SG_MAX_LEVELS; level++) {
		if (!b->level_users[level])
			continue;
		packed |= (uint64_t)level << shift;
		shift += 4;
	}
	__atomic_store_n(&b->table->levels, packed, __ATOMIC_RELEASE);
}

static struct sg_slot *slot_at(struct sg_bpf *b, uint64_t cgroup_id, uint32_t step)
{
	return &b->table->slots[(sg_slot_hash(cgroup_id) + step) & (SG_SLOTS - 1)];
}

static struct sg_slot *slot_find(struct sg_bpf *b, uint64_t cgroup_id)
{
	uint32_t i;

	for (i = 0; i < SG_SLOT_PROBE; i++) {
		struct sg_slot *s = slot_at(b, cgroup_id, i);

		if (s->cgroup_id == cgroup_id)
			return s;
		if (s->cgroup_id == SLOT_EMPTY)
			break;
	}
	return NULL;
}

static struct sg_slot *slot_free(struct sg_bpf *b, uint64_t cgroup_id)
{
	uint32_t i;

	for (i = 0; i < SG_SLOT_PROBE; i++) {
		struct sg_slot *s = slot_at(b, cgroup_id, i);

		if (s->cgroup_id == SLOT_EMPTY || s->cgroup_id == SLOT_DELETED)
			return s;
	}
	return NULL;
}

/* Whether a program that looks for some sandbox comes past this slot. */
static bool slot_passed(const struct sg_bpf *b, uint32_t at)
{
	for (uint32_t i = 1; i < SG_SLOT_PROBE; i++) {
		uint32_t beyond = (at + i) & (SG_SLOTS - 1);
		uint64_t id = b->table->slots[beyond].cgroup_id;

		if (id != SLOT_EMPTY && id != SLOT_DELETED && ((beyond - sg_slot_hash(id)) & (SG_SLOTS - 1)) >= i)
			return true;
	}
	return false;
}

/*
 * Of a slot and those before it, makes those empty again that were only marked as deleted, because something might lie
 * beyond: at one that is empty the programs know at once that a task is in no sandbox, as nearly all of a host are.
 */
static void slots_settle(struct sg_bpf *b, uint32_t last)
{
	for (uint32_t i = 0; i < SG_SLOT_PROBE; i++) {
		uint32_t at = (last - i) & (SG_SLOTS - 1);
		struct sg_slot *s = &b->table->slots[at];

		if (s->cgroup_id == SLOT_DELETED && !slot_passed(b, at))
			__atomic_store_n(&s->cgroup_id, SLOT_EMPTY, __ATOMIC_RELEASE);
	}
}

static void slot_delete(struct sg_bpf *b, struct sg_slot *s)
{
	__atomic_store_n(&s->cgroup_id, SLOT_DELETED, __ATOMIC_RELEASE);
	slots_settle(b, (uint32_t)(s - b->table->slots));
}

static int sandbox_check(const struct sg_bpf *b, const struct sg_sandbox *cfg, uint32_t level, struct sg_err *err)
{
	uint32_t needs_enter = cfg->flags & SANDBOX_NEEDS_SYS_ENTER;

	if (cfg->cgroup_id == SLOT_EMPTY || cfg->cgroup_id == SLOT_DELETED)
		return sg_err_set(err, EINVAL, "%llu is not the id of a cgroup", (unsigned long long)cfg->cgroup_id);
	if (level == 0)
		return sg_bpf_no_depth(err);
	if (level >= SG_MAX_LEVELS)
		return sg_err_set(err, EINVAL, "a cgroup at depth %u cannot be a sandbox: 1 to %u", level,
				  SG_MAX_LEVELS - 1);
	if (cfg->flags & SG_SANDBOX_LSM)
		return sg_err_set(err, EINVAL, "object rules are turned on by sg_bpf_set_objects()");
	if (cfg->flags & ~SG_SANDBOX_FLAGS)
		return sg_err_set(err, EINVAL, "unknown sandbox flags %#x", cfg->flags & ~SG_SANDBOX_FLAGS);
	if (b->lsm) /* its programs arm a sandbox too */
		needs_enter &= ~SG_SANDBOX_ARM_ON_EXEC;
	if (needs_enter && !(b->programs & SG_BPF_SYS_ENTER))
		return sg_err_set(err, EINVAL, "sandbox flags %#x need the sys_enter program, which is not loaded",
				  needs_enter);
	if (b->count_only && !(cfg->flags & SG_SANDBOX_SECCOMP))
		return sg_err_set(err, EINVAL,
				  "the programs only count: a sandbox without a seccomp filter needs more");
	if (cfg->policy >= b->max_policies)
		return sg_err_set(err, EINVAL, "policy number %u: there is room for %u", cfg->policy, b->max_policies);
	if (b->only_cgroup && (cfg->cgroup_id != b->only_cgroup || level != b->only_level))
		return sg_err_set(err, EINVAL, "the programs were loaded for cgroup %llu at depth %u only",
				  (unsigned long long)b->only_cgroup, b->only_level);
	return 0;
}

int sg_bpf_add_sandbox(struct sg_bpf *b, const struct sg_sandbox *cfg, uint32_t level, uint32_t *index,
		       struct sg_err *err)
{
	struct sg_stats *zero;
	struct sg_sandbox *sb;
	struct sg_slot *slot;
	uint32_t n;
	int rc;

	rc = sandbox_check(b, cfg, level, err);
	if (rc)
		return rc;
	if (b->only_cgroup ? b->used[0] : !!slot_find(b, cfg->cgroup_id))
		return sg_err_set(err, EEXIST, "cgroup %llu is a sandbox already", (unsigned long long)cfg->cgroup_id);
	for (n = 0; n < b->max_sandboxes && b->used[n]; n++)
		;
	if (n == b->max_sandboxes)
		return sg_err_set(err, ENOSPC, "all %u places for sandboxes are taken", b->max_sandboxes);
	slot = b->table ? slot_free(b, cfg->cgroup_id) : NULL;
	if (b->table && !slot)
		return sg_err_set(err, ENOSPC,
				  "no room for cgroup %llu: %u sandboxes share its neighbourhood in the table",
				  (unsigned long long)cfg->cgroup_id, SG_SLOT_PROBE);
	zero = calloc((size_t)b->cpus, sizeof(*zero));
	if (!zero)
		return sg_err_set(err, ENOMEM, "out of memory");
	rc = bpf_map__update_elem(b->skel->maps.sg_stats, &n, sizeof(n), zero, (size_t)b->cpus * sizeof(*zero),
				  BPF_ANY);
	free(zero);
	if (rc)
		return sg_err_set(err, -rc, "cannot reset the counters of sandbox %u: %s", n, strerror(-rc));

	sb = &b->sandboxes[n];
	memset(sb, 0, sizeof(*sb));
	sb->flags = cfg->flags;
	sb->policy = cfg->policy;
	sb->self = cfg->self;
	/* a program that sees the id must find everything else in place */
	__atomic_store_n(&sb->cgroup_id, cfg->cgroup_id, __ATOMIC_RELEASE);
	if (slot) {
		__atomic_store_n(&slot->sandbox, n, __ATOMIC_RELEASE);
		__atomic_store_n(&slot->cgroup_id, cfg->cgroup_id, __ATOMIC_RELEASE);
	}
	b->used[n] = true;
	b->level[n] = level;
	if (slot && b->level_users[level]++ == 0)
		levels_publish(b);
	*index = n;
	return 0;
}

int sg_bpf_switch_policy(struct sg_bpf *b, uint32_t index, uint32_t policy, struct sg_err *err)
{
	int rc = index_check(b, index, err);

	if (rc == 0 && policy >= b->max_policies)
		rc = sg_err_set(err, EINVAL, "policy number %u: there is room for %u", policy, b->max_policies);
	if (rc == 0)
		__atomic_store_n(&b->sandboxes[index].policy, policy, __ATOMIC_RELEASE);
	return rc;
}

int sg_bpf_set_self(struct sg_bpf *b, uint32_t index, uint32_t pid, struct sg_err *err)
{
	int rc = index_check(b, index, err);

	if (rc == 0)
		__atomic_store_n(&b->sandboxes[index].self, pid, __ATOMIC_RELEASE);
	return rc;
}

/* Entries of tasks that are still alive would count as members of whoever gets the number next. */
static void processes_forget(struct sg_bpf *b, uint32_t index)
{
	const struct bpf_map *map = b->skel->maps.sg_processes;
	uint32_t key = 0, next, *prev = NULL;
	struct sg_proc proc;
	bool remove = false;

	while (bpf_map__get_next_key(map, prev, &next, sizeof(next)) == 0) {
		if (remove)
			bpf_map__delete_elem(map, &key, sizeof(key), 0);
		key = next;
		prev = &key;
		remove = bpf_map__lookup_elem(map, &key, sizeof(key), &proc, sizeof(proc), 0) == 0 &&
			 proc.sandbox == index;
	}
	if (remove)
		bpf_map__delete_elem(map, &key, sizeof(key), 0);
}

int sg_bpf_adopt(struct sg_bpf *b, struct sg_bpf_known *known, size_t n, struct sg_err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct sg_bpf_known *k = &known[i];

		k->found = k->index < b->max_sandboxes && !b->used[k->index] && k->level > 0 &&
			   k->level < SG_MAX_LEVELS && k->cgroup_id &&
			   b->sandboxes[k->index].cgroup_id == k->cgroup_id && slot_find(b, k->cgroup_id) &&
			   /* rules of another version are as good as none */
			   !((b->sandboxes[k->index].flags & SG_SANDBOX_LSM) && b->lsm && !b->lsm->adopted);
		if (!k->found)
			continue;
		b->used[k->index] = true;
		b->level[k->index] = k->level;
		b->level_users[k->level]++;
	}
	/* Only now: a depth that is missing from the list for a moment would be a moment without enforcement. */
	levels_publish(b);
	for (uint32_t index = 0; index < b->max_sandboxes; index++) {
		uint64_t id = b->sandboxes[index].cgroup_id;
		struct sg_slot *slot;

		if (b->used[index] || !id)
			continue;
		slot = slot_find(b, id);
		if (slot)
			slot_delete(b, slot);
		bpf_map__delete_elem(b->skel->maps.sg_claims, &index, sizeof(index), 0);
		memset(&b->sandboxes[index], 0, sizeof(b->sandboxes[index]));
	}
	for (uint32_t at = 0; at < SG_SLOTS; at += SG_SLOT_PROBE) /* of a supervisor that did not */
		slots_settle(b, at + SG_SLOT_PROBE - 1);
	return b->lsm ? sg_bpf_objects_adopt(b, err) : 0;
}

/*
 * Until no program runs that could have found the sandbox: they run within read-side sections of RCU, and the barrier
 * waits for those of all processors. It is not to be had where some processors have no tick.
 */
static void programs_wait(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		(void)usleep(WAIT_US);
}

int sg_bpf_remove_sandbox(struct sg_bpf *b, uint32_t index, bool populated, struct sg_err *err)
{
	struct sg_sandbox *sb;
	struct sg_slot *slot;
	int rc = index_check(b, index, err);

	if (rc)
		return rc;
	sb = &b->sandboxes[index];
	/* first, so that a program on its way judges by whole rules, or nothing */
	__atomic_store_n(&sb->flags, 0, __ATOMIC_SEQ_CST);
	slot = b->table ? slot_find(b, sb->cgroup_id) : NULL;
	if (slot)
		slot_delete(b, slot);
	__atomic_store_n(&sb->cgroup_id, 0, __ATOMIC_RELEASE);
	if (b->table && --b->level_users[b->level[index]] == 0)
		levels_publish(b);
	if (populated)
		programs_wait();
	/* A walk through those of every sandbox. Of one whose last task has ended, and was seen to end, none is left.
	 */
	if ((b->programs & SG_BPF_SYS_ENTER) && (populated || __atomic_load_n(&sb->tasks, __ATOMIC_ACQUIRE)))
		processes_forget(b, index);
	if (b->lsm)
		sg_bpf_objects_drop(b, index);
	bpf_map__delete_elem(b->skel->maps.sg_claims, &index, sizeof(index), 0);
	memset(sb, 0, sizeof(*sb));
	b->used[index] = false;
	return 0;
}

int sg_bpf_sandbox_state(const struct sg_bpf *b, uint32_t index, struct sg_sandbox *out, struct sg_err *err)
{
	int rc = index_check(b, index, err);
	uint32_t killed;

	if (rc)
		return rc;
	/* read first, so that 2 vouches for the whole of first_kill */
	killed = __atomic_load_n(&b->sandboxes[index].killed, __ATOMIC_ACQUIRE);
	memcpy(out, &b->sandboxes[index], sizeof(*out));
	out->killed = killed;
	return 0;
}

int sg_bpf_stats(const struct sg_bpf *b, uint32_t index, struct sg_stats *out, struct sg_err *err)
{
	struct sg_stats sum = {}, *per_cpu;
	int cpu, rc = index_check(b, index, err);

	if (rc)
		return rc;
	per_cpu = calloc((size_t)b->cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return sg_err_set(err, ENOMEM, "out of memory");
	rc = bpf_map__lookup_elem(b->skel->maps.sg_stats, &index, sizeof(index), per_cpu,
				  (size_t)b->cpus * sizeof(*per_cpu), 0);
	for (cpu = 0; rc == 0 && cpu < b->cpus; cpu++) {
		const uint64_t *from = (const uint64_t *)&per_cpu[cpu];
		uint64_t *to = (uint64_t *)&sum;
		size_t i;

		for (i = 0; i < sizeof(sum) / sizeof(*to); i++)
			to[i] += from[i];
	}
	free(per_cpu);
	if (rc)
		return sg_err_set(err, -rc, "cannot read the counters of sandbox %u: %s", index, strerror(-rc));
	sum.total = sum.allowed + sum.denied + sum.violations;
	*out = sum;
	return 0;
}
