// SPDX-License-Identifier: Apache-2.0
#include "decider.h"

#include "../unit/policy_table.h"
#include "supervisor/bpf_priv.h"

#include "bpf/sg.skel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SANDBOX 3 /* its number: any */

struct decider {
	struct sg_bpf_skel *skel;
	int prog;
};

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

struct decider *decider_open(void)
{
	static const uint32_t tasks[] = {TABLE_SELF, TABLE_INSIDE};
	const struct sg_proc proc = {.sandbox = SANDBOX};
	struct decider *d = calloc(1, sizeof(*d));
	struct bpf_program *p;
	size_t i;
	int rc;

	assert_non_null(d);
	libbpf_set_print(quiet);
	d->skel = sg_bpf_skel__open();
	if (!d->skel)
		fail_msg("cannot open the object: %s", strerror(errno));
	bpf_object__for_each_program(p, d->skel->obj) bpf_program__set_autoload(p, p == d->skel->progs.sg_test_decide);
	bpf_map__set_max_entries(d->skel->maps.sg_processes, 16);
	rc = sg_bpf_skel__load(d->skel);
	if (rc)
		fail_msg("cannot load sg_test_decide: %s", strerror(-rc));
	d->prog = bpf_program__fd(d->skel->progs.sg_test_decide);
	for (i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		assert_int_equal(bpf_map__update_elem(d->skel->maps.sg_processes, &tasks[i], sizeof(tasks[i]), &proc,
						      sizeof(proc), BPF_ANY),
				 0);
	return d;
}

void decider_close(struct decider *d)
{
	sg_bpf_skel__destroy(d->skel);
	free(d);
}

void decider_policy(struct decider *d, const struct sg_ruleset *rs)
{
	const uint32_t zero = 0;

	assert_int_equal(bpf_map__update_elem(d->skel->maps.sg_policies, &zero, sizeof(zero), rs, sizeof(*rs), BPF_ANY),
			 0);
}

struct sg_decision decider_run(struct decider *d, uint32_t nr, const uint64_t args[SG_ARGS])
{
	__u64 ctx[10] = {0, nr, args[0], args[1], args[2], args[3], args[4], args[5], TABLE_SELF, SANDBOX};
	LIBBPF_OPTS(bpf_test_run_opts, o, .ctx_in = ctx, .ctx_size_in = sizeof(ctx));
	struct sg_decision out = {0};

	if (bpf_prog_test_run_opts(d->prog, &o))
		fail_msg("BPF_PROG_TEST_RUN: %s", strerror(errno));
	if (o.retval == (__u32)-1)
		fail_msg("call %u is allowed outright, and the rules say something else", nr);
	out.action = (__u16)(o.retval >> 16);
	out.err = (__u16)o.retval;
	out.origin = __atomic_load_n(&d->skel->bss->sg_test_origin, __ATOMIC_ACQUIRE);
	return out;
}
