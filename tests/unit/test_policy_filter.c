// SPDX-License-Identifier: Apache-2.0
#include "policy_agree.h"

#include "policy/consts.h"
#include "supervisor/bpf.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

static struct sg_policy *policy_of(const char *yaml, const char *language)
{
	struct sg_policy *p = NULL;
	struct sg_err err = {0};
	struct sg_doc *doc;

	if (sg_doc_parse("t.yaml", yaml, strlen(yaml), &doc, &err) || sg_policy_resolve(doc, language, &p, &err))
		fail_msg("%s:%u:%u: %s", err.source, err.line, err.column, err.message);
	sg_doc_free(doc);
	return p;
}

static void check(const struct sg_policy *p)
{
	struct sg_err err = {0};
	struct agree a;

	if (agree_begin(&a, p, &err))
		fail_msg("%s", err.message);
	assert_true(agree_on_boundaries(&a));
	assert_true(a.calls > SG_NR_MAX);
	agree_end(&a);
}

static void builtins_agree_with_the_oracle(void **state)
{
	struct sg_policy *p;
	struct sg_err err;
	size_t i, n = 0;

	for (i = 0; i < sg_n_builtins; i++) {
		sg_err_reset(&err);
		if (!sg_builtins[i].listed) {
			assert_int_equal(sg_policy_resolve(NULL, sg_builtins[i].name, &p, &err), -ENOENT);
			continue;
		}
		assert_int_equal(sg_policy_resolve(NULL, sg_builtins[i].name, &p, &err), 0);
		check(p);
		sg_policy_free(p);
		n++;
	}
	assert_true(n >= 10);
}

/* What was compiled at build time is what compiling now would give. */
static void embedded_filters_are_current(void **state)
{
	struct sg_filter f, e;
	struct sg_policy *p;
	struct sg_err err;
	size_t i;

	for (i = 0; i < sg_n_builtins; i++) {
		const struct sg_builtin *b = &sg_builtins[i];

		sg_err_reset(&err);
		if (!b->listed)
			continue;
		assert_int_equal(sg_policy_resolve(NULL, b->name, &p, &err), 0);
		assert_string_equal(sg_policy_digest(p), sg_builtin_variant(b, 0)->digest);
		assert_memory_equal(sg_policy_limits(p), &b->limits, sizeof(b->limits));
		assert_int_equal(sg_filter_compile(p, &f, &err), 0);
		sg_builtin_filter(&sg_builtin_variant(b, 0)->filter, &e);
		assert_int_equal(f.n_insns, e.n_insns);
		assert_int_equal(f.n_patches, e.n_patches);
		assert_memory_equal(f.insns, e.insns, f.n_insns * sizeof(*f.insns));
		assert_memory_equal(f.patches, e.patches, f.n_patches * sizeof(*f.patches));
		assert_int_equal(f.has_supervised, e.has_supervised);
		assert_int_equal(f.has_audit, e.has_audit);
		assert_int_equal(f.tied, e.tied);
		assert_int_equal(f.one_process, e.one_process);
		assert_int_equal(f.keyless, e.keyless);
		assert_true(f.keyless);
		assert_null(e.owned);
		sg_filter_release(&f);
		sg_policy_free(p);
	}
}

#define HAS_ITS_END(text) assert_in_range(strnlen(text, sizeof(text)), 1, sizeof(text) - 1)

/* C takes a text that fills its array without its end. */
static void texts_in_tables_have_their_end(void **state)
{
	const struct sg_const *c;
	const struct sg_arg *a;
	size_t i, j, n, args = 0, aliases = 0;
	char syscall[64];
	const char *s;

	for (i = 0; i < SG_FAMILY_COUNT; i++) {
		c = sg_consts((enum sg_family)i, &n);
		for (j = 0; j < n; j++) {
			HAS_ITS_END(c[j].name);
			assert_ptr_equal(sg_const_find((enum sg_family)i, c[j].name), &c[j]);
		}
	}
	for (i = 0; i < SG_NR_MAX; i++) {
		sg_syscall_name(sg_native_arch(), (uint32_t)i, syscall, sizeof(syscall));
		for (j = 0; (a = sg_arg_at(syscall, j)); j++, args++) {
			HAS_ITS_END(a->syscall);
			HAS_ITS_END(a->name);
		}
	}
	assert_true(args > 100);
	for (i = 0; i < SG_HOOK_N; i++)
		HAS_ITS_END(sg_hook_names[i]);
	for (i = 0; i < sg_n_builtins; i++) {
		const struct sg_builtin *b = &sg_builtins[i];

		HAS_ITS_END(b->name);
		for (s = b->aliases; *s; s += strlen(s) + 1, aliases++)
			assert_ptr_equal(sg_builtin_find(s), b);
		assert_true(s < b->aliases + sizeof(b->aliases));
		for (j = 0; b->listed && j < SG_N_VARIANTS; j++)
			HAS_ITS_END(sg_builtin_variant(b, (unsigned)j)->digest);
	}
	assert_true(aliases > 20);
}

