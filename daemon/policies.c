/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policies.h"

#include "supervisor/util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define KEEP_POLICIES 64 /* that nobody uses */

static void drop(struct sgd_policies *ps, struct sgd_policy *p)
{
	struct sgd_policy **at = &ps->all;

	while (*at && *at != p)
		at = &(*at)->next;
	if (*at) {
		*at = p->next;
		ps->n--;
		ps->bytes -= p->size;
	}
	if (p->filter.owned)
		sg_filter_release(&p->filter);
	sg_policy_free(p->policy);
	free(p->text);
	free(p->name);
	free(p);
}

/* Makes room by what was not used for longest. */
static void evict(struct sgd_policies *ps)
{
	while (ps->n > KEEP_POLICIES || ps->bytes > SGD_POLICIES_BYTES / 2) {
		struct sgd_policy *oldest = NULL;

		for (struct sgd_policy *p = ps->all; p; p = p->next)
			if (!p->users && !p->builtin && (!oldest || p->used_ns < oldest->used_ns))
				oldest = p;
		if (!oldest)
			return;
		drop(ps, oldest);
	}
}

static int compile(struct sgd_policies *ps, struct sgd_policy *p, const struct sg_doc *doc, struct sg_err *err)
{
	int rc = sg_policy_resolve_widened(doc, p->asked, p->widen, &p->policy, err);

	if (rc)
		return rc;
	p->language = sg_policy_name(p->policy);
	p->digest = sg_policy_digest(p->policy);
	p->source = sg_policy_source(p->policy);
	p->limits = *sg_policy_limits(p->policy);
	return sg_filter_compile(p->policy, &p->filter, err);
}

static struct sgd_policy *find(struct sgd_policies *ps, const char *language, unsigned widen,
			       const struct sg_builtin *b, unsigned generation, const char *text, size_t size,
			       const char *name)
{
	for (struct sgd_policy *p = ps->all; p; p = p->next) {
		if (p->builtin != b || p->generation != generation || p->widen != widen)
			continue;
		if (b)
			return p;
		if (!strcmp(p->asked, language) && p->size == size && (!size || !memcmp(p->text, text, size)) &&
		    !strcmp(p->name, name))
			return p;
	}
	return NULL;
}

static int fill(struct sgd_policies *ps, struct sgd_policy *p, const struct sg_builtin *b, unsigned generation,
		const char *text, size_t size, const char *name, struct sg_err *err)
{
	struct sg_doc *doc = NULL;
	int rc;

	p->builtin = b;
	p->generation = generation;
	p->name = strdup(name);
	if (!p->name)
		return sg_err_set(err, ENOMEM, "out of memory");
	if (b) {
		const struct sg_variant *v = sg_builtin_variant(b, p->widen);

		p->language = b->name;
		p->digest = v->digest;
		p->limits = b->limits;
		sg_builtin_filter(&v->filter, &p->filter);
		snprintf(p->source_text, sizeof(p->source_text), "builtin:%s", b->name);
		p->source = p->source_text;
		return 0;
	}
	if (generation || !text)
		return compile(ps, p, generation ? ps->doc : NULL, err);
	p->text = malloc(size ? size : 1);
	if (!p->text)
		return sg_err_set(err, ENOMEM, "out of memory");
	memcpy(p->text, text, size);
	p->size = size;
	rc = sg_doc_parse(p->name, p->text, size, &doc, err);
	if (!rc)
		rc = compile(ps, p, doc, err);
	sg_doc_free(doc);
	return rc;
}

