# SPDX-License-Identifier: Apache-2.0
"""sgctl tail and sgctl top: everybody sees what is theirs, as it comes, and a reader that does not read stops nothing."""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from harness import ENV, NOBODY, Cgroup, until, waits

OPTIONS = ("--group", str(NOBODY))
PYTHON = "/usr/bin/python3"


class Tail:
    def __init__(self, daemon, *args, user=None):
        self.path = os.path.join(daemon.work, f"tail-{time.monotonic_ns()}")
        who = {"user": user, "group": user, "extra_groups": []} if user else {}
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen([daemon.sgctl, "--socket", daemon.socket, *args, "tail"], env=ENV,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, **who)
        assert until(lambda: waits(self.process.pid))

    def lines(self):
        with open(self.path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def violation(daemon, **how):
    r = daemon.run("--lang", "python", "--", PYTHON, "-c", "import os; os.execv('/bin/true', ['true'])", **how)
    assert r.returncode == 159, r


def test_tail_shows_records_as_they_come(daemon):
    tail, only, mine = Tail(daemon), Tail(daemon, "--type", "syscall_violation"), Tail(daemon, user=NOBODY)
    try:
        violation(daemon)
        assert until(lambda: [r["type"] for r in tail.lines()] == ["start", "syscall_violation", "exit"]), tail.lines()
        assert until(lambda: [r["syscall"] for r in only.lines()] == ["execve"]), only.lines()
        assert mine.lines() == [], "a user sees root's sandbox"
        violation(daemon, user=NOBODY)
        assert until(lambda: len(mine.lines()) == 3), mine.lines()
        assert until(lambda: len(tail.lines()) == 6), tail.lines()
        assert {r["sandbox"] for r in mine.lines()} == {tail.lines()[-1]["sandbox"]}
    finally:
        for t in (tail, only, mine):
            t.end()


def test_tail_of_records_that_there_are_not(daemon):
    for word, what in (("syscall_violations", 'there are no such records; did you mean "syscall_violation"?'),
                       ("nothing-like-it", "expected start, syscall_violation, lsm_violation, audit, limit, lost, phase or exit")):
        r = subprocess.run([daemon.sgctl, "--socket", daemon.socket, "tail", "--type", word], env=ENV, capture_output=True, text=True,
                           timeout=10, check=False)
        assert (r.returncode, r.stdout) == (1, "") and r.stderr == f"sgctl: --type {word}: {what}\n", r


def test_tail_of_a_language_by_its_alias(daemon):
    alias, name, other = Tail(daemon, "--lang", "py"), Tail(daemon, "--lang", "python"), Tail(daemon, "--lang", "js")
    try:
        violation(daemon)
        for tail in (name, alias):
            assert until(lambda t=tail: len(t.lines()) == 3), (tail is alias, tail.lines())
        assert other.lines() == []
    finally:
        for t in (alias, name, other):
            t.end()


def test_an_answer_that_gets_lost_is_none(daemon):
    for args in (["status"], ["list"]):
        with open("/dev/full", "wb") as full:
            r = subprocess.run([daemon.sgctl, "--socket", daemon.socket, *args], env=ENV, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert r.returncode == 1 and "cannot be written" in r.stderr, (args, r)


def test_a_tail_that_does_not_read_stops_nothing(daemon):
    with daemon.connect() as s:
        daemon.ask(s, {"op": "tail"})
        for _ in range(5):
            violation(daemon)
        assert daemon.request({"op": "status"})["ok"]


def test_top_on_80_columns(daemon):
    sandbox = daemon.detach("--lang", "python", "--stats", "--", PYTHON, "-c",
                            "import os, time\nend = time.time() + 600\nwhile time.time() < end: os.getppid()")
    try:
        assert until(lambda: daemon.request({"op": "show", "id": sandbox})["sandbox"]["stats"]["total"] > 1000)  # it is at it already
        r = daemon.ctl("top", "--once")
        assert r.returncode == 0, r
        lines = r.stdout.splitlines()
        assert lines[0].startswith("1 sandboxes (0 attached)"), lines
        row = next(line.split() for line in lines if line.startswith(sandbox))
        assert row[1:4] == ["running", "python", "enforce"], row
        assert row[5] != "-" and row[5] != "0", row
        assert max(map(len, lines)) <= 80, lines
        screen(daemon, sandbox)
    finally:
        assert daemon.ctl("kill", sandbox).returncode == 0
    assert until(lambda: not daemon.listed())


def screen(daemon, sandbox):
    """On a terminal it is drawn again and again, until q is pressed."""
    with Terminal(daemon, "top") as t:
        frames = t.frames(2)
        assert len(frames) == 2 and sandbox in frames[1], frames
        t.press(b"q")
        assert t.end() == 0


class Terminal:
    """sgctl on a terminal of that size."""

    def __init__(self, daemon, *args, rows=24, columns=80, stdin=None):
        self.fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.slave, self.before, self.text = slave, termios.tcgetattr(slave), b""
        self.process = subprocess.Popen([daemon.sgctl, "--socket", daemon.socket, *args], env=ENV, start_new_session=True,
                                        stdin=stdin or slave, stdout=slave, stderr=slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.fd)
        os.close(self.slave)

    def frames(self, n, seconds=60):
        """The first n of them that are whole."""
        end = time.monotonic() + seconds
        while self.text.count(b"\x1b[2J") < n + 1 and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.5)[0]:
                self.text += os.read(self.fd, 65536)
        return self.text.decode().split("\x1b[H\x1b[2J")[1:n + 1]

    def press(self, keys):
        os.write(self.fd, keys)

    def end(self):
        status = self.process.wait(60)
        assert termios.tcgetattr(self.slave) == self.before, "the terminal is not as it was"
        return status


def test_top_on_a_small_terminal(daemon):
    cgroups = [Cgroup(daemon, f"row{i}") for i in range(9)]
    for c in cgroups:
        assert daemon.ctl("attach", "--cgroup", c.path, "--lang", "python").returncode == 0
    try:
        for rows, columns, more in ((10, 80, "+ 4 more"), (13, 30, "")):
            with Terminal(daemon, "top", rows=rows, columns=columns) as t:
                frame, = t.frames(1)
                lines = frame.splitlines()
                # The cursor stands in the last line: one more would scroll the first one away.
                assert frame.endswith("\n") and len(lines) == rows - 1 and lines[0].startswith("9 sandboxes"), lines
                assert max(map(len, lines)) <= columns and lines[-1].startswith(more), lines
                t.process.terminate()
                assert t.end() == -signal.SIGTERM
        with Terminal(daemon, "top", stdin=subprocess.DEVNULL) as t:
            assert len(t.frames(2)) == 2 and t.process.poll() is None
    finally:
        for b in daemon.listed():
            assert daemon.ctl("detach", b["id"]).returncode == 0


def test_offline_questions(daemon):
    r = subprocess.run([daemon.sgctl, "policy", "check", "/dev/null"], capture_output=True, text=True, check=False)
    assert r.returncode == 2 and "defines no language" in r.stderr, r
    r = subprocess.run([daemon.sgctl, "policy", "list"], capture_output=True, text=True, check=False)
    assert r.returncode == 0 and "python" in r.stdout, r
    for args in (["doctor"], ["policy", "explain", "--lang", "python"]):
        r = daemon.ctl("--json", *args)
        assert r.returncode == 0 and json.loads(r.stdout), r


def test_names_drive_no_terminal(daemon):
    """A cgroup is called what its owner likes."""
    cgroup = Cgroup(daemon, "\x1b]0;title\x07\x9b2J")
    r = daemon.ctl("attach", "--cgroup", cgroup.path, "--lang", "python")
    again = daemon.ctl("attach", "--cgroup", cgroup.path, "--lang", "python")
    assert (r.returncode, again.returncode) == (0, 1), (r, again)
    name = daemon.listed()[0]["id"]
    for text in (r.stdout, again.stderr, daemon.ctl("show", name).stdout):
        assert "?]0;title???2J" in text and not set("\x1b\x07\x9b") & set(text), text
    assert daemon.ctl("detach", name).returncode == 0


def test_an_argument_for_nothing(daemon):
    for args in (["list", "x"], ["status", "x"], ["top", "x"], ["show", "x", "y"], ["attach", "x", "--pid", "1", "--lang", "c"]):
        r = daemon.ctl(*args)
        assert r.returncode == 1 and "one argument too many" in r.stderr, r
