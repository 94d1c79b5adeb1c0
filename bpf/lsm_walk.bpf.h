/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_LSM_WALK_BPF_H
#define SG_LSM_WALK_BPF_H

/*
 * What the trees say about a file: from its dentry upwards within its own file system. The object decides, so links,
 * bind mounts, /proc/self/root and descriptors lead to the same answer. Most steps are two loads and a bit test.
 */

struct sg_walk {
	__u32 open;    /* rights that nothing was said about so far */
	__u32 granted; /* of the rights asked for */
	__u32 origin;  /* of the tree that denied, UNLISTED: none did */
};

/*
 * A walk so far is passed on as one number, from one function to the next: functions of their own for the verifier,
 * see sg_record_plain().
 */
#define SG_WALK_END (1ULL << 32) /* nothing is open any more, or there is nothing above */
#define SG_WALK_NEAR 8           /* steps that need no function */
#define SG_WALK_FAR 8            /* steps that one function takes */

static __always_inline __u64 sg_walk_pack(const struct sg_walk *r)
{
	return r->origin | (__u64)(r->granted & SG_RIGHTS) << 40 | (__u64)(r->open & SG_RIGHTS) << 48;
}

static __always_inline struct sg_walk sg_walk_unpack(__u64 so_far)
{
	return (struct sg_walk){.origin = (__u32)so_far,
				.granted = (__u32)(so_far >> 40) & SG_RIGHTS,
				.open = (__u32)(so_far >> 48) & SG_RIGHTS};
}

/* want: of the rights that are confined; the others are granted. */
static __always_inline __u64 sg_walk_begin(const struct sg_at *a, __u32 want)
{
	const struct sg_walk r = {.open = want & a->lsm->confined, .origin = SG_UNLISTED};

	return sg_walk_pack(&r) | (r.open ? 0 : SG_WALK_END);
}

/* What the tree says that begins at an inode, if one does. */
__noinline __u64 sg_walk_tree(__u32 index, __u64 inode, __u64 so_far)
{
	const struct sg_lsm *lsm = bpf_map_lookup_elem(&sg_lsm, &index);
	struct sg_walk r = sg_walk_unpack(so_far);
	struct sg_tree_key key = {.inode = inode};
	const struct sg_tree_rights *t;
	__u32 no;

	if (!lsm)
		return so_far | SG_WALK_END; /* cannot be: the caller has looked it up */
	key.set = lsm->set;
	t = bpf_map_lookup_elem(&sg_trees, &key);
	if (!t)
		return so_far;
	no = t->deny & r.open;
	if (no)
		r.origin = t->origin;
	r.granted |= t->allow & r.open & ~no;
	r.open &= ~(t->allow | no);
	return sg_walk_pack(&r) | (r.open ? 0 : SG_WALK_END);
}

/* Whether a directory is one that stays where it is (SG_TREE_HOLDS): the origin below a bit, 0: it is not. */
__noinline __u64 sg_walk_holds(__u32 index, __u64 inode)
{
	const struct sg_lsm *lsm = bpf_map_lookup_elem(&sg_lsm, &index);
	struct sg_tree_key key = {.inode = inode};
	const struct sg_tree_rights *t;

	if (!lsm)
		return SG_WALK_END | SG_ORIGIN_UNLISTED; /* cannot be: the caller has looked it up */
	key.set = lsm->set;
	t = bpf_map_lookup_elem(&sg_trees, &key);
	return t && (t->deny & SG_TREE_HOLDS) ? SG_WALK_END | t->origin : 0;
}

/* Most inodes are told from those at which a tree begins without looking them up. distance: see sg_filter_bit(). */
static __always_inline int sg_walk_filter(const struct sg_lsm *lsm, __u64 distance)
{
	__u32 bit = sg_filter_bit(distance);

	return lsm->filter[(bit >> 6) & (SG_FILTER_WORDS - 1)] >> (bit & 63) & 1;
}

#define SG_WALK_TREE(index, inode, so_far)                                                                             \
	do {                                                                                                           \
		so_far = sg_walk_tree(index, inode, so_far);                                                           \
		asm volatile("" : "+r"(so_far)); /* of what a function returns the verifier knows nothing */           \
	} while (0)

/* Some steps, each read by address. */
__noinline __u64 sg_walk_steps(__u32 index, __u64 dentry, __u64 so_far)
{
	const struct sg_lsm *lsm = bpf_map_lookup_elem(&sg_lsm, &index);
	const struct dentry *d = (const struct dentry *)dentry;
	struct super_block *sb = NULL;
	__u32 i;

	if (!lsm || bpf_core_read(&sb, sizeof(sb), &d->d_sb))
		goto failed;
#pragma clang loop unroll(disable)
	for (i = 0; i < SG_WALK_FAR; i++) {
		struct dentry *parent = NULL;
		struct inode *inode = NULL;

		if (bpf_core_read(&inode, sizeof(inode), &d->d_inode) |
		    bpf_core_read(&parent, sizeof(parent), &d->d_parent))
			goto failed;
		if (sg_walk_filter(lsm, (__u64)inode - (__u64)sb))
			SG_WALK_TREE(index, (__u64)inode, so_far);
		if (parent == d)
			return so_far | SG_WALK_END;
		d = parent;
	}
	return so_far;
failed:
	SG_COUNT(index, helper_failed);
	return so_far | SG_WALK_END;
}

