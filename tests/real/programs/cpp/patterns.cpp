// SPDX-License-Identifier: Apache-2.0
// sg-real: stdin="alpha=1\nbeta = 22\n# comment\nbroken line\ngamma=3" exit=2
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <locale>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <typeinfo>

namespace fs = std::filesystem;

struct Base {
	virtual ~Base() = default;
	virtual std::string name() const { return "base"; }
};
struct Derived : Base {
	std::string name() const override { return "derived"; }
};
struct Guard {
	const char *what;
	~Guard() { std::cout << "~" << what << '\n'; }
};

static int parse(const std::string &s)
{
	Guard g{"parse"};
	size_t used = 0;
	return std::stoi(s, &used);
}

int main()
{
	std::regex re(R"((\w+)\s*=\s*(\d+))");
	std::smatch m;
	int errors = 0;
	for (std::string line; std::getline(std::cin, line);) {
		if (std::regex_match(line, m, re))
			std::cout << m[1] << " -> " << parse(m[2]) << '\n';
		else if (line[0] != '#')
			errors++;
	}
	try {
		parse("x");
	} catch (const std::invalid_argument &e) {
		std::cout << "invalid: " << e.what() << '\n';
	}
	try {
		Base b;
		dynamic_cast<Derived &>(b);
	} catch (const std::bad_cast &) {
		std::cout << "bad cast\n";
	}
	std::unique_ptr<Base> p = std::make_unique<Derived>();
	std::cout << p->name() << ' ' << (typeid(*p) == typeid(Derived)) << '\n';
	fs::create_directories("t/a/b");
	std::ofstream("t/a/f.txt") << "one\ntwo\n";
	fs::copy("t/a/f.txt", "t/a/b/g.txt");
	fs::rename("t/a/f.txt", "t/h.txt");
	fs::create_symlink("h.txt", "t/link");
	fs::permissions("t/h.txt", fs::perms::owner_read);
	std::cout << fs::file_size("t/link") << ' ' << fs::is_symlink("t/link") << ' ' << fs::exists("t/zz") << '\n';
	std::set<std::string> names;
	for (auto &e : fs::recursive_directory_iterator("t"))
		names.insert(e.path().string());
	for (auto &n : names)
		std::cout << n << '\n';
	std::ifstream in("t/a/b/g.txt", std::ios::binary);
	in.seekg(4);
	std::string w;
	in >> w;
	std::cout << w << ' ' << fs::remove_all("t") << ' ' << (fs::temp_directory_path() == std::getenv("TMPDIR")) << '\n';
	std::cout << std::locale("").name() << ' ' << std::hypot(3, 4) << '\n';
	return errors + 1;
}
