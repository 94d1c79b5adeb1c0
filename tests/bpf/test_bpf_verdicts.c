// SPDX-License-Identifier: Apache-2.0
/*
 * One policy, three enforcers: the host's oracle, the seccomp filter as the kernel runs it, and the sys_enter program's
 * decision. They may not differ, on the tables and around every boundary of the built-in policies.
 */
#include "../unit/policy_agree.h"
#include "../unit/policy_table.h"
#include "decider.h"
#include "kernel_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

/* What the kernel answers in place of what a filter decides. */
#define AUDITED 3001
#define SUPERVISED 3002
#define KILLED 3003

static struct decider *decider;

/* A policy and calls to put to all three. */
struct batch {
	const struct sg_policy *policy;
	struct sg_filter filter;
	struct sock_filter *insns;
	struct kf_call *calls;
	size_t n, room;
	unsigned failed;
};

static void bind(struct batch *b, uint32_t ret_kill)
{
	const struct sg_binding binding = {
		.self = TABLE_SELF,
		.ret_kill = ret_kill,
		.ret_audit = SECCOMP_RET_ERRNO | AUDITED,
		.ret_supervised = SECCOMP_RET_ERRNO | SUPERVISED,
		.ret_fork = SECCOMP_RET_ALLOW,
	};
	struct sg_err err = {0};

	if (sg_filter_bind(&b->filter, &binding, b->insns, &err))
		fail_msg("%s", err.message);
}

static void batch_begin(struct batch *b, const struct sg_policy *p, size_t room)
{
	struct sg_err err = {0};

	*b = (struct batch){.policy = p, .room = room, .failed = b->failed};
	if (sg_filter_compile(p, &b->filter, &err))
		fail_msg("%s", err.message);
	b->insns = calloc(b->filter.n_insns, sizeof(*b->insns));
	assert_non_null(b->insns);
	b->calls = kf_calls(room);
	decider_policy(decider, sg_policy_ruleset(p));
}

static bool has_i386;

static bool can_be_made(uint32_t arch)
{
	return arch == sg_native_arch() || (arch == AUDIT_ARCH_I386 && has_i386);
}

static void batch_add(void *ctx, uint32_t arch, uint32_t nr, const uint64_t args[SG_ARGS])
{
	struct batch *b = ctx;
	struct kf_call *c;

	/* only these two can be made here, and i386 only with 32-bit arguments */
	if (!can_be_made(arch))
		return;
	/*
	 * uretprobe (6.11, past seccomp from 6.14) and uprobe: the kernel puts these calls into programs itself and
	 * lets no filter see them. Anywhere else they are a fault of their caller.
	 */
	if (nr == 335 || nr == 336)
		return;
	assert_true(b->n < b->room);
	c = &b->calls[b->n++];
	c->arch = arch;
	c->nr = nr;
	memcpy(c->args, args, sizeof(c->args));
}

static bool asks_supervisor(const struct batch *b, uint32_t nr)
{
	const struct sg_ruleset *rs = sg_policy_ruleset(b->policy);
	unsigned i, j;

	for (i = 0; nr < SG_NR_MAX && i < rs->entry[nr].n_rules; i++)
		for (j = 0; j < rs->rules[rs->entry[nr].first_rule + i].n_conds; j++)
			if (rs->rules[rs->entry[nr].first_rule + i].cond[j].op == SG_OP_IN_SANDBOX)
				return true;
	return false;
}

static int wanted_answer(struct sg_decision d)
{
	switch (d.action) {
	case SG_ACTION_ALLOW:
		return KF_ALLOWED;
	case SG_ACTION_AUDIT:
		return AUDITED;
	case SG_ACTION_ERRNO:
		return d.err;
	default:
		return KILLED;
	}
}

static void complain(struct batch *b, const struct kf_call *c, const char *who, int got, struct sg_decision d)
{
	if (++b->failed <= 20)
		fprintf(stderr, "arch 0x%x nr %u (0x%llx 0x%llx 0x%llx): oracle %d/%d rule %d, %s %d\n", c->arch, c->nr,
			(unsigned long long)c->args[0], (unsigned long long)c->args[1], (unsigned long long)c->args[2],
			d.action, d.err, (int)d.origin, who, got);
}

static void batch_end(struct batch *b)
{
	const struct sg_oracle oracle = {.self = TABLE_SELF, .in_sandbox = table_in_sandbox};
	int status;
	size_t i;

	bind(b, SECCOMP_RET_ERRNO | KILLED);
	status = kf_run(b->insns, b->filter.n_insns, b->calls, b->n);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("the process under the filter ended by itself: status 0x%x", status);
	for (i = 0; i < b->n; i++) {
		const struct kf_call *c = &b->calls[i];
		struct sg_decision d = sg_policy_decide(b->policy, c->arch, c->nr, c->args, &oracle), p;

		if (c->answer != wanted_answer(d) &&
		    !(c->answer == SUPERVISED && c->arch == sg_native_arch() && asks_supervisor(b, c->nr)))
			complain(b, c, "kernel filter", c->answer, d);
		/* other entries into the kernel never reach the decision: sg_arch_abi() tells them apart first */
		if (c->arch != sg_native_arch() || c->nr & 0x40000000U)
			continue;
		p = decider_run(decider, c->nr, c->args);
		if (p.action != d.action || p.err != d.err || p.origin != d.origin)
			complain(b, c, "program", p.action << 16 | p.err, d);
	}
	kf_release(b->calls, b->room);
	free(b->insns);
	sg_filter_release(&b->filter);
}