/* Where those steps led. */
__noinline __u64 sg_walk_led(__u64 dentry)
{
	const struct dentry *d = (const struct dentry *)dentry;
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < SG_WALK_FAR; i++) {
		struct dentry *parent = NULL;

		if (bpf_core_read(&parent, sizeof(parent), &d->d_parent))
			return 0;
		d = parent;
	}
	return (__u64)d;
}

/* The rest of a walk. left: how many times SG_WALK_FAR steps. */
__noinline __u64 sg_walk_rest(__u32 index, __u64 dentry, __u64 so_far, __u32 left)
{
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < SG_WALK_MAX / SG_WALK_FAR; i++) {
		if (so_far & SG_WALK_END)
			return so_far;
		if (i >= left)
			break;
		so_far = sg_walk_steps(index, dentry, so_far);
		asm volatile("" : "+r"(so_far));
		dentry = sg_walk_led(dentry);
	}
	SG_COUNT(index, helper_failed); /* too deep: what was not granted so far is refused */
	return so_far;
}

static __always_inline struct sg_walk sg_walk_up(const struct sg_at *a, struct dentry *d, __u32 want)
{
	__u64 so_far = sg_walk_begin(a, want);
	struct super_block *sb = d->d_sb;
	__u32 i;

	if (so_far & SG_WALK_END)
		return sg_walk_unpack(so_far);
		/* up to 6.1 a loop must be closed by a jump, which the compiler sees no reason for: so there is none */
#pragma clang loop unroll(full)
	for (i = 0; i < SG_WALK_NEAR; i++) {
		struct inode *inode = d->d_inode; /* a name that does not exist yet has none */
		struct dentry *parent = d->d_parent;

		if (sg_walk_filter(a->lsm, sg_address(inode) - sg_address(sb))) {
			SG_WALK_TREE(a->index, sg_address(inode), so_far);
			if (so_far & SG_WALK_END)
				return sg_walk_unpack(so_far);
		}
		if (parent == d)
			return sg_walk_unpack(so_far);
		d = parent;
	}
	so_far = sg_walk_rest(a->index, sg_address(d), so_far, (SG_WALK_MAX - SG_WALK_NEAR) / SG_WALK_FAR);
	asm volatile("" : "+r"(so_far));
	return sg_walk_unpack(so_far);
}

/* The same in a function of its own, for programs that walk more than once. */
static __noinline __u32 sg_walk_apart(const struct sg_at *a, struct dentry *d, __u32 want, __u32 *origin)
{
	struct sg_walk r = sg_walk_up(a, d, want);

	*origin = r.origin;
	return r.granted;
}

/* The same for a dentry that was not handed to us as one. */
static __always_inline struct sg_walk sg_walk_read(const struct sg_at *a, struct dentry *d, __u32 want)
{
	__u64 so_far = sg_walk_rest(a->index, (__u64)d, sg_walk_begin(a, want), SG_WALK_MAX / SG_WALK_FAR);

	asm volatile("" : "+r"(so_far));
	return sg_walk_unpack(so_far);
}

/* Of the rights asked for, those that are confined and were not granted. */
static __always_inline __u32 sg_missing(const struct sg_at *a, const struct sg_walk *r, __u32 want)
{
	return want & a->lsm->confined & ~r->granted;
}

/*
 * Rights that are missing: the strictest of their classes is to answer, the first of equals. Without a branch, which
 * the verifier would follow seven times over.
 */
static __always_inline void sg_what_rights(const struct sg_at *a, struct sg_what *w, __u32 missing, __u32 origin)
{
	__s64 worst = (__s64)SG_UNKNOWN(0);
	__u32 i;

#pragma clang loop unroll(full)
	for (i = 0; i < SG_N_RIGHTS; i++) {
		__s64 score = (__s64)(missing >> i & 1) * ((__s64)a->lsm->objects.cls[i].mode * 8 + 7 - i);

		worst += (score - worst) & ((worst - score) >> 63);
	}
	w->origin = origin;
	w->cls = (__u16)(7 - (worst & 7));
	w->right = 1U << (7 - (worst & 7));
}

/* Kernel-internal mounts: pipes, sockets, memfd, anonymous inodes, and the layers below an overlay. Nobody can name
 * anything there. Read by address: struct mount lies around what the path points to. */
static __always_inline int sg_mount_internal(struct vfsmount *mnt)
{
	__u64 ns = 0;

	if (bpf_probe_read_kernel(&ns, sizeof(ns),
				  (const void *)mnt - bpf_core_field_offset(struct mount, mnt) +
					  bpf_core_field_offset(struct mount, mnt_ns)))
		return 0;
	return ns == SG_MNT_INTERNAL;
}

