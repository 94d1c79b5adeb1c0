// SPDX-License-Identifier: Apache-2.0
/* What was learnt as a policy file, and read back from one. */
#include "policy/learn_priv.h"
#include "policy/model.h"
#include "policy/names.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The shapes of one call stand together: [*from, *to). Whether they are to be written as the call itself, as more than
 * per_call of them are.
 */
static bool group(const struct sg_learn *l, size_t from, size_t per_call, size_t *to)
{
	size_t end = from;

	while (end < l->n && !strcmp(l->shapes[end].name, l->shapes[from].name))
		end++;
	*to = end;
	/* "" sorts first, and allows whatever the others do. */
	return !l->shapes[from].cond[0] || end - from > per_call;
}

/* What per_call is to be for at most `room` conditions in all: the calls with most of them lose theirs first. */
static size_t to_fit(const struct sg_learn *l, size_t room)
{
	size_t per_call = SHAPES_PER_NR, n, to;

	for (;; per_call--) {
		n = 0;
		for (size_t i = 0; i < l->n; i = to)
			n += group(l, i, per_call, &to) ? 0 : to - i;
		if (n <= room || !per_call)
			return per_call;
	}
}

static void put_notes(const struct sg_words *w, FILE *out)
{
	for (size_t i = 0; i < w->n; i++)
		fprintf(out, "%s%s", i ? ", " : "  # ", w->word[i]);
	fprintf(out, "%s\n", w->more ? ", ..." : "");
}

static void put_base_answer(const struct sg_learn *l, const struct sg_shape *s, FILE *out)
{
	const struct sg_ruleset *rs = l->base ? sg_policy_ruleset(l->base) : NULL;

	if (rs && s->nr < SG_NR_MAX && rs->entry[s->nr].action == SG_ACTION_ERRNO)
		fprintf(out, "    # builtin:%s answers %s\n", l->from, sg_errno_name(rs->entry[s->nr].err));
}

/* How lines begin that every file has at its top. */
#define LEARN_AGAIN "# Learn again"
#define KEPT_THEN "# Kept then: "
#define KEPT_MORE "# behind calls. Else"

static const char *const timing[] = {SG_LEARN_TIMING};
static const char *const refused[] = {SG_LEARN_REFUSED};

/* notes: for people; else for the policy to learn under, where what finds no room is seen again. */
static void put_allow(const struct sg_learn *l, size_t room, bool notes, FILE *out)
{
	const size_t per_call = to_fit(l, room);
	size_t i, to, t = 0;
	const size_t n_timing = l->base ? 0 : sizeof(timing) / sizeof(timing[0]);

	if (l->n || n_timing || !notes)
		fprintf(out, "  allow:\n");
	for (i = 0; i < l->n || t < n_timing; i = to) {
		const struct sg_shape *s = &l->shapes[i];
		bool whole, tight;

		if (t < n_timing && (i == l->n || strcmp(timing[t], s->name) < 0)) {
			fprintf(out, "    - %s%s\n", timing[t++], notes ? "  # timing" : "");
			to = i;
			continue;
		}
		whole = group(l, i, per_call, &to);
		tight = whole && s->cond[0] && to - i <= SHAPES_PER_NR;
		if (tight && !notes)
			continue;
		if (notes)
			put_base_answer(l, s, out);
		if (tight)
			fprintf(out, "    # whatever its arguments are: a policy has no room for more conditions\n");
		fprintf(out, whole ? "    - %s" : "    - %s:\n", s->name);
		if (whole && notes)
			put_notes(&s->notes, out);
		else if (whole)
			fputc('\n', out);
		for (; !whole && i < to; i++) {
			fprintf(out, "        - %s", l->shapes[i].cond);
			if (notes)
				put_notes(&l->shapes[i].notes, out);
			else
				fputc('\n', out);
		}
	}
}

static void put_refused(FILE *out)
{
	fprintf(out,
		"  errno:\n"
		"    # as they were answered while learning: what they do is said in memory, where no filter can look\n"
		"    ENOSYS: [");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		fprintf(out, "%s%s", i ? ", " : "", refused[i]);
	fprintf(out, "]\n");
}

