/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_TESTS_HOSTILE_H
#define SG_TESTS_HOSTILE_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/*
 * Hostile programs. Each attack makes one forbidden call (after set-up that the policies allow) and says what came of
 * it. All are harmless when they succeed: they work in a scratch directory or on themselves, on a victim process that
 * the test driver started for the purpose, with no-op values, or with arguments that the kernel itself refuses.
 */
struct target {
	pid_t victim;       /* a process of the driver, outside the sandbox, same user */
	unsigned long addr; /* of 16 known bytes in its memory */
	int fd;             /* a descriptor that the driver passed, -1: none */
	const char *dir;    /* scratch directory */
	const char *arg;    /* attack-specific */
};

/* 0: it took effect. Negative errno: it was refused. SG_SETUP: it could not be tried. */
#define SG_SETUP (-4095)
struct attack {
	const char *name;
	int (*run)(const struct target *t);
};

extern const struct attack sg_attacks_net[], sg_attacks_proc[], sg_attacks_exec[], sg_attacks_kernel[], sg_attacks_ns[],
	sg_attacks_mem[];

/* From a call's return value to an attack's. */
static inline int outcome(long ret)
{
	return ret < 0 ? -errno : 0;
}

int sg_scratch(const struct target *t, const char *name, char *buf, size_t size);

#endif