static void every_operator_agrees(void **state)
{
	static const char yaml[] =
		"t:\n  unlisted: errno ENOSYS\n  allow:\n"
		"    - ptrace: [arg0 == 0x123456789abc, arg0 != 0x100000000 and arg1 == 7, arg2 < 0x100000002]\n"
		"    - mount: [arg0 <= 0x200000000, arg1 > 0x1ffffffff, arg2 >= 0xffffffff00000000]\n"
		"    - prctl: [arg2 < 5, arg3 <= 5, arg4 > 5, arg5 >= 5 and arg1 & 0xff00000000ff == 0x100000000001]\n"
		"    - ioctl: [request == 5, 'request in {1, 2, 0xffffffff}', request > 0x7fffffff]\n"
		"    - kill: [pid == self, pid in sandbox and sig == 0]\n"
		"    - tkill: arg0 == self\n"
		"    - fcntl: [cmd < 3, cmd >= 8 and cmd <= 9 and arg != 0 and fd & 1 == 1]\n"
		"    - clone: flags & CLONE_THREAD != 0\n"
		"  audit:\n    - ptrace: arg0 == 4\n    - getuid\n    - tgkill: pid in sandbox\n"
		"  errno:\n    EPERM: [prctl, execve, {sendmsg: arg0 == 3}]\n    EACCES: [kill]\n"
		"  kill:\n    - mount\n    - fcntl: arg0 == 3\n";
	struct sg_policy *p = policy_of(yaml, "t");

	check(p);
	sg_policy_free(p);
}

static void other_defaults_agree(void **state)
{
	static const char *const yaml[] = {
		"t: {unlisted: allow, kill: [ptrace], errno: {EPERM: [{socket: domain == AF_INET}]}}\n",
		"t: {unlisted: audit, allow: [read, write, clone, sendmsg], kill: [ptrace]}\n",
		"t: {unlisted: kill}\n",
		"t: {unlisted: errno EPERM, allow: [execve, {sendmsg: flags == 0}, {execve: arg0 == 1}]}\n",
		"t: {allow: [execve]}\ndenied: [ptrace, {read: arg0 == 1}]\n",
	};
	size_t i;

	for (i = 0; i < sizeof(yaml) / sizeof(yaml[0]); i++) {
		struct sg_policy *p = policy_of(yaml[i], "t");

		check(p);
		sg_policy_free(p);
	}
}

static uint32_t run(const struct agree *a, long nr, uint64_t a0, uint64_t a1)
{
	const uint64_t args[SG_ARGS] = {a0, a1};

	return sg_filter_simulate(a->insns, a->n, sg_native_arch(), (uint32_t)nr, args);
}

static void launcher_has_its_two_calls(void **state)
{
	struct sg_policy *p = policy_of("t: {allow: [read]}\ndenied: [execve, sendmsg]\n", "t");
	struct sg_err err = {0};
	struct agree a;

	assert_int_equal(agree_begin(&a, p, &err), 0);
	assert_int_equal(run(&a, __NR_execve, a.binding.exec_path, 1), SECCOMP_RET_ALLOW);
	assert_int_equal(run(&a, __NR_execve, a.binding.exec_path + 1, 1), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(&a, __NR_execve, a.binding.exec_path & 0xffffffff, 1), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(&a, __NR_execve, a.binding.exec_path ^ 1ULL << 33, 1), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(&a, __NR_execveat, a.binding.exec_path, 1), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(&a, __NR_sendmsg, 1, a.binding.msghdr), SECCOMP_RET_ALLOW);
	assert_int_equal(run(&a, __NR_sendmsg, 1, a.binding.msghdr + 1), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(&a, __NR_sendmsg, a.binding.msghdr, 1), SECCOMP_RET_KILL_PROCESS);
	agree_end(&a);
	sg_policy_free(p);
}

