// SPDX-License-Identifier: Apache-2.0
/* The frame of a seccomp filter: libseccomp's, and a shorter one that answers the same. */
#include "policy/builder.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define X32_BIT 0x40000000U

static uint32_t token(const struct sg_ruleset *rs, unsigned nr)
{
	const struct sg_entry *e = &rs->entry[nr];

	if (sg_needs_block(e, nr))
		return TOKEN_BLOCK + nr;
	switch (e->action) {
	case SG_ACTION_ALLOW:
		return sg_is_fork(nr) ? TOKEN_FORK : TOKEN_ALLOW;
	case SG_ACTION_AUDIT:
		return sg_is_fork(nr) ? TOKEN_FORK_AUDIT : TOKEN_AUDIT;
	case SG_ACTION_ERRNO:
		return TOKEN_ERRNO + e->err;
	default:
		return TOKEN_KILL;
	}
}

static uint32_t unlisted_token(const struct sg_ruleset *rs)
{
	switch (rs->unlisted_action) {
	case SG_ACTION_ALLOW:
		return TOKEN_ALLOW;
	case SG_ACTION_AUDIT:
		return TOKEN_AUDIT;
	case SG_ACTION_ERRNO:
		return TOKEN_ERRNO + rs->unlisted_err;
	default:
		return TOKEN_KILL;
	}
}

static int scmp_fail(struct sg_err *err, int rc, const char *what)
{
	if (rc == -ENOMEM)
		return sg_err_set(err, ENOMEM, "out of memory while building the seccomp filter");
	return sg_err_set(err, rc < 0 ? -rc : EINVAL, "libseccomp: %s: %s", what, strerror(rc < 0 ? -rc : EINVAL));
}

/* From here on a binary tree beats a chain, at run time and where the kernel walks the filter for every number at load.
 */
#define TREE_FROM 16

static int add_frame_rules(scmp_filter_ctx ctx, const struct sg_ruleset *rs, uint32_t standard, struct sg_err *err)
{
	unsigned nr, n = 0;
	int rc;

	for (nr = 0; nr < SG_NR_MAX; nr++)
		n += token(rs, nr) != standard;
	if (n >= TREE_FROM) {
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		if (rc)
			return scmp_fail(err, rc, "binary tree");
	}
	for (nr = 0; nr < SG_NR_MAX; nr++) {
		uint32_t t = token(rs, nr);

		if (t == standard)
			continue;
		rc = seccomp_rule_add_exact(ctx, SCMP_ACT_TRACE(t), (int)nr, 0);
		if (rc)
			return scmp_fail(err, rc, "rule");
	}
	return 0;
}

static int export_frame(scmp_filter_ctx ctx, struct sg_builder *b, struct sg_err *err)
{
	const size_t size = sizeof(b->insns);
	ssize_t n;
	int fd, rc;

	fd = memfd_create("sandgate-filter", MFD_CLOEXEC);
	if (fd < 0)
		return sg_err_set(err, errno, "memfd_create: %s", strerror(errno));
	rc = seccomp_export_bpf(ctx, fd);
	if (rc) {
		close(fd);
		return scmp_fail(err, rc, "export");
	}
	n = pread(fd, b->insns, size, 0);
	close(fd);
	if (n <= 0 || (size_t)n % sizeof(struct sock_filter) || (size_t)n == size)
		return sg_err_set(err, E2BIG, "the seccomp filter is longer than %d instructions", BPF_MAXINSNS);
	b->n = (unsigned)((size_t)n / sizeof(struct sock_filter));
	return 0;
}

static int generate_frame(const struct sg_ruleset *rs, struct sg_builder *b, struct sg_err *err)
{
	const uint32_t standard = unlisted_token(rs);
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRACE(standard));
	int rc;

	if (!ctx)
		return scmp_fail(err, -ENOMEM, "init");
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc)
		rc = scmp_fail(err, rc, "action for foreign architectures");
	if (!rc)
		rc = add_frame_rules(ctx, rs, standard, err);
	if (!rc)
		rc = export_frame(ctx, b, err);
	seccomp_release(ctx);
	return rc;
}

#ifdef __x86_64__
/*
 * libseccomp lets number -1 past its x32 check, for tracers that skip calls. Here it has bit 30 set like any x32
 * number, and goes where they go.
 */
static int close_x32_gap(struct sg_builder *b, unsigned frame, struct sg_err *err)
{
	unsigned i;

	for (i = 0; i + 1 < frame; i++) {
		struct sock_filter *jge = &b->insns[i], *jeq = jge + 1;

		if (jge->code != (BPF_JMP | BPF_JGE | BPF_K) || jge->k != X32_BIT)
			continue;
		if (jeq->code != (BPF_JMP | BPF_JEQ | BPF_K) || jeq->k != 0xffffffffU)
			return 0; /* an older or newer libseccomp without the exception */
		jeq->jt = jeq->jf;
		return 0;
	}
	return sg_err_set(err, EINVAL, "libseccomp generated no check for x32");
}
#endif

/*
 * The same frame, shorter: neighbouring numbers mostly share an outcome, and libseccomp's tree has a leaf for each
 * number. The kernel translates a filter at every launch, and that takes as long as the filter is. libseccomp's stays
 * the measure: the two are compared, and a frame that answers differently is not used.
 */
