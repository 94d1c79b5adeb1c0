# SPDX-License-Identifier: Apache-2.0
"""Two phases: what `then` forbids is allowed until the program says that its start is over, and never again."""
import errno
import os

from harness import NR, ROOT, LiveTest

MARK = 0x53474154
POLICY = """
loose: {unlisted: allow, then: tight}
tight:
  inherit: loose
  kill: [getppid, {socket: domain == AF_INET}]
  errno: {EPERM: [getpgrp]}
  audit: [getuid]
python-loose: {inherit: "builtin:python", then: python-tight}
python-tight: {inherit: python-loose, kill: [execve, uname]}
wider: {unlisted: "errno EPERM", allow: [read, write, exit_group], then: widest}
widest: {unlisted: allow}
noted: {unlisted: allow, audit: [getuid], then: noted-too}
noted-too: {inherit: noted, audit: [getuid], kill: [getppid]}
other-files: {inherit: "builtin:python", then: more-files}
more-files: {inherit: "builtin:python", files: {read: [/nonexistent]}}
"""


class Phases(LiveTest):
    def phased(self, *words, lang="loose", **how):
        return self.do(*words, lang=lang, policy=self.write("phases.yaml", POLICY), **how)

    def call(self, name, *args):
        return ["call", NR[name], *args, "then"]

    mark = ["call", NR["kill"], MARK, 0, "then"]
    end = ["say", "end"]

    def test_before(self):
        r = self.phased(*self.call("getpgrp"), *self.call("getppid"), *self.end)
        self.assertEqual(r.status, 0)
        self.assertEqual(r.of("phase"), [])
        self.assertNotIn(f" {errno.EPERM}", r.text)

    def test_marked(self):
        r = self.phased(*self.mark, *self.end)
        self.assertRan(r, "0 0\nend\n")
        (p,) = r.of("phase")
        self.assertEqual(p["policy"], "tight")

    def test_marking_twice_is_one_phase(self):
        r = self.phased(*self.mark, *self.mark, *self.end)
        self.assertEqual((r.status, len(r.of("phase"))), (0, 1))

    def test_killed_after(self):
        r = self.phased(*self.call("getppid"), *self.mark, *self.call("getppid"), *self.end)
        v = self.assertKilled(r, "getppid")
        self.assertEqual(v["rule"]["list"], "kill")
        self.assertIn("tight", v["hint"])

    def test_arguments(self):
        r = self.phased(*self.call("socket", 2, 1, 0), *self.mark, *self.call("socket", 1, 1, 0), *self.call("socket", 2, 1, 0), *self.end)
        self.assertKilled(r, "socket")
        self.assertEqual(len(r.text.splitlines()), 3)

    def test_refused_after(self):
        r = self.phased(*self.call("getpgrp"), *self.mark, *self.call("getpgrp"), *self.end)
        self.assertEqual(r.status, 0)
        first, _, second, _ = r.text.splitlines()
        self.assertNotEqual(first, f"-1 {errno.EPERM}")
        self.assertEqual(second, f"-1 {errno.EPERM}")

    def test_recorded_after(self):
        r = self.phased(*self.call("getuid"), *self.mark, *self.call("getuid"), *self.end)
        self.assertEqual([a["syscall"] for a in r.of("audit")], ["getuid"])

    def test_recorded_once(self):
        r = self.phased(*self.call("getuid"), *self.mark, *self.call("getuid"), *self.end, lang="noted")
        self.assertEqual([a["syscall"] for a in r.of("audit")], ["getuid", "getuid"])

    def test_it_holds_for_all_processes(self):
        r = self.phased("child", 1, NR["kill"], MARK, 0, "then", *self.end)
        self.assertEqual(len(r.of("phase")), 1)
        r = self.phased("thread", NR["kill"], MARK, 0, "then", *self.call("getppid"), *self.end)
        self.assertKilled(r, "getppid")

    def test_other_signals_are_no_mark(self):
        r = self.phased("call", NR["kill"], MARK, 15, "then", "call", NR["kill"], MARK - 1, 0, "then", *self.call("getppid"), *self.end)
        self.assertEqual((r.status, r.of("phase")), (0, []))

    def test_second_alone(self):
        self.assertKilled(self.phased(*self.call("getppid"), *self.end, lang="tight"), "getppid")

    def test_the_second_widens_nothing(self):
        """Both must agree, always."""
        r = self.run_in([self.act_static, "call", str(NR["kill"]), str(MARK), "0", "then", "call", str(NR["getppid"])],
                        lang="wider", policy=self.write("phases.yaml", POLICY), check=False)
        self.assertNotIn("0 0\n1", r.text)
        if r.records and r.of("phase"):
            self.assertIn(f"-1 {errno.EPERM}", r.text)

    def test_only_system_calls_may_differ(self):
        r = self.run_in([self.act], lang="other-files", policy=self.write("phases.yaml", POLICY), check=False)
        self.assertEqual(r.status, 125)
        self.assertIn("then", r.errors)

    def test_python_example(self):
        hook = os.path.join(ROOT, "examples", "phases")
        path = os.path.join(self.work, "hook")
        os.mkdir(path)
        os.chmod(path, 0o755)
        with open(os.path.join(hook, "sitecustomize.py")) as f:
            self.write("hook/sitecustomize.py", f.read())
        script = self.write("user.py", "import os, sys\nprint('user code', flush=True)\nif len(sys.argv) > 1: os.uname()\n")
        policy = self.write("phases.yaml", POLICY)
        for more, status in ((["x"], 159), ([], 0)):
            r = self.run_in(["/usr/bin/python3", script, *more], lang="python-loose", policy=policy, options=["--env", f"PYTHONPATH={path}", "--read", self.work])
            self.assertEqual((r.status, r.out), (status, b"user code\n"))
            self.assertEqual(len(r.of("phase")), 1)