static void what_the_launcher_leaves_out_never_matches(void **state)
{
	struct sg_policy *p = policy_of("t: {allow: [{kill: pid == self}]}\n", "t");
	const struct sg_binding nothing = {.ret_kill = SECCOMP_RET_KILL_PROCESS};
	struct sg_err err = {0};
	struct sg_filter f;
	struct agree a = {0};

	assert_int_equal(sg_filter_compile(p, &f, &err), 0);
	a.insns = calloc(f.n_insns, sizeof(*a.insns));
	a.n = f.n_insns;
	assert_int_equal(sg_filter_bind(&f, &nothing, a.insns, &err), 0);
	assert_int_equal(run(&a, __NR_execve, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(&a, __NR_sendmsg, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(&a, __NR_kill, 0, 0), SECCOMP_RET_KILL_PROCESS);
	sg_filter_release(&f);
	agree_end(&a);
	sg_policy_free(p);
}

static void bind_refuses_what_it_does_not_know(void **state)
{
	static const struct sock_filter bad_return[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)};
	static const struct sock_filter errno_zero[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO)};
	static const struct sock_filter good[] = {BPF_STMT(BPF_RET | BPF_K, SG_RET_KILL)};
	static const struct sg_patch patch = {.pc = 0, .kind = SG_PATCH_SELF};
	const struct sg_binding b = {.ret_kill = SECCOMP_RET_KILL_PROCESS};
	struct sg_filter f = {.insns = bad_return, .n_insns = 1};
	struct sock_filter out[1];
	struct sg_err err = {0};

	assert_int_equal(sg_filter_bind(&f, &b, out, &err), -EINVAL);
	assert_string_equal(err.message, "the seccomp filter returns something unknown: 0x00030000");
	sg_err_reset(&err);
	f.insns = errno_zero;
	assert_int_equal(sg_filter_bind(&f, &b, out, &err), -EINVAL);
	assert_string_equal(err.message, "the seccomp filter returns something unknown: 0x00050000");
	sg_err_reset(&err);
	f.insns = good;
	assert_int_equal(sg_filter_bind(&f, &b, out, &err), 0);
	assert_int_equal(out[0].k, SECCOMP_RET_KILL_PROCESS);
	f.patches = &patch;
	f.n_patches = 1;
	assert_int_equal(sg_filter_bind(&f, &b, out, &err), -EINVAL);
	assert_string_equal(err.message, "the seccomp filter has a blank that is not a comparison");
}

