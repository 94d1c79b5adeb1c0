// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"
#include "policy/rows.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <string.h>

/* By meaning: the same conditions in the same order with the same outcomes, wherever they are written. */
static bool same_call(const struct sg_policy *a, const struct sg_policy *b, unsigned nr)
{
	const struct sg_entry *x = &a->rs.entry[nr], *y = &b->rs.entry[nr];
	bool x_unlisted = x->origin == a->unlisted_origin, y_unlisted = y->origin == b->unlisted_origin;
	unsigned i;

	if (x->n_rules != y->n_rules || x_unlisted != y_unlisted)
		return false;
	/* What unlisted calls get is compared once, not for every call. */
	if (!x_unlisted && (x->action != y->action || x->err != y->err))
		return false;
	for (i = 0; i < x->n_rules; i++) {
		const struct sg_rule *r = &a->rs.rules[x->first_rule + i], *s = &b->rs.rules[y->first_rule + i];

		if (r->n_conds != s->n_conds || r->action != s->action || r->err != s->err ||
		    memcmp(r->cond, s->cond, sizeof(r->cond)))
			return false;
	}
	return true;
}

static bool has_row(const struct sg_row *rows, size_t n, const struct sg_row *wanted)
{
	char x[1024], y[1024];
	size_t i;

	sg_row_text(wanted, x, sizeof(x));
	for (i = 0; i < n; i++)
		if (rows[i].action == wanted->action && rows[i].err == wanted->err &&
		    rows[i].unlisted == wanted->unlisted && !strcmp(sg_row_text(&rows[i], y, sizeof(y)), x))
			return true;
	return false;
}

struct sink {
	bool json;
	FILE *out;
	json_t *removed, *added, *settings, *reordered;
};

static void tell(struct sink *s, bool added, const struct sg_row *r)
{
	if (s->json)
		json_array_append_new(added ? s->added : s->removed, sg_row_json(r));
	else
		sg_row_print(r, added ? "+ " : "- ", s->out);
}

static void diff_call(struct sink *s, const struct sg_policy *a, const struct sg_policy *b, unsigned nr)
{
	struct sg_row x[SG_ROWS_PER_NR], y[SG_ROWS_PER_NR];
	size_t nx = sg_rows_of(a, nr, x, SG_ROWS_PER_NR), ny = sg_rows_of(b, nr, y, SG_ROWS_PER_NR), i;
	bool told = false;
	char name[64];

	for (i = 0; i < nx; i++) {
		if (has_row(y, ny, &x[i]))
			continue;
		tell(s, false, &x[i]);
		told = true;
	}
	for (i = 0; i < ny; i++) {
		if (has_row(x, nx, &y[i]))
			continue;
		tell(s, true, &y[i]);
		told = true;
	}
	if (told)
		return;
	sg_syscall_name(sg_native_arch(), nr, name, sizeof(name));
	if (s->json)
		json_array_append_new(s->reordered, json_string(name));
	else
		fprintf(s->out, "~ %s: the same rules in another order\n", name);
}

static bool diff_unlisted(struct sink *s, const struct sg_policy *a, const struct sg_policy *b)
{
	char x[32], y[32];

	if (a->rs.unlisted_action == b->rs.unlisted_action && a->rs.unlisted_err == b->rs.unlisted_err)
		return false;
	sg_action_text(a->rs.unlisted_action, a->rs.unlisted_err, x, sizeof(x));
	sg_action_text(b->rs.unlisted_action, b->rs.unlisted_err, y, sizeof(y));
	if (s->json)
		json_array_append_new(s->settings,
				      json_pack("{s:s, s:s, s:s}", "name", "unlisted", "from", x, "to", y));
	else
		fprintf(s->out, "- unlisted %s\n+ unlisted %s\n", x, y);
	return true;
}

static void tell_then(struct sink *s, const char *sign, const struct sg_policy *p)
{
	if (p->then)
		fprintf(s->out, "%s then %s (%s)\n", sign, p->then, p->then_digest);
}

/* The second phases are compared by their digests; what differs in them is for a diff of those languages to say. */
static bool diff_then(struct sink *s, const struct sg_policy *a, const struct sg_policy *b)
{
	if (!strcmp(a->then_digest, b->then_digest))
		return false;
	if (s->json) {
		json_array_append_new(s->settings, json_pack("{s:s, s:s?, s:s?}", "name", "then", "from",
							     a->then ? a->then_digest : NULL, "to",
							     b->then ? b->then_digest : NULL));
	} else {
		tell_then(s, "-", a);
		tell_then(s, "+", b);
	}
	return true;
}

static bool diff_limits(struct sink *s, const struct sg_policy *a, const struct sg_policy *b)
{
	bool differs = false;
	char text[32];
	size_t i;

	for (i = 0; i < SG_N_LIMITS; i++) {
		uint64_t x = sg_limit_value(&a->limits, i), y = sg_limit_value(&b->limits, i);

		if (x == y)
			continue;
		differs = true;
		if (s->json) {
			json_array_append_new(s->settings, json_pack("{s:s, s:I, s:I}", "name", sg_limit_name(i),
								     "from", (json_int_t)x, "to", (json_int_t)y));
			continue;
		}
		if (x)
			fprintf(s->out, "- limit %s=%s\n", sg_limit_name(i), sg_limit_text(i, x, text, sizeof(text)));
		if (y)
			fprintf(s->out, "+ limit %s=%s\n", sg_limit_name(i), sg_limit_text(i, y, text, sizeof(text)));
	}
	return differs;
}

static void tell_object(void *ctx, bool added, const char *text)
{
	struct sink *s = ctx;

	if (s->json)
		json_array_append_new(added ? s->added : s->removed,
				      json_pack("{s:o}", "object_rule", sg_json_text(text)));
	else
		fprintf(s->out, "%c %s\n", added ? '+' : '-', text);
}

static json_t *side(const struct sg_policy *p)
{
	return json_pack("{s:s, s:o, s:s}", "name", p->name, "source", sg_json_text(p->source), "digest", p->digest);
}

int sg_policy_diff(const struct sg_policy *a, const struct sg_policy *b, bool json, FILE *out, struct sg_err *err)
{
	struct sink s = {.json = json, .out = out};
	bool differs;
	unsigned nr;
	json_t *o;
	int rc;

	if (json) {
		s.removed = json_array();
		s.added = json_array();
		s.settings = json_array();
		s.reordered = json_array();
	}
	differs = diff_unlisted(&s, a, b);
	differs |= diff_then(&s, a, b);
	differs |= diff_limits(&s, a, b);
	for (nr = 0; nr < SG_NR_MAX; nr++) {
		if (same_call(a, b, nr))
			continue;
		diff_call(&s, a, b, nr);
		differs = true;
	}
	rc = sg_objects_diff(a, b, tell_object, &s);
	if (rc < 0)
		sg_err_set(err, ENOMEM, "out of memory");
	differs |= rc > 0;
	if (!json)
		return rc < 0 ? -ENOMEM : ferror(out) ? sg_err_set(err, EIO, "the output cannot be written") : differs;
	o = json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "a", side(a), "b", side(b), "differs", (int)differs,
		      "removed", s.removed, "added", s.added, "reordered", s.reordered, "settings", s.settings);
	if (rc < 0) {
		json_decref(o);
		return -ENOMEM;
	}
	rc = sg_json_print(o, out, err);
	return rc ? rc : differs;
}
