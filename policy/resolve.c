// SPDX-License-Identifier: Apache-2.0
#include "policy/resolve.h"
#include "policy/names.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * One language of a document, its inheritance flattened into one ordered list of rules per system call. A level's
 * rules come before its parents'; an unconditional rule closes the call: nothing after it can be reached.
 */

#define LEVELS_MAX 512
#define DOCS_MAX 64

struct flat_rule {
	struct flat_rule *next;
	const struct sg_alt *alt;
	const struct sg_item *item;
	uint32_t origin;
};

struct slot {
	struct flat_rule *first, **tail;
	unsigned n;
	bool closed;
	__u16 action, err;
	uint32_t origin;
};

struct sg_flat {
	struct sg_policy *policy;
	struct sg_err *err;
	struct sg_arena scratch;
	struct sg_doc *docs[DOCS_MAX]; /* built-in ones that were read */
	size_t n_docs;
	const struct sg_lang *seen[LEVELS_MAX];
	bool widened[LEVELS_MAX]; /* of seen: only what it allows was taken, to widen */
	size_t n_seen;
	bool unlisted_set;
	unsigned n_rules;
	size_t room; /* for origins */
	struct sg_flat_objects objects;
	struct slot slot[SG_NR_MAX];
};

static int no_memory(struct sg_flat *f)
{
	return sg_err_set(f->err, ENOMEM, "out of memory");
}

int sg_flat_origin(struct sg_flat *f, const struct sg_doc *doc, const struct sg_lang *lang, struct sg_pos pos,
		   enum sg_list list, const char *text, uint32_t *index)
{
	struct sg_policy *p = f->policy;
	struct sg_origin *o;

	if (p->n_origins == f->room) {
		size_t room = f->room ? f->room * 2 : 128;
		struct sg_origin *bigger = sg_arena_alloc(&p->arena, room * sizeof(*bigger));

		if (!bigger)
			return no_memory(f);
		if (p->n_origins)
			memcpy(bigger, p->origins, p->n_origins * sizeof(*bigger));
		p->origins = bigger;
		f->room = room;
	}
	o = &p->origins[p->n_origins];
	o->file = sg_arena_strndup(&p->arena, doc->name, strlen(doc->name));
	o->language = sg_arena_strndup(&p->arena, lang->name, strlen(lang->name));
	o->text = sg_arena_strndup(&p->arena, text, strlen(text));
	if (!o->file || !o->language || !o->text)
		return no_memory(f);
	o->line = pos.line;
	o->column = pos.column;
	o->list = sg_list_name(list);
	*index = p->n_origins++;
	return 0;
}

static int add_conditional(struct sg_flat *f, const struct sg_doc *doc, const struct sg_item *item, struct slot *s,
			   uint32_t origin)
{
	const struct sg_alt *alt;
	struct flat_rule *r;

	for (alt = item->alts; alt; alt = alt->next) {
		if (++s->n > SG_RULES_PER_NR)
			return sg_err_at(f->err, E2BIG, doc->name, item->pos.line, item->pos.column,
					 "more than %d conditional rules for \"%s\", the inherited ones included",
					 SG_RULES_PER_NR, item->name);
		if (++f->n_rules > SG_RULES_MAX)
			return sg_err_at(f->err, E2BIG, doc->name, item->pos.line, item->pos.column,
					 "more than %d conditional rules in one policy, the inherited ones included",
					 SG_RULES_MAX);
		r = sg_arena_alloc(&f->scratch, sizeof(*r));
		if (!r)
			return no_memory(f);
		r->alt = alt;
		r->item = item;
		r->origin = origin;
		if (!s->tail)
			s->tail = &s->first;
		*s->tail = r;
		s->tail = &r->next;
	}
	return 0;
}

