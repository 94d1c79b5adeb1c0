/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_SANDBOX_BPF_H
#define SG_SANDBOX_BPF_H

/* Which sandbox the running task is in, and its counters. */

#define SG_READ_ONCE(x) (*(const volatile typeof(x) *)&(x))

/* The id of a cgroup's ancestor at this depth; 0: it sits higher up, or cannot be read. Reads by address. */
static __always_inline __u64 sg_cgroup_ancestor(struct cgroup___ids *cgrp, __u32 level)
{
	struct cgroup *now = (struct cgroup *)cgrp, *ancestor = NULL;
	__u64 id = 0, offset = (level & 63) * sizeof(id);
	struct kernfs_node *kn = NULL;
	int depth = 0;

	if (!cgrp || bpf_core_read(&depth, sizeof(depth), &cgrp->level) || (int)level > depth)
		return 0;
	if (bpf_core_field_exists(now->ancestors)) {
		if (bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
					  (const void *)now + bpf_core_field_offset(struct cgroup, ancestors) +
						  offset) ||
		    bpf_core_read(&kn, sizeof(kn), &ancestor->kn) || bpf_core_read(&id, sizeof(id), &kn->id))
			return 0;
	} else if (bpf_core_field_exists(cgrp->ancestor_ids)) {
		if (bpf_probe_read_kernel(&id, sizeof(id),
					  (const void *)cgrp +
						  bpf_core_field_offset(struct cgroup___ids, ancestor_ids) + offset))
			return 0;
	}
	return id;
}

static __always_inline struct cgroup___ids *sg_task_cgroup(const void *p)
{
	const struct task_struct___cgroups *task = p;
	struct cgroup___ids *cgrp = NULL;
	struct css_set *css = NULL;

	if (bpf_core_read(&css, sizeof(css), &task->cgroups) || bpf_core_read(&cgrp, sizeof(cgrp), &css->dfl_cgrp))
		return NULL;
	return cgrp;
}

/* The cgroup at this depth that the running task is in or below; 0: it sits higher up. */
static __always_inline __u64 sg_ancestor_id(__u32 level)
{
	if (sg_has_ancestor_id)
		return bpf_get_current_ancestor_cgroup_id((int)level);
	return sg_cgroup_ancestor(sg_task_cgroup((const void *)bpf_get_current_task()), level);
}

static __always_inline struct sg_sandbox *sg_sandbox_of(const struct sg_table *table, __u64 cgroup_id, __u32 *index)
{
	__u32 at = sg_slot_hash(cgroup_id);
	__u32 i;

	for (i = 0; i < SG_SLOT_PROBE; i++) {
		const struct sg_slot *s = &table->slots[(at + i) & (SG_SLOTS - 1)];
		__u64 id = SG_READ_ONCE(s->cgroup_id);

		if (id == cgroup_id) {
			struct sg_sandbox *sb;
			__u32 n = SG_READ_ONCE(s->sandbox);

			sb = bpf_map_lookup_elem(&sg_sandboxes, &n);
			/* the slot may have been given away between the two reads */
			if (!sb || SG_READ_ONCE(sb->cgroup_id) != cgroup_id)
				return NULL;
			*index = n;
			return sb;
		}
		if (id == 0)
			return NULL;
	}
	return NULL;
}

#ifdef SG_SANDBOX_APART
/*
 * For an object of many programs: not static and not inlined, so that the verifier takes it for a function of its own,
 * and does not follow it once for each depth. The sandbox's number and one; 0: none.
 */
__noinline int sg_sandbox_number(__u64 cgroup_id)
{
	const struct sg_table *table;
	__u32 index = 0;

	if (sg_only_level)
		return 0; /* there is no table */
	table = bpf_map_lookup_elem(&sg_slots, &index);
	return table && sg_sandbox_of(table, cgroup_id, &index) ? (int)index + 1 : 0;
}

typedef int sg_found; /* pointers do not pass from such a function to another */
#define SG_FIND(table, id, index) sg_sandbox_number(id)
#else
typedef struct sg_sandbox *sg_found;
#define SG_FIND(table, id, index) sg_sandbox_of(table, id, index)
#endif

