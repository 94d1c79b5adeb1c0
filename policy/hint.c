// SPDX-License-Identifier: Apache-2.0
#include "policy/hint.h"
#include "policy/consts.h"
#include "policy/names.h"
#include "policy/seccomp.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sg_text_add(struct sg_text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->n, sizeof(t->buf) - t->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->n += (size_t)n < sizeof(t->buf) - t->n ? (size_t)n : sizeof(t->buf) - t->n - 1;
}

/* Arguments that say what a call does, as opposed to what it does it to: those are worth narrowing a rule to. */
static bool narrows(const struct sg_arg *a)
{
	if (!a->decode)
		return false;
	switch (a->family) {
	case SG_FAMILY_DOMAIN:
	case SG_FAMILY_SOCKTYPE:
	case SG_FAMILY_CLONE:
	case SG_FAMILY_NEWNS:
	case SG_FAMILY_SIGNAL:
	case SG_FAMILY_IOCTL:
	case SG_FAMILY_PRCTL:
	case SG_FAMILY_PROT:
	case SG_FAMILY_MADV:
	case SG_FAMILY_PTRACE:
	case SG_FAMILY_PERSONALITY:
	case SG_FAMILY_KEYCTL:
	case SG_FAMILY_BPF:
	case SG_FAMILY_FCNTL:
	case SG_FAMILY_RLIMIT:
	case SG_FAMILY_ARCH_PRCTL:
	case SG_FAMILY_SECCOMP:
		return true;
	default:
		return false;
	}
}

/*
 * `ptrace`, or `{socket: "domain == AF_INET and type & SOCK_TYPE_MASK == SOCK_STREAM"}`. Returns how many conditions
 * that has, and puts them into cond.
 */
static unsigned add_item(struct sg_text *t, const char *syscall, const uint64_t *args,
			 struct sg_cond cond[SG_CONDS_MAX])
{
	const struct sg_arg *a;
	unsigned n = 0;
	char value[1024];
	size_t i;

	for (i = 0; (a = sg_arg_at(syscall, i)) && n < SG_CONDS_MAX; i++) {
		uint64_t v = args[a->index], bits = sg_arg_mask(a);
		const char *mask = "";

		if (!narrows(a))
			continue;
		if (a->family == SG_FAMILY_SOCKTYPE) {
			v &= bits = 0xf;
			mask = " & SOCK_TYPE_MASK";
		}
		cond[n] = (struct sg_cond){.mask = bits, .value = v & bits, .arg = a->index, .op = SG_OP_EQ};
		sg_const_format((enum sg_family)a->family, v, a->width, value, sizeof(value));
		if (!n)
			sg_text_add(t, "{%s: \"", syscall);
		sg_text_add(t, "%s%s%s == %s", n ? " and " : "", a->name, mask, value);
		n++;
	}
	if (n)
		sg_text_add(t, "\"}");
	else
		sg_text_add(t, "%s", syscall);
	return n;
}

/* The rule that decided, NULL where it has no conditions. */
static const struct sg_rule *rule_of(const struct sg_policy *p, uint32_t nr, uint32_t origin)
{
	const struct sg_entry *e = &p->rs.entry[nr];

	for (unsigned i = 0; i < e->n_rules; i++)
		if (p->rs.rules[e->first_rule + i].origin == origin)
			return &p->rs.rules[e->first_rule + i];
	return NULL;
}

/* Whether a rule has these conditions, however it is written (`sig==SIGTERM`, `cmd == 8`). */
static bool says_the_same(const struct sg_rule *r, const struct sg_cond *cond, unsigned n)
{
	unsigned same = 0;

	for (unsigned i = 0; r && i < n; i++)
		for (unsigned j = 0; j < r->n_conds; j++)
			same += !memcmp(&r->cond[j], &cond[i], sizeof(cond[i]));
	return r && r->n_conds == n && same == n;
}

/* The policy without one conditional rule, so far as nr is concerned. */
static void take_away(struct sg_policy *p, uint32_t nr, uint32_t origin)
{
	struct sg_entry *e = &p->rs.entry[nr];
	unsigned kept = 0;

	for (unsigned i = 0; i < e->n_rules; i++)
		if (p->rs.rules[e->first_rule + i].origin != origin)
			p->rs.rules[e->first_rule + kept++] = p->rs.rules[e->first_rule + i];
	e->n_rules = (uint16_t)kept;
}

void sg_text_add_key(struct sg_text *t, const char *name)
{
	sg_text_add(t, islower((unsigned char)*name) ? "%s" : "\"%s\"", name);
}

void sg_text_add_file(struct sg_text *t, const char *file)
{
	for (; *file; file++)
		sg_text_add(t, "%c", (unsigned char)*file < 0x20 || *file == 0x7f ? '?' : *file);
}

