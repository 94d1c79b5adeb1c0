// SPDX-License-Identifier: Apache-2.0
#include "supervisor/mountinfo.h"

#include "supervisor/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "ID PARENT MAJOR:MINOR ROOT WHERE OPTIONS [FIELD…] - TYPE SOURCE OPTIONS" */
bool sg_mount_parse(char *line, struct sg_mount *m)
{
	char *save, *word = strtok_r(line, " ", &save);

	*m = (struct sg_mount){0};
	for (int i = 0; word && i < 5; i++) {
		if (i == 0)
			m->id = strtoull(word, NULL, 10);
		if (i == 2 && sscanf(word, "%u:%u", &m->major, &m->minor) != 2)
			return false;
		if (i == 3)
			m->root = word;
		if (i == 4)
			m->where = word;
		word = strtok_r(NULL, " ", &save);
	}
	while (word && strcmp(word, "-") != 0)
		word = strtok_r(NULL, " ", &save);
	m->type = word ? strtok_r(NULL, " \n", &save) : NULL;
	if (!m->type)
		return false;
	sg_unescape_mount(m->root);
	sg_unescape_mount(m->where);
	return true;
}
