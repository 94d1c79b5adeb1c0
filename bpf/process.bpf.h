/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_PROCESS_BPF_H
#define SG_PROCESS_BPF_H

/*
 * raw_tp/sched_process_fork  a child of a sandbox is known before it runs.
 * raw_tp/sched_process_exec  arms a sandbox that waits for its first program; keeps names and numbers right.
 * raw_tp/sched_process_exit  forgets the task, sends what it still owed, and, on kernels that give seccomp's kill no
 *                            signal, is where that kill is seen.
 */

SEC("raw_tp/sched_process_fork")
int sg_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	struct sg_proc *proc, *parent;
	struct sg_sandbox *sb;
	struct sg_scratch *s;
	int pid = 0, tgid = 0;
	__u32 index = 0, own;

	sb = sg_sandbox_current(&index);
	if (!sb)
		return 0;
	s = sg_scratch_get(SG_SCRATCH_FORK);
	if (!s)
		return 0;
	if (bpf_core_read(&pid, sizeof(pid), &child->pid) || bpf_core_read(&tgid, sizeof(tgid), &child->tgid)) {
		SG_COUNT(index, helper_failed);
		return 0;
	}
	proc = sg_proc_add(sb, index, (__u32)pid, (__u32)tgid, s);
	if (!sg_with_discover || !proc || !(sb->flags & SG_SANDBOX_DISCOVER))
		return 0;
	own = (__u32)bpf_get_current_pid_tgid();
	parent = bpf_map_lookup_elem(&sg_processes, &own);
	if (parent && parent->sandbox == index)
		proc->language = parent->language;
	return 0;
}

/*
 * The language of the interpreter that is being executed, 0 for any other program. Of a script it is the one that #!
 * names. "python3.11" is looked up as "python"; a name that fills the key is none that is known.
 */
static __always_inline __u32 sg_interpreter(struct linux_binprm *bprm, struct sg_scratch *s)
{
	struct file___name *file = NULL;
	struct dentry___name *dentry = NULL;
	const unsigned char *name = NULL;
	__u32 *language;
	long n;
	int i;

	if (bpf_core_read(&file, sizeof(file), &bprm->file) ||
	    bpf_core_read(&dentry, sizeof(dentry), &file->f_path.dentry) ||
	    bpf_core_read(&name, sizeof(name), &dentry->d_name.name))
		return 0;
	__builtin_memset(s->name, 0, sizeof(s->name));
	n = bpf_probe_read_kernel_str(s->name, sizeof(s->name), name);
	if (n <= 1 || s->name[SG_INTERPRETER_NAME - 2])
		return 0;
#pragma clang loop unroll(full)
	for (i = SG_INTERPRETER_NAME - 2; i > 0; i--) {
		char c = s->name[i];

		if (c && c != '.' && (c < '0' || c > '9'))
			break;
		s->name[i] = 0;
	}
	language = bpf_map_lookup_elem(&sg_interpreters, s->name);
	return language ? *language : 0;
}

static __always_inline __u32 sg_ppid(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_struct *parent = NULL;
	int tgid = 0;

	if (bpf_core_read(&parent, sizeof(parent), &task->real_parent) ||
	    bpf_core_read(&tgid, sizeof(tgid), &parent->tgid))
		return 0;
	return (__u32)tgid;
}

SEC("raw_tp/sched_process_exec")
int sg_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct linux_binprm *bprm = (struct linux_binprm *)ctx->args[2];
	__u32 old_pid = (__u32)ctx->args[1];
	const char *filename = NULL;
	struct sg_event_proc *ev;
	struct sg_sandbox *sb;
	struct sg_scratch *s;
	struct sg_proc *proc;
	__u32 index = 0, pid, language = 0, before = 0;

	sb = sg_sandbox_current(&index);
	if (!sb)
		return 0;
	if ((sb->flags & SG_SANDBOX_ARM_ON_EXEC) && !sb->armed)
		sb->armed = 1;
	s = sg_scratch_get(SG_SCRATCH_EXEC);
	if (!s)
		return 0;
	/* a thread that calls exec takes over the number of the group's leader */
	pid = (__u32)bpf_get_current_pid_tgid();
	if (old_pid != pid) {
		proc = bpf_map_lookup_elem(&sg_processes, &old_pid);
		if (proc) {
			if (proc->pending)
				sg_pending_finish(proc, SG_OUTCOME_RETURNED, 0);
			before = proc->language;
			sg_proc_remove(proc, old_pid);
		}
	}
	proc = sg_proc_current(sb, index, s);
	if (proc)
		bpf_get_current_comm(proc->comm, sizeof(proc->comm));
	if (sg_with_discover && proc && (sb->flags & SG_SANDBOX_DISCOVER)) {
		language = sg_interpreter(bprm, s);
		/* a program that is no interpreter gives nobody more room than its caller had */
		if (language)
			proc->language = language;
		else if (before && !proc->language)
			proc->language = before;
	}
	if (!(sb->flags & SG_SANDBOX_PROC_EVENTS))
		return 0;
	ev = &s->event_proc;
	__builtin_memset(ev, 0, sizeof(*ev));
	sg_hdr_fill(&ev->hdr, sizeof(*ev), SG_EVENT_EXEC, index, sb->cgroup_id);
	ev->ppid = sg_ppid();
	if (bpf_core_read(&filename, sizeof(filename), &bprm->filename) ||
	    bpf_probe_read_kernel_str(ev->path, sizeof(ev->path), filename) < 0)
		SG_COUNT(index, helper_failed);
	sg_send(index, ev, sizeof(*ev));
	return 0;
}

