/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_LSM_CORE_BPF_H
#define SG_LSM_CORE_BPF_H

/*
 * What every LSM program does: find out whether the running task is judged, and, where a rule says no, answer, record
 * and kill. LSM programs, unlike tracing ones, are never skipped by the kernel; but they can be preempted by each other
 * on one CPU, so there is no per-CPU working memory here: a record is filled where it will stay.
 */

/* The object rules of each sandbox; same index as sg_sandboxes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_lsm);
} sg_lsm SEC(".maps");

/* Where a tree begins, and what it says. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct sg_tree_key);
	__type(value, struct sg_tree_rights);
} sg_trees SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct sg_protected_key);
	__type(value, __u32);
} sg_protected SEC(".maps");

/* System V objects made inside a sandbox: address of the kernel's struct kern_ipc_perm -> cgroup of the sandbox. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} sg_ipc SEC(".maps");

/* The number of arguments of hooks that differ between kernels; set before load from the kernel's BTF. */
const volatile __u32 sg_args_path_rename = 4;
const volatile __u32 sg_args_inode_setattr = 2;
const volatile __u32 sg_args_inode_setxattr = 5;
const volatile __u32 sg_args_inode_removexattr = 2;
/* path_chown takes structures by value, to which programs can be attached from 6.0 on: inode_setattr judges instead. */
const volatile __u32 sg_chown_by_setattr = 0;
const volatile __u32 sg_args_bpf = 3;
const volatile __u32 sg_args_perf_event_open = 2;

/* Of the supervisor that loaded this object, set before load; 0: there is never another one beside it. */
const volatile __u32 sg_generation = 0;

/*
 * Numbers that the verifier does not know. Where paths of a program meet again with another constant each, it follows
 * all of them to the end; where the number was loaded, one. Without this a program takes it 50 times as long.
 */
__u32 sg_numbers[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
			16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
__u64 sg_zero = 0;
__u32 sg_unlisted = SG_ORIGIN_UNLISTED;
#define SG_UNKNOWN(n) (*(const volatile __u32 *)&sg_numbers[n])
#define SG_ZERO (*(const volatile __u64 *)&sg_zero)
#define SG_UNLISTED (*(const volatile __u32 *)&sg_unlisted)
#define SG_NO_CLASS 31 /* nothing to refuse */

/* While the supervisor has the kernel tell it about descriptors (supervisor/bpf_objects.c); 0: nobody asks. */
__u32 sg_learner = 0;
__u32 sg_learner_refuse = 0; /* answer this many with -EPERM: the proof that an answer counts */
__u32 sg_n_learned = 0;
struct sg_learned sg_learned[SG_LEARN_MAX] = {};

struct sg_at {
	struct sg_sandbox *sb;
	struct sg_lsm *lsm;
	__u32 index;
};

/* What is being refused. */
struct sg_what {
	__u64 number;
	__u8 addr[16]; /* read in halves: aligned */
	__u32 right;
	__u32 origin;
	__u32 target;
	__u16 cls;
	__u16 family;
	__u16 port;
	__u8 hook;
	__u8 kind;
	__u8 proto;
	__u8 op;
	__u8 pad[2];
};

/* -EPERM, and no arithmetic instead: the verifier wants to see a number between -4095 and 0. */
static __always_inline int sg_no(void)
{
	int rc = -SG_EPERM;

	asm volatile("" : "+r"(rc));
	return rc;
}

/* 1: judge; 0: let through; negative: answer that. The first thing every program does: keep the way out short. */
static __always_inline int sg_judged(struct sg_at *a)
{
	__u32 flags;

	a->index = 0;
	a->sb = sg_sandbox_current(&a->index);
	if (!a->sb)
		return 0;
	flags = a->sb->flags;
	if (!(flags & SG_SANDBOX_LSM))
		return 0;
	if ((flags & SG_SANDBOX_ARM_ON_EXEC) && !a->sb->armed)
		return 0;
	a->lsm = bpf_map_lookup_elem(&sg_lsm, &a->index);
	if (!a->lsm)
		return sg_no();
	/* another supervisor's programs are attached too, and judge: twice would be counted and recorded twice */
	return a->lsm->generation == sg_generation;
}

/* A program: SG_HOOK(name) { … }. Its arguments are in ctx, and behind them what an earlier program answered. */
#define SG_LSM(hook) SEC("lsm/" #hook) int sg_##hook(unsigned long long *ctx)

/* For hooks whose arguments differ between kernels: a load of its own, which the compiler cannot merge with others. */
#define SG_ARG(ctx, n)                                                                                                 \
	({                                                                                                             \
		__u64 sg_arg;                                                                                          \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(sg_arg) : "r"(ctx), "i"((n)*8));                          \
		sg_arg;                                                                                                \
	})

