// SPDX-License-Identifier: Apache-2.0
#include "policy/learn_priv.h"
#include "policy/learn_shape.h"
#include "policy/names.h"
#include "policy/parse.h"
#include "policy/seccomp.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 200 /* of a command line */

static const char *const timing[] = {SG_LEARN_TIMING};
static const char *const refused[] = {SG_LEARN_REFUSED};

int sg_learn_no_memory(struct sg_err *err)
{
	return sg_err_set(err, ENOMEM, "out of memory");
}

int sg_words_add(struct sg_words *w, const char *text, struct sg_err *err)
{
	size_t at = 0;
	char *copy, **bigger;

	while (at < w->n && strcmp(w->word[at], text) < 0)
		at++;
	if (at < w->n && !strcmp(w->word[at], text))
		return 0;
	if (at == w->max) {
		w->more = true;
		return 0;
	}
	copy = strdup(text);
	bigger = copy ? realloc(w->word, (w->n + 1) * sizeof(*bigger)) : NULL;
	if (!bigger) {
		free(copy);
		return sg_learn_no_memory(err);
	}
	w->word = bigger;
	memmove(bigger + at + 1, bigger + at, (w->n - at) * sizeof(*bigger));
	bigger[at] = copy;
	if (++w->n > w->max) {
		free(bigger[--w->n]);
		w->more = true;
	}
	return 0;
}

void sg_words_free(struct sg_words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->word[i]);
	free(w->word);
}

static bool has_name(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}
#define HAS(list, name) has_name(list, sizeof(list) / sizeof((list)[0]), name)

int sg_learn_new(const char *language, const char *from, struct sg_learn **out, struct sg_err *err)
{
	struct sg_learn *l = calloc(1, sizeof(*l));
	int rc = 0;

	if (!l)
		return sg_learn_no_memory(err);
	rc = sg_language_name_check(language, err);
	l->runs.max = RUNS_MAX;
	for (int i = 0; i < SG_LEARN_RIGHTS; i++)
		l->trees[i].max = SIZE_MAX;
	if (from && !rc) {
		const char *name = sg_builtin_canonical(from);

		rc = sg_policy_resolve(NULL, name ? name : from, &l->base, err);
		if (!rc)
			snprintf(l->from, sizeof(l->from), "%s", sg_policy_name(l->base));
	}
	snprintf(l->language, sizeof(l->language), "%s", language);
	if (rc)
		sg_learn_free(l);
	else
		*out = l;
	return rc;
}

void sg_learn_free(struct sg_learn *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++) {
		free(l->shapes[i].cond);
		sg_words_free(&l->shapes[i].notes);
	}
	free(l->shapes);
	sg_learn_free_objects(l);
	sg_words_free(&l->runs);
	free(l->comments);
	sg_policy_free(l->base);
	free(l);
}

const char *sg_learn_language(const struct sg_learn *l)
{
	return l->language;
}

size_t sg_learn_count(const struct sg_learn *l)
{
	return l->n;
}

static int order(const struct sg_shape *s, const char *name, const char *cond)
{
	int c = strcmp(s->name, name);

	return c ? c : strcmp(s->cond, cond);
}

/* Where the shape is, or belongs. */
static size_t find(const struct sg_learn *l, const char *name, const char *cond, bool *found)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (order(&l->shapes[mid], name, cond) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = lo < l->n && !order(&l->shapes[lo], name, cond);
	return lo;
}

int sg_learn_insert(struct sg_learn *l, uint32_t nr, const char *name, const char *cond, struct sg_shape **out,
		    struct sg_err *err)
{
	struct sg_shape *bigger;
	bool found;
	size_t at = find(l, name, cond, &found);

	if (!found) {
		if (l->n == l->room) {
			l->room = l->room ? l->room * 2 : 128;
			bigger = realloc(l->shapes, l->room * sizeof(*bigger));
			if (!bigger)
				return sg_learn_no_memory(err);
			l->shapes = bigger;
		}
		memmove(l->shapes + at + 1, l->shapes + at, (l->n - at) * sizeof(*l->shapes));
		l->shapes[at] = (struct sg_shape){.nr = nr, .cond = strdup(cond), .notes.max = NOTES_MAX};
		l->n++;
		if (!l->shapes[at].cond) {
			memmove(l->shapes + at, l->shapes + at + 1, (--l->n - at) * sizeof(*l->shapes));
			return sg_learn_no_memory(err);
		}
		snprintf(l->shapes[at].name, sizeof(l->shapes[at].name), "%s", name);
	}
	*out = &l->shapes[at];
	return 0;
}

bool sg_learn_known(const struct sg_learn *l, uint32_t nr, const uint64_t args[SG_ARGS], const struct sg_oracle *oracle,
		    char shape[SG_SHAPE_MAX])
{
	struct sg_decision d;
	char name[64];
	bool found;

	shape[0] = '\0';
	sg_syscall_name(sg_native_arch(), nr, name, sizeof(name));
	if (nr >= SG_NR_MAX || !strncmp(name, "syscall_", 8) || HAS(refused, name))
		return true; /* no policy can allow it */
	if (l->base) {
		d = sg_policy_decide(l->base, sg_native_arch(), nr, args, oracle);
		if (d.action == SG_ACTION_ALLOW || d.action == SG_ACTION_AUDIT)
			return true;
	} else if (HAS(timing, name)) {
		return true;
	}
	sg_learn_shape(name, args, oracle, shape, SG_SHAPE_MAX);
	if (!l->base && !strcmp(name, SG_LEARN_TIMING_CALL) && !strcmp(shape, SG_LEARN_TIMING_COND))
		return true;
	(void)find(l, name, shape, &found);
	return found;
}

/* One word of a comment: what a program calls itself must not end the line or look like something else. */
static void word_of(const char *bytes, char *out, size_t size)
{
	size_t n = 0;

	for (; *bytes && n + 1 < size; bytes++)
		out[n++] = (char)(isalnum((unsigned char)*bytes) || strchr("._+-:/@", *bytes) ? *bytes : '_');
	out[n] = '\0';
}

int sg_learn_add(struct sg_learn *l, uint32_t nr, const char *shape, const char *who, const char *where,
		 struct sg_err *err)
{
	char name[64], word[48], file[80], note[160];
	struct sg_shape *s;
	int rc;

	sg_syscall_name(sg_native_arch(), nr, name, sizeof(name));
	rc = sg_learn_insert(l, nr, name, shape, &s, err);
	if (rc)
		return rc;
	word_of(who, word, sizeof(word));
	word_of(where ? where : "", file, sizeof(file));
	snprintf(note, sizeof(note), "%s%s%s", word[0] ? word : "?", file[0] ? " in " : "", file);
	return sg_words_add(&s->notes, note, err);
}

int sg_learn_ran(struct sg_learn *l, char *const *argv, uint64_t lost, struct sg_err *err)
{
	char text[TEXT_MAX + 4];
	size_t n = 0;

	for (; *argv && n < TEXT_MAX; argv++) {
		if (n)
			text[n++] = ' ';
		for (const char *c = *argv; *c && n < TEXT_MAX; c++)
			text[n++] = (char)((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f ? '?' : *c);
	}
	text[n] = '\0';
	if (n == TEXT_MAX)
		snprintf(text + n, 4, "...");
	l->n_runs++;
	l->lost += lost;
	return sg_words_add(&l->runs, text, err);
}
