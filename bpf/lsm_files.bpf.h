/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_LSM_FILES_BPF_H
#define SG_LSM_FILES_BPF_H

/*
 * file_open                    reading and writing; O_TRUNC; /proc/PID; cgroupfs and bpffs
 * file_receive                 descriptors that arrive over a socket
 * file_ioctl                   typing into a terminal, attributes and subvolumes through a descriptor, whom a
 *                              descriptor signals
 * file_fcntl                   whom a descriptor signals
 * path_mknod … path_rmdir      names: making, removing, moving them (path hooks: they see what the program named, not
 *                              what a stacked file system does for it below)
 * path_truncate _chmod _chown  attributes; inode_setattr (times), inode_setxattr and its kin where there is no path
 * hook
 *
 * Not hooked: reading and writing through a descriptor that is open already (file_permission). It was judged when it
 * was opened or received; what the launcher hands down is the caller's choice.
 */

/* Whose directory of /proc a file lies in: 0 nobody's, 1 of a process inside the sandbox, -1 of another. *p: its task.
 */
static __always_inline int sg_proc_owner(struct sg_at *a, struct inode *inode, struct task_struct **p)
{
	const void *proc = (const void *)inode - bpf_core_field_offset(struct proc_inode, vfs_inode);
	struct pid___tasks *pid = NULL;
	struct hlist_node *first = NULL;

	if (bpf_probe_read_kernel(&pid, sizeof(pid), proc + bpf_core_field_offset(struct proc_inode, pid)))
		return -1;
	if (!pid)
		return 0;
	if (bpf_core_read(&first, sizeof(first), &pid->tasks[0].first))
		return -1;
	if (!first)
		return 1; /* gone: there is nothing left to see */
	*p = (void *)first - bpf_core_field_offset(struct task_struct___lsm, pid_links);
	return sg_task_inside(a, *p) ? 1 : -1;
}

static __always_inline int sg_name_is_mem(struct dentry *d)
{
	char name[8] = {};

	if (bpf_probe_read_kernel_str(name, sizeof(name), d->d_name.name) < 0)
		return 1;
	return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == '\0';
}

#define SG_IS(a, b) ((((__u64)(a) ^ (b)) - 1) >> 63) /* of 32 bits, without a branch: 1 or 0 */
#define SG_FOUR(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

/*
 * Whether this is what everybody may read in a process's directory, as ps does, and runtimes that look who their parent
 * is: no reason to kill. The rest the kernel keeps for the owner and for tracers; maps, smaps and numa_maps are
 * everybody's by their mode only.
 */
static __always_inline __u8 sg_proc_for_all(struct dentry *d, struct inode *inode, __u32 want)
{
	char name[8] = {};
	__u32 first;

	if (bpf_probe_read_kernel_str(name, sizeof(name), d->d_name.name) < 0)
		return 0;
	first = SG_FOUR(name[0], name[1], name[2], name[3]);
	return (__u8)(SG_IS(want, SG_RIGHT_READ) & SG_IS(inode->i_mode & SG_S_IROTH, SG_S_IROTH) &
		      ~(SG_IS(first, SG_FOUR('m', 'a', 'p', 's')) | SG_IS(first, SG_FOUR('s', 'm', 'a', 'p')) |
			SG_IS(first, SG_FOUR('n', 'u', 'm', 'a'))));
}

/*
 * The directory of a process: the class that judges, SG_NO_CLASS: the trees do, for what is left of *wanted, but for
 * *denied, which no tree around gives.
 */
static __always_inline __u16 sg_special_proc(struct sg_at *a, struct dentry *d, struct inode *inode, __u32 *wanted,
					     __u32 *denied, struct sg_what *w)
{
	struct task_struct *p = NULL;
	int owner = sg_proc_owner(a, inode, &p), tgid = 0;
	__u32 want = *wanted;

	if (owner == 0)
		return (__u16)SG_UNKNOWN(SG_NO_CLASS);
	if (owner < 0) {
		if (p && bpf_core_read(&tgid, sizeof(tgid), &p->tgid) == 0)
			w->target = (__u32)tgid;
		w->mild = sg_proc_for_all(d, inode, want);
		return (__u16)(sg_is_protected(SG_PROTECTED_PROCESS, w->target) ? SG_UNKNOWN(SG_CLASS_SUPERVISOR)
										: SG_UNKNOWN(SG_CLASS_TRACE));
	}
	if ((want & SG_RIGHT_WRITE) && sg_mode(a, SG_CLASS_WX) != SG_MODE_ALLOW && sg_name_is_mem(d))
		return (__u16)SG_UNKNOWN(SG_CLASS_WX); /* its text could be rewritten through it */
	*denied = want & a->lsm->self.deny;
	*wanted = want & ~(a->lsm->self.allow | *denied);
	return (__u16)SG_UNKNOWN(SG_NO_CLASS);
}

