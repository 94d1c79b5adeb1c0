# SPDX-License-Identifier: Apache-2.0
"""What the program is given to start with: no privilege, no descriptor and no variable that nobody passed on."""
import errno
import fcntl
import json
import os
import resource
import signal
import subprocess

from harness import ENV, LiveTest, unused_signal_state

SECUREBITS = 0b11101111  # all but KEEP_CAPS itself, each with its lock


class Privilege(LiveTest):
    def test_capabilities(self):
        p = self.probed()
        for key in ("cap_effective", "cap_permitted", "cap_inheritable", "cap_ambient"):
            self.assertEqual(int(p[key], 16), 0, key)
        self.assertEqual(p["ambient"], [])
        self.assertEqual(p["no_new_privs"], 1)
        if self.tier.is_root:
            self.assertEqual(p["bounding"], [])
            self.assertEqual(int(p["cap_bounding"], 16), 0)
            self.assertEqual(p["securebits"], SECUREBITS)

    def test_capabilities_control(self):
        p = self.probed_bare()
        self.assertNotEqual(p["bounding"], [])
        self.assertEqual(p["no_new_privs"], 0)
        if self.tier.is_root:
            self.assertNotEqual(int(p["cap_effective"], 16), 0)

    def test_seccomp(self):
        self.assertEqual(self.probed()["seccomp"], "2")
        self.assertEqual(self.probed_bare()["seccomp"], "0")

    def test_identity(self):
        p, bare = self.probed(), self.probed_bare()
        self.assertEqual(p["uid"], [self.tier.uid] * 3)
        self.assertEqual(p["gid"], [self.tier.gid] * 3)
        self.assertEqual(p["groups"], bare["groups"])

    def test_session(self):
        p = self.probed()
        self.assertEqual(p["sid"], p["pid"])
        self.assertEqual(p["pgrp"], p["pid"])
        self.assertEqual(p["pid"], self.last.start["pid"])

    def test_no_terminal(self):
        """A program started from a terminal reads and writes it, but it is not its controlling terminal."""
        t = self.terminal()

        def take_terminal():
            os.setsid()
            fcntl.ioctl(t.slave, 0x540E, 0)  # TIOCSCTTY

        p = self.probed(stdin=t.slave, preexec_fn=take_terminal)
        self.assertEqual(p["tty_errno"], errno.ENXIO)
        self.assertIn("/dev/pts/", p["fds"]["0"]["target"])

    def test_no_terminal_control(self):
        t = self.terminal()

        def take_terminal():
            os.setsid()
            fcntl.ioctl(t.slave, 0x540E, 0)

        self.assertEqual(self.probed_bare(stdin=t.slave, preexec_fn=take_terminal)["tty_errno"], 0)

    def test_dumpable(self):
        self.assertEqual(self.probed()["dumpable"], self.probed_bare()["dumpable"])

    def test_umask_nice_cwd(self):
        def change():
            os.umask(0o077)
            os.nice(3)

        p, bare = (f(preexec_fn=change, cwd=self.work) for f in (self.probed, self.probed_bare))
        for key in ("umask", "nice", "cwd"):
            self.assertEqual(p[key], bare[key], key)
        self.assertEqual((p["umask"], p["cwd"]), (0o077, self.work))

    def test_signals_as_the_caller_left_them(self):
        for change in (None, unused_signal_state):
            p, bare = (f(preexec_fn=change) for f in (self.probed, self.probed_bare))
            for key in ("sig_ignored", "sig_blocked", "sig_caught"):
                self.assertEqual(p[key], bare[key], (key, change))
        self.assertNotEqual(int(bare["sig_blocked"], 16), 0)
        self.assertNotEqual(int(bare["sig_ignored"], 16), 0)

    def test_sigpipe_as_the_caller_left_it(self):
        for restore in (True, False):
            p, bare = (f(restore_signals=restore) for f in (self.probed, self.probed_bare))
            self.assertEqual(p["sig_ignored"], bare["sig_ignored"])
        self.assertNotEqual(int(bare["sig_ignored"], 16) & 1 << signal.SIGPIPE - 1, 0)

    def test_limits_as_the_caller_has_them(self):
        p, bare = self.probed()["rlimits"], self.probed_bare()["rlimits"]
        core = p.pop("core"), bare.pop("core")
        self.assertLessEqual(core[0][1], 1)
        if self.tier.name == "user":
            # the mark by which the guard finds them where there is no cgroup; below the caller's
            self.assertLess(p.pop("msgqueue")[1], bare.pop("msgqueue")[1])
        self.assertEqual(p, bare)


