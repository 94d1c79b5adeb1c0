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
/* path_chown takes structures by value, to which programs can be attached from 6.1 on: inode_setattr judges instead. */
const volatile __u32 sg_chown_by_setattr = 0;
/* Whether a ring is to be told by the name of its inode: there is no uring_allowed. */
const volatile __u32 sg_rings_by_name = 0;
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
char sg_no_names[SG_NAMES_BYTES] = {};
__u32 sg_unlisted = SG_ORIGIN_UNLISTED;
#define SG_UNKNOWN(n) (*(const volatile __u32 *)&sg_numbers[n])
#define SG_ZERO (*(const volatile __u64 *)&sg_zero)
#define SG_UNLISTED (*(const volatile __u32 *)&sg_unlisted)
#define SG_NO_CLASS 31 /* nothing to refuse */
/* The same number, which the verifier does not know any more. */
#define SG_FORGET(x) ((x) ^ (typeof(x))SG_ZERO)

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
	__u8 mild; /* 1: what honest programs try, too: where the class would kill, an errno will do */
	__u8 pad[1];
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

/* An earlier denial (before) is passed on; what runs outside every sandbox goes on. */
#define SG_ENTER_AFTER(at, before)                                                                                     \
	do {                                                                                                           \
		int sg_rc = (int)(before);                                                                             \
		if (sg_rc)                                                                                             \
			return sg_rc;                                                                                  \
		sg_rc = sg_judged(at);                                                                                 \
		if (sg_rc <= 0)                                                                                        \
			return sg_rc;                                                                                  \
	} while (0)

#define SG_ENTER(at, nargs) SG_ENTER_AFTER(at, ctx[nargs])

static __always_inline __u16 sg_mode(const struct sg_at *a, __u32 cls)
{
	return a->lsm->objects.cls[cls].mode;
}

/* Whether what no rule of the class allows is stopped, or only recorded. Not for SG_CLASS_SUPERVISOR: always. */
static __always_inline int sg_enforced(const struct sg_at *a, __u32 cls)
{
	return (a->sb->flags & SG_SANDBOX_ENFORCE) && sg_mode(a, cls) > SG_MODE_AUDIT;
}

