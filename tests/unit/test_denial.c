// SPDX-License-Identifier: Apache-2.0
/* What a denied object operation's record says in words. The calls' sentences are compared over the whole hostile
 * suite. */
#include "policy/access.h"
#include "policy/denial.h"
#include "policy/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *sentence(const char *fields)
{
	struct sg_err err = {0};
	char *out = NULL;
	json_t *r = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:b, s:n}", "type", "lsm_violation", "comm", "cat", "pid",
			      7, "syscall", "openat", "hook", "file_open", "action", "kill", "prevented", 1, "rule");
	json_t *more = json_loads(fields, 0, NULL);

	assert_non_null(more);
	assert_int_equal(json_object_update(r, more), 0);
	json_object_set_new(r, "language", json_string("python"));
	assert_int_equal(sg_denial_sentence(r, &out, &err), 0);
	assert_non_null(out);
	json_decref(more);
	json_decref(r);
	return out;
}

static void expect(const char *fields, const char *wanted)
{
	char *got = sentence(fields);

	assert_string_equal(got, wanted);
	free(got);
}

#define END                                                                                                            \
	", which the policy \"python\" does not list; it was stopped before it took effect, and the sandbox was "      \
	"killed."

static void what_was_tried(void **state)
{
	(void)state;
	expect("{\"class\": \"read\", \"right\": \"read\", \"object\": {\"path\": \"/etc/shadow\", \"dev\": \"8:1\"}}",
	       "cat (pid 7) tried to read /etc/shadow (by openat, seen by the kernel's hook file_open)" END);
	expect("{\"class\": \"write\", \"right\": \"read,write\", \"object\": {\"path\": \"/etc/passwd\"}}",
	       "cat (pid 7) tried to read and write /etc/passwd (by openat, seen by the kernel's hook file_open)" END);
	expect("{\"class\": \"net\", \"hook\": \"socket_connect\", \"syscall\": \"connect\", \"object\": {\"family\": "
	       "\"AF_INET\", \"protocol\": \"tcp\", \"operation\": \"connect\", \"address\": \"10.0.0.1\", \"port\": "
	       "80}}",
	       "cat (pid 7) tried to reach the address 10.0.0.1:80 by tcp (by connect, seen by the kernel's hook "
	       "socket_connect)" END);
	expect("{\"class\": \"net\", \"hook\": \"socket_bind\", \"syscall\": \"bind\", \"object\": {\"family\": "
	       "\"AF_INET6\", \"protocol\": \"udp\", \"operation\": \"bind\", \"address\": \"::1\", \"port\": 53}}",
	       "cat (pid 7) tried to take the address [::1]:53 by udp (by bind, seen by the kernel's hook "
	       "socket_bind)" END);
	expect("{\"class\": \"net\", \"hook\": \"socket_setsockopt\", \"syscall\": \"setsockopt\", \"object\": "
	       "{\"family\": "
	       "\"inet6\", \"protocol\": \"udp\", \"option\": \"IPV6_RTHDR\"}}",
	       "cat (pid 7) tried to choose itself which way its packets go (IPV6_RTHDR) (by setsockopt, seen by the "
	       "kernel's hook socket_setsockopt)" END);
	expect("{\"class\": \"signal\", \"hook\": \"task_kill\", \"syscall\": \"kill\", \"object\": {\"signal\": 9, "
	       "\"target_pid\": 1}}",
	       "cat (pid 7) tried to send a signal to another process, number 9, pid 1 (by kill, seen by the kernel's "
	       "hook "
	       "task_kill)" END);
	expect("{\"class\": \"capability\", \"hook\": \"capable\", \"syscall\": \"chroot\", \"object\": "
	       "{\"capability\": "
	       "\"SYS_CHROOT\"}}",
	       "cat (pid 7) tried to use the capability SYS_CHROOT (by chroot, seen by the kernel's hook capable)" END);
}

