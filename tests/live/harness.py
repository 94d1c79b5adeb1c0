# SPDX-License-Identifier: Apache-2.0
"""What the live tests share: running sgrun in a tier, its records checked against the schema, and the clean-up."""
import ctypes
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time
import tty
import unittest

import jsonschema

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENV = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/nonexistent"}
UID = 54321  # an ordinary user that no file of the machine belongs to
GID = 54322
CI = os.environ.get("CI") == "true"

with open(os.path.join(ROOT, "docs", "verdict.schema.json")) as schema_file:
    VALIDATOR = jsonschema.Draft202012Validator(json.load(schema_file))

# x86_64 numbers of the calls that the tests make by number
NR = {"write": 1, "close": 3, "mmap": 9, "ioctl": 16, "getpid": 39, "socket": 41, "clone": 56, "fork": 57, "kill": 62,
      "open": 2, "ptrace": 101, "getppid": 110, "getpgrp": 111, "personality": 135, "prctl": 157, "mount": 165,
      "sethostname": 170, "getxattr": 191, "tkill": 200, "openat": 257, "unshare": 272, "bpf": 321,
      "userfaultfd": 323, "io_uring_setup": 425, "getuid": 102, "chroot": 161, "setuid": 105, "prlimit64": 302}


class Tier:
    """One way to run sgrun. `bpf` and `unprivileged` as root, `user` as an ordinary user with a binary of its own."""

    def __init__(self, name, sgrun, work):
        self.name = name
        self.stream_name = name if name in ("bpf", "lsm") else "unprivileged"
        self.uid, self.gid = (UID, GID) if name == "user" else (0, 0)
        self.identity = {"user": UID, "group": GID, "extra_groups": []} if name == "user" else {}
        if os.geteuid() != 0:
            self.uid, self.gid, self.identity = os.geteuid(), os.getegid(), {}
        self.work = tempfile.mkdtemp(prefix=name + "-", dir=work)
        os.chmod(self.work, 0o755)
        self.sgrun = os.path.join(self.work, "sgrun")
        shutil.copy(sgrun, self.sgrun)
        os.chmod(self.sgrun, 0o755)
        # An ordinary user gets what it gets without asking; root has to ask for less.
        self.options = [] if name == "user" else ["--tier", name]

    @property
    def has_bpf(self):
        return self.name in ("bpf", "lsm")

    @property
    def is_root(self):
        return self.uid == 0


class Result:
    def __init__(self, status, out=b"", err=b"", records=(), seconds=0.0, argv=()):
        self.status, self.out, self.err, self.records = status, out, err, list(records)
        self.seconds, self.argv = seconds, argv

    @property
    def text(self):
        return self.out.decode(errors="surrogateescape")

    @property
    def errors(self):
        return self.err.decode(errors="surrogateescape")

    def of(self, *types):
        return [r for r in self.records if r["type"] in types]

    @property
    def start(self):
        return self.of("start")[0]

    @property
    def exit(self):
        return self.of("exit")[0]

    @property
    def kills(self):
        return [r for r in self.of("syscall_violation") if r["action"] == "kill"]

    def describe(self):
        lines = "\n".join(json.dumps(r)[:400] for r in self.records[:12])
        return f"{' '.join(map(repr, self.argv))[:500]}\nstatus {self.status}, {self.seconds:.2f} s\n" \
               f"stdout {self.out[:600]!r}\nstderr {self.err[:1200]!r}\n{lines}"


class Running:
    """An sgrun that has been started. wait() collects it; the test's clean-up ends it in any case."""

    def __init__(self, process, verdicts, argv):
        self.process, self.verdicts, self.argv = process, verdicts, argv
        self.pid = process.pid
        self.started = time.monotonic()
        self.seen = b""

    def line(self, timeout=60):
        """The next line of the program's output; b"" at its end."""
        end = time.monotonic() + timeout
        while b"\n" not in self.seen:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"no line of output within {timeout} s; so far {self.seen!r}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                break
            self.seen += data
        line, _, self.seen = self.seen.partition(b"\n")
        return line

    def send(self, sig):
        self.process.send_signal(sig)

    def has_taken(self):
        """Whether sgrun has read every signal that was sent to it."""
        with open(f"/proc/{self.pid}/status") as f:
            return all(int(line.split()[1], 16) == 0 for line in f if line.startswith(("SigPnd", "ShdPnd")))

    def wait(self, timeout=60):
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"sgrun still ran after {timeout} s: {' '.join(map(str, self.argv))[:500]}")
        records = read_records(self.verdicts) if self.verdicts else []
        return Result(self.process.returncode, self.seen + (out or b""), err or b"", records, time.monotonic() - self.started, self.argv)

    def kill(self):
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


