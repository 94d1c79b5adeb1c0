/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_USERS_H
#define SG_SGD_USERS_H

#include "policy/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * What the clients of one user have of the daemon together. Every member of its group may connect, and none of them is
 * to take from the others. Root has no bounds.
 */
struct sgd_user {
	struct sgd_user *next;
	uid_t uid;
	unsigned conns, tails;
	unsigned asked; /* connections that hold what a launch is known by */
	size_t queued;  /* bytes that wait for clients that do not read */
};

/* One connection more, or less, of a user. NULL with *err: -EAGAIN, it has as many as there may be; -ENOMEM. */
struct sgd_user *sgd_user_get(struct sgd_user **users, uid_t uid, struct sg_err *err);
void sgd_user_put(struct sgd_user **users, struct sgd_user *u);
/* One more that follows all records. Errors: -EAGAIN. */
int sgd_user_tails(struct sgd_user *u, struct sg_err *err);
/* Whether that many bytes may wait, too. essential: there is a reserve. */
bool sgd_user_may_queue(const struct sgd_user *u, size_t size, bool essential);

#endif
