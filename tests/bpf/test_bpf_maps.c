// SPDX-License-Identifier: Apache-2.0
/* The tables that user space keeps for the programs: adding and removing sandboxes, and what is refused how. */
#include "supervisor/bpf_priv.h"

#include "bpf/sg.skel.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PLACES 64

static struct sg_bpf *enter; /* with sys_enter, room for PLACES sandboxes and 2 policies; nothing attached */

static int setup(void **state)
{
	const struct sg_bpf_opts o = {.programs = SG_BPF_KILLS | SG_BPF_SYS_ENTER | SG_BPF_SYS_EXIT,
				      .max_sandboxes = PLACES,
				      .max_policies = 2,
				      .discover = true,
				      .max_procs = 64,
				      .ring_bytes = 4096};
	struct sg_err err = {0};

	if (sg_bpf_open(&o, &enter, &err))
		fail_msg("%s", err.message);
	return 0;
}

static int teardown(void **state)
{
	sg_bpf_close(enter);
	return 0;
}

static int add(struct sg_bpf *b, uint64_t cgroup, uint32_t level, uint32_t *index, struct sg_err *err)
{
	const struct sg_sandbox cfg = {.cgroup_id = cgroup, .flags = SG_SANDBOX_SYS_ENTER, .policy = 1, .self = 7};

	sg_err_reset(err);
	return sg_bpf_add_sandbox(b, &cfg, level, index, err);
}

static void gone(struct sg_bpf *b, uint32_t index)
{
	struct sg_err err = {0};

	assert_int_equal(sg_bpf_remove_sandbox(b, index, true, &err), 0);
}

#define REFUSED(call, number, text)                                                                                    \
	do {                                                                                                           \
		sg_err_reset(&err);                                                                                    \
		assert_int_equal(call, -(number));                                                                     \
		assert_int_equal(err.code, number);                                                                    \
		assert_string_equal(err.message, text);                                                                \
	} while (0)

static void options_that_make_no_sense(void **state)
{
	static const struct {
		struct sg_bpf_opts o;
		const char *text;
	} bad[] = {
		{{.programs = 0}, "unknown set of BPF programs 0"},
		{{.programs = 1U << 30}, "unknown set of BPF programs 0x40000000"},
		{{.programs = SG_BPF_KILLS | SG_BPF_SYS_EXIT},
		 "the sys_exit program completes what sys_enter starts: it needs SYS_ENTER"},
		{{.programs = SG_BPF_KILLS, .max_sandboxes = 4097}, "4097 sandboxes: at most 4096"},
		{{.programs = SG_BPF_KILLS, .max_policies = 65}, "65 policies: at most 64"},
		{{.programs = SG_BPF_SYS_ENTER, .max_procs = 1048577}, "1048577 tasks: at most 1048576"},
		{{.programs = SG_BPF_KILLS, .ring_bytes = 12288},
		 "ring buffer of 12288 bytes: a power of two of whole pages, at most 1073741824"},
		{{.programs = SG_BPF_KILLS, .ring_bytes = 2048},
		 "ring buffer of 2048 bytes: a power of two of whole pages, at most 1073741824"},
		{{.programs = SG_BPF_KILLS, .ring_bytes = 1U << 31},
		 "ring buffer of 2147483648 bytes: a power of two of whole pages, at most 1073741824"},
	};
	struct sg_err err;
	struct sg_bpf *b;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		REFUSED(sg_bpf_open(&bad[i].o, &b, &err), EINVAL, bad[i].text);
}

