// SPDX-License-Identifier: Apache-2.0
/*
 * flood THREADS CALLS END [DIR]: each of THREADS threads makes CALLS calls of getppid. Then, by END:
 *   kill    when all are done, one thread makes the forbidden call: mkdir DIR
 *   amid    one thread makes it after half of its calls, while the others go on
 *   none    it ends with status 7
 * Ends with status 8 if the forbidden call comes back.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS_MAX 16

static int calls, amid;
static const char *dir = "";

static void forbidden(void)
{
	syscall(SYS_mkdir, dir, 0700);
	syscall(SYS_exit_group, 8);
}

static void *worker(void *arg)
{
	int i;

	for (i = 0; i < calls; i++) {
		if (amid && !arg && i == calls / 2)
			forbidden();
		syscall(SYS_getppid);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t[THREADS_MAX];
	long n, i;

	if (argc < 4)
		return 2;
	n = strtol(argv[1], NULL, 10);
	calls = (int)strtol(argv[2], NULL, 10);
	amid = !strcmp(argv[3], "amid");
	if (argc > 4)
		dir = argv[4];
	if (n < 1 || n > THREADS_MAX)
		return 2;
	for (i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, worker, (void *)i))
			return 3;
	for (i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	if (!strcmp(argv[3], "kill"))
		forbidden();
	return 7;
}
