// SPDX-License-Identifier: Apache-2.0
/* What is learnt allows what was seen and not what lies beside it, whoever came first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/learn.h"
#include "policy/seccomp.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define SELF 4000
#define CHILD 4001

static bool inside(void *ctx, int32_t pid)
{
	(void)ctx;
	return pid == SELF || pid == CHILD || pid == 0;
}
static const struct sg_oracle oracle = {.self = SELF, .in_sandbox = inside};

struct call {
	uint32_t nr;
	uint64_t args[SG_ARGS];
};

static struct sg_learn *fresh(const char *from)
{
	struct sg_learn *l;
	struct sg_err err = {0};

	assert_int_equal(sg_learn_new("python", from, &l, &err), 0);
	return l;
}

static void see(struct sg_learn *l, const struct call *c, const char *who)
{
	char shape[SG_SHAPE_MAX];
	struct sg_err err = {0};

	if (!sg_learn_known(l, c->nr, c->args, &oracle, shape))
		assert_int_equal(sg_learn_add(l, c->nr, shape, who, "libc.so.6", &err), 0);
	assert_true(sg_learn_known(l, c->nr, c->args, &oracle, shape));
}

static char *written(struct sg_learn *l)
{
	struct sg_err err = {0};
	char *text = NULL, *copy;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(sg_learn_write(l, f, &err), 0);
	fclose(f);
	/* GCC 12 at -O3 takes what came through &text for a pointer to it. */
	copy = strdup(text);
	assert_non_null(copy);
	free(text);
	return copy;
}

static struct sg_policy *policy_of(struct sg_learn *l)
{
	char *text = written(l);
	struct sg_policy *p = NULL;
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};

	if (sg_doc_parse("learnt", text, strlen(text), &doc, &err) < 0 ||
	    sg_policy_resolve(doc, sg_learn_language(l), &p, &err) < 0)
		fail_msg("%s\n%s", err.message, text);
	sg_doc_free(doc);
	free(text);
	return p;
}

static unsigned says(const struct sg_policy *p, const struct call *c)
{
	return sg_policy_decide(p, sg_native_arch(), c->nr, c->args, &oracle).action;
}

/* seen, and calls beside it that must stay forbidden */
static const struct {
	struct call seen, beside[3];
} table[] = {
	{{SYS_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}},
	 {{SYS_socket, {AF_INET, SOCK_STREAM}}, {SYS_socket, {AF_UNIX, SOCK_DGRAM}}, {SYS_connect, {3}}}},
	{{SYS_clone, {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS}},
	 {{SYS_clone, {SIGCHLD}},
	  {SYS_clone, {CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWNET}},
	  {SYS_clone, {CLONE_NEWUSER | SIGCHLD}}}},
	{{SYS_ioctl, {1, TIOCGWINSZ}}, {{SYS_ioctl, {1, TIOCSTI}}, {SYS_ioctl, {0, TCSETS}}, {SYS_ioctl, {1, TCGETS}}}},
	{{SYS_prctl, {PR_SET_NAME}},
	 {{SYS_prctl, {PR_SET_SECCOMP}}, {SYS_prctl, {PR_SET_MM}}, {SYS_prctl, {PR_SET_PTRACER}}}},
	{{SYS_fcntl, {1, F_GETFL}},
	 {{SYS_fcntl, {1, F_SETOWN, 1}}, {SYS_fcntl, {1, F_SETFL}}, {SYS_fcntl, {1, F_SETLEASE}}}},
	{{SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}},
	 {{SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE}},
	  {SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}},
	  {SYS_mmap, {0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}}}},
	{{SYS_mprotect, {0, 4096, PROT_READ}},
	 {{SYS_mprotect, {0, 4096, PROT_READ | PROT_EXEC}},
	  {SYS_mprotect, {0, 4096, PROT_WRITE | PROT_EXEC}},
	  {SYS_pkey_mprotect, {0}}}},
	{{SYS_openat, {AT_FDCWD, 0, O_RDONLY | O_CLOEXEC}},
	 {{SYS_openat, {AT_FDCWD, 0, O_WRONLY}},
	  {SYS_openat, {AT_FDCWD, 0, O_RDONLY | O_TRUNC}},
	  {SYS_openat, {AT_FDCWD, 0, O_CREAT}}}},
	{{SYS_kill, {SELF, SIGUSR1}},
	 {{SYS_kill, {CHILD, SIGUSR1}}, {SYS_kill, {1, SIGUSR1}}, {SYS_kill, {SELF, SIGKILL}}}},
	{{SYS_kill, {CHILD, SIGTERM}},
	 {{SYS_kill, {1, SIGTERM}}, {SYS_kill, {-1ULL, SIGTERM}}, {SYS_kill, {CHILD, SIGSTOP}}}},
	{{SYS_prlimit64, {0, 7, 0, 0x1000}},
	 {{SYS_prlimit64, {0, 7, 0x1000, 0}}, {SYS_prlimit64, {1, 7, 0, 0}}, {SYS_setrlimit, {7}}}},
	{{SYS_madvise, {0, 4096, MADV_DONTNEED}},
	 {{SYS_madvise, {0, 4096, MADV_HWPOISON}}, {SYS_madvise, {0, 4096, MADV_REMOVE}}, {SYS_process_madvise, {0}}}},
	{{SYS_sendto, {3, 0, 0, 0, 0}}, {{SYS_sendto, {3, 0, 0, 0, 0x1000}}, {SYS_sendmsg, {3}}, {SYS_sendmmsg, {3}}}},
	{{SYS_fchmod, {3, 0644}}, {{SYS_fchmod, {3, 04755}}, {SYS_fchmod, {3, 02755}}, {SYS_fchown, {3}}}},
	{{SYS_sched_setaffinity, {0}},
	 {{SYS_sched_setaffinity, {1}}, {SYS_sched_setscheduler, {0}}, {SYS_setpriority, {0}}}},
	{{SYS_execve, {0}}, {{SYS_execveat, {0}}, {SYS_fork, {0}}, {SYS_ptrace, {0}}}},
};
#define N_TABLE (sizeof(table) / sizeof(table[0]))

