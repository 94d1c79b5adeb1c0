/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/call_line.h"

#include "policy/decode.h"
#include "policy/seccomp.h"
#include "supervisor/util.h"

#include <stdio.h>
#include <string.h>

#define RULES 32 /* texts of rules that are kept, by origin */

struct sg_call_line {
	char *buf;
	size_t len, cap;
	bool failed;
	char digest[80]; /* of the policy that the texts below are of: an address alone may be another policy's by now
			  */
	/* What was asked for last. */
	uint32_t audit_arch, nr;
	char name[64];
	const char *abi;
	struct hint {
		uint32_t audit_arch, nr;
		uint64_t args[SG_ARGS];
		char *text; /* as JSON */
	} hint;
	struct rule {
		uint32_t origin;
		char *text; /* as JSON; NULL: a free place */
	} rules[RULES];
	unsigned next_field;
};

/* ---- writing ---- */

static bool room(struct sg_call_line *l, size_t n)
{
	size_t cap = l->cap ? l->cap : 4096;
	char *more;

	if (l->failed)
		return false;
	while (cap - l->len < n)
		cap *= 2;
	if (cap == l->cap)
		return true;
	more = realloc(l->buf, cap);
	if (!more) {
		l->failed = true;
		return false;
	}
	l->buf = more;
	l->cap = cap;
	return true;
}

static void put(struct sg_call_line *l, const char *text, size_t n)
{
	if (!room(l, n + 1))
		return;
	memcpy(l->buf + l->len, text, n);
	l->len += n;
	l->buf[l->len] = '\0';
}

static void put_string(struct sg_call_line *l, const char *text)
{
	put(l, text, strlen(text));
}

static void put_number(struct sg_call_line *l, int64_t value)
{
	char digits[24], *p = digits + sizeof(digits);
	uint64_t v = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	if (value < 0)
		*--p = '-';
	put(l, p, (size_t)(digits + sizeof(digits) - p));
}

