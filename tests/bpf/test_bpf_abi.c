// SPDX-License-Identifier: Apache-2.0
/* The shared structures as both compilers lay them out, member by member; and the reader's check of what it is given.
 */
#include "supervisor/bpf_priv.h"

#include "bpf/sg.skel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct pair {
	const struct btf *bpf, *user;
	unsigned differences;
};

static int same_type(struct pair *p, __u32 b, __u32 u, const char *where);

static const struct btf_type *resolved(const struct btf *btf, __u32 *id)
{
	const struct btf_type *t = btf__type_by_id(btf, *id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t))) {
		*id = t->type;
		t = btf__type_by_id(btf, *id);
	}
	return t;
}

static int differ(struct pair *p, const char *where, const char *what, long bpf, long user)
{
	fprintf(stderr, "%s: %s %ld in the object, %ld in user space\n", where, what, bpf, user);
	p->differences++;
	return 1;
}

static int same_members(struct pair *p, const struct btf_type *b, const struct btf_type *u, const char *where)
{
	const struct btf_member *mb = btf_members(b), *mu = btf_members(u);
	int i, bad = 0;

	if (btf_vlen(b) != btf_vlen(u))
		return differ(p, where, "members", btf_vlen(b), btf_vlen(u));
	for (i = 0; i < btf_vlen(b); i++) {
		const char *nb = btf__name_by_offset(p->bpf, mb[i].name_off);
		const char *nu = btf__name_by_offset(p->user, mu[i].name_off);
		char at[256];

		snprintf(at, sizeof(at), "%s.%s", where, nu);
		if (strcmp(nb, nu) != 0)
			bad |= differ(p, at, "another name, position", i, i);
		if (btf_member_bit_offset(b, (__u32)i) != btf_member_bit_offset(u, (__u32)i))
			bad |= differ(p, at, "bit offset", btf_member_bit_offset(b, (__u32)i),
				      btf_member_bit_offset(u, (__u32)i));
		bad |= same_type(p, mb[i].type, mu[i].type, at);
	}
	return bad;
}

static int same_type(struct pair *p, __u32 b, __u32 u, const char *where)
{
	const struct btf_type *tb = resolved(p->bpf, &b), *tu = resolved(p->user, &u);

	assert_non_null(tb);
	assert_non_null(tu);
	if (btf_kind(tb) != btf_kind(tu))
		return differ(p, where, "kind", btf_kind(tb), btf_kind(tu));
	switch (btf_kind(tb)) {
	case BTF_KIND_INT:
		if (tb->size != tu->size)
			return differ(p, where, "size", tb->size, tu->size);
		/* compilers do not agree on whether a char is marked as one */
		if ((btf_int_encoding(tb) & BTF_INT_SIGNED) != (btf_int_encoding(tu) & BTF_INT_SIGNED) && tb->size > 1)
			return differ(p, where, "signedness", btf_int_encoding(tb), btf_int_encoding(tu));
		return 0;
	case BTF_KIND_ARRAY:
		if (btf_array(tb)->nelems != btf_array(tu)->nelems)
			return differ(p, where, "elements", btf_array(tb)->nelems, btf_array(tu)->nelems);
		return same_type(p, btf_array(tb)->type, btf_array(tu)->type, where);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: /* of structures that a member before it tells apart */
		if (tb->size != tu->size)
			return differ(p, where, "size", tb->size, tu->size);
		return same_members(p, tb, tu, where);
	default:
		/* pointers, enums, bool: not across this boundary */
		return differ(p, where, "a kind that has no place here:", btf_kind(tb), btf_kind(tu));
	}
}

/* Named padding only: members follow each other without holes. */
static int has_no_holes(const struct btf *btf, __u32 id, const char *name)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const struct btf_member *m = btf_members(t);
	__u32 at = 0;
	int i;

	for (i = 0; i < btf_vlen(t); i++) {
		__s64 size = btf__resolve_size(btf, m[i].type);

		if (btf_member_bit_offset(t, (__u32)i) != at * 8) {
			fprintf(stderr, "%s.%s: a hole before it\n", name, btf__name_by_offset(btf, m[i].name_off));
			return 0;
		}
		assert_true(size > 0);
		at += (__u32)size;
	}
	if (at != t->size)
		fprintf(stderr, "%s: a hole at its end\n", name);
	return at == t->size;
}

static void every_shared_structure_is_the_same(void **state)
{
	static const char *const must[] = {"sg_ruleset",   "sg_rule",          "sg_cond",       "sg_entry",
					   "sg_event_hdr", "sg_event_syscall", "sg_event_proc", "sg_sandbox",
					   "sg_slot",      "sg_stats",         "sg_proc"};
	const char *file = getenv("SG_TEST_ABI");
	struct sg_bpf_skel *skel = sg_bpf_skel__open();
	struct pair p = {0};
	unsigned n = 0;
	__u32 id;
	size_t i;

	assert_non_null(file);
	assert_non_null(skel);
	p.bpf = bpf_object__btf(skel->obj);
	p.user = btf__parse(file, NULL);
	if (!p.user)
		fail_msg("%s: %s", file, strerror(errno));
	for (id = 1; id < btf__type_cnt(p.user); id++) {
		const struct btf_type *t = btf__type_by_id(p.user, id);
		const char *name = btf__name_by_offset(p.user, t->name_off);
		__s32 there;

		if (!btf_is_struct(t) || strncmp(name, "sg_", 3) != 0)
			continue;
		assert_true(has_no_holes(p.user, id, name));
		there = btf__find_by_name_kind(p.bpf, name, BTF_KIND_STRUCT);
		if (there < 0)
			continue; /* no program uses it, so none can see it differently */
		same_type(&p, (__u32)there, id, name);
		n++;
	}
	assert_int_equal(p.differences, 0);
	assert_true(n >= sizeof(must) / sizeof(must[0]));
	for (i = 0; i < sizeof(must) / sizeof(must[0]); i++) {
		assert_true(btf__find_by_name_kind(p.bpf, must[i], BTF_KIND_STRUCT) > 0);
		assert_true(btf__find_by_name_kind(p.user, must[i], BTF_KIND_STRUCT) > 0);
	}
	btf__free((struct btf *)p.user);
	sg_bpf_skel__destroy(skel);
}

