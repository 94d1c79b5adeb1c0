/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_DECIDE_BPF_H
#define SG_DECIDE_BPF_H

/*
 * What the policy says about one call of a sandbox. Pure apart from the process map, which answers "in sandbox".
 * Shared by sys_enter and by the program that runs the verdict tables in tests.
 */

static __always_inline int sg_allowed_outright(const struct sg_ruleset *rs, __u64 nr)
{
	return nr < SG_NR_MAX && (rs->allow[(nr >> 6) & (SG_NR_MAX / 64 - 1)] >> (nr & 63) & 1);
}

static __always_inline int sg_may_audit(const struct sg_ruleset *rs, __u64 nr)
{
	if (nr >= SG_NR_MAX)
		return rs->unlisted_action == SG_ACTION_AUDIT;
	return rs->audit[(nr >> 6) & (SG_NR_MAX / 64 - 1)] >> (nr & 63) & 1;
}

/*
 * See SG_OP_IN_SANDBOX. Numbers are looked up as the initial pid namespace counts them; a task in another one means
 * other tasks by them, so there only 0 is known to be its own. ctx: a struct sg_where.
 */
static __always_inline int sg_in_sandbox(void *ctx, __s32 pid)
{
	const struct sg_proc *proc;
	struct task_struct *task;
	__u32 key = (__u32)pid;
	struct pid *self = NULL;
	unsigned int level = 0;

	if (pid == 0)
		return 1;
	if (pid == -1)
		return 0; /* kill(-1): everyone */
	if (pid < 0)
		key = 0 - key;
	task = (struct task_struct *)bpf_get_current_task();
	if (bpf_core_read(&self, sizeof(self), &task->thread_pid) ||
	    bpf_core_read(&level, sizeof(level), &self->level) || level != 0)
		return 0;
	proc = bpf_map_lookup_elem(&sg_processes, &key);
	return proc && proc->sandbox == ((const struct sg_where *)ctx)->sandbox;
}

/*
 * Not static and not inlined, so that the verifier takes it for a function of its own: inlined in the walk over 64
 * rules it took half a second to load. Numbers only, because older kernels pass no pointers to such functions.
 */
__noinline int sg_rule_holds_at(__u32 policy, __u32 at, __u32 self, __u32 sandbox, __u32 scratch)
{
	const struct sg_ruleset *rs = bpf_map_lookup_elem(&sg_policies, &policy);
	struct sg_where where = {.sandbox = sandbox};
	struct sg_scratch *s = sg_scratch_get(scratch);

	if (!rs || !s || at >= SG_RULES_MAX)
		return 0; /* cannot be: the caller has looked both up */
	return sg_rule_holds(&rs->rules[at], s->args, self, &where);
}

#endif
