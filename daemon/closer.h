/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_CLOSER_H
#define SG_SGD_CLOSER_H

#include <sys/types.h>

/*
 * Descriptors that clients chose are closed by other threads. The last close of a socket that lingers (SO_LINGER), and
 * any close of a file whose file system answers late or never (FUSE, NFS), wait as long as their owner likes; see
 * socket(7) and close(2). A thread serves a few users: who makes it wait, waits.
 */

/* Closes fd (-1: nothing): what never waits now, the rest soon. of: who it came from. Without a thread to be had: now.
 */
void sgd_let_go(uid_t of, int fd);

/* The same for a connection, which knows whose it is; at once where nothing is left in it that would be closed with it.
 */
void sgd_let_go_conn(int fd);

/* How many of that user's descriptors, and of those who share the thread, are not closed yet. */
unsigned sgd_let_go_waiting(uid_t of);

#endif
