/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define AGAIN 16 /* attempts while somebody renames around on the way */

static ssize_t read_text(int dirfd, const char *path, char *buf, size_t size, bool whole)
{
	SG_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		do
			n = read(fd, buf + len, size - 1 - len);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	} while (whole && n > 0 && len + 1 < size);
	buf[len] = '\0';
	return (ssize_t)len;
}

ssize_t sg_read_file(int dirfd, const char *path, char *buf, size_t size)
{
	return read_text(dirfd, path, buf, size, true);
}

ssize_t sg_read_piece(int dirfd, const char *path, char *buf, size_t size)
{
	return read_text(dirfd, path, buf, size, false);
}

/*
 * The kernel may say that the other end has closed while packets of it are still there. Who closes without having read
 * all that we sent, a signal that came at the end for one, resets the connection, and that is said once, before what
 * was sent. And who looks, finds nothing, and is held up until the last packet has come and the end with it, is told
 * of the end alone. Nothing comes after the end, so a second look is enough.
 */
ssize_t sg_receive_packet(int fd, struct msghdr *msg, int flags)
{
	const size_t control = msg->msg_controllen;
	ssize_t n = 0;

	for (int ends = 0; ends < 3; ends++) {
		do {
			msg->msg_controllen = control;
			n = recvmsg(fd, msg, flags);
		} while (n < 0 && errno == EINTR);
		if (n > 0 || (n < 0 && errno != ECONNRESET))
			break;
	}
	return n >= 0 ? n : errno == ECONNRESET ? 0 : -errno;
}

int sg_write_file(int dirfd, const char *path, const char *text)
{
	SG_CLOSE int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

uint64_t sg_clock_ns(int clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

bool sg_path_within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n && dir[n - 1] == '/')
		n--;
	return !strncmp(path, dir, n) && (path[n] == '\0' || path[n] == '/');
}

int sg_open_in_root(int root, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(O_PATH | O_CLOEXEC | flags), .resolve = RESOLVE_IN_ROOT};
	int fd = -1;

	for (int i = 0; i < AGAIN; i++) {
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

void sg_unescape_mount(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
		    s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

int sg_parse_u64(const char *text, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long v;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno == ERANGE || v > max)
		return -ERANGE;
	if (*end)
		return -EINVAL;
	*out = v;
	return 0;
}