static __always_inline int sg_judge_open(struct sg_at *a, __u8 hook, struct file *file, __u32 want)
{
	struct sg_what w = {.hook = hook, .origin = SG_UNLISTED, .right = want, .target = SG_UNKNOWN(0)};
	struct dentry *d = file->f_path.dentry;
	struct super_block *sb = d->d_sb;
	struct inode *inode = d->d_inode;
	__u32 denied = 0;

	if (sb->s_magic == SG_PROC_MAGIC && inode)
		w.cls = sg_special_proc(a, d, inode, &want, &denied, &w);
	else
		w.cls = sg_special(a, d, want);
	if (w.cls == SG_NO_CLASS) {
		struct sg_walk r = sg_walk_up(a, d, want);
		__u32 missing = sg_missing(a, &r, want) | denied;

		if (!missing || sg_mount_internal(file->f_path.mnt))
			return 0;
		sg_what_rights(a, &w, missing, denied ? a->lsm->self.origin : r.origin);
	}
	return sg_refuse_file(a, &w, d);
}

/*
 * For execve: the program itself is judged by bprm_check_security. An ELF interpreter is only opened here, and mapped
 * afterwards, so it must be something that may be looked at in some way.
 */
static __always_inline int sg_judge_open_exec(struct sg_at *a, struct file *file)
{
	__u32 any = SG_RIGHT_EXEC | SG_RIGHT_MAP | SG_RIGHT_READ;
	struct sg_what w = {.hook = SG_HOOK_file_open, .right = SG_RIGHT_EXEC, .cls = SG_CLASS_EXEC};
	struct dentry *d = file->f_path.dentry;
	struct sg_walk r;

	if ((a->lsm->confined & any) != any)
		return 0;
	r = sg_walk_up(a, d, any);
	if (r.granted || sg_mount_internal(file->f_path.mnt))
		return 0;
	w.origin = r.origin;
	return sg_refuse_file(a, &w, d);
}

/*
 * Reading and writing, as an open file has it; the numbers are the same. The access mode 3 is neither in f_mode and
 * still gives a descriptor for ioctl: the kernel asks for both permissions, and so do we. O_PATH has the access mode 0.
 */
static __always_inline __u32 sg_wanted(__u32 mode, __u32 flags)
{
	__u32 neither = ((flags & SG_O_ACCMODE) + 1) / (SG_O_ACCMODE + 1); /* 1 or 0, without a branch */

	return (mode & (SG_FMODE_READ | SG_FMODE_WRITE)) | neither * (SG_RIGHT_READ | SG_RIGHT_WRITE);
}

SG_LSM(file_open)
{
	struct file *file = (struct file *)ctx[0];
	__u32 mode, flags, want;
	struct sg_at a;

	SG_ENTER(&a, 1);
	mode = file->f_mode;
	flags = file->f_flags;
	if (flags & SG_FMODE_EXEC)
		return sg_judge_open_exec(&a, file);
	if (a.lsm->starting)
		a.lsm->starting = 0; /* the first program runs by now: execve opens nothing after it has committed */
	want = sg_wanted(mode, flags) | (flags & SG_O_TRUNC) / (SG_O_TRUNC / SG_RIGHT_WRITE); /* O_TRUNC writes too */
	return sg_judge_open(&a, SG_HOOK_file_open, file, want);
}

/* The supervisor's own receiving: what the kernel has behind each descriptor. */
static __always_inline int sg_learn(struct file *file)
{
	struct dentry *d = file->f_path.dentry;
	struct inode *inode = d->d_inode;
	struct super_block *sb = d->d_sb;
	struct sg_learned *l;
	__u32 n = sg_n_learned;

	if (sg_learner_refuse) {
		sg_learner_refuse--;
		return sg_no();
	}
	if (n >= SG_LEARN_MAX || !inode || !sb)
		return sg_no();
	l = &sg_learned[n & (SG_LEARN_MAX - 1)];
	l->inode = (__u64)inode;
	l->sb = (__u64)sb;
	l->ino = inode->i_ino;
	l->dev = sb->s_dev;
	sg_n_learned = n + 1;
	return 0;
}

