/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: cflags="-O2 -fopenmp" */
#include <omp.h>
#include <stdio.h>

int main(void)
{
	static double a[1 << 16];
	long sum = 0;
	int ordered[8] = {0};

	omp_set_num_threads(4);
#pragma omp parallel for reduction(+ : sum)
	for (int i = 0; i < 1 << 16; i++) {
		a[i] = i * 0.5;
		sum += i;
	}
#pragma omp parallel for schedule(dynamic)
	for (int i = 0; i < 8; i++)
		ordered[i] = i * i;
	printf("%ld %.1f %d %d\n", sum, a[65535], ordered[7], omp_get_max_threads());
	return 0;
}