static void sandboxes_that_make_no_sense(void **state)
{
	const struct sg_sandbox no_cgroup = {.policy = 0}, deleted = {.cgroup_id = ~0ULL};
	const struct sg_sandbox flags = {.cgroup_id = 5, .flags = 1U << 20}, policy = {.cgroup_id = 5, .policy = 2};
	const struct sg_sandbox fine = {.cgroup_id = 5}, judged = {.cgroup_id = 5, .flags = SG_SANDBOX_SYS_ENTER};
	const struct sg_bpf_opts only_kills = {.programs = SG_BPF_KILLS};
	struct sg_sandbox out;
	struct sg_stats stats;
	struct sg_bpf *kills;
	struct sg_err err;
	uint32_t i = 77;

	REFUSED(sg_bpf_add_sandbox(enter, &no_cgroup, 1, &i, &err), EINVAL, "0 is not the id of a cgroup");
	REFUSED(sg_bpf_add_sandbox(enter, &deleted, 1, &i, &err), EINVAL,
		"18446744073709551615 is not the id of a cgroup");
	REFUSED(sg_bpf_add_sandbox(enter, &fine, 0, &i, &err), EINVAL,
		"how deep the cgroup lies cannot be told in this cgroup namespace: share the host's (--cgroupns=host), "
		"or "
		"mount its cgroup2");
	REFUSED(sg_bpf_add_sandbox(enter, &fine, 16, &i, &err), EINVAL,
		"a cgroup at depth 16 cannot be a sandbox: 1 to 15");
	REFUSED(sg_bpf_add_sandbox(enter, &flags, 1, &i, &err), EINVAL, "unknown sandbox flags 0x100000");
	REFUSED(sg_bpf_add_sandbox(enter, &policy, 1, &i, &err), EINVAL, "policy number 2: there is room for 2");
	assert_int_equal(i, 77);

	sg_err_reset(&err);
	if (sg_bpf_open(&only_kills, &kills, &err))
		fail_msg("%s", err.message);
	REFUSED(sg_bpf_add_sandbox(kills, &judged, 1, &i, &err), EINVAL,
		"sandbox flags 0x2 need the sys_enter program, which is not loaded");
	sg_bpf_close(kills);

	REFUSED(sg_bpf_remove_sandbox(enter, 3, true, &err), ENOENT, "no sandbox has the number 3");
	REFUSED(sg_bpf_set_self(enter, PLACES, 1, &err), ENOENT, "no sandbox has the number 64");
	REFUSED(sg_bpf_sandbox_state(enter, ~0U, &out, &err), ENOENT, "no sandbox has the number 4294967295");
	REFUSED(sg_bpf_stats(enter, 0, &stats, &err), ENOENT, "no sandbox has the number 0");
}

static void policies_that_make_no_sense(void **state)
{
	struct sg_ruleset *rs = calloc(1, sizeof(*rs));
	struct sg_err err;

	assert_non_null(rs);
	rs->size = sizeof(*rs) - 8;
	rs->version = SG_RULESET_VERSION;
	REFUSED(sg_bpf_set_policy(enter, 0, rs, &err), EINVAL,
		"a compiled policy of another version (size 34952, version 1)");
	rs->size = sizeof(*rs);
	rs->version = 99;
	REFUSED(sg_bpf_set_policy(enter, 0, rs, &err), EINVAL,
		"a compiled policy of another version (size 34960, version 99)");
	rs->version = SG_RULESET_VERSION;
	REFUSED(sg_bpf_set_policy(enter, 2, rs, &err), EINVAL, "policy number 2: there is room for 2");
	assert_int_equal(sg_bpf_set_policy(enter, 1, rs, &err), 0);
	free(rs);
}

/* Ids that start their walk at the same place. */
static unsigned neighbours(uint64_t *ids, unsigned n)
{
	const uint32_t home = sg_slot_hash(1000);
	uint64_t id;
	unsigned found = 0;

	for (id = 1000; found < n; id++)
		if (sg_slot_hash(id) == home)
			ids[found++] = id;
	return found;
}

