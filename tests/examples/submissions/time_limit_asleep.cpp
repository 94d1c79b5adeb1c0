// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <thread>
int main()
{
	std::this_thread::sleep_for(std::chrono::seconds(600));
}
