// SPDX-License-Identifier: Apache-2.0
#include "bombs.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int *started;

void live(void)
{
	alarm(LIFE);
}

void say(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (write(1, line, (size_t)n) != n)
		_exit(9);
}

long number(char **argv, int i, long otherwise)
{
	for (int j = 0; j <= i; j++)
		if (!argv[j])
			return otherwise;
	return strtol(argv[i], NULL, 0);
}

void spin(void)
{
	for (volatile unsigned long i = 0;; i++)
		;
}

void spin_ms(long ms)
{
	struct timespec a, b;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}

void sleep_on(void)
{
	for (;;)
		pause();
}

void one_more_task(void)
{
	if (__atomic_add_fetch(started, 1, __ATOMIC_RELAXED) > MOST_TASKS)
		_exit(9);
}

static void run(const struct bomb *list, char **argv)
{
	for (; list->name; list++) {
		if (strcmp(list->name, argv[1]) != 0)
			continue;
		list->run(argv + 2);
		exit(0);
	}
}

int main(int argc, char **argv)
{
	started = mmap(NULL, sizeof(*started), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc < 2 || started == MAP_FAILED)
		return 2;
	live();
	run(task_bombs, argv);
	run(memory_bombs, argv);
	run(output_bombs, argv);
	fprintf(stderr, "no bomb %s\n", argv[1]);
	return 2;
}
