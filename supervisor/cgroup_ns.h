/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_CGROUP_NS_H
#define SG_CGROUP_NS_H

#include <stddef.h>

/*
 * In a cgroup namespace of our own, as a container's, the kernel shows cgroups from that namespace's root. The programs
 * count depth from the root of all, and where the host's hierarchy is mounted paths below the mount are others.
 */

/*
 * How deep the cgroup rel, a path below the mount, lies in the whole hierarchy. mount, root: as sg_cgroup_find_mount()
 * tells. 0: cannot be told.
 */
unsigned sg_cgroup_level(const char *mount, const char *root, const char *rel);

/*
 * The path below the mount of a process's cgroup, "/" for the mount itself. text: its /proc/PID/cgroup. Errors: -ENOENT
 * (in no cgroup2 cgroup), -EXDEV (not below what is mounted; rel is what /proc shows), -ENAMETOOLONG.
 */
int sg_cgroup_place(const char *text, char *rel, size_t size);

#endif