static int add_items(struct sg_flat *f, const struct sg_doc *doc, const struct sg_lang *lang, enum sg_list list,
		     bool conditional)
{
	const struct sg_item *i;
	uint32_t origin;
	int rc;

	for (i = lang->items; i; i = i->next) {
		struct slot *s;

		if (i->nr < 0 || i->list != list || !i->alts == conditional)
			continue;
		s = &f->slot[i->nr];
		if (s->closed)
			continue;
		rc = sg_flat_origin(f, doc, lang, i->pos, list, i->text, &origin);
		if (rc)
			return rc;
		if (conditional) {
			rc = add_conditional(f, doc, i, s, origin);
			if (rc)
				return rc;
			continue;
		}
		s->closed = true;
		s->action = (__u16)sg_list_action(list);
		s->err = (__u16)i->err;
		s->origin = origin;
	}
	return 0;
}

static int add_lists(struct sg_flat *f, const struct sg_doc *doc, const struct sg_lang *lang, bool allow, bool others)
{
	int rc = 0;

	for (int conditional = 1; conditional >= 0; conditional--)
		for (unsigned list = SG_LIST_KILL; list <= SG_LIST_DENIED && !rc; list++)
			if (list == SG_LIST_ALLOW ? allow : others)
				rc = add_items(f, doc, lang, (enum sg_list)list, conditional);
	return rc;
}

/* What widens stands in front of everything, so it only allows: it takes nothing away from what comes after it. */
static int add_level(struct sg_flat *f, const struct sg_doc *doc, const struct sg_lang *lang)
{
	int rc = add_lists(f, doc, lang, true, !f->objects.widening);

	return rc ? rc : sg_flat_objects_add(&f->objects, doc, lang);
}

static void merge_limits(struct sg_limits *to, const struct sg_limits *from)
{
	uint64_t *t = (uint64_t *)to;
	const uint64_t *s = (const uint64_t *)from;
	size_t i;

	_Static_assert(sizeof(struct sg_limits) == 9 * sizeof(uint64_t), "struct sg_limits is a row of nine numbers");
	for (i = 0; i < sizeof(*to) / sizeof(*t); i++)
		if (!t[i])
			t[i] = s[i];
}

static int load_builtin(struct sg_flat *f, const char *name, const struct sg_doc **doc, const struct sg_lang **lang)
{
	const struct sg_builtin *b = sg_builtin_find(name);
	char source[64];
	size_t i;
	int rc;

	if (!b)
		return sg_err_set(f->err, ENOENT, "there is no built-in policy \"%s\"", name);
	snprintf(source, sizeof(source), "builtin:%s", b->name);
	for (i = 0; i < f->n_docs && strcmp(f->docs[i]->name, source); i++)
		;
	if (i == f->n_docs) {
		if (i == DOCS_MAX)
			return sg_err_set(f->err, E2BIG, "more than %d built-in policies are inherited", DOCS_MAX);
		rc = sg_doc_parse(source, sg_builtin_yaml(b), b->yaml_len, &f->docs[i], f->err);
		if (rc)
			return rc;
		f->n_docs++;
	}
	*doc = f->docs[i];
	*lang = sg_doc_find(f->docs[i], b->name);
	if (!*lang)
		return sg_err_set(f->err, EINVAL, "%s does not define \"%s\"", source, b->name);
	return 0;
}

static int visit_parents(struct sg_flat *f, const struct sg_doc *doc, const struct sg_lang *lang);

static int visit(struct sg_flat *f, const struct sg_doc *doc, const struct sg_lang *lang)
{
	size_t i;
	int rc;

	/* Seen before: every rule of it stands further to the front already. This also ends a cycle. */
	for (i = 0; i < f->n_seen; i++) {
		if (f->seen[i] != lang)
			continue;
		if (!f->widened[i] || f->objects.widening)
			return 0;
		f->widened[i] = false;
		rc = add_lists(f, doc, lang, false, true);
		/* What it allows is there; now it also says what becomes of the rest. */
		if (!rc)
			rc = sg_flat_objects_add(&f->objects, doc, lang);
		return rc ? rc : visit_parents(f, doc, lang);
	}
	if (f->n_seen == LEVELS_MAX)
		return sg_err_at(f->err, E2BIG, doc->name, lang->pos.line, lang->pos.column,
				 "\"%s\" inherits from more than %d languages", lang->name, LEVELS_MAX);
	f->widened[f->n_seen] = f->objects.widening;
	f->seen[f->n_seen++] = lang;
	rc = add_level(f, doc, lang);
	if (rc)
		return rc;
	merge_limits(&f->policy->limits, &lang->limits);
	if (lang->unlisted && !f->unlisted_set) {
		f->unlisted_set = true;
		f->policy->rs.unlisted_action = (__u16)lang->unlisted_action;
		f->policy->rs.unlisted_err = (__u16)lang->unlisted_err;
		rc = sg_flat_origin(f, doc, lang, lang->unlisted_pos, SG_LIST_UNLISTED, lang->unlisted,
				    &f->policy->unlisted_origin);
	}
	return rc ? rc : visit_parents(f, doc, lang);
}

