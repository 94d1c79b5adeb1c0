// SPDX-License-Identifier: Apache-2.0
/*
 * The walk that finds what the trees say about a file, at every depth: its steps are taken by three different pieces of
 * code. It is run as another kind of program, so BPF LSM is not needed.
 */
#include "supervisor/bpf_priv.h"

#include "bpf/sg_lsm.skel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SET 5
#define DEEPEST (SG_WALK_MAX + 6)

static struct sg_lsm_bpf_skel *skel;
static char top[] = "/dev/shm/sandgate-walk-XXXXXX";

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

/* The walk from the working directory. */
static void walk(uint32_t by_address, uint32_t want)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	skel->bss->sg_test_by_address = by_address;
	skel->bss->sg_test_want = want;
	skel->bss->sg_test_granted = skel->bss->sg_test_origin = 0;
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.sg_test_walk), &opts), 0);
}

static void expect(uint32_t want, uint32_t granted, uint32_t origin, int depth)
{
	for (uint32_t by_address = 0; by_address < 2; by_address++) {
		const struct sg_lsm_bpf_skel__bss *r = skel->bss;

		walk(by_address, want);
		if (r->sg_test_granted != granted || r->sg_test_origin != origin)
			fail_msg("depth %d%s: granted %#x, origin %#x; expected %#x and %#x", depth,
				 by_address ? ", by address" : "", r->sg_test_granted, r->sg_test_origin, granted,
				 origin);
	}
}

static struct sg_lsm rules = {.set = SET, .confined = SG_RIGHTS};

/* A tree begins at the working directory. */
static void tree(struct sg_tree_rights says)
{
	struct sg_tree_key key = {.set = SET};
	uint32_t zero = 0, bit;

	walk(0, 0);
	key.inode = skel->bss->sg_test_inode;
	bit = sg_filter_bit(skel->bss->sg_test_inode - skel->bss->sg_test_sb);
	rules.filter[bit / 64] |= 1ULL << bit % 64;
	assert_int_equal(bpf_map__update_elem(skel->maps.sg_lsm, &zero, sizeof(zero), &rules, sizeof(rules), BPF_ANY),
			 0);
	assert_int_equal(bpf_map__update_elem(skel->maps.sg_trees, &key, sizeof(key), &says, sizeof(says), BPF_ANY), 0);
}

static void down(void)
{
	assert_true(mkdir("d", 0700) == 0 || errno == EEXIST);
	assert_int_equal(chdir("d"), 0);
}

static int setup(void **state)
{
	struct bpf_program *p;
	uint32_t zero = 0;

	(void)state;
	libbpf_set_print(quiet);
	skel = sg_lsm_bpf_skel__open();
	assert_non_null(skel);
	bpf_object__for_each_program(p, skel->obj) bpf_program__set_autoload(p, p == skel->progs.sg_test_walk);
	bpf_map__set_max_entries(skel->maps.sg_trees, 16);
	assert_int_equal(sg_lsm_bpf_skel__load(skel), 0);
	assert_int_equal(bpf_map__update_elem(skel->maps.sg_lsm, &zero, sizeof(zero), &rules, sizeof(rules), BPF_ANY),
			 0);
	assert_non_null(mkdtemp(top));
	assert_int_equal(chdir(top), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (chdir(top) == 0) {
		while (chdir("d") == 0)
			;
		while (chdir("..") == 0 && rmdir("d") == 0)
			;
	}
	(void)rmdir(top);
	sg_lsm_bpf_skel__destroy(skel);
	return 0;
}

static void nothing_is_said(void **state)
{
	(void)state;
	expect(SG_RIGHTS, 0, SG_ORIGIN_UNLISTED, 0);
}

/* A directory so far below a tree that it takes more than SG_WALK_MAX steps is refused. */
static void every_depth(void **state)
{
	(void)state;
	tree((struct sg_tree_rights){.allow = SG_RIGHT_READ | SG_RIGHT_WRITE, .deny = SG_RIGHT_EXEC, .origin = 7});
	for (int depth = 0; depth <= DEEPEST; depth++, down()) {
		bool seen = depth < SG_WALK_MAX;

		expect(SG_RIGHT_READ, seen ? SG_RIGHT_READ : 0, SG_ORIGIN_UNLISTED, depth);
		expect(SG_RIGHT_EXEC, 0, seen ? 7 : SG_ORIGIN_UNLISTED, depth);
		expect(SG_RIGHTS, seen ? SG_RIGHT_READ | SG_RIGHT_WRITE : 0, seen ? 7 : SG_ORIGIN_UNLISTED, depth);
	}
	assert_int_equal(chdir(top), 0);
}

/* The nearest tree that says anything of a right decides it, whichever code sees which. */
static void nearest_decides(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		down();
	tree((struct sg_tree_rights){.allow = SG_RIGHT_EXEC, .deny = SG_RIGHT_READ, .origin = 9});
	for (int depth = 0; depth < SG_WALK_MAX - 20; depth++, down())
		expect(SG_RIGHT_READ | SG_RIGHT_WRITE | SG_RIGHT_EXEC, SG_RIGHT_WRITE | SG_RIGHT_EXEC, 9, depth);
	assert_int_equal(chdir(top), 0);
	down();
	expect(SG_RIGHT_READ | SG_RIGHT_EXEC, SG_RIGHT_READ, 7, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_said),
		cmocka_unit_test(every_depth),
		cmocka_unit_test(nearest_decides),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
