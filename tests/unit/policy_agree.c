// SPDX-License-Identifier: Apache-2.0
#include "policy_agree.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#define SELF 4321
#define EXEC_PATH 0x7f12345678a0ULL
#define MSGHDR 0x7f12ffff00b0ULL

int agree_begin(struct agree *a, const struct sg_policy *p, struct sg_err *err)
{
	struct sg_filter f;
	int rc;

	memset(a, 0, sizeof(*a));
	rc = sg_filter_compile(p, &f, err);
	if (rc)
		return rc;
	a->policy = p;
	a->n = f.n_insns;
	a->insns = calloc(f.n_insns, sizeof(*a->insns));
	a->binding = (struct sg_binding){
		.exec_path = EXEC_PATH,
		.msghdr = MSGHDR,
		.self = SELF,
		.ret_kill = SECCOMP_RET_KILL_PROCESS,
		.ret_audit = SECCOMP_RET_LOG,
		.ret_supervised = SECCOMP_RET_USER_NOTIF,
		.ret_fork = SECCOMP_RET_ALLOW,
	};
	rc = a->insns ? sg_filter_bind(&f, &a->binding, a->insns, err) : sg_err_set(err, ENOMEM, "out of memory");
	sg_filter_release(&f);
	if (rc)
		agree_end(a);
	return rc;
}

void agree_end(struct agree *a)
{
	free(a->insns);
	a->insns = NULL;
}

static bool answer(void *ctx, int32_t pid)
{
	(void)pid;
	return *(bool *)ctx;
}

uint32_t agree_return(const struct agree *a, struct sg_decision d)
{
	switch (d.action) {
	case SG_ACTION_ALLOW:
		return SECCOMP_RET_ALLOW;
	case SG_ACTION_AUDIT:
		return a->binding.ret_audit;
	case SG_ACTION_ERRNO:
		return SECCOMP_RET_ERRNO | d.err;
	default:
		return a->binding.ret_kill;
	}
}

static uint32_t expected(const struct agree *a, uint32_t arch, uint32_t nr, const uint64_t *args, bool in_sandbox)
{
	const struct sg_oracle oracle = {.self = SELF, .in_sandbox = answer, .ctx = &in_sandbox};

	return agree_return(a, sg_policy_decide(a->policy, arch, nr, args, &oracle));
}

/* Does the answer hang on who belongs to the sandbox, or could it? */
static bool asks_supervisor(const struct agree *a, uint32_t nr)
{
	const struct sg_ruleset *rs = sg_policy_ruleset(a->policy);
	unsigned i, j;

	for (i = 0; nr < SG_NR_MAX && i < rs->entry[nr].n_rules; i++) {
		const struct sg_rule *r = &rs->rules[rs->entry[nr].first_rule + i];

		for (j = 0; j < r->n_conds; j++)
			if (r->cond[j].op == SG_OP_IN_SANDBOX)
				return true;
	}
	return false;
}

bool agree_on(struct agree *a, uint32_t arch, uint32_t nr, const uint64_t args[SG_ARGS])
{
	uint32_t got = sg_filter_simulate(a->insns, a->n, arch, nr, args);
	uint32_t inside = expected(a, arch, nr, args, true), outside = expected(a, arch, nr, args, false);

	a->calls++;
	if (a->also)
		a->also(a->ctx, arch, nr, args);
	/* Handed to the supervisor: right where an "in sandbox" rule is reached, which both answers make known. */
	if (got == a->binding.ret_supervised && arch == sg_native_arch() && asks_supervisor(a, nr))
		return true;
	if (got == inside && got == outside)
		return true;
	fprintf(stderr,
		"arch 0x%x nr %u (0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx): filter 0x%08x, oracle 0x%08x inside, "
		"0x%08x outside\n",
		arch, nr, (unsigned long long)args[0], (unsigned long long)args[1], (unsigned long long)args[2],
		(unsigned long long)args[3], (unsigned long long)args[4], (unsigned long long)args[5], got, inside,
		outside);
	return false;
}

/* Values that a condition tells apart, and some that it must not. */
static unsigned boundary_values(const struct sg_cond *c, uint64_t *v)
{
	const uint64_t base = c->op == SG_OP_SELF || c->op == SG_OP_IN_SANDBOX ? SELF : c->value;
	unsigned n = 0;

	v[n++] = base;
	v[n++] = base - 1;
	v[n++] = base + 1;
	v[n++] = base | ~c->mask;
	v[n++] = base ^ (c->mask & -c->mask);
	v[n++] = base ^ (c->mask & ~(c->mask >> 1));
	v[n++] = base | 1ULL << 32;
	v[n++] = base | 1ULL << 63;
	v[n++] = ~base;
	v[n++] = 0;
	v[n++] = ~0ULL;
	return n;
}
#define VALUES_MAX 11

static bool agree_on_rule(struct agree *a, uint32_t nr, const struct sg_rule *r)
{
	uint64_t values[SG_CONDS_MAX][VALUES_MAX], args[SG_ARGS] = {0};
	unsigned n[SG_CONDS_MAX] = {0}, i[SG_CONDS_MAX] = {0}, j;

	for (j = 0; j < r->n_conds; j++)
		n[j] = boundary_values(&r->cond[j], values[j]);
	/* All combinations for one or two conditions; for more, the others stay at a value near the matching one. */
	for (;;) {
		for (j = 0; j < r->n_conds; j++)
			args[r->cond[j].arg] = values[j][i[j]];
		if (!agree_on(a, sg_native_arch(), nr, args))
			return false;
		for (j = 0; j < r->n_conds; j++) {
			if (++i[j] < (j < 2 ? n[j] : 3))
				break;
			i[j] = 0;
		}
		if (j == r->n_conds)
			return true;
	}
}

static bool agree_on_exceptions(struct agree *a)
{
	static const uint64_t near[] = {EXEC_PATH - 1, EXEC_PATH ^ 1ULL << 32, EXEC_PATH & 0xffffffff, 0, MSGHDR + 1};
	uint64_t args[SG_ARGS] = {0};
	uint32_t nr, i;

	for (nr = 0; nr < SG_NR_MAX; nr++)
		for (i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
			args[0] = args[1] = near[i];
			if (!agree_on(a, sg_native_arch(), nr, args))
				return false;
		}
	return true;
}

bool agree_on_boundaries(struct agree *a)
{
	static const uint32_t beyond[] = {SG_NR_MAX,  SG_NR_MAX + 1, 100000,     0x3fffffff, 0x40000000,
					  0x40000001, 0x40000200,    0x7fffffff, 0x80000000, 0xbfffffff,
					  0xc0000000, 0xfffffffe,    0xffffffff};
	static const uint32_t foreign[] = {
		AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, 0, ~0U};
	const struct sg_ruleset *rs = sg_policy_ruleset(a->policy);
	const uint64_t zero[SG_ARGS] = {0}, ones[SG_ARGS] = {~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL};
	uint32_t nr, i;

	for (nr = 0; nr < SG_NR_MAX; nr++) {
		if (!agree_on(a, sg_native_arch(), nr, zero) || !agree_on(a, sg_native_arch(), nr, ones))
			return false;
		for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
			if (!agree_on(a, foreign[i], nr, zero))
				return false;
		for (i = 0; i < rs->entry[nr].n_rules; i++)
			if (!agree_on_rule(a, nr, &rs->rules[rs->entry[nr].first_rule + i]))
				return false;
	}
	for (i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
		if (!agree_on(a, sg_native_arch(), beyond[i], zero))
			return false;
	return agree_on_exceptions(a);
}
