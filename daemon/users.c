/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/users.h"

#include <errno.h>
#include <stdlib.h>

#define CONNS_PER_USER 2048
#define TAILS_PER_USER 32          /* each record is written once for each */
#define QUEUE_PER_USER (64U << 20) /* bytes */
#define QUEUE_RESERVE (16U << 20)  /* on top, for what must not be lost */

struct sgd_user *sgd_user_get(struct sgd_user **users, uid_t uid, struct sg_err *err)
{
	struct sgd_user *u = *users;

	while (u && u->uid != uid)
		u = u->next;
	if (u && uid != 0 && u->conns >= CONNS_PER_USER) {
		(void)sg_err_set(err, EAGAIN, "too many connections of user %u: %d", uid, CONNS_PER_USER);
		return NULL;
	}
	if (!u) {
		u = calloc(1, sizeof(*u));
		if (!u) {
			(void)sg_err_set(err, ENOMEM, "out of memory");
			return NULL;
		}
		u->uid = uid;
		u->next = *users;
		*users = u;
	}
	u->conns++;
	return u;
}

void sgd_user_put(struct sgd_user **users, struct sgd_user *u)
{
	if (!u || --u->conns)
		return;
	while (*users != u)
		users = &(*users)->next;
	*users = u->next;
	free(u);
}

int sgd_user_tails(struct sgd_user *u, struct sg_err *err)
{
	if (u->uid != 0 && u->tails >= TAILS_PER_USER)
		return sg_err_set(err, EAGAIN, "user %u follows the records on %d connections already", u->uid,
				  TAILS_PER_USER);
	u->tails++;
	return 0;
}

bool sgd_user_may_queue(const struct sgd_user *u, size_t size, bool essential)
{
	return u->uid == 0 || u->queued + size <= QUEUE_PER_USER + (essential ? QUEUE_RESERVE : 0);
}