void sg_hint_remove(struct sg_text *t, const struct sg_origin *o)
{
	if (strcmp(o->list, "denied"))
		sg_text_add(t, "remove \"%s\" from \"%s\" in \"%s\" (", o->text, o->list, o->language);
	else
		sg_text_add(t, "remove \"%s\" from denied (", o->text);
	sg_text_add_file(t, o->file);
	sg_text_add(t, ":%u)", o->line);
}

bool sg_hint_in_file(const struct sg_policy *p)
{
	return p->doc_file && !strcmp(p->root_file, p->doc_file);
}

bool sg_hint_own(const struct sg_policy *p, const struct sg_origin *o)
{
	return o && sg_hint_in_file(p) && !strcmp(o->file, p->doc_file) && !strcmp(o->language, p->name);
}

void sg_hint_add_rules(struct sg_text *t, const struct sg_policy *p, const char *rules)
{
	sg_text_add_key(t, p->name);
	if (!sg_hint_in_file(p)) {
		sg_text_add(t, ": {inherit: \"builtin:%s\", %s}", p->name, rules);
		return;
	}
	sg_text_add(t, ": {%s} # add to ", rules);
	sg_text_add_file(t, p->doc_file);
}

/* Returns whether the hint is to take the rule away that decided. */
static bool say(struct sg_text *t, const struct sg_policy *p, const char *syscall, uint32_t nr, struct sg_decision d,
		const uint64_t *args)
{
	const struct sg_origin *o = d.origin == SG_ORIGIN_UNLISTED ? NULL : sg_policy_origin(p, d.origin);
	struct sg_text item = {.n = 0}, rules = {.n = 0};
	struct sg_cond cond[SG_CONDS_MAX] = {0};
	unsigned narrowed = add_item(&item, syscall, args, cond);

	/*
	 * In the language's own text a conditional kill comes before any allow, and a rule with the same condition, or
	 * with none, would contradict the new one: there the rule that stands has to go.
	 */
	if (o && (!strcmp(o->list, "denied") || (sg_hint_own(p, o) && strcmp(o->list, "unlisted") &&
						 ((strchr(o->text, ':') && !strcmp(o->list, "kill")) || !narrowed ||
						  says_the_same(rule_of(p, nr, d.origin), cond, narrowed))))) {
		sg_hint_remove(t, o);
		return true;
	}
	sg_text_add(&rules, "allow: [%s]", item.buf);
	sg_hint_add_rules(t, p, rules.buf);
	return false;
}

/*
 * Until the call would get through: a rule that is taken away may stand before another that refuses the call too. What
 * stands behind one without conditions is not known here.
 */
static int say_all(struct sg_text *t, const struct sg_policy *p, const char *syscall, uint32_t audit_arch, uint32_t nr,
		   struct sg_decision d, const uint64_t *args)
{
	struct sg_policy *rest = NULL;

	while (say(t, rest ? rest : p, syscall, nr, d, args) && rule_of(rest ? rest : p, nr, d.origin)) {
		if (!rest) {
			rest = malloc(sizeof(*rest));
			if (!rest)
				return -ENOMEM;
			*rest = *p;
		}
		take_away(rest, nr, d.origin);
		d = sg_policy_decide(rest, audit_arch, nr, args, NULL);
		if (d.action != SG_ACTION_KILL && d.action != SG_ACTION_ERRNO)
			break;
		sg_text_add(t, "; then ");
	}
	free(rest);
	return 0;
}

int sg_policy_hint(const struct sg_policy *p, uint32_t audit_arch, uint32_t nr, const uint64_t args[SG_ARGS],
		   char **out, struct sg_err *err)
{
	const struct sg_decision d = sg_policy_decide(p, audit_arch, nr, args, NULL);
	struct sg_text t = {.n = 0};
	char syscall[64];
	char *copy;
	int known, rc = 0;

	sg_syscall_name(audit_arch, nr, syscall, sizeof(syscall));
	if (audit_arch != sg_native_arch() || (nr >= SG_NR_MAX && strcmp(sg_abi_name(audit_arch, nr), "x32") == 0))
		sg_text_add(&t, "no policy can allow calls of the %s ABI", sg_abi_name(audit_arch, nr));
	else if (nr >= SG_NR_MAX || sg_syscall_resolve(syscall, &known))
		sg_text_add(&t, "no policy can allow a system call without a name");
	else if (d.action == SG_ACTION_KILL || d.action == SG_ACTION_ERRNO)
		rc = say_all(&t, p, syscall, audit_arch, nr, d, args);
	copy = rc ? NULL : strdup(t.buf);
	if (!copy)
		return sg_err_set(err, ENOMEM, "out of memory");
	*out = copy;
	return 0;
}