class Descriptors(LiveTest):
    def inode(self, f):
        st = os.fstat(f if isinstance(f, int) else f.fileno())
        return st.st_ino

    def test_only_three(self):
        p, bare = self.probed(), self.probed_bare()
        self.assertEqual(sorted(p["fds"]), ["0", "1", "2"])
        self.assertEqual(sorted(bare["fds"]), ["0", "1", "2"])

    def test_they_are_the_callers(self):
        _, w = self.pipe()
        files = [open(self.write(n, ""), "r+b") for n in ("in", "out", "err")]
        for f in files:
            self.addCleanup(f.close)
        r = self.run_in([self.probe, f"fd:{w.fileno()}"], options=["--fd", w.fileno()], fds=(w.fileno(),),
                        stdin=files[0], stdout=files[1], stderr=files[2], check=False)
        self.assertEqual(r.status, 0)
        import json
        got = json.loads(os.read(_.fileno(), 1 << 16))["fds"]
        self.assertEqual([got[str(i)]["ino"] for i in range(3)], [self.inode(f) for f in files])

    def test_many_open(self):
        fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(500)]
        try:
            chosen = fds[250]
            p = self.probed(fds=fds, options=["--fd", chosen])
            self.assertEqual(sorted(map(int, p["fds"])), [0, 1, 2, chosen])
            bare = self.probed_bare(fds=fds)
            self.assertGreater(len(bare["fds"]), 500)
        finally:
            for fd in fds:
                os.close(fd)

    def test_exactly_those_named(self):
        files = [open(self.write(f"f{i}", ""), "rb") for i in range(6)]
        high = fcntl.fcntl(files[0], fcntl.F_DUPFD, 3000)
        try:
            fds = [f.fileno() for f in files] + [high]
            named = [fds[4], fds[1], high, fds[1]]
            p = self.probed(fds=fds, options=[x for fd in named for x in ("--fd", fd)])
            self.assertEqual(sorted(map(int, p["fds"])), sorted({0, 1, 2, *named}))
            for f in (files[4], files[1]):
                self.assertEqual(p["fds"][str(f.fileno())]["ino"], self.inode(f))
        finally:
            os.close(high)
            for f in files:
                f.close()

    def test_standard_ones_may_be_named(self):
        p = self.probed(options=["--fd", 0, "--fd", 1, "--fd", 2])
        self.assertEqual(sorted(p["fds"]), ["0", "1", "2"])

    def test_not_open(self):
        self.assertIn("--fd 777", self.refused("--fd", 777))

    def test_said_in_the_stream_wherever_that_is_named(self):
        for i, words in enumerate((["--bogus"], ["--memory", "0"], ["--fd", "777"], [])):
            for where in (True, False):
                path = os.path.join(self.work, f"verdicts-{i}-{where}")
                named = ["--verdicts", path]
                r = self.sgrun(*(named + words if where else words + named), *(["--", "/bin/true"] if words else []))
                self.assertEqual(r.status, 125, r.describe())
                with open(path) as f:
                    self.assertEqual(json.loads(f.read())["verdict"], "error")

    def test_not_a_number(self):
        for bad in ("x", "-1", "", "1x", "99999999999", "0x3"):
            with self.subTest(bad=bad):
                self.assertIn("--fd", self.refused("--fd", bad))

    def test_too_many(self):
        self.refused(*["--fd", "1"] * 1000)

    def test_audit_mode_and_stats_leak_none(self):
        if self.tier.has_bpf:
            p = self.probed(options=["--stats"])
            self.assertEqual(sorted(p["fds"]), ["0", "1", "2"])
            p = self.probed(options=["--mode", "audit"])
            self.assertEqual(sorted(p["fds"]), ["0", "1", "2"])
        p = self.probed(options=["--pids", 10])
        self.assertEqual(sorted(p["fds"]), ["0", "1", "2"])

    def closed(self, *which, options=()):
        """Started with these closed, the program must find them as closed as without sgrun."""
        import json
        r, w = self.pipe()
        n = fcntl.fcntl(w, fcntl.F_DUPFD, 50)
        os.set_inheritable(n, True)

        def close():
            for fd in which:
                os.close(fd)

        try:
            line = [self.probe, f"fd:{n}"]
            result = self.run_in(line, options=["--fd", n, *options], fds=(n,), preexec_fn=close)
            self.assertEqual(result.status, 0)
            got = json.loads(os.read(r.fileno(), 1 << 16))["fds"]
            self.bare(line, fds=(n,), preexec_fn=close)
            bare = json.loads(os.read(r.fileno(), 1 << 16))["fds"]
        finally:
            os.close(n)
        self.assertEqual(sorted(got), sorted(bare), got)
        for fd in which:
            self.assertNotIn(str(fd), got, got)

    def test_stdin_closed(self):
        self.closed(0)

    def test_stdout_closed(self):
        self.closed(1)

    def test_stderr_closed(self):
        self.closed(2)

    def test_all_closed(self):
        self.closed(0, 1, 2)

    def test_all_closed_with_more_to_open(self):
        self.closed(0, 1, 2, options=["--pids", 9, "--mode", "audit"])

    def test_stderr_closed_by_default(self):
        """The default stream has nowhere to go: the program runs all the same, and nothing lands in its files."""
        path = os.path.join(self.work, "made")
        r = self.do("open", path, os.O_CREAT | os.O_WRONLY, verdicts=None, preexec_fn=lambda: os.close(2))
        self.assertEqual(r.status, 0)
        self.assertEqual(os.path.getsize(path), 0)

    def test_stream_to_a_closed_descriptor(self):
        r = self.do("say", "x", verdicts="fd:1", preexec_fn=lambda: os.close(1))
        self.assertEqual(r.status, 125)
        self.assertIn("not open", r.errors)

    def test_stream_that_cannot_be_written(self):
        """The program's end is its own; that nobody can read how it came is said."""
        r = self.do("say", "x", verdicts="/dev/full")
        self.assertEqual((r.status, r.text), (0, "x\n"))
        self.assertEqual(r.errors, "sgrun: records were lost: they cannot be written: No space left on device\n")

    def test_stream_to_what_is_only_read(self):
        """The wrong end of a pipe, or a file to read: nobody would ever see a record."""
        path = os.path.join(self.work, "read")
        with open(path, "w"):
            pass
        file, pipe = os.open(path, os.O_RDONLY), os.pipe()
        for fd in (file, pipe[0]):
            r = self.do("say", "x", verdicts=f"fd:{fd}", fds=[fd])
            self.assertEqual((r.status, r.out), (125, b""))
            self.assertIn(f"--verdicts fd:{fd}: that descriptor is open for reading only", r.errors)
        self.assertRan(self.do("say", "x", verdicts=f"fd:{pipe[1]}", fds=[pipe[1]]), "x\n")
        for fd in (file, *pipe):
            os.close(fd)


