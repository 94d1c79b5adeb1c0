// SPDX-License-Identifier: Apache-2.0
#include "policy/names.h"
#include "policy/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* files, exec, net and kernel of a language: what may be done to objects. */

#define PATH_MAX_LEN 4095
#define EXEC_MAX_MAX 1000000
#define CREATE_AND_DELETE (SG_RIGHT_CREATE | SG_RIGHT_DELETE)

static const struct {
	const char *name;
	uint32_t allow, deny;
} file_keys[] = {{"read", SG_RIGHT_READ, 0},
		 {"write", SG_RIGHT_WRITE, 0},
		 {"create", SG_RIGHT_CREATE, 0},
		 {"delete", SG_RIGHT_DELETE, 0},
		 {"exec", SG_RIGHT_EXEC, 0},
		 {"map", SG_RIGHT_MAP, 0},
		 {"full", SG_RIGHT_READ | SG_RIGHT_WRITE | CREATE_AND_DELETE, 0},
		 {"deny", 0, SG_RIGHTS}};
#define N_FILE_KEYS (sizeof(file_keys) / sizeof(file_keys[0]))
#define EXEC_ALLOW (SG_RIGHT_EXEC | SG_RIGHT_MAP | SG_RIGHT_READ)

/* ---- paths ---- */

static int check_variable(const char *text, char *why)
{
	static const char *const names[] = {"$CWD", "$TMP", "$HOME", "$PROGRAM", "$RUNTIME"};
	const size_t n = strcspn(text, "/");
	char word[64], hint[80];
	struct sg_suggest s;

	snprintf(word, sizeof(word), "%.*s", (int)(n < sizeof(word) ? n : sizeof(word) - 1), text);
	sg_suggest_init(&s, word);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == n && !strncmp(names[i], text, n))
			return 0;
		sg_suggest_offer(&s, names[i]);
	}
	return sg_why_not(why, "unknown variable \"%s\"%s", word, sg_suggest_text(&s, hint, sizeof(hint)));
}

int sg_tree_path(const char *text, char *out, char *why)
{
	const char *s = text;
	char *to = out;

	if (!*text)
		return sg_why_not(why, "the path of a tree is missing");
	if (strlen(text) > PATH_MAX_LEN)
		return sg_why_not(why, "the path of a tree is longer than %d bytes", PATH_MAX_LEN);
	if (*text == '$' && check_variable(text, why))
		return -EINVAL;
	if (*text != '/' && *text != '$')
		return sg_why_not(
			why, "\"%.64s\" is not absolute: a tree begins with /, $CWD, $TMP, $HOME, $PROGRAM or $RUNTIME",
			text);
	while (*s) {
		size_t n = strcspn(s, "/");

		if ((n == 1 && *s == '.') || (n == 2 && !strncmp(s, "..", n)))
			return sg_why_not(why, "\"%.64s\" contains \"%.*s\": name the tree itself", text, (int)n, s);
		for (size_t i = 0; i < n; i++) {
			const unsigned char byte = (unsigned char)s[i], next = (unsigned char)s[i + 1];

			if (byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0))
				return sg_why_not(why, "the path of a tree contains a control character (0x%02x)",
						  byte == 0xc2 ? next : byte);
			if (s[i] == '*')
				return sg_why_not(
					why,
					"\"%.64s\" contains \"*\": patterns are not expanded; a tree is a file, or "
					"a directory with everything below it",
					text);
			*to++ = s[i];
		}
		s += n;
		if (*s == '/') {
			*to++ = '/';
			s += strspn(s, "/");
		}
	}
	if (to - out > 1 && to[-1] == '/')
		to--;
	*to = '\0';
	return 0;
}

/* ---- trees ---- */

struct tree_ctx {
	struct sg_lang_objects *to;
	const char *section, *key;
	uint32_t allow, deny;
};

