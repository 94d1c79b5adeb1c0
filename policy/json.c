// SPDX-License-Identifier: Apache-2.0
#include "policy/json.h"
#include "policy/err.h"

#include <stdlib.h>
#include <string.h>

json_t *sg_json_text(const char *bytes)
{
	json_t *text = json_string(bytes);
	size_t n = strlen(bytes), len = 0;
	char *clean;

	if (text)
		return text;
	clean = malloc(n * 3 + 1);
	if (!clean)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)bytes[i] < 0x80) {
			clean[len++] = bytes[i];
		} else {
			memcpy(clean + len, "\xef\xbf\xbd", 3);
			len += 3;
		}
	}
	clean[len] = '\0';
	text = json_string(clean);
	free(clean);
	return text;
}

void sg_text_plain(char *text)
{
	for (char *c = text; *c; c++)
		memset(c, '?', sg_unprintable(c));
}
