/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_CGROUP_H
#define SG_CGROUP_H

#include "policy/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The cgroup v2 directory of a sandbox (kernel documentation: admin-guide/cgroup-v2).
 * The mount point is discovered, never assumed: unified, hybrid and container layouts differ.
 */
struct sg_cgroup {
	int dirfd;      /* O_PATH-free directory descriptor, for CLONE_INTO_CGROUP; -1: no cgroup */
	uint64_t id;    /* kernfs id: what bpf_get_current_cgroup_id() answers */
	unsigned level; /* depth below the root of the hierarchy (root 0); 0: cannot be told */
	char path[512]; /* absolute */
	char base[512]; /* the parent directory */
	char rel[512];  /* below the mount */
	char name[64];  /* last component: "sandgate-<pid>-<time, in ticks since boot>" */
	bool has_pids;  /* the pids controller is enabled for it */
	bool has_memory;
	bool has_cpu;
};

/* Where cgroup2 is mounted, from /proc/self/mountinfo: of several the first that can be written. root: the mount's root
 * inside the hierarchy ("/" usually). Errors: -ENOENT when no cgroup2 is mounted. */
int sg_cgroup_find_mount(char *mount, size_t mount_size, char *root, size_t root_size, struct sg_err *err);

/*
 * Creates the sandbox's cgroup: directly below the mount point for root, below the caller's own cgroup otherwise
 * (where it was delegated), also for the root of a user namespace. Errors: -ENOENT (no cgroup2), -EACCES/-EPERM (not
 * delegated), -EROFS …
 */
int sg_cgroup_create(struct sg_cgroup *cg, struct sg_err *err);

/* A daemon's own: opens or creates the cgroup of this name below the mount point, with the controllers for limits. */
int sg_cgroup_parent(struct sg_cgroup *parent, const char *name, struct sg_err *err);
/* Creates a sandbox's cgroup in it. Its name must not be one that sg_cgroup_sweep() takes for an abandoned sandbox. */
int sg_cgroup_create_below(struct sg_cgroup *cg, const struct sg_cgroup *parent, const char *name, struct sg_err *err);

/* Whether the parent directory has this controller, enabled or not. */
bool sg_cgroup_offers(const struct sg_cgroup *cg, const char *controller);
/* Kills every process in it (cgroup.kill; before 5.14: freeze, kill, thaw). Returns 0 or negative errno. */
int sg_cgroup_kill(const struct sg_cgroup *cg);
/* 1: processes left, or there is no descriptor or memory to look; 0: empty; negative errno: it is gone. */
int sg_cgroup_populated(const struct sg_cgroup *cg);
/* Number of tasks (threads) in it. Negative errno. */
int sg_cgroup_tasks(const struct sg_cgroup *cg);
/* Number of processes in it and in the cgroups below it. Negative errno. */
int sg_cgroup_processes(const struct sg_cgroup *cg);
/* Calls fn for each process in it. 0, or negative errno when some may have been missed. */
int sg_cgroup_each(const struct sg_cgroup *cg, void (*fn)(void *ctx, pid_t pid), void *ctx);
/* The same for it and for the cgroups down to depth below it, until fn answers false. Returns whether it never did. */
bool sg_cgroup_each_below(const struct sg_cgroup *cg, unsigned depth, bool (*fn)(void *ctx, pid_t pid), void *ctx);
/* Whether a process or thread belongs to it, or to a cgroup below it. */
bool sg_cgroup_contains(const struct sg_cgroup *cg, pid_t pid);
/* Removes it (children first); 0, or negative errno when it stays. */
int sg_cgroup_remove(struct sg_cgroup *cg);

/* Kills and removes sandboxes whose supervisor is gone without having cleaned up. Returns how many, or negative errno.
 */
int sg_cgroup_sweep(const char *base);
/* Whether there may be something for it to do beside a living sandbox. Changes nothing. */
bool sg_cgroup_any_left(const struct sg_cgroup *own);

#endif
