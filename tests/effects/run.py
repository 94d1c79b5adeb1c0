#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Forbidden call -> did it take effect? For each call: without a sandbox, under seccomp in each tier, and under
sys_enter alone (--seccomp off), where what happened must agree with what the verdict says (prevented).

run.py --sgrun PATH [--bin DIR] [--victim FILE] [--user UID] [--only NAME] [--columns LIST] [--repeat N]
       [--lists FILE] [--check FILE]
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import stage  # noqa: E402
from stage import sgtest  # noqa: E402

# column: (tier, options, sgrun must be root)
COLUMNS = {
    "bare": (None, [], False),
    "bpf": ("bpf", [], True),
    "unprivileged": ("unprivileged", [], False),
    "sys_enter": ("bpf", ["--seccomp", "off"], True),
}

# Calls that the C library makes itself before main().
NARROWED = {"prlimit64": '{prlimit64: "pid != 0"}'}


class Outcome:
    def __init__(self, effect, result, output):
        self.effect, self.result, self.output = effect, result, output
        kills = result.kills() if result else []
        self.prevented = kills[0].get("prevented") if kills else None


class Matrix:
    def __init__(self, args):
        self.uid = args.user
        self.sandboxes = {tier: sgtest.Sgrun(args.sgrun, tier, args.user)
                          for tier in sorted({COLUMNS[c][0] for c in args.columns} - {None})}
        self.tools = sgtest.Sgrun(args.sgrun or "/bin/true", "none", args.user)
        self.program = self.tools.shared(os.path.join(args.bin, "effects"))
        self.victim = self.tools.shared(args.victim)
        listing = subprocess.run([self.program, "--list"], capture_output=True, text=True, check=True).stdout
        self.calls = [tuple(line.split()) for line in listing.splitlines() if not line.endswith(" none")]

    def close(self):
        for s in (*self.sandboxes.values(), self.tools):
            s.close()

    def policy(self, call, scratch):
        path = os.path.join(scratch + ".yaml")
        with open(path, "w") as f:
            f.write(f"effects:\n  unlisted: allow\n  kill: [{NARROWED.get(call, call)}]\n")
        os.chmod(path, 0o644)
        return path

    def once(self, name, call, column):
        tier, options, _ = COLUMNS[column]
        scratch = self.tools.scratch()
        verdicts = scratch + ".jsonl"
        # The verdict file is the sandbox owner's: it must be able to write it.
        open(verdicts, "w").close()
        if self.uid is not None:
            os.chown(verdicts, self.uid, -1)
        st = stage.Stage(name, scratch, self.victim, self.uid)
        line = [self.program, name, *st.arguments()]
        who = sgtest.identity(self.uid)
        fds = () if st.fd is None else (st.fd,)
        handed = [w for fd in fds for w in ("--fd", fd)]
        if tier:
            line = self.sandboxes[tier].command(line, verdicts, "effects", self.policy(call, scratch),
                                                [*options, "--chdir", scratch, *handed])
            who = self.sandboxes[tier].sgrun_identity()
        try:
            p = subprocess.Popen(line, stdin=st.stdin_r, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=sgtest.ENV,
                                 cwd="/" if tier else scratch, start_new_session=True, pass_fds=fds, **who)
            timer = threading.Timer(20, p.kill)
            timer.start()
            first = p.stdout.readline().decode(errors="replace")
            if first.startswith("READY"):
                st.ready(self.pid_of(first, verdicts if tier else None))
                os.write(st.stdin_w, b"\n")
            out, err = p.communicate()
            timer.cancel()
            st.output = first + out.decode(errors="replace")
            result = sgtest.Result(p.returncode, st.output.encode(), err)
            if tier:
                with open(verdicts, "rb") as f:
                    result.records, result.garbage = sgtest.read_records(f.read())
            ready = first.startswith("READY")
            return Outcome(st.took_effect() if ready else None, result, st.output)
        finally:
            st.close()
            shutil.rmtree(scratch, ignore_errors=True)

    @staticmethod
    def pid_of(line, verdicts):
        """The start record's pid where there is one: the program may live in a pid namespace."""
        if verdicts:
            with open(verdicts, "rb") as f:
                for r in sgtest.read_records(f.read())[0]:
                    if r.get("type") == "start" and isinstance(r.get("pid"), int):
                        return r["pid"]
        return int(line.split()[1])

    def judge(self, call, column, o):
        """Complaints about one cell."""
        if o.effect is None:
            return [f"{column}: it did not get as far as the call: {o.output.strip()!r} exit {o.result.status} "
                    f"{o.result.err.strip()[-300:]} {[r.get('syscall') for r in o.result.kills()]}"]
        if column == "bare":
            return [] if o.effect else [f"bare: no effect seen ({o.output.strip().splitlines()[-1]})"]
        bad = sgtest.check_kill(o.result, call, "x86_64", layer="sys_enter" if column == "sys_enter" else "seccomp",
                                prevented=None if column == "sys_enter" else True)
        if "DONE" in o.output:
            bad.append("it returned")
        if o.effect and o.prevented is not False:
            bad.append(f"it took effect and prevented is {o.prevented}")
        if o.effect and column != "sys_enter":
            bad.append("it took effect")
        if not isinstance(o.prevented, bool):
            bad.append(f"prevented is {o.prevented!r}")
        return [f"{column}: {b}" for b in bad]


