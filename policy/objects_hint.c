// SPDX-License-Identifier: Apache-2.0
#include "policy/access.h"
#include "policy/hint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

/* ---- paths ---- */

/* Bytes of a UTF-8 sequence that YAML takes as it is, 0 when there is none. */
static size_t character(const unsigned char *s)
{
	size_t n = *s < 0x80                 ? 1
		   : *s >= 0xf0 && *s < 0xf5 ? 4
		   : *s >= 0xe0 && *s < 0xf0 ? 3
		   : *s >= 0xc2 && *s < 0xe0 ? 2
					     : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((n == 1 && (*s < 0x20 || *s == 0x7f)) || (n == 2 && *s == 0xc2 && s[1] < 0xa0) ||
	    (n == 3 &&
	     (sg_reorders((const char *)s) || !memcmp(s, "\xe2\x80\xa8", 3) || !memcmp(s, "\xe2\x80\xa9", 3) ||
	      !memcmp(s, "\xef\xbb\xbf", 3) || !memcmp(s, "\xef\xbf\xbe", 3) || !memcmp(s, "\xef\xbf\xbf", 3))) ||
	    (n == 3 && *s == 0xe0 && s[1] < 0xa0) || (n == 3 && *s == 0xed && s[1] >= 0xa0) ||
	    (n == 4 && ((*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] >= 0x90))))
		return 0;
	return n;
}

bool sg_hint_can_name(const char *path)
{
	char out[4096], why[SG_WHY_SIZE];
	size_t n;

	if (strlen(path) >= sizeof(out) || sg_tree_path(path, out, why))
		return false;
	for (; *path; path += n) {
		n = character((const unsigned char *)path);
		if (!n)
			return false;
	}
	return true;
}

/* Cuts the last part of a path off. */
static void up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		slash[slash == path] = '\0';
}

static void add_path(struct sg_text *t, const char *prefix, const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+@=-$";

	if (!*prefix && path[strspn(path, plain)] == '\0') {
		sg_text_add(t, "%s", path);
		return;
	}
	sg_text_add(t, "\"%s", prefix);
	for (; *path; path++)
		sg_text_add(t, "%s%c", *path == '"' || *path == '\\' ? "\\" : "", *path);
	sg_text_add(t, "\"");
}

/* ---- one class after the other ---- */

/* A rule of the language's own text that says the opposite has to change: another line would contradict it. */
static bool say_change(struct sg_text *t, const struct sg_policy *p, uint32_t origin, const char *to)
{
	const struct sg_origin *o = origin == SG_ORIGIN_UNLISTED ? NULL : sg_policy_origin(p, origin);

	if (!sg_hint_own(p, o))
		return false;
	sg_text_add(t, "change \"%s\" to \"%s\" under \"%s\" in \"%s\" (", o->text, to, o->list, o->language);
	sg_text_add_file(t, o->file);
	sg_text_add(t, ":%u)", o->line);
	return true;
}

static void then(struct sg_text *t)
{
	if (t->n)
		sg_text_add(t, "; then ");
}

/* Of the language's own text, which can have only one: returns whether it has. */
static bool say_max(struct sg_text *t, const struct sg_policy *p, unsigned n)
{
	char max[32];

	snprintf(max, sizeof(max), "max: %u", n);
	for (size_t i = 0; i < p->n_rows; i++) {
		const struct sg_origin *o = sg_policy_origin(p, p->rows[i].origin);

		if (strncmp(o->text, "max: ", 5) != 0 || !sg_hint_own(p, o))
			continue;
		then(t);
		return say_change(t, p, p->rows[i].origin, max);
	}
	return false;
}

/* The rule that denies this very tree; own: of the language's own text. -1: there is none. */
static ssize_t denial_of(const struct sg_policy *p, const char *path, uint32_t right, bool own)
{
	for (size_t i = 0; i < p->n_trees; i++)
		if ((p->trees[i].rights.deny & right) && !strcmp(p->trees[i].path, path) &&
		    (!own || sg_hint_own(p, sg_policy_origin(p, p->trees[i].rights.origin))))
			return (ssize_t)i;
	return -1;
}

/* Whether the file is refused; without: as if one of the trees said nothing of it (-1: none of them). */
static bool is_refused(const struct sg_policy *p, const char *path, uint32_t right, ssize_t without)
{
	struct sg_tree *trees = p->trees, *rest = NULL;
	struct sg_decision d;

	if (without >= 0) {
		rest = calloc(p->n_trees, sizeof(*rest));
		if (!rest)
			return false; /* what more there is to do is not said */
		memcpy(rest, p->trees, p->n_trees * sizeof(*rest));
		rest[without].rights.allow &= ~right;
		rest[without].rights.deny &= ~right;
		trees = rest;
	}
	d = sg_objects_decide_file(&p->objects, trees, p->n_trees, path, right);
	free(rest);
	return d.action != SG_ACTION_ALLOW && d.action != SG_ACTION_AUDIT;
}

