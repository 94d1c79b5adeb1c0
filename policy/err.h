/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_ERR_H
#define SG_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * An error for people: what failed, on what, why, what to do next.
 *
 * Owned by the caller, fixed in size, never allocated, always the last argument of a function that can fail.
 * The first error wins: sg_err_set() on an error that is already set only fills in what is missing.
 * A function that returns a negative errno has set it; one that returns 0 has left it untouched.
 */
struct sg_err {
	int code;          /* positive errno, 0 when unset */
	unsigned line;     /* 1-based position in source; 0: none */
	unsigned column;   /* 1-based, in bytes */
	char source[256];  /* file or "builtin:NAME"; "" when the error has no source text */
	char message[768]; /* one sentence, no trailing newline, no control characters */
};

/* Whether the character at s makes text after it appear in another order: U+202A to U+202E, U+2066 to U+2069. */
static inline bool sg_reorders(const char *s)
{
	const unsigned char *c = (const unsigned char *)s;

	return c[0] == 0xe2 &&
	       ((c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) || (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

/*
 * Bytes of the character at s that must not get to a terminal, 0 when it may: one that controls it, is not seen, or
 * makes what stands beside it appear in another order.
 */
static inline size_t sg_unprintable(const char *s)
{
	const unsigned char *c = (const unsigned char *)s;

	if (*c < 0x20 || *c == 0x7f)
		return *c != 0;
	if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) /* U+0080 to U+009F */
		return 2;
	if (*c == 0xd8 && c[1] == 0x9c) /* U+061C */
		return 2;
	if (sg_reorders(s))
		return 3;
	if (*c == 0xe2 && c[1] == 0x80) /* U+200B, U+200E, U+200F, U+2028, U+2029; not the joiners that words need */
		return c[2] == 0x8b || c[2] == 0x8e || c[2] == 0x8f || c[2] == 0xa8 || c[2] == 0xa9 ? 3 : 0;
	if (*c == 0xe2 && c[1] == 0x81) /* U+2060 to U+2065 */
		return c[2] >= 0xa0 && c[2] <= 0xa5 ? 3 : 0;
	return *c == 0xef && c[1] == 0xbb && c[2] == 0xbf ? 3 : 0; /* U+FEFF */
}

/* Clears an error so that it can be used again. */
void sg_err_reset(struct sg_err *err);

/* Sets the error unless it is set already. code: positive errno. Returns -code, so `return sg_err_set(...)` reads well.
 */
int sg_err_set(struct sg_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same with a position in a source text. */
int sg_err_at(struct sg_err *err, int code, const char *source, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* Puts context in front of the message on the way up: "<context>: <message>". Returns -err->code. */
int sg_err_context(struct sg_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes "source:line:column: message" (without the parts that are not set) into buf, always terminated. */
void sg_err_format(const struct sg_err *err, char *buf, unsigned long size);

#endif
