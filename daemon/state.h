/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_STATE_H
#define SG_SGD_STATE_H

#include "policy/policy.h"

#include <stdint.h>

struct sgd;
struct sgd_box;

/*
 * Who is who among the sandboxes, for the daemon after this one: a table in a file that is mapped, one entry for each
 * number in the BPF tables. What the programs know (counters, the violation that killed) stays in their own maps, and
 * these are checked against each other. An entry is written in less time than a file takes to be opened.
 */
#define SGD_STATE_VERSION 2

struct sgd_entry {
	uint32_t used; /* written last, cleared first */
	uint32_t flags;
	uint64_t cgroup_id;
	uint64_t started_at; /* realtime, ns */
	uint64_t pid_start;  /* in clock ticks after boot: tells a pid that was used again */
	uint64_t counts[4];
	uint32_t level, uid, widen, policy; /* policy: number in the BPF tables */
	int32_t pid;
	int32_t places[2]; /* by column: number of the descriptor that holds what its object rules name; -1: nothing */
	uint32_t pad;
	struct sg_limits limits;
	char id[64], language[64], digest[80], name[128],
		rel[400]; /* name: the container's id; the label of a launch */
};

#define SGD_ENTRY_ATTACHED (1U << 0)
#define SGD_ENTRY_KEEP (1U << 1)
#define SGD_ENTRY_DETACHED (1U << 2)
#define SGD_ENTRY_AUDIT (1U << 3)
#define SGD_ENTRY_STATS (1U << 4)
#define SGD_ENTRY_FILTER (1U << 5)
#define SGD_ENTRY_SYS_ENTER (1U << 6)
#define SGD_ENTRY_LSM (1U << 8) /* judged by the LSM programs */
#define SGD_ENTRY_DISCOVERED (1U << 9)
#define SGD_ENTRY_RELOADS (1U << 10) /* judged by the daemon's policies; one of an older daemon may be, too */
#define SGD_ENTRY_LISTENER (1U << 7) /* some of its calls wait for the supervisor's answer */

/* Who keeps those descriptors open: the process whose table the numbers in one of two columns are of. */
struct sgd_keepers {
	uint32_t column; /* that counts; changed by one store when the other is complete */
	int32_t pid[2];
	uint32_t pad;
	uint64_t start[2];
};

/* A cgroup that is frozen for a moment: should the daemon die meanwhile, the next one lets it go on. */
struct sgd_frozen {
	uint64_t cgroup_id; /* written last, cleared last; 0: there is none */
	char path[512];
};

struct sgd_state {
	struct sgd_entry *entries; /* SG_MAX_SANDBOXES; NULL: nothing is written down */
	unsigned n;
	int dir;
	struct sgd_keepers *keepers;
	uint32_t column;           /* ours */
	struct sgd_frozen *frozen; /* NULL: nothing is written down */
	uint64_t *born;            /* realtime, ns: when the ring buffer was made that records are numbered by */
};

/* Opens or creates the table in dir (made, 0700). One of another version is begun anew, and that is said. */
int sgd_state_open(struct sgd *d, struct sg_err *err);
void sgd_state_close(struct sgd *d);
/* The table and its directory are gone, unless a sandbox is written down. */
void sgd_state_remove(struct sgd *d);
/* Writes a sandbox down, or what changed of it; forgets it. */
void sgd_state_put(struct sgd_box *b);
void sgd_state_drop(struct sgd_box *b);

/*
 * Takes over what a daemon before this one left: sandboxes in the BPF tables that are written down and whose cgroup is
 * still the same, unread records, cgroups of its launches. What is not to outlive its supervisor is ended. To be called
 * after the BPF object is open and before it is attached. Errors: -ENOMEM.
 */
int sgd_adopt(struct sgd *d, struct sg_err *err);
/* When everything is attached: reads what is unread, and ends what is over. */
void sgd_adopt_finish(struct sgd *d);

#endif
