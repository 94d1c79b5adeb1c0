/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_LEARN_H
#define SG_LEARN_H

#include "policy/policy.h"

/*
 * Learning: system calls in, the smallest policy that allows them out. No contact with the kernel.
 *
 * A call is taken down as its shape: the call and what of its arguments says what it does (a socket's family, the bits
 * of clone's flags that make namespaces, an ioctl's request), as the condition that a policy would have. Shapes are a
 * set, so the order in which they come, over one run or many, does not matter.
 */
struct sg_learn;

#define SG_SHAPE_MAX 512 /* bytes of a condition */

/*
 * language: the name of the policy that is written. from: a built-in policy (name or alias): only what that does not
 * allow is taken down, and the policy inherits it; NULL: everything is.
 */
int sg_learn_new(const char *language, const char *from, struct sg_learn **out, struct sg_err *err);
void sg_learn_free(struct sg_learn *l); /* NULL is fine */
const char *sg_learn_language(const struct sg_learn *l);

/*
 * The policy to learn under: everything is recorded and let through, but for calls whose arguments lie in memory and
 * that every runtime does without (clone3, io_uring_setup): those are answered with ENOSYS, as the learnt policy will.
 * What was learnt so far is allowed in it without a record.
 */
int sg_learn_policy(const struct sg_learn *l, struct sg_policy **out, struct sg_err *err);

/* Writes the shape of a native call to shape ("": the call as such). Returns whether it is known, or need not be. */
bool sg_learn_known(const struct sg_learn *l, uint32_t nr, const uint64_t args[SG_ARGS], const struct sg_oracle *oracle,
		    char shape[SG_SHAPE_MAX]);
/* Takes a shape down. who, where: the program's and the mapped file's name, any bytes; where may be NULL. */
int sg_learn_add(struct sg_learn *l, uint32_t nr, const char *shape, const char *who, const char *where,
		 struct sg_err *err);
/* One run of this program went in. lost: records that are missing from it. */
int sg_learn_ran(struct sg_learn *l, char *const *argv, uint64_t lost, struct sg_err *err);

/*
 * Files. What $CWD, $TMP, $HOME, $PROGRAM and $RUNTIME stand for (NULL: nothing): with it, files are learnt too, where
 * the built-in policies' common part, which the learnt policy then inherits, does not allow what is done to them.
 */
#define SG_LEARN_VARS 5
#define SG_LEARN_PATH_MAX 1024 /* longer paths are passed over */
int sg_learn_places(struct sg_learn *l, const char *const values[SG_LEARN_VARS], struct sg_err *err);
/* path: absolute, links followed; rights: SG_RIGHT_* */
int sg_learn_file(struct sg_learn *l, const char *path, uint32_t rights, struct sg_err *err);
/* How often a file was used that no policy can name, nor a directory that may stand for it. */
uint64_t sg_learn_unnamed(const struct sg_learn *l);
size_t sg_learn_count(const struct sg_learn *l);

/*
 * Adds what a file says that sg_learn_write() wrote, perhaps edited since. Errors: -EINVAL for any other file, one of
 * another language, or one that starts from another policy. text: its content.
 */
int sg_learn_merge(struct sg_learn *l, const char *name, const char *text, size_t len, struct sg_err *err);
/* language and from of such a file, for sg_learn_new(); from is "" where there is none. Room: 64 bytes each. */
int sg_learn_peek(const char *name, const char *text, size_t len, char *language, char *from, struct sg_err *err);
/* The policy file. The same set gives the same bytes. */
int sg_learn_write(struct sg_learn *l, FILE *out, struct sg_err *err);

#endif