static void malformed_programs_kill(void **state)
{
	static const struct sock_filter no_return[] = {BPF_STMT(BPF_LD | BPF_IMM, 0)};
	static const struct sock_filter far_jump[] = {BPF_JUMP(BPF_JMP | BPF_JA, 5, 0, 0),
						      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	static const struct sock_filter bad_load[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64),
						      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	const uint64_t args[SG_ARGS] = {0};

	assert_int_equal(sg_filter_simulate(no_return, 1, sg_native_arch(), 0, args), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(sg_filter_simulate(far_jump, 2, sg_native_arch(), 0, args), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(sg_filter_simulate(bad_load, 2, sg_native_arch(), 0, args), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(sg_filter_simulate(NULL, 0, sg_native_arch(), 0, args), SECCOMP_RET_KILL_PROCESS);
}

/* What a launch goes by when it asks whether a guard is needed, and when, and whether a keyring is. */
static void who_is_tied_and_alone_and_keyless(void **state)
{
	static const struct {
		const char *yaml;
		bool tied, alone, keyless;
	} cases[] = {
		{"t: {allow: [read, {clone: flags == SIGCHLD}]}", true, false, true},
		{"t: {allow: [read]}", true, true, true},
		{"t: {allow: [clone3]}", true, false, true},
		{"t: {audit: [fork]}", true, false, true},
		{"t: {allow: [execve]}", false, false, true},
		{"t: {audit: [execveat]}", false, false, true},
		{"t: {errno: {EPERM: [execve, fork, clone, clone3, vfork]}}", true, true, true},
		{"t: {unlisted: allow}", false, false, false},
		{"t: {unlisted: errno ENOSYS}", true, true, true},
		{"t: {allow: [prctl]}", false, false, true},
		{"t: {allow: [{prctl: option == PR_SET_PDEATHSIG}]}", false, false, true},
		{"t: {allow: [{prctl: option == PR_SET_NAME}]}", true, true, true},
		{"t: {allow: [{prctl: option != PR_SET_NAME}]}", false, false, true},
		{"t: {allow: [keyctl]}", true, true, false},
		{"t: {allow: [{keyctl: op == KEYCTL_READ}]}", true, true, false},
		{"t: {audit: [add_key]}", true, true, false},
		{"t: {allow: [request_key]}", true, true, false},
		{"t: {errno: {EPERM: [keyctl, add_key, request_key]}}", true, true, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sg_policy *p = policy_of(cases[i].yaml, "t");
		struct sg_err err = {0};
		struct sg_filter f;

		assert_int_equal(sg_filter_compile(p, &f, &err), 0);
		if (f.tied != cases[i].tied || f.one_process != cases[i].alone || f.keyless != cases[i].keyless)
			fail_msg("%s: tied %d, alone %d, keyless %d", cases[i].yaml, f.tied, f.one_process, f.keyless);
		sg_filter_release(&f);
		sg_policy_free(p);
	}
}

static uint32_t seed;

static uint32_t pick(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* Runs and single numbers in every mixture: what the frame makes ranges of. */
static void mixtures_of_numbers_agree(void **state)
{
	static const char *const unlisted[] = {"kill", "allow", "errno ENOSYS", "errno EPERM"};
	static char yaml[1 << 16];

	for (unsigned round = 0; round < 60; round++) {
		const unsigned run = 1 + round % 9;
		unsigned kind = 0, left = 0;
		struct sg_policy *p;
		char name[64], lists[5][1 << 13] = {"", "", "", "", ""};

		seed = round;
		for (uint32_t nr = 0; nr < SG_NR_MAX; nr++) {
			size_t n;

			sg_syscall_name(sg_native_arch(), nr, name, sizeof(name));
			if (!strncmp(name, "syscall_", 8))
				continue;
			if (!left--) {
				kind = pick(6);
				left = pick(run);
			}
			if (kind == 5)
				continue; /* unlisted */
			n = strlen(lists[kind]);
			snprintf(lists[kind] + n, sizeof(lists[kind]) - n, "%s%s", n ? ", " : "", name);
		}
		snprintf(yaml, sizeof(yaml),
			 "t:\n  unlisted: %s\n  allow: [%s]\n  kill: [%s]\n  audit: [%s]\n"
			 "  errno: {EPERM: [%s], EACCES: [%s]}\n",
			 unlisted[round % 4], lists[0], lists[1], lists[2], lists[3], lists[4]);
		p = policy_of(yaml, "t");
		check(p);
		sg_policy_free(p);
	}
}

static void an_allowed_fork_is_marked(void **state)
{
	struct sg_policy *p = policy_of("t: {allow: [clone3, {clone: flags == SIGCHLD}, read]}\n", "t");
	struct sg_err err = {0};
	struct agree a;

	assert_int_equal(agree_begin(&a, p, &err), 0);
	agree_end(&a);
	struct sg_filter f;

	assert_int_equal(sg_filter_compile(p, &f, &err), 0);
	a.binding.ret_fork = SECCOMP_RET_USER_NOTIF;
	a.insns = calloc(f.n_insns, sizeof(*a.insns));
	a.n = f.n_insns;
	assert_int_equal(sg_filter_bind(&f, &a.binding, a.insns, &err), 0);
	assert_int_equal(run(&a, __NR_clone3, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(run(&a, __NR_clone, 17, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(run(&a, __NR_clone, 18, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(&a, __NR_read, 0, 0), SECCOMP_RET_ALLOW);
	sg_filter_release(&f);
	agree_end(&a);
	sg_policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builtins_agree_with_the_oracle),
		cmocka_unit_test(embedded_filters_are_current),
		cmocka_unit_test(texts_in_tables_have_their_end),
		cmocka_unit_test(every_operator_agrees),
		cmocka_unit_test(other_defaults_agree),
		cmocka_unit_test(launcher_has_its_two_calls),
		cmocka_unit_test(what_the_launcher_leaves_out_never_matches),
		cmocka_unit_test(bind_refuses_what_it_does_not_know),
		cmocka_unit_test(malformed_programs_kill),
		cmocka_unit_test(mixtures_of_numbers_agree),
		cmocka_unit_test(who_is_tied_and_alone_and_keyless),
		cmocka_unit_test(an_allowed_fork_is_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