static void a_full_neighbourhood_refuses(void **state)
{
	uint64_t ids[SG_SLOT_PROBE + 2];
	uint32_t index[SG_SLOT_PROBE + 2], last, again;
	struct sg_err err;
	char text[200];
	unsigned i;

	assert_int_equal(neighbours(ids, SG_SLOT_PROBE + 2), SG_SLOT_PROBE + 2);
	for (i = 0; i < SG_SLOT_PROBE; i++)
		assert_int_equal(add(enter, ids[i], 1, &index[i], &err), 0);
	snprintf(text, sizeof(text), "no room for cgroup %llu: 8 sandboxes share its neighbourhood in the table",
		 (unsigned long long)ids[8]);
	REFUSED(add(enter, ids[8], 1, &last, &err), ENOSPC, text);
	/* each can be found, the last one too */
	for (i = 0; i < SG_SLOT_PROBE; i++) {
		snprintf(text, sizeof(text), "cgroup %llu is a sandbox already", (unsigned long long)ids[i]);
		REFUSED(add(enter, ids[i], 1, &again, &err), EEXIST, text);
	}
	/* a place in the middle becomes free: what stood behind it is still found, and the place is used again */
	gone(enter, index[3]);
	snprintf(text, sizeof(text), "cgroup %llu is a sandbox already", (unsigned long long)ids[7]);
	REFUSED(add(enter, ids[7], 1, &again, &err), EEXIST, text);
	assert_int_equal(add(enter, ids[8], 1, &index[3], &err), 0);
	REFUSED(add(enter, ids[8], 1, &again, &err), EEXIST,
		(snprintf(text, sizeof(text), "cgroup %llu is a sandbox already", (unsigned long long)ids[8]), text));
	for (i = 0; i < SG_SLOT_PROBE; i++)
		gone(enter, index[i]);
	/* nothing of them is left */
	for (i = 0; i < SG_SLOT_PROBE + 1; i++) {
		assert_int_equal(add(enter, ids[i], 1, &last, &err), 0);
		gone(enter, last);
	}
}

static unsigned marks_left(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SG_SLOTS; i++)
		n += enter->table->slots[i].cgroup_id != 0;
	return n;
}

