/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wants to watch its parent process:
 *   sgrun --lang gcc -- gcc -o hostile examples/hostile.c && sgrun --lang c -- ./hostile
 */
#include <stdio.h>
#include <sys/ptrace.h>
#include <unistd.h>

int main(void)
{
	printf("attaching to %d\n", (int)getppid());
	fflush(stdout);
	if (ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) < 0)
		perror("ptrace");
	else
		puts("attached");
	return 0;
}
