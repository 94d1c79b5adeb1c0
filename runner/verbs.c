/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/verbs.h"

#include "policy/names.h"
#include "policy/phases.h"
#include "policy/seccomp.h"
#include "runner/canary.h"
#include "runner/doctor.h"
#include "runner/learn.h"
#include "runner/verbs_more.h"
#include "supervisor/util.h"

#include <errno.h>
#include <jansson.h>
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

/* Of a file that is being read. */
static void say_fault(void *ctx, const struct sg_err *err)
{
	unsigned *n = ctx;

	(void)fail(err);
	if (++*n == SG_POLICY_MAX_FAULTS)
		fprintf(stderr, "%s: these are %u errors; what may come after them was not looked for\n", err->source,
			*n);
}

static int load(const char *file, struct sg_doc **doc)
{
	struct sg_err err = {0};
	unsigned n = 0;

	return sg_doc_load_all(file, say_fault, &n, doc, &err) < 0 ? 2 : 0;
}

enum {
	DENIAL = 1 << 0,
	FILTER = 1 << 1,
	POLICY = 1 << 2,
	TIER = 1 << 3,
	RUNTIME = 1 << 4,
	ENV = 1 << 5,
	LANG = 1 << 6
};

/* An option that a verb has no use for would be taken for more: `explain --policy FILE` for a question about FILE. */
static bool takes(const struct args *a, const char *verb, unsigned options)
{
	const struct {
		unsigned option;
		bool given;
		const char *name;
	} all[] = {{DENIAL, a->denial, "--denial"},
		   {FILTER, a->filter, "--filter"},
		   {POLICY, a->policy != NULL, "--policy"},
		   {TIER, a->tier != NULL, "--tier"},
		   {RUNTIME, a->runtimes[0] != NULL, "--runtime"},
		   {ENV, a->env[0] != NULL, "--env"},
		   {LANG, a->language != NULL, "--lang"}};

	for (size_t i = 0; i < SG_ARRAY_SIZE(all); i++) {
		if (all[i].given && !(options & all[i].option)) {
			fprintf(stderr, "sgrun policy %s: %s has no meaning here%s\n", verb, all[i].name,
				options & FILTER && all[i].option == POLICY ? "; name the file without it" : "");
			return false;
		}
	}
	return true;
}

static int add_word(const char *list[17], const char *option, const char *word)
{
	for (int i = 0; i < 16; i++) {
		if (!list[i]) {
			list[i] = word;
			return 0;
		}
	}
	fprintf(stderr, "sgrun policy: %s %s: at most 16 of them\n", option, word);
	return -1;
}

