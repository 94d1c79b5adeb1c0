/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_MODEL_H
#define SG_MODEL_H

#include "policy/access.h"
#include "policy/arena.h"
#include "policy/policy.h"

/* What a policy file says, still per language and with positions. Internal to policy/. Everything is in doc->arena. */

struct sg_pos {
	unsigned line, column;
};

enum sg_list {
	SG_LIST_KILL, /* in the order in which conditional rules of one level are tried */
	SG_LIST_AUDIT,
	SG_LIST_ALLOW,
	SG_LIST_ERRNO,
	SG_LIST_DENIED,
	SG_LIST_UNLISTED,
	SG_LIST_FILES,
	SG_LIST_EXEC,
	SG_LIST_NET,
	SG_LIST_KERNEL,
};
const char *sg_list_name(enum sg_list list);
enum sg_action sg_list_action(enum sg_list list);

/* Conditions that must all hold. */
struct sg_alt {
	struct sg_alt *next;
	struct sg_cond cond[SG_CONDS_MAX];
	unsigned n;
};

/* One rule as written: a system call, and what must hold of its arguments. */
struct sg_item {
	struct sg_item *next;
	const char *name;
	int nr; /* SG_NR_FOREIGN: does not exist on this architecture */
	enum sg_list list;
	unsigned err;   /* for SG_LIST_ERRNO */
	unsigned order; /* position in the file among the items of its language */
	struct sg_pos pos;
	const char *text;    /* `ioctl: request == TCGETS` */
	struct sg_alt *alts; /* any of them; NULL: whatever the arguments are */
};

struct sg_word {
	struct sg_word *next;
	const char *text;
	struct sg_pos pos;
};

/* One tree as written. A path has no trailing or double slashes. */
struct sg_tree_item {
	struct sg_tree_item *next;
	const char *path;
	uint32_t allow, deny; /* SG_RIGHT_* */
	unsigned order;
	struct sg_pos pos;
	const char *section; /* "files", "exec", "net" */
	const char *key;     /* "read", "deny", "allow" */
	const char *text;    /* "read: /usr" */
};

struct sg_net_item {
	struct sg_net_item *next;
	struct sg_net_spec spec;
	struct sg_pos pos;
	const char *text;
};

struct sg_cap_item {
	struct sg_cap_item *next;
	uint64_t bit;
	struct sg_pos pos;
	const char *text;
};

/* What something gets that no rule allows. text is NULL when it is not set. */
struct sg_mode_item {
	enum sg_action action;
	unsigned err;
	struct sg_pos pos;
	const char *text;
};

/* `files`, `exec`, `net` and `kernel` of one language. */
struct sg_lang_objects {
	bool files, exec, net, capabilities; /* the key is there */
	struct sg_pos files_pos, exec_pos, net_pos, caps_pos;
	struct sg_mode_item files_otherwise, exec_otherwise, net_otherwise;
	struct sg_mode_item cls[SG_CLASS_N];
	const char *max_text; /* exec: max; NULL: not set */
	uint32_t max;
	struct sg_pos max_pos;
	struct sg_tree_item *trees;
	struct sg_net_item *nets;
	struct sg_cap_item *caps;
	unsigned n_trees;
};

struct sg_lang {
	struct sg_lang *next;
	const char *name;
	struct sg_pos pos;
	struct sg_word *aliases;
	struct sg_word *parents; /* with their "builtin:" prefix */
	struct sg_item *items;
	unsigned n_items;
	const char *unlisted; /* as written, NULL: not set */
	struct sg_pos unlisted_pos;
	enum sg_action unlisted_action;
	unsigned unlisted_err;
	struct sg_limits limits;
	struct sg_pos limits_pos; /* line 0: no limits are set */
	struct sg_lang_objects objects;
	const char *then; /* the language that follows, NULL: none */
	struct sg_pos then_pos;
};

struct sg_doc {
	struct sg_arena arena;
	const char *name;
	struct sg_lang *langs;
	struct sg_lang *last;
	size_t n_langs;
	struct sg_lang denied; /* only its items are used */
};

/* A language of the document by name or alias, NULL when it has none. */
const struct sg_lang *sg_doc_find(const struct sg_doc *doc, const char *name);

/* YAML with positions, and nothing that a policy has no use for. */
enum sg_node_type { SG_NODE_SCALAR, SG_NODE_SEQUENCE, SG_NODE_MAPPING };
struct sg_node {
	enum sg_node_type type;
	struct sg_pos pos;
	const char *value; /* scalar, terminated */
	const char *raw;   /* where the scalar's characters stand in the text, NULL when they are not there verbatim */
	size_t len;
	bool quoted;
	struct sg_node *next;
	struct sg_node *first, *last; /* sequence: elements; mapping: key, value, key, value … */
	unsigned n;
};

/* Everything that parsing one file needs to know. */
struct sg_parser {
	struct sg_arena *arena;
	const char *name;
	const char *text;
	size_t len;
	struct sg_err *err;
	unsigned n_alts;        /* so far, over all languages */
	sg_policy_fault *fault; /* NULL: nothing is read past the first error */
	void *ctx;
	unsigned n_faults;
};
#define SG_POLICY_MAX_ALTS 8192

/* Reads the text's one YAML document. *root is NULL for an empty one. */
int sg_yaml_read(struct sg_parser *p, struct sg_node **root);

/* Reads one condition of a system call into item->alts. */
int sg_cond_parse(struct sg_parser *p, struct sg_item *item, const struct sg_node *node);

/* What can only be checked when the whole file is known: names, parents, cycles, what is allowed and denied. */
int sg_doc_check(struct sg_parser *p, const struct sg_doc *doc);

int sg_perr(struct sg_parser *p, struct sg_pos pos, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int sg_pnomem(struct sg_parser *p);

/* The embedded policies. The generator that embeds them has tables of its own in these functions' place. */
struct sg_builtin;
const struct sg_builtin *sg_builtin_table(size_t *n);
const char *sg_builtin_yaml(const struct sg_builtin *b); /* yaml_len bytes */

struct sg_policy {
	struct sg_arena arena;
	const char *name;
	const char *source;
	const char *root_file; /* file whose text the language is, "builtin:NAME" or a path */
	const char *doc_file;  /* file that was resolved against, NULL: none */
	const char *then;      /* the language that holds as well once the start is over, NULL: none */
	struct sg_pos then_pos;
	char digest[72];
	char then_digest[72]; /* of the second phase; empty: there is none */
	struct sg_limits limits;
	struct sg_origin *origins;
	uint32_t n_origins;
	uint32_t unlisted_origin; /* SG_ORIGIN_UNLISTED without a line of its own */
	bool has_audit;
	struct sg_ruleset rs;
	struct sg_objects objects;
	struct sg_tree *trees; /* sorted by path */
	size_t n_trees;
	struct sg_object_row *rows; /* every object rule that has an effect, as written */
	size_t n_rows;
};

/* One object rule as written, and what of it is in force. */
struct sg_object_row {
	uint32_t origin;
	uint32_t allow, deny; /* of a tree */
	const char *path;     /* NULL: not a tree */
};

#endif
