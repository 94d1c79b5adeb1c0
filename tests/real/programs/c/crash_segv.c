/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: exit=SIGSEGV */
#include <stdio.h>

int main(void)
{
	puts("before the crash");
	fflush(stdout);
	*(volatile int *)0 = 1;
	puts("not reached");
	return 0;
}
