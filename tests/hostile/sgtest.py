# SPDX-License-Identifier: Apache-2.0
"""What the drivers of the live suites share: running sgrun in a tier and as a user, its records, a victim process."""
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENV = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/nonexistent"}
CANONICAL = {"c": "compiled"}


def identity(uid):
    """subprocess arguments that give up everything for an ordinary user; none for uid None."""
    return {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}


def has_int80(hostile):
    """Whether `int $0x80` leads into the kernel. Under some hypervisors it is a fault of the program, sandbox or not."""
    return subprocess.run([hostile, "int80-getpid", "dir=/tmp"], env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          check=False).returncode != -signal.SIGSEGV


def cgroup2_mount():
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, _, right = line.partition(" - ")
            if right.split()[0] == "cgroup2":
                return left.split()[4]
    return None


class Result:
    """One finished program: exit status as a shell reports it, both outputs, and sgrun's records."""

    def __init__(self, status, out, err, records=None, seconds=0.0, garbage=None):
        self.status = 128 - status if status < 0 else status
        self.out = out.decode(errors="replace")
        self.err = err.decode(errors="replace")
        self.records = records or []
        self.seconds = seconds
        self.garbage = garbage

    def of(self, *types):
        return [r for r in self.records if r.get("type") in types]

    def kills(self):
        return [r for r in self.of("syscall_violation") if r.get("action") == "kill"]

    def exit(self):
        return self.records[-1] if self.records and self.records[-1].get("type") == "exit" else None


