/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_RESOLVE_H
#define SG_RESOLVE_H

#include "policy/model.h"

/* Inheritance of object rules while a policy is resolved. Internal to policy/. */

struct sg_flat;
/* Records where a rule stands. */
int sg_flat_origin(struct sg_flat *f, const struct sg_doc *doc, const struct sg_lang *lang, struct sg_pos pos,
		   enum sg_list list, const char *text, uint32_t *index);

struct sg_flat_mode {
	bool set;
	struct sg_class_mode mode;
};

struct sg_flat_objects {
	struct sg_flat *flat;
	struct sg_policy *policy;
	struct sg_err *err;
	struct sg_flat_mode files, exec, net;             /* as `otherwise` says */
	struct sg_flat_mode files_key, exec_key, net_key; /* the key is there: what it means without `otherwise` */
	struct sg_flat_mode caps_key;
	struct sg_flat_mode cls[SG_CLASS_N];
	bool max_set;
	bool widening; /* what is added now widens: it confines nothing that was not confined */
	size_t tree_room, row_room;
};

/* Adds the rules of one level; levels come nearest first. */
int sg_flat_objects_add(struct sg_flat_objects *b, const struct sg_doc *doc, const struct sg_lang *lang);
/* When all levels are there: fills in what was not said, and checks what can only be seen now. */
int sg_flat_objects_finish(struct sg_flat_objects *b);

#endif
