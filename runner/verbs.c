/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/verbs.h"

#include "policy/phases.h"
#include "policy/seccomp.h"
#include "runner/canary.h"
#include "runner/doctor.h"
#include "runner/learn.h"
#include "runner/verbs_more.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: sgrun policy check FILE...                         is it a valid policy?\n"
	"       sgrun policy explain [--json] [--filter] [--lang NAME] [FILE]\n"
	"                                                         what it means, rule by rule\n"
	"       sgrun policy explain --denial [--json] [--policy FILE [--lang NAME]] [VERDICTS]\n"
	"                                                         what was denied, in words, and the\n"
	"                                                         policy line that would allow it\n"
	"       sgrun policy diff [--json] [--lang NAME] A B       A, B: FILE or builtin:NAME\n"
	"       sgrun policy test [--json] [--policy FILE] [--lang NAME] [--tier TIER] DIR\n"
	"                                                         programs that say what is expected of them\n"
	"       sgrun policy drift [--json] [--lang NAME] [--tier TIER] [--runtime LANG=PATH]... [--env "
	"NAME=VALUE]...\n"
	"                                                         do the built-in policies fit what is installed?\n"
	"       sgrun policy merge FILE...                        what --learn wrote, put together\n"
	"       sgrun policy list                                 the built-in policies\n"
	"       sgrun doctor [--json]                             what this host offers\n";

struct args {
	bool json;
	bool filter;
	bool denial;
	const char *tier;
	const char *runtimes[17], *env[17]; /* NULL-terminated */
	const char *policy;
	const char *language;
	char **rest;
	int n_rest;
};

static int fail(const struct sg_err *err)
{
	char text[1200];

	sg_err_format(err, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
	return 2;
}

static void add_word(const char *list[17], const char *word)
{
	for (int i = 0; i < 16; i++) {
		if (!list[i]) {
			list[i] = word;
			return;
		}
	}
}

static int parse(struct args *a, int argc, char **argv)
{
	memset(a, 0, sizeof(*a));
	a->rest = argv;
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--json")) {
			a->json = true;
		} else if (!strcmp(argv[i], "--filter")) {
			a->filter = true;
		} else if (!strcmp(argv[i], "--denial")) {
			a->denial = true;
		} else if (!strcmp(argv[i], "--policy") && i + 1 < argc) {
			a->policy = argv[++i];
		} else if (!strcmp(argv[i], "--tier") && i + 1 < argc) {
			a->tier = argv[++i];
		} else if (!strcmp(argv[i], "--runtime") && i + 1 < argc) {
			add_word(a->runtimes, argv[++i]);
		} else if (!strcmp(argv[i], "--env") && i + 1 < argc) {
			add_word(a->env, argv[++i]);
		} else if (!strcmp(argv[i], "--lang") && i + 1 < argc) {
			a->language = argv[++i];
		} else if (!strncmp(argv[i], "--", 2)) {
			fprintf(stderr, "sgrun policy: unknown option %s\n%s", argv[i], usage);
			return -1;
		} else {
			a->rest[a->n_rest++] = argv[i];
		}
	}
	return 0;
}

typedef int one_policy(const struct args *a, const struct sg_doc *doc, const struct sg_policy *p);

/* Calls fn for the language asked for, or for every one of the file. */
static int each_policy(const struct args *a, const char *file, one_policy *fn)
{
	struct sg_err err = {0};
	struct sg_doc *doc = NULL;
	struct sg_policy *p;
	int status = 0;

	if (file && strncmp(file, "builtin:", 8) != 0 && sg_doc_load(file, &doc, &err) < 0)
		return fail(&err);
	for (size_t i = 0; status == 0; i++) {
		const char *language = a->language ? a->language
				       : doc       ? sg_doc_language(doc, i)
				       : file      ? file + 8
						   : sg_builtin_name(i);

		if (!language)
			break;
		if (sg_policy_resolve(doc, language, &p, &err) < 0) {
			status = fail(&err);
			break;
		}
		status = fn(a, doc, p);
		sg_policy_free(p);
		if (a->language || (file && !doc))
			break;
	}
	sg_doc_free(doc);
	return status;
}

/* Whether the language that a policy names in `then` can follow it. */
static int check_then(const struct sg_doc *doc, const struct sg_policy *p, struct sg_err *err)
{
	const char *name = sg_doc_then(doc, sg_policy_name(p));
	struct sg_policy *then = NULL;
	int rc;

	if (!name)
		return 0;
	rc = sg_policy_resolve(doc, name, &then, err);
	if (!rc)
		rc = sg_phases_check(p, then, err);
	sg_policy_free(then);
	return rc;
}