struct range {
	unsigned first; /* number */
	uint32_t token;
};

struct tree {
	struct range range[SG_NR_MAX + 1];
	uint32_t on_true[SG_NR_MAX],
		on_false[SG_NR_MAX]; /* by comparison: the token to return; 0: another comparison */
	unsigned n, start;
	bool too_long;
};

static void emit_tree(struct sg_builder *b, struct tree *t, unsigned lo, unsigned hi)
{
	const unsigned mid = (lo + hi) / 2, at = b->n;

	sg_emit(b, BPF_JMP | BPF_JGE | BPF_K, t->range[mid].first, 0, 0);
	if (mid - lo == 1)
		t->on_false[at - t->start] = t->range[lo].token;
	else
		emit_tree(b, t, lo, mid);
	if (hi - mid == 1) {
		t->on_true[at - t->start] = t->range[mid].token;
		return;
	}
	t->too_long |= b->n - at - 1 >= TO_LIMIT;
	b->insns[at].jt = (__u8)(b->n - at - 1);
	emit_tree(b, t, mid, hi);
}

/* The return of a token behind the tree, as an offset from one of its comparisons. */
static __u8 emit_leaf(struct sg_builder *b, struct tree *t, unsigned end, unsigned at, uint32_t token)
{
	unsigned i;

	for (i = end; i < b->n && b->insns[i].k != (SECCOMP_RET_TRACE | token); i++)
		;
	if (i == b->n)
		sg_emit(b, BPF_RET | BPF_K, SECCOMP_RET_TRACE | token, 0, 0);
	t->too_long |= i - at - 1 >= TO_LIMIT;
	return (__u8)(i - at - 1);
}

/* false: too long for the comparisons' jumps. */
static bool emit_frame(struct sg_builder *b, const struct sg_ruleset *rs, struct tree *t)
{
	unsigned nr, i, end;

	for (nr = 0; nr <= SG_NR_MAX; nr++) {
		uint32_t k = nr < SG_NR_MAX ? token(rs, nr) : unlisted_token(rs);

		if (!t->n || t->range[t->n - 1].token != k)
			t->range[t->n++] = (struct range){.first = nr, .token = k};
	}
	if (t->n < 2)
		return false;
	sg_emit(b, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	sg_emit(b, BPF_JMP | BPF_JEQ | BPF_K, sg_native_arch(), 1, 0);
	sg_emit(b, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	sg_emit(b, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
#ifdef __x86_64__
	sg_emit(b, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	sg_emit(b, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
#endif
	t->start = b->n;
	emit_tree(b, t, 0, t->n);
	end = b->n;
	for (i = t->start; i < end && !t->too_long; i++) {
		if (t->on_true[i - t->start])
			b->insns[i].jt = emit_leaf(b, t, end, i, t->on_true[i - t->start]);
		if (t->on_false[i - t->start])
			b->insns[i].jf = emit_leaf(b, t, end, i, t->on_false[i - t->start]);
	}
	return !t->too_long && !b->overflow;
}

/* Whether two frames answer alike, for every number that can be listed and around every edge. */
static bool frames_agree(const struct sg_builder *a, const struct sg_builder *b)
{
	static const uint32_t beyond[] = {SG_NR_MAX,  SG_NR_MAX + 1, 1000,       0xffff,     0x3fffffff, 0x40000000,
					  0x40000001, 0x400001ff,    0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
	const uint32_t arch[] = {sg_native_arch(), AUDIT_ARCH_I386, AUDIT_ARCH_ARM, 0};
	static const uint64_t args[SG_ARGS];
	size_t i, j;

	for (i = 0; i < sizeof(arch) / sizeof(arch[0]); i++) {
		for (j = 0; j < SG_NR_MAX + sizeof(beyond) / sizeof(beyond[0]); j++) {
			uint32_t nr = j < SG_NR_MAX ? (uint32_t)j : beyond[j - SG_NR_MAX];

			if (sg_filter_simulate(a->insns, a->n, arch[i], nr, args) !=
			    sg_filter_simulate(b->insns, b->n, arch[i], nr, args))
				return false;
		}
	}
	return true;
}

/* Puts the shorter form in the place of libseccomp's frame. */
static int shorten_frame(struct sg_builder *b, const struct sg_ruleset *rs, struct sg_err *err)
{
	struct sg_builder *shorter = calloc(1, sizeof(*shorter));
	struct tree *t = calloc(1, sizeof(*t));
	int rc = 0;

	if (!shorter || !t) {
		rc = sg_err_set(err, ENOMEM, "out of memory while building the seccomp filter");
	} else if (emit_frame(shorter, rs, t) && shorter->n < b->n) {
		if (frames_agree(b, shorter))
			*b = *shorter;
		else
			rc = sg_err_set(err, EINVAL,
					"the frame of the seccomp filter answers differently than libseccomp's");
	}
	free(shorter);
	free(t);
	return rc;
}

int sg_frame_build(const struct sg_ruleset *rs, struct sg_builder *b, struct sg_err *err)
{
	int rc = generate_frame(rs, b, err);

#ifdef __x86_64__
	if (!rc)
		rc = close_x32_gap(b, b->n, err);
#endif
	return rc ? rc : shorten_frame(b, rs, err);
}