class StandardStreams(LiveTest):
    def test_stdin(self):
        data = os.urandom(1 << 20)
        self.assertRan(self.run_in([self.act, "cat"], input=data), data)

    def test_stdin_of_a_file(self):
        data = bytes(range(256)) * 100
        with open(self.write("in", data), "rb") as f:
            f.seek(1000)
            self.assertRan(self.run_in([self.act, "cat"], stdin=f), data[1000:])

    def test_stderr_is_the_programs(self):
        r = self.do("complain", "a\x1b[31m\xff\n", "then", "say", "out")
        self.assertRan(r, "out\n")
        self.assertEqual(r.err, "a\x1b[31m\xff\n".encode())

    def test_nothing_of_sgruns_on_either(self):
        r = self.do("getppid", 1, lang="trap")
        self.assertKilled(r, "getppid")
        self.assertEqual((r.out, r.err), (b"", b""))

    def test_still_blocking(self):
        """The stream's non-blocking mode must not reach a descriptor that the program or the caller shares."""
        r, w = self.pipe()
        for verdicts in (None, f"fd:{w.fileno()}"):
            p = self.launch([self.probe], verdicts=verdicts, stderr=w, fds=(w.fileno(),))
            out, _ = p.process.communicate(timeout=60)
            import json
            self.assertFalse(json.loads(out)["fds"]["2"]["flags"] & os.O_NONBLOCK)
            self.assertFalse(fcntl.fcntl(w, fcntl.F_GETFL) & os.O_NONBLOCK)
            os.read(r.fileno(), 1 << 16)

    def test_socket_stays_blocking(self):
        import json
        import socket
        a, b = socket.socketpair()
        with a, b:
            p = self.launch([self.probe], verdicts=None, stderr=b)
            out, _ = p.process.communicate(timeout=60)
            self.assertFalse(json.loads(out)["fds"]["2"]["flags"] & os.O_NONBLOCK)
            self.assertFalse(fcntl.fcntl(b, fcntl.F_GETFL) & os.O_NONBLOCK)
            self.assertIn(b'"type":"start"', a.recv(1 << 16))