static int add_tree(struct sg_parser *p, const struct tree_ctx *c, const struct sg_node *n, const char *path_text)
{
	struct sg_tree_item *t = sg_arena_alloc(p->arena, sizeof(*t));
	char *path = sg_arena_alloc(p->arena, strlen(path_text) + 1), why[SG_WHY_SIZE];

	if (!t || !path)
		return sg_pnomem(p);
	if (sg_tree_path(path_text, path, why))
		return sg_perr(p, n->pos, "%s", why);
	if (c->deny && sg_tree_in_self(path) == SG_SELF_PART)
		return sg_perr(
			p, n->pos,
			"\"%.64s\" cannot be denied alone: rules about a process's own directory in /proc are about "
			"all of it; deny /proc/self",
			path);
	t->path = path;
	t->allow = c->allow;
	t->deny = c->deny;
	t->order = c->to->n_trees++;
	t->pos = n->pos;
	t->section = c->section;
	t->key = c->key;
	t->text = sg_arena_printf(p->arena, "%s: %s", c->key, n->value);
	if (!t->text)
		return sg_pnomem(p);
	/* Kept in reverse; turned round when the language is complete. */
	t->next = c->to->trees;
	c->to->trees = t;
	return 0;
}

static int parse_trees(struct sg_parser *p, const struct tree_ctx *c, const struct sg_node *list)
{
	const struct sg_node *n;
	int rc = 0;

	if (list->type != SG_NODE_SEQUENCE)
		return sg_wrong_type(p, list, c->key, "a list of trees");
	for (n = list->first; n && !rc; n = n->next) {
		if (n->type != SG_NODE_SCALAR)
			rc = sg_perr(p, n->pos, "\"%s\" must be a list of trees, but one of them is %s", c->key,
				     sg_node_kind(n));
		else
			rc = add_tree(p, c, n, n->value);
		rc = sg_go_on(p, rc);
	}
	return rc;
}

static int parse_mode(struct sg_parser *p, const struct sg_node *key, const struct sg_node *val,
		      struct sg_mode_item *item)
{
	int rc = sg_parse_action(p, val, key->value, &item->action, &item->err);

	if (rc)
		return rc;
	item->pos = key->pos;
	item->text = sg_item_text(p, key->value, val);
	return item->text ? 0 : sg_pnomem(p);
}

static int parse_files(struct sg_parser *p, struct sg_lang_objects *o, const struct sg_node *map)
{
	const struct sg_node *key;
	struct sg_suggest s;
	char hint[80];
	int rc = 0;

	for (key = map->first; key && !rc; key = key->next->next) {
		size_t i;

		for (i = 0; i < N_FILE_KEYS && strcmp(file_keys[i].name, key->value); i++)
			;
		if (i < N_FILE_KEYS) {
			const struct tree_ctx c = {o, "files", file_keys[i].name, file_keys[i].allow,
						   file_keys[i].deny};

			rc = sg_go_on(p, parse_trees(p, &c, key->next));
			continue;
		}
		if (!strcmp(key->value, "otherwise")) {
			rc = sg_go_on(p, parse_mode(p, key, key->next, &o->files_otherwise));
			continue;
		}
		sg_suggest_init(&s, key->value);
		for (i = 0; i < N_FILE_KEYS; i++)
			sg_suggest_offer(&s, file_keys[i].name);
		sg_suggest_offer(&s, "otherwise");
		rc = sg_go_on(p, sg_perr(p, key->pos, "unknown key \"%.64s\" in \"files\"%s", key->value,
					 sg_suggest_text(&s, hint, sizeof(hint))));
	}
	return rc;
}

/* ---- exec ---- */

static int parse_max(struct sg_parser *p, struct sg_lang_objects *o, const struct sg_node *key,
		     const struct sg_node *val)
{
	uint64_t n = 0;

	if (val->type != SG_NODE_SCALAR || !val->len)
		return sg_wrong_type(p, val, "max", "a number");
	if (strspn(val->value, "0123456789") != val->len || sg_parse_size(val->value, &n) || n > EXEC_MAX_MAX)
		return sg_perr(p, val->pos, "\"max\" must be a number from 0 to %d, not \"%.64s\"", EXEC_MAX_MAX,
			       val->value);
	o->max = (uint32_t)n;
	o->max_pos = key->pos;
	o->max_text = sg_item_text(p, "max", val);
	return o->max_text ? 0 : sg_pnomem(p);
}

