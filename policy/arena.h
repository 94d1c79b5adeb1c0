/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_ARENA_H
#define SG_ARENA_H

#include <stddef.h>

/* Memory that is given back all at once: what one document or one policy consists of. Zero-initialise before use. */
struct sg_arena {
	struct sg_arena_chunk *head;
};

/* Zeroed memory, aligned for any type; NULL when there is none. */
void *sg_arena_alloc(struct sg_arena *a, size_t size);
/* A terminated copy of len bytes. */
char *sg_arena_strndup(struct sg_arena *a, const char *s, size_t len);
char *sg_arena_printf(struct sg_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sg_arena_free(struct sg_arena *a);

#endif
