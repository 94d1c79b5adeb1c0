/* SPDX-License-Identifier: Apache-2.0 */
/* Effects that end with the process: seen by one that shares descriptors, memory and working directory with it. */
#include "effects.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define AT ((void *)0x300000000UL)
static int watched_fd;

static int fd_exists(void)
{
	return syscall(SYS_fcntl, watched_fd, F_GETFD) >= 0;
}

static int fd_gone(void)
{
	return syscall(SYS_fcntl, watched_fd, F_GETFD) < 0;
}

static int cwd_moved(void)
{
	char now[512];
	long n = syscall(SYS_getcwd, now, sizeof(now));

	return n > 3 && !strcmp(now + n - 3, "/d");
}

static int page_exists(void)
{
	unsigned char vec;

	return syscall(SYS_mincore, AT, 4096UL, &vec) == 0;
}

static int page_gone(void)
{
	return !page_exists();
}

/* The next descriptor to be given out. */
static void watch_next_fd(void)
{
	watched_fd = (int)syscall(SYS_fcntl, 0, F_DUPFD, 3);
	if (watched_fd < 0 || syscall(SYS_close, watched_fd))
		give_up("fcntl");
	watch(fd_exists);
}

#define NEW_FD(id, ...)                                                                                                \
	static long do_##id(void)                                                                                      \
	{                                                                                                              \
		watch_next_fd();                                                                                       \
		go();                                                                                                  \
		return syscall(SYS_##id, __VA_ARGS__);                                                                 \
	}
static int pair[2];
NEW_FD(socket, AF_UNIX, SOCK_STREAM, 0)
NEW_FD(socketpair, AF_UNIX, SOCK_STREAM, 0, pair)
NEW_FD(memfd_create, "effects", 0U)
NEW_FD(dup, 0)
NEW_FD(dup2, 0, watched_fd)
NEW_FD(dup3, 0, watched_fd, O_CLOEXEC)
NEW_FD(pipe2, pair, 0)
NEW_FD(eventfd2, 0U, 0)
NEW_FD(epoll_create1, 0)
NEW_FD(timerfd_create, CLOCK_MONOTONIC, 0)
NEW_FD(inotify_init1, 0)
NEW_FD(pidfd_open, params.victim, 0)

static long open_secret(void)
{
	watch_next_fd();
	go();
	return syscall(SYS_openat, AT_FDCWD, "src", O_RDONLY);
}

static long do_close(void)
{
	watched_fd = (int)syscall(SYS_fcntl, 0, F_DUPFD, 3);
	if (watched_fd < 0)
		give_up("fcntl");
	watch(fd_gone);
	go();
	return syscall(SYS_close, watched_fd);
}

static long do_chdir(void)
{
	watch(cwd_moved);
	go();
	return syscall(SYS_chdir, "d");
}

static long do_fchdir(void)
{
	int fd = (int)syscall(SYS_open, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		give_up("open");
	watch(cwd_moved);
	go();
	return syscall(SYS_fchdir, fd);
}

static long do_mmap(void)
{
	watch(page_exists);
	go();
	return syscall(SYS_mmap, AT, 4096UL, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0UL);
}

static long do_munmap(void)
{
	if (syscall(SYS_mmap, AT, 4096UL, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0UL) < 0)
		give_up("mmap");
	watch(page_gone);
	go();
	return syscall(SYS_munmap, AT, 4096UL);
}

#define ROW(id)                                                                                                        \
	{                                                                                                              \
#id, #id, do_##id                                                                                      \
	}
const struct effect sg_effects_self[] = {
	ROW(socket),
	ROW(socketpair),
	ROW(memfd_create),
	ROW(dup),
	ROW(dup2),
	ROW(dup3),
	ROW(pipe2),
	ROW(eventfd2),
	ROW(epoll_create1),
	ROW(timerfd_create),
	ROW(inotify_init1),
	ROW(pidfd_open),
	{"openat-read", "openat", open_secret},
	ROW(close),
	ROW(chdir),
	ROW(fchdir),
	ROW(mmap),
	ROW(munmap),
	{NULL, NULL, NULL},
};
