// SPDX-License-Identifier: Apache-2.0
#include "policy/access.h"
#include "policy/model.h"
#include "policy/net_filter.h"
#include "policy/rows.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The object rules of a policy for people. */

static const struct {
	const char *section;
	unsigned cls; /* the one that stands for the section */
} sections[] = {{"files", SG_CLASS_READ}, {"exec", SG_CLASS_EXEC}, {"net", SG_CLASS_NET}};
#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

static const struct sg_origin *mode_origin(const struct sg_policy *p, const struct sg_class_mode *m)
{
	return m->origin == SG_ORIGIN_UNLISTED ? NULL : sg_policy_origin(p, m->origin);
}

/* Classes that `kernel` sets; the others are shown by their section. */
static bool of_kernel(const struct sg_policy *p, unsigned cls)
{
	const struct sg_origin *o = mode_origin(p, &p->objects.cls[cls]);

	return cls == SG_CLASS_UNIX ? o && !strcmp(o->list, "kernel") : cls > SG_CLASS_NET;
}

const char *sg_net_rule_text(const struct sg_net_rule *r, char *buf, size_t size)
{
	const bool v4 = r->prefix >= SG_NET_V4_BITS && !memcmp(r->addr, sg_net_v4, sizeof(sg_net_v4));
	const unsigned bits = v4 ? (unsigned)r->prefix - SG_NET_V4_BITS : r->prefix, max = v4 ? 32 : 128;
	char addr[INET6_ADDRSTRLEN], prefix[8] = "", ports[16] = "";

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? r->addr + 12 : r->addr, addr, sizeof(addr));
	if (bits != max)
		snprintf(prefix, sizeof(prefix), "/%u", bits);
	if (r->port_lo == r->port_hi)
		snprintf(ports, sizeof(ports), ":%u", r->port_lo);
	else if (r->port_lo || r->port_hi != 65535)
		snprintf(ports, sizeof(ports), ":%u-%u", r->port_lo, r->port_hi);
	snprintf(buf, size, "%s%s%s%s %s%s%s%s%s",
		 r->ops == SG_NET_BIND      ? "listen "
		 : r->ops == SG_NET_CONNECT ? ""
					    : "connect+listen ",
		 r->protos & SG_NET_TCP ? "tcp" : "", r->protos == (SG_NET_TCP | SG_NET_UDP) ? "+" : "",
		 r->protos & SG_NET_UDP ? "udp" : "",
		 !r->prefix ? "*"
		 : v4       ? ""
			    : "[",
		 r->prefix ? addr : "", !r->prefix || v4 ? "" : "]", r->prefix ? prefix : "", ports);
	return buf;
}

/* ---- text ---- */

static void print_at(FILE *out, const char *action, const char *text, const struct sg_origin *o)
{
	fprintf(out, "%-14s %-60s", action, text);
	if (o)
		fprintf(out, " %s:%u:%u\n", o->file, o->line, o->column);
	else
		fprintf(out, " (default)\n");
}

static void print_row(const struct sg_policy *p, const struct sg_object_row *r, FILE *out)
{
	const struct sg_origin *o = sg_policy_origin(p, r->origin);
	char rights[64], text[4200];

	if (!r->path) {
		snprintf(text, sizeof(text), "%s: %s", o->list, o->text);
		print_at(out, "allow", text, o);
		return;
	}
	snprintf(text, sizeof(text), "%s %s", sg_rights_text(r->allow | r->deny, rights, sizeof(rights)), r->path);
	print_at(out, r->deny ? "deny" : "allow", text, o);
}

void sg_objects_explain(const struct sg_policy *p, FILE *out)
{
	static const unsigned modes[] = {SG_MODE_KILL, SG_MODE_ERRNO, SG_MODE_AUDIT, SG_MODE_ALLOW};
	const struct sg_objects *ob = &p->objects;
	const struct sg_origin *o;
	char text[64];
	size_t i;
	unsigned c;

	for (i = 0; i < N_SECTIONS; i++) {
		const struct sg_class_mode *m = &ob->cls[sections[i].cls];

		o = mode_origin(p, m);
		fprintf(out, "%-8s %s", sections[i].section,
			m->mode == SG_MODE_ALLOW ? "not confined"
						 : sg_action_text(m->mode, m->err, text, sizeof(text)));
		if (o)
			fprintf(out, " (%s:%u:%u)", o->file, o->line, o->column);
		fputc('\n', out);
	}
	fputs("kernel  ", out);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		bool any = false;

		for (c = SG_CLASS_UNIX; c < SG_CLASS_N; c++) {
			if (!of_kernel(p, c) || ob->cls[c].mode != modes[i])
				continue;
			fprintf(out, "%s %s",
				any                         ? ""
				: modes[i] == SG_MODE_KILL  ? " kill"
				: modes[i] == SG_MODE_ERRNO ? "; errno"
				: modes[i] == SG_MODE_AUDIT ? "; audit"
							    : "; allow",
				sg_class_name(c));
			any = true;
		}
	}
	fputc('\n', out);
}

