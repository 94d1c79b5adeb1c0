/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_LSM_WALK_BPF_H
#define SG_LSM_WALK_BPF_H

/*
 * What the trees say about a file: from its dentry upwards within its own file system. The object decides, so links,
 * bind mounts, /proc/self/root and descriptors lead to the same answer. Most steps are two loads and a bit test.
 */

struct sg_walk {
	__u32 granted; /* of the rights asked for */
	__u32 origin;  /* of the tree that denied, UNLISTED: none said anything */
};

/* want: of the rights that are confined; the others are granted. */
static __always_inline struct sg_walk sg_walk_up(const struct sg_at *a, struct dentry *d, __u32 want)
{
	struct sg_walk r = {.granted = SG_UNKNOWN(0), .origin = SG_UNLISTED};
	struct super_block *sb = d->d_sb;
	__u32 open = want & a->lsm->confined, i;

	if (!open)
		return r;
#pragma clang loop unroll(disable)
	for (i = 0; i < SG_WALK_MAX; i++) {
		struct inode *inode = d->d_inode;
		struct dentry *parent;

		if (inode) { /* a name that does not exist yet has none */
			__u64 distance = (__u64)inode;
			__u32 bit;

			asm volatile("%0 -= %1" : "+r"(distance) : "r"(sb));
			bit = sg_filter_bit(distance);
			if (a->lsm->filter[(bit >> 6) & (SG_FILTER_WORDS - 1)] >> (bit & 63) & 1) {
				struct sg_tree_key key = {.set = a->lsm->set, .inode = (__u64)inode};
				const struct sg_tree_rights *t = bpf_map_lookup_elem(&sg_trees, &key);

				if (t) {
					__u32 no = t->deny & open;

					if (no)
						r.origin = t->origin;
					r.granted |= t->allow & open & ~no;
					open &= ~(t->allow | no);
					if (!open)
						return r;
				}
			}
		}
		parent = d->d_parent;
		if (parent == d || !parent)
			return r;
		d = parent;
	}
	SG_COUNT(a->index, helper_failed); /* too deep: what was not granted so far is refused */
	return r;
}

/*
 * The same in a function of its own, for programs that walk more than once: before 5.15 a loop must be closed by a
 * jump, and inlined twice the compiler closes it by falling into its head.
 */
static __noinline __u32 sg_walk_apart(const struct sg_at *a, struct dentry *d, __u32 want, __u32 *origin)
{
	struct sg_walk r = sg_walk_up(a, d, want);

	*origin = r.origin;
	return r.granted;
}

/* The same for a dentry that was not handed to us as one: each step is read by address. */
static __always_inline struct sg_walk sg_walk_read(const struct sg_at *a, struct dentry *d, __u32 want)
{
	struct sg_walk r = {.granted = SG_UNKNOWN(0), .origin = SG_UNLISTED};
	__u32 open = want & a->lsm->confined, i;
	struct super_block *sb = NULL;

	if (!open || bpf_core_read(&sb, sizeof(sb), &d->d_sb))
		return r;
#pragma clang loop unroll(disable)
	for (i = 0; i < SG_WALK_MAX; i++) {
		struct dentry *parent = NULL;
		struct inode *inode = NULL;

		if (bpf_core_read(&inode, sizeof(inode), &d->d_inode) ||
		    bpf_core_read(&parent, sizeof(parent), &d->d_parent))
			break;
		if (inode) {
			struct sg_tree_key key = {.set = a->lsm->set, .inode = (__u64)inode};
			const struct sg_tree_rights *t = bpf_map_lookup_elem(&sg_trees, &key);

			if (t) {
				__u32 no = t->deny & open;

				if (no)
					r.origin = t->origin;
				r.granted |= t->allow & open & ~no;
				open &= ~(t->allow | no);
				if (!open)
					return r;
			}
		}
		if (parent == d)
			return r;
		d = parent;
	}
	SG_COUNT(a->index, helper_failed);
	return r;
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
	return cred != real;
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
