/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_ARCH_H
#define SG_ARCH_H

/*
 * The one place that knows the processor: a system call that touches nothing of libc. Code that shares its memory with
 * the supervisor (the guard) must not use errno, which would be the supervisor's.
 */
static inline long sg_raw_syscall(long nr, long a, long b, long c, long d)
{
#if defined(__x86_64__)
	long ret;
	register long r10 __asm__("r10") = d;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
#else
#error "sg_raw_syscall is not written for this processor yet"
#endif
}

#endif
