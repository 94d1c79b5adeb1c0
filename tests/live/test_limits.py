# SPDX-License-Identifier: Apache-2.0
"""Limits: what the program gets, what it meets when it goes beyond, and what the stream says of it."""
import errno
import os
import subprocess
import resource
import signal

from harness import LiveTest

M = 1 << 20


class Rlimits(LiveTest):
    def test_options(self):
        p = self.probed(["--open-files", 20, "--file-size", "3M", "--stack", "2M", "--cpu-time", "7s"])["rlimits"]
        self.assertEqual(p["nofile"], [20, 20])
        self.assertEqual(p["fsize"], [3 * M, 3 * M])
        self.assertEqual(p["stack"], [2 * M, 2 * M])
        self.assertEqual(p["cpu"], [10, 11])
        limits = self.last.start["limits"]
        self.assertEqual(limits, {"open_files": 20, "file_size": 3 * M, "stack": 2 * M, "cpu_time_ms": 7000})
        self.assertEqual(sorted(self.last.start["limit_mechanisms"]), sorted(limits))

    def test_of_the_policy(self):
        p = self.probed(lang="capped")["rlimits"]
        self.assertEqual(p["nofile"], [40, 40])
        self.assertEqual(self.last.start["limits"], {"pids": 7, "open_files": 40, "wall_time_ms": 30000})

    def test_option_before_policy(self):
        p = self.probed(["--open-files", 50], lang="capped")["rlimits"]
        self.assertEqual(p["nofile"], [50, 50])
        self.assertEqual(self.last.start["limits"]["open_files"], 50)

    def test_never_raised(self):
        p = self.probed(["--open-files", 200],
                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (60, 80)))["rlimits"]
        self.assertEqual(p["nofile"], [80, 80])

    def test_fractions_of_cpu_time(self):
        self.assertEqual(self.probed(["--cpu-time", "100ms"])["rlimits"]["cpu"], [2, 3])
        self.assertEqual(self.probed(["--cpu-time", "1500ms"])["rlimits"]["cpu"], [3, 4])

    def test_open_files(self):
        self.assertRan(self.do("opens", 100, options=["--open-files", 20]), f"17 {errno.EMFILE}\n")
        self.assertRan(self.do("opens", 100), "100 0\n")

    def test_file_size(self):
        path = os.path.join(self.work, "big")
        r = self.do("fill", path, 100000, options=["--file-size", "64K"])
        self.assertEqual(r.status, 128 + signal.SIGXFSZ)
        self.assertEqual((r.exit["verdict"], r.exit["limit"], r.exit["signal"]),
                         ("output_limit", "file_size", signal.SIGXFSZ))
        self.assertEqual([(x["limit"], x["value"]) for x in r.of("limit")], [("file_size", 65536)])
        self.assertEqual(os.path.getsize(path), 65536)

    def test_file_size_control(self):
        self.assertRan(self.do("fill", os.path.join(self.work, "big"), 65536, options=["--file-size", "64K"]))

    def test_sigxfsz_without_a_limit(self):
        r = self.do("raise", int(signal.SIGXFSZ))
        self.assertEqual(r.exit["verdict"], "signal")

    def test_sigxcpu_without_a_limit(self):
        r = self.do("raise", int(signal.SIGXCPU))
        self.assertEqual((r.status, r.exit["verdict"]), (128 + signal.SIGXCPU, "signal"))

    def test_memory_is_not_promised(self):
        """No limit that nobody enforces is shown without a word."""
        policy = self.write("memory.yaml", "m:\n  unlisted: allow\n  limits: {memory: 100M, output: 1M}\n")
        r = self.do("exit", 0, lang="m", policy=policy)
        for limit in ("memory", "output"):
            named = [d for d in r.start["degraded"] if limit in d]
            self.assertTrue(named or limit in r.start["limit_mechanisms"], r.start)

    def test_what_is_out_of_range_is_told_the_range(self):
        self.assertEqual(self.refused("--pids", "4194305"), "sgrun: --pids 4194305 is out of range; expected a number from 1 to 4194304")
        self.assertIn("expected a number from 1 to 1048576", self.refused("--open-files", "1048577"))
        self.assertRan(self.run_in(["/bin/true"], options=["--pids", "4194304"]))

    def test_bad_values(self):
        for option, values in {
            "--pids": ("0", "-1", "x", "", "1.5", "99999999999999999999", "1K"),
            "--open-files": ("0", "-1", "x", ""),
            "--file-size": ("0", "-1", "10Q", "", "99999999999999999999G", "1.5M", "K"),
            "--stack": ("0", "0M", "x"),
            "--wall-time": ("0", "0ms", "-1", "5x", "", "99999999999999999999", "1.5s", "9223372036855ms", "18446744073710ms"),
            "--cpu-time": ("0", "0s", "x", "9223372036855ms"),
        }.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    self.refused(option, value)


