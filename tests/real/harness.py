# SPDX-License-Identifier: Apache-2.0
"""Runs one command bare and under sgrun in the same surroundings, so that the two can be compared byte for byte."""

import json
import os
import pty
import select
import shutil
import signal
import stat
import subprocess
import sys
import termios
import time

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STDOUT_KINDS = ("pipe", "file", "terminal")
MAX_OUTPUT = 16 << 20
slow = 1  # how many times longer programs may take: an emulated processor


class Outcome:
    """What one run left behind. status is what a shell would show: 128+N for a death by signal N."""

    def __init__(self, status, stdout, stderr, records=None):
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        self.records = records or []


class User:
    """Who runs the program. An id of None: whoever runs the tests."""

    def __init__(self, name, uid=None, gid=None):
        self.name = name
        self.uid = uid
        self.gid = gid

    def popen_args(self):
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path):
        if self.uid is not None:
            os.chown(path, self.uid, self.gid)


class Place:
    """A directory tree made afresh for every run: a working directory and a home of the user's own. It lies in /tmp,
    where C, Java and Lua put temporary files whatever TMPDIR says: that is what $TMP is in most launches."""

    def __init__(self, base, user):
        self.base = base
        self.user = user
        self.cwd = os.path.join(base, "work")
        self.home = os.path.join(base, "home")

    def fresh(self, files=()):
        shutil.rmtree(self.base, ignore_errors=True)
        for d in (self.base, self.cwd, self.home):
            os.mkdir(d, 0o755)
            self.user.own(d)
        for source, name in files:
            target = os.path.join(self.cwd, name)
            shutil.copyfile(source, target)
            shutil.copymode(source, target)
            self.user.own(target)

    def env(self):
        return {"PATH": PATH, "HOME": self.home, "LANG": "C.UTF-8", "TMPDIR": "/tmp"}


def drain_terminal(master, proc, deadline):
    """Everything written to a terminal until its last holder closes it, or the program has ended and it is empty."""
    out = bytearray()
    ended = None
    while time.monotonic() < deadline:
        ready, _, _ = select.select([master], [], [], 0.05)
        if not ready:
            if proc.poll() is not None:
                ended = ended or time.monotonic()
                if time.monotonic() - ended > 0.2:
                    break
            continue
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        out += chunk
        if len(out) > MAX_OUTPUT:
            break
    return bytes(out)


def execute(argv, place, kind, stdin=None, timeout=120):
    """Runs argv in place with stdout of the given kind; stdin is text for the program or None."""
    timeout *= slow
    deadline = time.monotonic() + timeout
    out_path = os.path.join(place.base, "stdout")
    err_path = os.path.join(place.base, "stderr")
    closing = []
    master = None
    with open(err_path, "wb+") as err, open(out_path, "wb+") as out_file:
        if kind == "terminal":
            master, slave = pty.openpty()
            termios.tcsetwinsize(slave, (24, 80))
            if place.user.uid is not None:
                os.fchown(slave, place.user.uid, -1)
            closing.append(slave)
            stdout = slave
        elif kind == "file":
            stdout = out_file.fileno()
        else:
            read_end, stdout = os.pipe()
            closing.append(stdout)
        if stdin is not None:
            source, feed = os.pipe()
            os.write(feed, stdin.encode())
            os.close(feed)
            closing.append(source)
        elif kind == "terminal":
            source = slave
        else:
            source = os.open(os.devnull, os.O_RDONLY)
            closing.append(source)
        try:
            proc = subprocess.Popen(argv, stdin=source, stdout=stdout, stderr=err, cwd=place.cwd, env=place.env(),
                                    start_new_session=True, **place.user.popen_args())
        finally:
            for fd in closing:
                os.close(fd)
        try:
            if kind == "terminal":
                data = drain_terminal(master, proc, deadline)
            elif kind == "pipe":
                data = drain_pipe(read_end, deadline)
            proc.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            kill_session(proc)
            data = b"" if kind == "file" else data
            err.write(b"\n(harness: no end within %d s)\n" % timeout)
        finally:
            if kind == "terminal":
                os.close(master)
            elif kind == "pipe":
                os.close(read_end)
        if kind == "file":
            out_file.seek(0)
            data = out_file.read(MAX_OUTPUT)
        err.seek(0)
        stderr = err.read(1 << 20)
    status = proc.returncode
    return Outcome(128 - status if status < 0 else status, data, stderr)


