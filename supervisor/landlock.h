/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_LANDLOCK_H
#define SG_LANDLOCK_H

#include "supervisor/places.h"

#include <stdbool.h>

/*
 * Landlock (kernel documentation: userspace-api/landlock) does two things for a launched sandbox.
 *
 * Always: it keeps a program from reaching out where it has the right user id for it. A program that runs as root,
 * though without capabilities, may by its uid write cgroup.procs, /proc/sys and other processes' memory. In the domain
 * it cannot
 *   - change anything below /proc, /sys and the directory the cgroup file system is mounted in, or write to a device
 *     other than the usual ones (null, zero, full, random, urandom, tty, terminals, shared memory) and those that the
 *     policy names,
 *   - trace, or read the memory of, a process outside (any Landlock domain does that), or mount anything,
 *   - signal a process outside, or connect to an abstract unix socket made outside (Landlock ABI 6, Linux 6.12), unless
 *     the policy allows it in so many words.
 *
 * Where no BPF LSM enforces the policy's object rules: the part of them that Landlock can express. A refusal is EACCES
 * whatever the policy wants, it kills nothing, and nobody is told. What is beyond it is listed in gaps.
 */
#define SG_LANDLOCK_GAPS 16
#define SG_LANDLOCK_LOG 2U /* flag of landlock_restrict_self(2): also what is refused after the next exec */

struct sg_landlock_gap {
	bool asked;     /* a rule of the policy's own text that is not in force as it is written */
	char text[192]; /* "CLASS: what is not enforced"; see docs/threat-model.md */
};

struct sg_landlock {
	int fd;  /* ruleset, to be enforced by the child after no_new_privs; -1: none */
	int abi; /* what is used of the kernel's; 0: no Landlock */
	bool scopes_signals;
	bool log;          /* the kernel can write refusals to its audit log (ABI 7, Linux 6.15): enforce with _LOG */
	bool files;        /* some file rules of the policy are in it */
	bool around;       /* what lies beside others was named one by one: it depends on what is there */
	uint64_t own_proc; /* what the child adds for its own directory in /proc, which nobody else can name; 0: nothing
			    */
	unsigned n_gaps;
	struct sg_landlock_gap gaps[SG_LANDLOCK_GAPS];
};

struct sg_landlock_rules {
	const char *cgroup_dir; /* absolute path of the sandbox's cgroup, "" for none */
	/* The policy's object rules; NULL: only what is always there. */
	const struct sg_objects *objects;
	/* Its trees, opened with no_mounts. They must stay open while the sandbox runs: a rule holds as long as the
	 * inode does, and procfs makes new ones for what nobody holds. What sg_places_settle() closes is no loss. */
	const struct sg_places *places;
	/* What the seccomp rules let through, so that only gaps are listed that can be used. */
	bool forks;    /* new processes: each of them needs its own directory in /proc */
	bool sockets;  /* connecting or sending */
	bool metadata; /* changing modes, owners, times, extended attributes */
	/* And what a second filter refuses: every socket for UDP (SG_NET_REFUSE_UDP). */
	bool no_udp;
	int max_abi; /* use no more of Landlock than this; 0: all there is */
};

/* Builds the ruleset. Errors: -EOPNOTSUPP where the kernel has no Landlock, or one that would break renames between
 * directories (ABI 1, Linux 5.13 to 5.18); what open(2) and landlock_add_rule(2) said. */
int sg_landlock_build(struct sg_landlock *l, const struct sg_landlock_rules *rules, struct sg_err *err);
/* Whether the kernel can write refusals to its audit log. */
bool sg_landlock_logs(void);
/* false: somebody else's descriptor is no ruleset, nor anything whose closing never waits. */
bool sg_landlock_is_ruleset(int fd);
/* For a process with an errno of its own: 0 or -1. The launched child does the same without one (runner/child.c). */
int sg_landlock_enforce(const struct sg_landlock *l);

#endif