/* An earlier denial is passed on; what runs outside every sandbox goes on. */
#define SG_ENTER(at, nargs)                                                                                            \
	do {                                                                                                           \
		int sg_rc = (int)ctx[nargs];                                                                           \
		if (sg_rc)                                                                                             \
			return sg_rc;                                                                                  \
		sg_rc = sg_judged(at);                                                                                 \
		if (sg_rc <= 0)                                                                                        \
			return sg_rc;                                                                                  \
	} while (0)

static __always_inline __u16 sg_mode(const struct sg_at *a, __u32 cls)
{
	return a->lsm->objects.cls[cls].mode;
}

/* A refusal as the verifier wants to see it: between -4095 and -1. */
static __always_inline int sg_negative(__u32 err)
{
	long rc;

	if (err == 0 || err > 4095)
		err = SG_EPERM;
	err &= 0xfff;
	/* the compiler knows that 0 - err is a negation; the verifier follows a subtraction, and no negation */
	asm volatile("%0 = 0\n\t%0 -= %1" : "=&r"(rc) : "r"((long)err));
	return (int)rc;
}

/* The components of a path, innermost first, up to the root of its file system. Read by address: d may be a cast. */
static __always_inline void sg_names_fill(struct sg_event_object *ev, struct dentry *d)
{
	__u64 off = 0;
	__u32 i;
	__u32 cut = SG_UNKNOWN(SG_CUT_DEPTH);

	for (i = 0; i < SG_NAMES_MAX; i++) {
		const unsigned char *name = NULL;
		struct dentry *parent = NULL;
		long n;

		if (bpf_core_read(&parent, sizeof(parent), &d->d_parent) ||
		    bpf_core_read(&name, sizeof(name), &d->d_name.name))
			break;
		if ((__u64)parent == (__u64)d) {
			cut &= ~(__u32)SG_CUT_DEPTH;
			break;
		}
		asm volatile("" : "+r"(off)); /* what is compared must be what is used */
		if (off > SG_NAMES_BYTES - SG_NAME_BYTES)
			break;
		n = bpf_probe_read_kernel_str(ev->names + off, SG_NAME_BYTES, name);
		if (n <= 0 || n > SG_NAME_BYTES)
			break;
		if (n == SG_NAME_BYTES)
			cut |= SG_CUT_NAME;
		off += (__u64)n;
		d = parent;
	}
	ev->names_len = (__u32)off;
	ev->cut = (__u8)cut;
}