/* At a mark of what was, the programs go on searching: for each process of the host, at each look. */
static void what_is_gone_leaves_no_mark(void **state)
{
	uint64_t ids[4];
	uint32_t index[4], one;
	struct sg_err err;

	for (uint64_t id = 1; id <= 2 * SG_SLOTS; id++) {
		assert_int_equal(add(enter, id * 7, 1, &one, &err), 0);
		assert_int_equal(sg_bpf_remove_sandbox(enter, one, false, &err), 0);
	}
	assert_int_equal(marks_left(), 0);
	assert_int_equal(neighbours(ids, 4), 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(add(enter, ids[i], 1, &index[i], &err), 0);
	/* but for what somebody comes past on the way to one that is there */
	gone(enter, index[1]);
	gone(enter, index[0]);
	assert_int_equal(marks_left(), 4);
	gone(enter, index[3]);
	assert_int_equal(marks_left(), 3);
	gone(enter, index[2]);
	assert_int_equal(marks_left(), 0);
}

static void every_place_can_be_taken_again_and_again(void **state)
{
	uint32_t index[PLACES], extra;
	struct sg_err err;
	unsigned round, i;
	uint64_t id = 1;

	for (round = 0; round < 40; round++) {
		for (i = 0; i < PLACES; i++, id++)
			if (add(enter, id * 7919, 1 + i % 15, &index[i], &err))
				fail_msg("%s", err.message);
		REFUSED(add(enter, 3, 1, &extra, &err), ENOSPC, "all 64 places for sandboxes are taken");
		for (i = 0; i < PLACES; i++)
			gone(enter, index[(i * 13 + round) % PLACES]);
	}
	assert_int_equal(enter->table->levels, 0);
}

static void depths_are_published_in_order(void **state)
{
	uint32_t a, b, c, d;
	struct sg_err err;

	assert_int_equal(add(enter, 11, 15, &a, &err), 0);
	assert_int_equal(enter->table->levels, 0xf);
	assert_int_equal(add(enter, 12, 1, &b, &err), 0);
	assert_int_equal(add(enter, 13, 3, &c, &err), 0);
	assert_int_equal(add(enter, 14, 3, &d, &err), 0);
	assert_int_equal(enter->table->levels, 0xf31);
	gone(enter, c);
	assert_int_equal(enter->table->levels, 0xf31);
	gone(enter, d);
	assert_int_equal(enter->table->levels, 0xf1);
	gone(enter, b);
	gone(enter, a);
	assert_int_equal(enter->table->levels, 0);
}

/* Whoever gets the number next finds nothing of its last owner. */
static void a_number_comes_back_clean(void **state)
{
	struct sg_proc mine = {0}, theirs = {0};
	struct sg_stats *used, stats;
	uint32_t a, b, again, key, one = 1;
	struct sg_sandbox out;
	struct sg_err err;
	int cpu;

	assert_int_equal(add(enter, 21, 1, &a, &err), 0);
	assert_int_equal(add(enter, 22, 1, &b, &err), 0);
	mine.sandbox = a;
	theirs.sandbox = b;
	for (key = 100; key < 130; key++)
		assert_int_equal(bpf_map__update_elem(enter->skel->maps.sg_processes, &key, sizeof(key),
						      key % 3 ? &mine : &theirs, sizeof(mine), BPF_ANY),
				 0);
	assert_int_equal(bpf_map__update_elem(enter->skel->maps.sg_claims, &a, sizeof(a), &one, sizeof(one), BPF_ANY),
			 0);
	used = calloc((size_t)enter->cpus, sizeof(*used));
	assert_non_null(used);
	for (cpu = 0; cpu < enter->cpus; cpu++)
		used[cpu] = (struct sg_stats){.allowed = 2, .violations = 3, .events_dropped = 5};
	assert_int_equal(bpf_map__update_elem(enter->skel->maps.sg_stats, &a, sizeof(a), used,
					      (size_t)enter->cpus * sizeof(*used), BPF_ANY),
			 0);
	free(used);
	assert_int_equal(sg_bpf_stats(enter, a, &stats, &err), 0);
	assert_int_equal(stats.events_dropped, 5 * enter->cpus);
	assert_int_equal(stats.total, 5 * enter->cpus);
	enter->sandboxes[a].killed = 2;
	enter->sandboxes[a].armed = 1;
	assert_int_equal(sg_bpf_set_self(enter, a, 4711, &err), 0);
	assert_int_equal(sg_bpf_sandbox_state(enter, a, &out, &err), 0);
	assert_int_equal(out.self, 4711);
	assert_int_equal(out.killed, 2);

	gone(enter, a);
	assert_int_equal(add(enter, 23, 1, &again, &err), 0);
	assert_int_equal(again, a);
	assert_int_equal(sg_bpf_stats(enter, again, &stats, &err), 0);
	assert_int_equal(stats.total + stats.events_dropped, 0);
	assert_int_equal(sg_bpf_sandbox_state(enter, again, &out, &err), 0);
	assert_int_equal(out.cgroup_id, 23);
	assert_int_equal(out.self, 7);
	assert_int_equal(out.killed + out.armed + out.tasks, 0);
	assert_int_not_equal(bpf_map__lookup_elem(enter->skel->maps.sg_claims, &a, sizeof(a), &one, sizeof(one), 0), 0);
	for (key = 100; key < 130; key++)
		assert_int_equal(bpf_map__lookup_elem(enter->skel->maps.sg_processes, &key, sizeof(key), &mine,
						      sizeof(mine), 0) == 0,
				 key % 3 == 0);
	gone(enter, again);
	gone(enter, b);
}

static void names_of_interpreters(void **state)
{
	static const struct {
		const char *file, *name;
	} names[] = {{"/usr/bin/python3.11", "python"},
		     {"python", "python"},
		     {"perl5.36.0", "perl"},
		     {"/opt/node/bin/node", "node"},
		     {"php8.2-cgi", "php8.2-cgi"},
		     {"7", "7"},
		     {"3.14", "3"},
		     {"fourteen-chars", "fourteen-chars"}};
	char name[SG_INTERPRETER_NAME];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(sg_bpf_interpreter_name(names[i].file, name));
		assert_string_equal(name, names[i].name);
	}
	assert_false(sg_bpf_interpreter_name("", name));
	assert_false(sg_bpf_interpreter_name("/usr/bin/", name));
	assert_false(sg_bpf_interpreter_name("fifteen-letters", name));
}

