/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_CALL_LINE_H
#define SG_CALL_LINE_H

#include "supervisor/session.h"

#include <stddef.h>

/*
 * The record of a call as a line of JSON without building it as a tree first: the same bytes, many times as fast. For
 * records by the hundred thousand; whoever needs the tree uses sg_session_call_record().
 */
struct sg_call_line; /* the buffer, and what was looked up before */

/*
 * *line is made on first use; released by sg_call_line_free(). p: whose rule it is, NULL: not known. The result is
 * terminated, *len long without that, and valid until the next call; NULL when there is no memory. *name: the system
 * call's.
 */
const char *sg_call_line(struct sg_call_line **line, const struct sg_session *s, const struct sg_call *c,
			 const struct sg_policy *p, const char **name, size_t *len);
void sg_call_line_free(struct sg_call_line *line);

#endif
