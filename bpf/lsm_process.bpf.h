/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_LSM_PROCESS_BPF_H
#define SG_LSM_PROCESS_BPF_H

/*
 * ptrace_access_check ptrace_traceme  tracing, memory, descriptors and most of /proc/PID of others
 * task_kill                           signals
 * task_set* task_movememory           priority, scheduling, limits, pages of others
 * task_fix_set* capable userns_create identity and privilege
 * ipc_permission                      System V objects; the alloc and free hooks know who made them
 */

#define SG_PTRACE_MODE_NOAUDIT 0x4

SG_LSM(ptrace_access_check)
{
	struct task_struct *p = (struct task_struct *)ctx[0];
	__u32 mode = (__u32)ctx[1];
	struct sg_at a;

	SG_ENTER(&a, 2);
	if (mode & SG_PTRACE_MODE_NOAUDIT) { /* decides only what a file of /proc shows: hidden, and nothing more */
		if (sg_mode(&a, SG_CLASS_TRACE) == SG_MODE_ALLOW || sg_task_inside(&a, p))
			return 0;
		return sg_no();
	}
	return sg_refuse_task(&a, SG_CLASS_TRACE, SG_HOOK_ptrace_access_check, p, mode);
}

SG_LSM(ptrace_traceme)
{
	struct sg_at a;

	SG_ENTER(&a, 1);
	return sg_refuse_task(&a, SG_CLASS_TRACE, SG_HOOK_ptrace_traceme, (struct task_struct *)ctx[0], 0);
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
	if ((const void *)ctx[0] != BPF_CORE_READ(task, real_cred))
		return 0;
	if (sg_mode(&a, SG_CLASS_CAPABILITY) == SG_MODE_ALLOW || (cap < 64 && (a.lsm->objects.caps >> cap & 1)))
		return 0;
	if (opts & SG_CAP_OPT_NOAUDIT)
		return sg_no(); /* a question whose answer no may be */
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

SG_LSM(ipc_permission)
{
	__u64 perm = ctx[0], *cgroup_id;
	struct sg_at a;

	SG_ENTER(&a, 2);
	if (sg_mode(&a, SG_CLASS_IPC) == SG_MODE_ALLOW)
		return 0;
	cgroup_id = bpf_map_lookup_elem(&sg_ipc, &perm);
	if (cgroup_id && *cgroup_id == a.sb->cgroup_id)
		return 0;
	return sg_refuse_class(&a, SG_CLASS_IPC, SG_HOOK_ipc_permission, (__u32)ctx[1]);
}

#endif
