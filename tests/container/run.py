#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sgrun where a container leaves it nothing: no capability, no cgroup, a seccomp profile already on (contain.c).

run.py --sgrun PATH --bin DIR --hostile DIR --sgd PATH [--only TEXT]     the last line is `N passed, N failed`
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/hostile"))
import sgtest  # noqa: E402

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENV = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/tmp"}
PYTHON = "/usr/bin/python3"


class Container(unittest.TestCase):
    work = sgd = None

    def line(self, *words, container=()):
        return [os.path.join(self.work, "contain"), *container, *words]

    def inside(self, *words, container=()):
        return subprocess.run(self.line(*words, container=container), capture_output=True, text=True, timeout=120, check=False,
                              env=ENV, cwd=self.work)

    def sgrun(self, *words, container=()):
        """(process, records): the records are on standard error, among what the program says there."""
        got = self.inside(os.path.join(self.work, "sgrun"), *words, container=container)
        return got, [json.loads(line) for line in got.stderr.splitlines() if line.startswith('{"timestamp"')]

    # --- the container is one ---

    def test_control_nothing_is_allowed(self):
        code = ("import ctypes, os\nl = ctypes.CDLL(None, use_errno=True)\n"
                "def call(*a):\n r = l.syscall(*a)\n return ctypes.get_errno() if r < 0 else 0\n"
                "print(call(435, 0, 0), call(272, 0x10000000), call(321, 0, 0, 0), call(165, 0, 0, 0, 0, 0))\n"
                "print([line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapBnd', 'Seccomp:'))])")
        got = self.inside(PYTHON, "-c", code)
        self.assertEqual(got.stdout, "38 1 1 1\n['0000000000000000', '0000000000000000', '2']\n", got.stderr)
        self.assertNotEqual(self.inside("/bin/sh", "-c", "mkdir $(awk '$3 == \"cgroup2\" {print $2}' /proc/mounts)/x").returncode, 0)

    # --- one command, and it works ---

    def test_honest(self):
        shutil.copy(os.path.join(ROOT, "examples/honest.py"), self.work)
        bare = self.inside(PYTHON, "honest.py")
        got, records = self.sgrun("--", PYTHON, "honest.py")
        self.assertEqual((got.returncode, got.stdout), (0, bare.stdout), got.stderr)
        self.assertIn("sha256:", got.stdout)
        self.assertEqual((records[-1]["verdict"], records[-1]["integrity"]), ("ok", "complete"))

    def test_says_what_there_is(self):
        _, (start, *_) = self.sgrun("--", PYTHON, "-c", "pass")
        self.assertEqual(start["tier"], "unprivileged")
        self.assertIn("seccomp", start["layers"])
        text = " ".join(start["degraded"])
        self.assertIn("no BPF: BPF programs need CAP_BPF and CAP_PERFMON, or root", text)
        self.assertIn("no cgroup of its own: clone3, which starts a process in a cgroup, is not allowed here", text)

    def test_hostile(self):
        code = "import os; print('before', flush=True); os.execv('/bin/echo', ['echo', 'ATTACKED'])"
        self.assertIn("ATTACKED", self.inside(PYTHON, "-c", code).stdout)
        got, records = self.sgrun("--", PYTHON, "-c", code)
        self.assertEqual((got.returncode, got.stdout), (159, "before\n"))
        violation = records[-1]["violation"]
        self.assertEqual((violation["syscall"], violation["prevented"], violation["uid"]), ("execve", True, 65534))

    def test_hostile_child(self):
        code = ("import multiprocessing as m, socket\n"
                "p = m.get_context('fork').Process(target=lambda: (socket.socket(16 + 1, 3), print('ATTACKED', flush=True)))\n"
                "p.start(); p.join(); print('SURVIVED', flush=True)")
        got, records = self.sgrun("--", PYTHON, "-c", code)
        self.assertEqual((got.returncode, got.stdout, records[-1]["verdict"]), (159, "", "violation"), got.stderr)

    def test_numberings(self):
        hostile = os.path.join(self.work, "hostile")
        attacks = [("ptrace-traceme", "ptrace"), ("exec-again", "execve"), ("nr-huge", "syscall_100000"),
                   ("personality", "personality"), ("setuid", "setuid")]
        for attack, call in attacks + ([("int80-getpid", "getpid")] if sgtest.has_int80(hostile) else []):
            got, records = self.sgrun("--lang", "c", "--", hostile, attack, "dir=" + self.work)
            self.assertTrue(records and records[-1]["violation"], attack + got.stdout + got.stderr)
            self.assertEqual((got.returncode, records[-1]["violation"]["syscall"]), (159, call), got.stdout + got.stderr)

    def test_limits(self):
        for options, code, verdict, status in (
                (["--wall-time", "300ms"], "import time; time.sleep(60)", "time_limit", 124),
                (["--cpu-time", "1s"], "while True: pass", "time_limit", 124),
                (["--pids", "8"], "import os\ntry:\n while True:\n  os.fork() or __import__('time').sleep(60)\n"
                 "except BlockingIOError: print('EAGAIN', flush=True)", "ok", 0)):
            got, records = self.sgrun("--wall-time", "60s", *options, "--", PYTHON, "-c", code)
            self.assertEqual((records[-1]["verdict"], got.returncode), (verdict, status), got.stderr)
        self.assertEqual(got.stdout, "EAGAIN\n")

    def test_threads_and_node(self):
        got, records = self.sgrun("--", "/usr/bin/node", os.path.join(ROOT, "examples/honest.js"))
        self.assertEqual((got.returncode, records[-1]["verdict"]), (0, "ok"), got.stderr)
        self.assertIn("unpacked", got.stdout)

    def test_learn(self):
        policy = os.path.join(self.work, "learnt")
        code = "import threading as t; x = t.Thread(target=print, args=('ok',)); x.start(); x.join()"
        for options in (["--learn", policy], ["--policy", policy]):
            got, records = self.sgrun(*options, "--", PYTHON, "-c", code)
            self.assertEqual((got.returncode, got.stdout), (0, "ok\n"), got.stderr)

    def test_supervisor_killed(self):
        process = subprocess.Popen(self.line(os.path.join(self.work, "sgrun"), "--", PYTHON, "-c",
                                             "import os, time; print(os.getpid(), flush=True); time.sleep(60)"),
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENV, cwd=self.work)
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        end = time.monotonic() + 60
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
            time.sleep(0.02)
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    @unittest.skipUnless(os.geteuid() == 0, "sgd needs root")
    def test_daemon_of_the_host(self):
        """Its socket is found where it is mounted. It starts programs in its own mounts only, and that is said."""
        os.makedirs("/run/sandgate", exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="sandgate-sgd-") as run:
            os.chmod(run, 0o755)
            daemon = subprocess.Popen([self.sgd, "--socket", run + "/sgd.sock", "--state", run + "/state", "--bpffs", "none", "--metrics-port", "0",
                                       "--group", "65534", "--log", "none", "--cgroup", f"sandgate-test-{os.getpid()}"],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            try:
                said = iter(daemon.stdout.readline, b"")  # on some hosts it says first what it must do without
                self.assertTrue(any(b"listens" in line for line in said))
                got, records = self.sgrun("--", PYTHON, "-c", "print(1)", container=["--run", run])
                self.assertEqual((got.returncode, got.stdout), (0, "1\n"), got.stderr)
                text = " ".join(records[0]["degraded"])
                self.assertIn("not through sgd: the client is in another mnt namespace", text)
                self.assertEqual(records[0]["tier"], "unprivileged")
            finally:
                daemon.terminate()
                daemon.wait()
                daemon.stdout.close()

    # --- a cgroup2 that is mounted twice ---

    def test_a_writable_cgroup2_is_taken(self):
        """Where the usual one is read-only, as engines mount it, or another file system covers it."""
        if os.geteuid():
            return
        sgrun = f"{self.work}/sgrun --daemon off --tier bpf --lang c --verdicts /dev/null -- /bin/echo in && echo 0 || echo $?"
        script = (f"set -e; at=$(awk '/ - cgroup2 / {{print $5}}' /proc/self/mountinfo); mkdir -p {self.work}/cg2\n"
                  f"for p in $at; do mount -o remount,bind,ro $p; done; {sgrun}\n"
                  f"mount -t cgroup2 cgroup2 {self.work}/cg2; mount -o remount,bind,rw {self.work}/cg2; {sgrun}\n"
                  f"for p in $at; do mount -o remount,bind,rw $p; mount -t tmpfs tmpfs $p; done; {sgrun}\n")
        got = subprocess.run(["unshare", "--mount", "/bin/sh", "-c", script], capture_output=True, text=True, timeout=120,
                             check=False, env=ENV)
        self.assertEqual((got.returncode, got.stdout), (0, "125\nin\n0\nin\n0\n"), got.stderr)
        self.assertIn("Read-only file system; mount cgroup2 read-write", got.stderr)

    # --- and where it cannot ---

    def test_require(self):
        for tier in ("bpf", "lsm"):
            got, _ = self.sgrun("--require", tier, "--", PYTHON, "-c", "print(1)")
            self.assertEqual((got.returncode, got.stdout), (125, ""))
            self.assertIn(f"the {tier} tier is not to be had here", got.stderr)

    def test_doctor(self):
        got = self.inside(os.path.join(self.work, "sgrun"), "doctor", "--json")
        self.assertEqual(got.returncode, 0, got.stdout)
        self.assertIn("best tier: unprivileged", self.inside(os.path.join(self.work, "sgrun"), "doctor").stdout)

    def test_another_listener(self):
        got, _ = self.sgrun("--", PYTHON, "-c", "print(1)", container=["--listener"])
        self.assertEqual((got.returncode, got.stdout), (125, ""))
        self.assertIn("another seccomp supervisor listens to this process already", got.stderr)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--sgrun", required=True)
    p.add_argument("--bin", required=True)
    p.add_argument("--hostile", required=True)
    p.add_argument("--sgd", required=True)
    p.add_argument("--only", default="")
    args = p.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sandgate-container-") as work:
        os.chmod(work, 0o755)
        for path in (args.sgrun, os.path.join(args.bin, "contain"), os.path.join(args.hostile, "hostile")):
            os.chmod(shutil.copy(path, work), 0o755)
        # Owned by the user inside, whose files these are.
        if os.geteuid() == 0:
            os.chown(work, 65534, 65534)
        Container.work, Container.sgd = work, args.sgd
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(Container):
            if args.only not in test.id():
                continue
            result = unittest.TestResult()
            test.run(result)
            bad = [text for _, text in result.failures + result.errors]
            passed, failed = passed + (not bad), failed + bool(bad)
            print(f"{'FAIL' if bad else 'ok  '}  {test._testMethodName[5:]}", *bad, sep="\n      " if bad else "", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