static int check_one(const struct args *a, const struct sg_doc *doc, const struct sg_policy *p)
{
	struct sg_filter filter;
	struct sg_err err = {0};
	size_t trees;

	(void)a;
	if (check_then(doc, p, &err) < 0 || sg_filter_compile(p, &filter, &err) < 0)
		return fail(&err);
	sg_policy_trees(p, &trees);
	printf("%s: ok, %u argument rules, filter of %u instructions, %zu trees, %u addresses, %s\n", sg_policy_name(p),
	       sg_policy_ruleset(p)->n_rules, filter.n_insns, trees, sg_policy_objects(p)->n_net, sg_policy_digest(p));
	sg_filter_release(&filter);
	return 0;
}

static int explain_one(const struct args *a, const struct sg_doc *doc, const struct sg_policy *p)
{
	struct sg_err err = {0};

	(void)doc;
	return sg_policy_explain(p, a->json, a->filter, stdout, &err) < 0 ? fail(&err) : 0;
}

static int resolve_one(const char *what, const char *language, struct sg_policy **out, struct sg_err *err)
{
	struct sg_doc *doc = NULL;
	int rc = 0;

	if (!strncmp(what, "builtin:", 8))
		return sg_policy_resolve(NULL, what + 8, out, err);
	rc = sg_doc_load(what, &doc, err);
	if (!rc && !language)
		language = sg_doc_language(doc, 0);
	if (!rc)
		rc = sg_policy_resolve(doc, language ? language : "default", out, err);
	sg_doc_free(doc);
	return rc;
}

static int diff(const struct args *a)
{
	struct sg_policy *x = NULL, *y = NULL;
	struct sg_err err = {0};
	int rc = resolve_one(a->rest[0], a->language, &x, &err);

	if (!rc)
		rc = resolve_one(a->rest[1], a->language, &y, &err);
	if (!rc)
		rc = sg_policy_diff(x, y, a->json, stdout, &err);
	sg_policy_free(x);
	sg_policy_free(y);
	return rc < 0 ? fail(&err) : rc;
}

static int list(void)
{
	for (size_t i = 0; i < sg_n_builtins; i++) {
		if (!sg_builtins[i].listed)
			continue;
		printf("%-12s", sg_builtins[i].name);
		for (const char *alias = sg_builtins[i].aliases; *alias; alias += strlen(alias) + 1)
			printf(" %s", alias);
		printf("\n");
	}
	return 0;
}

static int policy(int argc, char **argv)
{
	struct args a;
	int status = 0;

	if (argc < 2 || parse(&a, argc - 2, argv + 2) < 0) {
		if (argc < 2)
			fputs(usage, stderr);
		return 2;
	}
	if (!strcmp(argv[1], "check") && a.n_rest) {
		for (int i = 0; i < a.n_rest; i++)
			if (each_policy(&a, a.rest[i], check_one) != 0)
				status = 2;
		return status;
	}
	if (!strcmp(argv[1], "explain") && a.denial && a.n_rest <= 1)
		return sg_verb_denial(a.json, a.policy, a.language, a.n_rest ? a.rest[0] : NULL);
	if (!strcmp(argv[1], "explain") && a.n_rest <= 1)
		return each_policy(&a, a.n_rest ? a.rest[0] : NULL, explain_one);
	if (!strcmp(argv[1], "diff") && a.n_rest == 2)
		return diff(&a);
	if (!strcmp(argv[1], "test") && a.n_rest == 1)
		return sg_verb_policy_test(
			&(struct sg_policy_test){
				.policy = a.policy, .language = a.language, .tier = a.tier, .json = a.json},
			a.rest[0]);
	if (!strcmp(argv[1], "drift") && !a.n_rest)
		return sg_verb_drift(&(struct sg_drift){
			.language = a.language, .tier = a.tier, .runtimes = a.runtimes, .env = a.env, .json = a.json});
	if (!strcmp(argv[1], "merge") && a.n_rest)
		return sg_verb_merge(a.n_rest, a.rest);
	if (!strcmp(argv[1], "list") && !a.n_rest)
		return list();
	fputs(usage, stderr);
	return 2;
}

bool sg_verb_known(const char *word)
{
	return !strcmp(word, "policy") || !strcmp(word, "doctor");
}

int sg_verb_run(int argc, char **argv)
{
	bool json = false;

	if (!strcmp(argv[0], "policy"))
		return policy(argc, argv);
	if (argc == 2 && !strcmp(argv[1], "--canary"))
		return sg_canary_main();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json")) {
			fputs(usage, stderr);
			return 2;
		}
		json = true;
	}
	return sg_doctor(json, stdout);
}
