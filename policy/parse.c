// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"
#include "policy/names.h"
#include "policy/parse.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 32
#define KEYS_MAX 1024 /* keys are compared pairwise */

const char *sg_list_name(enum sg_list list)
{
	static const char names[][12] = {"kill",     "audit", "allow", "errno", "denied",
					 "unlisted", "files", "exec",  "net",   "kernel"};

	return names[list];
}

enum sg_action sg_list_action(enum sg_list list)
{
	static const enum sg_action actions[] = {SG_ACTION_KILL,  SG_ACTION_AUDIT, SG_ACTION_ALLOW,
						 SG_ACTION_ERRNO, SG_ACTION_KILL,  SG_ACTION_KILL};

	return actions[list];
}

int sg_perr(struct sg_parser *p, struct sg_pos pos, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return sg_err_at(p->err, EINVAL, p->name, pos.line, pos.column, "%s", text);
}

int sg_take_fault(struct sg_parser *p)
{
	if (p->n_faults + 1 >= SG_POLICY_MAX_FAULTS)
		return -EINVAL; /* it is the last one, and goes to them at the end */
	p->n_faults++;
	p->fault(p->ctx, p->err);
	sg_err_reset(p->err);
	return 0;
}

int sg_pnomem(struct sg_parser *p)
{
	return sg_err_set(p->err, ENOMEM, "out of memory while reading %s", p->name);
}

const char *sg_node_kind(const struct sg_node *n)
{
	switch (n->type) {
	case SG_NODE_SEQUENCE:
		return "a list";
	case SG_NODE_MAPPING:
		return "a mapping";
	default:
		return n->len ? "a single value" : "empty";
	}
}

int sg_wrong_type(struct sg_parser *p, const struct sg_node *n, const char *what, const char *wanted)
{
	return sg_perr(p, n->pos, "\"%.64s\" must be %s, but is %s", what, wanted, sg_node_kind(n));
}

static int name_fault(const char *name, const char *what, char *why)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyz0123456789+_.-";

	if (!*name)
		return sg_why_not(why, "the name of %s is empty", what);
	if (strlen(name) > NAME_MAX_LEN)
		return sg_why_not(why, "the name of %s is longer than %d characters", what, NAME_MAX_LEN);
	if (name[strspn(name, ok)])
		return sg_why_not(why, "\"%.64s\" cannot be the name of %s: use a-z, 0-9 and + _ . -", name, what);
	return 0;
}

static int check_name(struct sg_parser *p, const struct sg_node *n, const char *what)
{
	char why[SG_WHY_SIZE];

	return name_fault(n->value, what, why) ? sg_perr(p, n->pos, "%s", why) : 0;
}

static bool is_reserved(const char *name)
{
	return !strcmp(name, "default") || !strcmp(name, "denied") || !strcmp(name, "version");
}

int sg_language_name_check(const char *name, struct sg_err *err)
{
	char why[SG_WHY_SIZE];

	if (name_fault(name, "a language", why))
		return sg_err_set(err, EINVAL, "%s", why);
	if (is_reserved(name) && strcmp(name, "default") != 0)
		return sg_err_set(err, EINVAL, "\"%s\" cannot be the name of a language: it means something else",
				  name);
	return 0;
}

int sg_check_duplicate_keys(struct sg_parser *p, const struct sg_node *map)
{
	const struct sg_node *k, *other;

	if (map->n / 2 > KEYS_MAX)
		return sg_err_at(p->err, E2BIG, p->name, map->pos.line, map->pos.column,
				 "more than %d keys in one mapping", KEYS_MAX);
	for (k = map->first; k; k = k->next->next)
		for (other = map->first; other != k; other = other->next->next)
			if (!strcmp(k->value, other->value))
				return sg_perr(p, k->pos, "\"%.64s\" is here twice; the first one is at line %u",
					       k->value, other->pos.line);
	return 0;
}

