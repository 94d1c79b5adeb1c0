/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_BPF_H
#define SG_BPF_H

#include "bpf/sg_abi.h"
#include "policy/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The BPF side of a supervisor: loads the object, owns its maps (the only writer), hands out its records.
 * Needs CAP_BPF and CAP_PERFMON (or root). One thread at a time.
 */
struct sg_bpf;

/* Which programs a supervisor needs. The cheapest set that does the job: sys_enter costs every process on the host. */
#define SG_BPF_KILLS (1U << 0)     /* signal_generate (before 5.16 sched_process_exit): seccomp kills become records */
#define SG_BPF_SYS_ENTER (1U << 1) /* sys_enter and the process life-cycle programs */
/*
 * sys_exit as well, together with SYS_ENTER: a recorded call that was not killed says what it answered. Without it such
 * a record is sent at once, with outcome UNKNOWN. A killed call's outcome is learned either way.
 */
#define SG_BPF_SYS_EXIT (1U << 2)

/*
 * The LSM programs (object rules), as many of them as the kernel has hooks for. Attaching proves that they are asked
 * and that their answer counts; sg_bpf_open() and sg_bpf_attach() fail where that is not so.
 */
#define SG_BPF_LSM (1U << 3)

struct sg_bpf_opts {
	uint32_t programs;      /* SG_BPF_* */
	uint32_t max_sandboxes; /* at most SG_MAX_SANDBOXES; 0: 1 */
	uint32_t max_policies;  /* at most SG_MAX_POLICIES; 0: 1 */
	/*
	 * With SYS_ENTER: only count. For sandboxes whose seccomp filter is the brake and whose policy audits nothing:
	 * the part of the program that judges takes the kernel 5 to 10 ms to verify.
	 */
	bool count_only;
	bool discover; /* with SYS_ENTER: sandboxes may have SG_SANDBOX_DISCOVER */
	/*
	 * The one sandbox there will be, where it is known already: programs that need not search are loaded ten times
	 * faster and cost each call less. 0: any, up to max_sandboxes.
	 */
	uint64_t only_cgroup;
	uint32_t only_level; /* its depth, as for sg_bpf_add_sandbox() */
	uint32_t max_procs;  /* tasks of all sandboxes together that are known by pid; 0: 10240. Only with SYS_ENTER */
	uint32_t ring_bytes; /* power of two, page-multiple; 0: 256 KiB */
	const char *pin;     /* directory in a bpffs (made, 0700) for maps and links that outlive us; NULL: none does */
	const char *btf_cache;  /* directory for the reduced BTF, root-owned; NULL: /run/sandgate; "": none */
	uint32_t assume_kernel; /* for tests: use only what this older kernel has (major << 16 | minor << 8); 0: all
				   there is */
};

/*
 * Loads programs and maps; attaches nothing yet. Errors say which program or map, why, and what to do next:
 * -EPERM no right to use BPF, -ENOSYS no bpf(2), -EOPNOTSUPP no kernel type information, -EINVAL opts, else libbpf's.
 * Sets libbpf's print function for the time of the call (libbpf keeps one per process).
 */
int sg_bpf_open(const struct sg_bpf_opts *opts, struct sg_bpf **out, struct sg_err *err);
/*
 * The LSM programs for an object that was opened without them, for a supervisor that can do without. opts: as then.
 * Errors: of sg_bpf_open(); b is as before. sg_bpf_drop_lsm() takes them back, those of a supervisor before us
 * excepted.
 */
int sg_bpf_add_lsm(struct sg_bpf *b, const struct sg_bpf_opts *opts, struct sg_err *err);
void sg_bpf_drop_lsm(struct sg_bpf *b);
/*
 * May wait for an RCU grace period (10 ms and more) when the last probe of the same tracepoint, anyone's, went away
 * just before: that is the kernel's doing.
 */
int sg_bpf_attach(struct sg_bpf *b, struct sg_err *err);
/* The same for some of the programs that were opened: SG_BPF_*. What is attached already stays so. */
int sg_bpf_attach_set(struct sg_bpf *b, uint32_t programs, struct sg_err *err);
void sg_bpf_detach_set(struct sg_bpf *b, uint32_t programs);
/* Whether the maps were those of a supervisor before us: then sg_bpf_adopt() comes first. */
bool sg_bpf_adopted(const struct sg_bpf *b);
/*
 * Takes over sandboxes that are registered there: sandbox[i] at depth level[i]. All others are removed. Not found (the
 * cgroup differs): found[i] is false.
 */
