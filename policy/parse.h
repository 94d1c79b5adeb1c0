/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_PARSE_H
#define SG_PARSE_H

#include "policy/model.h"

#include <errno.h>

/* What the readers of a policy file's parts share. Internal to policy/. Errors carry the position in the file. */

/*
 * After one part of several: an error in it is handed to who takes them all, and 0 is returned so that the next is
 * read.
 */
int sg_take_fault(struct sg_parser *p);
static inline int sg_go_on(struct sg_parser *p, int rc)
{
	return rc == -EINVAL && p->fault ? sg_take_fault(p) : rc;
}

const char *sg_node_kind(const struct sg_node *n); /* "a list", "a mapping", "a single value", "empty" */
/* `"what" must be wanted, but is …` */
int sg_wrong_type(struct sg_parser *p, const struct sg_node *n, const char *what, const char *wanted);
int sg_check_duplicate_keys(struct sg_parser *p, const struct sg_node *map);
/* "name: value" on one line, in the arena; NULL: no memory. */
const char *sg_item_text(struct sg_parser *p, const char *name, const struct sg_node *value);
/* An error where no policy file can have a language of this name. */
int sg_language_name_check(const char *name, struct sg_err *err);
/* kill, allow, audit or "errno NAME". */
int sg_parse_action(struct sg_parser *p, const struct sg_node *n, const char *what, enum sg_action *action,
		    unsigned *err);

/* One of the keys files, exec, net and kernel of a language. */
int sg_parse_objects(struct sg_parser *p, struct sg_lang *lang, const struct sg_node *key, const struct sg_node *val);
/* Trees that are there twice, or both allowed and denied; puts the lists into the order of the file. */
int sg_finish_objects(struct sg_parser *p, struct sg_lang *lang);

#endif
