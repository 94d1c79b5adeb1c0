/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map-given: maps the descriptor fd=N as code before it has opened anything. Static, so that no loader opens something
 * first. Says what objects.c would.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
	int fd = -1;
	void *code;

	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], "fd=", 3))
			fd = atoi(argv[i] + 3);
	printf("TRY\n");
	fflush(stdout);
	code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (code == MAP_FAILED) {
		printf("RESULT %s\n", strerrorname_np(errno));
		return 20;
	}
	printf("CODE %x\nRESULT 0\n", ((unsigned (*)(void))code)());
	return 0;
}