static int unknown_key(struct sg_parser *p, const struct sg_node *key, const char *section, const char *const *keys)
{
	struct sg_suggest s;
	char hint[80];

	sg_suggest_init(&s, key->value);
	for (; *keys; keys++)
		sg_suggest_offer(&s, *keys);
	return sg_perr(p, key->pos, "unknown key \"%.64s\" in \"%s\"%s", key->value, section,
		       sg_suggest_text(&s, hint, sizeof(hint)));
}

static int parse_exec(struct sg_parser *p, struct sg_lang_objects *o, const struct sg_node *map)
{
	static const char *const keys[] = {"allow", "max", "otherwise", NULL};
	const struct tree_ctx c = {o, "exec", "allow", EXEC_ALLOW, 0};
	const struct sg_node *key;
	int rc = 0;

	for (key = map->first; key && !rc; key = key->next->next) {
		if (!strcmp(key->value, "allow"))
			rc = parse_trees(p, &c, key->next);
		else if (!strcmp(key->value, "max"))
			rc = parse_max(p, o, key, key->next);
		else if (!strcmp(key->value, "otherwise"))
			rc = parse_mode(p, key, key->next, &o->exec_otherwise);
		else
			rc = unknown_key(p, key, "exec", keys);
		rc = sg_go_on(p, rc);
	}
	return rc;
}

/* ---- net ---- */

static bool same_net(const struct sg_net_spec *a, const struct sg_net_spec *b)
{
	return a->families == b->families && a->n_rules == b->n_rules &&
	       !memcmp(a->rules, b->rules, sizeof(a->rules)) && !a->unix_path && !b->unix_path;
}

static int add_net(struct sg_parser *p, struct sg_lang_objects *o, const struct sg_node *n)
{
	struct sg_net_item *item = sg_arena_alloc(p->arena, sizeof(*item)), **end;
	const struct tree_ctx c = {o, "net", "allow", SG_RIGHT_CONNECT, 0};
	char why[SG_WHY_SIZE];
	unsigned rules = 0, entries = 1;

	if (!item)
		return sg_pnomem(p);
	if (sg_net_parse(n->value, &item->spec, why))
		return sg_perr(p, n->pos, "%s", why);
	for (end = &o->nets; *end; end = &(*end)->next) {
		if (same_net(&(*end)->spec, &item->spec))
			return sg_perr(p, n->pos, "\"%.64s\" is here twice; the first one is at line %u", n->value,
				       (*end)->pos.line);
		rules += (*end)->spec.n_rules;
		entries++;
	}
	/* Also of entries: those without a rule of their own are families, and paths, which are bounded as trees. */
	if (rules + item->spec.n_rules > SG_NET_MAX || entries > SG_NET_MAX + SG_TREES_MAX)
		return sg_err_at(p->err, E2BIG, p->name, n->pos.line, n->pos.column,
				 "more than %d addresses in one \"net\"",
				 rules + item->spec.n_rules > SG_NET_MAX ? SG_NET_MAX : SG_NET_MAX + SG_TREES_MAX);
	item->pos = n->pos;
	item->text = n->value;
	*end = item;
	return item->spec.unix_path ? add_tree(p, &c, n, item->spec.unix_path) : 0;
}