struct sg_bpf_known {
	uint32_t index;
	uint32_t level;
	uint64_t cgroup_id;
	bool found;
};
int sg_bpf_adopt(struct sg_bpf *b, struct sg_bpf_known *known, size_t n, struct sg_err *err);
/* Where the next record stands in the ring buffer: grows for ever, also from one supervisor to the next. Within the
 * function that sg_bpf_consume() calls: the place of the record at hand. */
uint64_t sg_bpf_ring_position(const struct sg_bpf *b);
/* Where the next record will be written: everything up to now stands before it. */
uint64_t sg_bpf_ring_end(const struct sg_bpf *b);
/* Removes everything that is pinned: nothing of it outlives sg_bpf_close() then. */
void sg_bpf_unpin(struct sg_bpf *b);
/* Detaches and frees; nothing stays in the kernel but what is pinned. NULL is fine. */
void sg_bpf_close(struct sg_bpf *b);

/* Replaces a policy. A call being judged meanwhile may see parts of both. Without SYS_ENTER no program reads policies.
 */
int sg_bpf_set_policy(struct sg_bpf *b, uint32_t index, const struct sg_ruleset *rs, struct sg_err *err);
/*
 * Registers a sandbox: cfg's cgroup_id, flags, policy and self are used. level: depth of the cgroup below the root of
 * the cgroup2 hierarchy (root 0), 1 … SG_MAX_LEVELS - 1. *index: its number in records. Never silent:
 * -ENOSPC no room (sandboxes, or a full neighbourhood in the table), -EEXIST cgroup known already, -EINVAL cfg or
 * level. A sandbox inside another one's cgroup is judged by the outer one.
 */
int sg_bpf_add_sandbox(struct sg_bpf *b, const struct sg_sandbox *cfg, uint32_t level, uint32_t *index,
		       struct sg_err *err);
/* From the next call on the sandbox is judged by another policy. */
int sg_bpf_switch_policy(struct sg_bpf *b, uint32_t index, uint32_t policy, struct sg_err *err);
/*
 * For sandboxes with SG_SANDBOX_DISCOVER; only with opts.discover. A language is a number below SG_MAX_LANGUAGES, which
 * has a policy (sg_bpf_language_policy(): -1 none yet, also those of a supervisor before us) and the file names of its
 * interpreters, at most SG_INTERPRETER_NAME - 2 bytes, without version digits at the end (sg_bpf_interpreter_name()
 * takes them off). sg_bpf_set_process_language() is for tasks that ran before the sandbox was registered, and are
 * frozen meanwhile; language -1 leaves them to the sandbox's policy. Errors: -EINVAL, -ENOSPC, those of bpf(2).
 */
int sg_bpf_set_language(struct sg_bpf *b, uint32_t language, uint32_t policy, struct sg_err *err);
int sg_bpf_language_policy(const struct sg_bpf *b, uint32_t language);
bool sg_bpf_interpreter_name(const char *file, char name[SG_INTERPRETER_NAME]);
int sg_bpf_set_interpreter(struct sg_bpf *b, const char *name, uint32_t language, struct sg_err *err);
int sg_bpf_clear_interpreters(struct sg_bpf *b, struct sg_err *err);
struct sg_bpf_task {
	pid_t tid, tgid;
	uid_t uid;
	int language;
	char comm[SG_COMM_LEN];
};
int sg_bpf_set_process_language(struct sg_bpf *b, uint32_t index, const struct sg_bpf_task *t, struct sg_err *err);

int sg_bpf_set_self(struct sg_bpf *b, uint32_t index, uint32_t pid, struct sg_err *err);
/*
 * Its number may be given out again at once: take its records (sg_bpf_consume) and its state first. populated:
 * processes of it go on; programs that judge one of them now are waited for, which takes some milliseconds.
 */
int sg_bpf_remove_sandbox(struct sg_bpf *b, uint32_t index, bool populated, struct sg_err *err);

/*
 * With SG_BPF_LSM: gives the sandbox its object rules, or replaces them, and turns their enforcement on
 * (SG_SANDBOX_LSM). places: opened by sg_places_open(), to be kept open as long as the sandbox lives: the kernel knows
 * an inode by its address. Errors: -EINVAL for o of another version, -ENOSPC, what socketpair(2) and recvmsg(2) said;
 * the rules before stay in force.
 */
