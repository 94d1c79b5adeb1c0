// SPDX-License-Identifier: Apache-2.0
#include "policy/shorten.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LOAD(k) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, k)
#define RETURN(k) BPF_STMT(BPF_RET | BPF_K, k)
#define IF(op, k, t, f) BPF_JUMP(BPF_JMP | (op) | BPF_K, k, t, f)
#define MAX 900

static uint64_t seed;

static unsigned pick(unsigned below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % below;
}

/* A filter of few values and few outcomes, so that much of it is alike; every second one is long. */
static unsigned random_filter(struct sock_filter *f, struct sg_patch *patches, unsigned *n_patches)
{
	static const uint16_t ops[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
	const unsigned n = 8 + pick(pick(2) ? MAX - 8 : 60), far = 1 + pick(254);

	*n_patches = 0;
	for (unsigned i = 0; i < n; i++) {
		const unsigned left = n - i - 2, reach = left < far ? left : far;

		if (i + 2 >= n) {
			f[i] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | (1 + pick(3)));
			continue;
		}
		switch (pick(8)) {
		case 0:
			f[i] = (struct sock_filter)LOAD(4 * pick(16));
			break;
		case 1:
			f[i] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1 + pick(3));
			break;
		case 2:
			f[i] = (struct sock_filter)RETURN(pick(2) ? SECCOMP_RET_ALLOW
								  : SECCOMP_RET_ERRNO | (1 + pick(3)));
			break;
		case 3:
			f[i] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, pick(left + 1));
			break;
		default:
			f[i] = (struct sock_filter)IF(ops[pick(4)], pick(4), (__u8)pick(reach + 1),
						      (__u8)pick(reach + 1));
			if (f[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && !pick(4)) {
				f[i].k = 0;
				patches[(*n_patches)++] = (struct sg_patch){.pc = (uint16_t)i, .kind = SG_PATCH_SELF};
			}
			break;
		}
	}
	return n;
}

static void fill(struct sock_filter *f, const struct sg_patch *patches, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(f[patches[i].pc].code, BPF_JMP | BPF_JEQ | BPF_K);
		f[patches[i].pc].k = 2;
	}
}

static void answers_stay(void **state)
{
	static struct sock_filter before[MAX], after[MAX];
	static struct sg_patch patches[MAX];
	unsigned shorter = 0;

	for (unsigned round = 0; round < 3000; round++) {
		struct sg_err err = {0};
		unsigned n_patches, n, m;

		seed = round;
		m = n = random_filter(before, patches, &n_patches);
		memcpy(after, before, n * sizeof(*before));
		fill(before, patches, n_patches);
		assert_int_equal(sg_filter_shorten(after, &m, patches, &n_patches, &err), 0);
		fill(after, patches, n_patches);
		assert_true(m <= n);
		shorter += m < n;
		for (unsigned i = 0; i < 60; i++) {
			uint64_t args[SG_ARGS];
			uint32_t nr = pick(4), arch = pick(4);

			for (unsigned j = 0; j < SG_ARGS; j++)
				args[j] = pick(4) | (uint64_t)pick(4) << 32;
			assert_int_equal(sg_filter_simulate(before, n, arch, nr, args),
					 sg_filter_simulate(after, m, arch, nr, args));
		}
	}
	assert_true(shorter > 2000);
}

static void what_is_alike_becomes_one(void **state)
{
	struct sock_filter f[] = {
		LOAD(0),
		IF(BPF_JEQ, 1, 0, 2),
		LOAD(16),
		BPF_STMT(BPF_JMP | BPF_JA, 3),
		LOAD(16),
		IF(BPF_JEQ, 7, 0, 4),
		RETURN(SECCOMP_RET_ALLOW),
		IF(BPF_JEQ, 7, 0, 1),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_ERRNO | 1),
		RETURN(SECCOMP_RET_ERRNO | 1),
	};
	unsigned n = sizeof(f) / sizeof(f[0]), n_patches = 0;
	struct sg_err err = {0};

	assert_int_equal(sg_filter_shorten(f, &n, NULL, &n_patches, &err), 0);
	/* Whatever the number is, the same two instructions are next. */
	assert_int_equal(n, 6);
}

static void a_jump_out_is_refused(void **state)
{
	struct sock_filter f[] = {IF(BPF_JEQ, 1, 0, 1), RETURN(SECCOMP_RET_ALLOW)}, g[] = {LOAD(0)};
	unsigned n = 2, m = 1, n_patches = 0;
	struct sg_patch behind = {.pc = 2, .kind = SG_PATCH_SELF};
	struct sg_err err = {0};

	assert_int_equal(sg_filter_shorten(f, &n, NULL, &n_patches, &err), -EINVAL);
	err = (struct sg_err){0};
	assert_int_equal(sg_filter_shorten(g, &m, NULL, &n_patches, &err), -EINVAL);
	err = (struct sg_err){0};
	f[0].jf = 0;
	n_patches = 1;
	assert_int_equal(sg_filter_shorten(f, &n, &behind, &n_patches, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_stay),
		cmocka_unit_test(what_is_alike_becomes_one),
		cmocka_unit_test(a_jump_out_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
