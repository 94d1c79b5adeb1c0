// SPDX-License-Identifier: Apache-2.0
/* A hint is only worth something when following it lets the call through. */
#include "policy/policy.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "policy/names.h"

static struct sg_policy *resolve(const char *name, const char *yaml, const char *language)
{
	struct sg_policy *p = NULL;
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};

	if (yaml && sg_doc_parse(name, yaml, strlen(yaml), &doc, &err))
		fail_msg("%s:%u:%u: %s in\n%s", name, err.line, err.column, err.message, yaml);
	if (sg_policy_resolve(doc, language, &p, &err))
		fail_msg("%s: %s", language, err.message);
	sg_doc_free(doc);
	return p;
}

static char *hint(const struct sg_policy *p, uint32_t nr, const uint64_t *args)
{
	struct sg_err err = {0};
	char *out = NULL;

	assert_int_equal(sg_policy_hint(p, sg_native_arch(), nr, args, &out, &err), 0);
	assert_non_null(out);
	assert_null(strchr(out, '\n'));
	return out;
}

static const uint64_t samples[][SG_ARGS] = {
	{0},
	{2, 1, 6, 0, 0, 0},
	{16, 0x80003, 15, 0, 0, 0},
	{0x7f0000001000, 0x5412, 0x7ffc00001234, 1, 2, 3},
	{0x10000000, 4, 7, 0x22, 0xffffffffffffffff, 0},
	{0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff,
	 0xffffffffffffffff},
	{4242, 9, 15, 0, 0, 0},
	{0x3d0f00, 0x123456789, 1000, 0xffffffff80000000, 5, 6},
};
#define N_SAMPLES (sizeof(samples) / sizeof(samples[0]))

static bool is_forbidden(const struct sg_policy *p, uint32_t nr, const uint64_t *args)
{
	struct sg_decision d = sg_policy_decide(p, sg_native_arch(), nr, args, NULL);

	return d.action == SG_ACTION_KILL || d.action == SG_ACTION_ERRNO;
}

/* Every call that a built-in policy refuses: the hint is a policy file that allows it. */
static void built_in_hints_are_whole_files(void **state)
{
	static const char *const languages[] = {"python", "javascript", "compiled", "compile"};
	unsigned checked = 0, nr;
	char name[64];
	size_t i, j;
	int known;

	for (i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
		struct sg_policy *p = resolve(NULL, NULL, languages[i]), *q = NULL;
		char *last = NULL;

		for (nr = 0; nr < SG_NR_MAX; nr++) {
			sg_syscall_name(sg_native_arch(), nr, name, sizeof(name));
			for (j = 0; j < N_SAMPLES; j++) {
				struct sg_decision d;
				char *h;

				if (!is_forbidden(p, nr, samples[j]) || sg_syscall_resolve(name, &known))
					continue;
				h = hint(p, nr, samples[j]);
				/* Most calls get the same hint whatever their arguments are. */
				if (!last || strcmp(last, h)) {
					sg_policy_free(q);
					q = resolve("hint.yaml", h, languages[i]);
				}
				free(last);
				last = h;
				d = sg_policy_decide(q, sg_native_arch(), nr, samples[j], NULL);
				if (d.action != SG_ACTION_ALLOW)
					fail_msg("%s %s: the hint does not help: %s", languages[i], name, h);
				checked++;
			}
		}
		free(last);
		sg_policy_free(q);
		sg_policy_free(p);
	}
	assert_true(checked > 4000);
}

static const char mine[] = "base:\n"
			   "  errno: {EPERM: [getpid, chown]}\n"
			   "  kill: [{ioctl: request == TIOCSTI}, mount]\n"
			   "mine:\n"
			   "  inherit: base\n"
			   "  allow:\n"
			   "    - read\n"
			   "  kill:\n"
			   "    - ioctl: request == TIOCLINUX\n"
			   "    - ptrace\n"
			   "    - bpf\n"
			   "  errno:\n"
			   "    EPERM:\n"
			   "      - getppid\n"
			   "      - fcntl: cmd == F_SETOWN\n"
			   "      - prctl\n"
			   "denied:\n"
			   "  - swapon\n"
			   "  - socket: domain == AF_INET\n";

