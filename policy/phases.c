// SPDX-License-Identifier: Apache-2.0
#include "policy/phases.h"

#include "policy/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

const char *sg_doc_then(const struct sg_doc *doc, const char *language)
{
	const struct sg_lang *lang = doc ? sg_doc_find(doc, language) : NULL;

	return lang ? lang->then : NULL;
}

static bool same_rule(const struct sg_rule *a, const struct sg_rule *b)
{
	return a->n_conds == b->n_conds && a->action == b->action && a->err == b->err &&
	       !memcmp(a->cond, b->cond, a->n_conds * sizeof(a->cond[0]));
}

static bool same_entry(const struct sg_ruleset *x, const struct sg_ruleset *y, unsigned nr)
{
	const struct sg_entry *a = &x->entry[nr], *b = &y->entry[nr];

	if (a->n_rules != b->n_rules || a->action != b->action || a->err != b->err)
		return false;
	for (unsigned i = 0; i < a->n_rules; i++)
		if (!same_rule(&x->rules[a->first_rule + i], &y->rules[b->first_rule + i]))
			return false;
	return true;
}

/* The first policy's answer is the answer of both phases. */
static bool first_decides(const struct sg_ruleset *x, const struct sg_ruleset *y, unsigned nr)
{
	const struct sg_entry *a = &x->entry[nr], *b = &y->entry[nr];

	return (!b->n_rules && b->action == SG_ACTION_ALLOW) || (!a->n_rules && a->action == SG_ACTION_KILL) ||
	       same_entry(x, y, nr);
}

static bool same_objects(const struct sg_policy *x, const struct sg_policy *y)
{
	const struct sg_objects *a = &x->objects, *b = &y->objects;

	if (a->families != b->families || a->caps != b->caps || a->exec_max != b->exec_max || a->n_net != b->n_net ||
	    x->n_trees != y->n_trees)
		return false;
	for (size_t i = 0; i < SG_CLASS_N; i++)
		if (a->cls[i].mode != b->cls[i].mode || a->cls[i].err != b->cls[i].err)
			return false;
	for (size_t i = 0; i < a->n_net; i++)
		if (memcmp(&a->net[i], &b->net[i], offsetof(struct sg_net_rule, origin)) != 0)
			return false;
	for (size_t i = 0; i < x->n_trees; i++)
		if (strcmp(x->trees[i].path, y->trees[i].path) != 0 ||
		    x->trees[i].rights.allow != y->trees[i].rights.allow ||
		    x->trees[i].rights.deny != y->trees[i].rights.deny)
			return false;
	return true;
}

int sg_phases_check(const struct sg_policy *first, const struct sg_policy *then, struct sg_err *err)
{
	if (!same_objects(first, then) || memcmp(&first->limits, &then->limits, sizeof(first->limits)) != 0)
		return sg_err_set(
			err, EINVAL,
			"%s: \"then: %s\" has other limits or rules for files, exec, net or kernel; those hold for the "
			"whole run, only system call rules can tighten: let %s inherit %s",
			sg_policy_source(first), then->name, then->name, first->name);
	return 0;
}

int sg_phases_compile(const struct sg_policy *first, const struct sg_policy *then, struct sg_filter *out,
		      struct sg_err *err)
{
	struct sg_policy *both = malloc(sizeof(*both));
	struct sg_ruleset *rs;
	unsigned ask;
	int rc;

	if (!both)
		return sg_err_set(err, ENOMEM, "out of memory");
	*both = *first;
	rs = &both->rs;
	ask = rs->n_rules;
	if (ask == SG_RULES_MAX) {
		free(both);
		return sg_err_set(err, E2BIG, "more than %d conditional rules in a policy with phases",
				  SG_RULES_MAX - 1);
	}
	/* `in sandbox` is what makes the filter ask the supervisor, who then looks at the whole policy. */
	rs->rules[ask] = (struct sg_rule){
		.cond = {{.mask = UINT64_MAX, .op = SG_OP_IN_SANDBOX}}, .n_conds = 1, .action = SG_ACTION_KILL};
	rs->n_rules++;
	for (unsigned nr = 0; nr < SG_NR_MAX; nr++) {
		if (nr != SYS_kill && first_decides(&first->rs, &then->rs, nr))
			continue;
		rs->entry[nr].first_rule = (uint16_t)ask;
		rs->entry[nr].n_rules = 1;
		rs->entry[nr].action = SG_ACTION_KILL;
		rs->allow[nr / 64] &= ~(1ULL << nr % 64);
	}
	/* Numbers past the tables cannot be told apart later: the stricter answer from the beginning. */
	if (sg_phases_stricter(&(struct sg_decision){.action = rs->unlisted_action},
			       &(struct sg_decision){.action = then->rs.unlisted_action})) {
		rs->unlisted_action = then->rs.unlisted_action;
		rs->unlisted_err = then->rs.unlisted_err;
	}
	rc = sg_filter_compile(both, out, err);
	free(both);
	return rc;
}

static int rank(const struct sg_decision *d)
{
	switch (d->action) {
	case SG_ACTION_ALLOW:
		return 0;
	case SG_ACTION_AUDIT:
		return 1;
	case SG_ACTION_ERRNO:
		return 2;
	default:
		return 3;
	}
}

bool sg_phases_stricter(const struct sg_decision *a, const struct sg_decision *b)
{
	return rank(b) > rank(a);
}
