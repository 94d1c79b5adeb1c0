/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_LSM_PROCESS_BPF_H
#define SG_LSM_PROCESS_BPF_H

/*
 * ptrace_access_check ptrace_traceme  tracing, memory, descriptors and most of /proc/PID of others
 * task_alloc                          new ones in another cgroup
 * task_kill                           signals
 * task_set* task_movememory           priority, scheduling, limits, pages of others
 * task_prlimit                        reading the limits of others
 * task_fix_set* capable userns_create identity and privilege
 * ipc_permission *ctl                 System V objects; the alloc and free hooks know who made them
 */

#define SG_CLONE_INTO_CGROUP 0x200000000ULL

#define SG_PTRACE_MODE_READ 0x1
#define SG_PTRACE_MODE_ATTACH 0x2
#define SG_PTRACE_MODE_NOAUDIT 0x4
#define SG_PTRACE_MODE_FSCREDS 0x8

/* The system call in progress: its entry, and *nr; 0: not known. */
static __always_inline __u8 sg_call_now(__u64 *nr)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct sg_regs *regs;
	void *stack = NULL;
	__u32 status = 0;

	if (sg_has_task_pt_regs) {
		regs = (struct sg_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	} else {
		bpf_core_read(&stack, sizeof(stack), &task->stack);
		regs = stack + SG_THREAD_SIZE - sizeof(*regs);
	}
	if (bpf_core_read(&status, sizeof(status), &task->thread_info.status) ||
	    bpf_probe_read_kernel(nr, sizeof(*nr), &regs->orig_ax))
		return 0;
	return sg_arch_abi(status, *nr);
}

/* Whether it is ptrace(2): reading another process's memory asks the same hook. */
static __always_inline int sg_in_ptrace(void)
{
	__u64 nr = 0;
	__u8 abi = sg_call_now(&nr);

	return !abi || sg_arch_is_ptrace(abi, nr);
}

/*
 * Whether no more is asked than where a link in /proc/PID leads, as pidof does; or, where /proc hides processes
 * (hidepid), whether one is there. What is opened by such a link is worth a kill.
 */
static __always_inline __u8 sg_only_looks(__u32 mode)
{
	__u64 nr = 0;
	__u8 abi;

	if ((mode & (SG_PTRACE_MODE_READ | SG_PTRACE_MODE_ATTACH | SG_PTRACE_MODE_FSCREDS)) !=
	    (SG_PTRACE_MODE_READ | SG_PTRACE_MODE_FSCREDS))
		return 0;
	abi = sg_call_now(&nr);
	return abi && sg_arch_looks(abi, nr);
}

/*
 * A tracer writes into its tracee's memory whatever the pages' protection, so into its code: where nothing that was
 * written may be executed, not even a process of the sandbox may be traced.
 */
static __always_inline int sg_refuse_trace(struct sg_at *a, __u8 hook, struct task_struct *p, __u64 number,
					   int rewrites, __u8 mild)
{
	struct sg_what w = {.cls = SG_CLASS_WX, .hook = hook, .kind = SG_OBJECT_PROCESS, .number = number};
	int tgid = 0;

	if (!rewrites || sg_mode(a, SG_CLASS_WX) == SG_MODE_ALLOW || !sg_task_inside(a, p))
		return sg_refuse_task_as(a, SG_CLASS_TRACE, hook, p, number, mild);
	if (bpf_core_read(&tgid, sizeof(tgid), &p->tgid))
		SG_COUNT(a->index, helper_failed);
	w.target = (__u32)tgid;
	w.origin = SG_UNLISTED;
	return sg_refuse(a, &w);
}

SG_LSM(ptrace_access_check)
{
	struct task_struct *p = (struct task_struct *)ctx[0];
	__u32 mode = (__u32)ctx[1];
	struct sg_at a;

	SG_ENTER(&a, 2);
	if (mode & SG_PTRACE_MODE_NOAUDIT) { /* decides only what a file of /proc shows: hidden, and nothing more */
		if (sg_task_inside(&a, p))
			return 0;
		return sg_is_protected(SG_PROTECTED_PROCESS, (__u32)p->tgid) ? sg_no()
									     : sg_no_question(&a, SG_CLASS_TRACE);
	}
	return sg_refuse_trace(&a, SG_HOOK_ptrace_access_check, p, mode,
			       (mode & SG_PTRACE_MODE_ATTACH) && sg_in_ptrace(), sg_only_looks(mode));
}