/* The condition on one line, for people. */
const char *sg_item_text(struct sg_parser *p, const char *name, const struct sg_node *cond)
{
	const size_t n = strlen(name);
	char *text, *to;
	const char *s;
	bool space = false;

	if (!cond)
		return name;
	text = sg_arena_alloc(p->arena, n + cond->len + 3);
	if (!text)
		return NULL;
	snprintf(text, n + 3, "%s: ", name);
	to = text + n + 2;
	for (s = cond->value; *s; s++) {
		if (strchr(" \t\r\n", *s)) {
			space = true;
			continue;
		}
		if (space && to[-1] != ' ')
			*to++ = ' ';
		space = false;
		*to++ = *s;
	}
	*to = '\0';
	return text;
}

struct list_ctx {
	struct sg_lang *lang;
	enum sg_list list;
	unsigned err;
};

static int add_item(struct sg_parser *p, const struct list_ctx *ctx, const struct sg_node *name,
		    const struct sg_node *cond)
{
	struct sg_item *item;
	char hint[80];
	int rc, nr;

	if (sg_syscall_resolve(name->value, &nr))
		return sg_perr(p, name->pos, "unknown system call \"%.64s\"%s", name->value,
			       sg_suggest_syscall(name->value, hint, sizeof(hint)));
	item = sg_arena_alloc(p->arena, sizeof(*item));
	if (!item)
		return sg_pnomem(p);
	item->name = name->value;
	item->nr = nr;
	item->list = ctx->list;
	item->err = ctx->err;
	item->pos = cond && cond->raw ? cond->pos : name->pos;
	item->pos = name->pos.line == item->pos.line ? name->pos : item->pos;
	item->text = sg_item_text(p, name->value, cond);
	if (!item->text)
		return sg_pnomem(p);
	if (cond) {
		rc = sg_cond_parse(p, item, cond);
		if (rc)
			return rc;
	}
	item->order = ctx->lang->n_items++;
	/* Kept in reverse; turned round when the language is complete. */
	item->next = ctx->lang->items;
	ctx->lang->items = item;
	return 0;
}

static int parse_conditional(struct sg_parser *p, const struct list_ctx *ctx, const struct sg_node *map)
{
	const struct sg_node *key, *val, *c;
	int rc;

	rc = sg_check_duplicate_keys(p, map);
	for (key = map->first; key && !rc; key = val->next) {
		val = key->next;
		if (val->type == SG_NODE_MAPPING)
			return sg_perr(p, val->pos, "the condition of \"%.64s\" must be text or a list of texts",
				       key->value);
		if (val->type == SG_NODE_SCALAR) {
			rc = sg_go_on(p, add_item(p, ctx, key, val));
			continue;
		}
		if (!val->n)
			return sg_perr(p, val->pos, "the list of conditions of \"%.64s\" is empty", key->value);
		for (c = val->first; c && !rc; c = c->next) {
			if (c->type != SG_NODE_SCALAR)
				return sg_perr(p, c->pos, "the condition of \"%.64s\" must be text", key->value);
			rc = sg_go_on(p, add_item(p, ctx, key, c));
		}
	}
	return rc;
}

static int parse_items(struct sg_parser *p, const struct list_ctx *ctx, const struct sg_node *list, const char *what)
{
	const struct sg_node *n;
	int rc = 0;

	if (list->type != SG_NODE_SEQUENCE)
		return sg_wrong_type(p, list, what, "a list of system calls");
	for (n = list->first; n && !rc; n = n->next) {
		if (n->type == SG_NODE_SEQUENCE)
			rc = sg_perr(p, n->pos, "a system call or \"system call: condition\" is expected, not a list");
		else if (n->type == SG_NODE_MAPPING)
			rc = parse_conditional(p, ctx, n);
		else if (!n->len)
			rc = sg_perr(p, n->pos, "the name of a system call is missing");
		else
			rc = add_item(p, ctx, n, NULL);
		rc = sg_go_on(p, rc);
	}
	return rc;
}

