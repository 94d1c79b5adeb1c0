// SPDX-License-Identifier: Apache-2.0
/*
 * A policy file of any bytes: parsed, every language resolved, explained, compared and compiled. Whatever is accepted
 * must mean the same to the oracle and to the filter, and the hint for what it forbids must be a policy file itself.
 */
#include "../unit/policy_agree.h"

#include "policy/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FILE *nowhere;

static const uint32_t calls[] = {0,   1,   9,   16,  41,  56,  57,  59,  62,  72,        101,
				 157, 165, 272, 302, 321, 435, 437, 511, 512, 1073741863};
static const uint64_t samples[][SG_ARGS] = {{0},         {1, 2, 3, 4, 5, 6}, {~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL},
					    {0x1200011}, {2, 1, 6},          {0, 0x5412}};

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* An error says something, and says where. */
static void check_error(int rc, const struct sg_err *err)
{
	char text[2048];

	must(rc < 0 && err->code == -rc && err->message[0]);
	sg_err_format(err, text, sizeof(text));
	must(strstr(text, err->message) != NULL);
}

static void check_hint(const struct sg_policy *p, uint32_t nr, const uint64_t *args)
{
	struct sg_err err = {0};
	struct sg_doc *doc;
	char *hint = NULL;

	if (sg_policy_hint(p, sg_native_arch(), nr, args, &hint, &err)) {
		must(err.code == ENOMEM);
		return;
	}
	must(hint != NULL);
	if (strstr(hint, ": {allow: ") && !sg_doc_parse("hint", hint, strlen(hint), &doc, &err))
		sg_doc_free(doc);
	free(hint);
}

/* What the object rules decide is one of the actions, and a hint for a refusal is a policy file itself. */
static void check_objects(const struct sg_policy *p)
{
	static const char *const paths[] = {"/",        "/usr/lib/x",        "/etc/shadow",
					    "$CWD/a b", "/srv/\"\\\xc3\xbc", "/\xff/\n"};
	const struct sg_tree *trees;
	struct sg_err err = {0};
	size_t n;

	trees = sg_policy_trees(p, &n);
	must(n <= SG_TREES_MAX && sg_policy_objects(p)->n_net <= SG_NET_MAX);
	for (size_t i = 0; i < n; i++)
		must(!(trees[i].rights.allow & trees[i].rights.deny) && (trees[i].rights.allow | trees[i].rights.deny));
	for (unsigned c = 0; c < SG_CLASS_N; c++) {
		struct sg_access a = {.cls = c,
				      .path = paths[(c + n) % (sizeof(paths) / sizeof(paths[0]))],
				      .family = c + (unsigned)n % 3 * 13,
				      .proto = SG_NET_TCP,
				      .op = SG_NET_CONNECT,
				      .port = 443,
				      .capability = (unsigned)n % 64,
				      .executed = (uint32_t)n % 3};
		struct sg_decision d = sg_objects_decide(sg_policy_objects(p), trees, n, &a);
		struct sg_doc *doc = NULL;
		char *hint = NULL;

		must(d.action >= SG_ACTION_ALLOW && d.action <= SG_ACTION_KILL &&
		     !d.err == (d.action != SG_ACTION_ERRNO));
		must(sg_policy_object_hint(p, &a, &hint, &err) == 0 && hint && !strchr(hint, '\n'));
		must(!hint[0] == (d.action == SG_ACTION_ALLOW || d.action == SG_ACTION_AUDIT));
		if (strstr(hint, "}} # add to ")) {
			const char *then, *last = hint;

			while ((then = strstr(last, "; then ")))
				last = then + strlen("; then ");
			must(sg_doc_parse("hint", last, strlen(last), &doc, &err) == 0);
			sg_doc_free(doc);
		}
		free(hint);
	}
}

static void check_policy(const struct sg_policy *p, bool thorough)
{
	struct sg_err err = {0};
	struct agree a;
	size_t i, j;

	must(strlen(sg_policy_digest(p)) == 71);
	must(sg_policy_explain(p, false, false, nowhere, &err) == 0);
	must(sg_policy_explain(p, true, true, nowhere, &err) == 0);
	must(sg_policy_diff(p, p, false, nowhere, &err) == 0);
	check_objects(p);
	if (agree_begin(&a, p, &err)) {
		check_error(-err.code, &err);
		return;
	}
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (j = 0; j < sizeof(samples) / sizeof(samples[0]); j++)
			must(agree_on(&a, sg_native_arch(), calls[i], samples[j]));
	if (thorough)
		must(agree_on_boundaries(&a));
	agree_end(&a);
	check_hint(p, calls[strlen(sg_policy_name(p)) % (sizeof(calls) / sizeof(calls[0]))], samples[1]);
}

static void count_fault(void *ctx, const struct sg_err *err)
{
	check_error(-err->code, err);
	++*(unsigned *)ctx;
}

/* What is read past an error is taken for nothing: the file is refused, with as many errors as were handed out. */
static void check_all(const char *text, size_t size, bool refused)
{
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};
	unsigned n = 0;
	int rc = sg_doc_parse_all("fuzz.yaml", text, size, count_fault, &n, &doc, &err);

	must(!rc == !refused && !rc == !n && n <= SG_POLICY_MAX_FAULTS);
	sg_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Not terminated, and of this very size: reading past it is seen. */
	char *text = malloc(size ? size : 1);
	struct sg_policy *p, *last = NULL;
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};
	const char *language;
	size_t i;
	int rc;

	if (!nowhere)
		nowhere = fopen("/dev/null", "we");
	must(text && nowhere);
	if (size)
		memcpy(text, data, size);
	rc = sg_doc_parse("fuzz.yaml", text, size, &doc, &err);
	check_all(text, size, rc != 0);
	free(text);
	if (rc) {
		check_error(rc, &err);
		return 0;
	}
	for (i = 0; i < 4 && (language = sg_doc_language(doc, i)); i++) {
		sg_err_reset(&err);
		rc = sg_policy_resolve(doc, language, &p, &err);
		if (rc) {
			check_error(rc, &err);
			continue;
		}
		check_policy(p, size % 16 == 0);
		if (last)
			must(sg_policy_diff(last, p, true, nowhere, &err) >= 0);
		sg_policy_free(last);
		last = p;
	}
	sg_policy_free(last);
	sg_doc_free(doc);
	return 0;
}