static int add_timing_shape(struct sg_learn *l, struct sg_err *err)
{
	struct sg_shape *s;
	int nr, rc;

	if (l->base || sg_syscall_resolve(SG_LEARN_TIMING_CALL, &nr) || nr < 0)
		return 0;
	rc = sg_learn_insert(l, (uint32_t)nr, SG_LEARN_TIMING_CALL, SG_LEARN_TIMING_COND, &s, err);
	return rc ? rc : sg_words_add(&s->notes, "timing", err);
}

static int put_file(struct sg_learn *l, FILE *out, struct sg_err *err)
{
	const struct sg_policy *inherited = l->base ? l->base : l->confine;
	const size_t used = inherited ? sg_policy_ruleset(inherited)->n_rules : 0;

	if (add_timing_shape(l, err))
		return -err->code;
	fprintf(out, MAGIC "%llu run%s. What they did is allowed, and nothing else.\n", (unsigned long long)l->n_runs,
		l->n_runs == 1 ? "" : "s");
	fprintf(out, LEARN_AGAIN
		" into the same file to widen it. After each rule: who made the call first, and where.\n" KEPT_THEN
		"what you add under allow, files and kernel to allow more, net as it is, and comments here "
		"and\n" KEPT_MORE " it is refused.\n");
	if (l->lost)
		fprintf(out, "# incomplete: %llu records were lost\n", (unsigned long long)l->lost);
	for (size_t i = 0; i < l->runs.n; i++)
		fprintf(out, "# run: %s\n", l->runs.word[i]);
	if (l->runs.more)
		fprintf(out, "# run: ...\n");
	if (l->comments)
		fputs(l->comments, out);
	fprintf(out, "version: 1\n%s:\n", l->language);
	if (l->base)
		fprintf(out, "  inherit: builtin:%s\n", l->from);
	else if (l->confine)
		fprintf(out, "  # files and sockets: what every program may; the rest is below\n  inherit: "
			     "builtin:confine\n");
	put_allow(l, SG_RULES_MAX - used, true, out);
	if (!l->base)
		put_refused(out);
	return l->base || l->confine ? sg_learn_put_objects(l, out, err) : 0;
}

/* Nothing is handed out that would be refused when it is to be used. */
static int check_text(const struct sg_learn *l, const char *text, size_t len, struct sg_err *err)
{
	struct sg_policy *p = NULL;
	struct sg_doc *doc = NULL;
	int rc = sg_doc_parse("what was learnt", text, len, &doc, err);

	if (!rc)
		rc = sg_policy_resolve(doc, l->language, &p, err);
	sg_policy_free(p);
	sg_doc_free(doc);
	return rc ? sg_err_context(err, "it cannot be written as a policy: learn less into one file") : 0;
}

int sg_learn_write(struct sg_learn *l, FILE *out, struct sg_err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int rc;

	if (!f)
		return sg_learn_no_memory(err);
	rc = put_file(l, f, err);
	if (fclose(f) != 0 && !rc)
		rc = sg_learn_no_memory(err);
	if (!rc)
		rc = check_text(l, text, len, err);
	if (!rc && fwrite(text, 1, len, out) != len)
		rc = sg_err_set(err, EIO, "the output cannot be written");
	free(text);
	return rc;
}

/* What the policy that is inherited allows whatever the arguments are: of no interest, and the bulk of all calls. */
static void put_quiet(const struct sg_learn *l, FILE *out)
{
	const struct sg_ruleset *rs = sg_policy_ruleset(l->base);
	char name[64];

	for (uint32_t nr = 0; nr < SG_NR_MAX; nr++) {
		if (!(rs->allow[nr / 64] >> (nr % 64) & 1))
			continue;
		sg_syscall_name(sg_native_arch(), nr, name, sizeof(name));
		fprintf(out, "    - %s\n", name);
	}
}

#define WATCHED_MAX 30 /* rules that put_watched() adds */

/*
 * Calls that name files go past the supervisor in any tier, which can see what the name leads to. "in sandbox" is only
 * said to get them there.
 */
