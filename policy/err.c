// SPDX-License-Identifier: Apache-2.0
#include "policy/err.h"

#include <stdio.h>
#include <string.h>

void sg_err_reset(struct sg_err *err)
{
	memset(err, 0, sizeof(*err));
}

/*
 * Messages quote hostile input, possibly cut in the middle of a character: a terminal must not see its control
 * characters, and a JSON string only takes whole ones.
 */
static void clean(char *s)
{
	while (*s) {
		unsigned char c = (unsigned char)*s;
		size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0, i;

		for (i = 1; i < n && ((unsigned char)s[i] & 0xc0) == 0x80; i++)
			;
		if (!n || i < n || c > 0xf4) {
			*s++ = '?';
			continue;
		}
		memset(s, '?', sg_unprintable(s));
		s += n;
	}
}

static void fill_message(struct sg_err *err, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void fill_message(struct sg_err *err, const char *fmt, va_list ap)
{
	if (err->message[0])
		return;
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	clean(err->message);
}

int sg_err_set(struct sg_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -code;
	if (!err->code)
		err->code = code;
	va_start(ap, fmt);
	fill_message(err, fmt, ap);
	va_end(ap);
	return -err->code;
}

int sg_err_at(struct sg_err *err, int code, const char *source, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -code;
	if (!err->code)
		err->code = code;
	if (!err->source[0]) {
		snprintf(err->source, sizeof(err->source), "%s", source ? source : "");
		clean(err->source);
		err->line = line;
		err->column = column;
	}
	va_start(ap, fmt);
	fill_message(err, fmt, ap);
	va_end(ap);
	return -err->code;
}

int sg_err_context(struct sg_err *err, const char *fmt, ...)
{
	char old[sizeof(err->message)];
	va_list ap;
	size_t n;

	if (!err)
		return 0;
	memcpy(old, err->message, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	n = strlen(err->message);
	snprintf(err->message + n, sizeof(err->message) - n, "%s%s", old[0] ? ": " : "", old);
	clean(err->message);
	return -err->code;
}

void sg_err_format(const struct sg_err *err, char *buf, unsigned long size)
{
	if (!size)
		return;
	if (!err->source[0])
		snprintf(buf, size, "%s", err->message);
	else if (!err->line)
		snprintf(buf, size, "%s: %s", err->source, err->message);
	else
		snprintf(buf, size, "%s:%u:%u: %s", err->source, err->line, err->column, err->message);
}