def parse_records(data):
    """Every line an object, the last one complete."""
    if data and not data.endswith(b"\n"):
        raise AssertionError(f"the stream ends in the middle of a line: {data[-200:]!r}")
    return [json.loads(line.decode("utf-8")) for line in data.splitlines()]


def read_records(f):
    f.seek(0)
    return parse_records(f.read())


def open_verdict_file(path):
    return open(path, "a+b", buffering=0)


def start(argv, identity=None, env=None, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
          stderr=subprocess.PIPE, fds=(), verdicts=None, **more):
    process = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr, env=ENV if env is None else env, cwd=cwd,
                               pass_fds=fds, **(identity or {}), **more)
    return Running(process, verdicts, argv)


def processes_naming(text):
    """Living processes whose command line holds this text: what belongs to one test, whoever its parent is."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as f:
                line = f.read()
            with open(f"/proc/{name}/stat") as f:
                state = f.read().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if os.fsencode(text) in line and state not in "ZX":
            found.append(int(name))
    return found


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition, timeout=60.0):
    """A host may be busy: the time is for what never comes."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def cgroup2_mount():
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, _, right = line.partition(" - ")
            if right.split()[0] == "cgroup2":
                return left.split()[4]
    return None


def sandbox_cgroups(pid):
    """Directories of the sandbox that this sgrun made."""
    found = []
    for top, dirs, _ in os.walk(cgroup2_mount() or "/nonexistent"):
        found += [os.path.join(top, d) for d in dirs if d.startswith(f"sandgate-{pid}-")]
    return found


def bpf_ids():
    """Ids of all programs, maps and links in the kernel, as (kind, id)."""
    libc = ctypes.CDLL(None, use_errno=True)
    found = set()
    for kind, command in (("prog", 11), ("map", 12), ("link", 31)):
        attr = (ctypes.c_uint32 * 16)()
        while True:
            attr[1] = 0
            if libc.syscall(NR["bpf"], command, ctypes.byref(attr), ctypes.sizeof(attr)) < 0:
                break
            attr[0] = attr[1]
            found.add((kind, attr[1]))
    return found