SG_LSM(file_receive)
{
	struct file *file = (struct file *)ctx[0];
	struct sg_what w = {.cls = SG_CLASS_FDPASS, .hook = SG_HOOK_file_receive};
	struct sg_at a;
	struct dentry *d;
	struct sg_walk r;
	__u32 want;

	if (sg_learner && !(int)ctx[1] && (__u32)bpf_get_current_pid_tgid() == sg_learner)
		return sg_learn(file);
	SG_ENTER(&a, 1);
	if (sg_mode(&a, SG_CLASS_FDPASS) == SG_MODE_ALLOW)
		return 0;
	want = sg_wanted(file->f_mode, file->f_flags);
	/* whatever the sandbox could not have opened itself came from outside */
	d = file->f_path.dentry;
	r = sg_walk_up(&a, d, want);
	w.right = sg_missing(&a, &r, want);
	if (!w.right || sg_mount_internal(file->f_path.mnt))
		return 0;
	w.origin = r.origin;
	return sg_refuse_file(&a, &w, d);
}

#define SG_TIOCSTI 0x5412
#define SG_TIOCLINUX 0x541c
#define SG_FS_IOC_SETFLAGS 0x40086602
#define SG_FS_IOC32_SETFLAGS 0x40046602
#define SG_FS_IOC_FSSETXATTR 0x401c5820
#define SG_FS_IOC_SETVERSION 0x40087602
#define SG_FS_IOC32_SETVERSION 0x40047602
#define SG_FS_IOC_ENABLE_VERITY 0x40806685
#define SG_FS_IOC_SET_ENCRYPTION_POLICY 0x800c6613
#define SG_FAT_IOCTL_SET_ATTRIBUTES 0x40047211
#define SG_BTRFS_IOC_SNAP_CREATE 0x50009401
#define SG_BTRFS_IOC_SNAP_CREATE_V2 0x50009417
#define SG_BTRFS_IOC_SUBVOL_CREATE 0x5000940e
#define SG_BTRFS_IOC_SUBVOL_CREATE_V2 0x50009418
#define SG_BTRFS_IOC_SUBVOL_SETFLAGS 0x4008941a
#define SG_BTRFS_IOC_SNAP_DESTROY 0x5000940f
#define SG_BTRFS_IOC_SNAP_DESTROY_V2 0x5000943f

#define SG_FIOSETOWN 0x8901
#define SG_SIOCSPGRP 0x8902
#define SG_FIOASYNC 0x5452

/*
 * The first O_ASYNC on a terminal makes its foreground process group the owner, whoever that is. Which character
 * devices are terminals no number tells: none may have it.
 */
static __always_inline int sg_judge_async(struct sg_at *a, __u8 hook, struct file *file, __u32 cmd)
{
	struct inode *inode = file->f_path.dentry->d_inode;

	if ((inode->i_mode & SG_S_IFMT) != SG_S_IFCHR)
		return 0;
	return sg_refuse_class(a, SG_CLASS_SIGNAL, hook, cmd);
}

/* What a file system does to a file or a directory through a descriptor that is good for reading only. */
static __always_inline __u32 sg_ioctl_right(__u32 cmd)
{
	switch (cmd) {
	case SG_FS_IOC_SETFLAGS:
	case SG_FS_IOC32_SETFLAGS:
	case SG_FS_IOC_FSSETXATTR:
	case SG_FS_IOC_SETVERSION:
	case SG_FS_IOC32_SETVERSION:
	case SG_FS_IOC_ENABLE_VERITY:
	case SG_FS_IOC_SET_ENCRYPTION_POLICY:
	case SG_FAT_IOCTL_SET_ATTRIBUTES:
	case SG_BTRFS_IOC_SUBVOL_SETFLAGS:
		return SG_UNKNOWN(SG_RIGHT_WRITE);
	case SG_BTRFS_IOC_SUBVOL_CREATE:
	case SG_BTRFS_IOC_SUBVOL_CREATE_V2:
		return SG_UNKNOWN(SG_RIGHT_CREATE);
	default:
		return 0;
	}
}

