#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills sgrun with SIGKILL at random moments: while it sets up, while the program starts, while it runs. After the next
run there must be no process, cgroup, temporary file, BPF program, link or pin of the one that was killed.

run.py --sgrun PATH [--bin DIR] [--runs N] [--jobs N] [--only KIND] [--seed N]
"""
import argparse
import collections
import concurrent.futures
import glob
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "hostile"))
sys.dont_write_bytecode = True
import sgtest  # noqa: E402

USER = 65534
# kind: (tier, uid of sgrun, options, what brood is told, longest set-up in seconds, of 200 runs)
Kind = collections.namedtuple("Kind", "tier uid options words setup share language", defaults=["open"])
KINDS = {
    "bpf": Kind("bpf", None, [], [], 0.03, 70),
    "bpf hop": Kind("bpf", None, [], ["hop"], 0.03, 15),
    "bpf sys_enter": Kind("bpf", None, ["--mode", "audit"], [], 0.06, 15),
    "unprivileged as root": Kind("unprivileged", None, [], ["hop"], 0.02, 40),
    "unprivileged as a user": Kind("unprivileged", USER, [], [], 0.02, 40),
    "unprivileged as a user, hop": Kind("unprivileged", USER, ["--pids", "40"], ["hop"], 0.02, 20),
    # no call that unties it from sgrun: the guard is started before its first fork
    "tied, as a user": Kind("unprivileged", USER, [], [], 0.02, 20, "tied"),
    "tied, as root": Kind("unprivileged", None, [], ["hop"], 0.02, 10, "tied"),
}
POLICY = """open: {unlisted: allow}
tied: {inherit: builtin:python, allow: [setsid]}
"""


def processes(token):
    """Pids whose command line holds the token, zombies excepted: sgrun, its guard, the program and what it started."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                if token.encode() in f.read():
                    found.append(int(path.split("/")[2]))
        except OSError:
            pass
    return found


def cgroups(pid):
    mount = sgtest.cgroup2_mount()
    return glob.glob(f"{mount}/sandgate-{pid}-*") + glob.glob(f"{mount}/**/sandgate-{pid}-*") if mount else []


def bpf_objects(kind):
    """Ids of our BPF programs or links in the kernel."""
    done = subprocess.run(["/usr/sbin/bpftool", "-j", kind, "show"], capture_output=True, text=True)
    objects = json.loads(done.stdout or "[]")
    ours = {o["id"] for o in objects if kind == "prog" and str(o.get("name", "")).startswith("sg_")}
    if kind == "link":
        programs = bpf_objects("prog")
        ours = {o["id"] for o in objects if o.get("prog_id") in programs}
    return ours


def held(key):
    """Ids of BPF objects that some process has open."""
    ids = set()
    for path in glob.glob("/proc/[0-9]*/fdinfo/*"):
        try:
            with open(path) as f:
                for line in f:
                    if line.startswith(key + ":"):
                        ids.add(int(line.split()[1]))
        except (OSError, ValueError):
            pass
    return ids


def abandoned():
    """BPF programs and links of ours that nobody holds: other sandboxes may run beside this test."""
    left = []
    for kind, key in (("prog", "prog_id"), ("link", "link_id")):
        there = bpf_objects(kind)
        left += [f"{kind} {i}" for i in sorted(there - held(key)) if i in bpf_objects(kind)]
    return left


def pins():
    return set(glob.glob("/sys/fs/bpf/**", recursive=True))


