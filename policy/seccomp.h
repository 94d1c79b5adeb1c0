/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SECCOMP_H
#define SG_SECCOMP_H

#include "policy/policy.h"

#include <linux/filter.h>

/*
 * A policy as a classic BPF filter for seccomp(2), not yet bound to a launch.
 *
 * libseccomp generates the frame (architecture, x32, the binary tree over numbers); calls with argument rules leave it
 * through a marker that is then replaced by a jump to a block of ours, because ordered first-match rules and
 * else-branches cannot be said in libseccomp's rules.
 *
 * What is only known at launch is left open and filled in by sg_filter_bind(): two secret addresses, the pid, and what
 * the marked return values become. Built-in policies are compiled at build time into arrays of this form.
 */

/* Return values in an unbound filter that stand for a choice made at launch (never valid seccomp actions by
 * themselves). */
#define SG_RET_KILL 0x7ff10001U       /* forbidden: KILL_PROCESS, or USER_NOTIF where the supervisor is to see it */
#define SG_RET_AUDIT 0x7ff10002U      /* allow, or USER_NOTIF where no program records it */
#define SG_RET_SUPERVISED 0x7ff10003U /* needs the supervisor's judgement (`in sandbox`): always USER_NOTIF */
#define SG_RET_FORK 0x7ff10004U       /* an allowed clone/fork/vfork: ALLOW, or USER_NOTIF to count processes */
#define SG_RET_FORK_AUDIT 0x7ff10005U /* an audited one: USER_NOTIF for either reason */

enum sg_patch_kind {
	SG_PATCH_EXEC_LO = 1, /* low and high half of the address of the launcher's path string: its own exec, once */
	SG_PATCH_EXEC_HI,
	SG_PATCH_MSG_LO, /* the same of the launcher's msghdr: reporting to the supervisor */
	SG_PATCH_MSG_HI,
	SG_PATCH_SELF, /* pid of the first process */
};
struct sg_patch {
	uint16_t pc; /* instruction whose k is filled in */
	uint16_t kind;
};
struct sg_filter {
	const struct sock_filter *insns;
	const struct sg_patch *patches;
	uint16_t n_insns;
	uint16_t n_patches;
	bool has_supervised;
	bool has_audit;
	/* Whoever runs under it as one process dies with its parent where it was told to: it can neither execute nor
	 * change PR_SET_PDEATHSIG. */
	bool tied;
	bool one_process; /* tied, and it stays one process: it cannot fork */
	bool keyless;     /* no call reaches the kernel's keyrings */
	void *owned;      /* NULL for a filter embedded at build time */
};

struct sg_binding {
	uint64_t exec_path; /* execve is let through where its first argument is this address; 0: never */
	uint64_t msghdr;    /* sendmsg is let through where its second argument is this address; 0: never */
	uint32_t self;      /* 0: "== self" never holds */
	uint32_t ret_kill;  /* SECCOMP_RET_KILL_PROCESS or SECCOMP_RET_USER_NOTIF */
	uint32_t ret_audit;
	uint32_t ret_supervised;
	uint32_t ret_fork;
};

/* Compiles a policy's ruleset. *out: release with sg_filter_release(). Errors: -E2BIG past BPF_MAXINSNS, -ENOMEM. */
int sg_filter_compile(const struct sg_policy *p, struct sg_filter *out, struct sg_err *err);
void sg_filter_release(struct sg_filter *f);

/* Writes the bound filter to insns (room for f->n_insns). Fails closed: an unknown marker is -EINVAL. */
int sg_filter_bind(const struct sg_filter *f, const struct sg_binding *b, struct sock_filter *insns,
		   struct sg_err *err);

/* Runs a bound filter as the kernel would: the tests' oracle for the bytes, and `policy explain --filter`. Returns the
 * SECCOMP_RET_* value, or SECCOMP_RET_KILL_PROCESS for a malformed program. */
uint32_t sg_filter_simulate(const struct sock_filter *insns, size_t n, uint32_t audit_arch, uint32_t nr,
			    const uint64_t args[SG_ARGS]);

/* A readable listing of a filter. */
void sg_filter_dump(const struct sg_filter *f, FILE *out);

/*
 * What is embedded at build time holds no pointers (policy/in_place.h says why). What there are many of lies in arrays
 * that all policies share, and is named by the place of its first one there.
 */
struct sg_packed_tree {
	uint32_t path; /* in sg_builtin_paths */
	uint32_t allow, deny, origin;
};
struct sg_packed_access {
	struct sg_class_mode cls[SG_CLASS_N];
	uint64_t families, caps;
	uint32_t exec_max;
	uint32_t trees, n_trees; /* in sg_builtin_trees, sorted by path */
};
struct sg_packed_filter {
	uint32_t insns;   /* in sg_builtin_insns */
	uint32_t patches; /* in sg_builtin_patches */
	uint16_t n_insns;
	uint16_t n_patches;
	bool has_supervised;
	bool has_audit;
	bool tied;
	bool one_process;
	bool keyless;
};

/* A policy as a launch takes it. */
struct sg_variant {
	char digest[72];
	struct sg_packed_access access;
	struct sg_packed_filter filter;
};
#define SG_N_VARIANTS 8 /* without SG_WIDEN_*, and with each set of the first three */

/* A built-in policy: everything a launch needs without parsing anything. */
struct sg_builtin {
	char name[36];
	char aliases[80]; /* one after the other, each with its end; an empty one is the last */
	bool listed;      /* false: a part that other policies inherit, not a language of its own; it has no limits and
			     no variants */
	uint32_t yaml, yaml_len; /* in sg_builtin_yaml_texts */
	uint32_t variants; /* in sg_builtin_variants: SG_N_VARIANTS, by SG_WIDEN_*; the first is the policy as it is */
	struct sg_limits limits;
};
extern const struct sg_builtin sg_builtins[];
extern const size_t sg_n_builtins;
extern const struct sg_variant sg_builtin_variants[];
extern const struct sg_packed_tree sg_builtin_trees[];
extern const struct sock_filter sg_builtin_insns[];
extern const struct sg_patch sg_builtin_patches[];
extern const char sg_builtin_paths[], sg_builtin_yaml_texts[];

/* The variant of a listed one. */
const struct sg_variant *sg_builtin_variant(const struct sg_builtin *b, unsigned widen);
/* Writes the objects, and the trees to room for a->n_trees. Their paths are static storage. */
void sg_builtin_access(const struct sg_packed_access *a, struct sg_objects *objects, struct sg_tree *trees);
/* The filter, in static storage: nothing is to be released. */
void sg_builtin_filter(const struct sg_packed_filter *f, struct sg_filter *out);
/* By name or alias; NULL when there is none. */
const struct sg_builtin *sg_builtin_find(const char *name_or_alias);

/* Names of system calls for a number under an ABI, by libseccomp. Writes "syscall_N" when unknown. */
void sg_syscall_name(uint32_t audit_arch, uint32_t nr, char *buf, size_t size);
/* "x86_64", "i386", "x32", "aarch64", "unknown". x32 is told by bit 30 of nr. */
const char *sg_abi_name(uint32_t audit_arch, uint32_t nr);
/* Whether a native call makes a task: clone, clone3, fork, vfork. */
bool sg_is_fork(uint32_t nr);
/* AUDIT_ARCH_* of this build. */
uint32_t sg_native_arch(void);

#endif