SG_LSM(ptrace_traceme)
{
	struct sg_at a;

	SG_ENTER(&a, 1);
	return sg_refuse_trace(&a, SG_HOOK_ptrace_traceme, (struct task_struct *)ctx[0], 0, 1, 0);
}

/*
 * Into which cgroup lies in the program's memory, and the kernel asks about writing its cgroup.procs without a hook
 * that would be cheap. Inside there is no other one to go to: nobody makes cgroups there.
 */
SG_LSM(task_alloc)
{
	struct sg_at a;

	if (!(int)ctx[2] && !(ctx[1] & SG_CLONE_INTO_CGROUP))
		return 0;
	SG_ENTER(&a, 2);
	return sg_refuse_class(&a, SG_CLASS_SUPERVISOR, SG_HOOK_task_alloc, ctx[1]);
}

SG_LSM(task_kill)
{
	struct sg_at a;

	SG_ENTER(&a, 4);
	return sg_refuse_task(&a, SG_CLASS_SIGNAL, SG_HOOK_task_kill, (struct task_struct *)ctx[0], (__u32)ctx[2]);
}

#define SG_OTHERS(hook, nargs)                                                                                         \
	SG_LSM(hook)                                                                                                   \
	{                                                                                                              \
		struct sg_at a;                                                                                        \
                                                                                                                       \
		SG_ENTER(&a, nargs);                                                                                   \
		return sg_refuse_task(&a, SG_CLASS_LIMITS, SG_HOOK_##hook, (struct task_struct *)ctx[0], 0);           \
	}

SG_OTHERS(task_setnice, 2)
SG_OTHERS(task_setioprio, 2)
SG_OTHERS(task_setscheduler, 1)
SG_OTHERS(task_setrlimit, 3)
SG_OTHERS(task_movememory, 1)

#define SG_PRLIMIT_READ 1

/*
 * The hook has credentials, which threads of a process share, and no task: reading the limits of a child is refused
 * like that of an outsider. Setting them comes by task_setrlimit, too, which knows.
 */
SG_LSM(task_prlimit)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct sg_at a;

	SG_ENTER(&a, 3);
	if (!(ctx[2] & SG_PRLIMIT_READ) || (const void *)ctx[1] == BPF_CORE_READ(task, real_cred))
		return 0;
	return sg_refuse_class(&a, SG_CLASS_LIMITS, SG_HOOK_task_prlimit, 0);
}

static __always_inline int sg_ids_changed(const struct cred *new, const struct cred *old)
{
	return new->uid.val != old->uid.val || new->euid.val != old->euid.val || new->suid.val != old->suid.val ||
	       new->fsuid.val != old->fsuid.val || new->gid.val != old->gid.val || new->egid.val != old->egid.val ||
	       new->sgid.val != old->sgid.val || new->fsgid.val != old->fsgid.val;
}

#define SG_SETID(hook)                                                                                                 \
	SG_LSM(hook)                                                                                                   \
	{                                                                                                              \
		struct cred *new = (struct cred *)ctx[0], *old = (struct cred *)ctx[1];                                \
		struct sg_at a;                                                                                        \
                                                                                                                       \
		SG_ENTER(&a, 3);                                                                                       \
		if (!sg_ids_changed(new, old))                                                                         \
			return 0;                                                                                      \
		return sg_refuse_class(&a, SG_CLASS_SETID, SG_HOOK_##hook, new->euid.val);                             \
	}

SG_SETID(task_fix_setuid)
SG_SETID(task_fix_setgid)

SG_LSM(task_fix_setgroups)
{
	struct sg_at a;

	SG_ENTER(&a, 2);
	return sg_refuse_class(&a, SG_CLASS_SETID, SG_HOOK_task_fix_setgroups, 0);
}

#define SG_CAP_OPT_NOAUDIT 0x2

/*
 * Only a capability that the task has comes here: the kernel's own check is asked first. Nothing is judged while the
 * kernel acts for the task with somebody else's credentials: overlayfs asks for CAP_SYS_ADMIN with those of who mounted
 * it.
 */
SG_LSM(capable)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 cap = (__u32)ctx[2], opts = (__u32)ctx[3];
	struct sg_at a;

	SG_ENTER(&a, 4);
	if (sg_creds_foreign((const struct cred *)ctx[0], BPF_CORE_READ(task, real_cred)))
		return 0;
	if (sg_mode(&a, SG_CLASS_CAPABILITY) == SG_MODE_ALLOW || (cap < 64 && (a.lsm->objects.caps >> cap & 1)))
		return 0;
	if (opts & SG_CAP_OPT_NOAUDIT)
		return sg_no_question(&a, SG_CLASS_CAPABILITY); /* a question whose answer no may be */
	return sg_refuse_class(&a, SG_CLASS_CAPABILITY, SG_HOOK_capable, cap);
}

