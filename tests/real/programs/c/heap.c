/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: cflags="-pthread" */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *churn(void *arg)
{
	uint64_t x = (uintptr_t)arg * 2654435761u + 1, sum = 0;
	char *slot[256] = {0};

	for (int i = 0; i < 100000; i++) {
		int k = (x = x * 6364136223846793005u + 1442695040888963407u) >> 56;
		size_t n = (x >> 30) % (i % 1000 == 0 ? 3000000 : 3000) + 1;

		if (i % 7 == 0)
			slot[k] = realloc(slot[k], n);
		else {
			free(slot[k]);
			slot[k] = malloc(n);
		}
		if (!slot[k])
			abort();
		slot[k][0] = (char)k;
		slot[k][n - 1] = (char)k;
		sum += n;
	}
	for (int k = 0; k < 256; k++)
		free(slot[k]);
	return (void *)(uintptr_t)sum;
}

int main(void)
{
	pthread_t t[4];
	void *ret, *p;

	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, churn, (void *)i);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &ret);
		printf("%lu\n", (unsigned long)(uintptr_t)ret);
	}
	p = aligned_alloc(4096, 1 << 20);
	printf("%d %d\n", (uintptr_t)p % 4096 == 0, malloc_usable_size(p) >= 1 << 20);
	p = realloc(p, 200 << 20);
	memset(p, 1, 200 << 20);
	p = realloc(p, 300 << 20);
	printf("%d\n", ((char *)p)[(200 << 20) - 1]);
	free(p);
	malloc_trim(0);
	p = malloc(SIZE_MAX / 2);
	printf("%d %s\n", p == NULL, calloc(10, 1) ? "ok" : "null");
	return 0;
}