static int visit_parents(struct sg_flat *f, const struct sg_doc *doc, const struct sg_lang *lang)
{
	int rc = 0;

	for (const struct sg_word *w = lang->parents; w && !rc; w = w->next) {
		const struct sg_doc *parent_doc = doc;
		const struct sg_lang *parent = NULL;

		if (!strncmp(w->text, "builtin:", 8))
			rc = load_builtin(f, w->text + 8, &parent_doc, &parent);
		else
			parent = sg_doc_find(doc, w->text);
		if (!rc && !parent)
			rc = sg_err_at(f->err, EINVAL, doc->name, w->pos.line, w->pos.column,
				       "this file has no language \"%s\"", w->text);
		if (!rc)
			rc = visit(f, parent_doc, parent);
	}
	return rc;
}

static void emit_rules(struct sg_flat *f)
{
	struct sg_ruleset *rs = &f->policy->rs;
	unsigned nr;

	for (nr = 0; nr < SG_NR_MAX; nr++) {
		struct slot *s = &f->slot[nr];
		struct sg_entry *e = &rs->entry[nr];
		const __u64 bit = 1ULL << (nr % 64);
		const struct flat_rule *r;

		e->first_rule = (__u16)rs->n_rules;
		e->n_rules = (__u16)s->n;
		e->action = s->closed ? s->action : rs->unlisted_action;
		e->err = s->closed ? s->err : rs->unlisted_err;
		e->origin = s->closed ? s->origin : f->policy->unlisted_origin;
		for (r = s->first; r; r = r->next) {
			struct sg_rule *to = &rs->rules[rs->n_rules++];

			memcpy(to->cond, r->alt->cond, sizeof(to->cond));
			to->n_conds = (__u16)r->alt->n;
			to->action = (__u16)sg_list_action(r->item->list);
			to->err = (__u16)r->item->err;
			to->origin = r->origin;
			if (to->action == SG_ACTION_AUDIT)
				rs->audit[nr / 64] |= bit;
		}
		if (e->action == SG_ACTION_ALLOW && !e->n_rules)
			rs->allow[nr / 64] |= bit;
		if (e->action == SG_ACTION_AUDIT)
			rs->audit[nr / 64] |= bit;
		if (rs->audit[nr / 64] & bit)
			f->policy->has_audit = true;
	}
	if (rs->unlisted_action == SG_ACTION_AUDIT)
		f->policy->has_audit = true;
}

static void digest_objects(SHA2_CTX *ctx, const struct sg_policy *p)
{
	struct sg_objects o = p->objects;
	size_t i;

	for (i = 0; i < SG_CLASS_N; i++)
		o.cls[i].origin = 0;
	for (i = 0; i < SG_NET_MAX; i++)
		o.net[i].origin = 0;
	SHA256Update(ctx, (const uint8_t *)&o, sizeof(o));
	for (i = 0; i < p->n_trees; i++) {
		const struct sg_tree *t = &p->trees[i];

		SHA256Update(ctx, (const uint8_t *)t->path, strlen(t->path) + 1);
		SHA256Update(ctx, (const uint8_t *)&t->rights.allow, sizeof(t->rights.allow));
		SHA256Update(ctx, (const uint8_t *)&t->rights.deny, sizeof(t->rights.deny));
	}
}

/*
 * Over what the policy means, not over where it is written: moving a line does not change the digest. then: the digest
 * of the second phase, or NULL.
 */
