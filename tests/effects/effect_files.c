/* SPDX-License-Identifier: Apache-2.0 */
/* The working directory holds: f ("0123456789", 4755, user.old), src ("copied"), d (empty), fifo (5 bytes wait). */
#include "effects.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <stdio.h>
#include <utime.h>

static int opened(const char *path, int flags)
{
	int fd = (int)syscall(SYS_open, path, flags | O_CLOEXEC, 0);

	if (fd < 0)
		give_up(path);
	return fd;
}

#define SIMPLE(id, ...)                                                                                                \
	static long do_##id(void)                                                                                      \
	{                                                                                                              \
		go();                                                                                                  \
		return syscall(SYS_##id, __VA_ARGS__);                                                                 \
	}
#define ON_FILE(id, ...)                                                                                               \
	static long do_##id(void)                                                                                      \
	{                                                                                                              \
		int fd = opened("f", O_RDWR);                                                                          \
                                                                                                                       \
		go();                                                                                                  \
		return syscall(SYS_##id, fd, __VA_ARGS__);                                                             \
	}

static const struct timespec old_times[2] = {{1000, 0}, {1000, 0}};
static const struct timeval old_timevals[2] = {{1000, 0}, {1000, 0}};
static const struct utimbuf old_utimbuf = {1000, 1000};
static const struct {
	const void *base;
	unsigned long len;
} new_bytes = {"WRITTEN", 7};

SIMPLE(unlink, "f")
SIMPLE(unlinkat, AT_FDCWD, "f", 0)
SIMPLE(rmdir, "d")
SIMPLE(mkdir, "new", 0700)
SIMPLE(mkdirat, AT_FDCWD, "new", 0700)
SIMPLE(rename, "f", "new")
SIMPLE(renameat, AT_FDCWD, "f", AT_FDCWD, "new")
SIMPLE(renameat2, AT_FDCWD, "f", AT_FDCWD, "new", 0)
SIMPLE(link, "f", "new")
SIMPLE(linkat, AT_FDCWD, "f", AT_FDCWD, "new", 0)
SIMPLE(symlink, "f", "new")
SIMPLE(symlinkat, "f", AT_FDCWD, "new")
SIMPLE(mknod, "new", S_IFIFO | 0600, 0)
SIMPLE(mknodat, AT_FDCWD, "new", S_IFIFO | 0600, 0)
SIMPLE(chmod, "f", 0600)
SIMPLE(fchmodat, AT_FDCWD, "f", 0600)
SIMPLE(chown, "f", -1, -1)
SIMPLE(lchown, "f", -1, -1)
SIMPLE(fchownat, AT_FDCWD, "f", -1, -1, 0)
SIMPLE(setxattr, "f", "user.new", "x", 1UL, 0)
SIMPLE(lsetxattr, "f", "user.new", "x", 1UL, 0)
SIMPLE(removexattr, "f", "user.old")
SIMPLE(utime, "f", &old_utimbuf)
SIMPLE(utimes, "f", old_timevals)
SIMPLE(futimesat, AT_FDCWD, "f", old_timevals)
SIMPLE(utimensat, AT_FDCWD, "f", old_times, 0)
SIMPLE(truncate, "f", 3L)
SIMPLE(open, "new", O_WRONLY | O_CREAT, 0600)
SIMPLE(openat, AT_FDCWD, "new", O_WRONLY | O_CREAT, 0600)
SIMPLE(creat, "new", 0600)
ON_FILE(fchmod, 0600)
ON_FILE(fchown, -1, -1)
ON_FILE(fsetxattr, "user.new", "x", 1UL, 0)
ON_FILE(fremovexattr, "user.old")
ON_FILE(ftruncate, 3L)
ON_FILE(fallocate, 0, 0L, 100L)
ON_FILE(pwrite64, "WRITTEN", 7UL, 0L)
ON_FILE(pwritev, &new_bytes, 1UL, 0UL, 0UL)
ON_FILE(pwritev2, &new_bytes, 1UL, 0UL, 0UL, 0)
ON_FILE(write, "WRITTEN", 7UL)

static long open_trunc(void)
{
	go();
	return syscall(SYS_open, "f", O_WRONLY | O_TRUNC);
}

static long openat_trunc(void)
{
	go();
	return syscall(SYS_openat, AT_FDCWD, "f", O_WRONLY | O_TRUNC);
}

static long openat2_creat(void)
{
	const struct {
		unsigned long long flags, mode, resolve;
	} how = {O_WRONLY | O_CREAT, 0600, 0};

	go();
	return syscall(SYS_openat2, AT_FDCWD, "new", &how, sizeof(how));
}

static long write_proc(void)
{
	go();
	return syscall(SYS_write, params.fd, "777", 3UL);
}

static long write_pipe(void)
{
	int fd = opened("fifo", O_RDWR);

	go();
	return syscall(SYS_write, fd, "more", 4UL);
}

static long read_pipe(void)
{
	int fd = opened("fifo", O_RDWR);
	char buf[5];

	go();
	return syscall(SYS_read, fd, buf, sizeof(buf));
}

static long vmsplice_pipe(void)
{
	int fd = opened("fifo", O_RDWR);

	go();
	return syscall(SYS_vmsplice, fd, &new_bytes, 1UL, 0U);
}

static long sendfile_file(void)
{
	int dst = opened("f", O_RDWR), src = opened("src", O_RDONLY);

	go();
	return syscall(SYS_sendfile, dst, src, NULL, 6UL);
}

static long copy_range(void)
{
	int dst = opened("f", O_RDWR), src = opened("src", O_RDONLY);

	go();
	return syscall(SYS_copy_file_range, src, NULL, dst, NULL, 6UL, 0U);
}

static long splice_file(void)
{
	int dst = opened("f", O_RDWR), fd = opened("fifo", O_RDWR);

	go();
	return syscall(SYS_splice, fd, NULL, dst, NULL, 5UL, 0U);
}

/* Sets "do not dump", an inode flag that any owner may set. */
static long set_flags(void)
{
	int flags = FS_NODUMP_FL, fd = opened("f", O_RDWR);

	go();
	return syscall(SYS_ioctl, fd, (unsigned long)FS_IOC_SETFLAGS, &flags);
}

/* Standard input is a pipe whose reading end the driver holds, too. */
static long set_nonblock(void)
{
	go();
	return syscall(SYS_fcntl, 0, F_SETFL, O_NONBLOCK);
}

#define ROW(id)                                                                                                        \
	{                                                                                                              \
#id, #id, do_##id                                                                                      \
	}
const struct effect sg_effects_file[] = {
	ROW(unlink),
	ROW(unlinkat),
	ROW(rmdir),
	ROW(mkdir),
	ROW(mkdirat),
	ROW(rename),
	ROW(renameat),
	ROW(renameat2),
	ROW(link),
	ROW(linkat),
	ROW(symlink),
	ROW(symlinkat),
	ROW(mknod),
	ROW(mknodat),
	ROW(chmod),
	ROW(fchmod),
	ROW(fchmodat),
	ROW(chown),
	ROW(fchown),
	ROW(lchown),
	ROW(fchownat),
	ROW(setxattr),
	ROW(lsetxattr),
	ROW(fsetxattr),
	ROW(removexattr),
	ROW(fremovexattr),
	ROW(utime),
	ROW(utimes),
	ROW(futimesat),
	ROW(utimensat),
	ROW(truncate),
	ROW(ftruncate),
	ROW(fallocate),
	{"open-creat", "open", do_open},
	{"openat-creat", "openat", do_openat},
	{"openat2-creat", "openat2", openat2_creat},
	ROW(creat),
	{"open-trunc", "open", open_trunc},
	{"openat-trunc", "openat", openat_trunc},
	{"write-file", "write", do_write},
	ROW(pwrite64),
	ROW(pwritev),
	ROW(pwritev2),
	{"write-procfs", "write", write_proc},
	{"write-pipe", "write", write_pipe},
	{"read-pipe", "read", read_pipe},
	{"vmsplice-pipe", "vmsplice", vmsplice_pipe},
	{"sendfile", "sendfile", sendfile_file},
	{"copy_file_range", "copy_file_range", copy_range},
	{"splice-file", "splice", splice_file},
	{"ioctl-setflags", "ioctl", set_flags},
	{"fcntl-nonblock", "fcntl", set_nonblock},
	{NULL, NULL, NULL},
};
