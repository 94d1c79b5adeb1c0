// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bitset>
#include <deque>
#include <functional>
#include <iomanip>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

template <typename T> struct Tree {
	struct Node {
		T v;
		std::unique_ptr<Node> l, r;
	};
	std::unique_ptr<Node> root;
	void add(T v)
	{
		auto *p = &root;
		while (*p)
			p = v < (*p)->v ? &(*p)->l : &(*p)->r;
		*p = std::make_unique<Node>(Node{std::move(v), nullptr, nullptr});
	}
	void walk(const std::function<void(const T &)> &f, const Node *n) const
	{
		if (!n)
			return;
		walk(f, n->l.get());
		f(n->v);
		walk(f, n->r.get());
	}
};

int main()
{
	std::mt19937 rng(7);
	std::vector<int> v(100000);
	std::generate(v.begin(), v.end(), [&] { return static_cast<int>(rng() % 100000); });
	std::sort(v.begin(), v.end());
	v.erase(std::unique(v.begin(), v.end()), v.end());
	std::cout << v.size() << ' ' << std::accumulate(v.begin(), v.end(), 0LL) << '\n';
	std::unordered_map<std::string, int> count;
	std::istringstream text("a rose is a rose is a rose");
	for (std::string w; text >> w;)
		count[w]++;
	for (auto &[w, n] : std::map<std::string, int>(count.begin(), count.end()))
		std::cout << w << '=' << n << ' ';
	std::cout << '\n' << std::fixed << std::setprecision(3) << 3.14159 << ' ' << std::hex << std::showbase << 255 << std::dec << '\n';
	Tree<std::string> t;
	for (auto s : {"m", "c", "x", "a", "d"})
		t.add(s);
	t.walk([](const std::string &s) { std::cout << s; }, t.root.get());
	std::priority_queue<int> q;
	for (int i : {3, 1, 4, 1, 5})
		q.push(i);
	std::variant<int, std::string> var = "text";
	std::optional<int> none;
	std::cout << ' ' << q.top() << ' ' << std::get<std::string>(var) << ' ' << none.value_or(-1) << ' ' << std::bitset<8>(37) << '\n';
	auto shared = std::make_shared<std::vector<int>>(10, 2);
	std::weak_ptr<std::vector<int>> weak = shared;
	std::cout << weak.use_count() << ' ' << std::inner_product(shared->begin(), shared->end(), shared->begin(), 0) << std::endl;
	shared.reset();
	std::cout << weak.expired() << '\n';
}
