/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_NAMES_H
#define SG_NAMES_H

#include <stdint.h>

/* Names of system calls and errors, and "did you mean". */

#define SG_NR_FOREIGN (-1) /* a system call that exists, but not on this architecture */

/* Number of a system call on this architecture, or SG_NR_FOREIGN. Returns 0, or -ENOENT for a name nobody knows. */
int sg_syscall_resolve(const char *name, int *nr);

/* Errno number of a name like "EPERM", 0 when there is none. */
int sg_errno_resolve(const char *name);
/* Name of an errno number; "E?" for an unknown one. Static storage. */
const char *sg_errno_name(unsigned err);

/*
 * Looks for the candidate nearest to a word. Offer every candidate, then read best (NULL: nothing is near enough).
 * Candidates must outlive the struct.
 */
struct sg_suggest {
	const char *word;
	const char *best;
	unsigned distance;
};
void sg_suggest_init(struct sg_suggest *s, const char *word);
void sg_suggest_offer(struct sg_suggest *s, const char *candidate);

/* `; did you mean "X"?`, or "" when nothing is near. Writes to buf and returns it. */
const char *sg_suggest_text(const struct sg_suggest *s, char *buf, unsigned long size);
/* The same for the name of a system call. */
const char *sg_suggest_syscall(const char *word, char *buf, unsigned long size);
const char *sg_suggest_errno(const char *word, char *buf, unsigned long size);

#endif
