// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
int main()
{
	for (int i = 0; i < 1000000; i++)
		std::puts("more than anybody asked for");
}
