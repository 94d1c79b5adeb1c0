/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_SANDBOX_BPF_H
#define SG_SANDBOX_BPF_H

/* Which sandbox the running task is in, and its counters. */

#define SG_READ_ONCE(x) (*(const volatile typeof(x) *)&(x))

static __always_inline struct sg_sandbox *sg_sandbox_of(__u64 cgroup_id, __u32 *index)
{
	const struct sg_slot_table *table;
	__u32 at = sg_slot_hash(cgroup_id);
	__u32 i = 0;

	table = bpf_map_lookup_elem(&sg_slots, &i);
	if (!table)
		return NULL;
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

/* The sandbox of the running task, or NULL. The first thing that every program does: keep the way out short. */
static __always_inline struct sg_sandbox *sg_sandbox_current(__u32 *index)
{
	struct sg_sandbox *sb;
	__u64 levels;
	__u32 i;

	if (sg_only_level) {
		if (bpf_get_current_ancestor_cgroup_id((int)sg_only_level) != sg_only_cgroup)
			return NULL;
		*index = 0;
		sb = bpf_map_lookup_elem(&sg_sandboxes, index);
		/* registered, and not removed since */
		return sb && SG_READ_ONCE(sb->cgroup_id) == sg_only_cgroup ? sb : NULL;
	}
	levels = SG_READ_ONCE(sg_levels);
#pragma clang loop unroll(disable)
	for (i = 0; i < SG_MAX_LEVELS; i++) {
		__u32 level = levels & 15;
		__u64 id;

		if (level == 0)
			break;
		id = bpf_get_current_ancestor_cgroup_id(level);
		if (id == 0)
			break; /* the task sits higher up than this, and so than all deeper levels */
		sb = sg_sandbox_of(id, index);
		if (sb)
			return sb;
		levels >>= 4;
	}
	return NULL;
}

/* Atomic: the programs can interrupt each other on one CPU. */
#define SG_COUNT(index, member)                                                                                        \
	do {                                                                                                           \
		__u32 sg_key = (index);                                                                                \
		struct sg_stats *sg_st = bpf_map_lookup_elem(&sg_stats, &sg_key);                                      \
		if (sg_st)                                                                                             \
			__sync_fetch_and_add(&sg_st->member, 1);                                                       \
	} while (0)

static __always_inline struct sg_scratch *sg_scratch_get(__u32 which)
{
	return bpf_map_lookup_elem(&sg_scratch, &which);
}

#endif
