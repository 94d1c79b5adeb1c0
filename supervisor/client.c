/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/client.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

int sg_client_connect(const char *path, int *fd, struct sg_err *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	SG_CLOSE int s = -1;

	path = path ? path : SG_PROTO_SOCKET;
	if (strlen(path) >= sizeof(at.sun_path))
		return sg_err_set(err, ENAMETOOLONG, "%s is too long for the name of a socket", path);
	memcpy(at.sun_path, path, strlen(path));
	s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s < 0)
		return sg_err_set(err, errno, "cannot create a socket: %s", strerror(errno));
	if (connect(s, (struct sockaddr *)&at, sizeof(at)) < 0)
		return sg_err_set(err, errno, "cannot connect to sgd at %s: %s%s", path, strerror(errno),
				  errno == EACCES         ? "; its group decides who may (sgd --group)"
				  : errno == ECONNREFUSED ? "; it does not run (any more)"
				  : errno == ENOENT       ? "; it does not run, or with another --socket"
							  : "");
	*fd = SG_TAKE_FD(s);
	return 0;
}

int sg_client_send(int fd, const struct iovec *iov, size_t n_iov, const int *fds, size_t n_fds)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * SG_PROTO_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov};
	struct cmsghdr *h;

	if (n_fds > SG_PROTO_FDS_MAX)
		return -E2BIG;
	if (n_fds) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(h), fds, sizeof(int) * n_fds);
	}
	while (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

ssize_t sg_client_receive(int fd, void *buf, size_t size, int flags)
{
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = sg_receive_packet(fd, &msg, flags);

	return n > 0 && msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

int sg_client_memory(const char *name, const struct iovec *iov, size_t n_iov)
{
	SG_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n_iov; i++) {
		for (size_t at = 0; at < iov[i].iov_len;) {
			ssize_t n = write(fd, (const char *)iov[i].iov_base + at, iov[i].iov_len - at);

			if (n < 0)
				return -errno;
			at += (size_t)n;
		}
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	return SG_TAKE_FD(fd);
}

static int receive_json(int fd, char *buf, json_t **out, struct sg_err *err)
{
	ssize_t n = sg_client_receive(fd, buf, SG_PROTO_PACKET_MAX, 0);

	if (n == 0)
		return sg_err_set(err, EPIPE, "sgd closed the connection");
	if (n < 0)
		return sg_err_set(err, (int)-n, "cannot receive from sgd: %s", strerror((int)-n));
	*out = json_loadb(buf, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(*out)) {
		json_decref(*out);
		return sg_err_set(err, EPROTO, "sgd's answer is no JSON object; is it of another version?");
	}
	return 0;
}

int sg_client_request(int fd, json_t *request, const int *fds, size_t n_fds, int (*fn)(void *ctx, json_t *part),
		      void *ctx, json_t **answer, struct sg_err *err)
{
	SG_FREE char *line = NULL, *buf = malloc(SG_PROTO_PACKET_MAX);
	struct iovec iov;
	int rc;

	*answer = NULL;
	json_object_set_new(request, "v", json_integer(SG_PROTO_VERSION));
	line = json_dumps(request, JSON_COMPACT);
	if (!line || !buf)
		return sg_err_set(err, ENOMEM, "out of memory");
	iov = (struct iovec){.iov_base = line, .iov_len = strlen(line)};
	if (iov.iov_len > SG_PROTO_PACKET_MAX)
		return sg_err_set(err, E2BIG, "the request is longer than %u bytes", SG_PROTO_PACKET_MAX);
	rc = sg_client_send(fd, &iov, 1, fds, n_fds);
	/* A refusal may be waiting although sending failed: sgd says why before it closes. */
	if (rc && rc != -EPIPE && rc != -ECONNRESET)
		return sg_err_set(err, -rc, "cannot send to sgd: %s", strerror(-rc));
	for (;;) {
		json_t *part = NULL;

		rc = receive_json(fd, buf, &part, err);
		if (rc)
			return rc;
		if (json_object_get(part, "ok")) {
			*answer = part;
			break;
		}
		rc = fn ? fn(ctx, part) : 0;
		json_decref(part);
		if (rc)
			return rc;
	}
	if (json_is_true(json_object_get(*answer, "ok")))
		return 0;
	rc = (int)json_integer_value(json_object_get(*answer, "errno"));
	(void)sg_err_set(err, rc > 0 ? rc : EPROTO, "%s",
			 json_is_string(json_object_get(*answer, "error"))
				 ? json_string_value(json_object_get(*answer, "error"))
				 : "sgd refused without a reason");
	json_decref(*answer);
	*answer = NULL;
	return -err->code;
}
