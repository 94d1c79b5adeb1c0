/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: cflags="-O2 -flto -g -Wall -Wextra -fsanitize=undefined" libs="-lpthread" */
#include <stdio.h>

int main(int argc, char **argv)
{
	int shift = 40 + argc;

	(void)argv;
	printf("%d\n", 1 << (shift % 31));
	return 0;
}