static __always_inline int sg_judge_ioctl(struct sg_at *a, __u8 hook, struct file *file, __u32 cmd)
{
	__u32 right;

	if (cmd == SG_TIOCSTI || cmd == SG_TIOCLINUX) /* typing into a terminal that others read */
		return sg_refuse_class(a, SG_CLASS_KERNEL, hook, cmd);
	right = sg_ioctl_right(cmd);
	if (right)
		return sg_judge_open(a, hook, file, right);
	/* in a snapshot all files are others, of which no rule speaks; and what goes is named in the program's memory
	 */
	if (cmd == SG_BTRFS_IOC_SNAP_CREATE || cmd == SG_BTRFS_IOC_SNAP_CREATE_V2)
		return sg_refuse_class(a, SG_CLASS_CREATE, hook, cmd);
	if (cmd == SG_BTRFS_IOC_SNAP_DESTROY || cmd == SG_BTRFS_IOC_SNAP_DESTROY_V2)
		return sg_refuse_class(a, SG_CLASS_DELETE, hook, cmd);
	/* whom it names lies in the program's memory, and may be another one when the kernel reads it */
	if (cmd == SG_FIOSETOWN || cmd == SG_SIOCSPGRP)
		return sg_refuse_class(a, SG_CLASS_SIGNAL, hook, cmd);
	if (cmd == SG_FIOASYNC)
		return sg_judge_async(a, hook, file, cmd);
	return 0;
}

SG_LSM(file_ioctl)
{
	struct sg_at a;

	SG_ENTER(&a, 3);
	return sg_judge_ioctl(&a, SG_HOOK_file_ioctl, (struct file *)ctx[0], (__u32)ctx[1]);
}

SG_LSM(file_ioctl_compat)
{
	struct sg_at a;

	SG_ENTER(&a, 3);
	return sg_judge_ioctl(&a, SG_HOOK_file_ioctl_compat, (struct file *)ctx[0], (__u32)ctx[1]);
}

#define SG_F_SETFL 4
#define SG_F_SETOWN 8
#define SG_F_SETOWN_EX 15

/* A task's number in the pid namespace that it lives in, and that its own numbers are of. 0: cannot be read. */
static __always_inline __s32 sg_number_of(struct task_struct *task)
{
	struct pid *pid = NULL;
	unsigned int level = 0;
	__s32 nr = 0;

	if (bpf_core_read(&pid, sizeof(pid), &task->thread_pid) || bpf_core_read(&level, sizeof(level), &pid->level) ||
	    bpf_probe_read_kernel(&nr, sizeof(nr),
				  (const void *)pid + bpf_core_field_offset(struct pid, numbers) +
					  (level & 63) * sizeof(struct upid) + bpf_core_field_offset(struct upid, nr)))
		return 0;
	return nr;
}

/* Signals through a descriptor's owner bypass task_kill; only oneself may be the owner. */
SG_LSM(file_fcntl)
{
	struct task_struct *task, *leader = NULL;
	struct sg_at a;
	__u32 cmd;
	__s32 arg;

	SG_ENTER(&a, 3);
	cmd = (__u32)ctx[1];
	if (cmd == SG_F_SETFL && (ctx[2] & SG_O_ASYNC))
		return sg_judge_async(&a, SG_HOOK_file_fcntl, (struct file *)ctx[0], cmd);
	if (cmd != SG_F_SETOWN && cmd != SG_F_SETOWN_EX)
		return 0;
	task = (struct task_struct *)bpf_get_current_task();
	arg = (__s32)ctx[2];
	if (cmd == SG_F_SETOWN &&
	    (arg == 0 || arg == sg_number_of(task) ||
	     (bpf_core_read(&leader, sizeof(leader), &task->group_leader) == 0 && arg == sg_number_of(leader))))
		return 0;
	return sg_refuse_class(&a, SG_CLASS_SIGNAL, SG_HOOK_file_fcntl, (__u64)arg);
}

/* ---- names ---- */

#define SG_MAKE(hook, nargs)                                                                                           \
	SG_LSM(hook)                                                                                                   \
	{                                                                                                              \
		struct path *dir = (struct path *)ctx[0];                                                              \
		struct sg_at a;                                                                                        \
                                                                                                                       \
		SG_ENTER(&a, nargs);                                                                                   \
		/* the record shows the name to be made, the directory decides */                                      \
		return sg_judge_dentry(&a, SG_HOOK_##hook, dir->dentry, SG_RIGHT_CREATE, (struct dentry *)ctx[1],      \
				       NULL, 0);                                                                       \
	}

SG_MAKE(path_mkdir, 3)
SG_MAKE(path_symlink, 3)

