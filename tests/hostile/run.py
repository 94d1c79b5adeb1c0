#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every hostile program without a sandbox (the control) and under sgrun, and compares with the manifest.

run.py --sgrun PATH [--bin DIR] --tier lsm|bpf|unprivileged [--daemon SOCKET] [--user UID] [--only TEXT] [--list] [--jobs N]
"""
import argparse
import concurrent.futures
import ctypes
import os
import pty
import shutil
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import explain  # noqa: E402
import manifest  # noqa: E402
import sgtest  # noqa: E402

UNSHARE = ["/usr/bin/unshare", "--mount", "--uts", "--ipc", "--net", "--propagation", "private", "--"]
# Files that exist only if an attack took effect.
MARKERS = ("int80-dir", "x32-dir", "device", "device-at", "py-device", "js.sock")
# Attacks that leave a trace on the victim: their controls must show it, or the driver looks in the wrong place.
TOUCHING = ("kill-victim", "kill-group", "tkill-victim", "tgkill-victim", "sigqueue-victim", "tgsigqueue-victim",
            "pidfd-signal-victim", "sigio-victim", "vm-write-victim", "proc-mem-victim", "prlimit-victim",
            "affinity-victim", "priority-victim", "scheduler-victim", "ioprio-victim", "killpg-victim", "pidfd-victim",
            "nice-victim", "limit-victim", "kill-high-bits", "swallow-victim")

NOT_RUN = "not run: needs root"
NO_INT80 = "int $0x80 is a fault here"


def file_handle(path):
    """TYPE:HEX of name_to_handle_at(2)."""
    libc = ctypes.CDLL(None, use_errno=True)

    class Handle(ctypes.Structure):
        _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("f", ctypes.c_ubyte * 128)]
    handle, mount = Handle(128, 0), ctypes.c_int()
    if libc.name_to_handle_at(-100, path.encode(), ctypes.byref(handle), ctypes.byref(mount), 0):
        return None
    return f"{handle.type}:{bytes(handle.f[:handle.bytes]).hex()}"


class Suite:
    def __init__(self, args):
        self.sandbox = sgtest.Sgrun(args.sgrun, args.tier, args.user, daemon=args.daemon) if args.sgrun else None
        self.tools = self.sandbox or sgtest.Sgrun("/bin/true", "none", args.user)
        self.uid = args.user
        self.is_root = os.getuid() == 0
        t = self.tools
        self.hostile = t.shared(os.path.join(args.bin, "hostile"))
        self.has_int80 = sgtest.has_int80(self.hostile)
        self.victim = t.shared(os.path.join(args.bin, "victim"))
        self.library = t.shared(os.path.join(args.bin, "hostile_attacks.so"))
        self.python = t.shared(os.path.join(HERE, "hostile.py"), 0o644)
        self.node = t.shared(os.path.join(HERE, "hostile.js"), 0o644)
        self.policy = t.shared(os.path.join(HERE, "forking.yaml"), 0o644)
        self.cgroup = sgtest.cgroup2_mount()
        self.has_handles = file_handle(self.python) is not None
        # Where a library is refused that lies anywhere else than in the system's folders, the one with the attacks is let in.
        self.loading = None
        if args.tier == "lsm":
            self.loading = os.path.join(t.root, "loading.yaml")
            with open(self.loading, "w", encoding="utf-8") as f:
                for lang in ("python", "javascript"):
                    f.write(f'loading-{lang}: {{inherit: "builtin:{lang}", files: {{read: ["{self.library}"], map: ["{self.library}"]}}}}\n')
            os.chmod(self.loading, 0o644)

    def policy_of(self, p):
        """(language, policy file) that it runs under. No file: the built-in one."""
        if p.policy:
            return p.policy, self.policy
        if self.loading and p.attack.startswith("raw:"):
            return "loading-" + p.lang, self.loading
        return p.lang, None

    def command(self, p, victim, scratch, fd):
        words = [p.attack, f"victim={victim.pid}", f"addr={victim.address}", f"dir={scratch}"]
        if fd is not None:
            words.append(f"fd={fd}")
        if p.context != "main":
            words.append(f"from={p.context}")
        if p.attack.startswith("raw:"):
            words.append(f"lib={self.library}")
        if "handle" in p.extra:
            secret = os.path.join(scratch, "secret")
            with open(secret, "w") as f:
                f.write("secret")
            words.append(f"arg={file_handle(secret)}")
        if "program" in p.extra:
            words.append(f"arg={self.hostile}")
        if "bomb" in p.extra:
            words.append("arg=128")  # the built-in policies' limit on processes
        if p.attack == "cgroup-escape":
            words.append(f"arg={self.cgroup}/cgroup.procs")
        if p.lang == "c":
            return [self.hostile, *words]
        if p.lang == "python":
            return ["/usr/bin/python3", self.python, *words]
        return ["/usr/bin/node", self.node, *words]

    def once(self, p, sandboxed):
        """Runs one program. Returns (result, what it left behind)."""
        t = self.tools
        as_root = p.root and not sandboxed and self.is_root
        uid = None if as_root else self.uid
        scratch = t.scratch()
        victim = sgtest.Victim(self.victim, uid)
        mine = theirs = None
        fd, stdin, master = None, subprocess.DEVNULL, None
        try:
            if p.fd == "pidfd":
                fd = os.pidfd_open(victim.pid)
            elif p.fd == "socket":
                mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                fd = theirs.fileno()
            if p.tty:
                master, stdin = pty.openpty()
            line = self.command(p, victim, scratch, fd)
            fds = () if fd is None else (fd,)
            if sandboxed:
                lang, policy = self.policy_of(p)
                result = self.sandbox.run(line, scratch, lang, policy, stdin=stdin, fds=fds)
            else:
                prefix = list(UNSHARE) if self.is_root else []
                if self.is_root and uid is not None:
                    prefix += ["/usr/bin/setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]
                result = sgtest.run(prefix + line, stdin=stdin, fds=fds)
            traces = [m for m in MARKERS if os.path.lexists(os.path.join(scratch, m))]
            touched = victim.changed()
            if touched:
                traces.append("victim: " + touched)
            if mine:
                mine.setblocking(False)
                try:
                    if mine.recv(16):
                        traces.append("message received")
                except BlockingIOError:
                    pass
            return result, traces
        finally:
            victim.close()
            for s in (mine, theirs):
                if s:
                    s.close()
            if p.fd == "pidfd" and fd is not None:
                os.close(fd)
            if master is not None:
                os.close(master)
                os.close(stdin)
            shutil.rmtree(scratch, ignore_errors=True)

    @staticmethod
    def outcome(result):
        lines = result.out.splitlines()
        if not lines:
            return "nothing"
        if "EFFECT" in lines:
            return "EFFECT"
        last = lines[-1].split()
        return last[1] if last[0] == "ERRNO" and len(last) > 1 else lines[-1]

    def control(self, p):
        """Returns (outcome, complaint, shown here). Not shown: the manifest says that this kernel has no such call."""
        if p.root and not self.is_root:
            return NOT_RUN, None, False
        result, traces = self.once(p, False)
        got = self.outcome(result)
        if p.abi == "i386" and not self.has_int80 and (got.startswith("TRY ") or got == "SURVIVED" and p.context == "daemon"):
            return NO_INT80, None, False
        wanted = p.control.split("|")
        lacking = p.control != manifest.NO_HANDLES or not self.has_handles
        if "!" + got in wanted and lacking:
            return got, None, False
        if got not in wanted:
            return got, f"control: {got}, not {p.control} (exit {result.status}, {result.err.strip()[-200:]})", True
        if got == "EFFECT" and p.attack.split(":")[-1] in TOUCHING and not any(t.startswith("victim") for t in traces):
            return got, "control: the victim shows no trace of it", True
        return got, None, True

    def judge(self, p, result, traces):
        bad = ["took effect: " + t for t in traces]
        if p.abi == "i386" and not self.has_int80:
            return bad  # there is no call that could be told of
        # Where a child makes the call, its parent may see it die and say so, in the moment before it is killed, too.
        child = "child" in p.extra
        shows = ("EFFECT", "SURVIVED") if child else ("EFFECT", "SETUP", "SURVIVED")
        if any(line.startswith(shows) for line in result.out.splitlines()):
            bad.append("printed " + result.out.splitlines()[-1])
        kind, _, what = p.expect.partition(":")
        if self.sandbox.tier == "lsm" and p.lsm:
            kind, what = "lsm", p.lsm
        if kind == "lsm":
            kills = [r for r in result.of("lsm_violation") if r.get("action") == "kill"]
            if result.status != 159 or [r.get("class") for r in kills] != [what] or result.kills():
                bad.append(f"exit status {result.status}, records {result.records[1:]!r}, not a kill for {what}")
        elif kind == "kill":
            lines = result.out.splitlines()
            if not any(line.startswith("TRY ") for line in (lines if child else lines[-1:])):
                bad.append(f"output ends with {self.outcome(result)!r}")
            bad += sgtest.check_kill(result, what, p.abi, self.sandbox.program_uid(),
                                     several="all-threads" in p.extra)
            end = result.exit()
            for record in result.kills()[:1]:
                bad += explain.complaints(self.sandbox.binary, record, self.policy_of(p)[1])
            if end and end.get("integrity") != "complete":
                bad.append(f"integrity {end.get('integrity')!r}: {end.get('reasons')}")
        else:
            if self.outcome(result) != what:
                bad.append(f"answered {self.outcome(result)!r}, not {what}")
            if result.status != 20:
                bad.append(f"exit status {result.status}, not the program's 20")
            if result.garbage:
                bad.append(result.garbage)
            if result.kills():
                bad.append("a killing record")
            if not result.exit() or result.exit().get("verdict") != "ok":
                bad.append(f"exit record {result.exit()!r}")
        if bad:
            bad += [f"got: exit {result.status}"]
            bad += [f"violation: {r.get('syscall')} {r.get('abi')} {r.get('decoded')}" for r in result.kills()[:1]]
            bad += ["stderr: " + result.err.strip()[-300:]] if result.err.strip() else []
        return bad

    def test(self, p):
        got, complaint, shown = self.control(p)
        bad = [complaint] if complaint else []
        if self.sandbox:
            bad += self.judge(p, *self.once(p, True))
        return got, shown, bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sgrun", help="without it, only the controls run")
    parser.add_argument("--bin", default=HERE, help="directory of hostile, victim and hostile_attacks.so")
    parser.add_argument("--tier", choices=["lsm", "bpf", "unprivileged"], default="unprivileged")
    parser.add_argument("--daemon", metavar="SOCKET", help="launch through the sgd that listens there")
    parser.add_argument("--user", type=int, help="uid of the programs (unprivileged: also of sgrun)")
    parser.add_argument("--only", default="", help="programs whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    programs = [p for p in manifest.PROGRAMS if args.only in p.name]
    if args.list:
        for p in programs:
            print(f"{p.name:36} {p.expect}")
        return 0
    suite = Suite(args)
    lock = threading.Lock()
    passed, failed, skipped, unshown = 0, [], [], []

    def one(p):
        nonlocal passed
        got, shown, bad = suite.test(p)
        with lock:
            word = "FAIL" if bad else "ok" if shown else "skip" if got == NOT_RUN else "part"
            print(f"{word:5} {p.name:38} {p.expect if suite.sandbox else '-':28} control {got}", flush=True)
            for b in bad:
                print("        " + b, flush=True)
            if bad:
                failed.append(p.name)
            elif got == NOT_RUN:
                skipped.append(p.name)
            else:
                passed += 1
                if not shown:
                    unshown.append((p.name, got))

    try:
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for f in [pool.submit(one, p) for p in programs]:
                f.result()
    finally:
        suite.tools.close()
    if unshown:
        print("stopped as they must be; this kernel has no such call, so that the control shows no effect either: "
              + ", ".join(f"{n} ({why})" for n, why in sorted(unshown)))
    if skipped:
        print("the control needs root: " + ", ".join(sorted(skipped)))
    print(f"{passed} passed, {len(failed)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failed or not programs else 0


sys.exit(main())
