// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"
#include "policy/names.h"
#include "policy/rows.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void explain_text(const struct sg_policy *p, FILE *out)
{
	const struct sg_origin *unlisted = sg_policy_origin(p, p->unlisted_origin);
	struct sg_row rows[SG_ROWS_PER_NR];
	char text[64];
	bool any = false;
	unsigned nr;
	size_t i, n;

	fprintf(out, "policy   %s\nsource   %s\ndigest   %s\n", p->name, p->source, p->digest);
	fprintf(out, "unlisted %s", sg_action_text(p->rs.unlisted_action, p->rs.unlisted_err, text, sizeof(text)));
	if (unlisted)
		fprintf(out, " (%s:%u:%u)", unlisted->file, unlisted->line, unlisted->column);
	if (p->then)
		fprintf(out,
			"\nthen     %s (%s:%u:%u): once the program says that its start is over, it must allow a call, "
			"too",
			p->then, p->source, p->then_pos.line, p->then_pos.column);
	fprintf(out, "\nlimits  ");
	for (i = 0; i < SG_N_LIMITS; i++) {
		uint64_t v = sg_limit_value(&p->limits, i);

		if (!v)
			continue;
		fprintf(out, " %s=%s", sg_limit_name(i), sg_limit_text(i, v, text, sizeof(text)));
		any = true;
	}
	fprintf(out, "%s\n", any ? "" : " none");
	sg_objects_explain(p, out);
	any = false;
	for (nr = 0; nr < SG_NR_MAX; nr++) {
		n = sg_rows_of(p, nr, rows, SG_ROWS_PER_NR);
		if (n && !any)
			fputc('\n', out);
		any |= n != 0;
		for (i = 0; i < n; i++)
			sg_row_print(&rows[i], "", out);
	}
	sg_object_rows_print(p, out);
}

static json_t *explain_json(const struct sg_policy *p)
{
	const struct sg_origin *unlisted = sg_policy_origin(p, p->unlisted_origin);
	json_t *limits = json_object(), *rules = json_array();
	struct sg_row rows[SG_ROWS_PER_NR];
	char text[64], at[4200];
	json_t *o;
	unsigned nr;
	size_t i, n;

	for (i = 0; i < SG_N_LIMITS; i++)
		if (sg_limit_value(&p->limits, i))
			json_object_set_new(limits, sg_limit_name(i),
					    json_integer((json_int_t)sg_limit_value(&p->limits, i)));
	for (nr = 0; nr < SG_NR_MAX; nr++) {
		n = sg_rows_of(p, nr, rows, SG_ROWS_PER_NR);
		for (i = 0; i < n; i++)
			json_array_append_new(rules, sg_row_json(&rows[i]));
	}
	o = json_pack("{s:s, s:o, s:s, s:s}", "name", p->name, "source", sg_json_text(p->source), "digest", p->digest,
		      "unlisted", sg_action_text(p->rs.unlisted_action, p->rs.unlisted_err, text, sizeof(text)));
	if (!o) {
		json_decref(limits);
		json_decref(rules);
		return NULL;
	}
	if (unlisted) {
		snprintf(at, sizeof(at), "%s:%u:%u", unlisted->file, unlisted->line, unlisted->column);
		json_object_set_new(o, "unlisted_at", sg_json_text(at));
	}
	if (p->then)
		json_object_set_new(o, "then", json_string(p->then));
	json_object_set_new(o, "limits", limits);
	json_object_set_new(o, "rules", rules);
	json_object_set_new(o, "classes", sg_object_classes_json(p));
	json_object_set_new(o, "exec_max",
			    p->objects.exec_max == SG_EXEC_UNBOUNDED ? json_null()
								     : json_integer((json_int_t)p->objects.exec_max));
	json_object_set_new(o, "object_rules", sg_object_rules_json(p));
	return o;
}

/* The lines of sg_filter_dump(). */
static json_t *filter_json(const struct sg_filter *f)
{
	json_t *lines = json_array();
	char *text = NULL, *save = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		json_decref(lines);
		return NULL;
	}
	sg_filter_dump(f, out);
	if (fclose(out) == 0)
		for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			json_array_append_new(lines, json_string(line));
	free(text);
	return lines;
}

int sg_policy_explain(const struct sg_policy *p, bool json, bool filter, FILE *out, struct sg_err *err)
{
	struct sg_filter f = {0};
	json_t *o;
	int rc = filter ? sg_filter_compile(p, &f, err) : 0;

	if (rc)
		return rc;
	if (json) {
		o = explain_json(p);
		if (o && filter)
			json_object_set_new(o, "filter", filter_json(&f));
		rc = sg_json_print(o, out, err);
	} else {
		explain_text(p, out);
		if (filter)
			sg_filter_dump(&f, out);
		rc = ferror(out) ? sg_err_set(err, EIO, "the output cannot be written") : 0;
	}
	if (filter)
		sg_filter_release(&f);
	return rc;
}