static void each_shape(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_TABLE; i++) {
		struct sg_learn *l = fresh(NULL);
		struct sg_policy *p;

		see(l, &table[i].seen, "python3");
		p = policy_of(l);
		if (says(p, &table[i].seen) != SG_ACTION_ALLOW)
			fail_msg("row %zu: what was seen is not allowed", i);
		for (size_t j = 0; j < 3; j++)
			if (says(p, &table[i].beside[j]) != SG_ACTION_KILL)
				fail_msg("row %zu: its neighbour %zu is not killed", i, j);
		sg_policy_free(p);
		sg_learn_free(l);
	}
}

static void learning_lets_everything_through(void **state)
{
	struct sg_learn *l = fresh(NULL);
	struct sg_policy *p;
	struct sg_err err = {0};
	struct call clone3 = {SYS_clone3, {0}}, getpid = {SYS_getpid, {0}};

	(void)state;
	assert_int_equal(sg_learn_policy(l, &p, &err), 0);
	for (size_t i = 0; i < N_TABLE; i++)
		assert_int_equal(says(p, &table[i].seen), SG_ACTION_AUDIT);
	assert_int_equal(says(p, &clone3), SG_ACTION_ERRNO);
	sg_policy_free(p);
	see(l, &getpid, "python3");
	assert_int_equal(sg_learn_policy(l, &p, &err), 0);
	assert_int_equal(says(p, &getpid), SG_ACTION_ALLOW);
	sg_policy_free(p);
	p = policy_of(l);
	assert_int_equal(says(p, &clone3), SG_ACTION_ERRNO);
	sg_policy_free(p);
	sg_learn_free(l);
}

static struct sg_learn *some(unsigned seed, const char *who)
{
	struct sg_learn *l = fresh(NULL);
	char name[32];
	char *argv[] = {name, NULL};
	struct sg_err err = {0};

	snprintf(name, sizeof(name), "/bin/%s", who);
	for (size_t i = 0; i < N_TABLE; i++)
		if (seed >> i & 1)
			see(l, &table[i].seen, who);
	assert_int_equal(sg_learn_ran(l, argv, seed & 1, &err), 0);
	return l;
}

static void into(struct sg_learn *l, const char *text)
{
	struct sg_err err = {0};

	if (sg_learn_merge(l, "file", text, strlen(text), &err) < 0)
		fail_msg("%s\n%s", err.message, text);
}

static void merging_knows_no_order(void **state)
{
	unsigned seed = 12345;

	(void)state;
	for (int round = 0; round < 60; round++) {
		char *text[3], *got[2];
		struct sg_learn *l;

		for (int i = 0; i < 3; i++) {
			static const char *const who[] = {"perl", "a thread, #1", "\xff\n: x"};

			seed = seed * 1103515245 + 12345;
			l = some(seed >> 8, who[i]);
			text[i] = written(l);
			sg_learn_free(l);
		}
		for (int way = 0; way < 2; way++) {
			l = fresh(NULL);
			into(l, text[way ? 2 : 0]);
			into(l, text[1]);
			got[way] = written(l);
			sg_learn_free(l);
			l = fresh(NULL);
			into(l, text[way ? 0 : 2]);
			into(l, got[way]);
			free(got[way]);
			got[way] = written(l);
			sg_learn_free(l);
		}
		assert_string_equal(got[0], got[1]);
		assert_non_null(strstr(got[0], "from 3 runs"));
		for (int i = 0; i < 3; i++)
			free(text[i]);
		free(got[0]);
		free(got[1]);
	}
}