static void expect_hint(long nr, uint64_t a0, uint64_t a1, const char *wanted)
{
	const uint64_t args[SG_ARGS] = {a0, a1};
	struct sg_policy *p = resolve("mine.yaml", mine, "mine");
	char *h = hint(p, (uint32_t)nr, args);

	assert_string_equal(h, wanted);
	free(h);
	sg_policy_free(p);
}

static void file_hints_say_what_to_change(void **state)
{
	expect_hint(__NR_read, 0, 0, "");
	expect_hint(__NR_reboot, 0, 0, "mine: {allow: [reboot]} # add to mine.yaml");
	expect_hint(__NR_ioctl, 0, 0x5401, "mine: {allow: [{ioctl: \"request == TCGETS\"}]} # add to mine.yaml");
	expect_hint(__NR_ioctl, 0, 0x5412, "mine: {allow: [{ioctl: \"request == TIOCSTI\"}]} # add to mine.yaml");
	expect_hint(__NR_ioctl, 0, 0x541c,
		    "remove \"ioctl: request == TIOCLINUX\" from \"kill\" in \"mine\" (mine.yaml:9); then "
		    "mine: {allow: [{ioctl: \"request == TIOCLINUX\"}]} # add to mine.yaml");
	expect_hint(__NR_ptrace, 16, 0, "mine: {allow: [{ptrace: \"request == PTRACE_ATTACH\"}]} # add to mine.yaml");
	expect_hint(__NR_getppid, 0, 0, "remove \"getppid\" from \"errno\" in \"mine\" (mine.yaml:14)");
	expect_hint(__NR_getpid, 0, 0, "mine: {allow: [getpid]} # add to mine.yaml");
	expect_hint(__NR_fcntl, 0, 8,
		    "remove \"fcntl: cmd == F_SETOWN\" from \"errno\" in \"mine\" (mine.yaml:15); then mine: {allow: "
		    "[{fcntl: \"cmd == F_SETOWN\"}]} # add to mine.yaml");
	expect_hint(__NR_fcntl, 0, 9, "mine: {allow: [{fcntl: \"cmd == F_GETOWN\"}]} # add to mine.yaml");
	expect_hint(__NR_swapon, 0, 0, "remove \"swapon\" from denied (mine.yaml:18)");
	expect_hint(__NR_socket, 2, 1,
		    "remove \"socket: domain == AF_INET\" from denied (mine.yaml:19); then mine: {allow: [{socket: "
		    "\"domain "
		    "== AF_INET and type & SOCK_TYPE_MASK == SOCK_STREAM\"}]} # add to mine.yaml");
	expect_hint(__NR_socket, 1, 0x80001,
		    "mine: {allow: [{socket: \"domain == AF_UNIX and type & SOCK_TYPE_MASK == SOCK_STREAM\"}]} # add "
		    "to mine.yaml");
	expect_hint(511, 0, 0, "no policy can allow a system call without a name");
}