def cell(column, outcomes):
    effect = any(o.effect for o in outcomes)
    if column == "bare":
        return "yes" if effect else "no"
    said = {o.prevented for o in outcomes}
    word = "prevented" if said == {True} else "not claimed" if said == {False} else "/".join(sorted(map(str, said)))
    return ("**yes**" if effect else "no") + f" ({word})"


def took(rows, column):
    return sum(cells[column].strip("*").startswith("yes") for _, _, cells in rows)


KINDS = (("Took effect", lambda c: c.startswith("**yes")),
         ("Did not, and the record says that nothing was prevented", lambda c: c.startswith("no (not")),
         ("Did not, and the record says `prevented`", lambda c: c == "no (prevented)"))


def write_lists(rows, path):
    """What sys_enter alone does, as docs/sys-enter-effects.md has it."""
    with open(path, "w") as f:
        for head, belongs in KINDS:
            names = [n for n, _, cells in rows if belongs(cells["sys_enter"])]
            f.write(f"## {head} ({len(names)} of {len(rows)})\n\n")
            f.write(textwrap.fill(", ".join(f"`{n}`" for n in names), 120, break_on_hyphens=False) + "\n\n")


def check_lists(rows, path):
    """What the document says otherwise. An effect that it lists and that did not show this time is no complaint: it is a
    race that the call may lose."""
    with open(path) as f:
        text = f.read()
    kernel = re.search(r"\(Linux (\d+\.\d+),", text)[1]
    if not os.uname().release.startswith(kernel + "."):
        print(f"{path} is about Linux {kernel}: not compared with what this kernel does")
        return []
    sections = {part.split(" (")[0]: set(re.findall(r"`([a-z0-9_-]+)`", part.split("\n", 1)[1]))
                for part in text.split("\n## ")[1:]}
    listed = set().union(*(sections.get(head, set()) for head, _ in KINDS))
    bad = []
    for name, _, cells in rows:
        if name not in listed:
            bad.append(f"{path} does not list {name}")
        elif cells["sys_enter"].startswith("**yes") and name not in sections[KINDS[0][0]]:
            bad.append(f"{path} says that {name} takes no effect; it did")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sgrun")
    parser.add_argument("--bin", default=HERE)
    parser.add_argument("--victim", help="the hostile suite's victim program")
    parser.add_argument("--user", type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--columns", type=lambda s: s.split(","))
    parser.add_argument("--repeat", type=int, default=1, help="runs of each sys_enter cell; any effect counts")
    parser.add_argument("--lists", metavar="FILE", help="write the lists of docs/sys-enter-effects.md")
    parser.add_argument("--check", metavar="FILE", help="compare with that document")
    args = parser.parse_args()
    args.victim = args.victim or os.path.join(args.bin, "..", "hostile", "victim")
    if not args.columns:
        args.columns = [c for c in COLUMNS if args.sgrun or c == "bare"]
        if os.getuid():
            args.columns = [c for c in args.columns if not COLUMNS[c][2]]
    matrix = Matrix(args)
    rows, failed = [], 0
    try:
        for name, call in matrix.calls:
            if args.only and args.only != name:
                continue
            cells, bad = {}, []
            for column in args.columns:
                outcomes = [matrix.once(name, call, column) for _ in range(args.repeat if column == "sys_enter" else 1)]
                for o in outcomes:
                    bad += [b for b in matrix.judge(call, column, o) if b not in bad]
                cells[column] = cell(column, outcomes)
            rows.append((name, call, cells))
            failed += bool(bad)
            word = "FAIL" if bad else "ok"
            print(f"{word:5}{name:20} " + "  ".join(f"{c} {cells[c]}" for c in args.columns), flush=True)
            for b in bad:
                print("        " + b, flush=True)
    finally:
        matrix.close()
    for c in args.columns:
        print(f"{c}: {took(rows, c)} of {len(rows)} took effect")
    if args.lists:
        write_lists(rows, args.lists)
    if args.check and not args.only:
        bad = check_lists(rows, args.check)
        failed += bool(bad)
        for b in bad:
            print(b)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed or not rows else 0


sys.exit(main())
