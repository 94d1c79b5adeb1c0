/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_RULES_H
#define SG_SGD_RULES_H

#include "policy/err.h"

#include <stdbool.h>

/* The text of --discover. */
#define SGD_DISCOVER_RULES 16
#define SGD_DISCOVER_PATTERN 256

struct sgd_rule {
	/* Path below the cgroup2 mount, by component, each a pattern of fnmatch(3) without escapes. */
	char pattern[SGD_DISCOVER_PATTERN];
	bool audit;
};

/* "PATTERN" or "PATTERN audit|enforce". Errors: -EINVAL with what is accepted. */
int sgd_rule_parse(const char *text, struct sgd_rule *out, struct sg_err *err);
/* Whether a cgroup's path ("/a/b") matches; *deeper: it does not, but one below it may. */
bool sgd_rule_matches(const struct sgd_rule *r, const char *rel, bool *deeper);

#endif
