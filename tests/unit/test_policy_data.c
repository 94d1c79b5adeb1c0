// SPDX-License-Identifier: Apache-2.0
/* Runs the data in tests/policy: see the README there. */
#include "policy_agree.h"

#include <dirent.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/names.h"

#define SELF 4321
#define INSIDE 5001
#define OUTSIDE 5002

static char *read_file(const char *dir, const char *name, size_t *len)
{
	const char *data = getenv("SG_TEST_DATA");
	char path[512], *buf = malloc(SG_POLICY_MAX_BYTES + 2);
	FILE *f;

	assert_non_null(data);
	assert_non_null(buf);
	snprintf(path, sizeof(path), "%s/%s/%s", data, dir, name);
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	*len = fread(buf, 1, SG_POLICY_MAX_BYTES + 1, f);
	buf[*len] = '\0';
	fclose(f);
	return buf;
}

/* Calls fn for every file of the folder that ends so; returns how many. */
static int each(const char *dir, const char *suffix, int (*fn)(const char *name), int *failed)
{
	const char *data = getenv("SG_TEST_DATA");
	struct dirent **list;
	char path[512];
	int n, i, seen = 0;

	assert_non_null(data);
	snprintf(path, sizeof(path), "%s/%s", data, dir);
	n = scandir(path, &list, NULL, alphasort);
	assert_true(n > 0);
	for (i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		size_t len = strlen(name), s = strlen(suffix);

		if (len > s && !strcmp(name + len - s, suffix)) {
			seen++;
			*failed += fn(name);
		}
		free(list[i]);
	}
	free(list);
	return seen;
}

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
	char *text = read_file("accept", name, &len), *wanted, *got = NULL;
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
		assert_int_equal(sg_policy_explain(p, false, out, &err), 0);
		assert_int_equal(agree_begin(&a, p, &err), 0);
		assert_true(agree_on_boundaries(&a));
		agree_end(&a);
		sg_policy_free(p);
	}
	fclose(out);
	wanted = read_file("accept", with_suffix(name, ".explain"), &len);
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
	assert_true(each("accept", ".yaml", accept_one, &failed) >= 5);
	assert_int_equal(failed, 0);
}

static int reject_one(const char *name)
{
	struct sg_err err = {0};
	struct sg_doc *doc = NULL;
	struct sg_policy *p;
	size_t len, i;
	char *text = read_file("reject", name, &len), *wanted, got[1200] = "";
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
	wanted = read_file("reject", with_suffix(name, ".error"), &len);
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

	assert_true(each("reject", ".yaml", reject_one, &failed) >= 100);
	assert_int_equal(failed, 0);
}

static uint64_t argument(const char *word)
{
	if (!strcmp(word, "self"))
		return SELF;
	if (!strcmp(word, "inside"))
		return INSIDE;
	if (!strcmp(word, "outside"))
		return OUTSIDE;
	if (!strcmp(word, "-inside"))
		return (uint32_t)-INSIDE;
	if (!strcmp(word, "-outside"))
		return (uint32_t)-OUTSIDE;
	return word[0] == '-' ? (uint64_t)strtoll(word, NULL, 0) : strtoull(word, NULL, 0);
}

static bool in_sandbox(void *ctx, int32_t pid)
{
	return pid == SELF || pid == INSIDE || pid == -INSIDE || pid == 0;
}

static uint32_t filter_return(const struct agree *a, struct sg_decision d)
{
	switch (d.action) {
	case SG_ACTION_ALLOW:
		return SECCOMP_RET_ALLOW;
	case SG_ACTION_AUDIT:
		return a->binding.ret_audit;
	case SG_ACTION_ERRNO:
		return SECCOMP_RET_ERRNO | d.err;
	default:
		return SECCOMP_RET_KILL_PROCESS;
	}
}

static int verdict_call(const char *where, struct agree *a, char *const f[9])
{
	const struct sg_oracle oracle = {.self = SELF, .in_sandbox = in_sandbox};
	uint32_t arch = sg_native_arch(), nr, filter;
	uint64_t args[SG_ARGS];
	struct sg_decision d;
	char got[32];
	int n, i;

	if (sg_syscall_resolve(f[1], &n))
		nr = (uint32_t)strtoul(f[1], NULL, 10);
	else
		nr = (uint32_t)n;
	if (!strcmp(f[0], "i386"))
		arch = AUDIT_ARCH_I386;
	else if (!strcmp(f[0], "x32"))
		nr |= 0x40000000U;
	else
		assert_string_equal(f[0], "native");
	for (i = 0; i < SG_ARGS; i++)
		args[i] = argument(f[2 + i]);
	d = sg_policy_decide(a->policy, arch, nr, args, &oracle);
	switch (d.action) {
	case SG_ACTION_ERRNO:
		snprintf(got, sizeof(got), "errno:%s", sg_errno_name(d.err));
		break;
	default:
		snprintf(got, sizeof(got), "%s",
			 d.action == SG_ACTION_ALLOW   ? "allow"
			 : d.action == SG_ACTION_AUDIT ? "audit"
						       : "kill");
	}
	filter = sg_filter_simulate(a->insns, a->n, arch, nr, args);
	if (!strcmp(got, f[8]) && (filter == filter_return(a, d) || filter == a->binding.ret_supervised))
		return 0;
	fprintf(stderr, "%s: %s %s: oracle %s, filter 0x%08x, expected %s\n", where, f[0], f[1], got, filter, f[8]);
	return 1;
}

static int choose_policy(const char *file, const char *language, struct sg_policy **p)
{
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};
	size_t len;
	char *text;

	sg_policy_free(*p);
	*p = NULL;
	if (strcmp(file, "-")) {
		text = read_file("verdict", file, &len);
		if (sg_doc_parse(file, text, len, &doc, &err))
			fail_msg("%s:%u:%u: %s", file, err.line, err.column, err.message);
		free(text);
	}
	if (sg_policy_resolve(doc, language, p, &err))
		fail_msg("%s %s: %s", file, language, err.message);
	sg_doc_free(doc);
	return 0;
}

static int n_calls;

static int verdict_one(const char *name)
{
	struct sg_policy *p = NULL;
	struct sg_err err = {0};
	struct agree a = {0};
	size_t len;
	char *text = read_file("verdict", name, &len), *line, *rest = text, *f[10], *save, where[300];
	int n, lineno = 0, failed = 0;

	while ((line = strsep(&rest, "\n"))) {
		lineno++;
		line[strcspn(line, "#")] = '\0';
		for (n = 0, save = line; n < 10 && (f[n] = strtok_r(n ? NULL : line, " \t", &save)); n++)
			;
		if (!n)
			continue;
		snprintf(where, sizeof(where), "%s:%d", name, lineno);
		if (n == 3 && !strcmp(f[0], "policy")) {
			agree_end(&a);
			choose_policy(f[1], f[2], &p);
			assert_int_equal(agree_begin(&a, p, &err), 0);
			continue;
		}
		if (n != 9 || !p)
			fail_msg("%s: not a statement", where);
		failed += verdict_call(where, &a, f);
		n_calls++;
	}
	agree_end(&a);
	sg_policy_free(p);
	free(text);
	return failed;
}

static void tables_hold(void **state)
{
	int failed = 0;

#ifndef __x86_64__
	skip();
#endif
	assert_true(each("verdict", ".table", verdict_one, &failed) >= 4);
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
