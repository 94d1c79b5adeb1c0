# SPDX-License-Identifier: Apache-2.0
"""Signals sent to sgrun, and what stopping and continuing does."""
import fcntl
import os
import signal
import subprocess
import tempfile
import time

from harness import LiveTest, Terminal, alive, processes_naming, sandbox_cgroups, wait_until

S = signal


def state(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Passed(LiveTest):
    def ready(self, *words, **how):
        p = self.launch([self.act, *map(str, words)], **how)
        line = p.line()
        self.assertTrue(line.startswith(b"ready"), line)
        return p, int(line.split()[1])

    def test_each(self):
        for sig in (S.SIGTERM, S.SIGINT, S.SIGHUP, S.SIGQUIT, S.SIGUSR1, S.SIGUSR2, S.SIGALRM, S.SIGWINCH):
            with self.subTest(sig=sig):
                p, _ = self.ready("catch", 1)
                p.send(sig)
                r = p.wait()
                self.assertRan(r, f"got {int(sig)}\n")
                self.check_stream(r)

    def test_several(self):
        p, _ = self.ready("catch", 3)
        for sig in (S.SIGUSR1, S.SIGUSR2, S.SIGTERM):
            p.send(sig)
            self.assertEqual(p.line(), b"got %d" % sig)
        self.assertRan(p.wait())

    def test_many_of_those_that_do_not_end(self):
        p, pid = self.ready("catch", 1000)
        for _ in range(5):
            p.send(S.SIGUSR1)
            self.assertEqual(p.line(), b"got %d" % S.SIGUSR1)
        self.assertTrue(alive(pid))

    def test_default_action(self):
        for sig in (S.SIGTERM, S.SIGINT, S.SIGHUP, S.SIGUSR1):
            with self.subTest(sig=sig):
                p = self.launch([self.act, "pid", "then", "sleep", "30"])
                p.line()
                p.send(sig)
                r = p.wait()
                self.assertEqual((r.status, r.exit["verdict"], r.exit["signal"]), (128 + sig, "signal", sig))
                self.check_stream(r)

    def test_second_request_ends_one_that_ignores_it(self):
        for first, second in ((S.SIGTERM, S.SIGTERM), (S.SIGINT, S.SIGTERM), (S.SIGHUP, S.SIGINT)):
            with self.subTest(first=first, second=second):
                p, pid = self.ready("ignore", 30)
                p.send(first)
                self.assertTrue(wait_until(p.has_taken))
                time.sleep(0.2)
                self.assertTrue(alive(pid))
                p.send(second)
                r = p.wait()
                self.assertEqual((r.status, r.exit["verdict"], r.exit["signal"]), (137, "signal", 9))
                self.check_stream(r)
                self.assertFalse(alive(pid))

    def test_one_request_that_comes_twice(self):
        """^C goes to all in the terminal's foreground, and npm or make pass on theirs: that is no second request."""
        for _ in range(20):  # on a busy host they may reach it as two, one long after the other
            p, pid = self.ready("ignore", 30)
            p.send(S.SIGINT)
            time.sleep(0.005)
            p.send(S.SIGINT)
            wait_until(lambda: p.process.poll() is not None or p.has_taken())
            time.sleep(0.3)
            if alive(pid):
                break
            p.wait()
        self.assertTrue(alive(pid))
        p.send(S.SIGINT)
        r = p.wait()
        self.assertEqual((r.status, r.exit["signal"], r.exit.get("cancelled")), (137, 9, True))

    def test_while_starting(self):
        """Whenever it comes, sgrun ends and leaves nothing."""
        program = self.own(self.act)
        for i in range(12):
            p = self.launch([program, "sleep", "30"])
            time.sleep(0.0008 * i)
            p.send(S.SIGTERM)
            r = p.wait()
            self.assertIn(r.status, (143, -S.SIGTERM), r.describe())
        self.assertNoSurvivor()

    def test_interrupt_key(self):
        """^C on sgrun's terminal: the program has a session of its own and is told by sgrun."""
        t = Terminal()
        self.addCleanup(t.close)
        os.fchown(t.slave, self.tier.uid, self.tier.gid)
        import termios
        mode = termios.tcgetattr(t.slave)
        mode[3] |= termios.ISIG
        termios.tcsetattr(t.slave, termios.TCSANOW, mode)

        def control():
            os.setsid()
            fcntl.ioctl(t.slave, 0x540E, 0)

        p = self.launch([self.act, "catch", "1"], stdin=t.slave, preexec_fn=control)
        self.assertTrue(p.line().startswith(b"ready"))
        os.write(t.master, b"\x03")
        self.assertRan(p.wait(), f"got {int(S.SIGINT)}\n")


class StopAndContinue(LiveTest):
    def test_by_itself(self):
        p = self.launch([self.act, "pid", "then", "stop", "then", "say", "on"])
        pid = int(p.line().split()[1])
        self.assertTrue(wait_until(lambda: state(pid) == "T"))
        time.sleep(0.1)
        self.assertIsNone(p.process.poll())
        os.kill(pid, S.SIGCONT)
        r = p.wait()
        self.assertRan(r, "on\n")
        self.check_stream(r)

    def test_continued_through_sgrun(self):
        p = self.launch([self.act, "pid", "then", "stop", "then", "say", "on"])
        pid = int(p.line().split()[1])
        self.assertTrue(wait_until(lambda: state(pid) == "T"))
        p.send(S.SIGCONT)
        self.assertRan(p.wait(), "on\n")

    def test_killed_while_stopped(self):
        p = self.launch([self.act, "pid", "then", "stop"])
        pid = int(p.line().split()[1])
        self.assertTrue(wait_until(lambda: state(pid) == "T"))
        p.send(S.SIGTERM)
        p.send(S.SIGTERM)
        wait_until(lambda: p.process.poll() is not None or p.has_taken())
        time.sleep(0.1)
        p.send(S.SIGTERM)
        self.assertIn(p.wait().status, (137, 143))

    def test_violation_while_sgrun_is_stopped(self):
        """A stopped supervisor lets nothing through; the verdict comes when it goes on."""
        p = self.launch([self.own(self.act), "pid", "then", "cat", "then", "getppid", "1", "then", "say", "through"],
                        lang="trap", stdin=subprocess.PIPE)
        pid = int(p.line().split()[1])
        p.send(S.SIGSTOP)
        p.process.stdin.close()
        p.process.stdin = None
        time.sleep(0.3)
        if alive(pid):  # it waits in the kernel for the supervisor's word
            self.assertFalse(self.tier.has_bpf)
        p.send(S.SIGCONT)
        r = p.wait()
        self.assertKilled(r, "getppid")
        self.assertEqual(r.out, b"")
        self.check_stream(r)
        self.assertFalse(processes_naming(self.work))


class SelfInflicted(LiveTest):
    def test_program_signals_itself_and_its_children(self):
        r = self.run_in(["/bin/sh", "-c", "trap 'echo got' USR1; kill -USR1 $$; sleep 20 & kill $!; wait $!; echo $?"])
        self.assertRan(r, "got\n143\n")

    def test_sgrun_is_out_of_reach(self):
        p = self.launch(["/bin/sh", "-c", "kill -TERM $PPID; echo $?; kill -KILL $PPID; echo $?; echo end"], stderr=subprocess.DEVNULL)
        r = p.wait()
        self.assertRan(r, "1\n1\nend\n")
        self.check_stream(r)

    def test_a_process_beside_it_is_out_of_reach(self):
        from harness import start
        victim = start(["/bin/sleep", "30"], identity=self.tier.identity)
        self.addCleanup(victim.kill)
        for lang in ("open", "python"):
            with self.subTest(lang=lang):
                code = f"import os\ntry:\n os.kill({victim.pid}, 9); print('killed')\nexcept OSError as e: print(e.errno)"
                r = self.run_in(["/usr/bin/python3", "-c", code], lang=lang)
                self.assertRan(r, "1\n")
        self.assertIsNone(victim.process.poll())


TRACER = """import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
print(libc.ptrace(0x4206, int(sys.argv[1]), None, None), flush=True)  # PTRACE_SEIZE
sys.stdin.read()
"""


class Traced(LiveTest):
    """By a process outside, which waits for nothing: nobody else can wait for the program while it lives."""

    def held(self):
        p = self.launch(["/bin/sh", "-c", "sleep 99 & echo $$ $!; exec cat"], options=["--wall-time", "2500ms"], stdin=subprocess.PIPE)
        first, child = map(int, p.line().split())
        tracer = subprocess.Popen(["/usr/bin/python3", "-c", TRACER, str(first)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True, **self.tier.identity)
        self.addCleanup(tracer.communicate)
        if tracer.stdout.readline() != "0\n":
            p.kill()
            self.skipTest("nobody may trace here")
        p.process.stdin.close()
        p.process.stdin = None
        self.assertTrue(wait_until(lambda: state(first) == "Z"))
        return p, child, tracer

    def test_for_ever(self):
        p, child, tracer = self.held()
        before = cpu(p.pid)
        time.sleep(2)
        self.assertLess(cpu(p.pid) - before, 0.5)
        self.assertFalse(alive(child))
        r = p.wait()
        self.check_schema(r.records)
        self.assertEqual((r.status, r.exit["verdict"], r.of("limit")), (125, "error", []), r.describe())
        self.assertIn(f"process {tracer.pid} traces it", r.exit["error"])
        self.assertEqual(r.exit["reasons"], [r.exit["error"]])
        self.assertLess(r.exit["wall_ms"], 2400)
        self.assertFalse(sandbox_cgroups(p.pid))

    def test_for_a_while(self):
        p, child, tracer = self.held()
        time.sleep(2.7)  # longer than its time, and less than it is waited for
        tracer.communicate()
        r = p.wait()
        self.check_stream(r)
        self.assertEqual((r.status, r.exit["verdict"], r.of("limit")), (0, "ok", []), r.describe())
        self.assertLess(r.exit["wall_ms"], 2400)
        self.assertFalse(alive(child))

    def test_asked_to_end(self):
        p, _, _ = self.held()
        p.send(S.SIGTERM)
        self.assertEqual(p.wait(4).exit["verdict"], "error")


class Neighbours(LiveTest):
    """What a crash left is removed by the next sgrun, and nothing else."""
    tiers = ("bpf", "unprivileged")

    def test_a_pid_namespace_beside_it(self):
        """There the pid of the one that runs is nobody's."""
        p = self.launch([self.act, "pid", "then", "sleep", "30"])
        p.line()
        with tempfile.TemporaryFile() as out:
            subprocess.run(["/usr/bin/unshare", "--pid", "--fork", "--mount-proc", *self.command(["/bin/true"])], check=True,
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60)
        self.assertTrue(sandbox_cgroups(p.pid))
        self.assertIsNone(p.process.poll())
        p.send(signal.SIGTERM)
        r = p.wait()
        self.assertEqual((r.status, r.exit["verdict"]), (128 + signal.SIGTERM, "signal"))
        self.assertFalse(sandbox_cgroups(p.pid))


class FirstProcess(LiveTest):
    """Of a PID namespace, as in a container: it gets every orphan."""
    tiers = ("bpf", "unprivileged")

    CODE = """i=0; while [ $i -lt 60 ]; do ( /bin/sleep 0.01 & ); i=$((i+1)); done; /bin/sleep 0.5
for look in 1 2 3 4 5 6 7 8 9; do
n=0; for d in /proc/[0-9]*; do read -r _ _ s _ < $d/stat; [ "$s" = Z ] && n=$((n+1)); done; [ $n = 0 ] && break; /bin/sleep 1; done; echo $n left"""

    def test_orphans_are_waited_for(self):
        line = self.command(["/bin/sh", "-c", self.CODE], lang="compile")
        r = subprocess.run(["/usr/bin/unshare", "--pid", "--fork", "--mount-proc", *line], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=60)
        self.assertEqual((r.returncode, r.stdout), (0, "0 left\n"), r.stderr)
