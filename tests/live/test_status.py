# SPDX-License-Identifier: Apache-2.0
"""The exit status says how it ended, and the exit record says the same."""
import os
import signal

from harness import NR, LiveTest


class ExitStatus(LiveTest):
    def test_own(self):
        for code in (0, 1, 7, 124, 125, 126, 127, 159, 255):
            with self.subTest(code=code):
                r = self.do("exit", code)
                self.assertRan(r, "", code)

    def test_signals(self):
        for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGUSR1, signal.SIGPIPE,
                    signal.SIGRTMIN + 1):
            with self.subTest(sig=sig):
                r = self.do("raise", int(sig))
                self.assertEqual(r.status, 128 + sig)
                self.assertEqual((r.exit["verdict"], r.exit["signal"]), ("signal", sig))
                self.assertNotIn("exit_code", r.exit)

    def test_sigsys_of_its_own_is_no_violation(self):
        # 128 + SIGSYS is 159 as well: the record tells them apart
        r = self.do("raise", int(signal.SIGSYS))
        self.assertEqual(r.status, 159)
        self.assertEqual((r.exit["verdict"], r.exit["signal"]), ("signal", signal.SIGSYS))
        self.assertEqual(r.exit["counts"]["kill"], 0)

    def test_violation(self):
        r = self.do("say", "before", "then", "getppid", 1, "then", "say", "after", lang="trap")
        self.assertKilled(r, "getppid")
        self.assertEqual(r.out, b"before\n")

    def test_violation_control(self):
        self.assertRan(self.do("say", "before", "then", "getppid", 1, "then", "say", "after"), "before\nafter\n")

    def test_wall_time(self):
        r = self.do("sleep", 20, options=["--wall-time", "300ms"])
        self.assertEqual(r.status, 124)
        self.assertEqual((r.exit["verdict"], r.exit["limit"]), ("time_limit", "wall_time"))
        self.assertEqual([(x["limit"], x["value"]) for x in r.of("limit")], [("wall_time", 300)])
        self.assertTrue(300 <= r.exit["wall_ms"] < 3000, r.exit["wall_ms"])

    def test_wall_time_control(self):
        self.assertRan(self.do("usleep", 50000, options=["--wall-time", "10s"]))

    def test_cpu_time(self):
        r = self.do("spin", 20, options=["--cpu-time", "1s"])
        self.assertEqual(r.status, 124)
        self.assertEqual((r.exit["verdict"], r.exit["limit"]), ("time_limit", "cpu_time"))
        self.assertEqual([(x["limit"], x["value"]) for x in r.of("limit")], [("cpu_time", 1000)])
        self.assertTrue(900 <= r.exit["cpu_ms"] < 2500, r.exit["cpu_ms"])

    def test_cpu_time_is_not_wall_time(self):
        self.assertRan(self.do("usleep", 1300000, options=["--cpu-time", "1s"]))

    def test_failed(self):
        self.refused("--chdir", "/nonexistent/dir")
        self.assertIn("error", self.last.exit["verdict"])
        self.assertIn("/nonexistent/dir", self.last.exit["error"])


class NotEnforced(LiveTest):
    """What no layer enforces is in the start record."""

    def said(self, what, wanted, lang="open", policy=""):
        r = self.do("say", "x", lang=lang, policy=policy)
        self.assertRan(r, "x\n")
        self.assertEqual([x for x in r.start.get("not_enforced", []) if what in x] != [], wanted, r.start)

    def test_cgroup(self):
        r = self.do("say", "x")
        self.said("clone3", r.start["tier"] != "lsm" and bool(r.start.get("cgroup_id")))
        self.said("clone3", False, "c")

    def test_executable_heap(self):
        lsm = self.do("say", "x").start["tier"] == "lsm"
        what = "READ_IMPLIES_EXEC" if lsm else "wx: memory can be written"
        for allowed, wanted in (("personality", True), ('{personality: "persona == 0x40000"}', False)):
            policy = self.write("wx.yaml", f'x: {{inherit: "builtin:compiled", allow: [{allowed}]}}')
            self.said(what, wanted, "x", policy)


class NotRun(LiveTest):
    """126 and 127, as a shell has them."""

    def fails(self, program, status):
        r = self.run_in([program], lang="open")
        self.assertEqual(r.status, status)
        self.assertEqual(r.exit["verdict"], "error")
        self.assertTrue(r.exit["error"])
        return r

    def test_missing(self):
        r = self.fails("/nonexistent/program", 127)
        self.assertIn("/nonexistent/program", r.errors)

    def test_missing_by_name(self):
        r = self.fails("no-such-program-anywhere", 127)
        self.assertIn("no-such-program-anywhere", r.errors)

    def test_empty_name(self):
        self.assertIn("empty", self.fails("", 127).errors)

    def test_below_a_file(self):
        self.assertIn(self.run_in(["/etc/passwd/x"]).status, (126, 127))

    def test_directory(self):
        self.assertIn("directory", self.fails(self.work, 126).errors)

    def test_not_executable(self):
        self.assertIn("chmod +x", self.fails(self.write("plain", "#!/bin/sh\n", 0o644), 126).errors)

    def test_not_a_program(self):
        self.fails(self.write("garbage", b"\x7fELF nothing that runs", 0o755), 126)
        self.assertIn("#!", self.fails(self.write("empty", "", 0o755), 126).errors)

    def test_missing_interpreter(self):
        for line in ("#!/nonexistent/interpreter\n", "#! /nonexistent/interpreter -x\n"):
            self.assertIn("/nonexistent/interpreter:", self.fails(self.write("script", line, 0o755), 127).errors)
        # What a file holds is not for a terminal to obey.
        self.assertNotIn("\033", self.fails(self.write("script", "#!/no\033[31m\n", 0o755), 127).errors)

    def test_missing_env_interpreter(self):
        r = self.fails(self.write("script", "#!/usr/bin/env no-such-interpreter\n", 0o755), 127)
        self.assertIn("no-such-interpreter", r.errors)

    def test_symlink_loop(self):
        path = os.path.join(self.work, "loop")
        os.symlink(path, path)
        self.assertIn(self.run_in([path]).status, (126, 127))


