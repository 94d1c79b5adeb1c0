/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_LEARN_PRIV_H
#define SG_LEARN_PRIV_H

#include "policy/learn.h"

/* Between policy/learn.c and policy/learn_file.c. */

#define NOTES_MAX 6      /* places named for one rule */
#define RUNS_MAX 16      /* command lines kept */
#define SHAPES_PER_NR 32 /* more of one call, and it is allowed as such: a policy has room for 64 rules of a call */
#define MAGIC "# Learnt by sgrun --learn from "

/* Words, sorted, each once; the first `max` of them. The union of two such sets does not depend on who came first. */
struct sg_words {
	char **word;
	size_t n, max;
	bool more; /* some were left out */
};

#define SG_LEARN_RIGHTS 6 /* SG_RIGHT_READ … SG_RIGHT_MAP */

struct sg_shape {
	uint32_t nr;
	char name[40];
	char *cond; /* "": the call as such */
	struct sg_words notes;
};

struct sg_learn {
	char language[64], from[64];
	struct sg_policy *base;  /* of from */
	struct sg_shape *shapes; /* sorted by name, then condition */
	size_t n, room;
	struct sg_words runs;
	char *comments; /* lines above the policy that are not ours; NULL: none */
	uint64_t n_runs, lost;
	char *vars[SG_LEARN_VARS];
	struct sg_policy *confine; /* the common part, which it inherits; NULL: files are not confined */
	struct sg_words trees[SG_LEARN_RIGHTS];
	char *net;        /* `net:` as the file has it: it stays; NULL: none */
	uint64_t unnamed; /* uses of files that no policy can name */
	uint32_t kernel;  /* bit SG_CLASS_*: the file allows it */
};

/*
 * What a run may do or not do by mere timing: waiting for a lock or not, giving memory back or moving it (a larger
 * realloc) or not, being interrupted or not; and the end. Sorted.
 */
#define SG_LEARN_TIMING                                                                                                \
	"brk", "exit", "exit_group", "futex", "mremap", "munmap", "restart_syscall", "rt_sigreturn", "sched_yield"
/* libc gives a thread's stack back when the thread ends, and a program that ends meanwhile does not get there. */
#define SG_LEARN_TIMING_CALL "madvise"
#define SG_LEARN_TIMING_COND "advice == MADV_DONTNEED"
/* What these do is said in memory, where no filter can look; every runtime does without. */
#define SG_LEARN_REFUSED "clone3", "io_uring_setup"

int sg_learn_no_memory(struct sg_err *err);
void sg_words_free(struct sg_words *w);
int sg_words_add(struct sg_words *w, const char *text, struct sg_err *err);
/* The shape, made now if it is new. */
int sg_learn_insert(struct sg_learn *l, uint32_t nr, const char *name, const char *cond, struct sg_shape **out,
		    struct sg_err *err);

/* policy/learn_files.c: the object rules of the file. */
struct sg_lang;
int sg_learn_put_objects(const struct sg_learn *l, FILE *out, struct sg_err *err);
int sg_learn_merge_objects(struct sg_learn *l, const struct sg_doc *doc, const struct sg_lang *lang,
			   struct sg_err *err);
/* It inherits the common part. */
int sg_learn_confine(struct sg_learn *l, struct sg_err *err);
void sg_learn_free_objects(struct sg_learn *l);

/* policy/learn_lost.c: an error where the file says something that would not be in it any more. */
int sg_learn_lost(const struct sg_learn *l, const struct sg_doc *doc, const struct sg_lang *lang, struct sg_err *err);
/* The same of its comments below those at its beginning. */
int sg_learn_lost_comments(const struct sg_doc *doc, const struct sg_lang *lang, const char *text, size_t len,
			   struct sg_err *err);

#endif
