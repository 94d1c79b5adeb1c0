// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <vector>
int main()
{
	std::vector<char *> kept;
	for (int i = 0; i < 512; i++) {
		kept.push_back(new char[1 << 20]);
		std::memset(kept.back(), 1, 1 << 20);
	}
}
