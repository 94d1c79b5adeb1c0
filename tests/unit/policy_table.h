/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_TEST_POLICY_TABLE_H
#define SG_TEST_POLICY_TABLE_H

#include "policy/policy.h"

#include <stdbool.h>

/*
 * The files below tests/policy (README.md there), shared by everything that runs them. SG_TEST_DATA names the folder.
 * What is wrong with a file fails the running cmocka test.
 */

/* A whole file, terminated; the caller frees it. */
char *table_file(const char *dir, const char *name, size_t *len);
/* Calls fn for every file of the folder that ends so, adds up what it returns; returns how many there were. */
int table_each(const char *dir, const char *suffix, int (*fn)(const char *name), int *failed);

/* What `self`, `inside` and `outside` stand for. No such process need exist. */
#define TABLE_SELF 4321
#define TABLE_INSIDE 5001
#define TABLE_OUTSIDE 5002
bool table_in_sandbox(void *ctx, int32_t pid);

struct table_call {
	char where[320];                /* file:line: ABI CALL */
	const struct sg_policy *policy; /* the table's; the same pointer until the next `policy` line */
	uint32_t arch, nr;
	uint64_t args[SG_ARGS];
	char action[32]; /* as written */
};
struct table;
struct table *table_open(const char *name);
bool table_next(struct table *t, struct table_call *out);
void table_close(struct table *t);
/* An action as tables write it. */
void table_action(unsigned action, unsigned err, char *buf, size_t size);

#endif