static int parse(struct args *a, int argc, char **argv)
{
	struct sg_err err = {0};
	int tier;

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
			if (sg_options_tier(a->tier, &tier, &err) < 0) {
				fprintf(stderr, "sgrun policy: %s\n", err.message);
				return -1;
			}
		} else if (!strcmp(argv[i], "--runtime") && i + 1 < argc) {
			i++;
			if (add_word(a->runtimes, "--runtime", argv[i]) < 0)
				return -1;
		} else if (!strcmp(argv[i], "--env") && i + 1 < argc) {
			i++;
			if (add_word(a->env, "--env", argv[i]) < 0)
				return -1;
		} else if (!strcmp(argv[i], "--lang") && i + 1 < argc) {
			a->language = argv[++i];
		} else if (!strcmp(argv[i], "--policy") || !strcmp(argv[i], "--tier") ||
			   !strcmp(argv[i], "--runtime") || !strcmp(argv[i], "--env") || !strcmp(argv[i], "--lang")) {
			fprintf(stderr, "sgrun policy: the option %s wants a value\n", argv[i]);
			return -1;
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

/* Calls fn for the language asked for, or for every one of the file; go_on: also past one that is no good. */
static int each_policy(const struct args *a, const char *file, one_policy *fn, bool go_on)
{
	struct sg_err err = {0}, last = {0};
	struct sg_doc *doc = NULL;
	struct sg_policy *p;
	int status = 0, each;

	if (file && !strncmp(file, "builtin:", 8) && a->language) {
		sg_err_set(&err, EINVAL, "%s is one language; leave out --lang %s, or %s", file, a->language, file);
		return fail(&err);
	}
	if (file && strncmp(file, "builtin:", 8) != 0 && load(file, &doc))
		return 2;
	for (size_t i = 0; status == 0 || go_on; i++) {
		const char *language = a->language ? a->language
				       : doc       ? sg_doc_language(doc, i)
				       : file      ? file + 8
						   : sg_builtin_name(i);

		if (!language)
			break;
		sg_err_reset(&err);
		if (sg_policy_resolve(doc, language, &p, &err) < 0) {
			/* An inherited line is the same error again. */
			each = memcmp(&err, &last, sizeof(err)) != 0 ? fail(&err) : 2;
			last = err;
		} else {
			each = fn(a, doc, p);
			sg_policy_free(p);
		}
		status = each ? each : status;
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

/* One side of a diff: a file, or one built-in policy. */
struct side {
	struct sg_doc *doc; /* NULL: built in */
	const char *builtin;
};

static int load_side(const char *what, struct side *s)
{
	*s = (struct side){0};
	if (!strncmp(what, "builtin:", 8)) {
		s->builtin = what + 8;
		return 0;
	}
	return load(what, &s->doc);
}

static const char *language_at(const struct side *s, size_t i)
{
	return s->doc ? sg_doc_language(s->doc, i) : i ? NULL : s->builtin;
}

static bool has_language(const struct side *s, const char *language)
{
	const char *name;

	for (size_t i = 0; (name = language_at(s, i)); i++)
		if (!strcmp(name, language))
			return true;
	return false;
}

/* Two policies. above: is said before the differences, where there are any. */
static int diff_policies(const struct args *a, const struct side *x, const char *x_language, const struct side *y,
			 const char *y_language, const char *above)
{
	struct sg_policy *p = NULL, *q = NULL;
	struct sg_err err = {0};
	SG_FREE char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int rc = out ? 0 : sg_err_set(&err, ENOMEM, "out of memory");

	if (!rc)
		rc = sg_policy_resolve(x->doc, x_language, &p, &err);
	if (!rc)
		rc = sg_policy_resolve(y->doc, y_language, &q, &err);
	if (!rc)
		rc = sg_policy_diff(p, q, a->json, out, &err);
	if (out && fclose(out) != 0 && rc >= 0)
		rc = sg_err_set(&err, ENOMEM, "out of memory");
	sg_policy_free(p);
	sg_policy_free(q);
	if (rc < 0)
		return fail(&err);
	if (rc && above && !a->json)
		printf("%s:\n", above);
	fputs(text, stdout);
	return rc;
}

/* A language that only one of them has. */
static int tell_missing(const struct args *a, const char *language, bool added)
{
	json_t *o;

	if (!a->json) {
		printf("%s language %s\n", added ? "+" : "-", language);
		return 1;
	}
	o = json_pack("{s:n, s:{s:s}, s:b, s:[], s:[], s:[], s:[]}", added ? "a" : "b", added ? "b" : "a", "name",
		      language, "differs", 1, "removed", "added", "reordered", "settings");
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
	return 1;
}

static int worse(int a, int b)
{
	return a > b ? a : b;
}

static int diff_all(const struct args *a, const struct side *x, const struct side *y)
{
	const char *name;
	int status = 0;

	for (size_t i = 0; (name = language_at(x, i)); i++)
		status = worse(status, has_language(y, name) ? diff_policies(a, x, name, y, name, name)
							     : tell_missing(a, name, false));
	for (size_t i = 0; (name = language_at(y, i)); i++)
		if (!has_language(x, name))
			status = worse(status, tell_missing(a, name, true));
	return status;
}

/* Which one is compared where only one is: with a built-in policy that of its name, if there is one. */
static const char *language_of(const struct args *a, const struct side *s, const struct side *other)
{
	const char *first = language_at(s, 0);

	if (s->doc && a->language)
		return a->language;
	if (s->doc && other->builtin && has_language(s, other->builtin))
		return other->builtin;
	return first ? first : "default";
}

/* Every language of both files, or the one asked for. Two files of one language each are compared whatever its name. */
static int diff(const struct args *a)
{
	struct side x, y = {0};
	struct sg_err err = {0};
	int status;

	if (a->language && !strncmp(a->rest[0], "builtin:", 8) && !strncmp(a->rest[1], "builtin:", 8)) {
		sg_err_set(&err, EINVAL, "%s and %s are one language each; leave out --lang %s", a->rest[0], a->rest[1],
			   a->language);
		return fail(&err);
	}
	if (load_side(a->rest[0], &x) || load_side(a->rest[1], &y))
		status = 2;
	else if (!a->language && x.doc && y.doc && (language_at(&x, 1) || language_at(&y, 1)))
		status = diff_all(a, &x, &y);
	else
		status = diff_policies(a, &x, language_of(a, &x, &y), &y, language_of(a, &y, &x), NULL);
	sg_doc_free(x.doc);
	sg_doc_free(y.doc);
	return status;
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

static unsigned options_of(const char *verb, bool denial)
{
	static const struct {
		char verb[8];
		unsigned options;
	} all[] = {
		{"check", LANG}, {"diff", LANG}, {"test", POLICY | LANG | TIER}, {"drift", LANG | TIER | RUNTIME | ENV},
		{"merge", 0},    {"list", 0}};

	for (size_t i = 0; i < SG_ARRAY_SIZE(all); i++)
		if (!strcmp(all[i].verb, verb))
			return all[i].options;
	if (strcmp(verb, "explain") != 0)
		return ~0U; /* no verb at all: the usage says so */
	return denial ? DENIAL | POLICY | LANG : FILTER | LANG;
}

/* A verb that there is not, or one with too few words or too many. */
static int misused(const char *verb)
{
	static const char *const verbs[] = {"check", "explain", "diff", "test", "drift", "merge", "list"};
	struct sg_suggest near;
	char text[64];

	sg_suggest_init(&near, verb);
	for (size_t i = 0; i < SG_ARRAY_SIZE(verbs); i++) {
		if (!strcmp(verb, verbs[i])) {
			fprintf(stderr, "sgrun policy %s: too few words, or too many\n%s", verb, usage);
			return 2;
		}
		sg_suggest_offer(&near, verbs[i]);
	}
	fprintf(stderr, "sgrun policy: there is no verb \"%s\"%s\n%s", verb, sg_suggest_text(&near, text, sizeof(text)),
		usage);
	return 2;
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
	if (!takes(&a, argv[1], options_of(argv[1], a.denial)))
		return 2;
	if (!strcmp(argv[1], "check") && a.n_rest) {
		for (int i = 0; i < a.n_rest; i++)
			if (each_policy(&a, a.rest[i], check_one, true) != 0)
				status = 2;
		return status;
	}
	if (!strcmp(argv[1], "explain") && a.denial && a.n_rest <= 1)
		return sg_verb_denial(a.json, a.policy, a.language, a.n_rest ? a.rest[0] : NULL);
	if (!strcmp(argv[1], "explain") && a.n_rest <= 1)
		return each_policy(&a, a.n_rest ? a.rest[0] : NULL, explain_one, false);
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
	return misused(argv[1]);
}

bool sg_verb_known(const char *word)
{
	return !strcmp(word, "policy") || !strcmp(word, "doctor");
}

int sg_verb_run(int argc, char **argv)
{
	bool json = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help")) {
			fputs(usage, stdout);
			return 0;
		}
	}
	if (!strcmp(argv[0], "policy"))
		return policy(argc, argv);
	if (argc == 2 && !strcmp(argv[1], "--canary"))
		return sg_canary_main();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json")) {
			fprintf(stderr, "sgrun doctor: it takes no word but --json, and there is \"%s\"\n", argv[i]);
			return 2;
		}
		json = true;
	}
	return sg_doctor(json, stdout);
}
