// SPDX-License-Identifier: Apache-2.0
// sg-real: cflags="-pthread"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <iostream>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

static thread_local int own;

int main()
{
	std::atomic<long> total{0};
	std::shared_mutex sm;
	std::vector<std::thread> ts;
	long guarded = 0;
	for (int i = 0; i < 6; i++)
		ts.emplace_back([&, i] {
			for (int k = 0; k < 5000; k++) {
				total += i;
				own++;
			}
			std::unique_lock l(sm);
			guarded += own;
		});
	for (auto &t : ts)
		t.join();
	std::cout << total << ' ' << guarded << ' ' << own << '\n';
	std::vector<std::future<int>> fs;
	for (int i = 0; i < 8; i++)
		fs.push_back(std::async(std::launch::async, [i] { return i * i; }));
	int s = 0;
	for (auto &f : fs)
		s += f.get();
	std::cout << s << '\n';
	std::promise<std::string> p;
	std::thread t([&] {
		std::this_thread::sleep_for(std::chrono::milliseconds(2));
		p.set_value("promised");
	});
	std::cout << p.get_future().get() << '\n';
	t.join();
	auto bad = std::async(std::launch::async, []() -> int { throw std::runtime_error("in a thread"); });
	try {
		bad.get();
	} catch (const std::exception &e) {
		std::cout << e.what() << '\n';
	}
	std::mutex m;
	std::condition_variable cv;
	bool go = false;
	std::thread w([&] {
		std::unique_lock l(m);
		cv.wait(l, [&] { return go; });
		std::cout << "went\n";
	});
	{
		std::lock_guard l(m);
		go = true;
	}
	cv.notify_all();
	w.join();
	std::unique_lock l(m);
	std::cout << cv.wait_for(l, std::chrono::milliseconds(3), [] { return false; }) << ' ' << (std::thread::hardware_concurrency() > 0) << '\n';
}
