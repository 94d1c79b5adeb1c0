/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_TESTS_EFFECTS_H
#define SG_TESTS_EFFECTS_H

#include <errno.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/*
 * Each function prepares, calls go(), and makes exactly one call of the kind that the policy forbids, as the last
 * thing it does. Preparation must not use the forbidden call; reporting uses writev, readv and exit_group only.
 */
struct effect {
	const char *name;
	const char *call; /* the system call that the policy forbids */
	long (*run)(void);
};
extern const struct effect sg_effects_file[], sg_effects_proc[], sg_effects_ipc[], sg_effects_self[];

struct effect_params {
	pid_t victim;
	unsigned long addr; /* of 16 bytes in the victim */
	int port, udp_port; /* on 127.0.0.1, the driver's */
	int key;            /* System V key that nobody uses, or the driver's object's */
	int id;             /* System V identifier of the driver's object */
	int fd;             /* what the driver opened: Landlock refuses to open some things that may be used */
	const char *name;   /* POSIX queue name, without a slash */
};
extern struct effect_params params;

/* Says READY and waits until the driver has put its witnesses in place. */
void go(void);

/* Ends the process: preparation failed, which is no result. */
void give_up(const char *what) __attribute__((noreturn));

/*
 * For effects that end with the process: starts a second process that shares memory, descriptors and working
 * directory, polls seen() for a second, and says WITNESS when it holds.
 */
void watch(int (*seen)(void));

#endif