int sgd_policy_get(struct sgd_policies *ps, const char *language, unsigned widen, const char *text, size_t size,
		   const char *name, struct sgd_policy **out, struct sg_err *err)
{
	const struct sg_builtin *b = !text && !ps->doc ? sg_builtin_find(language) : NULL;
	unsigned generation = text || !ps->doc ? 0 : ps->generation;
	struct sgd_policy *p;
	int rc;

	if (b && (!b->listed || widen >= SG_N_VARIANTS))
		b = NULL; /* the resolver says what is wrong with it */
	if (strlen(language) >= sizeof(p->asked))
		return sg_err_set(err, EINVAL, "%s: too long for the name of a language", language);
	p = find(ps, language, widen, b, generation, text, size, generation ? ps->doc_name : name);
	if (!p) {
		/* Of the built-in ones and the daemon's own there are only so many. */
		if (text && (ps->n >= SGD_POLICIES_MAX || ps->bytes + size > SGD_POLICIES_BYTES))
			return sg_err_set(err, ENOSPC, "sgd holds %u policies already", ps->n);
		p = calloc(1, sizeof(*p));
		if (!p)
			return sg_err_set(err, ENOMEM, "out of memory");
		p->slot = -1;
		p->widen = widen;
		snprintf(p->asked, sizeof(p->asked), "%s", language);
		rc = fill(ps, p, b, generation, text, size, generation ? ps->doc_name : name, err);
		if (rc) {
			p->size = 0; /* not counted yet */
			drop(ps, p);
			return rc;
		}
		p->next = ps->all;
		ps->all = p;
		ps->n++;
		ps->bytes += p->size;
	}
	p->users++;
	*out = p;
	return 0;
}

void sgd_policy_put(struct sgd_policies *ps, struct sgd_policy *p)
{
	if (!p || --p->users)
		return;
	p->used_ns = sg_clock_ns(CLOCK_MONOTONIC);
	evict(ps);
}

struct sg_policy *sgd_policy_parsed(struct sgd_policy *p, struct sg_err *err)
{
	if (!p->policy && sg_policy_resolve_widened(NULL, p->language, p->widen, &p->policy, err) < 0)
		p->policy = NULL;
	return p->policy;
}

int sgd_policy_slot_get(struct sgd_policies *ps, struct sg_bpf *bpf, struct sgd_policy *p, struct sg_err *err)
{
	const struct sg_policy *parsed = sgd_policy_parsed(p, err);
	int slot = 0, rc;

	if (!parsed)
		return -err->code;
	if (p->slot >= 0) {
		p->slot_users++;
		return 0;
	}
	while (slot < SG_MAX_POLICIES && ps->slots[slot])
		slot++;
	if (slot == SG_MAX_POLICIES)
		return sg_err_set(err, ENOSPC,
				  "all %d places for policies that the sys_enter program judges by are taken",
				  SG_MAX_POLICIES);
	rc = sg_bpf_set_policy(bpf, (uint32_t)slot, sg_policy_ruleset(parsed), err);
	if (rc)
		return rc;
	ps->slots[slot] = true;
	p->slot = slot;
	p->slot_users = 1;
	return 0;
}

void sgd_policy_slot_put(struct sgd_policies *ps, struct sgd_policy *p)
{
	if (p->slot < 0 || --p->slot_users)
		return;
	ps->slots[p->slot] = false;
	p->slot = -1;
}

int sgd_policies_load(struct sgd_policies *ps, const char *name, const char *text, size_t size, struct sg_err *err)
{
	struct sg_doc *doc = NULL;
	char *copy = NULL;
	const char *language;
	int rc = 0;

	if (text) {
		copy = strdup(name);
		if (!copy)
			return sg_err_set(err, ENOMEM, "out of memory");
		rc = sg_doc_parse(copy, text, size, &doc, err);
		/* Each must resolve and compile, or none is taken. */
		for (size_t i = 0; !rc && (language = sg_doc_language(doc, i)); i++) {
			struct sg_policy *p = NULL;
			struct sg_filter f = {0};

			rc = sg_policy_resolve(doc, language, &p, err);
			if (!rc)
				rc = sg_filter_compile(p, &f, err);
			if (f.owned)
				sg_filter_release(&f);
			sg_policy_free(p);
		}
	}
	if (rc) {
		sg_doc_free(doc);
		free(copy);
		return rc;
	}
	sg_doc_free(ps->doc);
	free(ps->doc_name);
	ps->doc = doc;
	ps->doc_name = copy;
	ps->generation = ++ps->counter;
	return 0;
}

void sgd_policies_free(struct sgd_policies *ps)
{
	while (ps->all)
		drop(ps, ps->all);
	sg_doc_free(ps->doc);
	free(ps->doc_name);
	*ps = (struct sgd_policies){0};
}