static int parse_errno_name(struct sg_parser *p, const struct sg_node *at, const char *name, unsigned *err)
{
	char hint[80];
	int e = sg_errno_resolve(name);

	if (!e)
		return sg_perr(p, at->pos, "unknown error name \"%.64s\"%s", name,
			       sg_suggest_errno(name, hint, sizeof(hint)));
	*err = (unsigned)e;
	return 0;
}

static int parse_errno(struct sg_parser *p, struct sg_lang *lang, const struct sg_node *map)
{
	const struct sg_node *key;
	int rc;

	if (map->type != SG_NODE_MAPPING)
		return sg_wrong_type(p, map, "errno", "a mapping of error names to lists of system calls");
	rc = sg_check_duplicate_keys(p, map);
	for (key = map->first; key && !rc; key = key->next->next) {
		struct list_ctx ctx = {lang, SG_LIST_ERRNO, 0};

		rc = parse_errno_name(p, key, key->value, &ctx.err);
		if (!rc)
			rc = parse_items(p, &ctx, key->next, key->value);
		rc = sg_go_on(p, rc);
	}
	return rc;
}

static int add_word(struct sg_parser *p, struct sg_word **list, const struct sg_node *n)
{
	struct sg_word *w = sg_arena_alloc(p->arena, sizeof(*w));

	if (!w)
		return sg_pnomem(p);
	w->text = n->value;
	w->pos = n->pos;
	while (*list)
		list = &(*list)->next;
	*list = w;
	return 0;
}

#define WORDS_MAX 16

static int parse_words(struct sg_parser *p, struct sg_word **list, const struct sg_node *n, const char *what,
		       bool inherit)
{
	const struct sg_node *w = n->type == SG_NODE_SEQUENCE ? n->first : n;
	int rc = 0;

	if (n->type == SG_NODE_MAPPING || (n->type == SG_NODE_SCALAR && (!inherit || !n->len)))
		return sg_wrong_type(p, n, what, inherit ? "a name or a list of names" : "a list of names");
	if (n->type == SG_NODE_SEQUENCE && n->n > WORDS_MAX)
		return sg_err_at(p->err, E2BIG, p->name, n->pos.line, n->pos.column, "\"%s\" has more than %d names",
				 what, WORDS_MAX);
	for (; w && !rc; w = w->next) {
		struct sg_node bare = *w;

		if (w->type != SG_NODE_SCALAR)
			return sg_wrong_type(p, w, what, "a list of names");
		if (inherit && !strncmp(w->value, "builtin:", 8)) {
			bare.value += 8;
			bare.len -= 8;
		}
		rc = check_name(p, &bare, inherit ? "a parent" : "an alias");
		if (!rc && !inherit && is_reserved(w->value))
			rc = sg_perr(p, w->pos, "\"%s\" cannot be an alias", w->value);
		if (!rc)
			rc = add_word(p, list, w);
		if (n->type == SG_NODE_SCALAR)
			break;
	}
	return rc;
}

int sg_parse_action(struct sg_parser *p, const struct sg_node *n, const char *what, enum sg_action *action,
		    unsigned *err)
{
	if (n->type != SG_NODE_SCALAR || !n->len)
		return sg_wrong_type(p, n, what, "kill, allow, audit or \"errno NAME\"");
	if (!strcmp(n->value, "kill"))
		*action = SG_ACTION_KILL;
	else if (!strcmp(n->value, "allow"))
		*action = SG_ACTION_ALLOW;
	else if (!strcmp(n->value, "audit"))
		*action = SG_ACTION_AUDIT;
	else if (!strncmp(n->value, "errno ", 6)) {
		*action = SG_ACTION_ERRNO;
		return parse_errno_name(p, n, n->value + 6 + strspn(n->value + 6, " "), err);
	} else {
		return sg_perr(p, n->pos, "\"%.64s\" must be kill, allow, audit or \"errno NAME\", not \"%.64s\"", what,
			       n->value);
	}
	return 0;
}

