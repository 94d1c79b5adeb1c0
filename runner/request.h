/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_REQUEST_H
#define SG_REQUEST_H

#include "runner/launch.h"
#include "supervisor/proto.h"

/* What is asked of the daemon for a plan: made once, sent for every sandbox of it. */
struct sg_request {
	struct sg_wire_launch head;
	const struct sg_launch *launch; /* whose tier, ruleset and places go along; not owned */
	int cwd, strings_fd, policy_fd; /* O_PATH; -1: they are inline; -1: a built-in policy. Owned */
	char *strings;                  /* owned */
	size_t strings_size, strings_cap;
};

/*
 * flags: SG_WIRE_* of the caller's own. sig: what the program is to have of them, and to ignore. Errors: -E2BIG,
 * -ENOMEM, -EINVAL, what open(2) said of the directory and the policy's file. To be freed also after an error.
 */
int sg_request_make(struct sg_request *r, const struct sg_launch *l, uint32_t flags, const struct sg_signals *sig,
		    struct sg_err *err);

/* std: descriptors that become the program's 0, 1 and 2. label: NULL for none. Blocks until the daemon has room.
 * Errors: what sendmsg(2) said; of sg_client_objects(). */
int sg_request_send(const struct sg_request *r, int fd, const int std[3], const char *label, struct sg_err *err);
void sg_request_free(struct sg_request *r);

#endif
