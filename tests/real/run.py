#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real programs give the same stdout and exit status bare and under sgrun with the built-in policy.

Every program of programs/ runs as root and as an ordinary user, with stdout to a pipe, a file and a terminal, once bare
and once inside. Compilers run inside as well, under the compile policy. The last line is `N passed, N failed`.
`--record DIR` keeps what the bare runs said, `--recorded DIR` compares with that: the same machine with an emulated
processor need not do everything twice.
"""

import argparse
import base64
import collections
import concurrent.futures
import json
import os
import queue
import re
import shutil
import signal
import sys
import tempfile
import time

import harness
from catalogue import LANGUAGES, programs


class Failed(Exception):
    """A comparison that did not hold, or a program that does not even run bare as it says."""


def tail(data, lines=6):
    return "\n".join("    | " + x for x in data.decode("utf-8", "replace").rstrip().split("\n")[-lines:])


class Bare:
    """The bare side of every comparison: run here, or as it was recorded elsewhere."""

    def __init__(self, store=None, record=False):
        self.store, self.record = store, record

    def path(self, name):
        return os.path.join(self.store, name.replace("/", "-") + ".json")

    def known(self, name):
        """What is recorded under this name, or None."""
        if not self.has(name):
            return None
        with open(self.path(name), encoding="utf-8") as file:
            said = json.load(file)
        return harness.Outcome(said["status"], base64.b64decode(said["stdout"]), base64.b64decode(said["stderr"]))

    def has(self, name):
        return bool(self.store) and not self.record and os.path.exists(self.path(name))

    def without_records(self):
        return self if self.record else Bare()

    def keep(self, name, outcome):
        if self.record:
            with open(self.path(name), "w", encoding="utf-8") as file:
                json.dump({"status": outcome.status, "stdout": base64.b64encode(outcome.stdout).decode(),
                           "stderr": base64.b64encode(outcome.stderr).decode()}, file)
        return outcome


def copy_built(source, target):
    """What a compiler made: one file, or a directory of classes."""
    (shutil.copytree if os.path.isdir(source) else shutil.copy2)(source, target)


def build(program, place, out, sandbox, bare, name):
    """Compiles program into out, bare when sandbox is None. Returns what the compiler itself wrote to its stdout."""
    known = None if sandbox else bare.known(name)
    if known:
        return known.stdout
    place.fresh([(program.path, program.file)])
    # A compiler's output belongs into a directory that the user may write to.
    made = os.path.join(place.base, "made")
    os.mkdir(made)
    place.user.own(made)
    target = made if program.builds_directory else os.path.join(made, "prog")
    argv = program.command(program.build, target)
    if sandbox:
        outcome = sandbox.execute(program.build_policy, argv, place, "pipe", timeout=240)
        wrong = sandbox.objections(outcome, place.user)
        if wrong:
            raise Failed("compiling inside: " + "\n  ".join(wrong) + "\n" + tail(outcome.stderr))
    else:
        outcome = harness.execute(argv, place, "pipe", timeout=240)
    if outcome.status != 0:
        raise Failed(f"compiling {'inside' if sandbox else 'bare'} ended with {outcome.status}\n{tail(outcome.stderr)}")
    copy_built(target, out)
    return outcome.stdout if sandbox else bare.keep(name, outcome).stdout


def compare(program, user, kinds, place, store, sandbox, bare):
    """One program as one user: {kind: None or what was wrong}. Without a sandbox: does it run bare as it says?"""
    name = f"{program.name}-{user.name}"
    out = os.path.join(store, name.replace("/", "-"))
    if not all(bare.has(f"{name}-{kind}") for kind in kinds):
        bare = bare.without_records()
    results = {}
    made = {}
    if program.build:
        try:
            made = {"bare": out + "-bare", "inside": out + "-inside"}
            said = build(program, place, made["bare"], None, bare, name + "-build")
            inside = build(program, place, made["inside"], sandbox, bare, None) if sandbox else said
            if said != inside:
                raise Failed("the compiler says something else inside: " + harness.first_difference(said, inside))
        except Failed as e:
            return {kind: str(e) for kind in kinds}
    for kind in kinds:
        try:
            one(program, kind, place, made, sandbox, bare, f"{name}-{kind}")
            results[kind] = None
        except Failed as e:
            results[kind] = str(e)
    return results


def one(program, kind, place, made, sandbox, bare_runs, name):
    files = [(program.path, program.file)]
    # Both sides start the program under the same name: a copy of what each side built, at the same path.
    target = os.path.join(place.base, "prog")

    def prepare(side):
        place.fresh(files)
        if side in made:
            copy_built(made[side], target)
        return program.command(program.run, target)

    bare = bare_runs.known(name)
    if not bare:
        bare = bare_runs.keep(name, harness.execute(prepare("bare"), place, kind, program.stdin))
    if bare.status != program.status:
        raise Failed(f"bare it ended with {bare.status}, expected {program.status}\n{tail(bare.stderr)}")
    if not sandbox:
        return
    inside = sandbox.execute(program.policy, prepare("inside"), place, kind, program.stdin)
    wrong = []
    if inside.status != bare.status:
        wrong.append(f"status {bare.status} bare, {inside.status} inside; there it says\n{tail(inside.stdout, 12)}")
    different = harness.first_difference(bare.stdout, inside.stdout)
    if different:
        wrong.append("stdout differs at " + different)
    wrong += sandbox.objections(inside, place.user)
    if wrong:
        raise Failed("\n  ".join(wrong) + "\n" + tail(inside.stderr))


def users(args):
    ordinary = harness.User("ordinary", args.uid, args.gid) if os.geteuid() == 0 else harness.User("ordinary")
    if args.user == "ordinary":
        return [ordinary], []
    if os.geteuid() != 0:
        return [ordinary], ["root: the tests do not run as root"]
    root = harness.User("root")
    return ([root] if args.user == "root" else [root, ordinary]), []


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--sgrun", default="sgrun", help="the sgrun to test")
    p.add_argument("--only", help="regular expression over names such as python/threads.py")
    p.add_argument("--lang", choices=sorted(LANGUAGES))
    p.add_argument("--user", choices=("root", "ordinary", "both"), default="both")
    p.add_argument("--uid", type=int, default=65534)
    p.add_argument("--gid", type=int, default=65534)
    p.add_argument("--tier", help="force a tier; without it root gets bpf or lsm, an ordinary user unprivileged")
    p.add_argument("--daemon", metavar="SOCKET", help="launch through the sgd that listens there")
    p.add_argument("--slow", type=int, default=1, metavar="N", help="N times the time for each program: an emulated processor")
    p.add_argument("--quick", action="store_true", help="stdout to a pipe only")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--verbose", "-v", action="store_true")
    p.add_argument("--record", metavar="DIR", help="only the bare runs, which leave what they said in DIR")
    p.add_argument("--recorded", metavar="DIR", help="what the bare runs said, from --record; what is not there is run")
    p.add_argument("--list", action="store_true", help="name the programs and stop")
    args = p.parse_args()

    chosen = [x for x in programs() if args.lang in (None, x.language.name) and re.search(args.only or "", x.name)]
    if args.list:
        print("\n".join(x.name for x in chosen))
        return 0
    if not chosen:
        harness.fail("no program has such a name")
    sgrun = shutil.which(args.sgrun)
    if not sgrun and not args.record:
        harness.fail(f"{args.sgrun}: not found; name it with --sgrun")
    os.umask(0o022)
    harness.slow = args.slow
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kinds = ("pipe",) if args.quick else harness.STDOUT_KINDS
    who, reasons = users(args)
    bare = Bare(args.record or args.recorded, bool(args.record))
    began = time.monotonic()
    passed, failed = collections.Counter(), []
    base = tempfile.mkdtemp(prefix="sandgate-real-", dir="/tmp")
    os.chmod(base, 0o755)
    try:
        sandbox = None if args.record else harness.Sandbox(harness.usable_copy(sgrun, base), args.tier, args.daemon)
        slots = queue.Queue()
        for i in range(args.jobs):
            slots.put(i)

        def job(program, user):
            slot = slots.get()
            try:
                place = harness.Place(os.path.join(base, f"{user.name}-{slot}"), user)
                return compare(program, user, kinds, place, base, sandbox, bare)
            finally:
                slots.put(slot)

        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            pending = {}
            for program in chosen:
                gone = program.missing()
                if gone:
                    reasons.append(f"{program.name}: {gone[0]} is not installed")
                    continue
                for user in who:
                    pending[pool.submit(job, program, user)] = (program, user)
            for future in concurrent.futures.as_completed(pending):
                program, user = pending[future]
                for kind, wrong in future.result().items():
                    if wrong is None:
                        passed[program.language.name] += 1
                        if args.verbose:
                            print(f"ok {program.name} ({user.name}, {kind})", flush=True)
                    else:
                        failed.append(program.name)
                        print(f"FAILED {program.name} ({user.name}, stdout to a {kind})\n  {wrong}", flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    for reason in reasons:
        print(f"{'FAILED' if harness.in_ci() else 'skipped'} {reason}")
    if harness.in_ci():
        failed += reasons
    for language, n in passed.items():
        print(f"  {language}: {n} passed")
    print(f"{len(chosen)} programs, {len(who)} users, {len(kinds)} kinds of stdout, {time.monotonic() - began:.0f} s")
    print(f"{sum(passed.values())} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