static void only_the_difference(void **state)
{
	static const struct call usual[] = {{SYS_read, {0}}, {SYS_fcntl, {1, F_GETFL}}, {SYS_kill, {SELF, SIGUSR1}}};
	static const struct call more[] = {{SYS_chroot, {0}}, {SYS_fcntl, {1, F_SETLEASE}}};
	struct sg_learn *l = fresh("py");
	struct sg_policy *p;
	char *text;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		see(l, &usual[i], "python3");
	assert_int_equal(sg_learn_count(l), 0);
	text = written(l);
	assert_non_null(strstr(text, "python:\n  inherit: builtin:python\n"));
	assert_null(strstr(text, "allow:"));
	free(text);
	for (size_t i = 0; i < 2; i++)
		see(l, &more[i], "python3");
	assert_int_equal(sg_learn_count(l), 2);
	text = written(l);
	assert_non_null(strstr(text, "# builtin:python answers EINVAL\n    - fcntl:\n        - cmd == F_SETLEASE"));
	free(text);
	p = policy_of(l);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(says(p, &more[i]), SG_ACTION_ALLOW);
	sg_policy_free(p);
	sg_learn_free(l);
}

static void many_of_one_call(void **state)
{
	struct sg_learn *l = fresh(NULL);
	struct call other = {SYS_ioctl, {1, 0xabcdef}};
	struct sg_policy *p;

	(void)state;
	for (uint64_t i = 0; i < 40; i++) {
		struct call c = {SYS_ioctl, {1, 0x1000 + i}};

		see(l, &c, "python3");
	}
	p = policy_of(l);
	assert_int_equal(says(p, &other), SG_ACTION_ALLOW);
	sg_policy_free(p);
	sg_learn_free(l);
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *message;
	} files[] = {
		{"python: {allow: [read]}\n", "was not written by sgrun --learn"},
		{"# Learnt by sgrun --learn from 1 run.\nperl: {allow: [read]}\n", "another language"},
		{"# Learnt by sgrun --learn from 1 run.\npython: {inherit: \"builtin:python\"}\n", "another policy"},
		{"# Learnt by sgrun --learn from 1 run.\npython: {allow: [raed]}\n", "unknown system call"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct sg_learn *l = fresh(NULL);
		struct sg_err err = {0};

		assert_true(sg_learn_merge(l, "file", files[i].text, strlen(files[i].text), &err) < 0);
		if (!strstr(err.message, files[i].message))
			fail_msg("%s", err.message);
		sg_learn_free(l);
	}
}

#define FILE_OF(rest)                                                                                                  \
	"# Learnt by sgrun --learn from 1 run.\nversion: 1\npython:\n  inherit: builtin:confine\n"                     \
	"  allow:\n    - read\n    - socket\n" rest

/* Comments, too, are kept where they can be, in their order; and what was written anew has nothing to refuse. */
static void comments_are_kept(void **state)
{
	static const char head[] = "# Reviewed by hand\n#\n#   a: b\n";
	static const char rest[] = "version: 1\npython:\n  inherit: builtin:confine\n  allow:\n    - read  # why\n"
				   "    - kill:\n        - sig == 0  # too\n  files:\n    read:\n      - \"/a # b\"\n";
	const char *const nothing[SG_LEARN_VARS] = {NULL};
	char *text, *again, file[1024];
	struct sg_learn *l = fresh(NULL);
	struct sg_err err = {0};

	(void)state;
	snprintf(file, sizeof(file), "# Learnt by sgrun --learn from 1 run.\n# run: x\n\n%s%s", head, rest);
	assert_int_equal(sg_learn_places(l, nothing, &err), 0);
	into(l, file);
	text = written(l);
	sg_learn_free(l);
	assert_non_null(strstr(text, head));
	for (const char *const *part =
		     (const char *const[]){"- read  # why\n", "sig == 0  # too\n", "- \"/a # b\"\n", NULL};
	     *part; part++)
		if (!strstr(text, *part))
			fail_msg("%s is missing: %s", *part, text);
	l = fresh(NULL);
	assert_int_equal(sg_learn_places(l, nothing, &err), 0);
	into(l, text);
	again = written(l);
	assert_string_equal(again, text);
	free(again);
	/* The same lines of two files are there once. */
	into(l, text);
	again = written(l);
	assert_non_null(strstr(again, head));
	assert_null(strstr(strstr(again, head) + 1, "# Reviewed"));
	free(again);
	free(text);
	sg_learn_free(l);
}