static void put_watched(const struct sg_learn *l, FILE *out)
{
	static const char calls[WATCHED_MAX - 1][16] = {
		"open",     "creat",     "openat",   "openat2", "mkdir",    "mkdirat",  "mknod",    "mknodat",
		"symlink",  "symlinkat", "link",     "linkat",  "unlink",   "unlinkat", "rmdir",    "rename",
		"renameat", "renameat2", "truncate", "chmod",   "fchmodat", "chown",    "fchownat", "utime",
		"utimes",   "utimensat", "execve",   "bind",    "execveat"};

	if (!l->confine)
		return;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		fprintf(out, "    - %s: arg5 in sandbox\n", calls[i]);
	fprintf(out, "    - mmap: prot & PROT_EXEC == PROT_EXEC and arg5 in sandbox\n");
}

int sg_learn_policy(const struct sg_learn *l, struct sg_policy **out, struct sg_err *err)
{
	struct sg_doc *doc = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int rc;

	if (!f)
		return sg_learn_no_memory(err);
	fprintf(f, "learning:\n  unlisted: audit\n");
	put_allow(l, SG_RULES_MAX - WATCHED_MAX, false, f);
	put_watched(l, f);
	if (l->base)
		put_quiet(l, f);
	put_refused(f);
	if (fclose(f) != 0) {
		free(text);
		return sg_learn_no_memory(err);
	}
	rc = sg_doc_parse("learning", text, len, &doc, err);
	free(text);
	if (!rc)
		rc = sg_policy_resolve(doc, "learning", out, err);
	sg_doc_free(doc);
	return rc;
}

/* ---- reading it back ---- */

static int refuse(const char *name, struct sg_err *err, const char *why)
{
	return sg_err_at(err, EINVAL, name, 0, 0, "%s; name another file, or remove this one", why);
}

static int open_learnt(const char *name, const char *text, size_t len, struct sg_doc **doc, struct sg_err *err)
{
	if (len < sizeof(MAGIC) || memcmp(text, MAGIC, sizeof(MAGIC) - 1) != 0)
		return refuse(name, err,
			      "this file was not written by sgrun --learn, and nothing else is changed by it");
	return sg_doc_parse(name, text, len, doc, err);
}

static const char *parent_of(const struct sg_lang *lang)
{
	const struct sg_word *w = lang->parents;

	return w && !strncmp(w->text, "builtin:", 8) && !w->next && strcmp(w->text, "builtin:confine") != 0
		       ? w->text + 8
		       : "";
}

int sg_learn_peek(const char *name, const char *text, size_t len, char *language, char *from, struct sg_err *err)
{
	struct sg_doc *doc = NULL;
	int rc = open_learnt(name, text, len, &doc, err);

	if (!rc && !doc->langs)
		rc = refuse(name, err, "it defines no language");
	if (!rc) {
		snprintf(language, 64, "%s", doc->langs->name);
		snprintf(from, 64, "%s", parent_of(doc->langs));
	}
	sg_doc_free(doc);
	return rc;
}

/* "note, note" after the last "  # " of a line. */
static int merge_notes(struct sg_shape *s, const char *line, size_t len, struct sg_err *err)
{
	char note[160];
	size_t at = len;
	int rc = 0;

	while (at >= 4 && memcmp(line + at - 4, "  # ", 4) != 0)
		at--;
	if (at < 4)
		return 0;
	while (at < len && !rc) {
		const char *end = memchr(line + at, ',', len - at);
		size_t n = end ? (size_t)(end - line) - at : len - at;

		snprintf(note, sizeof(note), "%.*s", n < sizeof(note) ? (int)n : (int)sizeof(note) - 1, line + at);
		if (!strcmp(note, "..."))
			s->notes.more = true;
		else if (n)
			rc = sg_words_add(&s->notes, note, err);
		at += n + 1;
		while (at < len && line[at] == ' ')
			at++;
	}
	return rc;
}

static const char *line_at(const char *text, size_t len, unsigned number, size_t *n)
{
	const char *end = text + len, *nl;

	while (--number && (nl = memchr(text, '\n', (size_t)(end - text))))
		text = nl + 1;
	nl = memchr(text, '\n', (size_t)(end - text));
	*n = (size_t)((nl ? nl : end) - text);
	return text;
}