class Terminal:
    """A pseudo-terminal and all that was written to it. Raw: what is read is what was written."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.data = b""

    def read_all(self, seconds=10.0):
        """What has been written; call it when the writers have ended."""
        if self.slave is not None:
            os.close(self.slave)
            self.slave = None
        while select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.data += data
        return self.data

    def close(self):
        for fd in (self.master, self.slave):
            if fd is not None:
                os.close(fd)
        self.master = self.slave = None


class LiveTest(unittest.TestCase):
    """run.py makes one class of each of these per tier and fills in `tier`, `bin` and `policy`."""

    tiers = ("bpf", "unprivileged", "user")
    tier = None
    act = act_static = probe = policy = None  # paths
    limit = 150  # seconds a test may take

    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="test-", dir=self.tier.work)
        os.chmod(self.work, 0o755)
        os.chown(self.work, self.tier.uid, self.tier.gid)
        self.addCleanup(shutil.rmtree, self.work, True)
        self.last = None

    # ---- running ----

    def command(self, argv, lang="open", policy="", options=(), tier_options=None):
        line = [self.tier.sgrun, *(self.tier.options if tier_options is None else tier_options)]
        if lang:
            line += ["--lang", lang]
        if policy is not None and (policy or lang not in self.builtins):
            line += ["--policy", policy or self.policy]
        return [*line, *map(str, options), "--", *argv]

    builtins = ("c", "compiled", "python", "compile", "javascript", "perl")

    def launch(self, argv, lang="open", policy="", options=(), tier_options=None, fds=(), verdicts="capture", **how):
        """Starts it; the records go to a file of their own unless verdicts says otherwise (None: no option)."""
        capture = None
        options = list(options)
        if verdicts == "capture":
            capture = open_verdict_file(os.path.join(self.work, f"verdicts-{time.monotonic_ns()}"))
            self.addCleanup(capture.close)
            options += ["--verdicts", f"fd:{capture.fileno()}"]
            fds = (*fds, capture.fileno())
        elif verdicts:
            options += ["--verdicts", verdicts]
        line = self.command(argv, lang, policy, options, tier_options)
        how.setdefault("identity", self.tier.identity)
        running = start(line, fds=tuple(fds), verdicts=capture, **how)
        self.addCleanup(running.kill)
        return running

    def run_in(self, argv, *args, timeout=60, check=True, **how):
        data = how.pop("input", None)
        if data is not None:
            how["stdin"] = subprocess.PIPE
        running = self.launch(argv, *args, **how)
        if data is not None:
            running.process._input = None
            try:
                out, err = running.process.communicate(data, timeout=timeout)
            except subprocess.TimeoutExpired:
                running.kill()
                self.fail(f"sgrun still ran after {timeout} s")
            result = Result(running.process.returncode, out, err,
                            read_records(running.verdicts) if running.verdicts else [],
                            time.monotonic() - running.started, running.argv)
        else:
            result = running.wait(timeout)
        self.last = result
        if check and running.verdicts:
            self.check_stream(result)
        return result

    def bare(self, argv, **how):
        """The same program without a sandbox: what the sandbox is compared with."""
        how.setdefault("identity", self.tier.identity)
        result = start(argv, **how).wait()
        self.last = result
        return result

    def do(self, *words, **how):
        """Runs the little helper program."""
        return self.run_in([self.act, *map(str, words)], **how)

    def sgrun(self, *words, timeout=60, **how):
        """sgrun with exactly these arguments."""
        how.setdefault("identity", self.tier.identity)
        running = start([self.tier.sgrun, *map(str, words)], **how)
        self.addCleanup(running.kill)
        self.last = running.wait(timeout)
        return self.last

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.work, name)
        with open(path, "wb" if isinstance(text, bytes) else "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def terminal(self):
        t = Terminal()
        os.fchown(t.slave, self.tier.uid, self.tier.gid)
        self.addCleanup(t.close)
        return t

    def pipe(self, size=None):
        import fcntl
        r, w = os.pipe()
        if size:
            fcntl.fcntl(w, 1031, size)  # F_SETPIPE_SZ
        files = os.fdopen(r, "rb", buffering=0), os.fdopen(w, "wb", buffering=0)
        for f in files:
            self.addCleanup(f.close)
        return files

    # ---- checking ----

    def check_schema(self, records):
        for r in records:
            errors = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in VALIDATOR.iter_errors(r)]
            # oneOf says only that nothing matched; the branch for the type says why
            if errors:
                branch = {"start": "start", "syscall_violation": "violation"}.get(r.get("type"), r.get("type"))
                schema = {**VALIDATOR.schema, "oneOf": [{"$ref": f"#/$defs/{branch}"}]}
                why = jsonschema.Draft202012Validator(schema).iter_errors(r)
                errors += [c.message for e in why for c in (e.context or [e])]
                self.fail(f"a record is not as the schema says: {errors}\n{r}")

    def check_stream(self, result):
        records = result.records
        self.check_schema(records)
        self.assertTrue(records, "no records at all\n" + result.describe())
        types = [r["type"] for r in records]
        self.assertEqual(types.count("exit"), 1, types)
        self.assertEqual(types[-1], "exit", types)
        if result.status != 125 and not (result.status in (126, 127) and len(records) == 1):
            self.assertEqual(types[0], "start", types)
            self.assertEqual(types.count("start"), 1, types)
            self.assertEqual(result.start["tier"], self.tier.stream_name)
        self.assertEqual(len({r["sandbox"] for r in records}), 1)
        self.assertEqual(len({r["cgroup_id"] for r in records}), 1)
        self.assertEqual(len({r["language"] for r in records}), 1)
        times = [r["timestamp"] for r in records]
        self.assertEqual(times, sorted(times), [(r["type"], r["timestamp"]) for r in records])
        self.assertLess(abs(times[-1] / 1e9 - time.time()), 60)
        self.check_exit(result)

    def check_exit(self, result):
        end, status = result.exit, result.status
        verdict = end["verdict"]
        if verdict in ("ok", "error"):
            self.assertEqual(end["exit_code"], status)
        elif verdict == "violation":
            self.assertEqual(status, 159)
            self.assertIsNotNone(end["violation"])
            self.assertGreaterEqual(end["counts"]["kill"], 1)
        elif verdict == "time_limit":
            self.assertEqual(status, 124)
        elif verdict == "memory_limit":
            self.assertEqual(status, 137)
        elif verdict == "output_limit":
            self.assertEqual(status, 153)
        elif verdict == "signal":
            self.assertEqual(status, 128 + end["signal"])
        else:
            self.fail(f"verdict {verdict}")
        self.assertEqual("limit" in end, verdict.endswith("_limit"))
        if verdict != "violation":
            self.assertIsNone(end["violation"])
        self.assertEqual(end["integrity"] == "complete", not end["reasons"])
        if end["integrity"] == "complete" and not result.of("lost"):
            self.assertEqual(end["counts"]["kill"], len(result.kills))
            audits = result.of("audit") + [r for r in result.of("syscall_violation") if r["action"] == "audit"]
            self.assertEqual(end["counts"]["audit"], len(audits))
            if verdict == "violation":
                self.assertEqual(end["violation"], result.kills[0])

    def assertRan(self, result, out=None, status=0):
        self.assertEqual(result.status, status)
        if out is not None:
            self.assertEqual(result.out, out if isinstance(out, bytes) else out.encode())
        if result.records:
            self.assertEqual(result.exit["verdict"], "ok")

    def assertKilled(self, result, syscall, layer="seccomp", abi="x86_64", prevented=True):
        """Returns the record that killed."""
        self.assertEqual(result.status, 159)
        self.assertEqual(result.exit["verdict"], "violation")
        # More threads may have tried the same before the end; the first one is what counts.
        self.assertGreaterEqual(len(result.kills), 1)
        v = result.kills[0]
        got = (v["syscall"], v["layer"], v["abi"], v["prevented"])
        self.assertEqual(got, (syscall, layer, abi, prevented))
        self.assertEqual(v["uid"], self.tier.uid)
        return v

    def assertNoSurvivor(self, timeout=60.0):
        self.assertTrue(wait_until(lambda: not processes_naming(self.work), timeout),
                        f"still there: {processes_naming(self.work)}")

    def own(self, path):
        """A copy below this test's own directory, so that its processes can be told from those of others."""
        target = os.path.join(self.work, os.path.basename(path))
        if not os.path.exists(target):
            shutil.copy(path, target)
            os.chmod(target, 0o755)
        return target

    def probed(self, options=(), lang="open", program=None, args=(), **how):
        result = self.run_in([program or self.probe, *args], lang=lang, options=options, **how)
        self.assertRan(result)
        return json.loads(result.out)

    def probed_bare(self, program=None, args=(), **how):
        return json.loads(self.bare([program or self.probe, *args], **how).out)

    def refused(self, *options, **how):
        """sgrun must refuse these options: 125, one line and one record that say why, nothing run. Returns the line."""
        marker = os.path.join(self.work, "ran")
        how.setdefault("check", False)
        result = self.run_in([self.act, "open", marker, str(os.O_CREAT | os.O_WRONLY)], options=options, **how)
        self.assertEqual(result.status, 125)
        self.assertFalse(os.path.exists(marker), "the program ran")
        self.assertEqual(result.out, b"")
        lines = result.errors.splitlines()
        self.assertEqual(len(lines), 1)
        self.assertTrue(lines[0].startswith("sgrun: "), lines)
        self.check_schema(result.records)
        self.assertEqual([(r["type"], r["verdict"]) for r in result.records], [("exit", "error")])
        self.assertEqual("sgrun: " + result.records[0]["error"], lines[0])
        return lines[0]


def unused_signal_state():
    """For preexec_fn: SIGUSR2 blocked, SIGQUIT ignored, as a caller may have it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGRTMIN + 3])
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)
