/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_NOTIFY_H
#define SG_NOTIFY_H

#include "policy/err.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The supervisor's end of SECCOMP_RET_USER_NOTIF (seccomp_unotify(2)): a call waits, blocked, until it is answered.
 * Only register values are judged; nothing is read from the memory of the caller.
 */

/* Prepares a listener: asks the kernel to switch to the waiting side at once (Linux 6.6+; without it each is slower).
 */
void sg_notify_prepare(int listener);
/* Receives one notification. 0; -EAGAIN: none waits or it is gone already; -ENOTCONN: no task is left; negative errno.
 */
int sg_notify_receive(int listener, struct seccomp_notif *out);
/* Whether the caller still waits: what was read of it under /proc since is then really about it. */
bool sg_notify_valid(int listener, uint64_t id);
/* Answers: lets the call run / fails it with -err. 0 or negative errno (-ENOENT: the caller is gone). */
int sg_notify_continue(int listener, uint64_t id);
int sg_notify_fail(int listener, uint64_t id, int err);

#endif