class Crash:
    def __init__(self, args):
        self.rng = random.Random(args.seed)
        self.work = {}
        for k in KINDS.values():
            key = (k.tier, k.uid)
            if key in self.work:
                continue
            s = self.work[key] = sgtest.Sgrun(args.sgrun, k.tier, k.uid)
            s.shared(os.path.join(args.bin, "brood"))
            with open(os.path.join(s.root, "open.yaml"), "w") as f:
                f.write(POLICY)
        self.phases = collections.Counter()
        self.pins = pins()

    def close(self):
        for s in self.work.values():
            s.close()

    def start(self, k, scratch, token):
        s = self.work[k.tier, k.uid]
        line = s.command([os.path.join(s.root, "brood"), token, *k.words], os.path.join(scratch, "verdicts"), k.language,
                         os.path.join(s.root, "open.yaml"), k.options)
        return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                env=sgtest.ENV, cwd="/", start_new_session=True, **sgtest.identity(k.uid))

    def once(self, plan):
        name, token, running, moment = plan
        k = KINDS[name]
        s = self.work[k.tier, k.uid]
        scratch = s.scratch()
        bad = []
        p = self.start(k, scratch, token)
        try:
            if running:
                if not select.select([p.stdout], [], [], 120)[0] or os.read(p.stdout.fileno(), 3) != b"up\n":
                    bad.append("the program did not come up")
                elif len(processes(token)) < 5:  # the control: sgrun, guard, program, its two orphans
                    bad.append(f"only {len(processes(token))} processes to be ended")
            time.sleep(moment)
            came_up = running or bool(select.select([p.stdout], [], [], 0)[0])
            p.send_signal(signal.SIGKILL)
            p.wait(60)
            p.stdout.close()
            self.phases["running" if came_up else "starting"] += 1
            after = subprocess.run([s.binary, "--tier", k.tier, "--verdicts", "/dev/null", "--lang", "compiled", "--",
                                    "/bin/true"], env=sgtest.ENV, cwd="/", stdin=subprocess.DEVNULL, timeout=60,
                                   capture_output=True, text=True, **sgtest.identity(k.uid))
            if after.returncode:
                bad.append(f"the next run ended with {after.returncode}: {after.stderr.strip()[-300:]}")
            return bad + self.left(token, p.pid)
        finally:
            for pid in processes(token):
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(scratch, ignore_errors=True)

    @staticmethod
    def left(token, pid):
        """What is still there of a run. A killed process takes a moment to go."""
        deadline = time.monotonic() + 60
        while True:
            there = [f"process {i}" for i in processes(token)] + [f"cgroup {c}" for c in cgroups(pid)]
            there += [f"file {f}" for f in glob.glob(f"/run/sandgate/.*.{pid}")]
            if not there or time.monotonic() > deadline:
                return there
            time.sleep(0.01)


def settled():
    """BPF objects go away some time after their last holder."""
    deadline = time.monotonic() + 60
    while True:
        there = abandoned()
        if not there or time.monotonic() > deadline:
            return there
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sgrun", required=True)
    parser.add_argument("--bin", help="directory of brood (default: beside sgrun in the build directory)")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    args = parser.parse_args()
    args.bin = args.bin or os.path.join(os.path.dirname(args.sgrun), "..", "tests", "crash")
    crash = Crash(args)
    plan = []
    for name, k in KINDS.items():
        for i in range(k.share * args.runs // 200 or 1 if args.only in name else 0):
            running = i % 2 == 1
            moment = crash.rng.random() ** 2 * (0.04 if running else k.setup)
            plan.append((name, f"brood-{os.getpid()}-{len(plan)}-{crash.rng.randrange(1 << 40):x}", running, moment))
    crash.rng.shuffle(plan)
    start, passed, failed = time.monotonic(), collections.Counter(), 0
    try:
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for p, bad in zip(plan, pool.map(crash.once, plan)):
                passed[p[0]] += not bad
                if bad:
                    failed += 1
                    print(f"FAIL  {p[0]}, killed {p[3] * 1000:.1f} ms after it {'came up' if p[2] else 'was started'}",
                          *bad, sep="\n        ", flush=True)
        for what, there in (("BPF objects that nobody holds", settled()), ("pins", sorted(pins() - crash.pins))):
            passed[what] += not there
            if there:
                failed += 1
                print(f"FAIL  {what}: {there}")
    finally:
        crash.close()
    for name in KINDS:
        n = sum(p[0] == name for p in plan)
        if n:
            print(f"{name:30}{passed[name]} of {n} runs left nothing")
    print(f"killed while starting {crash.phases['starting']}, while running {crash.phases['running']}; "
          f"seed {args.seed}; {time.monotonic() - start:.0f} s")
    if len(plan) >= 100 and min(crash.phases["starting"], crash.phases["running"]) < 20:
        print("FAIL  too few runs were killed in one of the two")
        failed += 1
    print(f"{sum(passed.values())} passed, {failed} failed")
    return 1 if failed or not plan else 0


sys.exit(main())
