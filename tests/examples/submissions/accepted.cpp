// SPDX-License-Identifier: Apache-2.0
#include <iostream>
int main()
{
	long long n, x, sum = 0;
	for (std::cin >> n; n-- > 0 && std::cin >> x;)
		sum += x;
	std::cout << sum << "\n";
}