class CommandLine(LiveTest):
    """A slip is told as what it is."""

    def test_options_that_there_are_not(self):
        for options, said in ((["--wall-tiem=3"], "unknown option --wall-tiem; did you mean --wall-time?"),
                              (["--reqire=lsm"], "unknown option --reqire; did you mean --require?"),
                              (["--timeout=3"], "unknown option --timeout; see sgrun --help"),
                              (["--req=lsm"], "option --req could be --require or --require-limits; see sgrun --help"),
                              (["-xy"], "unknown option -xy; see sgrun --help"),
                              (["--stats=yes"], "--stats=yes: --stats takes no value")):
            with self.subTest(options=options):
                self.assertEqual(self.refused(*options), "sgrun: " + said)

    def test_values_that_are_empty(self):
        for option in ("--lang", "--policy", "--read", "--net", "--user", "--chdir", "--daemon"):
            with self.subTest(option=option):
                self.assertEqual(self.refused(option, ""), f"sgrun: {option}: the value is empty")

    def test_limits_by_name(self):
        self.assertEqual(self.refused("--cpu-time", "x"), "sgrun: --cpu-time x is no usable limit; expected a time such as 10, 500ms, 2s, 1m")


class Scripts(LiveTest):
    def test_shebang(self):
        script = self.write("script", f"#!{self.act} say\nnothing\n", 0o755)
        r = self.run_in([script])
        self.assertRan(r, script + "\n")

    def test_shebang_sh(self):
        script = self.write("script", "#!/bin/sh\necho \"$0 $1 $#\"; exit 3\n", 0o755)
        self.assertRan(self.run_in([script, "a b"]), f"{script} a b 1\n", 3)

    def test_env_python(self):
        script = self.write("script.py", "#!/usr/bin/env python3\nimport sys\nprint(sys.argv[1:], __file__)\n", 0o755)
        r = self.run_in([script, "x", "y z"], lang="python", policy=None)
        self.assertRan(r, f"['x', 'y z'] {script}\n")

    def test_env_with_words(self):
        """Done here as well: one execve, which a policy without exec allows."""
        script = self.write("script.py", "#!/usr/bin/env -S  python3 -O -u\nimport sys\nprint(sys.argv, __debug__)\n", 0o755)
        self.assertRan(self.run_in([script, "x", "y z"], lang="python", policy=None), f"['{script}', 'x', 'y z'] False\n")

    def test_env_with_options(self):
        # env's own job: needs a policy that lets env execute
        script = self.write("script", "#!/usr/bin/env -S X=1 sh -e\necho hi $X\n", 0o755)
        self.assertRan(self.run_in([script]), "hi 1\n")
        script = self.write("script", "#!/usr/bin/env -S sh -c 'echo \"hi  you\"'\n", 0o755)
        self.assertRan(self.run_in([script]), "hi  you\n")

    def test_crlf(self):
        for line in (b"#!/usr/bin/env python3\r\n", b"#!/bin/sh\r\n", b"#!/usr/bin/env -S python3\r\n"):
            r = self.run_in([self.write("script", line + b"print(1)\r\n", 0o755)])
            self.assertEqual(r.status, 127)
            self.assertIn("carriage return", r.errors)

    def test_static(self):
        self.assertRan(self.run_in([self.act_static, "say", "static"], lang="c"), "static\n")

    def test_exec_of_another(self):
        self.assertRan(self.do("exec", self.act_static, "say", "second"), "second\n")

    def test_exec_needs_the_policy(self):
        r = self.do("say", "x", "then", "exec", self.act_static, "say", "second", lang="c")
        self.assertKilled(r, "execve")
        self.assertEqual(r.out, b"x\n")

    def test_by_name(self):
        # along PATH of the sandbox, not of the caller
        env = {"PATH": self.work}
        self.write("true", "#!/bin/sh\nexit 9\n", 0o755)
        self.assertRan(self.run_in(["true"], env=env))
        self.assertRan(self.run_in(["true"], env=env, options=["--env", "PATH"]), status=9)

    def test_language_from_the_name(self):
        r = self.run_in(["/usr/bin/python3", "-c", "print(5)"], lang=None, policy=None)
        self.assertRan(r, "5\n")
        self.assertEqual(r.start["language"], "python")

    def test_language_unknown(self):
        self.assertIn("--lang", self.refused(lang=None, policy=None))

    def test_call_number_is_right(self):
        # the helper's own control: what it calls by number is what the records name
        self.assertKilled(self.do("call", NR["ptrace"], lang="c"), "ptrace")
