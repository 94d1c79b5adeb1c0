# SPDX-License-Identifier: Apache-2.0
"""Programs that a process outside traces and does not wait for: it can keep them from ending, or from being waited for."""
import contextlib
import os
import subprocess
import time

from harness import Daemon, ENV, NOBODY, cgroup_mount, until

OPTIONS = ("--group", str(NOBODY))
TRACEEXIT = 0x40
TRACER = """import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
print(libc.ptrace(0x4206, int(sys.argv[1]), None, int(sys.argv[2])), flush=True)  # PTRACE_SEIZE
sys.stdin.read()
"""


@contextlib.contextmanager
def traced(pid, options=0):
    tracer = subprocess.Popen(["/usr/bin/python3", "-c", TRACER, str(pid), str(options)], env=ENV, text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert tracer.stdout.readline() == "0\n"
        yield tracer
    finally:
        tracer.communicate()


def stat(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return f.read().rsplit(")", 1)[1].split()


def cpu(daemon):
    fields = stat(daemon.process.pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def zombies(daemon):
    with open(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children", encoding="ascii") as f:
        return [pid for pid in f.read().split() if stat(pid)[0] == "Z"]


def stuck(daemon):
    return daemon.request({"op": "status"}).get("stuck")


def start(daemon):
    """A program that ends when its input does, and its time, which is over sooner than its tracer lets go of it."""
    p = daemon.popen("--lang", "c", "--wall-time", "2500ms", "--", "/bin/cat", stdin=subprocess.PIPE, user=NOBODY, group=NOBODY, extra_groups=[])
    return p, until(lambda: [(b["id"], b["pid"]) for b in daemon.listed() if b["state"] == "running"])[0]


def test_an_end_that_its_tracer_keeps(daemon):
    p, (name, pid) = start(daemon)
    with traced(pid) as tracer:
        p.stdin.close()
        p.stdin = None
        assert until(lambda: stat(pid)[0] == "Z")
        before = cpu(daemon)
        begin = time.monotonic()
        time.sleep(2)
        assert cpu(daemon) - before < 0.5, "sgd turns in circles"
        p.communicate(timeout=60)
        assert 4 < time.monotonic() - begin < 30, time.monotonic() - begin
        r, = daemon.records(sandbox=name, type="exit")
        assert p.returncode == 125 and r["verdict"] == "error" and r["reasons"] == [r["error"]], r
        assert f"process {tracer.pid} traces it" in r["error"] and r["wall_ms"] < 2400, r
        assert not daemon.records(sandbox=name, type="limit")
        assert until(lambda: not daemon.sandboxes()) and not daemon.listed() and stuck(daemon) == 1
        assert f"process {pid} does not end, process {tracer.pid} traces it" in daemon.errors()
    assert zombies(daemon) == [str(pid)]
    assert until(lambda: stuck(daemon) == 0) and not zombies(daemon)


def test_an_end_that_its_tracer_gives_back(daemon):
    p, (name, pid) = start(daemon)
    with traced(pid):
        p.stdin.close()
        p.stdin = None
        assert until(lambda: stat(pid)[0] == "Z")
        time.sleep(2.7)
        assert p.poll() is None
    p.communicate(timeout=60)
    r, = daemon.records(sandbox=name, type="exit")
    assert p.returncode == 0 and r["verdict"] == "ok" and r["integrity"] == "complete" and r["wall_ms"] < 2400, r
    assert not daemon.records(sandbox=name, type="limit")
    assert until(lambda: not daemon.sandboxes()) and stuck(daemon) == 0 and not zombies(daemon)


def test_a_child_that_its_tracer_keeps_from_ending(daemon):
    """It has no end: it takes one of its user's places and is tried again, but sgd does not wait for it."""
    small = Daemon(os.path.dirname(os.path.dirname(daemon.sgd)), *OPTIONS, "--max-sandboxes", "4", "--metrics-port", "0")
    policy = os.path.join(small.work, "open.yaml")
    with open(policy, "w", encoding="utf-8") as f:
        f.write("open: {unlisted: allow}\n")
    line = ("--policy", policy, "--lang", "open", "--", "/bin/sh", "-c", "sleep 999 & echo $!; exec cat")
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    try:
        with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
            started = [small.popen(*line, stdin=subprocess.PIPE, **who) for _ in range(2)]
            children = [int(p.stdout.readline()) for p in started]
            tracers = [s.enter_context(traced(child, TRACEEXIT)) for s, child in zip((first, second), children)]
            begin = time.monotonic()
            for p in started:
                p.stdin.close()
            for p in started:
                assert p.wait(60) == 0  # its output is not at its end: the child has it
            assert time.monotonic() - begin < 30 and stuck(small) == 2
            for r in small.records(type="exit"):
                assert r["verdict"] == "ok" and "could not be ended within 5 s" in r["reasons"][0], r
            for tracer, child in zip(tracers, children):
                assert f"process {child} does not end, process {tracer.pid} traces it" in small.errors(), small.errors()
            r = small.run("--lang", "c", "--", "/bin/true", user=NOBODY)
            assert r.returncode == 125 and "2 of which have ended and cannot be removed" in r.stderr, r
            assert small.run("--lang", "c", "--", "/bin/true").returncode == 0  # for others there is room
            first.close()
            assert until(lambda: len(small.sandboxes()) == 1) and stuck(small) == 1
            assert small.errors().count("is removed") == 1
            assert small.run("--lang", "c", "--", "/bin/true", user=NOBODY).returncode == 0
            begin = time.monotonic()
            assert small.stop() == 0 and time.monotonic() - begin < 7, "sgd waits for it"  # 8 s, were it one that ends
            assert os.path.isdir(os.path.join(cgroup_mount(), small.cgroup))
    finally:
        small.close()
