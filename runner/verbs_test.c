/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sgrun policy test DIR`: programs that say themselves what a policy must make of them, in a comment:
 *
 *     # sg-test: violation=execve lang=python
 *
 * or, for what has no comments, in a file beside it: NAME.expect.
 */
#include "runner/self.h"
#include "runner/verbs_more.h"

#include "policy/json.h"
#include "policy/policy.h"
#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/in_place.h"

#define HEAD_BYTES 4096
#define WORD "sg-test:"

struct expectation {
	char verdict[24]; /* "ok", "violation" … */
	char what[48];    /* exit status, signal, system call; "": any */
	char language[48];
	char time[24];
};

static const struct {
	char ending[8], program[12];
} interpreters[] = {
	{".py", "python3"}, {".js", "node"}, {".mjs", "node"},   {".rb", "ruby"},
	{".pl", "perl"},    {".php", "php"}, {".lua", "lua5.4"}, {".java", "java"},
};

/* Outcomes, and the highest number that may follow. */
#define NO_VALUE 0
#define ANY_WORD (-1)
static const struct {
	char name[16];
	int value;
} outcomes[] = {
	{"ok", NO_VALUE},           {"violation", ANY_WORD}, {"time_limit", NO_VALUE}, {"memory_limit", NO_VALUE},
	{"output_limit", NO_VALUE}, {"exit", 255},           {"signal", 64},
};

/* One word of the comment. Returns what is wrong with it, NULL. */
static const char *take_word(struct expectation *e, const char *word)
{
	size_t n = strcspn(word, "=");
	const char *value = word[n] ? word + n + 1 : "";
	uint64_t number;

	if (n == 4 && !strncmp(word, "lang", 4)) {
		snprintf(e->language, sizeof(e->language), "%s", value);
		return NULL;
	}
	if (n == 4 && !strncmp(word, "time", 4)) {
		snprintf(e->time, sizeof(e->time), "%s", value);
		return NULL;
	}
	for (size_t i = 0; i < SG_ARRAY_SIZE(outcomes); i++) {
		const char *name = outcomes[i].name;

		if (strlen(name) != n || strncmp(name, word, n) != 0)
			continue;
		if (e->verdict[0])
			return "more than one outcome";
		if (outcomes[i].value == NO_VALUE && word[n])
			return "this outcome takes no value";
		/* A signal may be any. */
		if (outcomes[i].value > 0 && (word[n] || strcmp(name, "signal") != 0) &&
		    sg_parse_u64(value, (uint64_t)outcomes[i].value, &number) < 0)
			return "expected exit=N up to 255, or signal=N up to 64";
		snprintf(e->verdict, sizeof(e->verdict), "%s", name);
		snprintf(e->what, sizeof(e->what), "%s", value);
		return NULL;
	}
	return "expected ok, exit=N, violation[=CALL], signal=N, time_limit, memory_limit, output_limit, lang=NAME or "
	       "time=T";
}

/* 1: it says what is expected; 0: it says nothing; -1: what it says makes no sense, in *why. */
static int read_expectation(int dir, const char *name, struct expectation *e, char *why, size_t size)
{
	char head[HEAD_BYTES + 1], side[300], *line, *save = NULL;
	const char *wrong = NULL, *file = side;
	unsigned number = 1;

	memset(e, 0, sizeof(*e));
	snprintf(side, sizeof(side), "%s.expect", name);
	if (sg_read_file(dir, side, head, sizeof(head)) < 0) {
		file = name;
		if (sg_read_file(dir, name, head, sizeof(head)) < 0)
			return 0;
	}
	line = strstr(head, WORD);
	if (!line)
		return 0;
	for (const char *c = head; c < line; c++)
		number += *c == '\n';
	line += strlen(WORD);
	line[strcspn(line, "\n")] = '\0';
	for (char *w = strtok_r(line, " \t\r", &save); w && !wrong; w = strtok_r(NULL, " \t\r", &save)) {
		if (!strcmp(w, "*/") || !strcmp(w, "-->"))
			continue;
		wrong = take_word(e, w);
		if (wrong)
			snprintf(why, size, "%s:%u: \"%s\": %s", file, number, w, wrong);
	}
	if (!wrong && !e->verdict[0]) {
		wrong = "no outcome";
		snprintf(why, size, "%s:%u: the line says no outcome", file, number);
	}
	return wrong ? -1 : 1;
}

static bool as_expected(const struct expectation *e, const struct sg_self_result *r)
{
	const char *verdict = json_string_value(json_object_get(r->exit, "verdict"));
	const char *call = json_string_value(json_object_get(json_object_get(r->exit, "violation"), "syscall"));
	const json_int_t signal = json_integer_value(json_object_get(r->exit, "signal"));

	if (!verdict)
		return false;
	if (!strcmp(e->verdict, "exit"))
		return !strcmp(verdict, "ok") && r->status == (int)strtol(e->what, NULL, 10);
	if (!strcmp(e->verdict, "ok"))
		return !strcmp(verdict, "ok") && r->status == 0;
	if (strcmp(verdict, e->verdict) != 0)
		return false;
	if (!strcmp(verdict, "violation") && e->what[0])
		return call && !strcmp(call, e->what);
	if (!strcmp(verdict, "signal") && e->what[0])
		return signal == strtol(e->what, NULL, 10);
	return true;
}

static const char *interpreter_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < SG_ARRAY_SIZE(interpreters); i++)
		if (!strcmp(dot, interpreters[i].ending))
			return interpreters[i].program;
	return NULL;
}

/* Returns 1: as expected, 0: not, -1: it could not be tried. */
static int run_one(const struct sg_policy_test *t, const char *path, const char *name, const struct expectation *e,
		   char *got, size_t size)
{
	const char *interpreter = interpreter_of(name), *options[24], *argv[3];
	const char *language = e->language[0] ? e->language
			       : t->language  ? t->language
			       : interpreter  ? sg_language_of_program(interpreter)
					      : "compiled";
	struct sg_self_result r;
	struct sg_err err = {0};
	int n = 0, rc;

	options[n++] = "--wall-time";
	options[n++] = e->time[0] ? e->time : "10s";
	options[n++] = "--lang";
	options[n++] = language ? language : "compiled";
	if (t->policy) {
		options[n++] = "--policy";
		options[n++] = t->policy;
	}
	if (t->tier) {
		options[n++] = "--tier";
		options[n++] = t->tier;
	}
	options[n] = NULL;
	argv[0] = interpreter ? interpreter : path;
	argv[1] = interpreter ? path : NULL;
	argv[2] = NULL;
	if (sg_self_run(options, argv, &r, &err) < 0) {
		snprintf(got, size, "%s", err.message);
		return -1;
	}
	rc = as_expected(e, &r);
	(void)sg_self_words(&r, got, size);
	sg_self_release(&r);
	return rc;
}

/* got is made plain: it may have words of the file. */
static void tell(const struct sg_policy_test *t, const char *name, const struct expectation *e, char *got, bool passed)
{
	char plain[NAME_MAX + 1], what[sizeof(e->what)];
	json_t *o;

	if (t->json) {
		o = json_pack("{s:o, s:b, s:s, s:o, s:o}", "program", sg_json_text(name), "passed", (int)passed,
			      "expected", e->verdict, "what", sg_json_text(e->what), "got", sg_json_text(got));
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
		return;
	}
	snprintf(plain, sizeof(plain), "%s", name);
	snprintf(what, sizeof(what), "%s", e->what);
	sg_text_plain(plain);
	sg_text_plain(what);
	sg_text_plain(got);
	if (passed)
		printf("ok    %s: %s\n", plain, got);
	else
		printf("FAIL  %s: expected %s%s%s, got %s\n", plain,
		       e->verdict[0] ? e->verdict : "a line that makes sense", what[0] ? "=" : "", what, got);
	fflush(stdout);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int sg_verb_policy_test(const struct sg_policy_test *t, const char *dir)
{
	SG_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n = fd < 0 ? -1 : 0, passed = 0, failed = 0;
	struct dirent **list = NULL;

	if (fd >= 0)
		n = scandir(dir, &list, NULL, by_name);
	if (n < 0) {
		fprintf(stderr, "%s: %s\n", dir, strerror(errno));
		return 2;
	}
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name, *dot = strrchr(name, '.');
		char got[512] = "", path[4096];
		struct expectation e;
		struct stat st;
		int rc = 0;

		if (fstatat(fd, name, &st, 0) == 0 && S_ISREG(st.st_mode) && !(dot && !strcmp(dot, ".expect")))
			rc = read_expectation(fd, name, &e, got, sizeof(got));
		if (rc) {
			snprintf(path, sizeof(path), "%s/%s", dir, name);
			if (rc > 0)
				rc = run_one(t, path, name, &e, got, sizeof(got));
			tell(t, name, &e, got, rc == 1);
			passed += rc == 1;
			failed += rc != 1;
		}
		free(list[i]);
	}
	free(list);
	if (!passed && !failed) {
		fprintf(stderr, "%s: no file there has a line with \"" WORD "\"\n", dir);
		return 2;
	}
	if (!t->json)
		printf("%d passed, %d failed\n", passed, failed);
	return failed ? 1 : 0;
}
