/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_ROWS_H
#define SG_ROWS_H

#include "policy/json.h"
#include "policy/policy.h"

/* A resolved policy as a table for people: one row per rule as it was written. Internal to policy/. */
struct sg_row {
	unsigned nr;
	unsigned action, err;
	bool otherwise;                 /* what is left when no conditional rule of the call matched */
	bool unlisted;                  /* on no list: only there to end a call's conditional rules */
	const struct sg_origin *origin; /* NULL: the built-in default for unlisted calls */
};

/* Rows of one system call, at most max of them. Returns how many. */
#define SG_ROWS_PER_NR (SG_RULES_PER_NR + 1)
size_t sg_rows_of(const struct sg_policy *p, unsigned nr, struct sg_row *rows, size_t max);

/* `ioctl: request == TCGETS`, `ioctl: otherwise`, `read`. */
const char *sg_row_text(const struct sg_row *r, char *buf, size_t size);
void sg_row_print(const struct sg_row *r, const char *prefix, FILE *out);
json_t *sg_row_json(const struct sg_row *r);

#define SG_N_LIMITS 9
const char *sg_limit_name(size_t i);
uint64_t sg_limit_value(const struct sg_limits *l, size_t i);
/* As a policy file would say it: "64", "16M", "500ms". */
const char *sg_limit_text(size_t i, uint64_t value, char *buf, size_t size);

/* Object rules: the lines at the head of an explanation, and one line for each rule. */
void sg_objects_explain(const struct sg_policy *p, FILE *out);
void sg_object_rows_print(const struct sg_policy *p, FILE *out);
json_t *sg_object_classes_json(const struct sg_policy *p);
json_t *sg_object_rules_json(const struct sg_policy *p);
/* Tells every line of meaning that only one of the two has. Returns 1, 0 when there is none, -1 without memory. */
int sg_objects_diff(const struct sg_policy *a, const struct sg_policy *b,
		    void (*tell)(void *ctx, bool added, const char *text), void *ctx);

/* Writes the object and a newline, and gives it up. */
int sg_json_print(json_t *json, FILE *out, struct sg_err *err);

#endif
