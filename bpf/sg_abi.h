/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#ifndef SG_ABI_H
#define SG_ABI_H

/*
 * The types that cross between BPF programs and user space, and nothing else.
 * Fixed-width members, named padding that is written as zero, no enums or bool in structs.
 * Every ring buffer record starts with struct sg_event_hdr; a reader checks the length it got, then size and version.
 */
#include "policy/ruleset.h"

#define SG_ABI_VERSION 1
#define SG_COMM_LEN 16
#define SG_MAX_SANDBOXES 4096
#define SG_MAX_POLICIES 64
#define SG_SLOTS 8192    /* open-addressed cgroup id -> sandbox table, power of two */
#define SG_SLOT_PROBE 8  /* longest walk; registration refuses rather than place an entry beyond it */
#define SG_MAX_LEVELS 16 /* a sandbox sits at a cgroup depth of 1 … SG_MAX_LEVELS - 1 */

enum sg_event_type {
	SG_EVENT_SYSCALL =
		1,         /* struct sg_event_syscall: a decision of sys_enter, or a seccomp kill that was observed */
	SG_EVENT_EXEC = 2, /* struct sg_event_proc */
	SG_EVENT_EXIT = 3, /* struct sg_event_proc */
};

/* Which mechanism stopped or saw the call. */
enum sg_layer {
	SG_LAYER_SECCOMP = 1,
	SG_LAYER_SYS_ENTER = 2,
	SG_LAYER_LSM = 3,
	SG_LAYER_LANDLOCK = 4,
};

enum sg_abi_kind {
	SG_ABI_NATIVE = 1, /* x86_64, aarch64 */
	SG_ABI_COMPAT = 2, /* i386, arm */
	SG_ABI_X32 = 3,
};

struct sg_event_hdr {
	__u16 size; /* of the whole record */
	__u8 version;
	__u8 type;
	__u32 sandbox;   /* index of the sandbox */
	__u64 cgroup_id; /* the sandbox's cgroup, not the child cgroup the task may be in */
	__u64 time_ns;   /* CLOCK_BOOTTIME where the kernel offers it to programs, else CLOCK_MONOTONIC */
	__u32 pid;       /* thread id, in the initial pid namespace */
	__u32 tgid;
	__u32 uid;
	__u32 gid;
	char comm[SG_COMM_LEN];
};

struct sg_event_syscall {
	struct sg_event_hdr hdr;
	__u32 nr;
	__u32 audit_arch; /* AUDIT_ARCH_*; 0 when not known */
	__u8 abi;         /* enum sg_abi_kind */
	__u8 action;      /* enum sg_action */
	__u8 layer;       /* enum sg_layer */
	__u8 outcome;     /* enum sg_outcome */
	__u16 err;
	__u8 violation; /* 1: action AUDIT stands in for a kill or errno, because the sandbox does not ENFORCE */
	__u8 pad;
	__u32 origin;    /* rule, see struct sg_decision; always UNLISTED where seccomp decided */
	__s32 signal_rc; /* what bpf_send_signal answered; 0 when delivered or not used */
	__s64 ret;       /* the call's return value where outcome is RETURNED */
	__u64 args[SG_ARGS];
	__u64 ip;
};

/* What is known of the call's body at the time of the record. */
enum sg_outcome {
	SG_OUTCOME_UNKNOWN = 0,   /* it may have taken effect */
	SG_OUTCOME_PREVENTED = 1, /* the kernel never ran it */
	SG_OUTCOME_RETURNED = 2,  /* it ran; ret says what it answered */
};

struct sg_event_proc {
	struct sg_event_hdr hdr;
	__u32 ppid;
	__s32 exit_code; /* wait(2) status, EXIT only */
	char path[128];  /* EXEC only: start of the file name, terminated */
};

/* Sandbox configuration and state, one array element each. Written by user space before the slot is published. */
#define SG_SANDBOX_ENFORCE (1U << 0)   /* kill on violation; else record only */
#define SG_SANDBOX_SYS_ENTER (1U << 1) /* sys_enter decides (attached sandboxes, --seccomp off, audit) */
#define SG_SANDBOX_SECCOMP (1U << 2)   /* a seccomp filter is the brake: sys_enter only records what it sees */
#define SG_SANDBOX_ARM_ON_EXEC                                                                                         \
	(1U << 3)                  /* not judged until its first execve has succeeded (the launcher's own set-up) */
#define SG_SANDBOX_COUNT (1U << 4) /* count calls (--stats) */
#define SG_SANDBOX_PROC_EVENTS (1U << 5) /* send EXEC and EXIT records */
#define SG_SANDBOX_FLAGS ((1U << 6) - 1) /* all there are */

struct sg_sandbox {
	__u64 cgroup_id;
	__u32 flags;
	__u32 policy;                       /* index into the policies map */
	__u32 self;                         /* pid of the first process; 0 when unknown */
	__u32 armed;                        /* set by sched_process_exec for ARM_ON_EXEC */
	__u32 killed;                       /* 1 once first_kill is being written, 2 when it is complete */
	__u32 tasks;                        /* tasks alive, by fork and exit; only while those programs are attached */
	struct sg_event_syscall first_kill; /* the violation that killed: here whatever the ring buffer does */
};

struct sg_slot {
	__u64 cgroup_id; /* 0: empty, ~0: deleted */
	__u32 sandbox;
	__u32 pad;
};

/* Where the walk for a cgroup id starts. Neighbouring ids land far apart (Fibonacci hashing, 13 bits for SG_SLOTS). */
static inline __attribute__((always_inline)) __u32 sg_slot_hash(__u64 cgroup_id)
{
	return (__u32)((cgroup_id * 0x9e3779b97f4a7c15ULL) >> (64 - 13));
}

/* Per-CPU, one element per sandbox. */
struct sg_stats {
	__u64 total;          /* calls judged: the sum of the next three, made by sg_bpf_stats(); 0 in the map itself */
	__u64 allowed;        /* counted with SG_SANDBOX_COUNT only; includes those that an `audit` rule recorded */
	__u64 denied;         /* recorded in place of a kill or errno: the sandbox does not ENFORCE */
	__u64 violations;     /* killed: by sys_enter, or by seccomp and observed */
	__u64 events_dropped; /* records that found no room in the ring buffer */
	__u64 events_sent;
	__u64 signal_failed; /* bpf_send_signal answered an error */
	__u64 helper_failed; /* a read of a register set or a map update failed: the call was treated as forbidden */
	__u64 procs_full;    /* the process map had no room */
};

/* Process state: one entry per task of a sandbox, while the fork and exit programs are attached. */
struct sg_proc {
	__u32 tgid;
	__u32 uid;
	__u32 sandbox;
	__u32 violations;
	__u64 start_ns;
	__u32 pending; /* a violation waits for its outcome in sys_exit */
	__u32 pad;
	char comm[SG_COMM_LEN];
	struct sg_event_syscall event; /* the pending one */
};

#endif
