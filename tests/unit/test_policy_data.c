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

/* Every error that was found, a line each. */
struct faults {
	char text[16384];
	unsigned n;
};

static void add_fault(void *ctx, const struct sg_err *err)
{
	struct faults *f = ctx;
	size_t n = strlen(f->text);

	sg_err_format(err, f->text + n, sizeof(f->text) - n - 1);
	strcat(f->text, "\n");
	f->n++;
}

/* Who takes all errors gets the first one first, and no file that others do not. */
static int same_first(const char *name, const char *text, size_t len, const char *first)
{
	struct faults *f = calloc(1, sizeof(*f));
	struct sg_err err = {0};
	struct sg_doc *doc = NULL;
	int rc = sg_doc_parse_all(name, text, len, add_fault, f, &doc, &err), bad = 0;

	sg_doc_free(doc);
	if (!first != !rc || f->n > SG_POLICY_MAX_FAULTS || (first && strncmp(f->text, first, strlen(first)) != 0)) {
		fprintf(stderr, "%s: %d, of %u errors the first is\n%s", name, rc, f->n, f->text);
		bad = 1;
	}
	free(f);
	return bad;
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
	bad = !rc ? same_first(name, text, len, NULL) : 0;
	for (i = 0; !rc && (lang = sg_doc_language(doc, i)); i++) {
		rc = sg_policy_resolve(doc, lang, &p, &err);
		if (!rc)
			sg_policy_free(p);
	}
	sg_err_format(&err, got, sizeof(got) - 1);
	strcat(got, "\n");
	if (!doc)
		bad = same_first(name, text, len, got);
	sg_doc_free(doc);
	wanted = table_file("reject", with_suffix(name, ".error"), &len);
	bad |= same_text(name, rc ? got : "accepted\n", wanted);
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

static void one_reading_finds_several(void **state)
{
	static const struct {
		const char *text, *wanted;
	} files[] = {
		{"version: 1\n"
		 "base:\n"
		 "  allow: [raed, {socket: [domain == AF_INTE, domain == AF_UNIX]}, [a], read, wirte]\n"
		 "  kil: [mount]\n"
		 "  errno: {EPREM: [mount], EPERM: [mout, read]}\n"
		 "  limits: {pids: x, memry: 3}\n"
		 "  files: {read: [usr, /b], deny: [/b, \"/a*\"], otherwise: nope}\n"
		 "Upper: {allow: [read]}\n"
		 "denied: [swapno, read]\n",
		 "f:3:11: unknown system call \"raed\"; did you mean \"read\"?\n"
		 "f:3:37: unknown constant \"AF_INTE\"; did you mean \"AF_INET\"?\n"
		 "f:3:67: a system call or \"system call: condition\" is expected, not a list\n"
		 "f:3:78: unknown system call \"wirte\"; did you mean \"write\"?\n"
		 "f:4:3: unknown key \"kil\"; did you mean \"kill\"?\n"
		 "f:5:11: unknown error name \"EPREM\"; did you mean \"EPERM\"?\n"
		 "f:5:35: unknown system call \"mout\"; did you mean \"mount\"?\n"
		 "f:6:18: the limit \"pids\" must be a number, not \"x\"\n"
		 "f:6:21: unknown limit \"memry\"; did you mean \"memory\"?\n"
		 "f:7:18: \"usr\" is not absolute: a tree begins with /, $CWD, $TMP, $HOME, $PROGRAM or $RUNTIME\n"
		 "f:7:39: \"/a*\" contains \"*\": patterns are not expanded; a tree is a file, or a directory with "
		 "everything below it\n"
		 "f:7:58: \"otherwise\" must be kill, allow, audit or \"errno NAME\", not \"nope\"\n"
		 "f:7:35: \"/b\" is under \"files: deny\" here and under \"files: read\" at line 7: which one is it?\n"
		 "f:5:41: \"read\" is under \"errno EPERM\" here and under \"allow\" at line 3: which one is it?\n"
		 "f:8:1: \"Upper\" cannot be the name of a language: use a-z, 0-9 and + _ . -\n"
		 "f:9:10: unknown system call \"swapno\"; did you mean \"swapon\"?\n"},
		/* Of the whole only where every part could be read: the parent of `b` is there. */
		{"a: {allow: [raed]}\nb: {inherit: c}\nC: {allow: [read]}\n",
		 "f:1:13: unknown system call \"raed\"; did you mean \"read\"?\n"
		 "f:3:1: \"C\" cannot be the name of a language: use a-z, 0-9 and + _ . -\n"},
		{"a: {inherit: [c, \"builtin:pyton\"], allow: [read, write]}\ndenied: [read, write]\n",
		 "f:1:15: this file has no language \"c\"; did you mean \"builtin:c\"?\n"
		 "f:1:18: there is no built-in policy \"pyton\"; did you mean \"python\"?\n"
		 "f:1:44: \"read\" is denied at line 2: it cannot be under \"allow\"\n"
		 "f:1:50: \"write\" is denied at line 2: it cannot be under \"allow\"\n"},
		{"a: [\n", "f:2:1: not valid YAML: while parsing a flow node, did not find expected node content\n"},
	};
	struct faults *f = calloc(1, sizeof(*f));
	char many[512] = "a: {allow: [";
	struct sg_err err = {0};
	struct sg_doc *doc;
	int failed = 0;

	assert_non_null(f);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		*f = (struct faults){.n = 0};
		sg_err_reset(&err);
		assert_true(sg_doc_parse_all("f", files[i].text, strlen(files[i].text), add_fault, f, &doc, &err) < 0);
		assert_true(err.code && err.message[0]);
		failed += same_text("several errors", f->text, files[i].wanted);
	}
	assert_int_equal(failed, 0);
	for (int i = 0; i < 40; i++)
		strcat(many, "raed, ");
	strcat(many, "wirte]}\n");
	*f = (struct faults){.n = 0};
	sg_err_reset(&err);
	assert_int_equal(sg_doc_parse_all("f", many, strlen(many), add_fault, f, &doc, &err), -EINVAL);
	assert_int_equal(f->n, SG_POLICY_MAX_FAULTS);
	free(f);
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
		cmocka_unit_test(one_reading_finds_several),
		cmocka_unit_test(tables_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