SG_LSM(userns_create)
{
	struct sg_at a;

	SG_ENTER(&a, 1);
	return sg_refuse_class(&a, SG_CLASS_NAMESPACE, SG_HOOK_userns_create, 0);
}

/* ---- System V objects ---- */

#define SG_IPC_MADE(hook)                                                                                              \
	SG_LSM(hook)                                                                                                   \
	{                                                                                                              \
		__u64 perm = ctx[0];                                                                                   \
		struct sg_at a;                                                                                        \
                                                                                                                       \
		SG_ENTER(&a, 1);                                                                                       \
		if (bpf_map_update_elem(&sg_ipc, &perm, &a.sb->cgroup_id, BPF_ANY))                                    \
			SG_COUNT(a.index, helper_failed); /* it will count as somebody else's */                       \
		return 0;                                                                                              \
	}

/* Whoever frees it: its address may be given to another one. */
#define SG_IPC_FREED(hook)                                                                                             \
	SG_LSM(hook)                                                                                                   \
	{                                                                                                              \
		__u64 perm = ctx[0];                                                                                   \
                                                                                                                       \
		bpf_map_delete_elem(&sg_ipc, &perm);                                                                   \
		return 0;                                                                                              \
	}

SG_IPC_MADE(msg_queue_alloc_security)
SG_IPC_MADE(shm_alloc_security)
SG_IPC_MADE(sem_alloc_security)
SG_IPC_FREED(msg_queue_free_security)
SG_IPC_FREED(shm_free_security)
SG_IPC_FREED(sem_free_security)

static __always_inline int sg_judge_ipc(struct sg_at *a, __u8 hook, __u64 perm, __u32 number)
{
	__u64 *cgroup_id;

	if (sg_mode(a, SG_CLASS_IPC) == SG_MODE_ALLOW)
		return 0;
	cgroup_id = bpf_map_lookup_elem(&sg_ipc, &perm);
	if (cgroup_id && *cgroup_id == a->sb->cgroup_id)
		return 0;
	return sg_refuse_class(a, SG_CLASS_IPC, hook, number);
}

SG_LSM(ipc_permission)
{
	struct sg_at a;

	SG_ENTER(&a, 2);
	return sg_judge_ipc(&a, SG_HOOK_ipc_permission, ctx[0], (__u32)ctx[1]);
}

/*
 * Removing an object and changing its owner ask the owner's identity, and no permission. Without an object (how many
 * there are) perm is NULL, which a kernel may not tell its verifier: see mmap_file.
 */
#define SG_IPC_CONTROL(hook)                                                                                           \
	SG_LSM(hook)                                                                                                   \
	{                                                                                                              \
		__u64 perm = 0;                                                                                        \
		struct sg_at a;                                                                                        \
                                                                                                                       \
		SG_ENTER(&a, 2);                                                                                       \
		if (bpf_probe_read_kernel(&perm, sizeof(perm), ctx))                                                   \
			return sg_no();                                                                                \
		if (!perm)                                                                                             \
			return 0;                                                                                      \
		return sg_judge_ipc(&a, SG_HOOK_##hook, perm, (__u32)ctx[1]);                                          \
	}

SG_IPC_CONTROL(msg_queue_msgctl)
SG_IPC_CONTROL(shm_shmctl)
SG_IPC_CONTROL(sem_semctl)

#endif
