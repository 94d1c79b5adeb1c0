// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"
#include "policy/names.h"
#include "policy/parse.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <string.h>

const struct sg_lang *sg_doc_find(const struct sg_doc *doc, const char *name)
{
	const struct sg_lang *l;
	const struct sg_word *a;

	for (l = doc->langs; l; l = l->next)
		if (!strcmp(l->name, name))
			return l;
	for (l = doc->langs; l; l = l->next)
		for (a = l->aliases; a; a = a->next)
			if (!strcmp(a->text, name))
				return l;
	return NULL;
}

static int check_names(struct sg_parser *p, const struct sg_doc *doc)
{
	const struct sg_lang *l, *m;
	const struct sg_word *a, *b;

	for (l = doc->langs; l; l = l->next) {
		for (a = l->aliases; a; a = a->next) {
			for (m = doc->langs; m; m = m->next) {
				if (!strcmp(m->name, a->text))
					return sg_perr(p, a->pos,
						       "the alias \"%s\" is the name of the language at line %u",
						       a->text, m->pos.line);
				for (b = m->aliases; b && b != a; b = b->next)
					if (!strcmp(a->text, b->text))
						return sg_perr(
							p, a->pos,
							"the alias \"%s\" is here twice; the first one is at line %u",
							a->text, b->pos.line);
				if (m == l)
					break;
			}
			/* Languages further down: only their names; their aliases are compared when it is their turn.
			 */
			for (m = l->next; m; m = m->next)
				if (!strcmp(m->name, a->text))
					return sg_perr(p, a->pos,
						       "the alias \"%s\" is the name of the language at line %u",
						       a->text, m->pos.line);
		}
	}
	return 0;
}

static int missing_parent(struct sg_parser *p, const struct sg_doc *doc, const struct sg_lang *lang,
			  const struct sg_word *w)
{
	const struct sg_lang *l;
	struct sg_suggest s;
	char hint[80];
	size_t i, n;

	if (!strncmp(w->text, "builtin:", 8)) {
		const struct sg_builtin *table = sg_builtin_table(&n);

		sg_suggest_init(&s, w->text + 8);
		for (i = 0; i < n; i++)
			sg_suggest_offer(&s, table[i].name);
		return sg_perr(p, w->pos, "there is no built-in policy \"%s\"%s", w->text + 8,
			       sg_suggest_text(&s, hint, sizeof(hint)));
	}
	sg_suggest_init(&s, w->text);
	for (l = doc->langs; l; l = l->next)
		if (l != lang)
			sg_suggest_offer(&s, l->name);
	if (sg_builtin_find(w->text))
		return sg_perr(p, w->pos, "this file has no language \"%s\"; did you mean \"builtin:%s\"?", w->text,
			       w->text);
	return sg_perr(p, w->pos, "this file has no language \"%s\"%s", w->text,
		       sg_suggest_text(&s, hint, sizeof(hint)));
}

struct walk {
	const struct sg_lang *lang;
	const struct walk *below; /* the language that inherits this one */
};

static int check_cycle(struct sg_parser *p, const struct sg_doc *doc, const struct sg_lang *lang,
		       const struct walk *below, const struct sg_lang **done, size_t *n_done)
{
	const struct walk here = {lang, below};
	const struct sg_word *w;
	const struct walk *b;
	size_t i;
	const struct sg_lang *next;
	int rc;

	for (i = 0; i < *n_done; i++)
		if (done[i] == lang)
			return 0;
	next = lang->then ? sg_doc_find(doc, lang->then) : NULL;
	if (lang->then && (!next || next == lang))
		return sg_perr(p, lang->then_pos, "\"then\" must name another language of this file, not \"%.64s\"",
			       lang->then);
	if (next && next->then)
		return sg_perr(p, lang->then_pos, "\"%s\" has a \"then\" of its own: there are two phases at most",
			       next->name);
	for (w = lang->parents; w; w = w->next) {
		const struct sg_lang *parent = NULL;
		const struct sg_word *other;

		for (other = lang->parents; other != w; other = other->next)
			if (!strcmp(other->text, w->text))
				return sg_perr(p, w->pos, "\"%s\" is inherited twice", w->text);
		if (!strncmp(w->text, "builtin:", 8)) {
			rc = sg_builtin_find(w->text + 8) ? 0 : sg_go_on(p, missing_parent(p, doc, lang, w));
			if (rc)
				return rc;
			continue;
		}
		parent = sg_doc_find(doc, w->text);
		if (!parent) {
			rc = sg_go_on(p, missing_parent(p, doc, lang, w));
			if (rc)
				return rc;
			continue;
		}
		if (parent == lang)
			return sg_perr(p, w->pos, "\"%s\" inherits itself%s%s%s", lang->name,
				       sg_builtin_find(w->text) ? "; did you mean \"builtin:" : "",
				       sg_builtin_find(w->text) ? w->text : "", sg_builtin_find(w->text) ? "\"?" : "");
		for (b = below; b; b = b->below)
			if (b->lang == parent)
				return sg_perr(p, w->pos,
					       "\"%s\" cannot inherit \"%s\", which itself inherits from \"%s\"",
					       lang->name, parent->name, lang->name);
		rc = check_cycle(p, doc, parent, &here, done, n_done);
		if (rc)
			return rc;
	}
	done[(*n_done)++] = lang;
	return 0;
}

static int check_denied(struct sg_parser *p, const struct sg_doc *doc)
{
	const struct sg_item *denied[SG_NR_MAX] = {NULL}, *d, *i;
	const struct sg_lang *l;
	int rc = 0;

	for (d = doc->denied.items; d; d = d->next)
		if (!d->alts && d->nr >= 0)
			denied[d->nr] = d;
	for (l = doc->langs; l; l = l->next) {
		for (i = l->items; i && !rc; i = i->next) {
			if (i->list == SG_LIST_KILL)
				continue;
			d = i->nr >= 0 ? denied[i->nr] : doc->denied.items;
			/* Calls of other architectures have no number here to look them up by. */
			while (i->nr < 0 && d && (d->alts || strcmp(d->name, i->name)))
				d = d->next;
			if (d)
				rc = sg_go_on(p, sg_perr(p, i->pos,
							 "\"%s\" is denied at line %u: it cannot be under \"%s\"",
							 i->name, d->pos.line, sg_list_name(i->list)));
		}
	}
	return rc;
}

int sg_doc_check(struct sg_parser *p, const struct sg_doc *doc)
{
	const struct sg_lang *done[SG_POLICY_MAX_LANGUAGES], *l;
	size_t n_done = 0;
	int rc;

	rc = check_names(p, doc);
	for (l = doc->langs; l && !rc; l = l->next)
		rc = check_cycle(p, doc, l, NULL, done, &n_done);
	return rc ? rc : check_denied(p, doc);
}
