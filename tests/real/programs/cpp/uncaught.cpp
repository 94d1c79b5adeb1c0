// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=SIGABRT
#include <iostream>
#include <stdexcept>

int main()
{
	std::cout << "throwing" << std::endl;
	throw std::runtime_error("not caught");
}
