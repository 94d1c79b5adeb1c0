/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_CLIENT_H
#define SG_CLIENT_H

#include "supervisor/proto.h"

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * The client's side of the control socket. Sending blocks until the daemon has room, which it keeps; receiving blocks
 * until it answers, but for flags.
 */

/* Connects. path NULL: the usual one. *fd: owned by the caller. Errors: -ENOENT no socket there, -ECONNREFUSED nobody
 * listens, -EACCES not for this user; the message says which and what to do. */
int sg_client_connect(const char *path, int *fd, struct sg_err *err);

/* Sends one packet, with n_fds descriptors (which stay the caller's). 0 or negative errno. */
int sg_client_send(int fd, const struct iovec *iov, size_t n_iov, const int *fds, size_t n_fds);

/* Receives one packet into buf. flags: MSG_DONTWAIT or 0. Returns its length; 0: the daemon closed the connection;
 * -EAGAIN, -EMSGSIZE (longer than size), negative errno. */
ssize_t sg_client_receive(int fd, void *buf, size_t size, int flags);

/* A sealed memory file with these bytes, which the daemon can read without ever waiting. Descriptor or negative errno.
 */
int sg_client_memory(const char *name, const struct iovec *iov, size_t n_iov);

/*
 * One request and its answers. request: object; "v" is added. fn (may be NULL) is called for each packet of the answer
 * but the last; it returns 0 to go on. *answer: the last packet, the caller's (json_decref). Errors: -EPROTO, what the
 * socket said, and where the daemon refused ("ok": false) minus its "errno" with its "error" as message.
 */
int sg_client_request(int fd, json_t *request, const int *fds, size_t n_fds, int (*fn)(void *ctx, json_t *part),
		      void *ctx, json_t **answer, struct sg_err *err);

/*
 * Object rules and their places as sgd takes them from a launch: fds[0] a sealed memory file, fds[1] the end of a
 * socket in which the places wait, both the caller's to close. tries: in milliseconds, for what others of this user
 * have on its way to be received, since the kernel bounds that (-ETOOMANYREFS). Errors: also -E2BIG, -ENOMEM.
 */
struct sg_places;
int sg_client_objects(const struct sg_objects *o, const struct sg_places *p, unsigned tries, int fds[2],
		      struct sg_err *err);

#endif
