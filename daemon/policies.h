/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_POLICIES_H
#define SG_SGD_POLICIES_H

#include "policy/seccomp.h"
#include "supervisor/bpf.h"

/*
 * The policies in use, compiled once each: built-in ones come compiled with the program, others are found again by
 * their text. A policy stays as long as a sandbox uses it, and as long as there is room.
 */
#define SGD_POLICIES_MAX 1024          /* from which on no text of a client's is taken that is not there */
#define SGD_POLICIES_BYTES (64U << 20) /* of texts, likewise */

struct sgd_policy {
	struct sgd_policy *next;
	unsigned users;
	const struct sg_builtin *builtin; /* NULL: from a text */
	unsigned widen;                   /* SG_WIDEN_* */
	unsigned generation;              /* of the daemon's own policy file; 0: of a client's text */
	char *text;
	size_t size;
	char *name;               /* of the file, for messages */
	char asked[64];           /* the language as it was asked for */
	struct sg_policy *policy; /* parsed; NULL for a built-in one that nobody needed yet */
	struct sg_filter filter;
	struct sg_limits limits;
	const char *language, *source, *digest;
	char source_text[80];
	int slot; /* in the BPF tables, -1: not there */
	unsigned slot_users;
	uint64_t used_ns;
	unsigned mark; /* of who counts */
};

struct sgd_policies {
	struct sgd_policy *all;
	unsigned n;
	size_t bytes;
	struct sg_doc *doc; /* the daemon's own file, NULL: none */
	char *doc_name;
	unsigned generation; /* of doc: never one that another file had */
	unsigned counter, marks;
	bool slots[SG_MAX_POLICIES];
};

/*
 * A policy for a language, widened by SG_WIDEN_*. text NULL: the daemon's own file, else the built-in ones; otherwise
 * size bytes of a file called name. *out: one use, to be given back. Errors: of the text, with positions; -ENOSPC.
 */
int sgd_policy_get(struct sgd_policies *ps, const char *language, unsigned widen, const char *text, size_t size,
		   const char *name, struct sgd_policy **out, struct sg_err *err);
void sgd_policy_put(struct sgd_policies *ps, struct sgd_policy *p);
/* Parsed, for explaining and for rulesets. NULL with *err. Belongs to p. */
struct sg_policy *sgd_policy_parsed(struct sgd_policy *p, struct sg_err *err);
/* Hands it to the sys_enter program. p->slot is its number until the last user gives it back. */
int sgd_policy_slot_get(struct sgd_policies *ps, struct sg_bpf *bpf, struct sgd_policy *p, struct sg_err *err);
void sgd_policy_slot_put(struct sgd_policies *ps, struct sgd_policy *p);
/* Replaces the daemon's own policies. On failure nothing changes. text NULL: none. */
int sgd_policies_load(struct sgd_policies *ps, const char *name, const char *text, size_t size, struct sg_err *err);
void sgd_policies_free(struct sgd_policies *ps);

#endif
