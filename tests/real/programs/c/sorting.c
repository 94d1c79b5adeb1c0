/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: cflags="-O2" libs="-lm" */
#include <complex.h>
#include <inttypes.h>
#include <math.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int cmp(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	static int64_t v[200000];
	uint64_t x = 88172645463325252u, h = 0;
	int64_t key;
	double s = 0;

	for (int i = 0; i < 200000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		v[i] = (int64_t)x >> 20;
	}
	key = v[777];
	qsort(v, 200000, sizeof(v[0]), cmp);
	for (int i = 0; i < 200000; i++)
		h = h * 31 + (uint64_t)v[i];
	printf("%" PRIu64 " %d\n", h, bsearch(&key, v, 200000, sizeof(v[0]), cmp) != NULL);
	for (int i = 1; i < 1000; i++)
		s += sin(i) * log(i) / sqrt(i) + pow(i, -1.5) + erf(1.0 / i);
	printf("%.12f %.12f %.6f%+.6fi\n", s, tgamma(5.5), creal(csqrt(-2)), cimag(csqrt(-2)));
	hcreate(100);
	hsearch((ENTRY){.key = "k", .data = "value"}, ENTER);
	printf("%s\n", (char *)hsearch((ENTRY){.key = "k"}, FIND)->data);
	srand(1);
	printf("%d %ld %s\n", rand() >= 0, strtol("0x1f", NULL, 0), strtok((char[]){"a:b"}, ":"));
	return 0;
}