/* Merged into the language as the comment says, each hint of that kind works. */
static void file_hints_help_when_merged(void **state)
{
	static const struct {
		long nr;
		uint64_t args[SG_ARGS];
	} calls[] = {{__NR_reboot, {0}}, {__NR_ioctl, {0, 0x5401}}, {__NR_ioctl, {0, 0x5412}},  {__NR_ptrace, {16, 1}},
		     {__NR_getpid, {0}}, {__NR_fcntl, {0, 9}},      {__NR_mount, {0, 0, 0, 1}}, {__NR_prctl, {22, 2}},
		     {__NR_bpf, {5, 1}}, {__NR_chown, {1, 2, 3}},   {__NR_socket, {1, 1}},      {__NR_kill, {1, 9}}};
	struct sg_policy *p = resolve("mine.yaml", mine, "mine");
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		char *h = hint(p, (uint32_t)calls[i].nr, calls[i].args), *item = strstr(h, "allow: ["), *end,
		     merged[2048];
		const char *at = strstr(mine, "    - read\n");
		struct sg_policy *q;

		assert_true(is_forbidden(p, (uint32_t)calls[i].nr, calls[i].args));
		q = resolve("hint.yaml", h, "mine"); /* a policy file by itself, if not a useful one */
		sg_policy_free(q);
		assert_non_null(item);
		item += strlen("allow: [");
		end = strstr(item, "]} # add to mine.yaml");
		assert_non_null(end);
		snprintf(merged, sizeof(merged), "%.*s    - %.*s\n%s", (int)(at - mine), mine, (int)(end - item), item,
			 at);
		q = resolve("mine.yaml", merged, "mine");
		if (sg_policy_decide(q, sg_native_arch(), (uint32_t)calls[i].nr, calls[i].args, NULL).action !=
		    SG_ACTION_ALLOW)
			fail_msg("merging does not help: %s", h);
		sg_policy_free(q);
		free(h);
	}
	sg_policy_free(p);
}

static void a_denied_call_of_a_file_over_a_built_in_language(void **state)
{
	const uint64_t args[SG_ARGS] = {0};
	struct sg_policy *p = resolve("d.yaml", "denied: [getpid]\n", "python");
	char *h = hint(p, __NR_getpid, args);

	assert_string_equal(h, "remove \"getpid\" from denied (d.yaml:1)");
	free(h);
	h = hint(p, __NR_swapon, args);
	assert_string_equal(h, "python: {inherit: \"builtin:python\", allow: [swapon]}");
	free(h);
	sg_policy_free(p);
}

/* A rule that says what the new one would is in its way, however it is written. */
static void the_same_rule_in_other_words(void **state)
{
	static const char yaml[] = "mine: {errno: {EPERM: [{kill: \"sig==15\"}, {fcntl: \"cmd == 010\"}]}}\n";
	const uint64_t term[SG_ARGS] = {1, SIGTERM}, setown[SG_ARGS] = {0, 8};
	struct sg_policy *p = resolve("s.yaml", yaml, "mine");
	char *h = hint(p, __NR_kill, term);

	assert_string_equal(h, "remove \"kill: sig==15\" from \"errno\" in \"mine\" (s.yaml:1); then mine: {allow: "
			       "[{kill: \"sig == SIGTERM\"}]} # add to s.yaml");
	free(h);
	h = hint(p, __NR_fcntl, setown);
	assert_string_equal(h, "remove \"fcntl: cmd == 010\" from \"errno\" in \"mine\" (s.yaml:1); then mine: {allow: "
			       "[{fcntl: \"cmd == F_SETOWN\"}]} # add to s.yaml");
	free(h);
	sg_policy_free(p);
}

static void foreign_calls_cannot_be_allowed(void **state)
{
	const uint64_t args[SG_ARGS] = {0};
	struct sg_policy *p = resolve(NULL, NULL, "python");
	struct sg_err err = {0};
	char *out;

	assert_int_equal(sg_policy_hint(p, AUDIT_ARCH_I386, 20, args, &out, &err), 0);
	assert_string_equal(out, "no policy can allow calls of the i386 ABI");
	free(out);
#ifdef __x86_64__
	assert_int_equal(sg_policy_hint(p, sg_native_arch(), 0x40000000 + 39, args, &out, &err), 0);
	assert_string_equal(out, "no policy can allow calls of the x32 ABI");
	free(out);
#endif
	sg_policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(built_in_hints_are_whole_files),
		cmocka_unit_test(file_hints_say_what_to_change),
		cmocka_unit_test(file_hints_help_when_merged),
		cmocka_unit_test(a_denied_call_of_a_file_over_a_built_in_language),
		cmocka_unit_test(the_same_rule_in_other_words),
		cmocka_unit_test(foreign_calls_cannot_be_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
