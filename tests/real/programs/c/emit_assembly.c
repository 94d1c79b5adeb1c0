/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: mode=emit */
#include <stdio.h>
#include <stdlib.h>

struct item {
	struct item *next;
	int value;
};

static int sum(const struct item *i)
{
	int s = 0;

	for (; i; i = i->next)
		s += i->value;
	return s;
}

int main(void)
{
	struct item *head = NULL;

	for (int i = 0; i < 10; i++) {
		struct item *n = malloc(sizeof(*n));

		if (!n)
			return 1;
		*n = (struct item){head, i};
		head = n;
	}
	printf("%d\n", sum(head));
	return 0;
}
