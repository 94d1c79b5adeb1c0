/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: exit=SIGABRT */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void never(void)
{
	puts("atexit");
}

int main(int argc, char **argv)
{
	(void)argv;
	atexit(never);
	puts("before the assertion");
	fflush(stdout);
	assert(argc == 77);
	return 0;
}