/* The saved user registers of the running task. */
static __always_inline int sg_regs_current(struct sg_regs *regs)
{
	struct task_struct *task;
	void *stack = NULL;
	long rc;

	if (sg_has_task_pt_regs) {
		task = bpf_get_current_task_btf();
		rc = bpf_probe_read_kernel(regs, sizeof(*regs), (const void *)bpf_task_pt_regs(task));
	} else {
		task = (struct task_struct *)bpf_get_current_task();
		rc = bpf_core_read(&stack, sizeof(stack), &task->stack);
		if (rc == 0)
			rc = bpf_probe_read_kernel(regs, sizeof(*regs), stack + SG_THREAD_SIZE - sizeof(*regs));
	}
	if (rc == 0 && !sg_arch_regs_sane(regs))
		rc = -SG_EINVAL;
	if (rc)
		__builtin_memset(regs, 0, sizeof(*regs));
	return (int)rc;
}

/* A call that seccomp stopped: into the sandbox and out. nr, arch, ip: what the kernel says of it. */
static __always_inline void sg_seccomp_record(struct sg_sandbox *sb, __u32 index, struct sg_scratch *s, __u32 nr,
					      __u32 arch, __u64 ip)
{
	struct sg_event_syscall *ev = &s->event;
	__u8 abi = sg_arch_abi_of(arch, nr);

	__builtin_memset(ev, 0, sizeof(*ev));
	sg_hdr_fill(&ev->hdr, sizeof(*ev), SG_EVENT_SYSCALL, index, sb->cgroup_id);
	sg_arch_args(&s->regs, abi, s->args);
	__builtin_memcpy(ev->args, s->args, sizeof(ev->args));
	ev->nr = nr;
	ev->audit_arch = arch;
	ev->abi = abi;
	ev->action = SG_ACTION_KILL;
	ev->layer = SG_LAYER_SECCOMP;
	ev->outcome = SG_OUTCOME_PREVENTED;
	ev->origin = SG_ORIGIN_UNLISTED;
	ev->ip = ip;
	SG_COUNT(index, violations);
	sg_first_kill(sb, index, ev);
	sg_send(index, ev, sizeof(*ev));
}

SEC("raw_tp/sched_process_exit")
int sg_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u32 pid = (__u32)bpf_get_current_pid_tgid();
	struct sg_proc *proc = NULL;
	struct sg_event_proc *ev;
	__u32 index = 0, status;
	struct sg_sandbox *sb;
	struct sg_scratch *s;
	int code = 0, known;

	if (sg_with_procs)
		proc = bpf_map_lookup_elem(&sg_processes, &pid);
	sb = sg_sandbox_current(&index);
	if (!sb && !proc)
		return 0;
	s = sg_scratch_get(SG_SCRATCH_EXIT);
	if (!s)
		return 0;
	known = sg_regs_current(&s->regs) == 0;
	if (proc) {
		if (proc->pending) {
			/* killed on the way back to user mode: the answer is still in the registers */
			if (known && (__u32)sg_arch_nr(&s->regs) == proc->event.nr && !sg_arch_no_answer(&s->regs))
				sg_pending_finish(proc, SG_OUTCOME_RETURNED, sg_arch_ret(&s->regs));
			else
				sg_pending_finish(proc, SG_OUTCOME_UNKNOWN, 0);
		}
		sg_proc_remove(proc, pid);
	}
	if (!sb)
		return 0;
	if (bpf_core_read(&code, sizeof(code), &task->exit_code))
		SG_COUNT(index, helper_failed);
	/*
	 * Before 5.16 a kill by seccomp may come without a signal. The task then leaves from within its call: registers
	 * rolled back, or no answer yet. All threads of the process carry the exit code; only the offender looks like
	 * that.
	 */
	if (sg_kill_by_exit && (sb->flags & SG_SANDBOX_SECCOMP) && (code & 0x7f) == SG_SIGSYS && known &&
	    sg_arch_nr(&s->regs) >= 0 && (sg_arch_rolled_back(&s->regs) || sg_arch_no_answer(&s->regs))) {
		__u32 arch = 0;

		if (sg_status_read(&status) == 0)
			arch = status & SG_TS_COMPAT ? SG_AUDIT_ARCH_COMPAT : SG_AUDIT_ARCH_NATIVE;
		sg_seccomp_record(sb, index, s, (__u32)sg_arch_nr(&s->regs), arch, s->regs.ip);
	}
	if (!(sb->flags & SG_SANDBOX_PROC_EVENTS))
		return 0;
	ev = &s->event_proc;
	__builtin_memset(ev, 0, sizeof(*ev));
	sg_hdr_fill(&ev->hdr, sizeof(*ev), SG_EVENT_EXIT, index, sb->cgroup_id);
	ev->ppid = sg_ppid();
	ev->exit_code = code;
	sg_send(index, ev, sizeof(*ev));
	return 0;
}

#endif