void sg_object_rows_print(const struct sg_policy *p, FILE *out)
{
	const struct sg_objects *ob = &p->objects;
	bool any = p->n_rows;
	char text[64];
	unsigned c;

	for (c = 0; c < SG_CLASS_N; c++)
		any |= of_kernel(p, c) && mode_origin(p, &ob->cls[c]);
	if (any)
		fputc('\n', out);
	for (size_t i = 0; i < p->n_rows; i++)
		print_row(p, &p->rows[i], out);
	for (c = 0; c < SG_CLASS_N; c++)
		if (of_kernel(p, c) && mode_origin(p, &ob->cls[c]))
			print_at(out, sg_action_text(ob->cls[c].mode, ob->cls[c].err, text, sizeof(text)),
				 sg_class_name(c), mode_origin(p, &ob->cls[c]));
}

/* ---- JSON ---- */

static void add_origin(json_t *to, const struct sg_origin *o)
{
	if (!o)
		return;
	json_object_set_new(to, "file", sg_json_text(o->file));
	json_object_set_new(to, "line", json_integer(o->line));
	json_object_set_new(to, "column", json_integer(o->column));
	json_object_set_new(to, "language", json_string(o->language));
}

json_t *sg_object_classes_json(const struct sg_policy *p)
{
	json_t *all = json_object();

	for (unsigned c = 0; c < SG_CLASS_N; c++) {
		const struct sg_class_mode *m = &p->objects.cls[c];
		char text[32];
		json_t *o = json_pack("{s:s}", "action", sg_action_text(m->mode, m->err, text, sizeof(text)));

		add_origin(o, mode_origin(p, m));
		json_object_set_new(all, sg_class_name(c), o);
	}
	return all;
}

json_t *sg_object_rules_json(const struct sg_policy *p)
{
	json_t *all = json_array();

	for (size_t i = 0; i < p->n_rows; i++) {
		const struct sg_object_row *r = &p->rows[i];
		const struct sg_origin *origin = sg_policy_origin(p, r->origin);
		json_t *o = json_pack("{s:s, s:s, s:s}", "section", origin->list, "action", r->deny ? "deny" : "allow",
				      "text", origin->text);

		if (r->path) {
			json_t *rights = json_array();

			for (unsigned b = 0; b < SG_N_RIGHTS; b++)
				if ((r->allow | r->deny) & (1U << b))
					json_array_append_new(rights, json_string(sg_right_name(1U << b)));
			json_object_set_new(o, "path", json_string(r->path));
			json_object_set_new(o, "rights", rights);
		}
		add_origin(o, origin);
		json_array_append_new(all, o);
	}
	return all;
}

/* ---- differences ---- */

struct lines {
	char **list;
	size_t n, room;
	bool failed;
};

static void add_line(struct lines *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_line(struct lines *l, const char *fmt, ...)
{
	va_list ap;

	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 128;
		char **bigger = realloc(l->list, room * sizeof(*bigger));

		if (!bigger) {
			l->failed = true;
			return;
		}
		l->list = bigger;
		l->room = room;
	}
	va_start(ap, fmt);
	if (vasprintf(&l->list[l->n], fmt, ap) < 0)
		l->failed = true;
	else
		l->n++;
	va_end(ap);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Everything the object rules mean, one line each, wherever it is written. */
static void mean(const struct sg_policy *p, struct lines *l)
{
	const struct sg_objects *o = &p->objects;
	char text[128];
	unsigned i;

	for (i = 0; i < SG_CLASS_N; i++)
		add_line(l, "%s: %s otherwise", sg_class_name(i),
			 sg_action_text(o->cls[i].mode, o->cls[i].err, text, sizeof(text)));
	for (size_t t = 0; t < p->n_trees; t++) {
		const struct sg_tree *tree = &p->trees[t];

		for (i = 0; i < SG_N_RIGHTS; i++)
			if ((tree->rights.allow | tree->rights.deny) & (1U << i))
				add_line(l, "%s: %s %s", sg_right_name(1U << i),
					 tree->rights.deny & (1U << i) ? "deny" : "allow", tree->path);
	}
	for (i = 0; i < 64 && o->cls[SG_CLASS_NET].mode != SG_MODE_ALLOW; i++)
		if (o->families & (1ULL << i))
			add_line(l, "net: family %s", sg_family_name(i) ? sg_family_name(i) : "?");
	for (i = 0; i < o->n_net; i++)
		add_line(l, "net: %s", sg_net_rule_text(&o->net[i], text, sizeof(text)));
	for (i = 0; sg_capability_name(i); i++)
		if (o->caps & (1ULL << i))
			add_line(l, "capability: %s", sg_capability_name(i));
	if (o->exec_max != SG_EXEC_UNBOUNDED)
		add_line(l, "exec: max %u", o->exec_max);
	if (l->n)
		qsort(l->list, l->n, sizeof(*l->list), by_text);
}

static void release(struct lines *l)
{
	while (l->n)
		free(l->list[--l->n]);
	free(l->list);
}

int sg_objects_diff(const struct sg_policy *a, const struct sg_policy *b,
		    void (*tell)(void *ctx, bool added, const char *text), void *ctx)
{
	struct lines x = {0}, y = {0};
	size_t i = 0, j = 0;
	int differs = 0;

	mean(a, &x);
	mean(b, &y);
	while (!x.failed && !y.failed && (i < x.n || j < y.n)) {
		int c = i == x.n ? 1 : j == y.n ? -1 : strcmp(x.list[i], y.list[j]);

		if (c) {
			tell(ctx, c > 0, c < 0 ? x.list[i] : y.list[j]);
			differs = 1;
		}
		i += c <= 0;
		j += c >= 0;
	}
	if (x.failed || y.failed)
		differs = -1;
	release(&x);
	release(&y);
	return differs;
}
