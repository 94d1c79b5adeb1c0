// SPDX-License-Identifier: Apache-2.0
/* What somebody added to a learnt file that learning into it again cannot keep: that is refused, not lost. */
#include "policy/learn_priv.h"
#include "policy/model.h"
#include "policy/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const timing[] = {SG_LEARN_TIMING};
static const char *const refused[] = {SG_LEARN_REFUSED};

static int lost(const struct sg_doc *doc, struct sg_pos pos, const char *key, const char *text, struct sg_err *err)
{
	return sg_err_at(err, EINVAL, doc->name, pos.line, pos.column,
			 "\"%.128s%s%.128s\" was added by hand, and would be lost when this file is written anew: "
			 "learn into another file and copy from there what is new, or take this out first",
			 key, *key && *text ? ": " : "", text);
}

static bool is_one_of(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

static bool kept_item(const struct sg_learn *l, const struct sg_item *i)
{
	const bool answered = is_one_of(refused, sizeof(refused) / sizeof(refused[0]), i->name);

	if (i->list == SG_LIST_ERRNO)
		return !l->base && answered && !i->alts && !strcmp(sg_errno_name(i->err), "ENOSYS");
	if (i->list != SG_LIST_ALLOW || i->nr < 0 || answered)
		return false;
	/* Written without a condition, whatever there was. */
	return l->base || !i->alts || !is_one_of(timing, sizeof(timing) / sizeof(timing[0]), i->name);
}

static int lost_items(const struct sg_learn *l, const struct sg_doc *doc, const struct sg_item *i, struct sg_err *err)
{
	for (; i; i = i->next)
		if (!kept_item(l, i))
			return lost(doc, i->pos, sg_list_name(i->list), i->text, err);
	return 0;
}

static int lost_objects(const struct sg_doc *doc, const struct sg_lang *lang, struct sg_err *err)
{
	const struct sg_lang_objects *o = &lang->objects;

	if (o->files_otherwise.text)
		return lost(doc, o->files_otherwise.pos, "files", o->files_otherwise.text, err);
	if (o->exec)
		return lost(doc, o->exec_pos, "exec", "", err);
	for (const struct sg_tree_item *t = o->trees; t; t = t->next) {
		if (t->deny)
			return lost(doc, t->pos, t->section, t->text, err);
		if (!lang->parents && !strcmp(t->section, "files"))
			return lost(doc, t->pos, t->section, t->text, err);
	}
	if (o->net && !lang->parents)
		return lost(doc, o->net_pos, "net", "", err);
	for (unsigned c = 0; c < SG_CLASS_N; c++)
		if (o->cls[c].text && (o->cls[c].action != SG_ACTION_ALLOW || !lang->parents))
			return lost(doc, o->cls[c].pos, "kernel", o->cls[c].text, err);
	return o->capabilities ? lost(doc, o->caps_pos, "kernel", "capabilities", err) : 0;
}

/* Comments that are written into a policy again where they still hold. */
static const char *const ours[] = {"# builtin:",
				   "# whatever its arguments are",
				   "# files and sockets: ",
				   "# as they were answered while learning",
				   "# sockets were used; ",
				   "# more than a policy has room for"};

/* Where the comment of a line begins; n: there is none. A quoted text over several lines is nothing that we write. */
static size_t comment_at(const char *line, size_t n)
{
	char quote = 0;

	for (size_t i = 0; i < n; i++) {
		const char before = i ? line[i - 1] : ' ';

		if (quote == '"' && line[i] == '\\')
			i++;
		else if (quote)
			quote = line[i] == quote ? 0 : quote;
		else if ((line[i] == '"' || line[i] == '\'') && strchr(" \t[{,", before))
			quote = line[i];
		else if (line[i] == '#' && (before == ' ' || before == '\t'))
			return i;
	}
	return n;
}

/* What stands behind a rule of a call is kept as its note. */
static bool has_call(const struct sg_lang *lang, unsigned line)
{
	for (const struct sg_item *i = lang->items; i; i = i->next)
		if (i->list == SG_LIST_ALLOW && i->pos.line == line)
			return true;
	return false;
}

int sg_learn_lost_comments(const struct sg_doc *doc, const struct sg_lang *lang, const char *text, size_t len,
			   struct sg_err *err)
{
	const char *end = text + len, *nl;
	bool head = true;
	size_t n, at;

	for (unsigned line = 1; text < end; text = nl + 1, line++) {
		nl = memchr(text, '\n', (size_t)(end - text));
		nl = nl ? nl : end;
		n = (size_t)(nl - text);
		head &= !n || *text == '#' || *text == '\r';
		at = comment_at(text, n);
		if (head || at == n || has_call(lang, line))
			continue;
		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]) && at < n; i++)
			if (n - at > strlen(ours[i]) && !strncmp(text + at, ours[i], strlen(ours[i])))
				at = n;
		if (at < n)
			return sg_err_at(err, EINVAL, doc->name, line, (unsigned)at + 1,
					 "this comment was added by hand, and would be lost when this file is written "
					 "anew: comments are kept at the top of the file and behind calls under "
					 "\"allow\"; move it there, or learn into another file");
	}
	return 0;
}

int sg_learn_lost(const struct sg_learn *l, const struct sg_doc *doc, const struct sg_lang *lang, struct sg_err *err)
{
	int rc;

	for (const struct sg_lang *other = doc->langs; other; other = other->next)
		if (other != lang)
			return lost(doc, other->pos, other->name, "", err);
	/* builtin:confine or that of --from, which the caller compares: one parent. */
	for (const struct sg_word *w = lang->parents; w; w = w->next)
		if (w != lang->parents || strncmp(w->text, "builtin:", 8) != 0)
			return lost(doc, w->pos, "inherit", w->text, err);
	if (lang->aliases)
		return lost(doc, lang->aliases->pos, "aliases", lang->aliases->text, err);
	if (lang->unlisted)
		return lost(doc, lang->unlisted_pos, "", lang->unlisted, err);
	if (lang->limits_pos.line)
		return lost(doc, lang->limits_pos, "limits", "", err);
	if (lang->then)
		return lost(doc, lang->then_pos, "then", lang->then, err);
	rc = lost_items(l, doc, doc->denied.items, err);
	if (!rc)
		rc = lost_items(l, doc, lang->items, err);
	return rc ? rc : lost_objects(doc, lang, err);
}