static int parse_net(struct sg_parser *p, struct sg_lang_objects *o, const struct sg_node *map)
{
	static const char *const keys[] = {"allow", "otherwise", NULL};
	const struct sg_node *key, *n;
	int rc = 0;

	for (key = map->first; key && !rc; key = key->next->next) {
		if (!strcmp(key->value, "otherwise")) {
			rc = sg_go_on(p, parse_mode(p, key, key->next, &o->net_otherwise));
			continue;
		}
		if (strcmp(key->value, "allow"))
			return unknown_key(p, key, "net", keys);
		if (key->next->type != SG_NODE_SEQUENCE)
			return sg_wrong_type(p, key->next, "allow", "a list of addresses and families");
		for (n = key->next->first; n && !rc; n = n->next) {
			if (n->type != SG_NODE_SCALAR || !n->len)
				return sg_perr(
					p, n->pos,
					"\"allow\" must be a list of addresses and families, but one of them is %s",
					sg_node_kind(n));
			rc = sg_go_on(p, add_net(p, o, n));
		}
	}
	return rc;
}

/* ---- kernel ---- */

static int parse_capabilities(struct sg_parser *p, struct sg_lang_objects *o, const struct sg_node *list)
{
	const struct sg_node *n;
	struct sg_suggest s;
	char hint[80];

	if (list->type != SG_NODE_SEQUENCE)
		return sg_wrong_type(p, list, "capabilities", "a list of capabilities");
	for (n = list->first; n; n = n->next) {
		struct sg_cap_item *item = sg_arena_alloc(p->arena, sizeof(*item)), **end;
		int number = n->type == SG_NODE_SCALAR ? sg_capability_resolve(n->value) : -1;

		if (!item)
			return sg_pnomem(p);
		if (n->type != SG_NODE_SCALAR || !n->len)
			return sg_perr(p, n->pos, "\"capabilities\" must be a list of names, but one of them is %s",
				       sg_node_kind(n));
		if (number < 0) {
			const char *name;

			sg_suggest_init(&s, strncmp(n->value, "CAP_", 4) ? n->value : n->value + 4);
			for (unsigned i = 0; (name = sg_capability_name(i)); i++)
				sg_suggest_offer(&s, name);
			return sg_perr(p, n->pos, "unknown capability \"%.64s\"%s", n->value,
				       sg_suggest_text(&s, hint, sizeof(hint)));
		}
		item->bit = 1ULL << number;
		item->pos = n->pos;
		item->text = sg_item_text(p, "capabilities", n);
		if (!item->text)
			return sg_pnomem(p);
		for (end = &o->caps; *end; end = &(*end)->next)
			if ((*end)->bit == item->bit)
				return sg_perr(p, n->pos, "\"%.64s\" is here twice; the first one is at line %u",
					       n->value, (*end)->pos.line);
		*end = item;
	}
	return 0;
}

static int parse_kernel(struct sg_parser *p, struct sg_lang_objects *o, const struct sg_node *map)
{
	const struct sg_node *key;
	struct sg_suggest s;
	char hint[80];
	int rc = 0;

	for (key = map->first; key && !rc; key = key->next->next) {
		unsigned cls;

		if (!strcmp(key->value, "capabilities")) {
			o->capabilities = true;
			o->caps_pos = key->pos;
			rc = sg_go_on(p, parse_capabilities(p, o, key->next));
			continue;
		}
		if (!strcmp(key->value, "supervisor"))
			return sg_perr(p, key->pos,
				       "\"supervisor\" cannot be set: Sandgate's own processes and files are "
				       "never within reach");
		for (cls = SG_CLASS_UNIX; cls < SG_CLASS_SUPERVISOR; cls++)
			if (cls != SG_CLASS_NET && !strcmp(sg_class_name(cls), key->value))
				break;
		if (cls < SG_CLASS_SUPERVISOR) {
			rc = sg_go_on(p, parse_mode(p, key, key->next, &o->cls[cls]));
			continue;
		}
		for (cls = 0; cls < SG_CLASS_UNIX || cls == SG_CLASS_NET; cls++)
			if (!strcmp(sg_class_name(cls), key->value))
				return sg_perr(p, key->pos,
					       "\"%s\" is not set under \"kernel\"; write \"%s: {otherwise: …}\"",
					       key->value, cls == SG_CLASS_EXEC ? "exec" : "files");
		if (!strcmp(key->value, "net"))
			return sg_perr(p, key->pos,
				       "\"net\" is not set under \"kernel\"; write \"net: {otherwise: …}\"");
		sg_suggest_init(&s, key->value);
		sg_suggest_offer(&s, "capabilities");
		for (cls = SG_CLASS_UNIX; cls < SG_CLASS_SUPERVISOR; cls++)
			if (cls != SG_CLASS_NET)
				sg_suggest_offer(&s, sg_class_name(cls));
		rc = sg_go_on(p, sg_perr(p, key->pos, "unknown class \"%.64s\" in \"kernel\"%s", key->value,
					 sg_suggest_text(&s, hint, sizeof(hint))));
	}
	return rc;
}

