// SPDX-License-Identifier: Apache-2.0
#include "policy_table.h"

#include "policy/names.h"
#include "policy/seccomp.h"

#include <dirent.h>
#include <errno.h>
#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct table {
	char name[256];
	char *text, *rest;
	unsigned line;
	struct sg_policy *policy, *old; /* old: so that a new one never gets its address */
};

char *table_file(const char *dir, const char *name, size_t *len)
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

int table_each(const char *dir, const char *suffix, int (*fn)(const char *name), int *failed)
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

bool table_in_sandbox(void *ctx, int32_t pid)
{
	return pid == 0 || pid == TABLE_SELF || pid == -TABLE_SELF || pid == TABLE_INSIDE || pid == -TABLE_INSIDE;
}

static uint64_t argument(const char *word)
{
	if (!strcmp(word, "self"))
		return TABLE_SELF;
	if (!strcmp(word, "inside"))
		return TABLE_INSIDE;
	if (!strcmp(word, "outside"))
		return TABLE_OUTSIDE;
	if (!strcmp(word, "-inside"))
		return (uint32_t)-TABLE_INSIDE;
	if (!strcmp(word, "-outside"))
		return (uint32_t)-TABLE_OUTSIDE;
	return word[0] == '-' ? (uint64_t)strtoll(word, NULL, 0) : strtoull(word, NULL, 0);
}

void table_action(unsigned action, unsigned err, char *buf, size_t size)
{
	if (action == SG_ACTION_ERRNO)
		snprintf(buf, size, "errno:%s", sg_errno_name(err));
	else
		snprintf(buf, size, "%s",
			 action == SG_ACTION_ALLOW   ? "allow"
			 : action == SG_ACTION_AUDIT ? "audit"
						     : "kill");
}

struct table *table_open(const char *name)
{
	struct table *t = calloc(1, sizeof(*t));
	size_t len;

	assert_non_null(t);
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->text = t->rest = table_file("verdict", name, &len);
	return t;
}

void table_close(struct table *t)
{
	sg_policy_free(t->policy);
	sg_policy_free(t->old);
	free(t->text);
	free(t);
}

static void choose_policy(struct table *t, const char *file, const char *language)
{
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};
	size_t len;
	char *text;

	sg_policy_free(t->old);
	t->old = t->policy;
	t->policy = NULL;
	if (strcmp(file, "-")) {
		text = table_file("verdict", file, &len);
		if (sg_doc_parse(file, text, len, &doc, &err))
			fail_msg("%s:%u:%u: %s", file, err.line, err.column, err.message);
		free(text);
	}
	if (sg_policy_resolve(doc, language, &t->policy, &err))
		fail_msg("%s %s: %s", file, language, err.message);
	sg_doc_free(doc);
}

static void fill(const struct table *t, char *const f[9], struct table_call *out)
{
	int n, i;

	memset(out, 0, sizeof(*out));
	snprintf(out->where, sizeof(out->where), "%s:%u: %s %s", t->name, t->line, f[0], f[1]);
	out->policy = t->policy;
	out->arch = sg_native_arch();
	out->nr = sg_syscall_resolve(f[1], &n) ? (uint32_t)strtoul(f[1], NULL, 10) : (uint32_t)n;
	if (!strcmp(f[0], "i386"))
		out->arch = AUDIT_ARCH_I386;
	else if (!strcmp(f[0], "x32"))
		out->nr |= 0x40000000U;
	else
		assert_string_equal(f[0], "native");
	for (i = 0; i < SG_ARGS; i++)
		out->args[i] = argument(f[2 + i]);
	snprintf(out->action, sizeof(out->action), "%s", f[8]);
}

bool table_next(struct table *t, struct table_call *out)
{
	char *line, *f[10], *save;
	int n;

	while ((line = strsep(&t->rest, "\n"))) {
		t->line++;
		line[strcspn(line, "#")] = '\0';
		for (n = 0, save = line; n < 10 && (f[n] = strtok_r(n ? NULL : line, " \t", &save)); n++)
			;
		if (n == 3 && !strcmp(f[0], "policy")) {
			choose_policy(t, f[1], f[2]);
			continue;
		}
		if (!n)
			continue;
		if (n != 9 || !t->policy)
			fail_msg("%s:%u: not a statement", t->name, t->line);
		fill(t, f, out);
		return true;
	}
	return false;
}