def read_records(data):
    """Returns (records, problem): a line that is no JSON object is a problem of the product."""
    records = []
    for line in data.decode(errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            return records, "no JSON: " + line[:200]
        if not isinstance(record, dict):
            return records, "no object: " + line[:200]
        records.append(record)
    return records, None


class Sgrun:
    """sgrun in one tier. uid None: the program runs as the driver's own user.

    bpf: sgrun runs as root and is told --user. unprivileged: sgrun itself runs as that user.
    """

    def __init__(self, path, tier, uid=None, workdir=None, daemon=None):
        self.tier, self.uid, self.daemon = tier, uid, daemon
        self.root = workdir or tempfile.mkdtemp(prefix="sgtest-")
        self.owned = workdir is None
        os.chmod(self.root, 0o755)
        self.binary = os.path.join(self.root, "sgrun")
        shutil.copy(path, self.binary)
        os.chmod(self.binary, 0o755)
        self.count = 0

    def close(self):
        if self.owned:
            shutil.rmtree(self.root, ignore_errors=True)

    def program_uid(self):
        return os.getuid() if self.uid is None else self.uid

    def shared(self, source, mode=0o755):
        """A copy that the program's user can read and run."""
        target = os.path.join(self.root, os.path.basename(source))
        shutil.copy(source, target)
        os.chmod(target, mode)
        return target

    def scratch(self):
        path = tempfile.mkdtemp(prefix="run-", dir=self.root)
        os.chown(path, self.program_uid(), -1)
        return path

    def command(self, argv, verdicts, lang=None, policy=None, options=()):
        line = [self.binary, "--tier", self.tier, "--verdicts", verdicts]
        if self.daemon:
            line += ["--daemon", self.daemon]
        if self.uid is not None and self.tier != "unprivileged":
            line += ["--user", str(self.uid)]
        if lang:
            line += ["--lang", lang]
        if policy:
            line += ["--policy", policy]
        return line + [str(o) for o in options] + ["--"] + list(argv)

    def sgrun_identity(self):
        return identity(self.uid if self.tier == "unprivileged" else None)

    def run(self, argv, scratch, lang=None, policy=None, options=(), stdin=subprocess.DEVNULL, fds=(), timeout=60):
        verdicts = os.path.join(scratch, "verdicts.jsonl")
        line = self.command(argv, verdicts, lang, policy, [*options, *[o for f in fds for o in ("--fd", f)]])
        result = run(line, self.uid if self.tier == "unprivileged" else None, stdin, fds, timeout)
        try:
            with open(verdicts, "rb") as f:
                result.records, result.garbage = read_records(f.read())
        except OSError as e:
            result.garbage = "no verdict file: " + e.strerror
        return result


def run(line, uid=None, stdin=subprocess.DEVNULL, fds=(), timeout=60):
    start = time.monotonic()
    process = subprocess.Popen(line, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV, cwd="/",
                               pass_fds=fds, start_new_session=True, **identity(uid))
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        err += b"\n(driver: timed out and was killed)"
    return Result(process.returncode, out, err, seconds=time.monotonic() - start)


class Victim:
    """A process outside the sandbox, of the same user. changed() tells whether anyone has touched it."""

    def __init__(self, binary, uid=None):
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV, bufsize=0,
                                        start_new_session=True, **identity(uid))
        pid, self.address = self.line(10).split()
        self.pid = int(pid)
        self.before = self.state()

    def line(self, timeout):
        data = b""
        deadline = time.monotonic() + timeout
        while not data.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return "silent"
            byte = os.read(self.process.stdout.fileno(), 4096)
            if not byte:
                return "dead"
            data += byte
        return data.decode().strip()

    def state(self):
        try:
            with open(f"/proc/{self.process.pid}/stat") as f:
                if f.read().rsplit(")", 1)[1].split()[0] in "TtZX":
                    return "stopped"
            self.process.stdin.write(b"\n")
        except OSError:
            return "dead"
        return self.line(5)

    def changed(self):
        """None, or what differs from the beginning."""
        now = self.state()
        if now == self.before:
            return None
        return " ".join(sorted(set(now.split()) - set(self.before.split()))) or now

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def check_kill(result, call, abi, uid=None, layer="seccomp", prevented=True, several=False):
    """Everything a killing record must say. Returns a list of complaints.

    several: threads make the same call at the same time, and each may have its record.
    """
    bad = []
    kills = result.kills()
    if result.garbage:
        bad.append(result.garbage)
    if result.status != 159:
        bad.append(f"exit status {result.status}, not 159")
    if several and len({k.get("tgid") for k in kills}) == 1 and len({k.get("pid") for k in kills}) == len(kills):
        kills = kills[:1] if all(k.get("syscall") == call for k in kills) else kills
    if len(kills) != 1:
        return bad + [f"{len(kills)} killing records"]
    v = kills[0]
    for key, want in (("syscall", call), ("abi", abi), ("prevented", prevented), ("layer", layer)):
        if want is not None and v.get(key) != want:
            bad.append(f"{key} is {v.get(key)!r}, not {want!r}")
    if uid is not None and v.get("uid") != uid:
        bad.append(f"uid is {v.get('uid')!r}, not {uid}")
    if not isinstance(v.get("hint"), str) or not v["hint"]:
        bad.append("no hint")
    if "rule" not in v or not (v["rule"] is None or {"list", "text", "file", "line", "column"} <= set(v["rule"])):
        bad.append(f"rule is {v.get('rule', 'missing')!r}")
    if not (isinstance(v.get("args"), list) and len(v["args"]) == 6 and all(isinstance(a, int) for a in v["args"])):
        bad.append(f"args are {v.get('args')!r}")
    for key in ("timestamp", "pid", "tgid", "cgroup_id", "syscall_nr"):
        if not isinstance(v.get(key), int):
            bad.append(f"{key} is {v.get(key)!r}")
    for key in ("comm", "language", "sandbox", "level"):
        if not isinstance(v.get(key), str) or not v[key]:
            bad.append(f"{key} is {v.get(key)!r}")
    end = result.exit()
    if not end:
        bad.append("no exit record at the end")
    else:
        if end.get("verdict") != "violation":
            bad.append(f"verdict is {end.get('verdict')!r}")
        if (end.get("violation") or {}).get("syscall") != call:
            bad.append(f"exit record's violation is {end.get('violation')!r}")
    if result.records and result.records[0].get("type") != "start":
        bad.append("no start record at the beginning")
    return bad
