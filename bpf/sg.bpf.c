// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one BPF object. Each program is a raw tracepoint: it needs no kernel BTF to attach, and costs a third less than
 * the classic kind. The loader takes only those that are needed (supervisor/bpf.h).
 *
 *   sg_sys_enter  sg_sys_exit      syscalls.bpf.h
 *   sg_fork  sg_exec  sg_exit      process.bpf.h
 *   sg_signal                      seccomp.bpf.h
 *   sg_test_decide                 below, for the verdict tables; never loaded in production
 *
 * What they guarantee: a decision depends on the policy, the task's cgroup and the registers, never on room in a ring
 * buffer or in the process map; what cannot be read counts as forbidden and is counted.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#ifndef NULL
#define NULL ((void *)0)
#endif
#define SG_EEXIST 17
#define SG_EINVAL 22

static __always_inline int sg_in_sandbox(void *ctx, __s32 pid);
#define SG_IN_SANDBOX(ctx, pid) sg_in_sandbox(ctx, pid)
int sg_rule_holds_at(__u32 policy, __u32 at, __u32 self, __u32 sandbox, __u32 scratch);
#define SG_RULE_HOLDS(rs, at, args, self, ctx) ((void)(args), sg_rule_holds_in(ctx, at, self))
/* Of a call that is judged: the number of its sandbox, its policy, and where its arguments are. */
struct sg_where {
	__u32 sandbox;
	__u32 policy;
	__u32 scratch;
};
#define sg_rule_holds_in(where, at, self)                                                                              \
	sg_rule_holds_at(((const struct sg_where *)(where))->policy, at, self,                                         \
			 ((const struct sg_where *)(where))->sandbox, ((const struct sg_where *)(where))->scratch)
#include "bpf/sg_abi.h"
#include "bpf/sg_abi_check.h"

#include "kernel.bpf.h"
#include "arch.bpf.h"
#include "shared.bpf.h"
#include "maps.bpf.h"
#include "sandbox.bpf.h"
#include "record.bpf.h"
#include "decide.bpf.h"
#include "events.bpf.h"
#include "syscalls.bpf.h"
#include "process.bpf.h"
#include "seccomp.bpf.h"

/* BPF_PROG_TEST_RUN of the very decision that sys_enter makes. args: policy, number, six arguments, then self, sandbox.
 */
__u32 sg_test_origin = 0;

SEC("raw_tp/sys_enter")
int sg_test_decide(struct bpf_raw_tracepoint_args *ctx)
{
	struct sg_where where = {
		.sandbox = (__u32)ctx->args[9], .policy = (__u32)ctx->args[0], .scratch = SG_SCRATCH_TEST};
	const struct sg_ruleset *rs = bpf_map_lookup_elem(&sg_policies, &where.policy);
	struct sg_scratch *s = sg_scratch_get(SG_SCRATCH_TEST);
	struct sg_decision d;

	if (!s || !rs)
		return 0;
	sg_test_origin = SG_ORIGIN_UNLISTED;
	s->args[0] = ctx->args[2];
	s->args[1] = ctx->args[3];
	s->args[2] = ctx->args[4];
	s->args[3] = ctx->args[5];
	s->args[4] = ctx->args[6];
	s->args[5] = ctx->args[7];
	d = sg_ruleset_decide(rs, ctx->args[1], s->args, (__u32)ctx->args[8], &where);
	sg_test_origin = d.origin;
	/* the short way out must never say yes where the rules say anything else */
	if (sg_allowed_outright(rs, ctx->args[1]) && d.action != SG_ACTION_ALLOW)
		return -1;
	return (int)((__u32)d.action << 16 | d.err);
}

/* Helpers such as bpf_send_signal() are for GPL-compatible programs only. */
char LICENSE[] SEC("license") = "GPL";
