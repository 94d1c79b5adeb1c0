/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

static jmp_buf top;
static sigjmp_buf after_fault;
static ucontext_t main_ctx, co_ctx;
static char co_stack[64 * 1024], alt[64 * 1024];

static void down(int n)
{
	if (n == 0)
		longjmp(top, 42);
	down(n - 1);
}

static void on_fault(int sig)
{
	siglongjmp(after_fault, sig);
}

static void coroutine(void)
{
	for (int i = 0; i < 3; i++) {
		printf("co %d\n", i);
		swapcontext(&co_ctx, &main_ctx);
	}
}

static long deep(long n)
{
	volatile char frame[1024];

	frame[0] = (char)n;
	return deep(n + 1) + frame[0];
}

int main(void)
{
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof(alt)};
	struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
	volatile int r;

	r = setjmp(top);
	if (r == 0)
		down(100);
	printf("longjmp %d\n", r);
	sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGFPE, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
	r = sigsetjmp(after_fault, 1);
	if (r == 0)
		*(volatile int *)8 = 1;
	printf("caught %d\n", r);
	r = sigsetjmp(after_fault, 1);
	if (r == 0)
		printf("%ld\n", deep(0));
	printf("overflow caught %d\n", r);
	r = sigsetjmp(after_fault, 1);
	if (r == 0)
		__builtin_trap();
	printf("caught %d\n", r);
	getcontext(&co_ctx);
	co_ctx.uc_stack.ss_sp = co_stack;
	co_ctx.uc_stack.ss_size = sizeof(co_stack);
	co_ctx.uc_link = &main_ctx;
	makecontext(&co_ctx, coroutine, 0);
	for (int i = 0; i < 3; i++)
		swapcontext(&main_ctx, &co_ctx);
	return 0;
}