/* What somebody added by hand is kept, or the file is refused with the place. */
static void what_is_added_by_hand(void **state)
{
	static const struct {
		const char *text, *message;
		unsigned line, column;
	} lost[] = {
		{FILE_OF("  kill: [reboot]\n"), "\"kill: reboot\" was added by hand", 8, 10},
		{FILE_OF("  audit: [reboot]\n"), "\"audit: reboot\"", 8, 11},
		{FILE_OF("  errno: {EPERM: [reboot]}\n"), "\"errno: reboot\"", 8, 19},
		{FILE_OF("    - clone3\n"), "\"allow: clone3\"", 8, 7},
		{FILE_OF("    - futex: op == 1\n"), "\"allow: futex: op == 1\"", 8, 7},
		{FILE_OF("denied: [reboot]\n"), "\"denied: reboot\"", 8, 10},
		{FILE_OF("perl: {allow: [read]}\n"), "\"perl\"", 8, 1},
		{FILE_OF("  limits: {pids: 4}\n"), "\"limits\"", 8, 3},
		{FILE_OF("  unlisted: errno EPERM\n"), "\"unlisted: errno EPERM\"", 8, 13},
		{FILE_OF("  aliases: [py]\n"), "\"aliases: py\"", 8, 13},
		{FILE_OF("  files: {deny: [/etc]}\n"), "\"files: deny: /etc\"", 8, 18},
		{FILE_OF("  files: {otherwise: kill}\n"), "\"files: otherwise: kill\"", 8, 11},
		{FILE_OF("  exec: {max: 3}\n"), "\"exec\"", 8, 3},
		{FILE_OF("  kernel: {trace: kill}\n"), "\"kernel: trace: kill\"", 8, 12},
		{FILE_OF("  kernel: {capabilities: [CHOWN]}\n"), "\"kernel: capabilities\"", 8, 12},
		{FILE_OF("    # why\n    - reboot\n"), "this comment was added by hand", 8, 5},
		{FILE_OF("  files:\n    read:\n      - \"/a # b\" # why\n"), "this comment", 10, 18},
		{FILE_OF("  net: {allow: [unix]}  # why\n"), "this comment", 8, 25},
		{FILE_OF("    - kill:  # why\n      - sig == 0\n"), "this comment", 8, 14},
		{"# Learnt by sgrun --learn from 1 run.\npython:\n  inherit: [\"builtin:confine\", \"builtin:inet\"]\n",
		 "\"inherit: builtin:inet\"", 3, 32},
	};
	static const char kept[] =
		FILE_OF("    - reboot\n    - kill: sig == 0\n"
			"  net: {allow: [\"tcp 192.0.2.1:443\", \"unix:/run/a b\"], otherwise: errno EPERM}\n"
			"  files: {read: [\"/srv/a: b\"], full: [/srv/c]}\n"
			"  kernel: {ipc: allow}\n");
	static const char *const parts[] = {
		"    - reboot\n",
		"        - sig == 0\n",
		"  net: {allow: [\"tcp 192.0.2.1:443\", \"unix:/run/a b\"], otherwise: errno EPERM}\n",
		"      - \"/srv/a: b\"\n      - /srv/c\n    write:\n      - /srv/c\n",
		"  kernel:\n    ipc: allow\n",
	};
	const char *const nothing[SG_LEARN_VARS] = {NULL};
	struct sg_learn *l;
	struct sg_err err = {0};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		l = fresh(NULL);
		sg_err_reset(&err);
		if (sg_learn_merge(l, "file", lost[i].text, strlen(lost[i].text), &err) == 0)
			fail_msg("row %zu: taken", i);
		if (!strstr(err.message, lost[i].message) || err.line != lost[i].line || err.column != lost[i].column)
			fail_msg("row %zu: %u:%u: %s", i, err.line, err.column, err.message);
		sg_learn_free(l);
	}
	l = fresh(NULL);
	sg_err_reset(&err);
	assert_int_equal(sg_learn_places(l, nothing, &err), 0);
	into(l, kept);
	text = written(l);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strstr(text, parts[i]))
			fail_msg("part %zu is missing: %s", i, text);
	sg_policy_free(policy_of(l));
	/* Another idea of `net` in another file: neither is dropped. */
	assert_true(sg_learn_merge(l, "file", FILE_OF("  net: {otherwise: allow}\n"),
				   strlen(FILE_OF("  net: {otherwise: allow}\n")), &err) < 0);
	assert_int_equal(err.line, 8);
	free(text);
	sg_learn_free(l);
}

