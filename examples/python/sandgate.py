# SPDX-License-Identifier: Apache-2.0
"""Runs untrusted programs under sgrun from Python. One file, nothing but the standard library.

    from sandgate import Sandgate
    result = Sandgate().run(["/usr/bin/python3", "user.py"], language="python", limits={"wall_time": "10s"})
    print(result.verdict, result.violation and result.violation["syscall"])

It speaks the contract of docs/embedding.md, version 1, and uses nothing else of sgrun.
"""
import json
import os
import selectors
import signal
import subprocess
import threading
import time

CONTRACT = 1
CHUNK = 65536
# Of audit mode a program gets as many as it likes.
MAX_RECORDS = 10000
# Options of sgrun that a caller may set by name, `wall_time="2s"` being --wall-time 2s.
LIMITS = ("wall_time", "cpu_time", "memory", "pids", "cpus", "output", "file_size", "open_files", "stack")


class SandgateError(Exception):
    """Nothing ran, or nobody can tell how it ended: sgrun is missing, refused, or failed. The message says why."""


class Result:
    """How a run ended. `verdict` says why; `status` is sgrun's own exit status. records: the first MAX_RECORDS and
    `exit`; omitted: how many more there were."""

    def __init__(self, status, run):
        self.status, self.stdout, self.stderr, self.records = status, bytes(run.stdout), bytes(run.stderr), run.records
        self.truncated, self.omitted = run.truncated, run.omitted
        records, stderr = self.records, self.stderr
        self.start = next((r for r in records if r.get("type") == "start"), None)
        self.exit = next((r for r in reversed(records) if r.get("type") == "exit"), None)
        if self.exit is None:
            # Killed itself, or never started: the stream always ends with `exit` otherwise. What stands on standard
            # error is the program's once there is one, and no reason.
            if self.start:
                raise SandgateError(f"sgrun ended with status {status} before it said how the program ended")
            raise SandgateError(stderr.decode(errors="replace").strip()[-500:] or f"sgrun ended with status {status}")
        self.verdict = self.exit["verdict"]
        self.exit_code = self.exit.get("exit_code")
        self.signal = self.exit.get("signal")
        self.limit = self.exit.get("limit")
        self.violation = self.exit["violation"]
        self.cancelled = self.exit.get("cancelled", False)
        self.complete = self.exit["integrity"] == "complete"

    @property
    def ok(self):
        return self.verdict == "ok" and self.exit_code == 0

    def violations(self):
        return [r for r in self.records if r.get("type", "").endswith("_violation")]