/* The answer to a mere question: where it is no, it is neither recorded nor a reason to kill. */
static __always_inline int sg_no_question(const struct sg_at *a, __u32 cls)
{
	return sg_enforced(a, cls) ? sg_no() : 0;
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

/* A kernel address as a number: only those may be handed to a function that the verifier looks at once. */
static __always_inline __u64 sg_address(const void *p)
{
	__u64 at = (__u64)p;

	asm volatile("%0 = le64 %0" : "+r"(at)); /* no instruction at all, and of the result nothing is known */
	return at;
}

/*
 * The components of a path, innermost first, up to the root of its file system. Almost without branches: each way out
 * of the loop is followed to the end of the program, and older verifiers do so again and again.
 */
static __always_inline void sg_names_fill(struct sg_event_object *ev, const struct dentry *d)
{
	__u32 i, cut = SG_UNKNOWN(SG_CUT_DEPTH);
	__u64 off = SG_ZERO;
	__s64 n = 1;

	for (i = 0; i < SG_NAMES_MAX; i++) {
		const unsigned char *name = NULL;
		struct dentry *parent = NULL;
		__s64 failed = n, root;

		failed |= bpf_core_read(&parent, sizeof(parent), &d->d_parent);
		failed |= bpf_core_read(&name, sizeof(name), &d->d_name.name);
		root = (__s64)((__u64)parent ^ (__u64)d);
		n = 0 - root;
		asm volatile("" : "+r"(n), "+r"(failed));     /* no branch of the compiler's */
		root = ~((root | n) >> 63) & ~(failed >> 63); /* all ones: d is the root */
		asm volatile("" : "+r"(root));
		cut &= ~((__u32)root & SG_CUT_DEPTH);
		if ((failed | root) < 0)
			break;
		asm volatile("" : "+r"(off)); /* what is compared must be what is used */
		if (off > SG_NAMES_BYTES - SG_NAME_BYTES)
			break;
		n = bpf_probe_read_kernel_str(ev->names + off, SG_NAME_BYTES, name);
		root = n >> 63;
		asm volatile("" : "+r"(root));
		off += (__u64)(n & ~root);
		cut |= (__u32)(n & ~root) / SG_NAME_BYTES * SG_CUT_NAME;
		d = parent;
	}
	ev->names_len = (__u32)off;
	ev->cut = (__u8)cut;
}

static __always_inline struct sg_regs *sg_call_regs(struct task_struct *task)
{
	void *stack = NULL;

	if (sg_has_task_pt_regs)
		return (struct sg_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	bpf_core_read(&stack, sizeof(stack), &task->stack);
	return stack + SG_THREAD_SIZE - sizeof(struct sg_regs);
}

/* The system call in progress; io_uring's workers have none. */
static __always_inline void sg_call_fill(struct sg_event_object *ev)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct sg_regs *regs = sg_call_regs(task);
	__u32 status = 0;
	__u64 nr = 0;
	long failed;

	failed = bpf_core_read(&status, sizeof(status), &task->thread_info.status);
	failed |= bpf_probe_read_kernel(&nr, sizeof(nr), &regs->orig_ax);
	failed >>= 63; /* all ones, or zero */
	ev->nr = (__s32)(nr | (__u64)failed);
	ev->abi = (__u8)(SG_FORGET((__u64)sg_arch_abi(status, nr)) & ~(__u64)failed);
}

/* What cannot be read is zero. */
static __always_inline void sg_file_fill(struct sg_event_object *ev, const struct dentry *d)
{
	struct super_block *sb = NULL;
	struct inode *inode = NULL;
	unsigned long ino = 0;
	__u32 dev = 0;

	bpf_core_read(&sb, sizeof(sb), &d->d_sb);
	bpf_core_read(&dev, sizeof(dev), &sb->s_dev);
	bpf_core_read(&inode, sizeof(inode), &d->d_inode);
	bpf_core_read(&ino, sizeof(ino), &inode->i_ino);
	ev->dev = dev;
	ev->ino = ino;
	sg_names_fill(ev, d);
}

/* The abstract address of a unix socket: what lies behind its family and a zero byte. */
static __always_inline void sg_unix_fill(struct sg_event_object *ev, const struct unix_address *addr)
{
	__u64 n = SG_ZERO;
	int len = 0;

	bpf_core_read(&len, sizeof(len), &addr->len);
	if (len > SG_UNIX_NAME_AT) {
		n = (__u64)(__u32)len - SG_UNIX_NAME_AT;
		asm volatile("" : "+r"(n)); /* what is compared must be what is used */
		if (n > SG_UNIX_NAME_MAX)
			n = SG_UNIX_NAME_MAX;
		if (bpf_probe_read_kernel(ev->names, (__u32)n,
					  (const void *)addr + bpf_core_field_offset(struct unix_address, name) +
						  SG_UNIX_NAME_AT))
			n = 0;
		ev->names_len = n ? (__u32)n + 1 : 0;
	}
	ev->cut = 0;
}

/* What is being refused, as numbers. */
#define SG_WHAT_INDEX(what) ((what)&0xffff)
#define SG_WHAT_CLS(what) ((what) >> 16 & 0xff)
#define SG_WHAT_HOOK(what) ((what) >> 24 & 0xff)
#define SG_WHAT_KIND(what) ((what) >> 32 & 0x7f)
#define SG_WHAT_MILD(what) ((what) >> 39 & 1)
#define SG_WHAT_RIGHT(what) ((what) >> 40 & 0xff)
#define SG_WHAT_FAMILY(what) ((what) >> 48 & 0xff)
#define SG_WHAT_PROTO(what) ((what) >> 56 & 0xf)
#define SG_WHAT_OP(what) ((what) >> 60)
_Static_assert(SG_MAX_SANDBOXES <= 0x10000 && SG_RIGHTS <= 0xff, "struct sg_what is packed into numbers");

/* target: 32 bits above the origin; of an address the port. first, second: the number, or the address. */
static __always_inline void sg_head_fill(struct sg_event_object *ev, const struct sg_sandbox *sb, __u64 what, __u64 who,
					 __u64 first, __u64 second)
{
	__u64 address = ((SG_WHAT_KIND(what) ^ SG_OBJECT_ADDRESS) - 1) >> 63, *addr = (__u64 *)ev->addr;

	address = 0 - address; /* all ones, or zero */
	sg_hdr_fill(&ev->hdr, sizeof(*ev), SG_EVENT_OBJECT, (__u32)SG_WHAT_INDEX(what), sb->cgroup_id);
	ev->right = (__u32)SG_WHAT_RIGHT(what);
	ev->cls = (__u16)SG_WHAT_CLS(what);
	ev->hook = (__u8)SG_WHAT_HOOK(what);
	ev->kind = (__u8)SG_WHAT_KIND(what);
	ev->family = (__u16)SG_WHAT_FAMILY(what);
	ev->proto = (__u8)SG_WHAT_PROTO(what);
	ev->op = (__u8)SG_WHAT_OP(what);
	ev->number = first & ~address;
	ev->target = (__u32)((who >> 32) & ~address);
	ev->port = (__u16)((who >> 32) & address);
	addr[0] = first & address;
	addr[1] = second & address;
	sg_call_fill(ev);
}

/*
 * An operation that no rule allows: records it, and says what to answer: an errno, or 0. d: the file, or the address
 * of a unix socket; 0: none. In a sandbox that does not ENFORCE everything goes through, except against the supervisor.
 */
static __always_inline int sg_record(__u64 what, __u64 who, __u64 first, __u64 second, __u64 d)
{
	__u32 one = 1, index = (__u32)SG_WHAT_INDEX(what), origin = (__u32)who, mode, enforce;
	__u32 err = SG_UNKNOWN(0), action, violation = SG_UNKNOWN(0), fatal = SG_UNKNOWN(0);
	__s32 signal_rc = (__s32)SG_UNKNOWN(0);
	struct sg_sandbox *sb = bpf_map_lookup_elem(&sg_sandboxes, &index);
	struct sg_lsm *lsm = bpf_map_lookup_elem(&sg_lsm, &index);
	__u64 cls = SG_WHAT_CLS(what), head[SG_OBJECT_HEAD / sizeof(__u64)] = {};
	struct sg_event_object *ev = (void *)head;
	const struct sg_class_mode *m;

	if (!sb || !lsm)
		return SG_EPERM;      /* cannot be: the caller has looked both up */
	asm volatile("" : "+r"(cls)); /* what is compared must be what is used */
	if (cls >= SG_CLASS_N)
		cls = SG_CLASS_SUPERVISOR;
	m = &lsm->objects.cls[cls];
	mode = m->mode;
	if (cls == SG_CLASS_SUPERVISOR)
		mode = SG_UNKNOWN(SG_MODE_KILL);
	if (mode == SG_MODE_ALLOW)
		return 0;
	if (origin == SG_ORIGIN_UNLISTED)
		origin = m->origin;
	sg_head_fill(ev, sb, what, who, first, second);
	enforce = sb->flags & SG_SANDBOX_ENFORCE;
	if (mode == SG_MODE_AUDIT || (!enforce && cls != SG_CLASS_SUPERVISOR)) {
		action = SG_UNKNOWN(SG_ACTION_AUDIT);
		if (mode != SG_MODE_AUDIT) {
			violation = SG_UNKNOWN(1);
			SG_COUNT(index, denied);
		}
	} else if (mode == SG_MODE_ERRNO || !enforce || SG_WHAT_MILD(what)) {
		action = SG_UNKNOWN(SG_ACTION_ERRNO);
		err = m->err;
		if (mode != SG_MODE_ERRNO || err == 0)
			err = SG_WHAT_MILD(what) ? SG_UNKNOWN(SG_EACCES) : SG_UNKNOWN(SG_EPERM);
	} else {
		action = SG_UNKNOWN(SG_ACTION_KILL);
		err = SG_UNKNOWN(SG_EPERM);
		SG_COUNT(index, violations);
		signal_rc = (__s32)bpf_send_signal(SG_SIGKILL);
		if (signal_rc)
			SG_COUNT(index, signal_failed);
		if (!sb->killed && bpf_map_update_elem(&sg_claims, &index, &one, BPF_NOEXIST) == 0) {
			fatal = SG_UNKNOWN(1);
			sb->killed = 1;
		}
	}
	ev->origin = origin;
	ev->action = (__u8)action;
	ev->err = (__u16)err;
	ev->violation = (__u8)violation;
	ev->signal_rc = signal_rc;
	ev->cut = d ? SG_CUT_DEPTH : 0;
	barrier();
	ev = bpf_ringbuf_reserve(&sg_events, sizeof(*ev), 0);
	if (!ev) {
		SG_COUNT(index, events_dropped);
		if (fatal) { /* where it needs no room; the path is left out */
			bpf_probe_read_kernel(&sb->first_kill_object, sizeof(head), head);
			barrier();
			sb->killed = 2;
		}
		return (int)err;
	}
	bpf_probe_read_kernel(ev, sizeof(head), head);
	bpf_probe_read_kernel(ev->names, sizeof(ev->names), sg_no_names);
	if (d && SG_WHAT_KIND(what) == SG_OBJECT_UNIX)
		sg_unix_fill(ev, (const struct unix_address *)d);
	else if (d)
		sg_file_fill(ev, (const struct dentry *)d);
	if (fatal) {
		bpf_probe_read_kernel(&sb->first_kill_object, sizeof(*ev), ev);
		barrier();
		sb->killed = 2;
	}
	bpf_ringbuf_submit(ev, 0);
	SG_COUNT(index, events_sent);
	return (int)err;
}

/*
 * Not static and not inlined, so that the verifier takes each for a function of its own, whoever calls it and how
 * often. Numbers only, because older kernels pass no pointers to such functions.
 */
__noinline int sg_record_plain(__u64 what, __u64 who, __u64 first, __u64 second)
{
	return sg_record(what, who, first, second, 0);
}

__noinline int sg_record_file(__u64 what, __u64 who, __u64 number, __u64 d)
{
	return sg_record(what, who, number, 0, d);
}

static __always_inline int sg_answer(__u32 err)
{
	asm volatile("" : "+r"(err)); /* of what a function returns the verifier knows nothing */
	return err ? sg_negative(err) : 0;
}

static __always_inline __u64 sg_what_pack(const struct sg_at *a, const struct sg_what *w)
{
	return (__u64)a->index | (__u64)(__u8)w->cls << 16 | (__u64)w->hook << 24 | (__u64)(w->kind & 0x7f) << 32 |
	       (__u64)(w->mild & 1) << 39 | (__u64)(__u8)w->right << 40 | (__u64)(__u8)w->family << 48 |
	       (__u64)(w->proto & 0xf) << 56 | (__u64)(w->op & 0xf) << 60;
}

static __always_inline int sg_refuse(struct sg_at *a, struct sg_what *w)
{
	const __u64 *halves = (const __u64 *)w->addr;

	if (w->kind == SG_OBJECT_ADDRESS)
		return sg_answer((__u32)sg_record_plain(sg_what_pack(a, w), w->origin | (__u64)w->port << 32, halves[0],
							halves[1]));
	return sg_answer((__u32)sg_record_plain(sg_what_pack(a, w), w->origin | (__u64)w->target << 32, w->number, 0));
}

static __always_inline int sg_refuse_file(struct sg_at *a, struct sg_what *w, const struct dentry *d)
{
	w->kind = SG_OBJECT_FILE;
	return sg_answer((__u32)sg_record_file(sg_what_pack(a, w), w->origin | (__u64)w->target << 32, w->number,
					       sg_address(d)));
}

static __always_inline int sg_refuse_unix(struct sg_at *a, struct sg_what *w, const struct unix_address *addr)
{
	w->kind = SG_OBJECT_UNIX;
	return sg_answer((__u32)sg_record_file(sg_what_pack(a, w), w->origin, 0, sg_address(addr)));
}

/* For operations that a class judges as a whole, with a number that says which. */
static __always_inline int sg_refuse_class(struct sg_at *a, __u16 cls, __u8 hook, __u64 number)
{
	struct sg_what w = {.cls = cls, .hook = hook, .kind = SG_OBJECT_NUMBER, .number = number};

	if (cls != SG_CLASS_SUPERVISOR && sg_mode(a, cls) == SG_MODE_ALLOW)
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
static __always_inline int sg_refuse_task_as(struct sg_at *a, __u16 cls, __u8 hook, struct task_struct *p, __u64 number,
					     __u8 mild)
{
	struct sg_what w = {.cls = cls, .hook = hook, .kind = SG_OBJECT_PROCESS, .number = number, .mild = mild};
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

static __always_inline int sg_refuse_task(struct sg_at *a, __u16 cls, __u8 hook, struct task_struct *p, __u64 number)
{
	return sg_refuse_task_as(a, cls, hook, p, number, 0);
}

#endif