/* ---- one language ---- */

int sg_parse_objects(struct sg_parser *p, struct sg_lang *lang, const struct sg_node *key, const struct sg_node *val)
{
	struct sg_lang_objects *o = &lang->objects;
	int rc;

	if (val->type != SG_NODE_MAPPING)
		return sg_wrong_type(p, val, key->value,
				     *key->value == 'f'   ? "a mapping of rights to lists of trees"
				     : *key->value == 'e' ? "a mapping of allow, max and otherwise"
				     : *key->value == 'n' ? "a mapping of allow and otherwise"
							  : "a mapping of classes to what becomes of them");
	rc = sg_check_duplicate_keys(p, val);
	if (rc)
		return rc;
	if (!strcmp(key->value, "files")) {
		o->files = true;
		o->files_pos = key->pos;
		return parse_files(p, o, val);
	}
	if (!strcmp(key->value, "exec")) {
		o->exec = true;
		o->exec_pos = key->pos;
		return parse_exec(p, o, val);
	}
	if (!strcmp(key->value, "net")) {
		o->net = true;
		o->net_pos = key->pos;
		return parse_net(p, o, val);
	}
	return parse_kernel(p, o, val);
}

static int by_path_and_order(const void *a, const void *b)
{
	const struct sg_tree_item *x = *(const struct sg_tree_item *const *)a,
				  *y = *(const struct sg_tree_item *const *)b;
	int c = strcmp(x->path, y->path);

	return c ? c : x->order < y->order ? -1 : x->order > y->order;
}

/* All the lines about one path in one language, in file order. They are few: nine lists, and none has it twice. */
static int check_path(struct sg_parser *p, struct sg_tree_item **t, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct sg_tree_item *a = t[j], *b = t[i];

			if (!strcmp(a->section, b->section) && !strcmp(a->key, b->key))
				return sg_perr(p, b->pos, "\"%.128s\" is here twice; the first one is at line %u",
					       b->path, a->pos.line);
			if ((a->allow & b->deny) || (a->deny & b->allow))
				return sg_perr(p, b->pos,
					       "\"%.128s\" is under \"%s: %s\" here and under \"%s: %s\" at line %u: "
					       "which one "
					       "is it?",
					       b->path, b->section, b->key, a->section, a->key, a->pos.line);
		}
	}
	return 0;
}

int sg_finish_objects(struct sg_parser *p, struct sg_lang *lang)
{
	struct sg_tree_item *t, *next, *reversed = NULL, **sorted;
	size_t n = 0, start, end;
	int rc = 0;

	for (t = lang->objects.trees; t; t = next) {
		next = t->next;
		t->next = reversed;
		reversed = t;
	}
	lang->objects.trees = reversed;
	if (!lang->objects.n_trees)
		return 0;
	sorted = calloc(lang->objects.n_trees, sizeof(struct sg_tree_item *));
	if (!sorted)
		return sg_pnomem(p);
	for (t = reversed; t; t = t->next)
		sorted[n++] = t;
	qsort(sorted, n, sizeof(struct sg_tree_item *), by_path_and_order);
	for (start = 0; start < n && !rc; start = end) {
		for (end = start + 1; end < n && !strcmp(sorted[start]->path, sorted[end]->path); end++)
			;
		rc = check_path(p, sorted + start, end - start);
	}
	free(sorted);
	return rc;
}