static int parse_unlisted(struct sg_parser *p, struct sg_lang *lang, const struct sg_node *n)
{
	int rc = sg_parse_action(p, n, "unlisted", &lang->unlisted_action, &lang->unlisted_err);

	if (rc)
		return rc;
	lang->unlisted = sg_item_text(p, "unlisted", n);
	lang->unlisted_pos = n->pos;
	return lang->unlisted ? 0 : sg_pnomem(p);
}

static int parse_limit(struct sg_parser *p, struct sg_lang *lang, const struct sg_node *key, const struct sg_node *val)
{
	struct sg_limits *l = &lang->limits;
	const struct {
		const char *name;
		uint64_t *to;
		char kind;
		uint64_t most; /* of a number */
	} keys[] = {{"pids", &l->pids, 'n', SG_LIMIT_PIDS_MAX},
		    {"open_files", &l->open_files, 'n', SG_LIMIT_FILES_MAX},
		    {"file_size", &l->file_size, 's', 0},
		    {"stack", &l->stack, 's', 0},
		    {"cpu_time", &l->cpu_time, 't', 0},
		    {"wall_time", &l->wall_time, 't', 0},
		    {"memory", &l->memory, 's', 0},
		    {"output", &l->output, 's', 0},
		    {"cpus", &l->cpus, 'c', 0}};
	const size_t n_keys = sizeof(keys) / sizeof(keys[0]);
	struct sg_suggest s;
	char hint[80];
	size_t i;
	int rc;

	for (i = 0; i < n_keys && strcmp(keys[i].name, key->value); i++)
		;
	if (i == n_keys) {
		sg_suggest_init(&s, key->value);
		for (i = 0; i < n_keys; i++)
			sg_suggest_offer(&s, keys[i].name);
		return sg_perr(p, key->pos, "unknown limit \"%.64s\"%s", key->value,
			       sg_suggest_text(&s, hint, sizeof(hint)));
	}
	if (val->type != SG_NODE_SCALAR)
		return sg_wrong_type(p, val, key->value, "a single value");
	rc = keys[i].kind == 't'   ? sg_parse_time(val->value, keys[i].to)
	     : keys[i].kind == 'c' ? sg_parse_cpus(val->value, keys[i].to)
				   : sg_parse_size(val->value, keys[i].to);
	if (!rc && keys[i].kind == 'n' && strspn(val->value, "0123456789") != val->len)
		rc = -EINVAL;
	if (keys[i].kind == 'n' && (rc == -ERANGE || (!rc && *keys[i].to > keys[i].most)))
		return sg_perr(p, val->pos, "the limit \"%s\" must be a number from 1 to %" PRIu64 ", not \"%.64s\"",
			       key->value, keys[i].most, val->value);
	if (rc == -ERANGE)
		return sg_perr(p, val->pos, "the limit \"%s\" is out of range: \"%.64s\"", key->value, val->value);
	if (rc)
		return sg_perr(p, val->pos, "the limit \"%s\" must be %s, not \"%.64s\"", key->value,
			       keys[i].kind == 'n'   ? "a number"
			       : keys[i].kind == 's' ? "a size like 4096, 64K, 16M or 1G"
			       : keys[i].kind == 'c' ? "a number of processors like 2 or 0.5"
						     : "a time like 500ms, 10s, 2m or 1h",
			       val->value);
	if (!*keys[i].to)
		return sg_perr(p, val->pos, "the limit \"%s\" must not be 0; leave it out to set none", key->value);
	return 0;
}

static int parse_limits(struct sg_parser *p, struct sg_lang *lang, const struct sg_node *map)
{
	const struct sg_node *key;
	int rc;

	if (map->type != SG_NODE_MAPPING)
		return sg_wrong_type(p, map, "limits", "a mapping of limits to values");
	rc = sg_go_on(p, sg_check_duplicate_keys(p, map));
	for (key = map->first; key && !rc; key = key->next->next)
		rc = sg_go_on(p, parse_limit(p, lang, key, key->next));
	return rc;
}