/* The positive control: each kind of difference is found. */
static void differences_are_found(void **state)
{
	static const struct {
		const char *member;
		__u32 at, size;
		int encoding;
	} other[] = {{"a", 0, 4, 0}, {"b", 0, 4, 0}, {"a", 32, 4, 0}, {"a", 0, 8, 0}, {"a", 0, 4, BTF_INT_SIGNED}};
	size_t i;

	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		struct btf *b = btf__new_empty(), *u = btf__new_empty();
		struct pair p = {.bpf = b, .user = u};
		int ib, iu;

		ib = btf__add_int(b, "t", 4, 0);
		iu = btf__add_int(u, "t", other[i].size, other[i].encoding);
		ib = (btf__add_struct(b, "s", 8), btf__add_field(b, "a", ib, 0, 0), btf__find_by_name(b, "s"));
		iu = (btf__add_struct(u, "s", 8), btf__add_field(u, other[i].member, iu, other[i].at, 0),
		      btf__find_by_name(u, "s"));
		assert_true(ib > 0 && iu > 0);
		if (i)
			fprintf(stderr, "a difference follows, as it must:\n");
		same_type(&p, (__u32)ib, (__u32)iu, "s");
		assert_int_equal(p.differences != 0, i != 0);
		btf__free(b);
		btf__free(u);
	}
}

#define SANDBOXES 4

union sg_any {
	struct sg_event_hdr hdr;
	struct sg_event_syscall call;
	struct sg_event_proc proc;
	unsigned char bytes[512];
};

/* A good record of a kind, and how long it is. */
static size_t good(union sg_any *r, __u8 type)
{
	memset(r, 0, sizeof(*r));
	r->hdr.version = SG_ABI_VERSION;
	r->hdr.type = type;
	r->hdr.sandbox = SANDBOXES - 1;
	memcpy(r->hdr.comm, "123456789012345", 16);
	r->hdr.size = type == SG_EVENT_SYSCALL ? sizeof(r->call) : sizeof(r->proc);
	return r->hdr.size;
}

static void only_whole_records_pass(void **state)
{
	static const __u8 types[] = {SG_EVENT_SYSCALL, SG_EVENT_EXEC, SG_EVENT_EXIT};
	union sg_any r;
	size_t i, n, size;

	for (i = 0; i < sizeof(types); i++) {
		size = good(&r, types[i]);
		assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), 0);
		/* cut short or too long, whatever the header says of it */
		for (n = 0; n < sizeof(r); n++) {
			good(&r, types[i]);
			if (n == size)
				continue;
			assert_int_equal(sg_bpf_event_check(&r, n, SANDBOXES), -EPROTO);
			r.hdr.size = (__u16)n;
			assert_int_equal(sg_bpf_event_check(&r, n, SANDBOXES), -EPROTO);
			assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), -EPROTO);
		}
		/* every other type, with this length: right for at most one of them */
		for (n = 0; n < 256; n++) {
			bool same_length = n == types[i] ||
					   (types[i] != SG_EVENT_SYSCALL && (n == SG_EVENT_EXEC || n == SG_EVENT_EXIT));

			good(&r, types[i]);
			r.hdr.type = (__u8)n;
			if (n != SG_EVENT_SYSCALL && n != SG_EVENT_EXEC && n != SG_EVENT_EXIT && n > 15)
				assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), -EPROTO);
			else if (same_length)
				assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), 0);
		}
		for (n = 0; n < 256; n++) {
			good(&r, types[i]);
			r.hdr.version = (__u8)n;
			assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), n == SG_ABI_VERSION ? 0 : -EPROTO);
		}
	}
}

static void what_is_inside_is_checked_too(void **state)
{
	union sg_any r;
	size_t size = good(&r, SG_EVENT_EXEC);

	memset(r.proc.path, 'x', sizeof(r.proc.path));
	assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), -EPROTO);
	r.proc.path[sizeof(r.proc.path) - 1] = '\0';
	assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), 0);
	r.hdr.comm[SG_COMM_LEN - 1] = 'x';
	assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), -EPROTO);
	size = good(&r, SG_EVENT_SYSCALL);
	r.hdr.sandbox = SANDBOXES;
	assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), -EPROTO);
	r.hdr.sandbox = ~0U;
	assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), -EPROTO);
	/* everything else in a call's record is plain numbers: any bytes will do */
	size = good(&r, SG_EVENT_SYSCALL);
	memset(&r.call.nr, 0xa5, sizeof(r.call) - offsetof(struct sg_event_syscall, nr));
	assert_int_equal(sg_bpf_event_check(&r, size, SANDBOXES), 0);
}

static void garbage_is_refused(void **state)
{
	union sg_any r;
	unsigned seed = 1, i, passed = 0;
	size_t n;

	for (i = 0; i < 200000; i++) {
		for (n = 0; n < sizeof(r); n++)
			r.bytes[n] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
		passed += sg_bpf_event_check(&r, seed % sizeof(r), SANDBOXES) == 0;
	}
	assert_int_equal(passed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_are_found),   cmocka_unit_test(every_shared_structure_is_the_same),
		cmocka_unit_test(only_whole_records_pass), cmocka_unit_test(what_is_inside_is_checked_too),
		cmocka_unit_test(garbage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
