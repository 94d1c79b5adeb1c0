/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_ARCH_H
#define SG_ARCH_H

#include <errno.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/* The one place that knows the processor. */

/*
 * A system call that touches nothing of libc. Code that shares its memory with the supervisor while that runs (the
 * guard, a child that the daemon does not wait for) must not use errno, which would be the supervisor's.
 */
static inline long sg_raw_syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
#error "sg_raw_syscall is not written for this processor yet"
#endif
}

static inline long sg_raw_syscall(long nr, long a, long b, long c, long d, long e)
{
	return sg_raw_syscall6(nr, a, b, c, d, e, 0);
}

/* What follows the call in both: the child, which sees 0, calls the function with its argument and does not return. */
#if defined(__x86_64__)
#define SG_CHILD_GOES_ON                                                                                               \
	"test %%rax, %%rax\n\t"                                                                                        \
	"jnz 1f\n\t"                                                                                                   \
	"xor %%ebp, %%ebp\n\t"                                                                                         \
	"mov %%r8, %%rdi\n\t"                                                                                          \
	"call *%%r9\n\t"                                                                                               \
	"ud2\n"                                                                                                        \
	"1:"
#elif defined(__aarch64__)
#define SG_CHILD_GOES_ON                                                                                               \
	"cbnz x0, 1f\n\t"                                                                                              \
	"mov x29, xzr\n\t"                                                                                             \
	"mov x0, x5\n\t"                                                                                               \
	"blr x6\n\t"                                                                                                   \
	"brk 1\n"                                                                                                      \
	"1:"
#endif

/* clone3(2), the child calling fn(arg) on its own stack. Returns the pid or -errno. */
static inline long sg_clone3_call(struct clone_args *args, size_t size, void (*fn)(void *), void *arg)
{
#if defined(__x86_64__)
	long ret;
	register void (*r9)(void *) __asm__("r9") = fn;
	register void *r8 __asm__("r8") = arg;

	__asm__ volatile("syscall\n\t" SG_CHILD_GOES_ON
			 : "=a"(ret)
			 : "a"((long)SYS_clone3), "D"(args), "S"(size), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = (long)size;
	register void (*x6)(void *) __asm__("x6") = fn;
	register void *x5 __asm__("x5") = arg;

	__asm__ volatile("svc 0\n\t" SG_CHILD_GOES_ON : "+r"(x0) : "r"(x8), "r"(x1), "r"(x5), "r"(x6) : "memory");
	return x0;
#endif
}

/* The same by clone(2). stack_top: where the stack begins; pidfd: written with CLONE_PIDFD. */
static inline long sg_clone2_call(unsigned long flags, unsigned long stack_top, void *pidfd, void (*fn)(void *),
				  void *arg)
{
#if defined(__x86_64__)
	long ret;
	register void (*r9)(void *) __asm__("r9") = fn;
	register void *r8 __asm__("r8") = arg; /* the TLS, which CLONE_SETTLS is not there to look at */
	register long r10 __asm__("r10") = 0;

	__asm__ volatile("syscall\n\t" SG_CHILD_GOES_ON
			 : "=a"(ret)
			 : "a"((long)SYS_clone), "D"(flags), "S"(stack_top), "d"(pidfd), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_clone;
	register long x0 __asm__("x0") = (long)flags;
	register long x1 __asm__("x1") = (long)stack_top;
	register void *x2 __asm__("x2") = pidfd;
	register void (*x6)(void *) __asm__("x6") = fn;
	register void *x5 __asm__("x5") = arg;

	__asm__ volatile("svc 0\n\t" SG_CHILD_GOES_ON
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x5), "r"(x6)
			 : "memory");
	return x0;
#endif
}

/*
 * Starts a child on a stack of its own, where it calls fn(arg) and must not return. For CLONE_VM: a child that came
 * back from a libc function would find the parent's frames on its stack. By clone3(2), or, where that is answered with
 * ENOSYS, as containers do because a filter cannot see its flags, by clone(2), which does all but
 * CLONE_INTO_CGROUP. Returns the pid or -errno.
 */
static inline long sg_clone_call(struct clone_args *args, size_t size, void (*fn)(void *), void *arg)
{
	long pid = sg_clone3_call(args, size, fn, arg);

	if (pid == -ENOSYS && !(args->flags & CLONE_INTO_CGROUP))
		pid = sg_clone2_call((unsigned long)(args->flags | args->exit_signal),
				     (unsigned long)(args->stack + args->stack_size), (void *)(uintptr_t)args->pidfd,
				     fn, arg);
	return pid;
}

#endif
