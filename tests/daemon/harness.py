# SPDX-License-Identifier: Apache-2.0
"""A daemon of the tests' own: private socket, bpffs, state, cgroup and log, so that several can run on one host."""
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

NOBODY = 65534
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/"}
PACKET_MAX = 64 << 10
WAITING = ("7", "45", "47", "232", "271", "281")  # poll, recvfrom, recvmsg, epoll_wait, ppoll, epoll_pwait
MAGIC = 0x31444753
LAUNCH, SIGNAL, CANCEL, STARTED, RECORD, RESULT, FAILED, ASK, TIER, AGAIN, REMEMBER, GO, KNOWN, UNKNOWN = range(1, 15)


def cgroup_mount():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        for line in f:
            left, right = line.split(" - ")
            if right.startswith("cgroup2 "):
                return left.split()[4]
    raise RuntimeError("no cgroup2 is mounted")


def until(condition, seconds=60, step=0.02):
    """What condition() answers as soon as that is true. A host may be busy: the time is for what never comes."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result or time.monotonic() > end:
            return result
        time.sleep(step)


def waits(pid):
    """Whether the process sleeps until somebody says something to it: what was said before, it has answered."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            asleep = f.read().rsplit(")", 1)[1].split()[0] == "S"
        with open(f"/proc/{pid}/syscall", encoding="ascii") as f:
            return asleep and f.read().split()[0] in WAITING
    return False


