/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_AGAIN_H
#define SG_SGD_AGAIN_H

#include "daemon/peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sgd;
struct sgd_conn;

/*
 * Launches that may be made once more (runner/front.h). What a client sent for one is kept for its user, who gets it
 * back by saying the same words; what must be looked at before is the client's business, who alone may open what it
 * names. Nothing is kept that a launch by the same user could not have sent anew, and all of it is judged anew.
 */
#define SGD_SIGHTS 1024

struct sgd_known;
struct sgd_again {
	struct sgd_known *list;      /* the one used last comes first */
	unsigned n;                  /* of them in the list */
	uint64_t serial;             /* of the last one */
	uint64_t sights[SGD_SIGHTS]; /* of words that were asked for once */
	int mounts;                  /* tells of changes to what is mounted; 0: not opened yet, -1: cannot be */
	uint64_t mounted;            /* how often there were any */
};

/* What one connection has asked for. NULL in struct sgd_conn: nothing. */
struct sgd_asked;

/* SG_WIRE_AGAIN, _REMEMBER and _GO, of size bytes. Descriptors that are taken become -1. */
void sgd_again_ask(struct sgd_conn *c, const void *packet, size_t size);
void sgd_again_remember(struct sgd_conn *c, const void *packet, size_t size, int *fds, int n_fds);
void sgd_again_go(struct sgd_conn *c, const void *packet, size_t size, int *fds, int n_fds);

/* After a launch on c that was not one of these: keeps it, if it was asked to. label_size: bytes of the packet's end
 * that are the label. policy, ruleset: -1: none. What it was kept as, for its sandbox, which runs by it; NULL: it was
 * not. */
struct sgd_known *sgd_again_keep(struct sgd_conn *c, const void *packet, size_t size, size_t label_size, int policy,
				 int ruleset);

/* What such a launch inherits, where it was looked at beforehand. The caller's then. */
bool sgd_again_inherit(struct sgd_conn *c, struct sgd_heritage *have);

/* A sandbox runs by a launch that was kept: what its rules name stays open as long. put takes NULL. */
void sgd_again_put(struct sgd *d, struct sgd_known *k);
/* It could not be executed: nobody makes that launch again. */
void sgd_again_spoil(struct sgd_known *k);

/* The connection is over. */
void sgd_again_forget(struct sgd_conn *c);
/* Drops those not used for long; all of them: policies may be others now. */
void sgd_again_time(struct sgd *d, uint64_t now);
void sgd_again_drop(struct sgd *d);

#endif