/* The system call in progress; io_uring's workers have none. */
static __always_inline void sg_call_fill(struct sg_event_object *ev)
{
	struct sg_regs *regs = NULL;
	struct task_struct *task;
	__u32 status = 0;
	__u64 nr = 0;
	void *stack = NULL;

	ev->nr = -1;
	if (sg_has_task_pt_regs) {
		regs = (struct sg_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	} else {
		task = (struct task_struct *)bpf_get_current_task();
		if (bpf_core_read(&stack, sizeof(stack), &task->stack))
			return;
		regs = stack + SG_THREAD_SIZE - sizeof(*regs);
	}
	task = (struct task_struct *)bpf_get_current_task();
	if (bpf_core_read(&status, sizeof(status), &task->thread_info.status) ||
	    bpf_probe_read_kernel(&nr, sizeof(nr), &regs->orig_ax))
		return;
	ev->nr = (__s32)nr;
	ev->abi = sg_arch_abi(status, nr);
}

static __always_inline void sg_object_fill(struct sg_event_object *ev, const struct sg_at *a, const struct sg_what *w)
{
	__builtin_memset(ev, 0, sizeof(*ev));
	sg_hdr_fill(&ev->hdr, sizeof(*ev), SG_EVENT_OBJECT, a->index, a->sb->cgroup_id);
	ev->right = w->right;
	ev->origin = w->origin;
	ev->cls = w->cls;
	ev->hook = w->hook;
	ev->kind = w->kind;
	ev->number = w->number;
	ev->target = w->target;
	ev->family = w->family;
	ev->port = w->port;
	ev->proto = w->proto;
	ev->op = w->op;
	__builtin_memcpy(ev->addr, w->addr, sizeof(ev->addr));
	sg_call_fill(ev);
}

static __always_inline void sg_file_fill(struct sg_event_object *ev, struct dentry *d)
{
	struct super_block *sb = NULL;
	struct inode *inode = NULL;
	unsigned long ino = 0;
	__u32 dev = 0;

	if (bpf_core_read(&sb, sizeof(sb), &d->d_sb) == 0 && bpf_core_read(&dev, sizeof(dev), &sb->s_dev) == 0)
		ev->dev = dev;
	if (bpf_core_read(&inode, sizeof(inode), &d->d_inode) == 0 && inode &&
	    bpf_core_read(&ino, sizeof(ino), &inode->i_ino) == 0)
		ev->ino = ino;
	sg_names_fill(ev, d);
}

/*
 * An operation that no rule allows: answers what the class's mode says, and records it. d: the file, for kind FILE.
 * In a sandbox that does not ENFORCE everything goes through, except against the supervisor.
 */
static __always_inline int sg_refuse_at(struct sg_at *a, struct sg_what *w, struct dentry *d)
{
	const struct sg_class_mode *m;
	__u64 cls = w->cls;
	__u32 one = 1, index = a->index, enforce = a->sb->flags & SG_SANDBOX_ENFORCE;
	__u32 mode, err = SG_UNKNOWN(0), action, violation = SG_UNKNOWN(0), first = SG_UNKNOWN(0);
	__s32 signal_rc = (__s32)SG_UNKNOWN(0);
	struct sg_event_object *ev;

	asm volatile("" : "+r"(cls)); /* what is compared must be what is used */
	if (cls >= SG_CLASS_N)
		cls = SG_CLASS_SUPERVISOR;
	m = &a->lsm->objects.cls[cls];
	mode = m->mode;
	if (cls == SG_CLASS_SUPERVISOR)
		mode = SG_MODE_KILL;
	if (mode == SG_MODE_ALLOW)
		return 0;
	if (w->origin == SG_ORIGIN_UNLISTED)
		w->origin = m->origin;
	if (mode == SG_MODE_AUDIT || (!enforce && cls != SG_CLASS_SUPERVISOR)) {
		action = SG_UNKNOWN(SG_ACTION_AUDIT);
		if (mode != SG_MODE_AUDIT) {
			violation = SG_UNKNOWN(1);
			SG_COUNT(index, denied);
		}
	} else if (mode == SG_MODE_ERRNO || !enforce) {
		action = SG_UNKNOWN(SG_ACTION_ERRNO);
		err = m->err;
		if (mode != SG_MODE_ERRNO || err == 0)
			err = SG_UNKNOWN(SG_EPERM);
	} else {
		action = SG_UNKNOWN(SG_ACTION_KILL);
		err = SG_UNKNOWN(SG_EPERM);
		SG_COUNT(index, violations);
		signal_rc = (__s32)bpf_send_signal(SG_SIGKILL);
		if (signal_rc)
			SG_COUNT(index, signal_failed);
		if (!a->sb->killed && bpf_map_update_elem(&sg_claims, &index, &one, BPF_NOEXIST) == 0)
			first = SG_UNKNOWN(1);
	}
	if (first)
		a->sb->killed = 1;
	barrier();
	ev = bpf_ringbuf_reserve(&sg_events, sizeof(*ev), 0);
	if (!ev) {
		SG_COUNT(index, events_dropped);
		if (first) { /* where it needs no room; the path is left out */
			ev = &a->sb->first_kill_object;
			sg_object_fill(ev, a, w);
			ev->action = SG_ACTION_KILL;
			ev->err = SG_EPERM;
			ev->signal_rc = signal_rc;
			ev->cut = SG_CUT_DEPTH;
			barrier();
			a->sb->killed = 2;
		}
		return err ? sg_negative(err) : 0;
	}
	sg_object_fill(ev, a, w);
	ev->action = (__u8)action;
	ev->err = (__u16)err;
	ev->violation = (__u8)violation;
	ev->signal_rc = signal_rc;
	if (d)
		sg_file_fill(ev, d);
	if (first) {
		a->sb->first_kill_object = *ev;
		barrier();
		a->sb->killed = 2;
	}
	bpf_ringbuf_submit(ev, 0);
	SG_COUNT(index, events_sent);
	return err ? sg_negative(err) : 0;
}

static __noinline int sg_refuse(struct sg_at *a, struct sg_what *w)
{
	return sg_refuse_at(a, w, NULL);
}

static __noinline int sg_refuse_file(struct sg_at *a, struct sg_what *w, struct dentry *d)
{
	w->kind = SG_OBJECT_FILE;
	return sg_refuse_at(a, w, d);
}

/* For operations that a class judges as a whole, with a number that says which. */
static __always_inline int sg_refuse_class(struct sg_at *a, __u16 cls, __u8 hook, __u64 number)
{
	struct sg_what w = {.cls = cls, .hook = hook, .kind = SG_OBJECT_NUMBER, .number = number};

	if (sg_mode(a, cls) == SG_MODE_ALLOW)
		return 0;
	w.origin = SG_UNLISTED;
	return sg_refuse(a, &w);
}

static __always_inline int sg_is_protected(__u32 kind, __u64 id)
{
	struct sg_protected_key key = {.kind = kind, .id = id};

	return bpf_map_lookup_elem(&sg_protected, &key) != NULL;
}

/* Whether a cgroup is the sandbox's or lies below it. */
static __always_inline int sg_cgroup_inside(const struct sg_at *a, struct cgroup *cgrp)
{
	return sg_cgroup_ancestor((struct cgroup___ids *)cgrp, a->lsm->level) == a->sb->cgroup_id;
}

static __always_inline int sg_task_inside(const struct sg_at *a, struct task_struct *p)
{
	return sg_cgroup_inside(a, (struct cgroup *)sg_task_cgroup(p));
}

/* Somebody else's process: the class of the operation judges, and the supervisor's are never touched. */
static __always_inline int sg_refuse_task(struct sg_at *a, __u16 cls, __u8 hook, struct task_struct *p, __u64 number)
{
	struct sg_what w = {.cls = cls, .hook = hook, .kind = SG_OBJECT_PROCESS, .number = number};
	int tgid = 0;

	if (sg_task_inside(a, p))
		return 0;
	if (bpf_core_read(&tgid, sizeof(tgid), &p->tgid))
		SG_COUNT(a->index, helper_failed);
	w.target = (__u32)tgid;
	w.origin = SG_UNLISTED;
	if (sg_is_protected(SG_PROTECTED_PROCESS, w.target))
		w.cls = SG_CLASS_SUPERVISOR;
	return sg_refuse(a, &w);
}

#endif
