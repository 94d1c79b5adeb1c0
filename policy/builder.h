/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_BUILDER_H
#define SG_BUILDER_H

#include "policy/seccomp.h"

#include <endian.h>
#include <linux/seccomp.h>
#include <stddef.h>

/* Where the halves of an argument lie in what a filter looks at. */
#define ARG_LO(i) (offsetof(struct seccomp_data, args) + 8 * (i) + (__BYTE_ORDER == __BIG_ENDIAN ? 4 : 0))
#define ARG_HI(i) (offsetof(struct seccomp_data, args) + 8 * (i) + (__BYTE_ORDER == __BIG_ENDIAN ? 0 : 4))

/* A seccomp filter while it is built: what seccomp.c and frame.c share. */

#define PATCHES_MAX (SG_RULES_MAX * SG_CONDS_MAX + 8)

struct sg_builder {
	struct sock_filter insns[BPF_MAXINSNS];
	struct sg_patch patches[PATCHES_MAX];
	unsigned n, n_patches;
	unsigned held; /* the argument's half that is loaded whole where the next rule begins; 0: not known */
	bool overflow, has_supervised, has_audit;
};

/* A conditional jump whose target is not known yet carries one of these in jt or jf; real offsets stay below. */
#define TO_FAIL 0xff /* the next rule */
#define TO_HOLD 0xfe /* the end of this condition: it holds */
#define TO_LIMIT 0xfd

/* Behind what there is. Without room: sets overflow. */
void sg_emit(struct sg_builder *b, unsigned code, uint32_t k, unsigned jt, unsigned jf);

/*
 * The frame (architecture, x32, tree over numbers) is libseccomp's. It takes real actions only, so every outcome is
 * asked for as SCMP_ACT_TRACE(token) and the returns are rewritten afterwards: into what they stand for, or into jumps
 * to the blocks appended behind the frame, one per call whose outcome depends on its arguments.
 */
#define TOKEN_KILL 1
#define TOKEN_AUDIT 2
#define TOKEN_FORK 3
#define TOKEN_ALLOW 4
#define TOKEN_FORK_AUDIT 5
#define TOKEN_ERRNO 0x1000 /* + errno */
#define TOKEN_BLOCK 0x2000 /* + system call number */

/* Whether the outcome of a call depends on its arguments. */
bool sg_needs_block(const struct sg_entry *e, unsigned nr);

/* The frame, with returns that are still to be rewritten. b: empty. */
int sg_frame_build(const struct sg_ruleset *rs, struct sg_builder *b, struct sg_err *err);

#endif
