// SPDX-License-Identifier: Apache-2.0
// sg-real: mode=emit
#include <map>
#include <string>

template <int N> struct Fib {
	static constexpr int value = Fib<N - 1>::value + Fib<N - 2>::value;
};
template <> struct Fib<1> {
	static constexpr int value = 1;
};
template <> struct Fib<0> {
	static constexpr int value = 0;
};

int count(const std::map<std::string, int> &m)
{
	int n = Fib<20>::value;
	for (const auto &[k, v] : m)
		n += v + static_cast<int>(k.size());
	return n;
}