static struct batch tables;
static size_t n_table_calls, n_kills;

/* The kill itself: a process each that makes the call and must die of it. */
static void kill_one(struct batch *b, const struct table_call *c)
{
	struct kf_call *call = kf_calls(1);
	int status;

	*call = (struct kf_call){.arch = c->arch, .nr = c->nr};
	memcpy(call->args, c->args, sizeof(call->args));
	bind(b, SECCOMP_RET_KILL_PROCESS);
	status = kf_run(b->insns, b->filter.n_insns, call, 1);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS || call->answer != -1) {
		/* handed to the supervisor, who kills */
		if (call->answer != SUPERVISED) {
			fprintf(stderr, "%s: not killed: status 0x%x, answer %d\n", c->where, status, call->answer);
			b->failed++;
		}
	} else {
		n_kills++;
	}
	kf_release(call, 1);
}

static int table_one(const char *name)
{
	struct table *t = table_open(name);
	struct table_call c;

	while (table_next(t, &c)) {
		char got[32];

		if (c.policy != tables.policy) {
			if (tables.policy)
				batch_end(&tables);
			batch_begin(&tables, c.policy, 1024);
		}
		n_table_calls++;
		batch_add(&tables, c.arch, c.nr, c.args);
		table_action(sg_policy_decide(c.policy, c.arch, c.nr, c.args,
					      &(struct sg_oracle){.self = TABLE_SELF, .in_sandbox = table_in_sandbox})
				     .action,
			     0, got, sizeof(got));
		if (!strcmp(c.action, "kill")) {
			assert_string_equal(got, "kill");
			if (can_be_made(c.arch))
				kill_one(&tables, &c);
		}
	}
	batch_end(&tables);
	tables.policy = NULL;
	table_close(t);
	return 0;
}

static void tables_agree(void **state)
{
	int failed = 0;

	assert_true(table_each("verdict", ".table", table_one, &failed) >= 4);
	assert_int_equal(tables.failed, 0);
	assert_true(n_table_calls > 150);
	assert_true(n_kills > 60);
}

static void boundaries_agree(const struct sg_policy *p, size_t *n)
{
	struct batch b = {0};
	struct sg_err err = {0};
	struct agree a;

	if (agree_begin(&a, p, &err))
		fail_msg("%s", err.message);
	batch_begin(&b, p, 1U << 19);
	a.also = batch_add;
	a.ctx = &b;
	assert_true(agree_on_boundaries(&a));
	agree_end(&a);
	*n += b.n;
	batch_end(&b);
	if (b.failed)
		fail_msg("%s: %u differences", sg_policy_name(p), b.failed);
}

static void built_in_policies_agree(void **state)
{
	const char *name;
	size_t i, n = 0;

	for (i = 0; (name = sg_builtin_name(i)); i++) {
		struct sg_err err = {0};
		struct sg_policy *p;

		assert_int_equal(sg_policy_resolve(NULL, name, &p, &err), 0);
		boundaries_agree(p, &n);
		sg_policy_free(p);
	}
	print_message("%zu calls\n", n);
	assert_true(i >= 10);
	assert_true(n > 50000);
}

/* The positive control of everything above: a rule that differs is seen, by each of the two. */
static void a_difference_is_seen(void **state)
{
	static const char yaml[] = "t: {allow: [getpid, {kill: sig == 9}], errno: {EPERM: [getuid]}}\n";
	const uint64_t args[SG_ARGS] = {1, 9};
	struct sg_policy *p = NULL, *other = NULL;
	struct sg_err err = {0};
	struct sg_doc *doc;
	struct batch b = {0};

	assert_int_equal(sg_doc_parse("t", yaml, strlen(yaml), &doc, &err), 0);
	assert_int_equal(sg_policy_resolve(doc, "t", &p, &err), 0);
	assert_int_equal(sg_policy_resolve(NULL, "python", &other, &err), 0);
	batch_begin(&b, p, 16);
	batch_add(&b, sg_native_arch(), 62, args);
	batch_end(&b);
	assert_int_equal(b.failed, 0);
	/* the program still has the policy of the batch, the filter has it too: only the oracle changes */
	batch_begin(&b, p, 16);
	batch_add(&b, sg_native_arch(), 62, args);
	b.policy = other;
	fprintf(stderr, "two differences follow, as they must:\n");
	batch_end(&b);
	assert_int_equal(b.failed, 2);
	sg_policy_free(p);
	sg_policy_free(other);
	sg_doc_free(doc);
}

static int setup(void **state)
{
	decider = decider_open();
	has_i386 = kf_has_i386();
	if (!has_i386)
		fprintf(stderr,
			"i386 calls cannot be made here: the filter in the kernel is asked about native ones only\n");
	return 0;
}

static int teardown(void **state)
{
	decider_close(decider);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_difference_is_seen),
		cmocka_unit_test(tables_agree),
		cmocka_unit_test(built_in_policies_agree),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
