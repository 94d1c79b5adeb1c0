/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_UTIL_H
#define SG_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Cleanup attributes, so that a function can be checked for leaks without reading its callees. */
static inline void sg_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
static inline void sg_freep(void *p)
{
	free(*(void **)p);
}
#define SG_CLOSE __attribute__((cleanup(sg_closep)))
#define SG_FREE __attribute__((cleanup(sg_freep)))
/* Descriptors in a message of a unix socket at most, unix(7): those that a receiver has no room for are closed by the
 * kernel in its name, at once. */
#define SG_SCM_FDS_MAX 253

#define SG_TAKE_FD(fd)                                                                                                 \
	({                                                                                                             \
		int taken_ = (fd);                                                                                     \
		(fd) = -1;                                                                                             \
		taken_;                                                                                                \
	})

#define SG_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * How much of it a terminal that polls writable takes without blocking, which is less than a pipe does: where it makes
 * other characters of control characters, it wants room for each of them anew.
 */
static inline size_t sg_terminal_takes(const char *data, size_t len)
{
	size_t n = 0;

	while (n < len && n < 128 && (unsigned char)data[n] >= ' ')
		n++;
	return n || !len ? n : 1;
}

/*
 * Reads a small file (from /proc, /sys) below dirfd whole into buf, terminated; a longer file is cut.
 * Returns the length, or negative errno.
 */
ssize_t sg_read_file(int dirfd, const char *path, char *buf, size_t size);
/* The same by one read(2), which is all of what the kernel writes in one piece: /proc/PID/status, cgroup.events and the
 * like, up to a page. */
ssize_t sg_read_piece(int dirfd, const char *path, char *buf, size_t size);
/*
 * Takes one packet from a SOCK_SEQPACKET socket of this machine, as recvmsg(2), again where a signal came. Its length;
 * 0: the other end has closed and all that it sent was taken; negative errno (never -ECONNRESET).
 */
ssize_t sg_receive_packet(int fd, struct msghdr *msg, int flags);

/* Writes text in one write(2) to an existing file. Returns 0 or negative errno. */
int sg_write_file(int dirfd, const char *path, const char *text);

/* Nanoseconds of a clock. */
uint64_t sg_clock_ns(int clock);

/* Whether an absolute path is the directory's own or one below it, by its name alone. */
bool sg_path_within(const char *path, const char *dir);

/*
 * Opens a path (O_PATH) as a process with that root directory would. Returns a descriptor, or -1 with errno; -EAGAIN,
 * as which the kernel gives up when somebody renames or mounts anywhere meanwhile, only after some attempts.
 */
int sg_open_in_root(int root, const char *path, int flags);

/* Undoes in place how mount tables write blank, tab, newline and backslash: \ooo (proc_pid_mountinfo(5)). */
void sg_unescape_mount(char *s);

/* strtoull that takes the whole string, refuses signs and blanks. Returns 0 or -EINVAL / -ERANGE. */
int sg_parse_u64(const char *text, uint64_t max, uint64_t *out);

#endif