/* Any bytes, as sg_json_text() has them. */
static void put_text(struct sg_call_line *l, const char *text)
{
	SG_FREE char *dumped = NULL;
	const char *p = text;
	json_t *t;

	while (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
		p++;
	if (!*p) {
		put(l, "\"", 1);
		put(l, text, (size_t)(p - text));
		put(l, "\"", 1);
		return;
	}
	t = sg_json_text(text);
	dumped = t ? json_dumps(t, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	json_decref(t);
	if (dumped)
		put_string(l, dumped);
	else
		l->failed = true;
}

static void put_field(struct sg_call_line *l, const char *name, const char *value)
{
	put_string(l, name);
	put_text(l, value);
}

static void put_count(struct sg_call_line *l, const char *name, int64_t value)
{
	put_string(l, name);
	put_number(l, value);
}

/* ---- what does not change from record to record ---- */

static void look_up_name(struct sg_call_line *l, const struct sg_call *c)
{
	if (l->abi && l->audit_arch == c->audit_arch && l->nr == c->nr)
		return;
	l->audit_arch = c->audit_arch;
	l->nr = c->nr;
	sg_syscall_name(c->audit_arch, c->nr, l->name, sizeof(l->name));
	l->abi = sg_abi_name(c->audit_arch, c->nr);
}

static char *as_json(json_t *value)
{
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	json_decref(value);
	return text;
}

static void forget(struct sg_call_line *l)
{
	for (size_t i = 0; i < RULES; i++) {
		free(l->rules[i].text);
		l->rules[i] = (struct rule){0};
	}
	free(l->hint.text);
	l->hint = (struct hint){0};
}

static void know_policy(struct sg_call_line *l, const struct sg_policy *p)
{
	const char *digest = p ? sg_policy_digest(p) : "";

	if (!strcmp(l->digest, digest))
		return;
	forget(l);
	snprintf(l->digest, sizeof(l->digest), "%s", digest);
}

static void put_rule(struct sg_call_line *l, const struct sg_policy *p, uint32_t origin)
{
	struct rule *r = &l->rules[origin % RULES];

	if (!r->text || r->origin != origin) {
		free(r->text);
		*r = (struct rule){.origin = origin, .text = as_json(sg_session_rule(p, origin))};
	}
	if (r->text)
		put_string(l, r->text);
	else
		l->failed = true;
}

static void put_hint(struct sg_call_line *l, const struct sg_policy *p, const struct sg_call *c)
{
	struct hint *h = &l->hint;
	struct sg_err err = {0};

	if (!h->text || h->audit_arch != c->audit_arch || h->nr != c->nr ||
	    memcmp(h->args, c->args, sizeof(h->args)) != 0) {
		SG_FREE char *hint = NULL;

		free(h->text);
		*h = (struct hint){.audit_arch = c->audit_arch, .nr = c->nr};
		memcpy(h->args, c->args, sizeof(h->args));
		if (p)
			(void)sg_policy_hint(p, c->audit_arch, c->nr, c->args, &hint, &err);
		h->text = as_json(hint ? sg_json_text(hint) : json_null());
	}
	if (h->text)
		put_string(l, h->text);
	else
		l->failed = true;
}

static void put_decoded(void *ctx, const char *name, const char *value)
{
	struct sg_call_line *l = ctx;

	if (l->next_field++)
		put(l, ",", 1);
	put_text(l, name);
	put(l, ":", 1);
	put_text(l, value);
}

/* ---- the record ---- */

const char *sg_call_line(struct sg_call_line **line, const struct sg_session *s, const struct sg_call *c,
			 const struct sg_policy *p, const char **name, size_t *len)
{
	struct sg_call_line *l = *line ? *line : calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	*line = l;
	l->len = 0;
	l->failed = false;
	l->next_field = 0;
	look_up_name(l, c);
	know_policy(l, p);
	put_count(l, "{\"timestamp\":", (int64_t)c->time_ns);
	put_string(l, c->forbidden ? ",\"level\":\"warning\",\"type\":\"syscall_violation\""
				   : ",\"level\":\"info\",\"type\":\"audit\"");
	put_field(l, ",\"sandbox\":", s->id);
	put_count(l, ",\"cgroup_id\":", (int64_t)s->cgroup_id);
	put_field(l, ",\"language\":", s->language ? s->language : "unknown");
	if (s->label[0])
		put_field(l, ",\"label\":", s->label);
	if (s->seq)
		put_count(l, ",\"seq\":", (int64_t)s->seq);
	put_count(l, ",\"pid\":", c->pid);
	put_count(l, ",\"tgid\":", c->tgid);
	put_count(l, ",\"uid\":", c->uid);
	put_field(l, ",\"comm\":", c->comm);
	put_field(l, ",\"syscall\":", l->name);
	put_count(l, ",\"syscall_nr\":", c->nr);
	for (size_t i = 0; i < SG_ARGS; i++)
		put_count(l, i ? "," : ",\"args\":[", (int64_t)c->args[i]);
	put_field(l, "],\"abi\":", l->abi);
	put_field(l, ",\"layer\":", c->layer);
	put_string(l, ",\"rule\":");
	put_rule(l, p, c->origin);
	put_field(l, ",\"action\":", sg_session_action(c->action));
	if (c->action == SG_ACTION_ERRNO)
		put_count(l, ",\"errno\":", c->err);
	put_string(l, c->prevented ? ",\"prevented\":true,\"decoded\":{" : ",\"prevented\":false,\"decoded\":{");
	(void)sg_decode_args(c->audit_arch, c->nr, c->args, put_decoded, l);
	put(l, "}", 1);
	if (c->forbidden) {
		put_string(l, ",\"hint\":");
		put_hint(l, p, c);
	}
	put(l, "}", 1);
	*name = l->name;
	*len = l->len;
	return l->failed ? NULL : l->buf;
}

void sg_call_line_free(struct sg_call_line *l)
{
	if (!l)
		return;
	forget(l);
	free(l->buf);
	free(l);
}