static __always_inline int sg_caps_read(__u64 *caps, const struct cred *cred, __u32 place)
{
	return bpf_probe_read_kernel(caps, sizeof(*caps), (const void *)cred + place);
}

/*
 * Credentials other than the task's own are somebody else's. But a worker of io_uring has those of the program as they
 * were when it was made, and works with those that the program had when it submitted. There only such are somebody
 * else's as no change could give the program: in its user namespace, and with a capability that it is not permitted.
 */
static __always_inline int sg_creds_foreign(const struct cred *cred, const struct cred *real)
{
	struct task_struct___lsm *task = (struct task_struct___lsm *)bpf_get_current_task();
	__u64 effective = 0, permitted = 0;
	void *ns = NULL, *own_ns = NULL;
	__u32 flags = 0;

	if (cred == real || bpf_core_read(&flags, sizeof(flags), &task->flags))
		return 0;
	if (!(flags & SG_PF_IO_WORKER))
		return 1;
	if (bpf_core_read(&ns, sizeof(ns), &cred->user_ns) || bpf_core_read(&own_ns, sizeof(own_ns), &real->user_ns) ||
	    sg_caps_read(&effective, cred, bpf_core_field_offset(struct cred, cap_effective)) ||
	    sg_caps_read(&permitted, real, bpf_core_field_offset(struct cred, cap_permitted)))
		return 0;
	return ns == own_ns && (effective & ~permitted);
}

/*
 * The kernel acts with other credentials than the task's own: a stacked file system such as overlay, on its lower
 * layer, for an operation that was judged on the upper one. io_uring could do it too, where its personalities were not
 * refused (uring_override_creds).
 */
static __always_inline int sg_acts_for_kernel(void)
{
	struct task_struct___lsm *task = (struct task_struct___lsm *)bpf_get_current_task();
	const struct cred *cred = NULL, *real = NULL;

	if (bpf_core_read(&cred, sizeof(cred), &task->cred) || bpf_core_read(&real, sizeof(real), &task->real_cred))
		return 0;
	return sg_creds_foreign(cred, real);
}

/* File systems that stand for something else than files: the class that judges there. */
static __always_inline __u16 sg_special(struct sg_at *a, struct dentry *d, __u32 want)
{
	struct super_block *sb = d->d_sb;
	__u64 magic = sb->s_magic;

	if (magic == SG_BPF_MAGIC || ((magic == SG_CGROUP2_MAGIC || magic == SG_CGROUP_MAGIC) &&
				      (want & (SG_RIGHT_WRITE | SG_RIGHT_CREATE | SG_RIGHT_DELETE))))
		return (__u16)SG_UNKNOWN(SG_CLASS_SUPERVISOR);
	if (magic == SG_MQUEUE_MAGIC && sg_mode(a, SG_CLASS_IPC) != SG_MODE_ALLOW)
		return (__u16)SG_UNKNOWN(SG_CLASS_IPC);
	return (__u16)SG_UNKNOWN(SG_NO_CLASS);
}

/*
 * One file: what is done to its name or its attributes. shown: the name in the record, where it is another one than
 * that which decides. own: allowed where the kernel acts for a stacked file system, or the mount is nobody's.
 */
static __always_inline int sg_judge_dentry(struct sg_at *a, __u8 hook, struct dentry *d, __u32 want,
					   struct dentry *shown, struct vfsmount *mnt, int kernel_may)
{
	struct sg_what w = {.hook = hook, .origin = SG_UNLISTED, .right = want, .cls = sg_special(a, d, want)};

	if (w.cls == SG_NO_CLASS) {
		__u32 origin = SG_UNLISTED, missing;

		missing = want & a->lsm->confined & ~sg_walk_apart(a, d, want, &origin);
		if (!missing || (mnt && sg_mount_internal(mnt)) || (kernel_may && sg_acts_for_kernel()))
			return 0;
		sg_what_rights(a, &w, missing, origin);
	}
	return sg_refuse_file(a, &w, shown);
}

/*
 * A second name for what d is, in the directory dir: d must have `from`, dir must have `to`, and no right may be
 * gained.
 */
static __always_inline int sg_judge_second(struct sg_at *a, __u8 hook, struct dentry *d, __u32 from, struct dentry *dir,
					   __u32 to)
{
	struct sg_what w = {.hook = hook, .origin = SG_UNLISTED, .right = to, .cls = sg_special(a, dir, to)};

	if (w.cls == SG_NO_CLASS) {
		__u32 confined = a->lsm->confined, origin = SG_UNLISTED, there, missing;

		there = sg_walk_apart(a, dir, SG_RIGHTS, &origin);
		missing = to & confined & ~there;
		if (!missing)
			missing = (from | there) & confined & ~sg_walk_apart(a, d, SG_RIGHTS, &origin);
		if (!missing)
			return 0;
		sg_what_rights(a, &w, missing, origin);
	}
	return sg_refuse_file(a, &w, d);
}

#endif
