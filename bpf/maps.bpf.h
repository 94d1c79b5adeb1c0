/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_MAPS_BPF_H
#define SG_MAPS_BPF_H

/* The maps and globals of this object alone; those of all objects are in shared.bpf.h. */

/* The allowlist: one compiled policy per element. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_ruleset);
} sg_policies SEC(".maps");

/* Process state by thread id. Preallocated: tracing programs may not allocate. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_proc);
} sg_processes SEC(".maps");

/* File names of interpreters, without version digits -> language. See SG_SANDBOX_DISCOVER. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, char[SG_INTERPRETER_NAME]);
	__type(value, __u32);
} sg_interpreters SEC(".maps");

/* Language -> index into sg_policies, + 1. One store changes the policy of all processes of a language. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SG_MAX_LANGUAGES);
	__type(key, __u32);
	__type(value, __u32);
} sg_languages SEC(".maps");

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
	char name[SG_INTERPRETER_NAME];
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
const volatile __u32 sg_with_discover = 0;    /* sandboxes may have SG_SANDBOX_DISCOVER */
const volatile __u32 sg_count_only = 0;       /* sys_enter counts what seccomp lets through, and judges nothing */

/* Violations that wait for sys_exit, on the whole host: while there are none, sys_exit costs one load. */
__u64 sg_pending = 0;

static __always_inline struct sg_scratch *sg_scratch_get(__u32 which)
{
	return bpf_map_lookup_elem(&sg_scratch, &which);
}

#endif