struct sg_places;
int sg_bpf_set_objects(struct sg_bpf *b, uint32_t index, const struct sg_objects *o, const struct sg_places *places,
		       struct sg_err *err);
/*
 * The same where the places are somebody else's, who sends them through a socket (_send: -errno of sendmsg) and needs
 * no privilege. _receive takes n of them from there without waiting, finds out what each is to the kernel (out), and
 * keeps them open by another socket (*keep, owned by the caller): to be closed when the sandbox is gone. Errors:
 * -EPROTO for anything else than n descriptors of kind O_PATH, whose closing never waits; others are handed to let_go
 * with the user they came from.
 */
typedef void (*sg_bpf_let_go)(uid_t of, int fd);
#define SG_BPF_PLACES_MAX 1024
int sg_bpf_places_send(int sock, const struct sg_places *p);
int sg_bpf_places_receive(struct sg_bpf *b, int sock, size_t n, struct sg_learned *out, int *keep, uid_t of,
			  sg_bpf_let_go let_go, struct sg_err *err);
int sg_bpf_set_trees(struct sg_bpf *b, uint32_t index, const struct sg_objects *o, const struct sg_tree_rights *self,
		     const struct sg_tree_rights *says, const struct sg_learned *at, size_t n, struct sg_err *err);
/* By enum sg_hook. */
extern const char sg_hook_names[SG_HOOK_N][32];
/* Hooks that the running kernel lacks, and what is not stopped for it; the last one's hook is NULL. Owned by b. Those
 * without which there is no lsm tier are never among them: sg_bpf_open() refuses. */
struct sg_missing_hook {
	const char *hook;
	uint32_t cls;     /* enum sg_class */
	const char *text; /* "CLASS: what can be done" */
};
const struct sg_missing_hook *sg_bpf_missing_hooks(const struct sg_bpf *b);
/* Puts something out of every sandbox's reach, whatever its policy says: enum sg_protected_kind. Our own process, maps
 * and programs are there already. For a file or socket use sg_bpf_protect_fd(). */
int sg_bpf_protect(struct sg_bpf *b, uint32_t kind, uint64_t id, struct sg_err *err);
int sg_bpf_protect_fd(struct sg_bpf *b, int fd, struct sg_err *err);
/*
 * Whether LSM programs may be loaded at all, told by the smallest there is: microseconds, where loading ours takes
 * milliseconds. 0, or the error that says what is missing (-EOPNOTSUPP no such hooks, -EPERM …). cache: as btf_cache.
 */
int sg_bpf_lsm_probe(const char *cache, struct sg_err *err);

/* A descriptor that becomes readable when records wait. Owned by b. */
int sg_bpf_event_fd(const struct sg_bpf *b);
/*
 * Hands every waiting record to fn. rec is checked: at least a header, size equal to what was received, version known,
 * type-specific length, sandbox number in range. A record that fails is counted as malformed and not handed on.
 * fn returns 0 to go on, negative errno to stop; the record it stopped at is consumed. Must not be called from fn.
 * batch (NULL: nothing) is called before records are given up, after many: what must outlive us of them is to be safe
 * when it returns.
 * Returns the number of records handed over, or negative errno. It stops after SG_BPF_CONSUME_MAX records, so that a
 * sandbox that writes faster than they are read cannot hold the caller; the descriptor then stays readable.
 */
#define SG_BPF_CONSUME_MAX 4096
typedef int (*sg_bpf_event_fn)(void *ctx, const struct sg_event_hdr *rec, size_t size);
int sg_bpf_consume(struct sg_bpf *b, sg_bpf_event_fn fn, void (*batch)(void *ctx), void *ctx, struct sg_err *err);

/* The sandbox's state as the kernel has it now (first_kill, armed, tasks). */
int sg_bpf_sandbox_state(const struct sg_bpf *b, uint32_t index, struct sg_sandbox *out, struct sg_err *err);
/* Counters summed over CPUs. */
int sg_bpf_stats(const struct sg_bpf *b, uint32_t index, struct sg_stats *out, struct sg_err *err);
/* Whether the kernel gives seccomp's kills a signal; if not (before 5.16) records of kills lack what the exit cannot
 * show. */
bool sg_bpf_kills_by_signal(const struct sg_bpf *b);
/* How often the kernel skipped one of our programs (recursion_misses), and malformed records, since sg_bpf_open(). */
int sg_bpf_misses(const struct sg_bpf *b, uint64_t *misses, uint64_t *malformed, struct sg_err *err);

#endif