/* A rule about objects stands in no list that says what it does. */
static void what_the_rule_says(void **state)
{
#define RULE(list, text) "\"rule\": {\"list\": \"" list "\", \"text\": \"" text "\", \"file\": \"p.yaml\", \"line\": 3}"
#define READS "\"class\": \"read\", \"object\": {\"path\": \"/x\"}, \"hook\": \"file_open\", \"syscall\": \"openat\", "
	static const struct {
		const char *fields, *says;
	} rows[] = {
		{"{" READS RULE("files", "deny: /x") "}", ", which the rule \"deny: /x\" (p.yaml:3) forbids; "},
		{"{" READS RULE("files", "otherwise: kill") "}", " \"otherwise: kill\" (p.yaml:3) forbids; "},
		{"{" READS RULE("files", "otherwise: errno EACCES") ", \"action\": \"errno\", \"errno\": 13}",
		 " \"otherwise: errno EACCES\" (p.yaml:3) refuses; "},
		{"{" READS RULE("files", "otherwise: audit") ", \"action\": \"audit\", \"type\": \"audit\"}",
		 "tried to read /x (by openat, seen by the kernel's hook file_open), which the rule \"otherwise: "
		 "audit\" "
		 "(p.yaml:3) wants recorded"},
		{"{\"class\": \"supervisor\", \"object\": {\"path\": \"/proc/9/mem\", \"target_pid\": 9}}",
		 ", which no policy allows; it was stopped"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = sentence(rows[i].fields);

		if (!strstr(got, rows[i].says))
			fail_msg("%s: without %s", got, rows[i].says);
		free(got);
	}
}

/* Every class has words of its own. */
static void every_class(void **state)
{
	char fields[128], *said[SG_CLASS_N];

	(void)state;
	for (unsigned cls = 0; cls < SG_CLASS_N; cls++) {
		snprintf(fields, sizeof(fields), "{\"class\": \"%s\", \"object\": {%s}}", sg_class_name(cls),
			 cls <= SG_CLASS_MAP ? "\"path\": \"/x\"" : "");
		said[cls] = sentence(fields);
		assert_null(strstr(said[cls], "what an object rule forbids"));
		for (unsigned other = 0; other < cls; other++)
			assert_string_not_equal(said[cls], said[other]);
	}
	for (unsigned cls = 0; cls < SG_CLASS_N; cls++)
		free(said[cls]);
}

/* A file's name is the attacker's. */
static void nothing_drives_the_terminal(void **state)
{
	char *got;

	(void)state;
	got = sentence("{\"class\": \"read\", \"right\": \"read\", \"object\": {\"path\": \"/tmp/\\u001b[2J\\n\"}}");
	assert_null(strpbrk(got, "\033\n"));
	free(got);
	free(sentence("{\"class\": 7, \"right\": [], \"object\": \"x\", \"hook\": null, \"syscall\": {}}"));
}

/* Nor does a text look like another one: errors, sentences and tables are cleaned alike. */
static void nothing_is_out_of_sight(void **state)
{
	static const struct {
		const char *text, *plain;
	} rows[] = {
		{"a\xe2\x80\xaetxt.exe", "a???txt.exe"},  /* U+202E */
		{"\xe2\x81\xa6x\xe2\x81\xa9", "???x???"}, /* U+2066, U+2069 */
		{"\xe2\x80\x8b\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "???????????"},
		{"\xef\xbb\xbf\xe2\x81\xa0.\xc2\x9b\x7f", "??????.???"},
		{"\xe2\x80\x93 \xe2\x80\xa6 \xe2\x80\x8d \xd8\xa7 \xe2\x81\xaa", NULL}, /* as they are */
		{"\xe2\x80", NULL},
		{"\xe2", NULL},
		{"\xef\xbb", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[64];
		struct sg_err err = {0};

		snprintf(text, sizeof(text), "%s", rows[i].text);
		sg_text_plain(text);
		assert_string_equal(text, rows[i].plain ? rows[i].plain : rows[i].text);
		if (!rows[i].plain)
			continue;
		sg_err_at(&err, EINVAL, rows[i].text, 1, 1, "%s", rows[i].text);
		assert_string_equal(err.source, rows[i].plain);
		assert_string_equal(err.message, rows[i].plain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_tried), cmocka_unit_test(every_class), cmocka_unit_test(what_the_rule_says),
		cmocka_unit_test(nothing_drives_the_terminal), cmocka_unit_test(nothing_is_out_of_sight)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