class Daemon:
    def __init__(self, build, *options, log=True, out=None):
        self.sgd = os.path.join(build, "daemon", "sgd")
        self.sgctl = os.path.join(build, "daemon", "sgctl")
        self.sgrun = os.path.join(build, "runner", "sgrun")
        self.work = tempfile.mkdtemp(prefix="sgd-test.")
        os.chmod(self.work, 0o755)
        self.socket = os.path.join(self.work, "sgd.sock")
        self.log = os.path.join(self.work, "verdicts.log")
        self.bpf = os.path.join(self.work, "bpf")
        self.cgroup = "sgdtest-" + os.path.basename(self.work)[9:]
        self.options = list(options)
        self.wrapper = []  # a command that executes sgd
        self.keep_log = log
        self.out = out  # its standard output
        self.process = None
        self.attached = []
        self.seen = 0  # records() begins there
        os.mkdir(self.bpf)
        subprocess.run(["/usr/bin/mount", "-t", "bpf", "-o", "mode=0700", "bpf", self.bpf], check=True)
        self.start()

    def begin(self):
        with open(os.path.join(self.work, "err"), "ab") as err:
            self.process = subprocess.Popen(
                [*self.wrapper, self.sgd, "--socket", self.socket, "--log", self.log if self.keep_log else "none", "--bpffs",
                 os.path.join(self.bpf, "sandgate"), "--state", os.path.join(self.work, "state"), "--cgroup",
                 self.cgroup, *self.options], env=ENV, stdin=subprocess.DEVNULL, stdout=self.out, stderr=err)

    def start(self):
        self.begin()
        assert until(lambda: self.process.poll() is not None or self.answers(), 200), "sgd does not come up"
        assert self.process.poll() is None, self.errors()

    def answers(self):
        try:
            with self.connect() as s:
                return self.ask(s, {"op": "status"})["ok"]
        except OSError:
            return False

    def errors(self):
        with open(os.path.join(self.work, "err"), encoding="utf-8") as f:
            return f.read()

    def crash(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        return self.process.returncode

    def close(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        if self.process.poll() is None:
            self.crash()
        base = os.path.join(cgroup_mount(), self.cgroup)
        for path in [*self.attached, *(os.path.join(base, d) for d in self.sandboxes()), base]:
            with contextlib.suppress(OSError):
                with open(os.path.join(path, "cgroup.kill"), "w", encoding="ascii") as f:
                    f.write("1")
            until(lambda p=path: self.gone(p), 20)
        subprocess.run(["/usr/bin/umount", self.bpf], check=True)
        shutil.rmtree(self.work)

    @staticmethod
    def gone(path):
        with contextlib.suppress(OSError):
            os.rmdir(path)
        return not os.path.exists(path)

    def sandboxes(self):
        base = os.path.join(cgroup_mount(), self.cgroup)
        return [d.name for d in os.scandir(base) if d.is_dir()] if os.path.isdir(base) else []

    # ---- talking to it ----

    def connect(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(60)
        try:
            s.connect(self.socket)
        except OSError:
            s.close()
            raise
        return s

    @staticmethod
    def ask(s, request, fds=()):
        socket.send_fds(s, [json.dumps({"v": 1, **request}).encode()], list(fds))
        parts = []
        while True:
            data = s.recv(PACKET_MAX)
            if not data:
                raise ConnectionError("sgd closed the connection")
            answer = json.loads(data)
            if "ok" in answer:
                answer["parts"] = parts
                return answer
            parts.append(answer)

    def request(self, request, fds=()):
        with self.connect() as s:
            return self.ask(s, request, fds)

    def run(self, *args, user=None, groups=(), stdin=subprocess.DEVNULL, timeout=60, verdicts="/dev/null", **how):
        who = {"user": user, "group": user, "extra_groups": list(groups)} if user else {}
        return subprocess.run([self.sgrun, "--daemon", self.socket, "--verdicts", verdicts, *map(str, args)], env=ENV,
                              stdin=stdin, capture_output=True, timeout=timeout, text=True, **who, **how)

    def detach(self, *args, user=None, groups=()):
        """The id of a sandbox that goes on by itself. It holds its standard output, so that is no pipe that we read."""
        who = {"user": user, "group": user, "extra_groups": list(groups)} if user else {}
        with tempfile.TemporaryFile("w+") as out:
            subprocess.run([self.sgrun, "--daemon", self.socket, "--verdicts", "/dev/null", "--detach", *map(str, args)],
                           env=ENV, stdin=subprocess.DEVNULL, stdout=out, check=True, timeout=60, **who)
            out.seek(0)
            return out.read().strip()

    def popen(self, *args, **how):
        return subprocess.Popen([self.sgrun, "--daemon", self.socket, "--verdicts", "/dev/null", *map(str, args)],
                                env=ENV, text=True,
                                **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how})

    def ctl(self, *args, user=None, groups=(), **how):
        who = {"user": user, "group": user, "extra_groups": list(groups)} if user else {}
        return subprocess.run([self.sgctl, "--socket", self.socket, *map(str, args)], env=ENV, capture_output=True,
                              timeout=60, text=True, **who, **how)

    def mark(self):
        """records() begins with what is not there yet."""
        with open(self.log, "rb") as f:
            self.seen = f.read().rfind(b"\n") + 1

    def records(self, **match):
        with open(self.log, encoding="utf-8") as f:
            f.seek(self.seen)
            lines = [json.loads(line) for line in f if line.endswith("\n")]  # the last one may be half written
        return [r for r in lines if all(r.get(k) == v for k, v in match.items())]

    def listed(self):
        return [p["sandbox"] for p in self.request({"op": "list"})["parts"]]


class Cgroup:
    """A cgroup as a container runtime would make one."""

    def __init__(self, daemon, name):
        self.path = os.path.join(cgroup_mount(), f"{daemon.cgroup}-{name}")
        os.mkdir(self.path)
        daemon.attached.append(self.path)

    def start(self, code):
        """python code in it, from before its first line on."""
        p = subprocess.Popen(["/usr/bin/python3", "-c", "import os,sys; sys.stdin.readline()\n" + code], env=ENV, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with open(os.path.join(self.path, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write(str(p.pid))
        return p

    @staticmethod
    def go(p):
        p.stdin.write("\n")
        p.stdin.flush()

    def fd(self):
        return os.open(self.path, os.O_PATH | os.O_DIRECTORY)


def header(kind, size, magic=MAGIC, version=1):
    return struct.pack("=IHHII", magic, version, kind, size, 0)


SIGNALS = signal