class Tasks(LiveTest):
    def reached(self, r, value):
        limits = r.of("limit")
        self.assertTrue(limits)
        self.assertEqual({(x["limit"], x["value"]) for x in limits}, {("pids", value)})
        self.assertEqual(r.exit["counts"]["limit"] >= len(limits), True)

    def test_processes(self):
        r = self.do("forks", 50, options=["--pids", 8])
        self.assertRan(r, f"7 {errno.EAGAIN}\n")
        self.reached(r, 8)

    def test_processes_control(self):
        r = self.do("forks", 50, options=["--pids", 60])
        self.assertRan(r, "50 0\n")
        self.assertEqual(r.of("limit"), [])

    def test_threads(self):
        r = self.do("threads", 50, options=["--pids", 8])
        self.assertRan(r, f"7 {errno.EAGAIN}\n")
        self.reached(r, 8)

    def test_threads_control(self):
        self.assertRan(self.do("threads", 50), "50 0\n")

    def test_of_the_policy(self):
        self.assertRan(self.do("forks", 50, lang="capped"), f"6 {errno.EAGAIN}\n")

    def test_bomb(self):
        """Threads that fork at the same time: what has been let through counts before it is there."""
        r = self.do("bomb", 4, options=["--pids", 24])
        made, failed, error = map(int, r.text.split())
        self.assertEqual((r.status, made + failed, error), (0, 800, errno.EAGAIN))
        self.assertEqual(made, 24 - 5, "one for the process, four threads, the rest for children")
        self.reached(r, 24)
        self.assertLessEqual(len(r.of("limit")), 20, "a program must not fill the stream this way")
        self.assertGreaterEqual(r.exit["counts"]["limit"], failed)

    def test_room_comes_back(self):
        r = self.do("forks", 7, "then", "forks", 7, "then", "forks", 7, options=["--pids", 8])
        self.assertRan(r, "7 0\n" * 3)

    def test_a_script_that_forks_for_ever(self):
        script = "f() { f | f & }; f; sleep 1; echo end"
        r = self.run_in(["/bin/sh", "-c", script], options=["--pids", 12, "--wall-time", "8s"], stderr=subprocess.DEVNULL)
        self.assertIn(r.status, (0, 2, 124, 254))
        self.reached(r, 12)
        self.assertNoSurvivor()


class WallTime(LiveTest):
    def test_ends_all_of_it(self):
        r = self.run_in([self.own(self.act), "orphan", "30", "then", "sleep", "30"], options=["--wall-time", "400ms"])
        self.assertEqual(r.status, 124)
        self.assertNoSurvivor()

    def test_stopped_program(self):
        r = self.do("stop", options=["--wall-time", "400ms"])
        self.assertEqual((r.status, r.exit["verdict"]), (124, "time_limit"))

    def test_ignores_signals(self):
        r = self.do("ignore", 30, options=["--wall-time", "400ms"])
        self.assertEqual(r.status, 124)

    def test_background_children_do_not_prolong(self):
        r = self.do("orphan", 30, options=["--wall-time", "20s"])
        self.assertEqual((r.status, r.exit["verdict"]), (0, "ok"))
        self.assertLess(r.seconds, 25)