/*
 * open(2) with O_CREAT asks before the kernel has looked whether the file is there, and where it is takes a refusal for
 * none. So where files may be written but not made, it is no reason to kill, and nothing is known yet that could be
 * recorded: the answer to be given if the file is not there, 0: this is not such a case.
 */
static __always_inline int sg_may_be_there(const struct sg_at *a, struct dentry *dir, struct dentry *d)
{
	const struct sg_class_mode *m = &a->lsm->objects.cls[SG_CLASS_CREATE];
	__u32 want = SG_RIGHT_CREATE | SG_RIGHT_WRITE, origin;

	if (d->d_hash.pprev || !sg_enforced(a, SG_CLASS_CREATE)) /* it is in no hash table while it is looked up */
		return 0;
	if ((want & a->lsm->confined & ~sg_walk_apart(a, dir, want, &origin)) != SG_RIGHT_CREATE)
		return 0;
	return sg_negative(m->mode == SG_MODE_ERRNO ? m->err : SG_EPERM);
}

SG_LSM(path_mknod)
{
	struct path *dir = (struct path *)ctx[0];
	struct dentry *d = (struct dentry *)ctx[1];
	struct sg_at a;
	int rc;

	SG_ENTER(&a, 4);
	rc = sg_may_be_there(&a, dir->dentry, d);
	if (rc)
		return rc;
	return sg_judge_dentry(&a, SG_HOOK_path_mknod, dir->dentry, SG_RIGHT_CREATE, d, NULL, 0);
}