/* In the table: the sandbox that the running task is in. */
static __always_inline sg_found sg_sandbox_search(__u32 *index)
{
	const struct sg_table *table;
	sg_found found;
	__u64 levels;
	__u32 i = 0;

	(void)index;
	if (sg_only_level)
		return 0;
	table = bpf_map_lookup_elem(&sg_slots, &i);
	if (!table)
		return 0;
	levels = SG_READ_ONCE(table->levels);
#pragma clang loop unroll(disable)
	for (i = 0; i < SG_MAX_LEVELS; i++) {
		__u32 level = levels & 15;
		__u64 id;

		if (level == 0)
			break;
		id = sg_ancestor_id(level);
		if (id == 0)
			break; /* the task sits higher up than this, and so than all deeper levels */
		found = SG_FIND(table, id, index);
		if (found)
			return found;
		levels >>= 4;
	}
	return 0;
}

#ifdef SG_SANDBOX_APART
__noinline int sg_sandbox_searched(void)
{
	return sg_sandbox_search(NULL);
}

/*
 * Whether the search will find nothing, for most of what runs on a host: all sandboxes sit at one depth, and where the
 * walk for the cgroup there would start is nothing.
 * 0: only the search can tell. In line, because a call costs as much as this saves.
 */
static __always_inline int sg_sandbox_outside(void)
{
	const struct sg_table *table;
	__u64 levels, id;
	__u32 key = 0;

	if (!sg_has_ancestor_id)
		return 0;
	table = bpf_map_lookup_elem(&sg_slots, &key);
	if (!table)
		return 0;
	levels = SG_READ_ONCE(table->levels);
	if (levels > 15)
		return 0;
	id = bpf_get_current_ancestor_cgroup_id((int)levels);
	return !SG_READ_ONCE(table->slots[sg_slot_hash(id) & (SG_SLOTS - 1)].cgroup_id);
}
#endif

/* The sandbox of the running task, or NULL. The first thing that every program does: keep the way out short. */
static __always_inline struct sg_sandbox *sg_sandbox_current(__u32 *index)
{
	/* Read once: each read is an instruction, whatever the verifier knows of the value. */
	const __u32 only_level = sg_only_level;
	struct sg_sandbox *sb;

	if (only_level) {
		if (sg_ancestor_id(only_level) != sg_only_cgroup)
			return NULL;
		*index = 0;
		sb = bpf_map_lookup_elem(&sg_sandboxes, index);
		/* registered, and not removed since */
		return sb && SG_READ_ONCE(sb->cgroup_id) == sg_only_cgroup ? sb : NULL;
	}
#ifdef SG_SANDBOX_APART
	if (sg_sandbox_outside())
		return NULL;
	*index = (__u32)sg_sandbox_searched();
	asm volatile("" : "+r"(*index));
	if (*index == 0)
		return NULL;
	*index -= 1;
	return bpf_map_lookup_elem(&sg_sandboxes, index);
#else
	return sg_sandbox_search(index);
#endif
}

/* Atomic: the programs can interrupt each other on one CPU. */
#ifdef SG_SANDBOX_APART
__noinline int sg_count(__u32 index, __u32 at)
{
	__u64 *st = bpf_map_lookup_elem(&sg_stats, &index);

	if (st && at < sizeof(struct sg_stats) / sizeof(*st))
		__sync_fetch_and_add(st + at, 1);
	return 0;
}
#define SG_COUNT(index, member) sg_count(index, __builtin_offsetof(struct sg_stats, member) / sizeof(__u64))
#else
#define SG_COUNT(index, member)                                                                                        \
	do {                                                                                                           \
		__u32 sg_key = (index);                                                                                \
		struct sg_stats *sg_st = bpf_map_lookup_elem(&sg_stats, &sg_key);                                      \
		if (sg_st)                                                                                             \
			__sync_fetch_and_add(&sg_st->member, 1);                                                       \
	} while (0)
#endif

#endif
