/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_PEER_H
#define SG_SGD_PEER_H

#include "policy/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/*
 * Who is at the other end of a connection, by the kernel's word alone: credentials as of connect(2), and what /proc
 * says of the process as long as its pidfd says that it is still the same one.
 */
struct sgd_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	int pidfd; /* -1: none; then nothing that hangs on the process is believed */
	int proc;  /* its directory in /proc, O_PATH; -1: not opened yet */
};

/* What a program started for it gets because its own child would. */
struct sgd_heritage {
	int nice;
	int oom_score_adj;
	gid_t *groups; /* owned */
	size_t n_groups;
	struct rlimit rlimits[RLIM_NLIMITS];
	uint64_t ignored; /* signals, bit N - 1 */
	mode_t umask;
	size_t cpus_size;
	unsigned long cpus[1024 / (8 * sizeof(long))];
};

/* Errors: -ESRCH: it is gone already; what getsockopt(2) said. */
int sgd_peer_open(struct sgd_peer *p, int socket, struct sg_err *err);
void sgd_peer_close(struct sgd_peer *p);

/* Its cgroup2 path as in /proc/PID/cgroup. Errors: -ESRCH. */
int sgd_peer_cgroup(struct sgd_peer *p, char *out, size_t size, struct sg_err *err);

/*
 * Whether a program started by this daemon would be as confined as a child of its own: same namespaces, same root
 * directory, no seccomp filter, and the user it connected as. Errors: -EXDEV with what differs; -ESRCH. Fills h, owned
 * by the caller.
 */
int sgd_peer_inherit(struct sgd_peer *p, int socket, struct sgd_heritage *h, struct sg_err *err);
/* The two halves of that: what it has, to be believed only if afterwards it still is the user that it connected as,
 * under no filter. The second fills in ignored and umask. */
int sgd_peer_look(struct sgd_peer *p, int socket, struct sgd_heritage *h, struct sg_err *err);
int sgd_peer_still(struct sgd_peer *p, struct sgd_heritage *h, struct sg_err *err);

#endif
