// SPDX-License-Identifier: Apache-2.0
#include <vector>
int main()
{
	std::vector<int> v(1);
	return v.at(2);
}
