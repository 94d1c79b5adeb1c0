/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_SHARED_BPF_H
#define SG_SHARED_BPF_H

/*
 * The maps that all objects share: made with the first object that is loaded, reused by the next. User space
 * (supervisor/bpf_maps.c) is the only writer of the configuration; the programs write state and counters. Sizes given
 * here are the smallest; the loader sets the real ones.
 */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} sg_events SEC(".maps");

/* Mapped into the supervisor: it changes single members while programs change others. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_sandbox);
} sg_sandboxes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_stats);
} sg_stats SEC(".maps");

/*
 * Who writes first_kill: inserting the sandbox's number succeeds exactly once. A compare-and-swap would do the same
 * from 5.12 on; 5.10 has none.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sg_claims SEC(".maps");

/* One element, so that a look-up is a few loads and no helper call; not made where sg_only_level. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_table);
} sg_slots SEC(".maps");

/*
 * Where there will be one sandbox, known before load: its depth and cgroup. Then there is neither table nor walk, and
 * little for the verifier to follow: 15 ms become 1. 0: any number, found in the table.
 */
const volatile __u32 sg_only_level = 0;
const volatile __u64 sg_only_cgroup = 0;

/* Set before load: bpf_get_current_ancestor_cgroup_id() may be called by tracing and LSM programs. */
const volatile __u32 sg_has_ancestor_id = 0;

#endif