class Environment(LiveTest):
    def env_of(self, options=(), env=None, **how):
        p = self.probed(options=options, env=ENV if env is None else env, **how)
        return p["env"]

    def test_minimal(self):
        env = {**ENV, "SECRET": "x", "LD_PRELOAD": "/nonexistent.so", "LD_LIBRARY_PATH": "/", "TERM": "xterm"}
        got = self.env_of(env=env)
        self.assertEqual(sorted(got), ["HOME=/nonexistent", "LANG=C.UTF-8", "PATH=" + ENV["PATH"]])

    def test_minimal_of_nothing(self):
        self.assertEqual(sorted(self.env_of(env={})), ["HOME=/", "LANG=C.UTF-8", "PATH=" + ENV["PATH"]])

    def test_path_is_not_the_callers(self):
        self.assertIn("PATH=" + ENV["PATH"], self.env_of(env={**ENV, "PATH": "/somewhere"}))

    def test_term_on_a_terminal(self):
        t = self.terminal()
        got = self.env_of(env={**ENV, "TERM": "vt100"}, stdin=t.slave)
        self.assertIn("TERM=vt100", got)

    def test_by_name(self):
        env = {**ENV, "ONE": "1", "TWO": "a=b c\n", "EMPTY": ""}
        got = self.env_of(["--env", "ONE", "--env", "TWO", "--env", "EMPTY", "--env", "NOT_THERE"], env)
        self.assertEqual(sorted(got)[0], "EMPTY=")
        self.assertIn("ONE=1", got)
        self.assertIn("TWO=a=b c\n", got)
        self.assertEqual(len(got), 6)

    def test_with_value(self):
        got = self.env_of(["--env", "A=1", "--env", "B=", "--env", "A=2", "--env", "PATH=/x:/bin", "--env", "C=x=y"])
        self.assertEqual([e for e in got if e[:2] in ("A=", "B=", "C=", "PA")], ["PATH=/x:/bin", "A=2", "B=", "C=x=y"])

    def test_bytes(self):
        got = self.env_of(["--env", b"X=\xff\xfe\x01".decode(errors="surrogateescape")]) if False else None
        r = self.run_in([self.probe], options=["--env", os.fsdecode(b"X=\xff\xfe\x01")])
        import json
        got = json.loads(r.out)["env"]
        self.assertIn("X=\xff\xfe\x01", got)

    def test_all(self):
        env = {**ENV, "SECRET": "x", "PATH": "/bin:/y", "_": "z"}
        self.assertEqual(sorted(self.env_of(["--env-all"], env)), sorted(f"{k}={v}" for k, v in env.items()))
        got = self.env_of(["--env-all", "--env", "SECRET=y", "--env", "NEW=1"], env)
        self.assertEqual(sorted(got), sorted(f"{k}={v}" for k, v in {**env, "SECRET": "y", "NEW": "1"}.items()))

    def test_all_of_many(self):
        env = {**ENV, **{f"V{i}": "x" for i in range(50000)}}
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        r = self.do("say", "x", options=["--env-all"], env=env)
        self.assertRan(r)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, 3)

    def test_bad(self):
        for bad in ("", "=", "=x"):
            with self.subTest(bad=bad):
                self.assertIn("--env", self.refused("--env", bad))


