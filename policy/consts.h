/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_CONSTS_H
#define SG_CONSTS_H

#include <linux/sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the arguments of system calls are called, and the names of their values. One table used both ways: conditions
 * in a policy are written with these names, and verdicts are decoded into them.
 */

enum sg_family {
	SG_FAMILY_NONE,  /* a plain number */
	SG_FAMILY_INT,   /* a signed number: pids, uids, descriptors */
	SG_FAMILY_OCTAL, /* file modes */
	SG_FAMILY_DOMAIN,
	SG_FAMILY_SOCKTYPE,
	SG_FAMILY_IPPROTO,
	SG_FAMILY_CLONE,
	SG_FAMILY_NEWNS,
	SG_FAMILY_OPEN,
	SG_FAMILY_SIGNAL,
	SG_FAMILY_IOCTL,
	SG_FAMILY_PRCTL,
	SG_FAMILY_PROT,
	SG_FAMILY_MAP,
	SG_FAMILY_MADV,
	SG_FAMILY_MOUNT,
	SG_FAMILY_UMOUNT,
	SG_FAMILY_PTRACE,
	SG_FAMILY_PERSONALITY,
	SG_FAMILY_KEYCTL,
	SG_FAMILY_BPF,
	SG_FAMILY_FCNTL,
	SG_FAMILY_RLIMIT,
	SG_FAMILY_ARCH_PRCTL,
	SG_FAMILY_MFD,
	SG_FAMILY_PRIO,
	SG_FAMILY_IDTYPE,
	SG_FAMILY_MSG,
	SG_FAMILY_MODE,
	SG_FAMILY_CLOCK,
	SG_FAMILY_SECCOMP,
	SG_FAMILY_COUNT,
};

/* Bits of clone's flags that decide what comes of it; the rest says where thread ids and the TLS go. A policy has the
 * name CLONE_EFFECTS for them. */
#define SG_CLONE_EFFECTS                                                                                               \
	(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_VFORK | CLONE_PARENT | CLONE_PTRACE | CLONE_UNTRACED |        \
	 CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |    \
	 CLONE_NEWNET)

/* A value x of the family contains this constant when (x & mask) == value. */
struct sg_const {
	char name[32];
	uint64_t value;
	uint64_t mask;
};

struct sg_arg {
	char syscall[24];
	char name[12];
	uint8_t index;
	uint8_t width;  /* bits that the kernel reads: 16, 32 or 64 */
	uint8_t family; /* enum sg_family */
	bool decode;    /* worth a place in a verdict */
};

/* The bits of a register of which the kernel reads so many. */
static inline uint64_t sg_width_mask(unsigned width)
{
	return width >= 64 ? ~0ULL : (1ULL << width) - 1;
}

static inline uint64_t sg_arg_mask(const struct sg_arg *a)
{
	return sg_width_mask(a->width);
}

/* The constants of a family; *n of them. */
const struct sg_const *sg_consts(enum sg_family family, size_t *n);
/* A constant by name, in the family first, then in all of them; NULL when unknown. */
const struct sg_const *sg_const_find(enum sg_family family, const char *name);

/* The named arguments of a system call, one after the other; NULL past the end. */
const struct sg_arg *sg_arg_at(const char *syscall, size_t index);
/* One of them by name, NULL when it has none of that name. */
const struct sg_arg *sg_arg_find(const char *syscall, const char *name);

/*
 * Writes a value in the family's names: "AF_INET", "CLONE_VM|SIGCHLD", "0644", "17". Bits without a name are added in
 * hexadecimal. The result can be read back by a condition. Always terminated.
 */
void sg_const_format(enum sg_family family, uint64_t value, unsigned width, char *buf, size_t size);

#endif