#define SG_REMOVE(hook)                                                                                                \
	SG_LSM(hook)                                                                                                   \
	{                                                                                                              \
		struct dentry *d = (struct dentry *)ctx[1];                                                            \
		struct sg_at a;                                                                                        \
                                                                                                                       \
		SG_ENTER(&a, 2);                                                                                       \
		return sg_judge_dentry(&a, SG_HOOK_##hook, d, SG_RIGHT_DELETE, d, NULL, 0);                            \
	}

SG_REMOVE(path_unlink)
SG_REMOVE(path_rmdir)

SG_LSM(path_link)
{
	struct dentry *d = (struct dentry *)ctx[0];
	struct path *dir = (struct path *)ctx[1];
	struct sg_at a;

	SG_ENTER(&a, 3);
	return sg_judge_second(&a, SG_HOOK_path_link, d, 0, dir->dentry, SG_RIGHT_CREATE);
}

/* What is denied below a directory would not be found by its name any more. The record has no right: none would do. */
static __always_inline int sg_judge_held(struct sg_at *a, struct dentry *d)
{
	struct sg_what w = {.hook = SG_HOOK_path_rename, .cls = SG_CLASS_DELETE};
	__u64 held = sg_walk_holds(a->index, sg_address(d->d_inode));

	asm volatile("" : "+r"(held)); /* of what a function returns the verifier knows nothing */
	if (!held)
		return 0;
	w.origin = (__u32)held;
	return sg_refuse_file(a, &w, d);
}

#define SG_RENAME_EXCHANGE 2

/* Before 5.19 an exchange calls the hook once for each direction; since then it passes the flags. */
SG_LSM(path_rename)
{
	struct path *old_dir = (struct path *)ctx[0], *new_dir = (struct path *)ctx[2];
	struct dentry *old = (struct dentry *)ctx[1], *new = (struct dentry *)ctx[3];
	struct inode *replaced = NULL;
	__u32 flags = 0;
	struct sg_at a;
	int rc;

	if (sg_args_path_rename == 5) {
		rc = (int)SG_ARG(ctx, 5);
		flags = (__u32)SG_ARG(ctx, 4);
	} else {
		rc = (int)SG_ARG(ctx, 4);
	}
	if (rc)
		return rc;
	rc = sg_judged(&a);
	if (rc <= 0)
		return rc;
	rc = sg_judge_second(&a, SG_HOOK_path_rename, old, SG_RIGHT_DELETE, new_dir->dentry, SG_RIGHT_CREATE);
	if (!rc)
		rc = sg_judge_held(&a, old);
	if (rc)
		return rc;
	if (flags & SG_RENAME_EXCHANGE) {
		rc = sg_judge_second(&a, SG_HOOK_path_rename, new, SG_RIGHT_DELETE, old_dir->dentry, SG_RIGHT_CREATE);
		return rc ? rc : sg_judge_held(&a, new);
	}
	/* what it replaces; by address: a verifier may think that there is always something */
	if (bpf_core_read(&replaced, sizeof(replaced), &new->d_inode) || replaced)
		return sg_judge_dentry(&a, SG_HOOK_path_rename, new, SG_RIGHT_DELETE, new, NULL, 0);
	return 0;
}

/* ---- attributes ---- */

/* A descriptor of a pipe, socket or memfd may be changed too; those are the program's own. */
#define SG_CHANGE(hook, nargs)                                                                                         \
	SG_LSM(hook)                                                                                                   \
	{                                                                                                              \
		struct path *path = (struct path *)ctx[0];                                                             \
		struct dentry *d = path->dentry;                                                                       \
		struct sg_at a;                                                                                        \
                                                                                                                       \
		SG_ENTER(&a, nargs);                                                                                   \
		return sg_judge_dentry(&a, SG_HOOK_##hook, d, SG_RIGHT_WRITE, d, path->mnt, 0);                        \
	}

SG_CHANGE(path_truncate, 1)
SG_CHANGE(path_chmod, 2)
SG_CHANGE(path_chown, 3)

/* These hooks have no path to tell the program's own by: its file system is one that nobody can mount. */
static __always_inline int sg_judge_attribute(struct sg_at *a, __u8 hook, struct dentry *d)
{
	struct super_block *sb = d->d_sb;

	if (sb->s_flags & SG_SB_NOUSER)
		return 0;
	return sg_judge_dentry(a, hook, d, SG_RIGHT_WRITE, d, NULL, 1);
}

#define SG_ATTR_TIMES (1U << 4 | 1U << 5 | 1U << 7 | 1U << 8) /* ATIME, MTIME, and both _SET */
#define SG_ATTR_OWNER (1U << 1 | 1U << 2)
#define SG_ATTR_OPENS (1U << 3 | 1U << 13 | 1U << 15) /* SIZE, FILE, OPEN: judged when it was opened */

SG_LSM(inode_setattr)
{
	struct dentry *d;
	struct iattr *attr;
	struct sg_at a;
	__u32 valid;

	SG_ENTER_AFTER(&a, sg_args_inode_setattr == 3 ? SG_ARG(ctx, 3) : SG_ARG(ctx, 2));
	if (sg_args_inode_setattr == 3) {
		d = (struct dentry *)SG_ARG(ctx, 1);
		attr = (struct iattr *)SG_ARG(ctx, 2);
	} else {
		d = (struct dentry *)SG_ARG(ctx, 0);
		attr = (struct iattr *)SG_ARG(ctx, 1);
	}
	valid = attr->ia_valid;
	if (sg_chown_by_setattr && (valid & SG_ATTR_OWNER))
		return sg_judge_attribute(&a, SG_HOOK_inode_setattr, d);
	if (!(valid & SG_ATTR_TIMES) || (valid & SG_ATTR_OPENS))
		return 0; /* mode, owner and size have path hooks */
	return sg_judge_attribute(&a, SG_HOOK_inode_setattr, d);
}

#define SG_XATTR(hook, without)                                                                                        \
	SG_LSM(hook)                                                                                                   \
	{                                                                                                              \
		struct dentry *d;                                                                                      \
		struct sg_at a;                                                                                        \
                                                                                                                       \
		SG_ENTER_AFTER(&a,                                                                                     \
			       sg_args_##hook == (without) + 1 ? SG_ARG(ctx, (without) + 1) : SG_ARG(ctx, without));   \
		if (sg_args_##hook == (without) + 1)                                                                   \
			d = (struct dentry *)SG_ARG(ctx, 1);                                                           \
		else                                                                                                   \
			d = (struct dentry *)SG_ARG(ctx, 0);                                                           \
		return sg_judge_attribute(&a, SG_HOOK_##hook, d);                                                      \
	}

SG_XATTR(inode_setxattr, 5)
SG_XATTR(inode_removexattr, 2)

SG_LSM(inode_set_acl)
{
	struct sg_at a;

	SG_ENTER(&a, 4);
	return sg_judge_attribute(&a, SG_HOOK_inode_set_acl, (struct dentry *)ctx[1]);
}

SG_LSM(inode_remove_acl)
{
	struct sg_at a;

	SG_ENTER(&a, 3);
	return sg_judge_attribute(&a, SG_HOOK_inode_remove_acl, (struct dentry *)ctx[1]);
}

#endif