class Directory(LiveTest):
    def test_chdir(self):
        self.assertEqual(self.probed(["--chdir", self.work])["cwd"], self.work)

    def test_relative(self):
        os.mkdir(os.path.join(self.work, "sub"))
        self.assertEqual(self.probed(["--chdir", "sub"], cwd=self.work)["cwd"], self.work + "/sub")

    def test_missing(self):
        self.assertIn("/nonexistent", self.refused("--chdir", "/nonexistent"))
        self.assertIn("passwd", self.refused("--chdir", "/etc/passwd"))

    def test_program_is_relative_to_it(self):
        """As env -C has it."""
        self.own(self.act)
        self.assertRan(self.run_in(["./act", "say", "hi"], options=["--chdir", self.work], cwd="/"), "hi\n")

    def test_script_is_relative_to_it(self):
        self.write("s", "#!/usr/bin/env sh\necho hi\n", 0o755)
        self.assertRan(self.run_in(["./s"], options=["--chdir", self.work], cwd="/"), "hi\n")

    def test_not_relative_to_the_callers(self):
        self.own(self.act)
        r = self.run_in(["./act", "say", "hi"], options=["--chdir", "/"], cwd=self.work)
        self.assertEqual(r.status, 127)

    def test_relative_to_the_callers_without_it(self):
        self.own(self.act)
        self.assertRan(self.run_in(["./act", "say", "hi"], cwd=self.work), "hi\n")


class Arguments(LiveTest):
    def test_bytes(self):
        words = [b"", b"a b", b"\xff\xfe", b"\xe4\xf6", "ä€😀".encode(), b"\x01\x1b[31m\n\t", b"--tier", b"--", b"-x"]
        r = self.run_in([self.probe, *map(os.fsdecode, words)])
        import json
        got = [a.encode("latin-1") for a in json.loads(r.out)["argv"]]
        self.assertEqual(got, [self.probe.encode(), *words])

    def test_huge(self):
        words = ["x" * 131000] * 8
        r = self.run_in([self.probe, *words])
        self.assertEqual(r.status, 0, r.errors[:300])
        self.assertIn("x" * 1000, r.text)
        self.assertEqual(r.start["argv"][0], self.probe)

    def test_huge_and_hard_to_write(self):
        """A control character takes six characters in JSON."""
        r = self.run_in([self.act, "exit", "3", *["\x01" * 131000] * 10])
        self.assertEqual(r.status, 3, r.errors[:300])
        self.assertEqual(r.start["argv"][:2], [self.act, "exit"])

    def test_many(self):
        r = self.run_in([self.act, "exit", "3", *["y"] * 50000])
        self.assertEqual(r.status, 3, r.errors[:300])
        self.assertEqual(r.start["argv"][:4], [self.act, "exit", "3", "y"])


class CoreDumps(LiveTest):
    def crash(self, run):
        def allow():
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

        where = os.path.join(self.work, run.__name__)
        os.mkdir(where)
        os.chown(where, self.tier.uid, self.tier.gid)
        r = run([self.act, "raise", "11"], cwd=where, preexec_fn=allow)
        self.assertIn(r.status, (-11, 139))
        return os.listdir(where)

    def test_none(self):
        with open("/proc/sys/kernel/core_pattern") as f:
            pattern = f.read().strip()
        if "/" not in pattern and not pattern.startswith("|"):
            self.assertNotEqual(self.crash(self.bare), [], "the control: a core file without sgrun")
        self.assertEqual(self.crash(self.run_in), [])


class Nested(LiveTest):
    def test_sgrun_in_a_shell_pipeline(self):
        """The usual way it is called: by a shell, in the middle of a pipe."""
        line = " ".join(self.command([self.act, "cat"], options=["--verdicts", os.path.join(self.work, "v")]))
        r = self.bare(["/bin/sh", "-c", f"printf abc | {line} | tr a-z A-Z"])
        self.assertEqual((r.status, r.out), (0, b"ABC"))

    def test_devnull_everything(self):
        null = open("/dev/null", "r+b")
        self.addCleanup(null.close)
        r = self.launch([self.act, "exit", "4"], stdin=null, stdout=null, stderr=null, verdicts=None)
        self.assertEqual(r.process.wait(60), 4)
        self.assertIs(subprocess.DEVNULL, subprocess.DEVNULL)
