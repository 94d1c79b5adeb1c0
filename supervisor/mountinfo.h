/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_MOUNTINFO_H
#define SG_MOUNTINFO_H

#include <stdbool.h>
#include <stdint.h>

/* A line of /proc/PID/mountinfo (proc_pid_mountinfo(5)). Strings lie in the line. */
struct sg_mount {
	uint64_t id;
	unsigned major, minor; /* of the file system */
	char *root;            /* what of it is mounted: "/" is all of it */
	char *where;           /* mount point */
	char *type;
};

/* Takes a line apart, which is written to. false: it is none. */
bool sg_mount_parse(char *line, struct sg_mount *m);

#endif
