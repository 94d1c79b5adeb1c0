// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"
#include "policy/seccomp.h"

#include <ctype.h>
#include <string.h>

const struct sg_builtin *sg_builtin_find(const char *name)
{
	const struct sg_builtin *t;
	const char *alias;
	size_t i, n;

	t = sg_builtin_table(&n);
	for (i = 0; i < n; i++)
		if (!strcmp(t[i].name, name))
			return &t[i];
	for (i = 0; i < n; i++)
		for (alias = t[i].aliases; *alias; alias += strlen(alias) + 1)
			if (!strcmp(alias, name))
				return &t[i];
	return NULL;
}

const char *sg_builtin_canonical(const char *name_or_alias)
{
	const struct sg_builtin *b = sg_builtin_find(name_or_alias);

	return b && b->listed ? b->name : NULL;
}

const char *sg_builtin_name(size_t index)
{
	const struct sg_builtin *t;
	size_t i, n;

	t = sg_builtin_table(&n);
	for (i = 0; i < n; i++)
		if (t[i].listed && !index--)
			return t[i].name;
	return NULL;
}

/* As languages these are what the programs are written in; as programs they are what builds them. */
static const char *of_word(const char *word)
{
	return !strcmp(word, "c++") || !strcmp(word, "go") ? "compile" : sg_builtin_canonical(word);
}

const char *sg_language_of_program(const char *path)
{
	const char *base = strrchr(path, '/'), *name;
	char word[64];
	size_t n;

	base = base ? base + 1 : path;
	n = strlen(base);
	if (!n || n >= sizeof(word))
		return NULL;
	memcpy(word, base, n + 1);
	name = of_word(word);
	if (name)
		return name;
	/* python3.11, gcc-12, php8.2 */
	while (n && (isdigit((unsigned char)word[n - 1]) || word[n - 1] == '.'))
		n--;
	if (n && word[n - 1] == '-')
		n--;
	word[n] = '\0';
	return n ? of_word(word) : NULL;
}
