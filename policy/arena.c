// SPDX-License-Identifier: Apache-2.0
#include "policy/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 8192

struct sg_arena_chunk {
	struct sg_arena_chunk *next;
	size_t size, used;
	max_align_t data[];
};

void *sg_arena_alloc(struct sg_arena *a, size_t size)
{
	const size_t align = sizeof(max_align_t);
	struct sg_arena_chunk *c = a->head;
	void *p;

	size = (size + align - 1) / align * align;
	if (!c || c->size - c->used < size) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;

		c = calloc(1, sizeof(*c) + room);
		if (!c)
			return NULL;
		c->size = room;
		c->next = a->head;
		a->head = c;
	}
	p = (char *)c->data + c->used;
	c->used += size;
	return p;
}

char *sg_arena_strndup(struct sg_arena *a, const char *s, size_t len)
{
	char *p = sg_arena_alloc(a, len + 1);

	if (p && len)
		memcpy(p, s, len);
	return p;
}

char *sg_arena_printf(struct sg_arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	p = sg_arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void sg_arena_free(struct sg_arena *a)
{
	while (a->head) {
		struct sg_arena_chunk *c = a->head;

		a->head = c->next;
		free(c);
	}
}