def drain_pipe(fd, deadline):
    out = bytearray()
    while len(out) <= MAX_OUTPUT:
        ready, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            break
        chunk = os.read(fd, 65536)
        if not chunk:
            break
        out += chunk
    return bytes(out)


def kill_session(proc):
    """The program leads a session of its own: its group goes with it."""
    try:
        os.killpg(proc.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    proc.wait()


def read_records(path):
    """The verdict stream, one object a line. A line that is not JSON is itself the finding."""
    records = []
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                try:
                    records.append(json.loads(line))
                except ValueError:
                    records.append({"type": "unreadable", "line": line.rstrip("\n")})
    except FileNotFoundError:
        pass
    return records


class Sandbox:
    """How sgrun is called."""

    def __init__(self, sgrun, tier=None, daemon=None):
        self.sgrun = sgrun
        self.tier = tier
        self.daemon = daemon

    def execute(self, language, argv, place, kind, stdin=None, timeout=120, options=()):
        verdicts = os.path.join(place.base, "verdicts")
        call = [self.sgrun, "--lang", language, "--verdicts", verdicts]
        if self.tier:
            call += ["--tier", self.tier]
        if self.daemon:
            call += ["--daemon", self.daemon]
        for name, value in place.env().items():
            call += ["--env", f"{name}={value}"]
        outcome = execute(call + list(options) + ["--"] + argv, place, kind, stdin, timeout)
        outcome.records = read_records(verdicts)
        return outcome

    def objections(self, outcome, user):
        """What the verdict stream says that it should not say of a program that did nothing forbidden."""
        out = []
        records = outcome.records
        kinds = [r.get("type") for r in records]
        if kinds[:1] != ["start"]:
            out.append("the stream does not begin with a start record")
        elif self.tier is None or self.tier == "auto":
            tier = records[0].get("tier")
            expected = ("bpf", "lsm") if os.geteuid() == 0 and user.uid in (None, 0) else ("unprivileged",)
            if tier not in expected:
                out.append(f"ran in tier {tier}, expected {' or '.join(expected)}")
        elif records[0].get("tier") != self.tier:
            out.append(f"ran in tier {records[0].get('tier')}, asked for {self.tier}")
        if kinds[-1:] != ["exit"]:
            out.append("the stream does not end with an exit record")
        else:
            last = records[-1]
            wanted = "signal" if outcome.status > 128 and "signal" in last else "ok"
            if last.get("verdict") != wanted:
                out.append(f"verdict {last.get('verdict')}, expected {wanted}")
            if last.get("integrity") != "complete":
                out.append(f"integrity {last.get('integrity')}: {last.get('reasons')}")
        out += [json.dumps(r) for r in records if r.get("type") in ("syscall_violation", "limit", "lost", "unreadable")]
        return out


def first_difference(bare, inside):
    if bare == inside:
        return None
    a, b = bare.split(b"\n"), inside.split(b"\n")
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return f"line {i + 1}:\n    bare:   {x[:300]!r}\n    inside: {y[:300]!r}"
    longer, name = (a, "bare") if len(a) > len(b) else (b, "inside")
    return f"line {min(len(a), len(b)) + 1}: only {name} goes on: {longer[min(len(a), len(b))][:300]!r}"


def usable_copy(sgrun, directory):
    """sgrun may lie where an ordinary user cannot reach it: a copy that everyone can run."""
    target = os.path.join(directory, "sgrun")
    shutil.copyfile(sgrun, target)
    os.chmod(target, stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    return target


def in_ci():
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def fail(message):
    print(message, file=sys.stderr)
    sys.exit(2)
