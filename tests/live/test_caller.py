# SPDX-License-Identifier: Apache-2.0
"""What the caller of sgrun has arranged for itself, and must neither mislead the verdict nor let the program around a
limit."""
import json
import os
import signal
import socket

from harness import LiveTest

LOUD = "import os; [os.write(1, b'x' * 1024) for _ in range(200)]"


class Signals(LiveTest):
    def test_ignored_children(self):
        """Whoever ignores SIGCHLD has the kernel throw the exit status of children away."""
        for words, status in ((["exit", 42], 42), (["raise", int(signal.SIGSEGV)], 128 + int(signal.SIGSEGV))):
            r = self.do(*words, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
            self.assertEqual(r.status, status, r.describe())
        self.assertEqual(r.exit["verdict"], "signal")

    def test_given_back(self):
        """The program has all three as its caller had them."""
        mine = (signal.SIGCHLD, signal.SIGTTOU, signal.SIGPIPE)

        def ignore():
            for s in mine:
                signal.signal(s, signal.SIG_IGN)

        for prepare, all_of in ((ignore, True), (lambda: [signal.signal(s, signal.SIG_DFL) for s in mine], False)):
            r = self.run_in(["/bin/grep", "SigIgn", "/proc/self/status"], preexec_fn=prepare)
            ignored = int(r.text.split()[1], 16)
            self.assertEqual([bool(ignored >> (s - 1) & 1) for s in mine], [all_of] * 3, r.describe())

    def test_ignored_is_not_a_request_to_end(self):
        """nohup: a hang-up is not for us, however often it comes."""
        r = self.launch(["/bin/sh", "-c", "echo up; read x; echo $x"], stdin=-1,
                        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.assertEqual(r.line(), b"up")
        for _ in range(3):
            r.send(signal.SIGHUP)
        r.process.stdin.write(b"done\n")
        r.process.stdin.flush()
        self.assertRan(r.wait(), "done\n")


class Children(LiveTest):
    def test_that_were_there_before(self):
        """A shell that has started something executes sgrun: that is not of the sandbox."""
        inside = "import os\nn = 0\ntry:\n  while n < 30:\n    if not os.fork(): __import__('time').sleep(9)\n    n += 1\n" \
                 "except OSError: pass\nprint('made', n)"
        words = " ".join(self.tier.options)
        r = self.bare(["/bin/sh", "-c", f'sleep 20 >/dev/null 2>&1 & echo $!; sleep 0.01 & exec "$0" {words} --verdicts /dev/null --pids 5 '
                       '-- /usr/bin/python3 -c "$1"', self.tier.sgrun, inside], cwd="/")
        pid, _, rest = r.text.partition("\n")
        self.addCleanup(os.kill, int(pid), signal.SIGKILL)
        self.assertEqual(rest, "made 4\n", r.describe())
        with open(f"/proc/{pid}/stat") as f:
            self.assertNotIn(f.read().split()[2], "ZX")


class Descriptors(LiveTest):
    def test_not_sgruns_own(self):
        """A number that only sgrun's verdict file has is not open."""
        verdicts = os.path.join(self.work, "verdicts")
        r = self.sgrun(*self.tier.options, "--lang", "compile", "--verdicts", verdicts, "--fd", "3", "--", "/bin/true",
                       close_fds=True)
        self.assertEqual(r.status, 125, r.describe())
        self.assertIn("--fd 3: that descriptor is not open", r.errors)

    def test_few(self):
        for n in (5, 8, 16, 40):
            r = self.run_in(["/bin/ls", "/proc/self/fd"], "compile", None, ["--open-files", str(n)])
            self.assertRan(r, "0\n1\n2\n3\n")

    def test_too_few(self):
        r = self.sgrun(*self.tier.options, "--lang", "compile", "--open-files", "3", "--", "/bin/true")
        self.assertEqual(r.status, 125)
        self.assertIn("--open-files", r.errors)


class Output(LiveTest):
    def limited(self, code=LOUD, **how):
        os.makedirs(os.path.join(self.work, "tmp"), exist_ok=True)
        return self.run_in(["/usr/bin/python3", "-c", code], "python", None,
                           ["--output", "4K", "--env", f"TMPDIR={self.work}/tmp"], **how)

    def test_by_name(self):
        """The file that output goes to, opened by its name."""
        path = os.path.join(self.work, "out")
        with open(path, "wb") as f:
            os.chown(path, self.tier.uid, self.tier.gid)
            r = self.limited(f"f = open({path!r}, 'ab'); f.write(b'x' * 200000); f.close()", stdout=f)
        self.assertEqual(r.status, 1, r.describe())
        self.assertIn("PermissionError", r.errors)
        self.assertLessEqual(os.path.getsize(path), 4096)

    def test_standard_input_for_reading_alone(self):
        fifo = os.path.join(self.work, "fifo")
        os.mkfifo(fifo)
        os.chown(fifo, self.tier.uid, self.tier.gid)
        both = os.open(fifo, os.O_RDWR)
        self.addCleanup(os.close, both)
        r = self.limited("import os; os.write(0, b'x' * 5000)", stdin=both)
        self.assertEqual(r.status, 1, r.describe())
        self.assertIn("Bad file descriptor", r.errors)

    def test_a_socket_is_said(self):
        a, b = socket.socketpair()
        self.addCleanup(a.close)
        self.addCleanup(b.close)
        r = self.limited("pass", stdin=b.fileno())
        self.assertEqual(r.status, 0, r.describe())
        self.assertTrue([d for d in r.start["degraded"] if d.startswith("output: ")], r.describe())

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            r = self.limited("print('hello')", stdout=full)
        self.assertEqual(r.exit["integrity"], "degraded", r.describe())
        self.assertIn("No space left on device", json.dumps(r.exit["reasons"]))


class Stream(LiveTest):
    POLICY = 'noisy: {inherit: "builtin:python", audit: [getppid]}\n'

    def test_a_reader_that_is_far_behind(self):
        """It gets whole lines, the one that killed and the exit among them, and is told how many it did not get."""
        code = "import os\nfor _ in range(20000): os.getppid()\nos.execv('/bin/ls', ['ls'])"
        read, write = os.pipe()
        r = self.launch(["/usr/bin/python3", "-c", code], "noisy", self.write("noisy.yaml", self.POLICY), fds=[write],
                        verdicts=f"fd:{write}")
        os.close(write)
        self.assertEqual(r.process.wait(30), 159)
        with os.fdopen(read, "rb") as f:
            data = f.read()
        records = [json.loads(line) for line in data.splitlines()]
        self.assertTrue(data.endswith(b"\n"))
        self.assertEqual(records[0]["type"], "start")
        self.assertEqual(records[-1]["type"], "exit")
        self.assertEqual(records[-1]["violation"]["syscall"], "execve")
        self.assertEqual([x["syscall"] for x in records if x.get("action") == "kill"], ["execve"])
        there = sum(x["type"] == "audit" for x in records)
        lost = sum(x["count"] for x in records if x["type"] == "lost")
        # The one that killed may have found no room in the ring buffer either, where it counts, and has its own way.
        self.assertIn(there + lost, (20000, 20001))
        self.assertGreater(lost, 0)
        self.assertEqual(records[-1]["integrity"], "degraded")


class Audit(LiveTest):
    POLICY = 'nf: {inherit: "builtin:python", kill: [fork, {clone: "flags & CLONE_VM == 0"}], errno: {EACCES: [getppid]}}\n'

    def test_forbidden_forks_count(self):
        code = "import os\nn = 0\ntry:\n  while n < 30:\n    if not os.fork(): __import__('time').sleep(5)\n    n += 1\n" \
               "except OSError: pass\nprint('made', n)"
        r = self.run_in(["/usr/bin/python3", "-c", code], "nf", self.write("nf.yaml", self.POLICY),
                        ["--mode", "audit", "--pids", "5"])
        if "pids" not in json.dumps(r.start["degraded"]): # without a filter only a controller counts
            self.assertRan(r, "made 4\n")
        self.assertTrue([x for x in r.of("syscall_violation") if x["syscall"] == "clone"], r.describe())

    def test_errno_is_recorded_and_runs(self):
        r = self.run_in(["/usr/bin/python3", "-c", "import os; print(os.getppid() > 0)"], "nf",
                        self.write("nf.yaml", self.POLICY), ["--mode", "audit"])
        self.assertRan(r, "True\n")
        self.assertTrue([x for x in r.of("syscall_violation") if x["syscall"] == "getppid"], r.describe())


class Marked(LiveTest):
    """Without a cgroup the guard knows the sandbox's processes by a limit, which they must not change unseen."""
    tiers = ("user",)

    def said(self, *where):
        return [d for d in self.run_in([self.act, "say", "x"], *where).start["degraded"] if "RLIMIT_MSGQUEUE" in d]

    def test_a_policy_that_allows_it(self):
        self.assertTrue(self.said("open"))

    def test_the_built_in_ones_do_not(self):
        for lang in ("python", "compile", "javascript", "perl"):
            self.assertEqual(self.said(lang), [], lang)
