// SPDX-License-Identifier: Apache-2.0
/* Output, files and descriptors. */
#include "bombs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char block[64 << 10];

static void put(int fd, long n)
{
	while (n > 0) {
		ssize_t w = write(fd, block, n < (long)sizeof(block) ? (size_t)n : sizeof(block));

		if (w < 0)
			_exit(errno == EPIPE ? 7 : 3);
		n -= w;
	}
}

/* output N [FD...]: N bytes to each */
static void output(char **argv)
{
	memset(block, 'x', sizeof(block));
	if (!argv[0] || !argv[1])
		put(1, number(argv, 0, (long)MOST_BYTES));
	for (int i = 1; argv[0] && argv[i]; i++)
		put((int)number(argv, i, 1), number(argv, 0, 0));
}

static void output_bomb(char **argv)
{
	memset(block, 'x', sizeof(block));
	put(1, (long)MOST_BYTES);
	_exit(9);
}

static void output_children(char **argv)
{
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			live();
			put(1 + i % 2, (long)MOST_BYTES / 4);
			_exit(9);
		}
	}
	while (wait(NULL) > 0)
		;
	_exit(9);
}

/* Byte by byte, to error and output in turn: "ababab" where the two are one. */
static void turns(char **argv)
{
	for (long i = number(argv, 0, 100); i > 0; i--)
		if (write(1, "a", 1) != 1 || write(2, "b", 1) != 1)
			_exit(3);
}

/* closes standard output, writes to error */
static void half_closed(char **argv)
{
	close(1);
	put(2, 10);
}

static int fresh_file(const char *dir)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/f.XXXXXX", dir);
	return mkstemp(path);
}

/* file DIR: one file that grows and grows */
static void file_bomb(char **argv)
{
	int fd = fresh_file(argv[0]);

	memset(block, 'x', sizeof(block));
	for (unsigned long n = 0; n < MOST_BYTES; n += sizeof(block))
		if (write(fd, block, sizeof(block)) < 0)
			_exit(3);
	_exit(9);
}

/* sparse DIR: a file that is long without having been written */
static void sparse(char **argv)
{
	int fd = fresh_file(argv[0]);

	if (lseek(fd, 1L << 40, SEEK_SET) < 0)
		_exit(3);
	_exit(write(fd, "x", 1) == 1 ? 9 : 3);
}

/* files DIR: many files, none of them over the limit */
static void files(char **argv)
{
	int n = 0;

	memset(block, 'x', sizeof(block));
	for (; n < 200; n++) {
		int fd = fresh_file(argv[0]);

		if (fd < 0)
			break;
		if (write(fd, block, 4096) != 4096)
			_exit(3);
	}
	say("%d %d\n", n, errno);
	sleep_on();
}

static void descriptors(char **argv)
{
	int n = 0;

	while (n < 100000 && dup(0) >= 0)
		n++;
	say("%d %d\n", n, n < 100000 ? errno : 0);
}

/* Pipes and sockets that are full: memory of the kernel's. */
static void pipes(char **argv)
{
	int n = 0, fds[2];

	memset(block, 'x', sizeof(block));
	while (n < 1000 && pipe2(fds, O_NONBLOCK) == 0) {
		n++;
		while (write(fds[1], block, 4096) > 0)
			;
	}
	while (n < 2000 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0) {
		n++;
		while (write(fds[1], block, 4096) > 0)
			;
	}
	say("%d %d\n", n, errno);
	sleep_on();
}

static void timers(char **argv)
{
	struct itimerspec often = {.it_value.tv_nsec = 100000, .it_interval.tv_nsec = 100000};
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	timer_t t;

	signal(SIGUSR1, SIG_IGN);
	for (int i = 0; i < 1000 && timer_create(CLOCK_MONOTONIC, &ev, &t) == 0; i++)
		timer_settime(t, 0, &often, NULL);
	sleep_on();
}

const struct bomb output_bombs[] = {
	{"output", output},
	{"output-bomb", output_bomb},
	{"output-children", output_children},
	{"turns", turns},
	{"half-closed", half_closed},
	{"file", file_bomb},
	{"sparse", sparse},
	{"files", files},
	{"descriptors", descriptors},
	{"pipes", pipes},
	{"timers", timers},
	{NULL, NULL},
};
