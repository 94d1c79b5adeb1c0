/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_JSON_H
#define SG_JSON_H

#include <jansson.h>

/* A JSON string of any bytes: what is not UTF-8 becomes U+FFFD. */
json_t *sg_json_text(const char *bytes);
/* Nothing in the text drives a terminal, ends a line or is out of sight any more: it becomes question marks. */
void sg_text_plain(char *text);

#endif
