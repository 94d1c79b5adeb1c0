// SPDX-License-Identifier: Apache-2.0
/* Bytes as words of a command line, of which a key is made, and as a note, which says what has to be looked at. */
#include "../../runner/front.c"

#include <stdlib.h>
#include <string.h>

#define WORDS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void words(const char *data, size_t size)
{
	static char name[] = "sgrun", home[] = "HOME=/", other[] = "OTHER=1";
	char *argv[WORDS + 2] = {name}, *env[] = {other, home, NULL}, *text = malloc(size + 1);
	char *key = malloc(SG_PROTO_KEY_MAX);
	struct words w;
	int n = 1;

	if (!text || !key)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t at = 0; at < size && n <= WORDS; at += strlen(text + at) + 1)
		argv[n++] = text + at;
	if (understand(&w, argv)) {
		size_t made = make_key(key, &w, n, argv, env, "/usr/bin/sgrun");

		/* The label, and only that, is left out. What ends it is of the environment what counts. */
		if (made && (memcmp(key + made - sizeof(home), home, sizeof(home)) != 0 ||
			     *(uint32_t *)(void *)key != (uint32_t)(n - w.label_words) || (w.label && !w.label_at)))
			abort();
		if (!made && size < 8192)
			abort();
	}
	free(key);
	free(text);
}

static void note(const char *data, size_t size)
{
	char *text = malloc(size);
	struct known k;

	if (!text)
		abort();
	memcpy(text, data, size);
	if (holds(text, size, &k) && (!k.chdir || k.n_fds > SG_HEIR_FDS - 3 || strlen(k.chdir) >= size))
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		words((const char *)data + 1, size - 1);
	else
		note((const char *)data + 1, size - 1);
	return 0;
}