static void languages(void **state)
{
	struct sg_bpf_task t = {.tid = 501, .tgid = 500, .language = -1, .comm = "sh"};
	struct sg_proc proc;
	struct sg_err err;
	uint32_t a, key = 501;

	assert_int_equal(add(enter, 31, 1, &a, &err), 0);
	assert_int_equal(sg_bpf_language_policy(enter, 3), -1);
	assert_int_equal(sg_bpf_set_language(enter, 3, 0, &err), 0);
	assert_int_equal(sg_bpf_language_policy(enter, 3), 0);
	REFUSED(sg_bpf_set_language(enter, 3, 2, &err), EINVAL, "policy number 2: there is room for 2");
	REFUSED(sg_bpf_set_language(enter, 32, 0, &err), EINVAL, "language number 32: there is room for 32");
	assert_int_equal(sg_bpf_language_policy(enter, 32), -1);
	assert_int_equal(sg_bpf_set_interpreter(enter, "/usr/bin/python3", 3, &err), 0);
	assert_int_equal(sg_bpf_set_interpreter(enter, "ruby", 3, &err), 0);
	REFUSED(sg_bpf_set_interpreter(enter, "bin/", 3, &err), EINVAL,
		"bin/: no name of an interpreter of at most 14 bytes");
	assert_int_equal(sg_bpf_clear_interpreters(enter, &err), 0);
	assert_int_equal(sg_bpf_clear_interpreters(enter, &err), 0);

	assert_int_equal(sg_bpf_set_process_language(enter, a, &t, &err), 0);
	assert_int_equal(enter->sandboxes[a].tasks, 1);
	/* known, and without a language of its own: it gets one, and is not counted again */
	t.language = 3;
	assert_int_equal(sg_bpf_set_process_language(enter, a, &t, &err), 0);
	t.language = 4;
	assert_int_equal(sg_bpf_set_process_language(enter, a, &t, &err), 0);
	assert_int_equal(enter->sandboxes[a].tasks, 1);
	assert_int_equal(
		bpf_map__lookup_elem(enter->skel->maps.sg_processes, &key, sizeof(key), &proc, sizeof(proc), 0), 0);
	assert_int_equal(proc.language, 3 + 1);
	assert_int_equal(proc.tgid, 500);
	gone(enter, a);
	REFUSED(sg_bpf_set_process_language(enter, a, &t, &err), ENOENT, "no sandbox has the number 0");
}

static void no_type_information(void **state)
{
	const struct btf *need = bpf_object__btf(enter->skel->obj);
	char empty[] = "/tmp/sg-btf-XXXXXX", text[300];
	int fd = memfd_create("btf", MFD_CLOEXEC), file = mkstemp(empty);
	struct sg_err err;

	assert_true(fd >= 0 && file >= 0);
	REFUSED(sg_bpf_btf_write(fd, need, "", "/nonexistent/vmlinux", &err), EOPNOTSUPP,
		"the kernel's type information cannot be read from /nonexistent/vmlinux: No such file or directory. It "
		"needs CONFIG_DEBUG_INFO_BTF");
	snprintf(text, sizeof(text), "%s is not type information that can be used: Invalid argument", empty);
	assert_true(write(file, "not this", 8) == 8);
	REFUSED(sg_bpf_btf_write(fd, need, "", empty, &err), EOPNOTSUPP, text);
	sg_err_reset(&err);
	assert_int_equal(sg_bpf_btf_write(fd, need, "", NULL, &err), 0);
	unlink(empty);
	close(file);
	close(fd);
}

static void no_privilege(void **state)
{
	const struct sg_bpf_opts o = {.programs = SG_BPF_KILLS, .btf_cache = ""};
	struct sg_err err = {0};
	struct sg_bpf *b;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		static const char end[] = ". This needs root, or CAP_BPF and CAP_PERFMON; before 5.11 also enough "
					  "locked memory (ulimit -l)";
		size_t n;

		if (setgid(65534) || setuid(65534))
			_exit(2);
		if (sg_bpf_open(&o, &b, &err) != -EPERM)
			_exit(3);
		n = strlen(err.message);
		if (strncmp(err.message, "cannot load the BPF programs: Operation not permitted (", 55) != 0 ||
		    n < sizeof(end) || strcmp(err.message + n - (sizeof(end) - 1), end) != 0) {
			fprintf(stderr, "%s\n", err.message);
			_exit(4);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_that_make_no_sense),
		cmocka_unit_test(sandboxes_that_make_no_sense),
		cmocka_unit_test(policies_that_make_no_sense),
		cmocka_unit_test(a_full_neighbourhood_refuses),
		cmocka_unit_test(what_is_gone_leaves_no_mark),
		cmocka_unit_test(every_place_can_be_taken_again_and_again),
		cmocka_unit_test(depths_are_published_in_order),
		cmocka_unit_test(a_number_comes_back_clean),
		cmocka_unit_test(names_of_interpreters),
		cmocka_unit_test(languages),
		cmocka_unit_test(no_type_information),
		cmocka_unit_test(no_privilege),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