static int by_name_and_order(const void *a, const void *b)
{
	const struct sg_item *x = *(const struct sg_item *const *)a, *y = *(const struct sg_item *const *)b;
	int c = strcmp(x->name, y->name);

	return c ? c : x->order < y->order ? -1 : x->order > y->order;
}

static bool same_conditions(const struct sg_item *a, const struct sg_item *b)
{
	const struct sg_alt *x = a->alts, *y = b->alts;

	for (; x && y; x = x->next, y = y->next)
		if (x->n != y->n || memcmp(x->cond, y->cond, sizeof(x->cond)))
			return false;
	return !x && !y;
}

static const char *list_text(const struct sg_item *i, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", sg_list_name(i->list), i->err ? " " : "", i->err ? sg_errno_name(i->err) : "");
	return buf;
}

/* All the rules of one system call in one language, in file order. */
static int check_group(struct sg_parser *p, struct sg_item **items, size_t n)
{
	size_t i, j, conditional = 0;
	char x[32], y[32];

	for (i = 0; i < n; i++) {
		const struct sg_item *b = items[i];

		if (b->alts && ++conditional > SG_RULES_PER_NR)
			return sg_err_at(p->err, E2BIG, p->name, b->pos.line, b->pos.column,
					 "more than %d conditional rules for \"%s\"", SG_RULES_PER_NR, b->name);
		for (j = i; j-- > 0;) {
			const struct sg_item *a = items[j];

			/* Few are compared: conditional ones are bounded, and a second unconditional one ends it. */
			if (!same_conditions(a, b))
				continue;
			if (a->list == b->list && a->err == b->err)
				return sg_perr(p, b->pos, "\"%s\" is here twice; the first one is at line %u", b->text,
					       a->pos.line);
			return sg_perr(p, b->pos,
				       "\"%s\" is under \"%s\" here and under \"%s\" at line %u: which one is it?",
				       b->text, list_text(b, y, sizeof(y)), list_text(a, x, sizeof(x)), a->pos.line);
		}
	}
	return 0;
}

static int finish_items(struct sg_parser *p, struct sg_lang *lang)
{
	struct sg_item *i, *next, *reversed = NULL, **sorted;
	size_t n = 0, start, end;
	int rc = 0;

	for (i = lang->items; i; i = next) {
		next = i->next;
		i->next = reversed;
		reversed = i;
	}
	lang->items = reversed;
	if (!lang->n_items)
		return 0;
	sorted = calloc(lang->n_items, sizeof(struct sg_item *));
	if (!sorted)
		return sg_pnomem(p);
	for (i = lang->items; i; i = i->next)
		sorted[n++] = i;
	qsort(sorted, n, sizeof(struct sg_item *), by_name_and_order);
	for (start = 0; start < n && !rc; start = end) {
		for (end = start + 1; end < n && !strcmp(sorted[start]->name, sorted[end]->name); end++)
			;
		rc = sg_go_on(p, check_group(p, sorted + start, end - start));
	}
	free(sorted);
	return rc;
}

static const char language_keys[][12] = {"inherit", "aliases", "allow", "audit", "kill",   "errno", "unlisted",
					 "limits",  "files",   "exec",  "net",   "kernel", "then"};

