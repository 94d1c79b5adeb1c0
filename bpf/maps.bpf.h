/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_MAPS_BPF_H
#define SG_MAPS_BPF_H

/*
 * Every map and every global of the object. User space (supervisor/bpf_maps.c) is the only writer of the configuration;
 * the programs write state and counters. Sizes given here are the smallest; the loader sets the real ones.
 */

/* The allowlist: one compiled policy per element. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_ruleset);
} sg_policies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} sg_events SEC(".maps");

/* Process state by thread id. Preallocated: tracing programs may not allocate. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_proc);
} sg_processes SEC(".maps");

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

/*
 * Working memory, too large for the stack. Map memory also allows an index that is not constant, which the stack does
 * only from 5.12 on. One element per program: they can interrupt each other, but none runs twice at once on a CPU.
 */
struct sg_scratch {
	struct sg_regs regs;
	__u64 args[8]; /* SG_ARGS, up to a power of two */
	union {
		struct sg_proc proc;
		struct sg_event_proc event_proc;
	};
	struct sg_event_syscall event;
};

enum {
	SG_SCRATCH_ENTER,
	SG_SCRATCH_SIGNAL,
	SG_SCRATCH_FORK,
	SG_SCRATCH_EXEC,
	SG_SCRATCH_EXIT,
	SG_SCRATCH_TEST,
	SG_SCRATCH_N,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SG_SCRATCH_N);
	__type(key, __u32);
	__type(value, struct sg_scratch);
} sg_scratch SEC(".maps");

/* Set before load. The verifier sees constants and drops the branches that a kernel cannot run. */
const volatile __u32 sg_has_task_btf = 0;     /* bpf_get_current_task_btf(), 5.11 */
const volatile __u32 sg_has_task_pt_regs = 0; /* bpf_task_pt_regs(), 5.15 */
const volatile __u32 sg_kill_by_exit = 0;     /* a seccomp kill is told from the exit code: before 5.16 */
const volatile __u32 sg_with_sys_exit = 0;    /* the sys_exit program is attached: outcomes come from there */
const volatile __u32 sg_with_procs = 0;       /* the process programs are attached */
const volatile __u32 sg_count_only = 0;       /* sys_enter counts what seccomp lets through, and judges nothing */
/*
 * Where there will be one sandbox, known before load: its depth and cgroup. Then there is neither table nor walk, and
 * little for the verifier to follow: 15 ms become 1. 0: any number, found in the table.
 */
const volatile __u32 sg_only_level = 0;
const volatile __u64 sg_only_cgroup = 0;

/*
 * The depths at which sandboxes sit, ascending, four bits each, 0 ends the list: read with one load, replaced with one
 * store. A sandbox inside a sandbox is judged by the outer one, which nothing inside can change.
 */
__u64 sg_levels = 0;

/* Violations that wait for sys_exit, on the whole host: while there are none, sys_exit costs one load. */
__u64 sg_pending = 0;

/* Cgroup id -> sandbox. One element, so that a walk is a few loads and no helper call; not made where sg_only_level. */
struct sg_slot_table {
	struct sg_slot slots[SG_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_slot_table);
} sg_slots SEC(".maps");

#endif
