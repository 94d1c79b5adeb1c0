/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_HINT_H
#define SG_HINT_H

#include "policy/model.h"

/* Writing hints (and, in policy/denial.c, sentences): text of bounded length, and the parts that all hints have.
 * Internal to policy/. */
struct sg_text {
	char buf[8192];
	size_t n;
};

void sg_text_add(struct sg_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A name as a YAML key. */
void sg_text_add_key(struct sg_text *t, const char *name);
/* A file name that stays on its line. */
void sg_text_add_file(struct sg_text *t, const char *file);

/* Whether a policy can name the file: all of its path can stand in double quotes. */
bool sg_hint_can_name(const char *path);

/* Whether the language's text is the document's own, so that a change is an addition to it. */
bool sg_hint_in_file(const struct sg_policy *p);
/* Whether a rule stands in the language's own text in that document. */
bool sg_hint_own(const struct sg_policy *p, const struct sg_origin *o);
/* `python: {inherit: "builtin:python", RULES}` or `mine: {RULES} # add to FILE` */
void sg_hint_add_rules(struct sg_text *t, const struct sg_policy *p, const char *rules);
/* `remove "RULE" from "LIST" in "LANGUAGE" (FILE:LINE)` */
void sg_hint_remove(struct sg_text *t, const struct sg_origin *o);

#endif
