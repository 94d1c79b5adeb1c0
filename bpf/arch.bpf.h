/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_ARCH_BPF_H
#define SG_ARCH_BPF_H

/*
 * All that depends on the processor: the saved user registers, how the entry ABI is told, where arguments are, and how
 * a call looks that seccomp has stopped. Another architecture adds its branch here and nowhere else.
 *
 * x86_64: the layout of struct pt_regs is user-space ABI (ptrace), so it needs no relocation.
 */
#if defined(__TARGET_ARCH_x86)

struct sg_regs {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

#define SG_TS_COMPAT 0x0002
#define SG_X32_BIT 0x40000000U
#define SG_AUDIT_ARCH_NATIVE 0xc000003eU
#define SG_AUDIT_ARCH_COMPAT 0x40000003U
#define SG_THREAD_SIZE 16384 /* without KASAN; only used before 5.15, where bpf_task_pt_regs() is missing */

/* status: thread_info.status of the running task. */
static __always_inline __u8 sg_arch_abi(__u32 status, __u64 nr)
{
	if (status & SG_TS_COMPAT)
		return SG_ABI_COMPAT;
	/* -1 is what a tracer leaves behind for "skip this call": an unlisted number, not an x32 one */
	if ((__u32)nr >= SG_X32_BIT && (__u32)nr != 0xffffffffU)
		return SG_ABI_X32;
	return SG_ABI_NATIVE;
}

static __always_inline int sg_arch_is_ptrace(__u8 abi, __u64 nr)
{
	return (__u32)nr == (abi == SG_ABI_COMPAT ? 26 : abi == SG_ABI_X32 ? (SG_X32_BIT | 521) : 101);
}

/*
 * stat, readlink and access in all their forms, and reading a directory; of the other entries, which no policy allows,
 * none.
 */
static __always_inline int sg_arch_looks(__u8 abi, __u64 nr)
{
	if (abi != SG_ABI_NATIVE)
		return 0;
	switch ((__u32)nr) {
	case 4:   /* stat */
	case 6:   /* lstat */
	case 21:  /* access */
	case 78:  /* getdents */
	case 89:  /* readlink */
	case 217: /* getdents64 */
	case 262: /* newfstatat */
	case 267: /* readlinkat */
	case 269: /* faccessat */
	case 332: /* statx */
	case 439: /* faccessat2 */
		return 1;
	default:
		return 0;
	}
}

/* sendmmsg(2), or socketcall(2) for it, whose count of messages is in the program's memory. */
static __always_inline int sg_arch_sends_several(__u8 abi, __u32 nr, __u32 bx, __u32 dx)
{
	if (abi == SG_ABI_COMPAT)
		return (nr == 345 && dx > 1) || (nr == 102 && bx == 20);
	return nr == (abi == SG_ABI_X32 ? (SG_X32_BIT | 538) : 307) && dx > 1;
}

static __always_inline __u8 sg_arch_abi_of(__u32 audit_arch, __u64 nr)
{
	return sg_arch_abi(audit_arch == SG_AUDIT_ARCH_COMPAT ? SG_TS_COMPAT : 0, nr);
}

static __always_inline void sg_arch_args(const struct sg_regs *r, __u8 abi, __u64 *args)
{
	if (abi == SG_ABI_COMPAT) {
		args[0] = (__u32)r->bx;
		args[1] = (__u32)r->cx;
		args[2] = (__u32)r->dx;
		args[3] = (__u32)r->si;
		args[4] = (__u32)r->di;
		args[5] = (__u32)r->bp;
	} else {
		args[0] = r->di;
		args[1] = r->si;
		args[2] = r->dx;
		args[3] = r->r10;
		args[4] = r->r8;
		args[5] = r->r9;
	}
}

/* The registers are those of a task that came from user mode. Guards against a wrong idea of the stack's layout. */
static __always_inline int sg_arch_regs_sane(const struct sg_regs *r)
{
	return (r->cs & 3) == 3;
}

/*
 * While a system call's body runs, ax is -ENOSYS (entry code puts it there). seccomp, before it kills, rolls the
 * registers back to what they were in user mode: ax is the number again. No body, and so no rt_sigqueueinfo() of a
 * made-up siginfo, can run in that state.
 */
static __always_inline int sg_arch_rolled_back(const struct sg_regs *r)
{
	return r->ax == r->orig_ax;
}

/* The call has not answered yet: either its body was never run, or it never came back. */
static __always_inline int sg_arch_no_answer(const struct sg_regs *r)
{
	return (__s64)r->ax == -SG_ENOSYS;
}

static __always_inline __s64 sg_arch_ret(const struct sg_regs *r)
{
	return (__s64)r->ax;
}

static __always_inline __s64 sg_arch_nr(const struct sg_regs *r)
{
	return (__s64)r->orig_ax;
}

#else
#error "no support for this architecture yet: add its branch"
#endif

#endif
