// SPDX-License-Identifier: Apache-2.0
#include "supervisor/call_line.h"

#include "policy/seccomp.h"

#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

static uint64_t seed;

static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static unsigned pick(unsigned below)
{
	return (unsigned)(any() >> 20) % below;
}

static const char *const comms[] = {"true",
				    "",
				    "with \"quotes\"",
				    "back\\slash",
				    "tab\there",
				    "\x01\x1f\x7f",
				    "gr\xc3\xbc\xc3\x9f",
				    "\xff\xfe bytes",
				    "\xe2\x82",
				    "a/b <c> &",
				    "\xf0\x9f\x98\x80",
				    "\xed\xa0\x80"};

static struct sg_call random_call(void)
{
	static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 12345};
	static const uint32_t numbers[] = {SYS_socket, SYS_openat, SYS_ioctl,    SYS_mmap,   SYS_clone,  SYS_kill,
					   SYS_prctl,  SYS_ptrace, SYS_mprotect, 0x40000001, 0xffffffff, 9999};
	struct sg_call c = {
		.time_ns = any() >> pick(60),
		.pid = (pid_t)pick(100000),
		.tgid = (pid_t)pick(100000) - 2,
		.uid = (uid_t)any(),
		.audit_arch = pick(4) ? sg_native_arch() : arches[pick(4)],
		.nr = pick(2) ? numbers[pick(12)] : pick(480),
		.layer = pick(2) ? "seccomp" : "sys_enter",
		.action = pick(2) ? SG_ACTION_AUDIT : SG_ACTION_ERRNO,
		.err = (uint16_t)pick(130),
		.origin = pick(2) ? SG_ORIGIN_UNLISTED : pick(60),
		.forbidden = pick(2),
		.prevented = pick(2),
	};

	snprintf(c.comm, sizeof(c.comm), "%s", comms[pick(12)]);
	for (size_t i = 0; i < SG_ARGS; i++)
		c.args[i] = pick(2) ? pick(40) : any() >> pick(64);
	return c;
}

static void compare(struct sg_call_line **line, struct sg_session *s, const struct sg_call *c,
		    const struct sg_policy *p)
{
	json_t *record = sg_session_call_record(s, c, p);
	char *want = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(9));
	const char *name = NULL;
	size_t len = 0;
	const char *got = sg_call_line(line, s, c, p, &name, &len);

	assert_non_null(want);
	assert_non_null(got);
	assert_string_equal(got, want);
	assert_int_equal(len, strlen(want));
	assert_string_equal(name, json_string_value(json_object_get(record, "syscall")));
	free(want);
	json_decref(record);
}

static void the_bytes_are_those_of_the_tree(void **state)
{
	static const char *const languages[] = {"python", "compiled", "javascript"};
	struct sg_session s;
	struct sg_err err = {0};

	for (unsigned round = 0; round < 3; round++) {
		struct sg_call_line *line = NULL;
		struct sg_policy *p = NULL;

		assert_int_equal(sg_session_init(&s, "12-ab\"c", &err), 0);
		assert_int_equal(sg_policy_resolve(NULL, languages[round], &p, &err), 0);
		s.language = round ? languages[round] : NULL;
		s.cgroup_id = round ? UINT64_MAX - round : 4711;
		seed = 88172645463325252ULL + round;
		for (unsigned i = 0; i < 4000; i++) {
			struct sg_call c = random_call();

			s.seq = pick(3) ? any() >> 1 : 0;
			compare(&line, &s, &c, pick(20) ? p : NULL);
			/* What was looked up for one is right for the next. */
			if (pick(2)) {
				c.pid++;
				compare(&line, &s, &c, p);
			}
		}
		sg_call_line_free(line);
		sg_policy_free(p);
		sg_session_close(&s);
	}
}

/* Policies come and go under one session, and one may lie where another did. */
static void texts_of_a_policy_that_is_gone(void **state)
{
	static const char *const languages[] = {"python", "compiled", "javascript", "perl", "ruby"};
	struct sg_call_line *line = NULL;
	struct sg_session s;
	struct sg_err err = {0};

	assert_int_equal(sg_session_init(&s, "1-3", &err), 0);
	for (unsigned round = 0; round < 40; round++) {
		struct sg_policy *p = NULL;

		assert_int_equal(sg_policy_resolve(NULL, languages[round % 5], &p, &err), 0);
		seed = 7;
		for (unsigned i = 0; i < 20; i++) {
			struct sg_call c = random_call();

			compare(&line, &s, &c, p);
		}
		sg_policy_free(p);
	}
	sg_call_line_free(line);
	sg_session_close(&s);
}

/* What a session writes, held or not, is what was counted. */
static void a_session_writes_whole_lines(void **state)
{
	char path[] = "/tmp/sandgate-call-line-XXXXXX", *text = NULL;
	int fd = mkstemp(path), lines = 0;
	struct sg_session s;
	struct sg_err err = {0};
	size_t size = 0;
	FILE *f;

	assert_true(fd >= 0);
	assert_int_equal(sg_session_open(&s, "1-2", path, &err), 0);
	s.language = "python";
	seed = 42;
	sg_stream_hold(&s.stream, true);
	for (unsigned i = 0; i < 3000; i++) {
		struct sg_call c = random_call();

		sg_session_call(&s, &c);
	}
	assert_true(s.stream.len > 0);
	sg_stream_hold(&s.stream, false);
	assert_int_equal(s.stream.len, 0);
	assert_int_equal(s.n_audit + s.n_errno, 3000);
	assert_int_equal(s.stream.dropped, 0);
	sg_session_close(&s);
	f = fdopen(fd, "r");
	assert_non_null(f);
	while (getline(&text, &size, f) > 0) {
		json_t *o = json_loads(text, 0, NULL);

		assert_non_null(o);
		json_decref(o);
		lines++;
	}
	assert_int_equal(lines, 3000);
	free(text);
	fclose(f);
	remove(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bytes_are_those_of_the_tree),
		cmocka_unit_test(texts_of_a_policy_that_is_gone),
		cmocka_unit_test(a_session_writes_whole_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
