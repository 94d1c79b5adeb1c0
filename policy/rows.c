// SPDX-License-Identifier: Apache-2.0
#include "policy/rows.h"
#include "policy/model.h"
#include "policy/names.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <string.h>

size_t sg_rows_of(const struct sg_policy *p, unsigned nr, struct sg_row *rows, size_t max)
{
	const struct sg_entry *e = &p->rs.entry[nr];
	uint32_t last = SG_ORIGIN_UNLISTED;
	size_t n = 0;
	unsigned i;

	for (i = 0; i < e->n_rules && n < max; i++) {
		const struct sg_rule *r = &p->rs.rules[e->first_rule + i];

		/* One condition with "in {…}" became several rules. */
		if (r->origin == last)
			continue;
		last = r->origin;
		rows[n++] = (struct sg_row){
			.nr = nr, .action = r->action, .err = r->err, .origin = sg_policy_origin(p, last)};
	}
	if (n < max && (n || e->origin != p->unlisted_origin))
		rows[n++] = (struct sg_row){
			.nr = nr,
			.action = e->action,
			.err = e->err,
			.otherwise = e->n_rules != 0,
			.unlisted = e->origin == p->unlisted_origin,
			.origin = sg_policy_origin(p, e->origin),
		};
	return n;
}

const char *sg_row_text(const struct sg_row *r, char *buf, size_t size)
{
	char name[64];

	if (!r->otherwise && r->origin) {
		snprintf(buf, size, "%s", r->origin->text);
	} else {
		sg_syscall_name(sg_native_arch(), r->nr, name, sizeof(name));
		snprintf(buf, size, "%s%s", name, r->otherwise ? ": otherwise" : "");
	}
	return buf;
}

void sg_row_print(const struct sg_row *r, const char *prefix, FILE *out)
{
	char text[1024], action[32];

	fprintf(out, "%s%-14s %-60s", prefix, sg_action_text(r->action, r->err, action, sizeof(action)),
		sg_row_text(r, text, sizeof(text)));
	if (r->origin)
		fprintf(out, " %s:%u:%u%s\n", r->origin->file, r->origin->line, r->origin->column,
			r->unlisted                          ? " (unlisted)"
			: !strcmp(r->origin->list, "denied") ? " (denied)"
							     : "");
	else
		fprintf(out, " (unlisted)\n");
}

json_t *sg_row_json(const struct sg_row *r)
{
	const char *action = r->action == SG_ACTION_ERRNO   ? "errno"
			     : r->action == SG_ACTION_ALLOW ? "allow"
			     : r->action == SG_ACTION_AUDIT ? "audit"
							    : "kill";
	char text[1024], name[64];
	json_t *o;

	sg_syscall_name(sg_native_arch(), r->nr, name, sizeof(name));
	o = json_pack("{s:s, s:i, s:s, s:s, s:o}", "syscall", name, "nr", (int)r->nr, "action", action, "list",
		      r->unlisted ? "unlisted" : r->origin->list, "text",
		      sg_json_text(sg_row_text(r, text, sizeof(text))));
	if (!o)
		return NULL;
	if (r->action == SG_ACTION_ERRNO)
		json_object_set_new(o, "errno", json_string(sg_errno_name(r->err)));
	if (r->origin) {
		json_object_set_new(o, "file", sg_json_text(r->origin->file));
		json_object_set_new(o, "line", json_integer(r->origin->line));
		json_object_set_new(o, "column", json_integer(r->origin->column));
		json_object_set_new(o, "language", json_string(r->origin->language));
	}
	return o;
}

static const struct {
	const char *name;
	char kind; /* n: number, s: size, t: time, c: processors */
} limits[SG_N_LIMITS] = {{"pids", 'n'},      {"open_files", 'n'}, {"file_size", 's'}, {"stack", 's'}, {"cpu_time", 't'},
			 {"wall_time", 't'}, {"memory", 's'},     {"output", 's'},    {"cpus", 'c'}};

const char *sg_limit_name(size_t i)
{
	return limits[i].name;
}

uint64_t sg_limit_value(const struct sg_limits *l, size_t i)
{
	const uint64_t values[SG_N_LIMITS] = {l->pids,      l->open_files, l->file_size, l->stack, l->cpu_time,
					      l->wall_time, l->memory,     l->output,    l->cpus};

	return values[i];
}

const char *sg_limit_text(size_t i, uint64_t value, char *buf, size_t size)
{
	static const char units[] = "KMGT";
	unsigned long long v = value;
	size_t u = 0;

	if (limits[i].kind == 't') {
		snprintf(buf, size, v % 1000 ? "%llums" : "%llus", v % 1000 ? v : v / 1000);
		return buf;
	}
	if (limits[i].kind == 'c') {
		int digits = v % 1000 ? v % 100 ? v % 10 ? 3 : 2 : 1 : 0;

		snprintf(buf, size, "%.*f", digits, (double)v / 1000);
		return buf;
	}
	if (limits[i].kind == 's')
		for (; v && v % 1024 == 0 && u < sizeof(units) - 1; u++)
			v /= 1024;
	snprintf(buf, size, "%llu%.*s", v, u ? 1 : 0, u ? &units[u - 1] : "");
	return buf;
}

int sg_json_print(json_t *json, FILE *out, struct sg_err *err)
{
	int rc = json ? json_dumpf(json, out, JSON_COMPACT) : -1;

	json_decref(json);
	if (rc)
		return sg_err_set(err, ENOMEM, "out of memory, or the output cannot be written");
	fputc('\n', out);
	return 0;
}
