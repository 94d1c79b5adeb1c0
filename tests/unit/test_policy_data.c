// SPDX-License-Identifier: Apache-2.0
/* Runs the data in tests/policy: see the README there. */
#include "policy_agree.h"
#include "policy_table.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *with_suffix(const char *name, const char *suffix)
{
	static char out[256];

	snprintf(out, sizeof(out), "%.*s%s", (int)strcspn(name, "."), name, suffix);
	return out;
}

static int same_text(const char *name, const char *got, const char *wanted)
{
	size_t i;

	if (!strcmp(got, wanted))
		return 0;
	for (i = 0; got[i] && got[i] == wanted[i]; i++)
		;
	while (i && got[i - 1] != '\n')
		i--;
	fprintf(stderr, "%s:\n  got      %.*s\n  expected %.*s\n", name, (int)strcspn(got + i, "\n"), got + i,
		(int)strcspn(wanted + i, "\n"), wanted + i);
	return 1;
}

static int accept_one(const char *name)
{
	struct sg_err err = {0};
	struct sg_policy *p;
	struct sg_doc *doc;
	size_t len, i, out_len;
	char *text = table_file("accept", name, &len), *wanted, *got = NULL;
	const char *lang;
	FILE *out;
	int bad;

	if (sg_doc_parse(name, text, len, &doc, &err)) {
		fprintf(stderr, "%s:%u:%u: %s\n", name, err.line, err.column, err.message);
		free(text);
		return 1;
	}
	out = open_memstream(&got, &out_len);
	for (i = 0; (lang = sg_doc_language(doc, i)); i++) {
		struct agree a;

		assert_int_equal(sg_policy_resolve(doc, lang, &p, &err), 0);
		assert_int_equal(sg_policy_explain(p, false, false, out, &err), 0);
		assert_int_equal(agree_begin(&a, p, &err), 0);
		assert_true(agree_on_boundaries(&a));
		agree_end(&a);
		sg_policy_free(p);
	}
	fclose(out);
	wanted = table_file("accept", with_suffix(name, ".explain"), &len);
	bad = same_text(name, got, wanted);
	free(wanted);
	free(got);
	free(text);
	sg_doc_free(doc);
	return bad;
}

static void accepted_files_mean_what_they_say(void **state)
{
	int failed = 0;

#ifndef __x86_64__
	skip();
#endif
	assert_true(table_each("accept", ".yaml", accept_one, &failed) >= 5);
	assert_int_equal(failed, 0);
}

static int reject_one(const char *name)
{
	struct sg_err err = {0};
	struct sg_doc *doc = NULL;
	struct sg_policy *p;
	size_t len, i;
	char *text = table_file("reject", name, &len), *wanted, got[1200] = "";
	const char *lang;
	int rc, bad;

	rc = sg_doc_parse(name, text, len, &doc, &err);
	for (i = 0; !rc && (lang = sg_doc_language(doc, i)); i++) {
		rc = sg_policy_resolve(doc, lang, &p, &err);
		if (!rc)
			sg_policy_free(p);
	}
	sg_doc_free(doc);
	sg_err_format(&err, got, sizeof(got) - 1);
	strcat(got, "\n");
	wanted = table_file("reject", with_suffix(name, ".error"), &len);
	bad = same_text(name, rc ? got : "accepted\n", wanted);
	if (rc && (rc != -err.code || (rc != -EINVAL && rc != -E2BIG))) {
		fprintf(stderr, "%s: returned %d with error code %d\n", name, rc, err.code);
		bad = 1;
	}
	free(wanted);
	free(text);
	return bad;
}

static void rejected_files_say_why(void **state)
{
	int failed = 0;

	assert_true(table_each("reject", ".yaml", reject_one, &failed) >= 100);
	assert_int_equal(failed, 0);
}

static int verdict_call(struct agree *a, const struct table_call *c)
{
	const struct sg_oracle oracle = {.self = TABLE_SELF, .in_sandbox = table_in_sandbox};
	struct sg_decision d = sg_policy_decide(a->policy, c->arch, c->nr, c->args, &oracle);
	uint32_t filter = sg_filter_simulate(a->insns, a->n, c->arch, c->nr, c->args);
	char got[32];

	table_action(d.action, d.err, got, sizeof(got));
	if (!strcmp(got, c->action) && (filter == agree_return(a, d) || filter == a->binding.ret_supervised))
		return 0;
	fprintf(stderr, "%s: oracle %s, filter 0x%08x, expected %s\n", c->where, got, filter, c->action);
	return 1;
}

static int n_calls;

static int verdict_one(const char *name)
{
	struct sg_err err = {0};
	struct table_call c;
	struct agree a = {0};
	struct table *t = table_open(name);
	int failed = 0;

	while (table_next(t, &c)) {
		if (c.policy != a.policy) {
			agree_end(&a);
			assert_int_equal(agree_begin(&a, c.policy, &err), 0);
		}
		failed += verdict_call(&a, &c);
		n_calls++;
	}
	agree_end(&a);
	table_close(t);
	return failed;
}

static void tables_hold(void **state)
{
	int failed = 0;

#ifndef __x86_64__
	skip();
#endif
	assert_true(table_each("verdict", ".table", verdict_one, &failed) >= 4);
	assert_true(n_calls > 150);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_files_mean_what_they_say),
		cmocka_unit_test(rejected_files_say_why),
		cmocka_unit_test(tables_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
