/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: exit=SIGFPE */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	volatile int zero = argc - 1, n = 100;

	(void)argv;
	write(1, "dividing\n", 9);
	return n / zero;
}