static void say_file(struct sg_text *t, const struct sg_policy *p, const struct sg_access *a)
{
	static const char *const keys[SG_N_RIGHTS] = {"files: {read: [",   "files: {write: [", "files: {create: [",
						      "files: {delete: [", "exec: {allow: [",  "files: {map: [",
						      "net: {allow: ["};
	const uint32_t right = 1U << a->cls;
	struct sg_text rules = {.n = 0};
	char path[4096];
	ssize_t denial;

	snprintf(path, sizeof(path), "%s", a->path);
	/* Making and removing are done to the directory; where this very path must stay, to allow that does not help.
	 */
	if (a->cls == SG_CLASS_CREATE || (a->cls == SG_CLASS_DELETE && denial_of(p, path, right, false) < 0))
		up(path);
	while (!sg_hint_can_name(path) && strcmp(path, "/") && strchr(path, '/'))
		up(path);
	if (!sg_hint_can_name(path)) {
		sg_text_add(t, "no policy can name this file");
		return;
	}
	/* It cannot be allowed beside a rule of the language's own that denies it. */
	denial = denial_of(p, path, right, true);
	if (denial >= 0)
		sg_hint_remove(t, sg_policy_origin(p, p->trees[denial].rights.origin));
	if (denial >= 0 && a->cls == SG_CLASS_DELETE && !strcmp(path, a->path)) {
		up(path);
		if (denial_of(p, path, right, true) >= 0)
			snprintf(path, sizeof(path), "%s", a->path);
	}
	if (is_refused(p, a->path, right, denial)) {
		sg_text_add(&rules, "%s", keys[a->cls]);
		add_path(&rules, a->cls == SG_CLASS_UNIX ? "unix:" : "", path);
		sg_text_add(&rules, "]");
	}
	if (a->cls == SG_CLASS_EXEC && a->executed >= p->objects.exec_max && !say_max(t, p, a->executed + 1))
		sg_text_add(&rules, "%smax: %u", rules.n ? ", " : "exec: {", a->executed + 1);
	if (!rules.n)
		return;
	then(t);
	sg_text_add(&rules, "}");
	sg_hint_add_rules(t, p, rules.buf);
}

static void say_net(struct sg_text *t, const struct sg_policy *p, const struct sg_access *a)
{
	struct sg_text rules = {.n = 0};
	char text[128];

	if (a->anywhere || a->family == AF_INET || a->family == AF_INET6) {
		snprintf(text, sizeof(text), "%s *", a->proto == SG_NET_UDP ? "udp" : "tcp");
	} else if (a->family) {
		if (!sg_family_name(a->family)) {
			sg_text_add(t, "no policy can allow sockets of family %u", a->family);
			return;
		}
		snprintf(text, sizeof(text), "%s", sg_family_name(a->family));
	} else {
		struct sg_net_rule r = {.prefix = 128,
					.protos = (__u8)a->proto,
					.ops = (__u8)a->op,
					.port_lo = (__u16)a->port,
					.port_hi = (__u16)a->port};

		memcpy(r.addr, a->addr, sizeof(r.addr));
		sg_net_rule_text(&r, text, sizeof(text));
	}
	sg_text_add(&rules, "net: {allow: [\"%s\"]}", text);
	sg_hint_add_rules(t, p, rules.buf);
}

/* Not by a default, and not by the `otherwise` of another key, as `unix` may be. */
static bool set_under_kernel(const struct sg_policy *p, unsigned cls)
{
	const uint32_t origin = p->objects.cls[cls].origin;
	const struct sg_origin *o = origin == SG_ORIGIN_UNLISTED ? NULL : sg_policy_origin(p, origin);

	return o && !strcmp(o->list, "kernel");
}

static void say_kernel(struct sg_text *t, const struct sg_policy *p, const struct sg_access *a)
{
	struct sg_text rules = {.n = 0};
	char to[64];

	if (a->cls >= SG_CLASS_SUPERVISOR) {
		sg_text_add(t, "no policy can allow access to Sandgate's own processes and files");
		return;
	}
	if (a->cls == SG_CLASS_CAPABILITY && sg_capability_name(a->capability)) {
		sg_text_add(&rules, "kernel: {capabilities: [%s]}", sg_capability_name(a->capability));
	} else {
		snprintf(to, sizeof(to), "%s: allow", sg_class_name(a->cls));
		if (set_under_kernel(p, a->cls) && say_change(t, p, p->objects.cls[a->cls].origin, to))
			return;
		sg_text_add(&rules, "kernel: {%s}", to);
	}
	sg_hint_add_rules(t, p, rules.buf);
}

int sg_policy_object_hint(const struct sg_policy *p, const struct sg_access *a, char **out, struct sg_err *err)
{
	const struct sg_decision d = sg_objects_decide(&p->objects, p->trees, p->n_trees, a);
	struct sg_text t = {.n = 0};
	char *copy;

	if (a->holds) {
		const struct sg_origin *o = sg_policy_origin(p, a->holds - 1);

		if (sg_hint_own(p, o))
			sg_hint_remove(&t, o);
	} else if (d.action == SG_ACTION_KILL || d.action == SG_ACTION_ERRNO) {
		if (a->cls < SG_N_RIGHTS && a->path)
			say_file(&t, p, a);
		else if (a->cls < SG_CLASS_UNIX)
			sg_text_add(&t, "no policy can name a file that has no path");
		else if (a->cls == SG_CLASS_NET)
			say_net(&t, p, a);
		else
			say_kernel(&t, p, a);
	}
	copy = strdup(t.buf);
	if (!copy)
		return sg_err_set(err, ENOMEM, "out of memory");
	*out = copy;
	return 0;
}
