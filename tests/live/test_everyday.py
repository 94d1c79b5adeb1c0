# SPDX-License-Identifier: Apache-2.0
"""Programs of every day that ask for more than their work needs: what they do bare they do under a built-in policy."""
import os
import subprocess

from harness import LiveTest

MAKEFILE = """all: out
\t@echo made $$(./out)
out: out.c
\t$(CC) -o out out.c
"""
# What libraries try and can do without: none of it may end the program.
PROBES = """
import asyncio, os, signal
for name, attempt in (("pidfd", lambda: os.pidfd_open(os.getpid())), ("rr", lambda: os.sched_rr_get_interval(0)),
                      ("xattr", lambda: os.removexattr(".", "user.none"))):
    try:
        attempt()
        print(name, "done")
    except OSError as e:
        print(name, type(e).__name__)
async def answer():
    return 42
print(asyncio.run(answer()))
"""
# Every way to another program: argv[1] is where the one that is started leaves its mark.
HELPERS = """
import os, subprocess, sys
def descriptor():
    os.execve(os.open("/usr/bin/touch", os.O_RDONLY), ["touch", sys.argv[1]], {})
for name, attempt in (("run", lambda: subprocess.run(["/usr/bin/touch", sys.argv[1]])),
                      ("system", lambda: os.system("touch " + sys.argv[1])),
                      ("exec", lambda: os.execv("/usr/bin/touch", ["touch", sys.argv[1]])),
                      ("descriptor", descriptor)):
    try:
        print(name, attempt())
    except OSError as e:
        print(name, type(e).__name__)
"""
GROUP = """
import os, signal, time
def child(*then):
    pid = os.fork()
    if not pid:
        os.setsid()
        for f in then:
            f()
        os._exit(0)
    return pid
ended = child()
os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT)
os.killpg(ended, signal.SIGKILL)
print(os.waitpid(ended, 0)[1])
r, w = os.pipe()
runs = child(lambda: os.write(w, b"x"), lambda: time.sleep(20))
os.read(r, 1)
os.killpg(runs, signal.SIGKILL)
print(os.waitpid(runs, 0)[1])
try:
    os.killpg(1, 0)
except PermissionError:
    print("refused")
"""
ORPHAN = """
defined(my $pid = fork) or print "no fork\n";
wait;
print "waited\n";
"""


class Everyday(LiveTest):
    limit = 60

    def setUp(self):
        super().setUp()
        self.cwd = os.path.join(self.work, "build")
        os.mkdir(self.cwd)
        self.put("out.c", '#include <stdio.h>\nint main(void) { return puts("it") < 0; }\n')
        self.put("Makefile", MAKEFILE)
        os.chown(self.cwd, self.tier.uid, self.tier.gid)

    def put(self, name, text):
        with open(os.path.join(self.cwd, name), "w") as f:
            f.write(text)

    def program(self, *argv, lang=None, **how):
        return self.run_in(list(argv), lang, None, ["--env", f"TMPDIR={self.cwd}"], cwd=self.cwd, **how)

    def assertSays(self, r, text):
        self.assertEqual((r.status, r.text), (0, text), r.describe())
        self.assertEqual(r.kills, [])

    def test_make(self):
        for jobs in ("-j1", "-j2"):
            self.assertSays(self.program("/usr/bin/make", "-s", "-B", jobs), "made it\n")

    def test_shell_with_jobs(self):
        self.assertSays(self.program("/bin/bash", "-c", "set -m; sleep 0.05 & wait $!; echo $?", lang="compile"), "0\n")

    def test_timeout(self):
        self.assertSays(self.program("/usr/bin/timeout", "20", "/bin/echo", "in time", lang="compile"), "in time\n")

    def test_ending_a_group(self):
        """Also one whose processes have ended and were not waited for."""
        self.assertSays(self.program("/usr/bin/python3", "-c", GROUP), "0\n9\nrefused\n")

    def test_compilers_by_name(self):
        for compiler in ("/usr/bin/c++", "/usr/bin/g++", "/usr/bin/gcc"):
            r = self.program(compiler, "-x", "c", "-o", "out", "out.c")
            self.assertSays(r, "")
            self.assertEqual(r.start["language"], "compile")

    def test_waiting_for_a_child_that_was_refused(self):
        self.assertSays(self.program("/usr/bin/perl", "-e", ORPHAN), "no fork\nwaited\n")

    def test_probes(self):
        r = self.program("/usr/bin/python3", "-c", PROBES)
        self.assertSays(r, "pidfd OSError\nrr OSError\nxattr OSError\n42\n")

    def test_helper_programs(self):
        """python-data refuses them, and python kills for the first; without a sandbox they do leave their mark."""
        mark = os.path.join(self.cwd, "mark")
        r = self.program("/usr/bin/python3", "-c", HELPERS, mark, lang="python-data")
        self.assertSays(r, "run PermissionError\nsystem 32512\nexec PermissionError\ndescriptor PermissionError\n")
        self.assertFalse(os.path.exists(mark))
        r = self.program("/usr/bin/python3", "-c", HELPERS, mark, lang="python")
        self.assertEqual((r.status, [v["syscall"] for v in r.kills]), (159, ["execve"]), r.describe())
        self.assertFalse(os.path.exists(mark))
        bare = subprocess.run(["/usr/bin/python3", "-c", HELPERS, mark], timeout=self.limit, check=False, capture_output=True)
        self.assertEqual((bare.returncode, os.path.exists(mark)), (0, True))

    def test_io_uring_of_a_build_tool(self):
        """libuv, which cmake is built with, asks for it; the number is the same everywhere."""
        r = self.program("/usr/bin/python3", "-c", "import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                         "print(libc.syscall(425, 8, None), errno.errorcode[ctypes.get_errno()])", lang="compile")
        self.assertSays(r, "-1 ENOSYS\n")

    def test_sanitizer(self):
        """With what docs/policy.md says it needs: its run-time library sets limits and traces itself for leaks."""
        self.assertSays(self.program("/usr/bin/gcc", "-fsanitize=address", "-o", "out", "out.c"), "")
        self.assertSays(self.program("/usr/bin/env", "ASAN_OPTIONS=disable_coredump=0:detect_leaks=0", "./out", lang="compile"),
                        "it\n")
