#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks on objects under an open system call policy: each without a sandbox, where it must take effect, and under
sgrun in a tier, where the rules about objects must stop it, as far as the tier can. As root.

run.py --sgrun PATH [--bin DIR] [--victim FILE] --tier lsm|bpf|unprivileged [--daemon SOCKET] [--action kill|errno]
       [--only TEXT] [--every N] [--jobs N] [--json FILE]
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import manifest  # noqa: E402
import policy  # noqa: E402
import stage  # noqa: E402
from stage import sgtest  # noqa: E402

KERNEL = tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups()))
# What a root without capabilities can do is what the rules are for.
WITHOUT_CAPABILITIES = ["/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all", "--securebits=+noroot", "--"]


class Outcome:
    def __init__(self, effect, status, output, errors, records):
        self.effect, self.status, self.output, self.errors, self.records = effect, status, output, errors, records

    def tried(self):
        return "TRY" in self.output.splitlines()

    def setup(self):
        found = re.search(r"^SETUP (.*)$", self.output, re.M)
        return found and found.group(1)

    def of(self, kind):
        return [r for r in self.records if r.get("type") == kind]


def pid_of_daemon(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(path)
        return struct.unpack("iII", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


class Matrix:
    def __init__(self, args):
        self.tier, self.action = args.tier, args.action
        self.launcher = ["--tier", args.tier, "--daemon", args.daemon or "off"]
        self.daemon = pid_of_daemon(args.daemon) if args.daemon else None
        self.dir = tempfile.mkdtemp(prefix="sandgate-objects-", dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        copies = {"sgrun": args.sgrun, "objects": os.path.join(args.bin, "objects"),
                  "first": os.path.join(args.bin, "objects_first"),
                  "library.so": os.path.join(args.bin, "objects_library.so"), "victim": args.victim}
        for name, source in copies.items():
            shutil.copy(source, os.path.join(self.dir, name))
        listing = subprocess.run([self.at("objects"), "--list"], capture_output=True, text=True, check=True)
        if sorted(listing.stdout.split()) != sorted(a.name for a in manifest.ATTACKS
                                                        if a.program == "objects"):
            raise SystemExit("the program's attacks and the manifest's are not the same: "
                             + str(set(listing.stdout.split()) ^ {a.name for a in manifest.ATTACKS}))
        with open(self.at("beside.yaml"), "w") as f:
            f.write("beside: {unlisted: allow}\n")
        self.abi = stage.libc.syscall(444, None, 0, 1)  # of Landlock
        self.cgroup = sgtest.cgroup2_mount() or "/nonexistent"

    def at(self, name):
        return os.path.join(self.dir, name)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def victim(self, sibling):
        if not sibling:
            return [self.at("victim")]
        return [self.at("sgrun"), *self.launcher, "--policy", self.at("beside.yaml"), "--lang", "beside",
                "--verdicts", self.at("beside.jsonl"), "--", self.at("victim")]

    def once(self, a, sandboxed, sibling=False):
        token = stage.word()
        st = stage.Stage(a, self.at(a.program), self.at("library.so"), self.victim(sibling), token)
        verdicts, own = st.path("verdicts.jsonl"), None
        try:
            line = [st.path("prog/objects"), a.name, *st.arguments(self.cgroup)]
            if sandboxed:
                with open(st.path("policy.yaml"), "w") as f:
                    f.write(policy.text(st.base, {"kill": "kill", "errno": "errno EPERM"}[self.action]))
                fds = ["--fd", str(st.fd)] if st.fd is not None else []
                if self.daemon:
                    line.append(f"supervisor={self.daemon}")
                line = [self.at("sgrun"), *self.launcher, "--policy", st.path("policy.yaml"), "--lang", a.policy,
                        "--verdicts", verdicts, "--chdir", st.path("cwd"), "--env", "TMPDIR=" + st.path("tmp"),
                        "--wall-time", "60s", *fds, "--", *line]
            else:
                line.append(f"supervisor={st.victim.pid}")
                if not a.root:
                    line = WITHOUT_CAPABILITIES + line
                if a.name.startswith("cgroup-"):
                    own = tempfile.mkdtemp(prefix="objects-test-", dir=self.cgroup)
                    line = ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', own, *line]
            seen, status, out, err = self.follow(st, line, "/" if sandboxed else st.path("cwd"))
            records = []
            if sandboxed and os.path.exists(verdicts):
                with open(verdicts, "rb") as f:
                    records, garbage = sgtest.read_records(f.read())
                    err += garbage or ""
            return Outcome(seen or st.effect(out, status), status, out, err, records)
        finally:
            st.close()
            if own:
                os.rmdir(own)

    def follow(self, st, line, cwd):
        """Runs it, and looks at it when it waits to be looked at."""
        seen, out = None, b""
        fds = (st.fd,) if st.fd is not None else ()
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
                              env={**sgtest.ENV, "TMPDIR": st.path("tmp")}, pass_fds=fds,
                              start_new_session=True) as p:
            timer = threading.Timer(300, p.kill)  # in an emulated guest programs load slowly
            timer.start()
            for text in p.stdout:
                out += text
                if text == b"HOLD\n":
                    for pid in self.programs(p.pid, st.path("prog/objects")):
                        seen = seen or st.look(pid)
                    try:
                        p.stdin.write(b"\n")
                        p.stdin.flush()
                    except BrokenPipeError:
                        pass
            err = p.stderr.read()
            status = p.wait()
            timer.cancel()
        return seen, 128 - status if status < 0 else status, out.decode(errors="replace"), err.decode(errors="replace")

    def programs(self, root, program):
        """The attacking process below what was started: itself, or a child of sgrun's or sgd's."""
        queue, found = [root, *([self.daemon] if self.daemon else [])], []
        while queue:
            pid = queue.pop()
            try:
                if os.readlink(f"/proc/{pid}/exe") == program:
                    found.append(pid)
                    continue
            except OSError:
                pass
            queue += map(int, stage.read(f"/proc/{pid}/task/{pid}/children").split())
        return found

    def judge(self, a, o):
        """Complaints about a run in the sandbox."""
        bad = []
        if not o.tried():
            return [f"it did not get as far as the attack: exit {o.status}, {o.output.strip()[-200:]!r}, "
                    f"{o.errors.strip()[-300:]}"]
        wanted = KERNEL < a.since if self.tier == "lsm" else a.landlock > self.abi
        if bool(o.effect) != wanted:
            bad.append(f"it took effect: {o.effect}" if o.effect else
                       f"it did not take effect, which the table says: {o.output.strip()[-120:]!r}")
        if self.tier == "lsm" and not wanted:
            bad += self.judge_record(a, o, "errno" if a.mild else self.action)
        return bad

    @staticmethod
    def judge_record(a, o, action):
        records = o.of("lsm_violation")
        if not records:
            return [] if a.kernel else [f"no record; exit {o.status}, {o.output.strip()[-160:]!r}"]
        r, bad = records[0], []
        if r.get("class") not in a.classes:
            bad.append(f"class {r.get('class')}, expected {'|'.join(a.classes)}: {json.dumps(r)[:400]}")
        for key, want in (("action", action), ("prevented", True)):
            if r.get(key) != want:
                bad.append(f"{key} is {r.get(key)!r}")
        if a.name == "signal-sigio-namespace" and r["object"].get("number") == 1:
            bad.append("who named himself was refused, and not who named the victim")
        if r.get("hook", "").startswith("unix_") and a.name.startswith("unix-abstract") and (
                not r["object"].get("name", "").startswith("sg")):
            bad.append(f"the address is not in {r['object']!r}")
        if not r.get("hook") or not isinstance(r.get("object", {}), dict):
            bad.append(f"hook {r.get('hook')!r}, object {r.get('object')!r}")
        if action == "errno":
            return bad
        if o.status != 159:
            bad.append(f"exit status {o.status}, not 159: {o.errors.strip()[-300:]}")
        end = o.of("exit")
        if not end or end[0].get("verdict") != "violation":
            bad.append(f"exit record {end!r:.200}")
        return bad

    def test(self, a, sibling):
        control = self.once(a, False) if not sibling else None
        if control and not control.effect:
            return control, None, [] if a.lacks and (control.setup() or control.tried()) else [
                f"control: no effect; {control.output.strip()[-200:]!r} {control.errors.strip()[-200:]}"]
        o = self.once(a, True, sibling)
        return control, o, self.judge(a, o)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sgrun", required=True)
    parser.add_argument("--bin", default=HERE)
    parser.add_argument("--victim", help="the hostile suite's victim program")
    parser.add_argument("--tier", choices=["lsm", "bpf", "unprivileged"], required=True)
    parser.add_argument("--only", default="", metavar="TEXT,…", help="attacks whose name contains one of these")
    parser.add_argument("--daemon", metavar="SOCKET", help="launch through the sgd that listens there")
    parser.add_argument("--action", default="kill", choices=["kill", "errno"], help="what the policy answers with")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth attack")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", help="the outcome of each, for table.py")
    args = parser.parse_args()
    args.victim = args.victim or os.path.join(args.bin, "..", "hostile", "victim")
    if os.getuid() != 0:
        print("skipped: needs root\n0 passed, 0 failed, 1 skipped")
        return 1
    matrix, lock, rows, failed = Matrix(args), threading.Lock(), {}, []

    def one(a, sibling):
        report(a, sibling, *matrix.test(a, sibling)[1:])

    def report(a, sibling, o, bad):
        name = a.name + ("-sibling" if sibling else "")
        with lock:
            word = "FAIL" if bad else "ok" if o else "n/a"
            record = (o.of("lsm_violation") or [{}])[0] if o else {}
            print(f"{word:5}{name:28} {(o.effect or 'stopped') if o else f'not here: {a.lacks}':40} "
                  f"{record.get('class', '')} {record.get('hook', '')}", flush=True)
            for b in bad:
                print("        " + b, flush=True)
            rows[name] = {"effect": o.effect if o else None, "here": bool(o), "class": record.get("class"),
                          "hook": record.get("hook"), "failed": bool(bad)}
            if bad:
                failed.append(name)

    try:
        todo = [(a, False) for a in manifest.ATTACKS]
        todo += [(a, True) for a in manifest.ATTACKS if a.name in manifest.SIBLING]
        todo = [(a, s) for a, s in todo if any(t in a.name + ("-sibling" if s else "") for t in args.only.split(","))]
        todo = todo[::args.every]
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for f in [pool.submit(one, a, s) for a, s in todo]:
                f.result()
    finally:
        matrix.close()
    here = [r for r in rows.values() if r["here"]]
    print(f"{args.tier}: {sum(bool(r['effect']) for r in here)} of {len(here)} took effect")
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"tier": args.tier, "abi": matrix.abi, "kernel": os.uname().release, "rows": rows}, f, indent=1, sort_keys=True)
    # What a kernel does not have was not tested, and counts for nothing.
    print(f"{sum(not r['failed'] for r in here)} passed, {len(failed)} failed")
    return 1 if failed or not rows else 0


sys.exit(main())
