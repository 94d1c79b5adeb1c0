/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: args="one 'two words'" stdin="12 34 rest of line\nsecond line\n" */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
	char line[128], *names[32];
	int a, b, i, n = 0;

	printf("%s locale, %d arguments\n", setlocale(LC_ALL, "") ? "a" : "no", argc);
	for (i = 1; i < argc; i++)
		printf("[%s]\n", argv[i]);
	if (scanf("%d %d", &a, &b) != 2)
		return 1;
	printf("%d %.3f %#x %-6d| %+e\n", a + b, a / 7.0, a, b, 12345.678);
	while (fgets(line, sizeof(line), stdin))
		fputs(line, stdout);
	for (char **e = environ; *e && n < 32; e++)
		names[n++] = strndup(*e, strcspn(*e, "="));
	qsort(names, n, sizeof(*names), by_text);
	for (i = 0; i < n; i++) {
		puts(names[i]);
		free(names[i]);
	}
	if (!fopen("/no/such/file", "r"))
		printf("%s\n", strerror(errno));
	printf("%d %s\n", isatty(0), getcwd(line, sizeof(line)) ? "cwd" : "none");
	fprintf(stderr, "to stderr\n");
	return 0;
}
