/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/notify.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

/* Linux 6.6; Debian 12's headers are older. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

void sg_notify_prepare(int listener)
{
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

int sg_notify_receive(int listener, struct seccomp_notif *out)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	/* RECV blocks when the caller died between poll and here: ask first, right before. */
	if (poll(&p, 1, 0) <= 0)
		return -EAGAIN;
	if (!(p.revents & POLLIN))
		return p.revents & (POLLHUP | POLLERR) ? -ENOTCONN : -EAGAIN;
	memset(out, 0, sizeof(*out)); /* the kernel refuses a buffer that is not zero */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, out) < 0)
		return errno == ENOENT || errno == EINTR ? -EAGAIN : -errno;
	return 0;
}

bool sg_notify_valid(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static int respond(int listener, uint64_t id, int err, uint32_t flags)
{
	struct seccomp_notif_resp resp = {.id = id, .error = -err, .flags = flags};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0 ? -errno : 0;
}

int sg_notify_continue(int listener, uint64_t id)
{
	return respond(listener, id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int sg_notify_fail(int listener, uint64_t id, int err)
{
	return respond(listener, id, err, 0);
}
