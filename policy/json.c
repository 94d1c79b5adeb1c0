// SPDX-License-Identifier: Apache-2.0
#include "policy/json.h"

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

/* U+0080 to U+009F are c2 80 to c2 9f. */
void sg_text_plain(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			c[0] = c[1] = '?';
		else if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}
