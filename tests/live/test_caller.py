# SPDX-License-Identifier: Apache-2.0
"""What the caller of sgrun has arranged for itself, and must neither mislead the verdict nor let the program around a
limit."""
import json
import os
import resource
import signal
import socket

from harness import GID, UID, LiveTest, cgroup2_mount, wait_until

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
        r = self.bare(["/bin/sh", "-c", f'sleep 300 >/dev/null 2>&1 & echo $!; sleep 0.01 & exec "$0" {words} --verdicts /dev/null --pids 5 '
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

    def test_too_few_for_sgrun(self):
        """It does not start what it cannot confine, and says what is missing."""
        line = self.command(["/bin/sh", "-c", "read -r x </var/lib/dpkg/status; echo $x"], "compile", None, ["--verdicts", "/dev/null"])

        def said(n):
            r = self.bare(line, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
            self.assertEqual(r.text.strip(), "", n)
            return next((x for x in ("Too many open files", "Permission denied") if x in r.errors), r.describe())

        few, enough = 16, 400
        while enough - few > 1:
            n = (few + enough) // 2
            few, enough = (few, n) if said(n) == "Permission denied" else (n, enough)
        self.assertEqual({said(n) for n in range(few - 12, few + 1)}, {"Too many open files"})
        self.assertEqual({said(n) for n in (enough, enough + 1, 400)}, {"Permission denied"})

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

    def test_standard_input_that_is_not_for_reading(self):
        """The program reads nothing of what is there, and does not need to."""
        path = os.path.join(self.work, "log")
        with open(path, "wb") as f:
            f.write(b"secret")
        os.chown(path, self.tier.uid, self.tier.gid)
        for mode in (0o600, 0o200):
            os.chmod(path, mode)
            fd = os.open(path, os.O_WRONLY)
            self.addCleanup(os.close, fd)
            for call in ("os.lseek(0, 0, 0), os.read(0, 9)", "os.read(0, 9)", "os.write(0, b'x' * 5000)"):
                r = self.limited(f"import os\nprint({call})", stdin=fd)
                self.assertEqual((r.status, r.out), (1, b""), r.describe())
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

    def unread(self, write, n=20000):
        """Nobody reads the records while it runs, n and that of a violation. What it says on standard error."""
        code = f"import os\nfor _ in range({n}): os.getppid()\nos.execv('/bin/ls', ['ls'])"
        r = self.launch(["/usr/bin/python3", "-c", code], "noisy", self.write("noisy.yaml", self.POLICY), fds=[write],
                        verdicts=f"fd:{write}")
        os.close(write)
        self.assertEqual(r.process.wait(60), 159)
        return r.process.stderr.read()

    def test_a_reader_that_is_far_behind(self):
        """It gets whole lines, the one that killed and the exit among them, and is told how many it did not get."""
        read, write = os.pipe()
        self.assertEqual(self.unread(write), b"")
        with os.fdopen(read, "rb") as f:
            self.check_behind(f.read())

    def test_a_socket_that_is_far_behind(self):
        read, write = socket.socketpair()
        self.addCleanup(read.close)
        self.assertEqual(self.unread(write.detach()), b"")
        with read.makefile("rb") as f:
            self.check_behind(f.read())

    def test_where_no_room_can_be_made(self):
        """A terminal that nobody reads: that the last records are lost is said."""
        read, write = os.openpty()
        self.addCleanup(os.close, read)
        self.assertEqual(self.unread(write, 2000), b"sgrun: records were lost: their reader does not take them in time\n")

    def check_behind(self, data):
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


class FileSize(LiveTest):
    """A limit on the size of files around sgrun (ulimit -f) is the program's business, and does not end the supervisor."""

    def test_output_that_does_not_fit(self):
        path = os.path.join(self.work, "out")
        with open(path, "wb") as out:
            r = self.run_in(["/usr/bin/python3", "-c", "print('x' * 20000)"], "python", None, ["--output", "1M"], stdout=out,
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)))
        self.assertEqual((r.exit["verdict"], r.exit["integrity"]), ("ok", "degraded"), r.describe())
        self.assertIn("File too large", json.dumps(r.exit["reasons"]))

    def test_the_program_gets_what_it_would_get(self):
        for ignored in (False, True):
            def prepare(ignored=ignored):
                resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
                if ignored:
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                else:
                    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            p, bare = (f(preexec_fn=prepare) for f in (self.probed, self.probed_bare))
            self.assertEqual(p["sig_ignored"], bare["sig_ignored"], ignored)


class Before(LiveTest):
    """What the process that became sgrun did before is not the program's."""
    tiers = ("user",)

    def test_processor_time(self):
        burn = "import time\nwhile time.process_time() < 1.5: pass"
        line = self.command(["/usr/bin/python3", "-c", "import time; time.sleep(1.2)"], "python", None,
                            ["--cpu-time", "1s", "--verdicts", "-"])
        r = self.bare(["/bin/sh", "-c", '/usr/bin/python3 -c "$0"; exec "$@"', burn, *line])
        records = [json.loads(x) for x in r.text.splitlines()]
        self.assertEqual((r.status, records[-1]["verdict"]), (0, "ok"), r.describe())
        self.assertLess(records[-1]["cpu_ms"], 1000)


class Namespaces(LiveTest):
    """sgrun with a cgroup where /proc or the cgroup's path are not what they usually are."""
    tiers = ("bpf",)
    FORKS = ("import os, signal, time\np = os.fork()\nif not p: time.sleep(30)\nos.kill(p, signal.SIGKILL)\nprint(os.waitpid(p, 0)[1])")

    def within(self, *unshare, code="print(1)", options=()):
        return self.bare([*unshare, *self.command(["/usr/bin/python3", "-c", code], "python", None, ["--verdicts", "/dev/null", *options])])

    def test_a_foreign_proc(self):
        no_proc = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", 'mount -t tmpfs none /proc; exec "$0" "$@"']
        for around in (["/usr/bin/unshare", "--pid", "--fork"], no_proc):
            for options in (["--memory", "64M"], ["--pids", "8"]):
                r = self.within(*around, options=options)
                self.assertEqual((r.status, r.text), (125, ""), r.describe())
                self.assertIn("mount -t proc proc /proc", r.errors)

    def test_a_cgroup_namespace(self):
        around = os.path.join(cgroup2_mount(), f"sgtest-{os.getpid()}")
        os.mkdir(around)
        try:
            r = self.within("/bin/sh", "-c", f'echo $$ >{around}/cgroup.procs; exec unshare -C "$0" "$@"', code=self.FORKS)
            self.assertEqual((r.status, r.text), (0, "9\n"), r.describe())
        finally:
            wait_until(lambda: not open(os.path.join(around, "cgroup.procs")).read())
            os.rmdir(around)

    def test_root_of_a_user_namespace(self):
        """May not write to the hierarchy's root, but to the cgroup that was delegated to the user whom it stands for."""
        around = os.path.join(cgroup2_mount(), f"sgtest-{os.getpid()}")
        os.mkdir(around)
        try:
            for name in (".", "cgroup.procs", "cgroup.subtree_control"):
                os.chown(os.path.join(around, name), UID, GID)
            for root in ([], ["unshare", "--user", "--map-root-user"], ["unshare", "--user", "--map-root-user", "--cgroup"]):
                r = self.bare(["/bin/sh", "-c", f'echo $$ >{around}/cgroup.procs; exec setpriv --reuid {UID} --regid {GID} --clear-groups "$@"',
                               "sh", *root, self.tier.sgrun, "--daemon", "off", "--verdicts", "-", "--lang", "compiled", "--", "/bin/true"])
                start = json.loads(r.text.splitlines()[0])
                self.assertEqual(r.status, 0, r.describe())
                self.assertNotEqual(start["cgroup_id"], 0, start["degraded"])
        finally:
            wait_until(lambda: not open(os.path.join(around, "cgroup.procs")).read())
            os.rmdir(around)

    def test_orphans_are_waited_for(self):
        orphans = "import os\nfor _ in range(30):\n    p = os.fork()\n    if not p:\n        os.fork()\n        os._exit(0)\n    os.waitpid(p, 0)"
        # A first process of a container that waits for nobody but what it started.
        first = ("import ctypes, subprocess, sys\nctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n"
                 "print(subprocess.run(sys.argv[1:]).returncode, open('/proc/self/task/%d/children' % __import__('os').getpid()).read())")
        r = self.within("/usr/bin/python3", "-c", first, code=orphans)
        self.assertEqual(r.text.split(), ["0"], r.describe())