static void digest(struct sg_policy *p, struct sg_ruleset *scratch, const char *then)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx;
	size_t i, n;

	memcpy(scratch, &p->rs, sizeof(*scratch));
	for (i = 0; i < SG_NR_MAX; i++)
		scratch->entry[i].origin = 0;
	for (i = 0; i < SG_RULES_MAX; i++)
		scratch->rules[i].origin = 0;
	SHA256Init(&ctx);
	SHA256Update(&ctx, (const uint8_t *)scratch, sizeof(*scratch));
	SHA256Update(&ctx, (const uint8_t *)&p->limits, sizeof(p->limits));
	digest_objects(&ctx, p);
	if (then)
		SHA256Update(&ctx, (const uint8_t *)then, strlen(then));
	SHA256Final(sum, &ctx);
	n = (size_t)snprintf(p->digest, sizeof(p->digest), "sha256:");
	for (i = 0; i < sizeof(sum); i++)
		n += (size_t)snprintf(p->digest + n, sizeof(p->digest) - n, "%02x", sum[i]);
}

static int unknown_language(const struct sg_doc *doc, const char *language, struct sg_err *err)
{
	const struct sg_builtin *table;
	const struct sg_lang *l;
	const struct sg_word *a;
	const char *alias;
	struct sg_suggest s;
	char hint[80], names[160];
	size_t i, n, used = 0;

	table = sg_builtin_table(&n);
	sg_suggest_init(&s, language);
	for (l = doc ? doc->langs : NULL; l; l = l->next) {
		sg_suggest_offer(&s, l->name);
		for (a = l->aliases; a; a = a->next)
			sg_suggest_offer(&s, a->text);
	}
	for (i = 0; i < n; i++) {
		if (!table[i].listed)
			continue;
		sg_suggest_offer(&s, table[i].name);
		for (alias = table[i].aliases; *alias; alias += strlen(alias) + 1)
			sg_suggest_offer(&s, alias);
	}
	/* Who is not close to any is told which there are. */
	names[0] = '\0';
	for (i = 0; i < n && !s.best; i++)
		if (table[i].listed && used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? ", " : "; built in: ", table[i].name);
	return sg_err_at(err, ENOENT, doc ? doc->name : "", 0, 0, "unknown language \"%.64s\"%s%s", language,
			 sg_suggest_text(&s, hint, sizeof(hint)), names);
}

static int visit_part(struct sg_flat *f, const char *name)
{
	const struct sg_doc *doc;
	const struct sg_lang *lang;
	int rc = load_builtin(f, name, &doc, &lang);

	return rc ? rc : visit(f, doc, lang);
}

static int visit_widening(struct sg_flat *f, unsigned widen)
{
	static const char *const names[] = {"inet", "unix", "run", "netlink"};
	int rc = 0;

	f->objects.widening = true;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]) && !rc; i++)
		if (widen & (1U << i))
			rc = visit_part(f, names[i]);
	if (!rc && (widen & SG_WIDEN_INET))
		rc = visit_part(f, "trust");
	f->objects.widening = false;
	return rc;
}

/*
 * "node" means the file's "javascript" too, and "python", which is what a program python3 is taken for, the file's
 * "python3": no text must be passed over because of a synonym. But what was asked for as "cpp" is not the file's
 * "rust".
 */
static int find_synonym(const struct sg_doc *doc, const struct sg_builtin *b, const char *asked,
			const struct sg_lang **out, struct sg_err *err)
{
	*out = sg_doc_find(doc, b->name);
	if (*out || strcmp(asked, b->name) != 0)
		return 0;
	for (const char *alias = b->aliases; *alias; alias += strlen(alias) + 1) {
		const struct sg_lang *l = sg_doc_find(doc, alias);

		if (l && *out && l != *out)
			return sg_err_at(
				err, EINVAL, doc->name, l->pos.line, l->pos.column,
				"\"%.64s\" can mean \"%.64s\" here or \"%.64s\" at line %u; say which with --lang",
				asked, l->name, (*out)->name, (*out)->pos.line);
		*out = l ? l : *out;
	}
	return 0;
}

