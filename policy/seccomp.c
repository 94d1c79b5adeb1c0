// SPDX-License-Identifier: Apache-2.0
#include "policy/builder.h"
#include "policy/names.h"
#include "policy/shorten.h"

#include <endian.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

void sg_emit(struct sg_builder *b, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
	if (b->n == BPF_MAXINSNS) {
		b->overflow = true;
		return;
	}
	b->insns[b->n++] = (struct sock_filter){.code = (__u16)code, .jt = (__u8)jt, .jf = (__u8)jf, .k = k};
}

static void emit_load(struct sg_builder *b, unsigned offset, uint32_t mask)
{
	if (!mask) {
		sg_emit(b, BPF_LD | BPF_IMM, 0, 0, 0);
		return;
	}
	sg_emit(b, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
	if (mask != 0xffffffffU)
		sg_emit(b, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
}

static void emit_patch(struct sg_builder *b, enum sg_patch_kind kind, unsigned jt, unsigned jf)
{
	if (b->n_patches == PATCHES_MAX) {
		b->overflow = true;
		return;
	}
	b->patches[b->n_patches++] = (struct sg_patch){.pc = (uint16_t)b->n, .kind = (uint16_t)kind};
	sg_emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, jt, jf);
}

/* Whether a condition looks at one half of its argument, all of it: which can stay loaded for the next. */
static bool is_plain(const struct sg_cond *c)
{
	return c->mask == 0xffffffffU && (c->op == SG_OP_SELF || c->value <= 0xffffffffU);
}

/* Falls through when the condition holds. */
static void emit_cond(struct sg_builder *b, const struct sg_cond *c)
{
	const uint32_t mask_hi = (uint32_t)(c->mask >> 32), mask_lo = (uint32_t)c->mask;
	const uint32_t hi = (uint32_t)(c->value >> 32), lo = (uint32_t)c->value;
	const unsigned jeq = BPF_JMP | BPF_JEQ | BPF_K, jgt = BPF_JMP | BPF_JGT | BPF_K,
		       jge = BPF_JMP | BPF_JGE | BPF_K;
	const bool above = c->op == SG_OP_GT || c->op == SG_OP_GE, below = c->op == SG_OP_LT || c->op == SG_OP_LE;
	const unsigned start = b->n;
	unsigned i;

	if (mask_hi || (hi && c->op != SG_OP_SELF)) {
		emit_load(b, ARG_HI(c->arg), mask_hi);
		if (c->op == SG_OP_EQ)
			sg_emit(b, jeq, hi, 0, TO_FAIL);
		else if (c->op == SG_OP_SELF)
			sg_emit(b, jeq, 0, 0, TO_FAIL);
		else if (c->op == SG_OP_NE)
			sg_emit(b, jeq, hi, 0, TO_HOLD);
		else if (above || below) {
			sg_emit(b, jgt, hi, above ? TO_HOLD : TO_FAIL, 0);
			sg_emit(b, jeq, hi, 0, above ? TO_FAIL : TO_HOLD);
		}
	}
	if (!is_plain(c) || b->held != ARG_LO(c->arg))
		emit_load(b, ARG_LO(c->arg), mask_lo);
	b->held = is_plain(c) ? ARG_LO(c->arg) : 0;
	switch (c->op) {
	case SG_OP_EQ:
		sg_emit(b, jeq, lo, 0, TO_FAIL);
		break;
	case SG_OP_NE:
		sg_emit(b, jeq, lo, TO_FAIL, 0);
		break;
	case SG_OP_LT:
		sg_emit(b, jge, lo, TO_FAIL, 0);
		break;
	case SG_OP_LE:
		sg_emit(b, jgt, lo, TO_FAIL, 0);
		break;
	case SG_OP_GT:
		sg_emit(b, jgt, lo, 0, TO_FAIL);
		break;
	case SG_OP_GE:
		sg_emit(b, jge, lo, 0, TO_FAIL);
		break;
	case SG_OP_SELF:
		emit_patch(b, SG_PATCH_SELF, 0, TO_FAIL);
		break;
	default:
		/* Nothing the oracle would match either. */
		sg_emit(b, BPF_JMP | BPF_JA, TO_FAIL, 0, 0);
		break;
	}
	for (i = start; i < b->n; i++) {
		if (BPF_CLASS(b->insns[i].code) != BPF_JMP || BPF_OP(b->insns[i].code) == BPF_JA)
			continue;
		if (b->insns[i].jt == TO_HOLD)
			b->insns[i].jt = (__u8)(b->n - i - 1);
		if (b->insns[i].jf == TO_HOLD)
			b->insns[i].jf = (__u8)(b->n - i - 1);
	}
}

/* The rule's conditions end here: whoever failed one goes on with the next instruction. */
static void land_failures(struct sg_builder *b, unsigned start)
{
	unsigned i;

	for (i = start; i < b->n; i++) {
		struct sock_filter *f = &b->insns[i];
		unsigned off = b->n - i - 1;

		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (BPF_OP(f->code) == BPF_JA) {
			if (f->k == TO_FAIL)
				f->k = off;
			continue;
		}
		if ((f->jt == TO_FAIL || f->jf == TO_FAIL) && off >= TO_LIMIT) {
			b->overflow = true;
			return;
		}
		if (f->jt == TO_FAIL)
			f->jt = (__u8)off;
		if (f->jf == TO_FAIL)
			f->jf = (__u8)off;
	}
}

static uint32_t outcome(struct sg_builder *b, unsigned nr, unsigned action, unsigned err)
{
	switch (action) {
	case SG_ACTION_ALLOW:
		return sg_is_fork(nr) ? SG_RET_FORK : SECCOMP_RET_ALLOW;
	case SG_ACTION_AUDIT:
		b->has_audit = true;
		return sg_is_fork(nr) ? SG_RET_FORK_AUDIT : SG_RET_AUDIT;
	case SG_ACTION_ERRNO:
		return SECCOMP_RET_ERRNO | (err & SECCOMP_RET_DATA);
	default:
		return SG_RET_KILL;
	}
}

/* The launcher's own call, known by an address that nobody else has. */
static void emit_exception(struct sg_builder *b, unsigned arg, enum sg_patch_kind lo, enum sg_patch_kind hi)
{
	unsigned start = b->n;

	emit_load(b, ARG_LO(arg), 0xffffffffU);
	emit_patch(b, lo, 0, TO_FAIL);
	emit_load(b, ARG_HI(arg), 0xffffffffU);
	emit_patch(b, hi, 0, TO_FAIL);
	sg_emit(b, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	land_failures(b, start);
}

bool sg_needs_block(const struct sg_entry *e, unsigned nr)
{
	if (e->n_rules)
		return true;
	return (nr == __NR_execve || nr == __NR_sendmsg) && e->action != SG_ACTION_ALLOW;
}

/* How many rules from the first on say the same of one value each of the same argument. */
static unsigned same_outcome(const struct sg_rule *r, unsigned n)
{
	unsigned i;

	for (i = 0; i < n && i < TO_LIMIT; i++)
		if (r[i].n_conds != 1 || r[i].cond[0].op != SG_OP_EQ || !is_plain(&r[i].cond[0]) ||
		    r[i].cond[0].arg != r->cond[0].arg || r[i].action != r->action || r[i].err != r->err)
			break;
	return i;
}

/* One load, a comparison for each value, one return. */
static void emit_values(struct sg_builder *b, const struct sg_rule *r, unsigned n)
{
	unsigned i;

	if (b->held != ARG_LO(r->cond[0].arg))
		emit_load(b, ARG_LO(r->cond[0].arg), 0xffffffffU);
	b->held = ARG_LO(r->cond[0].arg);
	for (i = 0; i < n; i++)
		sg_emit(b, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r[i].cond[0].value, n - i - 1, i + 1 < n ? 0 : TO_FAIL);
}

static void emit_block(struct sg_builder *b, const struct sg_ruleset *rs, unsigned nr)
{
	const struct sg_entry *e = &rs->entry[nr];
	unsigned i, j;

	b->held = 0;
	if (nr == __NR_execve && (e->action != SG_ACTION_ALLOW || e->n_rules))
		emit_exception(b, 0, SG_PATCH_EXEC_LO, SG_PATCH_EXEC_HI);
	if (nr == __NR_sendmsg && (e->action != SG_ACTION_ALLOW || e->n_rules))
		emit_exception(b, 1, SG_PATCH_MSG_LO, SG_PATCH_MSG_HI);
	for (i = 0; i < e->n_rules; i++) {
		const struct sg_rule *r = &rs->rules[e->first_rule + i];
		unsigned start = b->n;
		unsigned same = same_outcome(r, e->n_rules - i);
		bool supervised = false, plain = true;

		if (same > 1) {
			emit_values(b, r, same);
			i += same - 1;
		}
		for (j = 0; j < r->n_conds && same < 2; j++) {
			plain &= is_plain(&r->cond[j]) && r->cond[j].arg == r->cond[0].arg;
			if (r->cond[j].op == SG_OP_IN_SANDBOX)
				supervised = true;
			else
				emit_cond(b, &r->cond[j]);
		}
		if (!plain)
			b->held = 0; /* it depends on which condition failed */
		if (supervised)
			b->has_supervised = true;
		sg_emit(b, BPF_RET | BPF_K, supervised ? SG_RET_SUPERVISED : outcome(b, nr, r->action, r->err), 0, 0);
		land_failures(b, start);
	}
	sg_emit(b, BPF_RET | BPF_K, outcome(b, nr, e->action, e->err), 0, 0);
}

static int rewrite_return(struct sg_builder *b, unsigned at, const uint16_t *block, struct sg_err *err)
{
	struct sock_filter *f = &b->insns[at];
	uint32_t t = f->k & SECCOMP_RET_DATA;

	if (f->k == SECCOMP_RET_KILL_PROCESS) {
		f->k = SG_RET_KILL;
		return 0;
	}
	if ((f->k & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_TRACE)
		return sg_err_set(err, EINVAL, "libseccomp generated a return that was not asked for: 0x%08x", f->k);
	if (t >= TOKEN_BLOCK && t < TOKEN_BLOCK + SG_NR_MAX && block[t - TOKEN_BLOCK]) {
		*f = (struct sock_filter){.code = BPF_JMP | BPF_JA, .k = block[t - TOKEN_BLOCK] - at - 1};
		return 0;
	}
	if (t > TOKEN_ERRNO && t < TOKEN_BLOCK) {
		f->k = SECCOMP_RET_ERRNO | (t - TOKEN_ERRNO);
		return 0;
	}
	switch (t) {
	case TOKEN_KILL:
		f->k = SG_RET_KILL;
		return 0;
	case TOKEN_AUDIT:
		b->has_audit = true;
		f->k = SG_RET_AUDIT;
		return 0;
	case TOKEN_FORK:
		f->k = SG_RET_FORK;
		return 0;
	case TOKEN_FORK_AUDIT:
		b->has_audit = true;
		f->k = SG_RET_FORK_AUDIT;
		return 0;
	case TOKEN_ALLOW:
		f->k = SECCOMP_RET_ALLOW;
		return 0;
	default:
		return sg_err_set(err, EINVAL, "libseccomp generated a return that was not asked for: 0x%08x", f->k);
	}
}

static bool lets_through(unsigned action)
{
	return action == SG_ACTION_ALLOW || action == SG_ACTION_AUDIT;
}

/* Whether a call may be let through whose first argument is value in the bits of mask, whatever its other bits are. */
static bool may_pass(const struct sg_ruleset *rs, unsigned nr, uint32_t mask, uint32_t value)
{
	const struct sg_entry *e = &rs->entry[nr];
	unsigned i, j;

	for (i = 0; i < e->n_rules; i++) {
		const struct sg_rule *r = &rs->rules[e->first_rule + i];
		bool passes = lets_through(r->action), other = false;

		for (j = 0; j < r->n_conds && !other; j++) {
			const struct sg_cond *c = &r->cond[j];

			passes |= c->op == SG_OP_IN_SANDBOX; /* the supervisor may say so */
			other = c->op == SG_OP_EQ && c->arg == 0 && (((uint32_t)c->value ^ value) & c->mask & mask);
		}
		if (passes && !other)
			return true;
	}
	return lets_through(e->action);
}

static bool may_pass_any(const struct sg_ruleset *rs, const unsigned *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (may_pass(rs, calls[i], 0, 0))
			return true;
	return false;
}

static bool is_tied(const struct sg_ruleset *rs)
{
	static const unsigned calls[] = {__NR_execve, __NR_execveat};

	/* A number past the table may be anything. */
	return !lets_through(rs->unlisted_action) && !may_pass_any(rs, calls, sizeof(calls) / sizeof(calls[0])) &&
	       !may_pass(rs, __NR_prctl, 0xffffffffU, PR_SET_PDEATHSIG);
}

static bool may_fork(const struct sg_ruleset *rs)
{
	static const unsigned calls[] = {
#ifdef __NR_fork
		__NR_fork,
#endif
#ifdef __NR_vfork
		__NR_vfork,
#endif
		__NR_clone3};

	return may_pass_any(rs, calls, sizeof(calls) / sizeof(calls[0])) || may_pass(rs, __NR_clone, CLONE_THREAD, 0);
}

static bool is_keyless(const struct sg_ruleset *rs)
{
	static const unsigned calls[] = {__NR_add_key, __NR_request_key, __NR_keyctl};

	return !lets_through(rs->unlisted_action) && !may_pass_any(rs, calls, sizeof(calls) / sizeof(calls[0]));
}

static int finish(struct sg_builder *b, const struct sg_ruleset *rs, struct sg_filter *out, struct sg_err *err)
{
	const size_t code = b->n * sizeof(struct sock_filter);
	char *mem = malloc(code + b->n_patches * sizeof(struct sg_patch) + 1);

	if (!mem)
		return sg_err_set(err, ENOMEM, "out of memory while building the seccomp filter");
	memcpy(mem, b->insns, code);
	memcpy(mem + code, b->patches, b->n_patches * sizeof(struct sg_patch));
	*out = (struct sg_filter){
		.insns = (struct sock_filter *)(void *)mem,
		.patches = (struct sg_patch *)(void *)(mem + code),
		.n_insns = (uint16_t)b->n,
		.n_patches = (uint16_t)b->n_patches,
		.has_supervised = b->has_supervised,
		.has_audit = b->has_audit,
		.tied = is_tied(rs),
		.one_process = is_tied(rs) && !may_fork(rs),
		.keyless = is_keyless(rs),
		.owned = mem,
	};
	return 0;
}

static int build(struct sg_builder *b, const struct sg_ruleset *rs, struct sg_err *err)
{
	uint16_t block[SG_NR_MAX] = {0};
	unsigned frame, i, nr;
	int rc;

	rc = sg_frame_build(rs, b, err);
	if (rc)
		return rc;
	frame = b->n;
	for (nr = 0; nr < SG_NR_MAX && !b->overflow; nr++) {
		if (!sg_needs_block(&rs->entry[nr], nr))
			continue;
		block[nr] = (uint16_t)b->n;
		emit_block(b, rs, nr);
	}
	if (b->overflow)
		return sg_err_set(err, E2BIG, "the seccomp filter is longer than %d instructions", BPF_MAXINSNS);
	for (i = 0; i < frame && !rc; i++)
		if (BPF_CLASS(b->insns[i].code) == BPF_RET)
			rc = rewrite_return(b, i, block, err);
	return rc ? rc : sg_filter_shorten(b->insns, &b->n, b->patches, &b->n_patches, err);
}

int sg_filter_compile(const struct sg_policy *p, struct sg_filter *out, struct sg_err *err)
{
	struct sg_builder *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return sg_err_set(err, ENOMEM, "out of memory while building the seccomp filter");
	rc = build(b, sg_policy_ruleset(p), err);
	if (!rc)
		rc = finish(b, sg_policy_ruleset(p), out, err);
	free(b);
	return rc;
}

void sg_filter_release(struct sg_filter *f)
{
	free(f->owned);
	memset(f, 0, sizeof(*f));
}
