/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#ifndef SG_ABI_H
#define SG_ABI_H

/*
 * The types that cross between BPF programs and user space, and nothing else.
 * Fixed-width members, named padding that is written as zero, no enums or bool in structs.
 * Every ring buffer record starts with struct sg_event_hdr; a reader checks the length it got, then size and version.
 */
#include "policy/objects.h"
#include "policy/ruleset.h"

#define SG_ABI_VERSION 1
#define SG_COMM_LEN 16
#define SG_MAX_SANDBOXES 4096
#define SG_MAX_POLICIES 64
#define SG_MAX_LANGUAGES 32    /* that sandboxes with SG_SANDBOX_DISCOVER tell apart */
#define SG_INTERPRETER_NAME 16 /* bytes of an interpreter's file name, zero-padded; version digits left out */
#define SG_SLOTS 8192          /* open-addressed cgroup id -> sandbox table, power of two */
#define SG_SLOT_PROBE 8        /* longest walk; registration refuses rather than place an entry beyond it */
#define SG_MAX_LEVELS 16       /* a sandbox sits at a cgroup depth of 1 … SG_MAX_LEVELS - 1 */

enum sg_event_type {
	SG_EVENT_SYSCALL =
		1,           /* struct sg_event_syscall: a decision of sys_enter, or a seccomp kill that was observed */
	SG_EVENT_EXEC = 2,   /* struct sg_event_proc */
	SG_EVENT_EXIT = 3,   /* struct sg_event_proc */
	SG_EVENT_OBJECT = 4, /* struct sg_event_object: a decision of an LSM program */
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
	__u8 violation;  /* 1: action AUDIT stands in for a kill or errno, because the sandbox does not ENFORCE */
	__u8 language;   /* number + 1 of the language whose policy judged; 0: the sandbox's own policy did */
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

/* What struct sg_event_object speaks of. */
enum sg_object_kind {
	SG_OBJECT_NONE = 0,
	SG_OBJECT_FILE = 1,    /* dev, ino, names */
	SG_OBJECT_ADDRESS = 2, /* family, proto, op, port, addr */
	SG_OBJECT_PROCESS = 3, /* target; number: the signal, where one was sent */
	SG_OBJECT_NUMBER = 4,  /* number: a capability, an address family, a command … as the hook has it */
	SG_OBJECT_UNIX = 5,    /* names: an abstract address (without its leading zero byte); or as for FILE */
};

#define SG_CUT_DEPTH (1U << 0) /* names ends before the root of the file system */
#define SG_CUT_NAME (1U << 1)  /* a component was longer than SG_NAME_BYTES - 1 */
#define SG_NAMES_BYTES 384
#define SG_NAME_BYTES 128
#define SG_NAMES_MAX 24

struct sg_event_object {
	struct sg_event_hdr hdr;
	__u32 right;     /* SG_RIGHT_* that was missing, 0: not a matter of a tree */
	__u32 origin;    /* rule: of the tree, else of the class */
	__u16 cls;       /* enum sg_class */
	__u16 err;       /* answered, 0: not refused */
	__u8 action;     /* SG_ACTION_KILL, _ERRNO, _AUDIT */
	__u8 hook;       /* enum sg_hook */
	__u8 kind;       /* enum sg_object_kind */
	__u8 violation;  /* 1: action AUDIT stands in for a kill or errno, because the sandbox does not ENFORCE */
	__s32 signal_rc; /* what bpf_send_signal answered */
	__s32 nr;        /* system call in progress, -1: none or not known */
	__u64 dev;       /* of the file system, as the kernel has it: major << 20 | minor */
	__u64 ino;
	__u64 number;
	__u32 target; /* process id, in the initial pid namespace */
	__u16 family; /* AF_* */
	__u16 port;   /* host order */
	__u8 addr[16];
	__u8 proto; /* SG_NET_TCP, SG_NET_UDP, 0 */
	__u8 op;    /* SG_NET_CONNECT, SG_NET_BIND */
	__u8 cut;   /* SG_CUT_* */
	__u8 abi;   /* enum sg_abi_kind of nr */
	__u32 names_len;
	char names[SG_NAMES_BYTES]; /* components of the path within its file system, innermost first, each terminated
				     */
};

/* number, where a socket's option chooses the way of its packets: the level and the option. 0xffff: too many to look */
#define SG_ROUTE(level, option) ((__u32)(level) << 8 | (__u32)(option))
#define SG_ROUTE_UNKNOWN 0xffff
#define SG_IPPROTO_IP 0
#define SG_IP_OPTIONS 4
#define SG_IP_RETOPTS 7
#define SG_IPPROTO_IPV6 41
#define SG_IPV6_2292RTHDR 5
#define SG_IPV6_2292PKTOPTIONS 6
#define SG_IPV6_FLOWLABEL_MGR 32
#define SG_IPV6_RTHDR 57

#define SG_OBJECT_HEAD 136 /* bytes before names */

/* The hooks that the LSM programs sit on: name in the kernel. The order is part of the ABI. */
#define SG_HOOKS(X)                                                                                                    \
	X(file_open)                                                                                                   \
	X(file_receive)                                                                                                \
	X(file_ioctl)                                                                                                  \
	X(file_ioctl_compat)                                                                                           \
	X(file_fcntl)                                                                                                  \
	X(mmap_file)                                                                                                   \
	X(file_mprotect)                                                                                               \
	X(path_mknod)                                                                                                  \
	X(path_mkdir)                                                                                                  \
	X(path_symlink)                                                                                                \
	X(path_link)                                                                                                   \
	X(path_rename)                                                                                                 \
	X(path_unlink)                                                                                                 \
	X(path_rmdir)                                                                                                  \
	X(path_truncate)                                                                                               \
	X(path_chmod)                                                                                                  \
	X(path_chown)                                                                                                  \
	X(path_chroot)                                                                                                 \
	X(inode_setattr)                                                                                               \
	X(inode_setxattr)                                                                                              \
	X(inode_removexattr)                                                                                           \
	X(inode_set_acl)                                                                                               \
	X(inode_remove_acl)                                                                                            \
	X(bprm_creds_for_exec)                                                                                         \
	X(bprm_check_security)                                                                                         \
	X(bprm_creds_from_file)                                                                                        \
	X(bprm_committing_creds)                                                                                       \
	X(socket_create)                                                                                               \
	X(socket_bind)                                                                                                 \
	X(socket_connect)                                                                                              \
	X(socket_listen)                                                                                               \
	X(socket_sendmsg)                                                                                              \
	X(unix_stream_connect)                                                                                         \
	X(unix_may_send)                                                                                               \
	X(ptrace_access_check)                                                                                         \
	X(ptrace_traceme)                                                                                              \
	X(task_kill)                                                                                                   \
	X(task_setnice)                                                                                                \
	X(task_setioprio)                                                                                              \
	X(task_setscheduler)                                                                                           \
	X(task_setrlimit)                                                                                              \
	X(task_movememory)                                                                                             \
	X(task_prlimit)                                                                                                \
	X(task_fix_setuid)                                                                                             \
	X(task_fix_setgid)                                                                                             \
	X(task_fix_setgroups)                                                                                          \
	X(capable)                                                                                                     \
	X(userns_create)                                                                                               \
	X(sb_mount)                                                                                                    \
	X(sb_umount)                                                                                                   \
	X(sb_remount)                                                                                                  \
	X(sb_pivotroot)                                                                                                \
	X(move_mount)                                                                                                  \
	X(bpf)                                                                                                         \
	X(bpf_map)                                                                                                     \
	X(bpf_prog)                                                                                                    \
	X(perf_event_open)                                                                                             \
	X(key_alloc)                                                                                                   \
	X(key_permission)                                                                                              \
	X(kernel_read_file)                                                                                            \
	X(kernel_load_data)                                                                                            \
	X(kernel_module_request)                                                                                       \
	X(syslog)                                                                                                      \
	X(settime)                                                                                                     \
	X(quotactl)                                                                                                    \
	X(quota_on)                                                                                                    \
	X(ipc_permission)                                                                                              \
	X(msg_queue_alloc_security)                                                                                    \
	X(msg_queue_free_security)                                                                                     \
	X(shm_alloc_security)                                                                                          \
	X(shm_free_security)                                                                                           \
	X(sem_alloc_security)                                                                                          \
	X(sem_free_security)                                                                                           \
	X(msg_queue_msgctl)                                                                                            \
	X(shm_shmctl)                                                                                                  \
	X(sem_semctl)                                                                                                  \
	X(uring_override_creds)                                                                                        \
	X(uring_sqpoll)                                                                                                \
	X(uring_cmd)                                                                                                   \
	X(inode_init_security_anon)                                                                                    \
	X(uring_allowed)                                                                                               \
	X(task_alloc)                                                                                                  \
	X(socket_setsockopt)

#define SG_HOOK_ENUM(name) SG_HOOK_##name,
enum sg_hook { SG_HOOKS(SG_HOOK_ENUM) SG_HOOK_N };
#undef SG_HOOK_ENUM

/* Sandbox configuration and state, one array element each. Written by user space before the slot is published. */
#define SG_SANDBOX_ENFORCE (1U << 0)   /* kill on violation; else record only */
#define SG_SANDBOX_SYS_ENTER (1U << 1) /* sys_enter decides (attached sandboxes, --seccomp off, audit) */
#define SG_SANDBOX_SECCOMP (1U << 2)   /* a seccomp filter is the brake: sys_enter only records what it sees */
#define SG_SANDBOX_ARM_ON_EXEC                                                                                         \
	(1U << 3)                  /* not judged until its first execve has succeeded (the launcher's own set-up) */
#define SG_SANDBOX_COUNT (1U << 4) /* count calls (--stats) */
#define SG_SANDBOX_PROC_EVENTS (1U << 5) /* send EXEC and EXIT records */
#define SG_SANDBOX_LSM (1U << 6)         /* judged by the LSM programs; its rules are in place (sg_bpf_set_objects) */
/*
 * Each process is judged by the policy of the interpreter that was executed in it, or in the process it was forked
 * from; where none was, by the sandbox's own.
 */
#define SG_SANDBOX_DISCOVER (1U << 7)
#define SG_SANDBOX_FLAGS ((1U << 8) - 1) /* all there are */

struct sg_sandbox {
	__u64 cgroup_id;
	__u32 flags;
	__u32 policy; /* index into the policies map */
	__u32 self;   /* pid of the first process; 0 when unknown */
	__u32 armed;  /* set by sched_process_exec for ARM_ON_EXEC */
	__u32 killed; /* 1 once first_kill is being written, 2 when it is complete */
	__u32 tasks;  /* tasks alive, by fork and exit; only while those programs are attached */
	/* the violation that killed: here whatever the ring buffer does. Told apart by hdr.type */
	union {
		struct sg_event_syscall first_kill;
		struct sg_event_object first_kill_object;
	};
};

/* Cgroup id -> sandbox, shared by all programs. */

struct sg_slot {
	__u64 cgroup_id; /* 0: empty, ~0: deleted */
	__u32 sandbox;
	__u32 pad;
};

struct sg_table {
	/*
	 * The depths at which sandboxes sit, ascending, four bits each, 0 ends the list: read with one load, replaced
	 * with one store. A sandbox inside a sandbox is judged by the outer one, which nothing inside can change.
	 */
	__u64 levels;
	struct sg_slot slots[SG_SLOTS];
};

/*
 * The object rules of one sandbox, as the LSM programs read them. An inode is known by its address: the supervisor
 * keeps each place open, so the address stays with that inode, whereas numbers repeat (btrfs subvolumes, overlay
 * layers).
 */
#define SG_FILTER_WORDS 64 /* power of two */
#define SG_WALK_MAX 64     /* a file deeper than this in its file system is refused */

struct sg_lsm {
	struct sg_objects objects;
	__u32 set;          /* first half of the key of its trees */
	__u32 confined;     /* SG_RIGHT_* whose class is not ALLOW */
	__u32 execs;        /* programs executed so far, the first not counted, nor what exec_max refused */
	__u32 starting;     /* the first program is being mapped by the kernel */
	__u32 level;        /* depth of its cgroup */
	__u32 generation;   /* of the programs that judge it: two supervisors' are attached while one replaces the other
			     */
	__u32 unix_outside; /* some unix socket that was made outside may be reached */
	__u32 pad;
	struct sg_tree_rights self;    /* about the directories in /proc of the sandbox\'s own processes */
	__u64 filter[SG_FILTER_WORDS]; /* by sg_filter_bit(): 0: no tree begins at this inode */
};

struct sg_tree_key {
	__u32 set;
	__u32 pad;
	__u64 inode; /* address */
};

/* distance: address of the inode minus that of its super block (a BPF program may subtract pointers, not hash them) */
static inline __attribute__((always_inline)) __u32 sg_filter_bit(__u64 distance)
{
	return (__u32)((distance * 0x9e3779b97f4a7c15ULL) >> (64 - 12)); /* 12 bits: SG_FILTER_WORDS * 64 */
}

/* What the sandbox may not touch whatever its policy says (SG_CLASS_SUPERVISOR). */
enum sg_protected_kind {
	SG_PROTECTED_PROCESS = 1, /* id: tgid */
	SG_PROTECTED_MAP = 2,     /* id of a BPF map */
	SG_PROTECTED_PROG = 3,
	SG_PROTECTED_INODE = 4, /* address: a socket's or a file's */
};

struct sg_protected_key {
	__u32 kind;
	__u32 pad;
	__u64 id;
};

/* One descriptor that the supervisor received: how the kernel sees the file behind it. */
#define SG_LEARN_MAX 256
struct sg_learned {
	__u64 inode; /* address */
	__u64 sb;    /* address of its super block */
	__u64 ino;
	__u64 dev;
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
	__u32 pending;  /* a violation waits for its outcome in sys_exit */
	__u32 language; /* see SG_SANDBOX_DISCOVER: number + 1; 0: none */
	char comm[SG_COMM_LEN];
	struct sg_event_syscall event; /* the pending one */
};

#endif
