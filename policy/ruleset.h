/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#ifndef SG_RULESET_H
#define SG_RULESET_H

/*
 * The compiled form of one policy, and the one place that decides a system call by it.
 *
 * Fixed-width, no pointers: the host-side oracle, the supervisor (for calls that seccomp hands to it) and the
 * sys_enter program all run sg_ruleset_decide() over the same bytes; the seccomp filter is generated from them.
 * The file is included by BPF programs, so it uses __u8 … __u64 only and includes nothing but <linux/types.h>
 * (BPF programs include their own definition first).
 *
 * An includer that can tell whether a pid belongs to the sandbox defines SG_IN_SANDBOX(ctx, pid) before the include.
 * Without it, "in sandbox" conditions never match: the answer is the stricter one.
 */
#ifndef __bpf__
#include <linux/types.h>
#endif

#define SG_RULESET_VERSION 1
#define SG_NR_MAX 512      /* system call numbers 0 … 511; anything else is unlisted */
#define SG_RULES_MAX 256   /* argument rules in one ruleset */
#define SG_RULES_PER_NR 64 /* argument rules of one system call: bounds the walk in the BPF program */
#define SG_CONDS_MAX 4     /* conditions in one argument rule, all of which must hold */
#define SG_ARGS 6

enum sg_action {
	SG_ACTION_NONE = 0, /* never in a finished ruleset; treated as kill */
	SG_ACTION_ALLOW = 1,
	SG_ACTION_AUDIT = 2, /* allow and record */
	SG_ACTION_ERRNO = 3, /* the call is skipped and answers -errno */
	SG_ACTION_KILL = 4,
};

enum sg_op {
	SG_OP_EQ = 1, /* all comparisons are unsigned, on (argument & mask) */
	SG_OP_NE = 2,
	SG_OP_LT = 3,
	SG_OP_LE = 4,
	SG_OP_GT = 5,
	SG_OP_GE = 6,
	SG_OP_SELF = 7, /* (argument & mask) is the pid of the sandbox's first process */
	SG_OP_IN_SANDBOX =
		8, /* the argument is the pid or tid of a task of the sandbox, 0, or minus a process group of it */
};

struct sg_cond {
	__u64 mask; /* 0xffffffff for an argument that the kernel reads as 32 bits */
	__u64 value;
	__u8 arg; /* 0 … 5 */
	__u8 op;  /* enum sg_op */
	__u8 pad[6];
};

struct sg_rule {
	struct sg_cond cond[SG_CONDS_MAX];
	__u16 n_conds; /* 1 … SG_CONDS_MAX */
	__u16 action;  /* enum sg_action */
	__u16 err;     /* errno number for SG_ACTION_ERRNO, else 0 */
	__u16 pad;
	__u32 origin; /* where the rule stands: index for sg_policy_origin() */
	__u32 pad2;
};

/* What happens to one system call number: the first argument rule that matches, else the entry's own action. */
struct sg_entry {
	__u16 first_rule; /* index into rules[] */
	__u16 n_rules;    /* 0 … SG_RULES_PER_NR */
	__u16 action;     /* enum sg_action */
	__u16 err;
	__u32 origin;
};

struct sg_ruleset {
	__u32 size;    /* sizeof(struct sg_ruleset), checked by every reader first */
	__u32 version; /* SG_RULESET_VERSION */
	__u32 n_rules;
	__u16 unlisted_action; /* for numbers above SG_NR_MAX; listed numbers carry it in their entry */
	__u16 unlisted_err;
	__u64 allow[SG_NR_MAX / 64]; /* bit set: allowed whatever the arguments are. The short way out. */
	__u64 audit[SG_NR_MAX / 64]; /* bit set: some rule or the entry audits */
	struct sg_entry entry[SG_NR_MAX];
	struct sg_rule rules[SG_RULES_MAX];
};

struct sg_decision {
	__u16 action; /* enum sg_action, never NONE */
	__u16 err;
	__u32 origin; /* SG_ORIGIN_UNLISTED, or an index for sg_policy_origin() */
};

#define SG_ORIGIN_UNLISTED 0xffffffffU /* no rule: the call is on no list */

#ifndef SG_IN_SANDBOX
#define SG_IN_SANDBOX(ctx, pid) ((void)(ctx), (void)(pid), 0)
#endif

static inline __attribute__((always_inline)) int sg_cond_holds(const struct sg_cond *c, __u64 arg, __u32 self,
							       void *ctx)
{
	__u64 v = arg & c->mask;

	switch (c->op) {
	case SG_OP_EQ:
		return v == c->value;
	case SG_OP_NE:
		return v != c->value;
	case SG_OP_LT:
		return v < c->value;
	case SG_OP_LE:
		return v <= c->value;
	case SG_OP_GT:
		return v > c->value;
	case SG_OP_GE:
		return v >= c->value;
	case SG_OP_SELF:
		return self != 0 && v == self;
	case SG_OP_IN_SANDBOX:
		return SG_IN_SANDBOX(ctx, (__s32)arg);
	default:
		return 0;
	}
}

static inline __attribute__((always_inline)) int sg_rule_holds(const struct sg_rule *r, const __u64 *args, __u32 self,
							       void *ctx)
{
	__u32 j;

	for (j = 0; j < SG_CONDS_MAX; j++) {
		if (j >= r->n_conds)
			break;
		if (!sg_cond_holds(&r->cond[j], args[r->cond[j].arg < SG_ARGS ? r->cond[j].arg : 0], self, ctx))
			return 0;
	}
	return r->n_conds != 0;
}

/* BPF programs put a call in its place: the verifier then looks at one rule once, and not at each in turn. */
#ifndef SG_RULE_HOLDS
#define SG_RULE_HOLDS(rs, at, args, self, ctx) sg_rule_holds(&(rs)->rules[at], args, self, ctx)
#endif
#ifdef __bpf__ /* the compiler must make the pointer here, where the verifier knows that it is within bounds */
#define SG_RULE_KEEP(r) __asm__ volatile("" : "+r"(r))
#else
#define SG_RULE_KEEP(r) ((void)0)
#endif

/*
 * Decides one native-ABI system call. Other ABIs (i386, x32) are never looked up here: their callers kill.
 * args: the six register values. self: pid of the sandbox's first process, 0 when unknown. ctx: for SG_IN_SANDBOX.
 */
static inline __attribute__((always_inline)) struct sg_decision
sg_ruleset_decide(const struct sg_ruleset *rs, __u64 nr, const __u64 *args, __u32 self, void *ctx)
{
	struct sg_decision d = {.action = rs->unlisted_action, .err = rs->unlisted_err, .origin = SG_ORIGIN_UNLISTED};
	const struct sg_entry *e;
	__u32 i;

	if (nr >= SG_NR_MAX)
		return d;
	e = &rs->entry[nr];
	for (i = 0; i < SG_RULES_PER_NR && i < e->n_rules; i++) {
		__u32 at = (__u32)e->first_rule + i;
		const struct sg_rule *r;

		if (at >= SG_RULES_MAX)
			break;
		r = &rs->rules[at];
		SG_RULE_KEEP(r);
		if (SG_RULE_HOLDS(rs, at, args, self, ctx)) {
			d.action = r->action;
			d.err = r->err;
			d.origin = r->origin;
			return d;
		}
	}
	d.action = e->action;
	d.err = e->err;
	d.origin = e->origin;
	return d;
}

#endif
