#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many runs of sgrun, one after the other and at the same time: every result right, nothing left over, no growth.

run.py --sgrun PATH --bin DIR [--sgd PATH] [--runs N] [--jobs N] [--tier bpf|unprivileged]

DIR is where tests/limits was built. First N runs one after the other, then N at --jobs at a time, of every kind of end
in turn; with --sgd the same once more through a daemon of its own. The full measure is
    run.py --sgrun PATH --bin DIR --sgd PATH --runs 10000 --jobs 64
Ends with a line `N passed, N failed`: one per stage and per question asked of it.
"""
import argparse
import collections
import glob
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "live"))
import harness  # noqa: E402

# arguments of bombs; options; expected: status, verdict, limit, output. Mostly short ones: it is sgrun that is tested.
Kind = collections.namedtuple("Kind", "words options status verdict limit out", defaults=(None, b""))
KINDS = [
    Kind(["exit", "0"], [], 0, "ok"),
    Kind(["output", "3000"], ["--output", "3000"], 0, "ok", None, b"x" * 3000),
    Kind(["forks", "3"], ["--pids", "8"], 0, "ok", None, b"3 0\n"),
    Kind(["exit", "7"], ["--memory", "100M"], 7, "ok"),
    Kind(["raise", "11"], [], 139, "signal"),
    Kind(["descriptors"], ["--lang", "no"], 159, "violation"),
    Kind(["output", "3001"], ["--output", "3000"], 153, "output_limit", "output", b"x" * 3000),
    Kind(["orphans"], [], 0, "ok"),
    Kind(["output", "100"], ["--open-files", "20"], 0, "ok", None, b"x" * 100),
    Kind(["daemon"], ["--pids", "20"], 0, "ok"),
    Kind(["exit", "0"], ["--cpu-time", "90s", "--wall-time", "90s"], 0, "ok"),
    Kind(["sleeper"], ["--wall-time", "20ms"], 124, "time_limit", "wall_time"),
    Kind(["exit", "0"], ["--stack", "1M", "--file-size", "1M"], 0, "ok"),
    Kind(["busy"], ["--cpu-time", "20ms"], 124, "time_limit", "cpu_time"),
    Kind(["touch"], ["--memory", "16M"], 137, "memory_limit", "memory"),
    Kind(None, [], 127, "error"),
]
POLICY = "open: {unlisted: allow}\nno: {unlisted: allow, kill: [dup]}\n"


class Soak:
    def __init__(self, args, work):
        self.args, self.work = args, work
        self.bombs = shutil.copy(os.path.join(args.bin, "bombs"), work)
        self.policy = os.path.join(work, "policy.yaml")
        with open(self.policy, "w") as f:
            f.write(POLICY)
        self.through = ["--daemon", "off"]
        self.lock = threading.Lock()
        self.passed = self.failed = self.done = 0
        self.temporary = os.path.join(work, "temporary")
        os.mkdir(self.temporary)
        self.run_before = set(self.run_files())
        self.ours = set()
        self.cgroup = "none"

    def check(self, what, good, detail=""):
        self.passed += bool(good)
        self.failed += not good
        print(f"{'ok    ' if good else 'FAILED'}  {what}{'' if good else ': ' + str(detail)}", flush=True)

    def one(self, n, wrong):
        # an output limit is kept by sgrun itself, without the daemon
        kinds = [k for k in KINDS if "--output" not in k.options] if self.daemon else KINDS
        kind = kinds[n % len(kinds)]
        program = [self.bombs, *kind.words] if kind.words else [os.path.join(self.work, "missing")]
        options = kind.options if "--lang" in kind.options else ["--lang", "open", *kind.options]
        tier = ["--tier", self.args.tier] if self.args.tier else []
        report_r, report_w = os.pipe()
        line = [self.args.sgrun, *self.through, *tier, "--policy", self.policy, *options, "--verdicts", f"fd:{report_w}", "--", *program]
        p = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[report_w],
                             cwd=self.work, env={"PATH": harness.PATH, "TMPDIR": self.temporary})
        os.close(report_w)
        with p.stdout, p.stderr:
            out, err = p.stdout.read(), p.stderr.read()
        p.wait()
        with os.fdopen(report_r, "rb") as f:
            records = [json.loads(x) for x in f.read().splitlines()]
        end = records[-1] if records else {}
        got = (p.returncode, end.get("verdict"), end.get("limit"), out, end.get("integrity"))
        with self.lock:
            if got != (kind.status, kind.verdict, kind.limit, kind.out, "complete"):
                wrong.append((n, line[4:], got, end.get("reasons"), err[-300:]))
            self.ours.add(p.pid)
            self.done += 1

    # ---- what could be left over ----

    def leftovers(self):
        found = [f"process {p}" for p in harness.processes_naming(self.work) if not self.daemon or p != self.daemon.pid]
        mount = harness.cgroup2_mount()
        for path in glob.glob(f"{mount}/sandgate-*") + glob.glob(f"{mount}/{self.cgroup}/*/") if mount else []:
            owner = os.path.basename(path).split("-")
            if len(owner) > 1 and owner[1].isdigit() and int(owner[1]) in self.ours:
                found.append(path)
        found += [os.path.join(self.temporary, f) for f in os.listdir(self.temporary)]
        found += sorted(set(self.run_files()) - self.run_before)
        return found

    @staticmethod
    def run_files():
        """The part of the kernel's type information that is kept for the next start may be written meanwhile."""
        return [f for f in glob.glob("/run/sandgate/*") if "btf" not in f and not f.endswith(("sock", "state"))]

    def stage(self, name, runs, jobs):
        wrong, rss = [], []
        self.done = 0
        dying = self.dying()
        files = len(os.listdir("/proc/self/fd"))
        threads = threading.active_count()
        todo = iter(range(runs))
        began = time.monotonic()

        def work():
            while True:
                with self.lock:
                    n = next(todo, None)
                if n is None:
                    return
                self.one(n, wrong)
                if self.daemon and n % len(KINDS) == 0:
                    rss.append(self.size())

        workers = [threading.Thread(target=work) for _ in range(jobs)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        took = time.monotonic() - began
        print(f"        {name}: {runs} runs in {took:.0f} s, {took / runs * 1000:.1f} ms each", flush=True)
        self.check(f"{name}: every result is right", not wrong and self.done == runs, f"{len(wrong)} wrong: {wrong[:3]}")
        harness.wait_until(lambda: not self.leftovers())
        self.check(f"{name}: nothing is left", not self.leftovers(), self.leftovers()[:5])
        self.check(f"{name}: no descriptor leaks here", (len(os.listdir("/proc/self/fd")), threading.active_count()) == (files, threads))
        if not self.daemon:
            # What ends after each run cannot grow; what it leaves in the kernel can.
            harness.wait_until(lambda: self.dying() <= dying + 32)
            self.check(f"{name}: the kernel keeps no cgroups of ours", self.dying() <= dying + 32, (dying, self.dying()))
            return
        part = max(2, len(rss) // 5)
        first, last = int(statistics.median(rss[1:1 + part])), int(statistics.median(rss[-part:]))
        self.check(f"{name}: memory is flat ({first >> 10} to {last >> 10} KiB)", last <= first * 1.1 + (256 << 10), [r >> 10 for r in rss])

    @staticmethod
    def dying():
        try:
            with open(f"{harness.cgroup2_mount()}/cgroup.stat") as f:
                return dict((k, int(v)) for k, v in map(str.split, f))["nr_dying_descendants"]
        except OSError:
            return 0

    daemon = None

    def size(self):
        """Resident memory of the daemon."""
        with open(f"/proc/{self.daemon.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def start_daemon(self):
        path = os.path.join(self.work, "socket")
        self.cgroup = f"sgsoak-{os.getpid()}"
        log = open(os.path.join(self.work, "log"), "wb")
        self.daemon = subprocess.Popen([self.args.sgd, "--socket", path, "--log", "none", "--cgroup", self.cgroup, "--bpffs", "none",
                                        "--state", os.path.join(self.work, "state")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.through = ["--daemon", path]
        if not harness.wait_until(lambda: self.listens(path)):
            raise SystemExit("the daemon does not listen: " + open(os.path.join(self.work, "log")).read())

    @staticmethod
    def listens(path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            return s.connect_ex(path) == 0

    def fds(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    def end_daemon(self):
        self.daemon.terminate()
        try:
            status = self.daemon.wait(60)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            status = self.daemon.wait()
        mount = harness.cgroup2_mount()
        self.check("daemon: it ends, and its cgroup with it", status == 0 and not os.path.exists(f"{mount}/{self.cgroup}"), status)
        self.daemon = None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sgrun", required=True)
    p.add_argument("--bin", required=True)
    p.add_argument("--sgd")
    p.add_argument("--runs", type=int, default=320)
    p.add_argument("--jobs", type=int, default=64)
    p.add_argument("--tier", choices=("bpf", "unprivileged"))
    args = p.parse_args()
    work = tempfile.mkdtemp(prefix="sgsoak-")
    os.chmod(work, 0o755)
    soak = Soak(args, work)
    try:
        soak.stage("one by one", args.runs, 1)
        soak.stage(f"{args.jobs} at a time", args.runs, args.jobs)
        if args.sgd:
            soak.start_daemon()
            soak.stage("daemon, one by one", args.runs, 1)
            before = soak.fds()
            soak.stage(f"daemon, {args.jobs} at a time", args.runs, args.jobs)
            harness.wait_until(lambda: soak.fds() <= before)
            soak.check("daemon: no descriptor leaks", soak.fds() <= before, f"{before} before, {soak.fds()} after")
            soak.end_daemon()
    finally:
        if soak.daemon:
            soak.daemon.kill()
            soak.daemon.wait()
        for pid in harness.processes_naming(work):
            os.kill(pid, 9)
        shutil.rmtree(work, ignore_errors=True)
    print(f"{soak.passed} passed, {soak.failed} failed")
    return 1 if soak.failed else 0


if __name__ == "__main__":
    sys.exit(main())
