# SPDX-License-Identifier: Apache-2.0
"""sgd in a cgroup namespace of its own, as in a container, beside cgroups that lie in none of the top ones; and in a PID namespace
of its own, where it can do little, and says so."""
import contextlib
import os

from harness import Cgroup, Daemon, cgroup_mount, until
from test_attach import FORBIDDEN

# Goes into the cgroup that is named, makes the namespace there and executes sgd.
ENTER = """\
import ctypes, os, sys
libc = ctypes.CDLL(None)
with open(sys.argv[1] + "/cgroup.procs", "w") as f: f.write("0")
assert libc.unshare(0x02000000 | 0x20000) == 0 and libc.mount(b"none", b"/", None, 1 << 18 | 1 << 14, None) == 0
if sys.argv[2] == "own":
    mounts = [line.split()[4] for line in open("/proc/self/mountinfo") if " - cgroup2 " in line]
    for path in reversed(mounts): libc.umount2(path.encode(), 2)
    assert libc.mount(b"cgroup2", mounts[0].encode(), b"cgroup2", 0, None) == 0
    with open(mounts[0] + "/sgd/cgroup.procs", "w") as f: f.write("0")
os.execv(sys.argv[3], sys.argv[3:])
"""
SPEAK = """\
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(%r)
s.send(b'{"v": 1, "op": "status"}')
print(s.recv(65536).decode())
"""


class Inside(Daemon):
    mount = ""  # "own": cgroup2 is mounted in the namespace, and its root is the namespace's

    def begin(self):
        self.top = os.path.join(cgroup_mount(), self.cgroup + "-pods")
        for name in ("sgd/sgd", "sgd/job", "other"):
            os.makedirs(os.path.join(self.top, name), exist_ok=True)
        self.wrapper = ["/usr/bin/python3", "-c", ENTER, os.path.join(self.top, "sgd"), self.mount]
        super().begin()

    def close(self):
        super().close()
        for at, _, _ in os.walk(self.top, topdown=False):
            self.gone(at)


class InsideOwn(Inside):
    mount = "own"


class Pod(Cgroup):
    def __init__(self, daemon, name):
        self.path = os.path.join(daemon.top, name)
        daemon.attached.append(self.path)


@contextlib.contextmanager
def inside(daemon, kind):
    build = os.path.dirname(os.path.dirname(daemon.sgd))
    d = kind(build, "--metrics-port", "0")
    try:
        yield d
    finally:
        d.close()


def killed(d, pod):
    p = pod.start(FORBIDDEN)
    r = d.ctl("attach", "--pid", p.pid, "--lang", "python")
    assert r.returncode == 0, r
    pod.go(p)
    assert (p.communicate(timeout=60)[0], p.returncode) == ("", -9)
    assert d.ctl("detach", d.listed()[0]["id"]).returncode == 0


def test_with_the_hosts_hierarchy(daemon):
    """As the DaemonSet mounts it. /proc names cgroups from the namespace's root there, and those beside it by `..`."""
    with inside(daemon, Inside) as d:
        pod = Pod(d, "other")
        killed(d, pod)
        r = d.ctl("attach", "--cgroup", os.path.join(d.top, "sgd"), "--lang", "python")
        assert r.returncode == 1 and "sgd itself is in the cgroup" in r.stderr, r
        p = pod.start(SPEAK % d.socket)
        assert d.ctl("attach", "--pid", p.pid, "--lang", "python", "--mode", "audit").returncode == 0
        pod.go(p)
        assert "a program in a sandbox may not talk to sgd" in p.communicate(timeout=60)[0]
        assert d.ctl("detach", d.listed()[0]["id"]).returncode == 0


def test_with_a_hierarchy_of_its_own(daemon):
    """As a container engine mounts it. How deep it lies in the whole one no file tells, and the programs go by that."""
    with inside(daemon, InsideOwn) as d:
        pod = Pod(d, "sgd/job")
        if tuple(map(int, os.uname().release.split(".")[:2])) >= (5, 15):
            killed(d, pod)
            return
        r = d.ctl("attach", "--cgroup", pod.path, "--lang", "python")
        assert r.returncode == 1 and "how deep the cgroup lies cannot be told" in r.stderr, r


class Apart(Daemon):
    def begin(self):
        self.wrapper = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child", "--"]
        super().begin()

    def answers(self):
        return "listens at" in self.errors()  # and refuses who asks it


def test_in_a_pid_namespace_of_its_own(daemon):
    """As in a container without the host's: it knows no client, and processes of the cgroups that it discovers have no numbers."""
    pod = Cgroup(daemon, "apart")
    p = pod.start("sys.stdin.readline()")
    build = os.path.dirname(os.path.dirname(daemon.sgd))
    d = Apart(build, "--metrics-port", "0", "--discover", "/" + os.path.basename(pod.path))
    try:
        for options in ((), ("--tier", "bpf")):
            r = d.run(*options, "--lang", "c", "--", "/bin/true")
            assert r.returncode == 125 and "sgd refuses: a client in another pid namespace" in r.stderr, r
        assert until(lambda: d.records(type="start"))
        p.kill()
        p.communicate()
        assert until(lambda: Daemon.gone(pod.path)) and until(lambda: d.records(type="exit"))
        r, = d.records(type="exit")
        assert r["integrity"] == "degraded" and any("another PID namespace than sgd" in why for why in r["reasons"]), r
    finally:
        p.kill()
        d.close()
