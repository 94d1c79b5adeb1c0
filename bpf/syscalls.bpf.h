/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_SYSCALLS_BPF_H
#define SG_SYSCALLS_BPF_H

/*
 * raw_tp/sys_enter  judges every call of a sandbox that wants it. It sees what ptrace and seccomp let through, and it
 * can only mark the task for death: the call's body still runs. Where a seccomp filter is the brake
 *                   (SG_SANDBOX_SECCOMP) it records `audit` rules and counts, nothing else.
 * raw_tp/sys_exit   completes a record with what the call answered.
 *
 * sys_enter runs for every process on the host. The order is: not ours, not judged, allowed outright, everything else.
 */

/* What a kernel that cannot be read is taken for: no ABI, and so forbidden. */
static __always_inline int sg_status_read(__u32 *status)
{
	struct task_struct *task;

	if (sg_has_task_btf) {
		task = bpf_get_current_task_btf();
		*status = task->thread_info.status;
		return 0;
	}
	task = (struct task_struct *)bpf_get_current_task();
	return bpf_core_read(status, sizeof(*status), &task->thread_info.status);
}

/* Everything that is not allowed outright. */
static __always_inline int sg_enter_slow(struct bpf_raw_tracepoint_args *ctx, struct sg_sandbox *sb, __u32 index,
					 const struct sg_ruleset *rs, __u32 policy, __u32 language, __u8 abi)
{
	struct sg_decision d = {.action = SG_ACTION_KILL, .err = 0, .origin = SG_ORIGIN_UNLISTED};
	struct sg_where where = {.sandbox = index, .policy = policy, .scratch = SG_SCRATCH_ENTER};
	struct sg_scratch *s = sg_scratch_get(SG_SCRATCH_ENTER);
	__u32 flags = sb->flags;
	struct sg_event_syscall *ev;
	struct sg_proc *proc;
	int readable;

	if (!s)
		return 0; /* cannot be: the element exists; the verifier wants to hear it */
	readable = bpf_probe_read_kernel(&s->regs, sizeof(s->regs), (const void *)ctx->args[0]) == 0;
	if (!readable)
		__builtin_memset(&s->regs, 0, sizeof(s->regs));
	if (!readable || !rs || abi == 0)
		SG_COUNT(index, helper_failed);
	sg_arch_args(&s->regs, abi, s->args);
	if (readable && rs && abi == SG_ABI_NATIVE)
		d = sg_ruleset_decide(rs, (__u32)ctx->args[1], s->args, sb->self, &where);

	if (d.action == SG_ACTION_ALLOW || ((flags & SG_SANDBOX_SECCOMP) && d.action != SG_ACTION_AUDIT)) {
		if (flags & SG_SANDBOX_COUNT)
			SG_COUNT(index, allowed);
		return 0;
	}

	ev = &s->event;
	__builtin_memset(ev, 0, sizeof(*ev));
	sg_hdr_fill(&ev->hdr, sizeof(*ev), SG_EVENT_SYSCALL, index, sb->cgroup_id);
	ev->nr = (__u32)ctx->args[1];
	ev->abi = abi ? abi : SG_ABI_NATIVE;
	ev->audit_arch = abi == SG_ABI_COMPAT ? SG_AUDIT_ARCH_COMPAT : abi ? SG_AUDIT_ARCH_NATIVE : 0;
	ev->layer = SG_LAYER_SYS_ENTER;
	ev->outcome = SG_OUTCOME_UNKNOWN;
	ev->language = (__u8)language;
	ev->err = d.err;
	ev->origin = d.origin;
	ev->ip = s->regs.ip;
	__builtin_memcpy(ev->args, s->args, sizeof(ev->args));

	if (d.action == SG_ACTION_AUDIT) {
		ev->action = SG_ACTION_AUDIT;
		if (flags & SG_SANDBOX_COUNT)
			SG_COUNT(index, allowed);
	} else if (flags & SG_SANDBOX_ENFORCE) {
		/* an errno cannot be answered from here, so it is a kill too */
		ev->action = SG_ACTION_KILL;
		ev->signal_rc = bpf_send_signal(SG_SIGKILL);
		if (ev->signal_rc)
			SG_COUNT(index, signal_failed);
		SG_COUNT(index, violations);
		sg_first_kill(sb, index, ev);
	} else {
		ev->action = SG_ACTION_AUDIT;
		ev->violation = 1;
		SG_COUNT(index, denied);
	}

	proc = sg_proc_current(sb, index, s);
	if (proc && proc->pending) /* its return went unseen */
		sg_pending_finish(proc, SG_OUTCOME_UNKNOWN, 0);
	if (proc && ev->action != SG_ACTION_AUDIT)
		proc->violations++;
	if (!proc || (ev->action != SG_ACTION_KILL && !sg_with_sys_exit)) {
		sg_send(index, ev, sizeof(*ev));
		return 0;
	}
	proc->event = *ev;
	proc->pending = 1;
	if (sg_with_sys_exit)
		__sync_fetch_and_add(&sg_pending, 1);
	return 0;
}

/* The language of the running process and, through policy, the number of its policy. 0: it has none. */
static __always_inline __u32 sg_language_current(__u32 index, __u32 *policy)
{
	__u32 pid = (__u32)bpf_get_current_pid_tgid(), number, *at;
	const struct sg_proc *proc = bpf_map_lookup_elem(&sg_processes, &pid);

	if (!proc || proc->sandbox != index || !proc->language)
		return 0;
	number = proc->language - 1;
	at = bpf_map_lookup_elem(&sg_languages, &number);
	if (!at || !*at)
		return 0; /* cannot be: a language has its policy before it has interpreters */
	*policy = *at - 1;
	return number + 1;
}

SEC("raw_tp/sys_enter")
int sg_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sg_ruleset *rs;
	struct sg_sandbox *sb;
	__u32 index = 0, flags, policy, language = 0, status;
	__u64 nr;
	__u8 abi;

	sb = sg_sandbox_current(&index);
	if (!sb)
		return 0;
	flags = sb->flags;
	if (!(flags & SG_SANDBOX_SYS_ENTER))
		return 0;
	if ((flags & SG_SANDBOX_ARM_ON_EXEC) && !sb->armed)
		return 0;
	if (sg_count_only) {
		if (flags & SG_SANDBOX_COUNT)
			SG_COUNT(index, allowed);
		return 0;
	}
	nr = (__u32)ctx->args[1];
	abi = sg_status_read(&status) ? 0 : sg_arch_abi(status, nr);
	policy = sb->policy;
	if (sg_with_discover && (flags & SG_SANDBOX_DISCOVER))
		language = sg_language_current(index, &policy);
	rs = bpf_map_lookup_elem(&sg_policies, &policy);
	if (rs && abi == SG_ABI_NATIVE &&
	    (sg_allowed_outright(rs, nr) || ((flags & SG_SANDBOX_SECCOMP) && !sg_may_audit(rs, nr)))) {
		if (flags & SG_SANDBOX_COUNT)
			SG_COUNT(index, allowed);
		return 0;
	}
	return sg_enter_slow(ctx, sb, index, rs, policy, language, abi);
}

SEC("raw_tp/sys_exit")
int sg_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct sg_proc *proc;
	__u32 pid;

	if (!SG_READ_ONCE(sg_pending))
		return 0;
	pid = (__u32)bpf_get_current_pid_tgid();
	proc = bpf_map_lookup_elem(&sg_processes, &pid);
	if (proc && proc->pending)
		sg_pending_finish(proc, SG_OUTCOME_RETURNED, (__s64)ctx->args[1]);
	return 0;
}

#endif