static int parse_language_key(struct sg_parser *p, struct sg_lang *lang, const struct sg_node *key,
			      const struct sg_node *val)
{
	static const struct {
		char key[16], where[80];
	} elsewhere[] = {{"denied", "it is for all languages, beside them"},
			 {"version", "it is for the whole file, beside its languages"},
			 {"deny", "write \"files: {deny: […]}\" for files, \"kill\" for calls"},
			 {"read", "write \"files: {read: […]}\""},
			 {"write", "write \"files: {write: […]}\""},
			 {"otherwise", "it belongs under files, exec or net; for calls: unlisted"},
			 {"capabilities", "write \"kernel: {capabilities: […]}\""}};
	struct list_ctx ctx = {lang, SG_LIST_ALLOW, 0};
	struct sg_suggest s;
	char hint[80];
	size_t i;

	if (!strcmp(key->value, "allow") || !strcmp(key->value, "audit") || !strcmp(key->value, "kill")) {
		ctx.list = key->value[0] == 'k' ? SG_LIST_KILL : key->value[1] == 'u' ? SG_LIST_AUDIT : SG_LIST_ALLOW;
		return parse_items(p, &ctx, val, key->value);
	}
	if (!strcmp(key->value, "errno"))
		return parse_errno(p, lang, val);
	if (!strcmp(key->value, "inherit"))
		return parse_words(p, &lang->parents, val, "inherit", true);
	if (!strcmp(key->value, "aliases"))
		return parse_words(p, &lang->aliases, val, "aliases", false);
	if (!strcmp(key->value, "unlisted"))
		return parse_unlisted(p, lang, val);
	if (!strcmp(key->value, "limits")) {
		lang->limits_pos = key->pos;
		return parse_limits(p, lang, val);
	}
	if (!strcmp(key->value, "then")) {
		if (val->type != SG_NODE_SCALAR)
			return sg_wrong_type(p, val, "then", "the name of a language of this file");
		lang->then = val->value;
		lang->then_pos = val->pos;
		return 0;
	}
	if (!strcmp(key->value, "files") || !strcmp(key->value, "exec") || !strcmp(key->value, "net") ||
	    !strcmp(key->value, "kernel"))
		return sg_parse_objects(p, lang, key, val);
	for (i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (!strcmp(key->value, elsewhere[i].key))
			return sg_perr(p, key->pos, "\"%s\" does not stand here: %s", key->value, elsewhere[i].where);
	sg_suggest_init(&s, key->value);
	for (i = 0; i < sizeof(language_keys) / sizeof(language_keys[0]); i++)
		sg_suggest_offer(&s, language_keys[i]);
	return sg_perr(p, key->pos, "unknown key \"%.64s\"%s", key->value, sg_suggest_text(&s, hint, sizeof(hint)));
}

static int parse_language(struct sg_parser *p, struct sg_doc *doc, const struct sg_node *key, const struct sg_node *val)
{
	struct list_ctx ctx = {NULL, SG_LIST_ALLOW, 0};
	const struct sg_node *k;
	struct sg_lang *lang;
	struct sg_suggest s;
	char hint[80];
	int rc;

	rc = check_name(p, key, "a language");
	if (rc)
		return rc;
	if (val->type != SG_NODE_MAPPING && strcmp(key->value, "default")) {
		for (size_t i = 0; i < sizeof(language_keys) / sizeof(language_keys[0]); i++)
			if (!strcmp(key->value, language_keys[i]))
				return sg_perr(p, key->pos,
					       "\"%s\" does not stand here: it belongs under a language, as in "
					       "\"python: {%s: …}\"",
					       key->value, key->value);
		sg_suggest_init(&s, key->value);
		sg_suggest_offer(&s, "default");
		sg_suggest_offer(&s, "denied");
		sg_suggest_offer(&s, "version");
		return sg_perr(p, key->pos, "the language \"%s\" must be a mapping (inherit, allow, …), but is %s%s",
			       key->value, sg_node_kind(val), sg_suggest_text(&s, hint, sizeof(hint)));
	}
	if (doc->n_langs == SG_POLICY_MAX_LANGUAGES)
		return sg_err_at(p->err, E2BIG, p->name, key->pos.line, key->pos.column,
				 "more than %d languages in one file", SG_POLICY_MAX_LANGUAGES);
	lang = sg_arena_alloc(p->arena, sizeof(*lang));
	if (!lang)
		return sg_pnomem(p);
	lang->name = key->value;
	lang->pos = key->pos;
	if (doc->last)
		doc->last->next = lang;
	else
		doc->langs = lang;
	doc->last = lang;
	doc->n_langs++;
	if (val->type != SG_NODE_MAPPING) {
		ctx.lang = lang;
		rc = parse_items(p, &ctx, val, "default");
	} else {
		rc = sg_go_on(p, sg_check_duplicate_keys(p, val));
		for (k = val->first; k && !rc; k = k->next->next)
			rc = sg_go_on(p, parse_language_key(p, lang, k, k->next));
	}
	if (!rc)
		rc = sg_go_on(p, sg_finish_objects(p, lang));
	return rc ? rc : finish_items(p, lang);
}

static int parse_top(struct sg_parser *p, struct sg_doc *doc, const struct sg_node *root)
{
	const struct sg_node *key, *val;
	struct list_ctx denied = {&doc->denied, SG_LIST_DENIED, 0};
	int rc;

	if (root->type != SG_NODE_MAPPING)
		return sg_perr(p, root->pos, "a policy file is a mapping of languages to their rules, but this is %s",
			       sg_node_kind(root));
	if (root->n / 2 > SG_POLICY_MAX_LANGUAGES + 2)
		return sg_err_at(p->err, E2BIG, p->name, root->pos.line, root->pos.column,
				 "more than %d languages in one file", SG_POLICY_MAX_LANGUAGES);
	rc = sg_go_on(p, sg_check_duplicate_keys(p, root));
	for (key = root->first; key && !rc; key = val->next) {
		val = key->next;
		if (!strcmp(key->value, "denied")) {
			rc = parse_items(p, &denied, val, "denied");
			if (!rc)
				rc = finish_items(p, &doc->denied);
		} else if (!strcmp(key->value, "version")) {
			if (val->type != SG_NODE_SCALAR || strcmp(val->value, "1"))
				return sg_perr(p, val->pos,
					       "\"version\" must be 1: this program knows no other format");
		} else {
			rc = parse_language(p, doc, key, val);
		}
		rc = sg_go_on(p, rc);
	}
	if (!rc && !p->n_faults && !doc->langs && !doc->denied.items)
		return sg_perr(p, root->pos, "the file defines no language");
	return rc;
}

int sg_doc_parse(const char *name, const char *text, size_t len, struct sg_doc **out, struct sg_err *err)
{
	return sg_doc_parse_all(name, text, len, NULL, NULL, out, err);
}

static int read_doc(struct sg_parser *p, struct sg_doc *doc)
{
	struct sg_node *root = NULL;
	int rc;

	p->arena = &doc->arena;
	doc->denied.name = "denied";
	doc->name = sg_arena_strndup(&doc->arena, p->name, strlen(p->name));
	rc = doc->name ? sg_yaml_read(p, &root) : sg_pnomem(p);
	if (!rc && !root)
		rc = sg_perr(p, (struct sg_pos){1, 1}, "the file is empty: it defines no language");
	if (!rc)
		rc = parse_top(p, doc, root);
	/* A language that could not be read is missing for others: what is said of the whole would mislead. */
	return rc || p->n_faults ? rc : sg_doc_check(p, doc);
}

int sg_doc_parse_all(const char *name, const char *text, size_t len, sg_policy_fault *fault, void *ctx,
		     struct sg_doc **out, struct sg_err *err)
{
	struct sg_parser p = {.text = text, .len = len, .err = err, .name = name, .fault = fault, .ctx = ctx};
	struct sg_doc *doc = NULL;
	int rc;

	if (len > SG_POLICY_MAX_BYTES)
		rc = sg_err_at(err, E2BIG, name, 0, 0, "the file is larger than %u bytes", SG_POLICY_MAX_BYTES);
	else if (!(doc = calloc(1, sizeof(*doc))))
		rc = sg_pnomem(&p);
	else
		rc = read_doc(&p, doc);
	if (!rc && !p.n_faults) {
		*out = doc;
		return 0;
	}
	if (rc && fault)
		fault(ctx, err);
	sg_doc_free(doc);
	return rc ? rc : sg_err_set(err, EINVAL, "%u errors", p.n_faults);
}

void sg_doc_free(struct sg_doc *doc)
{
	if (!doc)
		return;
	sg_arena_free(&doc->arena);
	free(doc);
}