static int resolve_into(struct sg_flat *f, const struct sg_doc *doc, const char *language, unsigned widen)
{
	struct sg_policy *p = f->policy;
	const struct sg_doc *root_doc = doc;
	const struct sg_lang *lang = doc ? sg_doc_find(doc, language) : NULL;
	const struct sg_builtin *b = sg_builtin_find(language);
	int rc;

	if (b && !b->listed)
		b = NULL; /* a part for others to inherit, not a language */
	if (!lang && b && doc) {
		rc = find_synonym(doc, b, language, &lang, f->err);
		if (rc)
			return rc;
	}
	if (!lang) {
		if (!b)
			return unknown_language(doc, language, f->err);
		rc = load_builtin(f, b->name, &root_doc, &lang);
		if (rc)
			return rc;
	}
	p->name = sg_arena_strndup(&p->arena, lang->name, strlen(lang->name));
	p->source = sg_arena_strndup(&p->arena, root_doc->name, strlen(root_doc->name));
	p->root_file = p->source;
	p->then = lang->then ? sg_arena_strndup(&p->arena, lang->then, strlen(lang->then)) : NULL;
	p->then_pos = lang->then_pos;
	if (!p->name || !p->source || (lang->then && !p->then))
		return no_memory(f);
	if (doc) {
		p->doc_file = sg_arena_strndup(&p->arena, doc->name, strlen(doc->name));
		if (!p->doc_file)
			return no_memory(f);
		rc = add_level(f, doc, &doc->denied);
		if (rc)
			return rc;
	}
	if (root_doc != doc) {
		rc = add_level(f, root_doc, &root_doc->denied);
		if (rc)
			return rc;
	}
	rc = visit_widening(f, widen);
	if (!rc)
		rc = visit(f, root_doc, lang);
	/* Where some sockets are allowed, those that are not are an error and no violation. */
	if (!rc && (widen & ~SG_WIDEN_RUN) && (!f->unlisted_set || p->rs.unlisted_action == SG_ACTION_KILL))
		rc = visit_part(f, "nosocket");
	return rc;
}

int sg_policy_resolve(const struct sg_doc *doc, const char *language, struct sg_policy **out, struct sg_err *err)
{
	return sg_policy_resolve_widened(doc, language, 0, out, err);
}

int sg_policy_resolve_widened(const struct sg_doc *doc, const char *language, unsigned widen, struct sg_policy **out,
			      struct sg_err *err)
{
	struct sg_ruleset *scratch = NULL;
	struct sg_policy *p, *then = NULL;
	struct sg_flat *f;
	size_t i;
	int rc;

	f = calloc(1, sizeof(*f));
	p = calloc(1, sizeof(*p));
	scratch = calloc(1, sizeof(*scratch));
	if (!f || !p || !scratch) {
		free(f);
		free(p);
		free(scratch);
		return sg_err_set(err, ENOMEM, "out of memory");
	}
	f->policy = p;
	f->err = err;
	p->unlisted_origin = SG_ORIGIN_UNLISTED;
	p->rs.size = sizeof(p->rs);
	p->rs.version = SG_RULESET_VERSION;
	p->rs.unlisted_action = SG_ACTION_KILL;
	f->objects = (struct sg_flat_objects){.flat = f, .policy = p, .err = err};
	rc = resolve_into(f, doc, language, widen);
	if (!rc)
		rc = sg_flat_objects_finish(&f->objects);
	if (!rc && p->then)
		rc = sg_policy_resolve_widened(doc, p->then, widen, &then, err);
	if (!rc) {
		emit_rules(f);
		digest(p, scratch, then ? then->digest : NULL);
		if (then)
			memcpy(p->then_digest, then->digest, sizeof(p->then_digest));
	}
	sg_policy_free(then);
	for (i = 0; i < f->n_docs; i++)
		sg_doc_free(f->docs[i]);
	sg_arena_free(&f->scratch);
	free(f);
	free(scratch);
	if (rc)
		sg_policy_free(p);
	else
		*out = p;
	return rc;
}

void sg_policy_free(struct sg_policy *p)
{
	if (!p)
		return;
	sg_arena_free(&p->arena);
	free(p);
}