static int merge_items(struct sg_learn *l, const struct sg_lang *lang, const char *text, size_t len, struct sg_err *err)
{
	int rc = 0;

	for (const struct sg_item *i = lang->items; i && !rc; i = i->next) {
		const char *cond = strchr(i->text, ':'), *line;
		struct sg_shape *s;
		bool by_timing = false;
		size_t n;

		for (size_t t = 0; t < sizeof(timing) / sizeof(timing[0]); t++)
			by_timing |= !l->base && !strcmp(timing[t], i->name);
		if (i->list != SG_LIST_ALLOW || by_timing)
			continue;
		rc = sg_learn_insert(l, (uint32_t)i->nr, i->name, cond ? cond + 2 : "", &s, err);
		line = line_at(text, len, i->pos.line, &n);
		if (!rc)
			rc = merge_notes(s, line, n, err);
	}
	return rc;
}

/* Each line once: files that are merged may have the same ones. */
static int keep_comment(struct sg_learn *l, const char *line, size_t n, struct sg_err *err)
{
	const size_t used = l->comments ? strlen(l->comments) : 0;
	char *bigger;

	for (const char *c = l->comments; c && *c; c = strchr(c, '\n') + 1)
		if (!strncmp(c, line, n) && c[n] == '\n')
			return 0;
	bigger = realloc(l->comments, used + n + 2);
	if (!bigger)
		return sg_learn_no_memory(err);
	memcpy(bigger + used, line, n);
	memcpy(bigger + used + n, "\n", 2);
	l->comments = bigger;
	return 0;
}

static int merge_header(struct sg_learn *l, const char *text, size_t len, struct sg_err *err)
{
	const char *end = text + len, *nl;
	char line[320];
	int rc = 0;

	for (; text < end && strchr("#\r\n", *text) && !rc; text = nl + 1) {
		nl = memchr(text, '\n', (size_t)(end - text));
		if (!nl)
			break;
		snprintf(line, sizeof(line), "%.*s", nl - text < 300 ? (int)(nl - text) : 300, text);
		if (!strncmp(line, MAGIC, sizeof(MAGIC) - 1))
			l->n_runs += strtoull(line + sizeof(MAGIC) - 1, NULL, 10);
		else if (!strncmp(line, "# incomplete: ", 14))
			l->lost += strtoull(line + 14, NULL, 10);
		else if (!strcmp(line, "# run: ..."))
			l->runs.more = true;
		else if (!strncmp(line, "# run: ", 7))
			rc = sg_words_add(&l->runs, line + 7, err);
		else if (*text == '#' && strncmp(line, LEARN_AGAIN, sizeof(LEARN_AGAIN) - 1) != 0 &&
			 strncmp(line, KEPT_THEN, sizeof(KEPT_THEN) - 1) != 0 &&
			 strncmp(line, KEPT_MORE, sizeof(KEPT_MORE) - 1) != 0)
			rc = keep_comment(l, text, (size_t)(nl - text), err);
	}
	return rc;
}

int sg_learn_merge(struct sg_learn *l, const char *name, const char *text, size_t len, struct sg_err *err)
{
	struct sg_doc *doc = NULL;
	int rc = open_learnt(name, text, len, &doc, err);
	const struct sg_lang *lang = rc ? NULL : doc->langs;

	while (lang && strcmp(lang->name, l->language) != 0)
		lang = lang->next;
	if (!rc && !lang)
		rc = refuse(name, err, "what was learnt there is a policy for another language");
	if (!rc && strcmp(parent_of(lang), l->from) != 0)
		rc = refuse(name, err, "what was learnt there starts from another policy (--from)");
	if (!rc)
		rc = sg_learn_lost(l, doc, lang, err);
	if (!rc)
		rc = sg_learn_lost_comments(doc, lang, text, len, err);
	if (!rc)
		rc = merge_header(l, text, len, err);
	if (!rc)
		rc = merge_items(l, lang, text, len, err);
	if (!rc)
		rc = sg_learn_merge_objects(l, doc, lang, err);
	if (!rc && lang->parents && !l->base)
		rc = sg_learn_confine(l, err);
	sg_doc_free(doc);
	return rc;
}