class Run:
    """A sandbox that has been started. It ends with the `with` block, or with this process, at the latest."""

    def __init__(self, line, stdin, on_record, max_output):
        self.records, self.stdout, self.stderr = [], bytearray(), bytearray()
        self.truncated, self.omitted = False, 0
        self._on_record, self._max, self._rest = on_record, max_output, b""
        # What can be wrong with the arguments is found before there is a sandbox that nobody would end.
        self._stdin = memoryview(stdin.encode() if isinstance(stdin, str) else stdin or b"")
        self._lock = threading.Lock()
        ends = []
        try:
            ends += os.pipe()
            ends += os.pipe()
            self._verdicts, verdicts_end, cancel_end, self._cancel = ends
            options = ["--verdicts", f"fd:{verdicts_end}", "--cancel-fd", str(cancel_end)]
            self.process = subprocess.Popen([line[0], *options, *line[1:]], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                            pass_fds=(verdicts_end, cancel_end), start_new_session=True)
        except BaseException as e:
            # Not only what the system refuses: an argument with a NUL byte in it is a ValueError.
            for fd in ends:
                os.close(fd)
            if isinstance(e, OSError):
                raise SandgateError(f"cannot start {line[0]}: {e.strerror}") from e
            raise
        os.close(verdicts_end)
        os.close(cancel_end)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cancel()
        self.process.wait()
        self._close()

    def cancel(self):
        """Kills the sandbox. May be called from another thread, and more than once."""
        with self._lock:
            if self._cancel is not None:
                os.close(self._cancel)
                self._cancel = None

    def terminate(self):
        """Asks the program to end (SIGTERM). A second time, sgrun kills the sandbox."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout=None):
        """Reads everything until sgrun has ended. timeout cancels (limits={"wall_time": …} is the better way)."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as poll:
            poll.register(self.process.stdout, selectors.EVENT_READ, self.stdout)
            poll.register(self.process.stderr, selectors.EVENT_READ, self.stderr)
            poll.register(self._verdicts, selectors.EVENT_READ, None)
            os.set_blocking(self.process.stdin.fileno(), False)
            poll.register(self.process.stdin, selectors.EVENT_WRITE, self.process.stdin)
            while len(poll.get_map()):
                if deadline is not None and time.monotonic() > deadline:
                    self.cancel()
                    deadline = None
                for key, _ in poll.select(0.2 if deadline is not None else None):
                    self._serve(poll, key)
        status = self.process.wait()
        self._close()
        self.cancel()
        return Result(128 - status if status < 0 else status, self)

    def _serve(self, poll, key):
        if key.data is self.process.stdin:
            try:
                self._stdin = self._stdin[os.write(key.fd, self._stdin[:CHUNK]):]
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._stdin = self._stdin[:0]
            if not self._stdin:
                poll.unregister(key.fileobj)
                key.fileobj.close()
            return
        data = os.read(key.fd, CHUNK)
        if not data:
            poll.unregister(key.fileobj)
        elif key.data is None:
            self._take(data)
        elif len(key.data) + len(data) > self._max:
            # What nobody will read must not fill this process's memory.
            self.truncated = True
            self.cancel()
        else:
            key.data.extend(data)

    def _take(self, data):
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            record = json.loads(line)
            if record.get("type") == "start" and record["version"] != CONTRACT:
                self.cancel()
                raise SandgateError(f"sgrun speaks version {record['version']} of the contract, not {CONTRACT}")
            if len(self.records) < MAX_RECORDS or record.get("type") == "exit":
                self.records.append(record)
            else:
                self.omitted += 1
            if self._on_record:
                self._on_record(record)

    def _close(self):
        for f in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                f.close()
            except OSError:
                pass
        if self._verdicts is not None:
            os.close(self._verdicts)
            self._verdicts = None


class Sandgate:
    """How sgrun is called. Keyword arguments here are those of start(), and defaults for every run: what a run says
    goes before them, each limit and each variable by itself."""

    def __init__(self, sgrun="sgrun", **defaults):
        self.sgrun, self.defaults = sgrun, defaults

    def start(self, argv, **how):
        """Starts argv in a sandbox of its own. how: language, policy, mode, require, tier, user, cwd; env: names and
        values on top of the minimal environment; limits: names of LIMITS and values as sgrun takes them ("10s", "64M",
        16); stdin: bytes or text; on_record: called with each record, kept or not; max_output: bytes of each output that are kept,
        a program that writes more is cancelled; options: more words for sgrun."""
        both = {**self.defaults, **how}
        for name in ("env", "limits"):
            both[name] = {**(self.defaults.get(name) or {}), **(how.get(name) or {})}
        return self._start(argv, **both)

    def _start(self, argv, *, language=None, policy=None, mode=None, require=None, tier=None, user=None, cwd=None,
               env, limits, stdin=None, on_record=None, max_output=64 << 20, options=()):
        line = [self.sgrun]
        for option, value in (("--lang", language), ("--policy", policy), ("--mode", mode), ("--require", require),
                              ("--tier", tier), ("--user", user), ("--chdir", cwd)):
            if value is not None:
                line += [option, str(value)]
        for name, value in env.items():
            line += ["--env", f"{name}={value}"]
        for name, value in limits.items():
            if name not in LIMITS:
                raise ValueError(f"unknown limit {name}: expected one of {', '.join(LIMITS)}")
            line += ["--" + name.replace("_", "-"), str(value)]
        return Run(line + [str(o) for o in options] + ["--", *argv], stdin, on_record, max_output)

    def run(self, argv, timeout=None, **how):
        with self.start(argv, **how) as run:
            return run.wait(timeout)

    def explain(self, records):
        """[(sentence, policy line or None)] for the denials among records, in sgrun's own words."""
        lines = "".join(json.dumps(r) + "\n" for r in records)
        got = subprocess.run([self.sgrun, "policy", "explain", "--denial", "--json"], input=lines.encode(),
                             capture_output=True, check=False)
        told = [json.loads(line) for line in got.stdout.splitlines()]
        return [(t["sentence"], t.get("policy")) for t in told]