/* What is learnt under a name is run by that name. */
static void names_that_no_file_can_have(void **state)
{
	static const char *const names[] = {"",
					    "version",
					    "denied",
					    "UPPER",
					    "a b",
					    "x:y",
					    "~",
					    "builtin:python",
					    "x: {}\ny",
					    "\xc3\xa4",
					    "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sg_learn *l = NULL;
		struct sg_err err = {0};

		if (sg_learn_new(names[i], NULL, &l, &err) == 0)
			fail_msg("\"%s\" was taken", names[i]);
		assert_non_null(strstr(err.message, "name of a language"));
	}
}

/* More than a policy has room for: less is told apart, and what was seen is allowed still. */
static void what_a_policy_has_no_room_for(void **state)
{
	static const uint32_t calls[] = {SYS_ioctl, SYS_fcntl,  SYS_prctl,      SYS_socket,     SYS_kill,   SYS_clone,
					 SYS_mmap,  SYS_tgkill, SYS_setsockopt, SYS_getsockopt, SYS_madvise};
	const char *const nothing[SG_LEARN_VARS] = {NULL};
	struct sg_learn *l = fresh(NULL);
	struct sg_err err = {0};
	struct sg_policy *p;
	char path[128], *text;

	(void)state;
	assert_int_equal(sg_learn_places(l, nothing, &err), 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (unsigned j = 0; j < 30; j++) {
			char cond[40];

			snprintf(cond, sizeof(cond), "arg%u == %u", (unsigned)(i % 3), 1000 + j);
			assert_int_equal(sg_learn_add(l, calls[i], cond, "x", NULL, &err), 0);
		}
	for (unsigned i = 0; i < 900; i++)
		for (unsigned j = 0; j < 2; j++) {
			snprintf(path, sizeof(path), "/srv/app/node_modules/pkg%u/lib/%s.js", i, j ? "util" : "index");
			assert_int_equal(sg_learn_file(l, path, SG_RIGHT_READ, &err), 0);
		}
	for (unsigned i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/etc/rc%u/conf", i);
		assert_int_equal(sg_learn_file(l, path, SG_RIGHT_READ, &err), 0);
	}
	assert_int_equal(sg_learn_policy(l, &p, &err), 0);
	sg_policy_free(p);
	text = written(l);
	p = policy_of(l);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct call c = {calls[i], {1001, 1001, 1001}};

		assert_int_equal(says(p, &c), SG_ACTION_ALLOW);
	}
	if (!strstr(text, "      - /etc/rc7\n") && !strstr(text, "      - /etc/rc7/conf\n"))
		fail_msg("%s", text);
	if (!strstr(text, "      - /srv/app/node_modules\n"))
		fail_msg("%s", text);
	sg_policy_free(p);
	/* It is learnt into again. */
	into(l, text);
	sg_policy_free(policy_of(l));
	free(text);
	sg_learn_free(l);
}

/* What cannot be named is its directory; where that means too much, it is said that it is missing. */
static void files_that_no_policy_can_name(void **state)
{
	static const char *const paths[] = {"/srv/a b/x", "/srv/x/a*b", "/srv/y/\xff/z", "/srv/a*b", "/srv/a\nb"};
	const char *const nothing[SG_LEARN_VARS] = {NULL};
	struct sg_learn *l = fresh(NULL);
	struct sg_err err = {0};
	char *text;

	(void)state;
	assert_int_equal(sg_learn_places(l, nothing, &err), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(sg_learn_file(l, paths[i], SG_RIGHT_READ, &err), 0);
	text = written(l);
	if (!strstr(text, "    read:\n      - \"/srv/a b/x\"\n      - /srv/x\n      - /srv/y\n"))
		fail_msg("%s", text);
	assert_int_equal(sg_learn_unnamed(l), 2);
	sg_policy_free(policy_of(l));
	free(text);
	sg_learn_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_shape),
		cmocka_unit_test(learning_lets_everything_through),
		cmocka_unit_test(merging_knows_no_order),
		cmocka_unit_test(only_the_difference),
		cmocka_unit_test(many_of_one_call),
		cmocka_unit_test(refuses),
		cmocka_unit_test(what_is_added_by_hand),
		cmocka_unit_test(comments_are_kept),
		cmocka_unit_test(names_that_no_file_can_have),
		cmocka_unit_test(what_a_policy_has_no_room_for),
		cmocka_unit_test(files_that_no_policy_can_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
