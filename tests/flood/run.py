#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sandboxes that write records faster than they are read. Nothing may be weakened by it: what is forbidden is stopped,
the violation that killed is never lost, and what was dropped is counted exactly and said in `exit`.

run.py --sgrun PATH [--bin DIR] [--runs N] [--jobs N] [--only KIND]
"""
import argparse
import collections
import concurrent.futures
import os
import random
import re
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "hostile"))
sys.dont_write_bytecode = True
import sgtest  # noqa: E402

POLICY = """\
# One call that is recorded, one that is forbidden.
audited: {unlisted: allow, audit: [getppid], kill: [mkdir]}
# Both forbidden: for --mode audit, which records them and stops neither.
watched: {unlisted: allow, kill: [getppid, mkdir]}
"""
# kind: (tier, language, options, END, what stops the call, of 100 runs)
Kind = collections.namedtuple("Kind", "tier lang options end layer share")
KINDS = {
    # The filter kills after the flood: the number of calls before it is known exactly.
    "seccomp": Kind("bpf", "audited", [], "kill", "seccomp", 40),
    # The kill comes in the middle of it, from one thread of many.
    "amid": Kind("bpf", "audited", [], "amid", "seccomp", 20),
    # No filter: sys_enter records and kills.
    "sys_enter": Kind("bpf", "audited", ["--seccomp", "off"], "kill", "sys_enter", 20),
    # Violations are recorded and nothing is stopped.
    "audit-mode": Kind("bpf", "watched", ["--mode", "audit"], "none", None, 15),
    # Without BPF each call waits until it is recorded: nothing can be dropped.
    "unprivileged": Kind("unprivileged", "audited", [], "kill", "seccomp", 5),
}
THREADS = 2
# Several times what the ring buffer holds (256 KiB, about 1,700 records).
CALLS = {"bpf": 4000, "unprivileged": 150}


class Flood:
    def __init__(self, args):
        self.sandboxes = {tier: sgtest.Sgrun(args.sgrun, tier) for tier in ("bpf", "unprivileged")}
        for s in self.sandboxes.values():
            s.shared(os.path.join(args.bin, "flood"))
            with open(os.path.join(s.root, "flood.yaml"), "w") as f:
                f.write(POLICY)
        self.dropped = collections.Counter()

    def close(self):
        for s in self.sandboxes.values():
            s.close()

    def once(self, name):
        k = KINDS[name]
        s = self.sandboxes[k.tier]
        scratch = s.scratch()
        try:
            line = [os.path.join(s.root, "flood"), THREADS, CALLS[k.tier], k.end, os.path.join(scratch, "made")]
            r = s.run([str(w) for w in line], scratch, k.lang, os.path.join(s.root, "flood.yaml"), k.options)
            return self.judge(name, k, r, os.path.exists(os.path.join(scratch, "made")))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def judge(self, name, k, r, made):
        """Complaints about one run."""
        end = r.exit()
        if r.garbage or not end:
            return [r.garbage or f"no exit record: status {r.status} {r.err.strip()[-300:]}"]
        if k.end == "none":
            bad = [] if r.status == 7 else [f"exit status {r.status}, not the program's 7: {r.err.strip()[-200:]}"]
            bad += [f"verdict {end['verdict']!r}"] if end["verdict"] != "ok" else []
            bad += [f"{end['counts']['kill']} kills"] if end["counts"]["kill"] else []
        else:
            bad = self.killed(k, r, end, made)
        return bad + self.counted(name, k, r, end)

    @staticmethod
    def killed(k, r, end, made):
        bad = []
        if r.status != 159 or end["verdict"] != "violation":
            bad.append(f"exit status {r.status}, verdict {end['verdict']!r}: {r.err.strip()[-200:]}")
        v = end["violation"] or {}
        if (v.get("syscall"), v.get("layer"), v.get("action")) != ("mkdir", k.layer, "kill"):
            bad.append(f"the violation in the exit record is {v!r}")
        if made and k.layer == "seccomp":
            bad.append("the forbidden call took effect")
        if made and v.get("prevented"):
            bad.append("it took effect and the record says it was prevented")
        kills = [x for x in r.kills() if x.get("syscall") == "mkdir"]
        if len(kills) != 1:
            bad.append(f"{len(kills)} records of the kill in the stream")
        return bad

    def counted(self, name, k, r, end):
        """Every call is a record, a counted loss, or one that the kernel says it skipped."""
        lost = {x["what"]: x["count"] for x in r.of("lost")}
        dropped = lost.pop("ring buffer", 0)
        self.dropped[name] += dropped
        bad = [f"lost: {lost}"] if lost else []
        reasons = list(end["reasons"])
        skipped = sum(int(m[1]) for m in (re.match(r"the kernel skipped BPF programs (\d+) times", x)
                                          for x in reasons) if m)
        wanted = [f"{dropped} records lost: ring buffer"] if dropped else []
        others = [x for x in reasons if x not in wanted and "skipped BPF programs" not in x]
        if others or any(w not in reasons for w in wanted):
            bad.append(f"reasons {reasons}, dropped {dropped}")
        if (end["integrity"] == "degraded") != bool(dropped or skipped):
            bad.append(f"integrity {end['integrity']!r} with {dropped} dropped and {skipped} skipped")
        seen = sum(x.get("syscall") == "getppid" for x in r.of("audit", "syscall_violation"))
        if seen != end["counts"]["audit"]:
            bad.append(f"{seen} records in the stream, {end['counts']['audit']} in the exit record")
        calls = THREADS * CALLS[k.tier]
        if k.end == "amid":
            low = CALLS[k.tier] // 2
            if not low <= seen + dropped + skipped <= calls + skipped:
                bad.append(f"{seen} seen, {dropped} dropped, {skipped} skipped of {low} to {calls} calls")
        # The record that killed may be among the dropped: it is in the exit record all the same.
        elif not calls - skipped <= seen + dropped <= calls + (k.end == "kill"):
            bad.append(f"{seen} seen, {dropped} dropped, {skipped} skipped: not {calls} calls")
        return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sgrun", required=True)
    parser.add_argument("--bin", help="directory of flood (default: beside sgrun in the build directory)")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    args.bin = args.bin or os.path.join(os.path.dirname(args.sgrun), "..", "tests", "flood")
    flood = Flood(args)
    plan = [name for name, k in KINDS.items() if args.only in name for _ in range(k.share * args.runs // 100 or 1)]
    # Mixed, so that kinds meet each other.
    random.Random(1).shuffle(plan)
    start, passed, failed = time.monotonic(), collections.Counter(), 0
    try:
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for name, bad in zip(plan, pool.map(flood.once, plan)):
                passed[name] += not bad
                failed += bool(bad)
                if bad:
                    print(f"FAIL  {name}", *bad, sep="\n        ", flush=True)
    finally:
        flood.close()
    for name in KINDS:
        n = plan.count(name)
        if not n:
            continue
        print(f"{name:14}{passed[name]} of {n} runs, {flood.dropped[name]} records dropped and counted")
        # The positive control: a flood that fits proves nothing.
        if KINDS[name].tier == "bpf" and not flood.dropped[name]:
            print(f"FAIL  {name}: the ring buffer was never full")
            failed += 1
    print(f"{time.monotonic() - start:.0f} s")
    print(f"{sum(passed.values())} passed, {failed} failed")
    return 1 if failed or not plan else 0


sys.exit(main())
