// SPDX-License-Identifier: Apache-2.0
/* Memory, in all the ways in which a program can come by it. */
#include "bombs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MB (1UL << 20)

static unsigned long taken;

/* As memset, where nobody looks at the result: the compiler may not leave it out. */
static void fill(char *p, unsigned long n)
{
	if (p)
		memset(p, 1, n);
	__asm__ volatile("" : : "r"(p) : "memory");
}

static void take(unsigned long n)
{
	taken += n;
	if (taken > MOST_BYTES)
		_exit(9);
}

static void touch_bomb(char **argv)
{
	for (;;) {
		char *p = malloc(MB);

		take(MB);
		if (!p)
			_exit(3);
		fill(p, MB);
	}
}

static void map_bomb(char **argv)
{
	for (;;) {
		take(4 * MB);
		if (mmap(NULL, 4 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) ==
		    MAP_FAILED)
			_exit(3);
	}
}

/* A page of the kernel's for every two megabytes that are looked at, and not one of its own. */
static void tables_bomb(char **argv)
{
	for (;;) {
		volatile char *p = mmap(NULL, 1024 * MB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		take(2 * MB);
		if (p == MAP_FAILED || madvise((void *)p, 1024 * MB, MADV_NOHUGEPAGE))
			_exit(3);
		for (unsigned long at = 0; at < 1024 * MB; at += 2 * MB)
			(void)p[at];
	}
}

static void shared_bomb(char **argv)
{
	for (;;) {
		char *p = mmap(NULL, 4 * MB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		take(4 * MB);
		if (p == MAP_FAILED)
			_exit(3);
		fill(p, 4 * MB);
	}
}

/* huge N: asks for N megabytes at once and uses them */
static void huge(char **argv)
{
	unsigned long n = (unsigned long)number(argv, 0, 100) * MB;
	char *p = malloc(n);

	take(n);
	if (!p)
		_exit(3);
	fill(p, n);
	say("%lu\n", n / MB);
}

/* reserve N: asks for N megabytes and uses none of them */
static void reserve(char **argv)
{
	unsigned long n = (unsigned long)number(argv, 0, 100) * MB;

	if (mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		_exit(3);
	say("reserved\n");
}

/* children N M: N children with M megabytes each */
static void children(char **argv)
{
	long n = number(argv, 0, 4);
	size_t size = (size_t)number(argv, 1, 40) * MB;

	for (long i = 0; i < n; i++) {
		if (fork() == 0) {
			char *p = malloc(size);

			live();
			fill(p, size);
			pause();
		}
	}
	sleep_on();
}

/* copies N M: M megabytes that N children look at, and nobody changes */
static void copies(char **argv)
{
	long n = number(argv, 0, 4);
	size_t size = (size_t)number(argv, 1, 40) * MB;
	struct timespec ts = {.tv_nsec = 200000000};
	char *p = malloc(size);

	fill(p, size);
	for (long i = 0; i < n; i++) {
		if (fork() == 0) {
			unsigned long sum = 0;

			live();
			for (size_t at = 0; at < size; at += 4096)
				sum += (unsigned char)p[at];
			nanosleep(&ts, NULL);
			_exit(sum == 0);
		}
	}
	while (wait(NULL) > 0)
		;
	say("shared\n");
}

static int deeper(long n)
{
	volatile char frame[4096];

	frame[0] = (char)n;
	frame[4095] = frame[0];
	/* Not a tail call: the frame is used after it. */
	return n <= 0 ? frame[4095] : deeper(n - 1) + frame[0];
}

/* stack N: N kilobytes deep; without N without end */
static void stack(char **argv)
{
	long kb = number(argv, 0, 1L << 40);

	say("deep %d\n", deeper(kb / 4) != 12345);
}

static void memfd_bomb(char **argv)
{
	static char block[MB];

	fill(block, sizeof(block));
	for (;;) {
		int fd = memfd_create("bomb", 0);

		if (fd < 0)
			break;
		for (int i = 0; i < 16; i++) {
			take(MB);
			if (write(fd, block, MB) != (ssize_t)MB)
				break;
		}
	}
	say("full %d\n", errno);
	sleep_on();
}

/* A hog that gives back and takes again: what it has now is little, what it had was much. */
static void tide(char **argv)
{
	size_t size = (size_t)number(argv, 0, 40) * MB;

	for (int i = 0; i < 5; i++) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		fill(p, size);
		munmap(p, size);
	}
	say("ebb\n");
}

static void *fill_in_thread(void *arg)
{
	size_t size = (size_t)arg * MB;
	struct timespec ts = {.tv_nsec = 50000000};

	/* not before the first thread has ended */
	nanosleep(&ts, NULL);
	fill(malloc(size), size);
	say("filled\n");
	sleep_on();
}

/* leader-memory N: a thread uses N megabytes when the first one is gone */
static void leader_memory(char **argv)
{
	pthread_t t;

	take((size_t)number(argv, 0, 200) * MB);
	if (pthread_create(&t, NULL, fill_in_thread, (void *)number(argv, 0, 200)))
		_exit(3);
	syscall(SYS_exit, 0);
}

/* deep-memory D N: the last of a chain of D children uses N megabytes */
static void deep_memory(char **argv)
{
	size_t size = (size_t)number(argv, 1, 200) * MB;

	take(size);
	for (long i = number(argv, 0, 80); i > 0; i--) {
		pid_t pid = fork();

		if (pid < 0)
			_exit(3);
		if (pid > 0)
			sleep_on();
		live();
	}
	fill(malloc(size), size);
	say("filled\n");
	sleep_on();
}

/* lend N: N megabytes, lent to a child of vfork that takes its time */
static void lend(char **argv)
{
	unsigned long size = (unsigned long)number(argv, 0, 40) * MB;
	struct timespec ts = {.tv_nsec = 300000000};
	char *p = malloc(size);

	fill(p, size);
	for (int i = 0; i < 3; i++) {
		pid_t pid = vfork();

		if (pid == 0) {
			nanosleep(&ts, NULL);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	say("lent\n");
}

const struct bomb memory_bombs[] = {
	{"touch", touch_bomb},        {"map", map_bomb},  {"tables", tables_bomb},
	{"shared", shared_bomb},      {"huge", huge},     {"reserve", reserve},
	{"children", children},       {"copies", copies}, {"stack", stack},
	{"memfd", memfd_bomb},        {"tide", tide},     {"leader-memory", leader_memory},
	{"deep-memory", deep_memory}, {"lend", lend},     {NULL, NULL},
};
