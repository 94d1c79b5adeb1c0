/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_LSM_KERNEL_BPF_H
#define SG_LSM_KERNEL_BPF_H

/* What concerns the kernel as a whole, judged by class: mounts, bpf, perf, keys, modules, the log, the clock, io_uring.
 */

#define SG_WHOLE(hook, nargs, class, number)                                                                           \
	SG_LSM(hook)                                                                                                   \
	{                                                                                                              \
		struct sg_at a;                                                                                        \
                                                                                                                       \
		SG_ENTER(&a, nargs);                                                                                   \
		return sg_refuse_class(&a, class, SG_HOOK_##hook, number);                                             \
	}

SG_WHOLE(sb_mount, 5, SG_CLASS_MOUNT, (__u32)ctx[3])
SG_WHOLE(sb_umount, 2, SG_CLASS_MOUNT, (__u32)ctx[1])
SG_WHOLE(sb_remount, 2, SG_CLASS_MOUNT, 0)
SG_WHOLE(sb_pivotroot, 2, SG_CLASS_MOUNT, 0)
SG_WHOLE(move_mount, 2, SG_CLASS_MOUNT, 0)
SG_WHOLE(path_chroot, 1, SG_CLASS_MOUNT, 0)

SG_LSM(bpf)
{
	struct sg_at a;

	SG_ENTER_AFTER(&a, sg_args_bpf == 4 ? SG_ARG(ctx, 4) : SG_ARG(ctx, 3));
	return sg_refuse_class(&a, SG_CLASS_BPF, SG_HOOK_bpf, (__u32)ctx[0]);
}

/* Where a policy allows bpf(2): never a descriptor of what enforces it. */
SG_LSM(bpf_map)
{
	struct bpf_map *map = (struct bpf_map *)ctx[0];
	struct sg_at a;

	SG_ENTER(&a, 2);
	if (!sg_is_protected(SG_PROTECTED_MAP, map->id))
		return 0;
	return sg_refuse_class(&a, SG_CLASS_SUPERVISOR, SG_HOOK_bpf_map, map->id);
}

SG_LSM(bpf_prog)
{
	struct bpf_prog *prog = (struct bpf_prog *)ctx[0];
	struct bpf_prog_aux *aux;
	struct sg_at a;

	SG_ENTER(&a, 1);
	aux = prog->aux;
	if (!aux || !sg_is_protected(SG_PROTECTED_PROG, aux->id))
		return 0;
	return sg_refuse_class(&a, SG_CLASS_SUPERVISOR, SG_HOOK_bpf_prog, aux->id);
}

SG_LSM(perf_event_open)
{
	struct sg_at a;

	SG_ENTER_AFTER(&a, sg_args_perf_event_open == 2 ? SG_ARG(ctx, 2) : SG_ARG(ctx, 1));
	return sg_refuse_class(&a, SG_CLASS_PERF, SG_HOOK_perf_event_open, 0);
}

SG_WHOLE(key_alloc, 3, SG_CLASS_KEYS, 0)
SG_WHOLE(key_permission, 3, SG_CLASS_KEYS, (__u32)ctx[2])

SG_WHOLE(kernel_read_file, 3, SG_CLASS_KERNEL, (__u32)ctx[1])
SG_WHOLE(kernel_load_data, 2, SG_CLASS_KERNEL, (__u32)ctx[0])
SG_WHOLE(syslog, 1, SG_CLASS_KERNEL, (__u32)ctx[0])
SG_WHOLE(settime, 2, SG_CLASS_KERNEL, 0)
SG_WHOLE(quotactl, 4, SG_CLASS_KERNEL, (__u32)ctx[0])
SG_WHOLE(quota_on, 1, SG_CLASS_KERNEL, 0)

/* The kernel looks for a module on the way to something else (an address family, a binary format): no module, no kill.
 */
SG_LSM(kernel_module_request)
{
	struct sg_at a;

	SG_ENTER(&a, 1);
	return sg_no_question(&a, SG_CLASS_KERNEL);
}

/* Other credentials than the task's own: never, where io_uring or anything about files is stopped (see
 * sg_acts_for_kernel).
 */
SG_LSM(uring_override_creds)
{
	struct sg_at a;
	__u32 i;
	int rc;

	SG_ENTER(&a, 1);
	rc = sg_refuse_class(&a, SG_CLASS_URING, SG_HOOK_uring_override_creds, 0);
	if (rc)
		return rc;
#pragma clang loop unroll(full)
	for (i = 0; i < SG_N_RIGHTS; i++)
		if (sg_enforced(&a, i))
			return sg_no();
	return 0;
}

SG_WHOLE(uring_sqpoll, 0, SG_CLASS_URING, 0)
SG_WHOLE(uring_cmd, 1, SG_CLASS_URING, 0)
SG_WHOLE(uring_allowed, 0, SG_CLASS_URING, 0)

/*
 * What is told by the name of its anonymous inode: where there is no uring_allowed, a ring; and a descriptor for page
 * faults (userfaultfd), which fills memory whatever its protection, and so code.
 */
SG_LSM(inode_init_security_anon)
{
	const struct qstr *name = (const struct qstr *)ctx[1];
	const unsigned char *text = NULL;
	struct sg_at a;
	char head[8];

	SG_ENTER(&a, 3);
	if (sg_mode(&a, SG_CLASS_URING) == SG_MODE_ALLOW && sg_mode(&a, SG_CLASS_WX) == SG_MODE_ALLOW)
		return 0;
	if (bpf_core_read(&text, sizeof(text), &name->name) || bpf_probe_read_kernel(head, sizeof(head), text))
		return sg_no();
	if (*(const __u64 *)head == SG_NAME_OF_FAULTS)
		return sg_refuse_class(&a, SG_CLASS_WX, SG_HOOK_inode_init_security_anon, 0);
	if (*(const __u64 *)head != SG_NAME_OF_RINGS || !sg_rings_by_name)
		return 0;
	return sg_refuse_class(&a, SG_CLASS_URING, SG_HOOK_inode_init_security_anon, 0);
}

#endif
