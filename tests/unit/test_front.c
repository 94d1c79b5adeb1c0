/* SPDX-License-Identifier: Apache-2.0 */
/* What sgrun's front makes of a command line, and that it knows of every option there is. */
#include "../../runner/front.c"

#include "runner/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Left to the rest of the program. */
static const char others[] =
	"learn\0from\0user\0cancel-fd\0batch\0jobs\0detach\0on-supervisor-death\0help\0version\0output\0";

static bool in(const char *list, const char *name)
{
	for (; *list; list += strlen(list) + 1)
		if (!strcmp(list, name))
			return true;
	return false;
}

static void test_every_option(void **state)
{
	unsigned found = 0, known = 0;

	(void)state;
	/* Behind the usage, which has options of verbs. */
	for (const char *at = strstr(sg_options_help, "what is allowed"); (at = strstr(at, "--")) != NULL;) {
		char name[32] = "";
		bool takes;

		at += 2;
		(void)sscanf(at, "%31[a-z-]", name);
		at += strlen(name);
		if (!*name)
			continue;
		found++;
		if (in(others, name))
			continue;
		takes = in(valued, name);
		if (takes == in(plain, name))
			fail_msg("--%s is neither an option with a value nor one without to the front", name);
		/* In the help a value is in capitals, or a choice of words. */
		if (takes && (*at != ' ' || at[1] == ' '))
			fail_msg("--%s has no value in the help, and one to the front", name);
	}
	assert_true(found > 30);
	for (const char *o = valued; *o; o += strlen(o) + 1)
		known++;
	for (const char *o = plain; *o; o += strlen(o) + 1)
		known++;
	for (const char *o = others; *o; o += strlen(o) + 1)
		known++;
	assert_true(found >= known);
}

static char key_of[2][SG_PROTO_KEY_MAX];

/* The key of a command line, as words with one space between; "": it is not for the front. */
static size_t key(int which, const char *line, struct words *w)
{
	static char text[256], home[] = "HOME=/", *env[] = {home, NULL};
	char *argv[32], *save = NULL;
	int n = 0;

	snprintf(text, sizeof(text), "sgrun %s", line);
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[n++] = strcmp(word, "''") ? word : word + 2;
	argv[n] = NULL;
	return understand(w, argv) ? make_key(key_of[which], w, n, argv, env, "/usr/bin/sgrun") : 0;
}

static void same_key(const char *a, const char *b, bool expected)
{
	struct words w;
	size_t x = key(0, a, &w), y = key(1, b, &w);

	assert_true(x && y);
	if ((x == y && !memcmp(key_of[0], key_of[1], x)) != expected)
		fail_msg("'%s' and '%s' are %s", a, b, expected ? "different" : "the same");
}

static void test_keys(void **state)
{
	struct words w;

	(void)state;
	same_key("--lang c -- true", "--lang c -- true", true);
	same_key("--lang c -- true", "--lang c true", false);
	same_key("--lang c -- true", "--lang python -- true", false);
	same_key("--lang c -- true", "--lang c -- true ''", false);
	same_key("--lang c -- true ''", "--lang c -- true '' ''", false);
	same_key("--lang c -- true HOME=/", "--lang c -- true", false);
	same_key("--lang c --label a -- true", "--lang c -- true", true);
	same_key("--label=a --lang c -- true", "--lang c --label bb -- true", true);
	same_key("--lang c -- true --label a", "--lang c -- true --label b", false);
	same_key("--lang c --label a -- true --label a", "--lang c --label b -- true --label a", true);
	assert_true(key(0, "--lang c --label=x --daemon /s --verdicts fd:1 -- true", &w));
	assert_string_equal(w.label, "x");
	assert_string_equal(w.socket, "/s");
	assert_int_equal(w.verdicts, 1);
	assert_true(key(0, "--verdicts file --lang c true", &w));
	assert_string_equal(w.file, "file");
	assert_false(w.whole_env);
	assert_true(key(0, "--env A=b --lang c true", &w));
	assert_false(w.whole_env);
	assert_true(key(0, "--env A --lang c true", &w) && w.whole_env);
	assert_true(key(0, "--env-all --lang c true", &w) && w.whole_env);
}

static void test_not_for_it(void **state)
{
	static const char *const lines[] = {"--lang",
					    "--lang c",
					    "--lang c --",
					    "--lan c -- true",
					    "-x true",
					    "--batch f -- true",
					    "--lang c --detach -- true",
					    "--daemon off -- true",
					    "--tier unprivileged -- true",
					    "--tier lsm -- true",
					    "--env-all=x -- true",
					    "--policy - -- true",
					    "--fd 999 -- true",
					    "--fd 1x -- true",
					    "--verdicts fd:999 -- true",
					    "--label a --label b -- true",
					    "--label= -- true",
					    "--learn f -- true",
					    "--user 1 -- true",
					    "--version",
					    "- true"};
	struct words w;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (key(0, lines[i], &w))
			fail_msg("'%s' is for the front", lines[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_option), cmocka_unit_test(test_keys),
					   cmocka_unit_test(test_not_for_it)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
