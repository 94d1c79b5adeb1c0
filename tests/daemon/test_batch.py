# SPDX-License-Identifier: Apache-2.0
"""sgrun --batch: many programs through sgd, a sandbox each, and --label, by which they are told apart."""
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from harness import Daemon, ENV, NOBODY, until, waits

OPTIONS = ("--group", str(NOBODY))
PYTHON = "/usr/bin/python3"


class Batch:
    """Jobs in a directory of their own."""

    def __init__(self, daemon, name):
        self.d = daemon
        self.dir = os.path.join(daemon.work, name)
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o777)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def jobs(self, jobs):
        return self.write("jobs", "".join((j if isinstance(j, str) else json.dumps(j)) + "\n" for j in jobs))

    def command(self, *args):
        return [self.d.sgrun, "--daemon", self.d.socket, "--verdicts", "stream", "--lang", "compiled", *map(str, args)]

    def run(self, *args, user=None, **how):
        who = {"user": user, "group": user, "extra_groups": []} if user else {}
        return subprocess.run(self.command(*args), cwd=self.dir, env=ENV, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, **who, **how)

    def start(self, *args, **how):
        return subprocess.Popen(self.command(*args), cwd=self.dir, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                **{"stdin": subprocess.DEVNULL, **how})

    def records(self, kind="exit"):
        if not os.path.exists(self.path("stream")):
            return []
        lines = self.read("stream").split("\n")[:-1]
        return [r for r in map(json.loads, lines) if r["type"] == kind]

    def ends(self):
        return {r["label"]: r for r in self.records()}


def test_each_has_its_own_files(daemon):
    b = Batch(daemon, "files")
    for user in (None, NOBODY):
        for i in range(25):
            b.write(f"{i}.in", f"number {i}\n" * 100)
        jobs = b.jobs({"label": f"case {i}", "stdin": f"{i}.in", "stdout": f"{user}.{i}.out"} for i in range(25))
        r = b.run("--jobs", 4, "--batch", jobs, "--", "/bin/cat", user=user)
        assert (r.returncode, r.stdout, r.stderr) == (0, "", ""), r
        for i in range(25):
            assert b.read(f"{user}.{i}.out") == b.read(f"{i}.in"), i
        ends = b.ends()
        assert sorted(ends) == sorted(f"case {i}" for i in range(25)), ends
        assert all(e["verdict"] == "ok" and e["exit_code"] == 0 for e in ends.values())
        assert len({e["sandbox"] for e in ends.values()}) == 25
        assert len(b.records("start")) == 25 and all(r["label"] in ends for r in b.records("start"))
        os.unlink(b.path("stream"))
    assert {f"case {i}" for i in range(25)} <= {r.get("label") for r in daemon.records(type="exit")}
    assert until(lambda: daemon.sandboxes() == []) and daemon.listed() == []


def test_jobs_do_not_see_each_other_in_proc(daemon):
    b = Batch(daemon, "proc")
    awk = os.path.realpath("/usr/bin/awk")
    for name in ("a", "b"):
        os.mkfifo(b.path(name))
    jobs = b.jobs({"label": n, "stdin": n, "stdout": n + ".out"} for n in ("a", "b"))
    q = b.start("--jobs", 2, "--batch", jobs, "--", awk, "{x=(getline l < $0); print x}")
    fds = [os.open(b.path(n), os.O_RDWR) for n in ("a", "b")]
    assert until(lambda: len(b.records("start")) == 2)
    pids = {r["label"]: r["pid"] for r in b.records("start")}
    for fd in fds:
        os.write(fd, f"/proc/{pids['a']}/stat\n/proc/{pids['b']}/stat\n".encode())
    time.sleep(0.2)
    for fd in fds:
        os.close(fd)
    assert q.communicate(timeout=60) == ("", "") and q.returncode == 0
    assert (b.read("a.out"), b.read("b.out")) == ("1\n-1\n", "-1\n1\n"), (b.read("a.out"), b.read("b.out"))
    # As many as one ruleset does not serve
    os.unlink(b.path("stream"))
    jobs = b.jobs([{"argv": [awk, "BEGIN {x=(getline l < \"/proc/self/stat\"); exit x != 1}"]}] * 200)
    r = b.run("--jobs", 2, "--batch", jobs)
    assert (r.returncode, r.stdout, r.stderr) == (0, "", ""), r
    assert [e["exit_code"] for e in b.records()] == [0] * 200


def test_what_fails_fails_alone(daemon):
    b = Batch(daemon, "fails")
    other = b.write("exec.py", "import os\nos.execv('/bin/id', ['id'])\n")
    jobs = b.jobs([
        {"argv": ["/bin/echo", "one"]},
        {"argv": ["/bin/nosuch"], "label": "missing"},
        {"argv": ["/etc/passwd"], "label": "no program"},
        "{not json",
        "",
        {"argv": ["/bin/cat"], "stdin": "nosuch", "label": "no input"},
        {"argv": ["/bin/echo"], "stdout": "nosuch/out", "label": "no output"},
        {"argv": ["/bin/echo"], "chdir": "nosuch", "label": "nowhere"},
        {"argv": [PYTHON, other], "label": "forbidden"},
        {"argv": ["/bin/false"], "label": "false"},
        {"label": "nothing to run"},
        {"argv": ["/bin/echo", "last"], "stderr": "err"},
        {"argv": ["./exec.py"], "label": "no format"},
    ])
    os.chmod(other, 0o755)
    r = b.run("--jobs", 1, "--batch", jobs)
    assert r.returncode == 1 and r.stdout == "one\nlast\n", r
    ends = b.ends()
    assert list(ends) == ["1", "missing", "no program", "4", "no input", "no output", "nowhere", "forbidden", "false", "nothing to run", "12", "no format"]
    codes = {k: (e["verdict"], e.get("exit_code")) for k, e in ends.items()}
    assert codes["1"] == codes["12"] == ("ok", 0) and codes["false"] == ("ok", 1)
    assert codes["missing"] == ("error", 127) and codes["no program"] == codes["no format"] == ("error", 126)
    assert {codes[k] for k in ("4", "no input", "no output", "nowhere", "nothing to run")} == {("error", 125)}
    assert ends["forbidden"]["verdict"] == "violation" and ends["forbidden"]["violation"]["label"] == "forbidden"
    assert len({e["sandbox"] for e in ends.values()}) == len(ends)
    for line, words in ((2, "job missing: cannot run /bin/nosuch"), (4, "job 4: no JSON"), (6, "job no input: stdin: cannot open nosuch"),
                        (8, "job nowhere: --chdir nosuch"), (11, "job nothing to run: no program"), (13, "job no format: cannot run ./exec.py")):
        assert f"{jobs}:{line}: {words}" in r.stderr, (line, r.stderr)
    assert until(lambda: daemon.sandboxes() == [])


def test_nobody_reads_the_messages(daemon):
    b = Batch(daemon, "unread")
    with b.start("--batch", b.jobs(["senseless"] * 1500)) as p:
        assert p.wait(60) == 1 and len(b.ends()) == 1500
        said = p.stderr.read().splitlines()
        assert 300 < len(said) < 1500 and all(line.startswith("sgrun: ") and "no JSON" in line for line in said), said[-3:]


def test_the_jobs_cannot_be_read_any_more(daemon):
    b = Batch(daemon, "unreadable")
    near, far = socket.socketpair()
    with b.start("--jobs", 2, "--batch", "-", "--", "/bin/sleep", "0.5", stdin=far) as p:
        near.send(b'{"label": "runs"}\n{"label": "bad", "no": 1}\n')
        assert until(lambda: "bad" in b.ends() and b.records("start"))
        far.send(b"this is never read, so that the connection is reset")
        far.close()
        near.close()
        assert p.wait(60) == 125
        assert "cannot read the jobs: Connection reset by peer" in p.stderr.read()
    bad, runs, whole = b.records()
    assert (bad["label"], runs["label"], runs["verdict"], whole["verdict"]) == ("bad", "runs", "ok", "error")
    assert "label" not in whole and whole["sandbox"] not in (bad["sandbox"], runs["sandbox"])


def test_jobs_from_a_fifo(daemon):
    b = Batch(daemon, "fifo")
    os.mkfifo(b.path("fifo"))
    r, w = os.pipe()
    with b.start("--batch", "fifo", "--cancel-fd", r, "--", "/bin/true", pass_fds=[r]) as p:
        os.close(r)
        time.sleep(0.2)
        b.write("fifo", "{}\n")
        assert p.wait(60) == 0 and list(b.ends()) == ["1"], p.stderr.read()
    os.close(w)
    r, w = os.pipe()
    with b.start("--batch", "fifo", "--cancel-fd", r, "--", "/bin/true", pass_fds=[r]) as p:
        os.close(r)
        time.sleep(0.2)
        os.close(w)
        try:
            assert p.wait(60) == 1
        finally:
            p.kill()


def test_links_are_not_followed(daemon):
    b = Batch(daemon, "links")
    b.write("secret", "untouched")
    os.symlink("secret", b.path("out"))
    r = b.run("--batch", b.jobs([{"stdout": "out"}, {"stdin": "out"}]), "--", "/bin/echo")
    assert r.returncode == 1 and r.stderr.count("symbolic link") == 2 and b.read("secret") == "untouched", r


def test_one_after_the_other_as_they_come(daemon):
    b = Batch(daemon, "stream")
    with b.start("--jobs", 2, "--batch", "-", "--", "/bin/cat", stdin=subprocess.PIPE) as p:
        for i in range(5):
            p.stdin.write(json.dumps({"label": f"n{i}"}))
            p.stdin.flush()
            time.sleep(0.02)
            assert f"n{i}" not in b.ends()
            p.stdin.write("\n")
            p.stdin.flush()
            assert until(lambda n=f"n{i}": n in b.ends()), b.ends()
        p.stdin.close()
        assert p.wait(60) == 0 and p.stderr.read() == ""


def test_as_many_at_a_time_as_were_asked_for(daemon):
    b = Batch(daemon, "many")
    wait = f"import os, time\nwhile not os.path.exists({b.path('go')!r}): time.sleep(0.02)"
    with b.start("--lang", "python", "--jobs", 3, "--batch", b.jobs([{}] * 9), "--", PYTHON, "-c", wait) as p:
        most = until(lambda: len(daemon.listed()) >= 3) and len(daemon.listed())
        time.sleep(0.5)
        most = max(most, len(daemon.listed()))  # one that comes later than the others would be here by now
        b.write("go", "")
        while p.poll() is None:
            most = max(most, len(daemon.listed()))
            time.sleep(0.02)
        assert p.returncode == 0 and most == 3, (most, p.stderr.read())


def test_more_than_may_be_on_their_way(daemon):
    b = Batch(daemon, "on-their-way")
    with b.start("--jobs", 200, "--batch", "-", "--", "/bin/true", stdin=subprocess.PIPE, user=NOBODY, group=NOBODY, extra_groups=[],
                 preexec_fn=few_files(300)) as p:
        p.stdin.write("{}\n")
        p.stdin.flush()
        assert until(b.ends)
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            p.stdin.write("{}\n" * 200)
            p.stdin.flush()
            time.sleep(0.5)
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        p.stdin.close()
        assert p.wait(60) == 0, p.stderr.read()
    assert len(b.ends()) == 201


def test_a_child_reports_among_many_requests(daemon):
    b = Batch(daemon, "reports")
    # As many as a program may have open, its user may have on their way.
    r = b.run("--open-files", 16, "--jobs", 40, "--batch", b.jobs([{}] * 100), "--", "/bin/true", user=NOBODY)
    assert r.returncode == 0 and r.stderr == "", r


def test_as_many_different_ones_too(daemon):
    b = Batch(daemon, "different-many")
    with b.start("--jobs", 90, "--batch", b.jobs({"argv": ["/bin/sleep", f"300.{i}"]} for i in range(90))) as p:
        assert until(lambda: len(daemon.listed()) == 90), len(daemon.listed())
        p.send_signal(signal.SIGTERM)
        assert p.wait(60) == 128 + signal.SIGTERM, p.stderr.read()


def test_a_slow_reader_gets_it_all(daemon):
    b = Batch(daemon, "slow")
    r, w = os.pipe()
    wide = "x" * 3000  # so that few jobs make much of a stream
    with b.start("--verdicts", f"fd:{w}", "--jobs", 2, "--batch", b.jobs([{}] * 600), "--", "/bin/true", wide, pass_fds=[w]) as p:
        os.close(w)

        def quiet():
            n = len(daemon.records(type="exit"))
            time.sleep(0.5)
            return n == len(daemon.records(type="exit")) and not daemon.listed()
        assert until(quiet)
        assert p.poll() is None
        with os.fdopen(r, encoding="utf-8") as f:
            kinds = [json.loads(line)["type"] for line in f]
        assert p.wait(60) == 0
    assert (kinds.count("start"), kinds.count("exit"), len(kinds)) == (600, 600, 1200)


def test_the_end_finds_room(daemon):
    b = Batch(daemon, "flood")
    audit = b.write("audit.yaml", "python: {inherit: \"builtin:python\", audit: [getppid]}\n")
    program = [PYTHON, "-Ic", "import os\nfor _ in range(30000): os.getppid()"]
    for how, runs in (([], 1), (["--jobs", 2, "--batch", b.jobs([{}] * 4)], 4)):
        r, w = os.pipe()
        with b.start("--policy", audit, "--lang", "python", "--verdicts", f"fd:{w}", *how, "--", *program, pass_fds=[w]) as p:
            os.close(w)
            time.sleep(3)
            with os.fdopen(r, encoding="utf-8") as f:
                kinds = [json.loads(line)["type"] for line in f]
            assert p.wait(60) == 0
        assert (kinds.count("start"), kinds.count("exit")) == (runs, runs) and kinds.count("audit") > 100, (how, len(kinds))


def test_more_different_programs_than_are_kept(daemon):
    b = Batch(daemon, "different")
    for i in range(3):
        os.mkdir(b.path(f"d{i}"))
    jobs = b.jobs({"argv": ["/bin/sh", "-c", f"echo {i % 90}; pwd"], "chdir": f"d{i % 3}", "stdout": f"o{i}"} for i in range(180))
    r = b.run("--policy", policy(daemon), "--lang", "sh", "--jobs", 80, "--batch", jobs)
    assert r.returncode == 0, r
    for i in range(180):
        assert b.read(f"o{i}") == f"{i % 90}\n{b.path(f'd{i % 3}')}\n"


def few_files(n):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))


def test_a_job_that_waits_for_descriptors_is_still_itself(daemon):
    b = Batch(daemon, "waits")
    jobs = b.jobs({"argv": ["/bin/sh", "-c", f"echo {i}; sleep 0.2"], "stdout": f"o{i}"} for i in range(30))
    # In audit mode a recipe opens next to nothing: it is the connections that are too many. Which one is by the limit.
    for limit in range(22, 25):
        r = b.run("--mode", "audit", "--policy", policy(daemon), "--lang", "sh", "--jobs", 30, "--batch", jobs, "--", "/bin/echo", "wrong",
                  preexec_fn=few_files(limit))
        assert [b.read(f"o{i}") for i in range(30)] == [f"{i}\n" for i in range(30)], (limit, r)
        assert r.returncode == 0 and r.stderr == "", (limit, r)


class UsualDaemon(Daemon):
    """Listens in the usual place, in a mount namespace of its own."""

    def begin(self):
        self.wrapper = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", f"mount --bind {self.work} /run/sandgate; exec \"$@\"", "sh"]
        super().begin()


def test_no_descriptor_for_a_connection_is_no_missing_daemon(daemon):
    b = Batch(daemon, "usual")
    os.makedirs("/run/sandgate", exist_ok=True)
    d = UsualDaemon(os.path.dirname(os.path.dirname(daemon.sgd)))
    try:
        jobs = b.jobs([{}] * 60)
        for limit in range(64, 67):  # a job takes two of them
            subprocess.run(["/usr/bin/nsenter", "--mount", f"--target={d.process.pid}", d.sgrun, "--mode", "audit", "--verdicts", b.path("stream"),
                            "--lang", "c", "--jobs", "60", "--batch", jobs, "--", "/bin/sleep", "0.3"], env=ENV, stdin=subprocess.DEVNULL,
                           preexec_fn=few_files(limit), check=True, timeout=60)
        assert len(b.records()) == 180
    finally:
        d.close()


def test_what_is_kept_for_later_is_not_in_the_way(daemon):
    b = Batch(daemon, "kept")
    r = b.run("--jobs", 1, "--batch", b.jobs({"argv": ["/bin/echo", str(i)]} for i in range(40)), preexec_fn=few_files(64))
    assert r.returncode == 0 and r.stdout == "".join(f"{i}\n" for i in range(40)), r


def policy(daemon):
    path = os.path.join(daemon.work, "batch.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("sh: {inherit: \"builtin:compiled\"}\n")
    return path


def test_the_policy_and_descriptors_are_each_ones(daemon):
    b = Batch(daemon, "given")
    with open(b.path("shared"), "w+", encoding="utf-8") as f:
        r = b.run("--policy", policy(daemon), "--fd", f.fileno(), "--wall-time", "3s", "--batch", b.jobs(
            [{"argv": ["/bin/sh", "-c", f"echo here >&{f.fileno()}"]}, {"argv": ["/bin/sleep", "20"], "label": "long"}]), "--lang", "sh",
            pass_fds=[f.fileno()])
        f.seek(0)
        assert f.read() == "here\n", r
    assert r.returncode == 1 and b.ends()["long"]["limit"] == "wall_time", (r, b.ends())


def test_what_is_not_a_jobs_is_not_opened_by_it(daemon):
    b = Batch(daemon, "by-name")
    code = ("import os\nfor name, how in ((%r, os.O_RDONLY), (%r, os.O_WRONLY)):\n    try:\n        os.close(os.open(name, how)); print('opened')\n"
            "    except PermissionError:\n        print('refused')\n")
    with tempfile.TemporaryDirectory(dir="/opt") as d:  # where no policy lets programs look
        os.chmod(d, 0o777)
        jobs, all_out = os.path.join(d, "jobs"), os.path.join(d, "out")
        argv = [PYTHON, "-Ic", code % (jobs, all_out)]
        with open(jobs, "w", encoding="utf-8") as f:
            f.write(json.dumps({"stdout": "own"}) + "\n" + json.dumps({"stderr": "err"}) + "\n")
        with open(jobs, encoding="utf-8") as i, open(all_out, "w", encoding="utf-8") as o:
            subprocess.run(b.command("--lang", "python", "--jobs", "1", "--batch", "-", "--", *argv), cwd=b.dir, env=ENV, stdin=i, stdout=o,
                           check=True, timeout=60)
        with open(all_out, encoding="utf-8") as f:
            assert (b.read("own"), f.read()) == ("refused\nrefused\n", "refused\nopened\n")


def test_what_is_made_anew_is_found_anew(daemon):
    b = Batch(daemon, "anew")
    with b.start("--jobs", 2, "--lang", "python", "--batch", "-", "--", PYTHON, "main.py", stdin=subprocess.PIPE) as p:
        for i in range(6):
            if i:
                shutil.rmtree(b.path("work"))
            os.mkdir(b.path("work"))
            b.write("work/main.py", f"import os\nprint({i}, os.getcwd())\n")
            shutil.copy("/bin/true", b.path("work/prog"))
            for job in ({}, {"argv": ["./prog"]}):
                p.stdin.write(json.dumps({**job, "chdir": "work", "label": f"{i} {len(job)}", "stdout": f"{i}.{len(job)}"}) + "\n")
            p.stdin.flush()
            assert until(lambda n=2 * i + 2: len(b.ends()) == n)
            assert b.read(f"{i}.0") == f"{i} {b.path('work')}\n"
        # The same file, which says another interpreter now.
        for text in ("#!/bin/cat\nx\n", "#!/usr/bin/env python3\nprint('python')\n"):
            b.write("work/prog", text)
            p.stdin.write(json.dumps({"argv": ["./prog"], "chdir": "work", "label": text[2:9], "stdout": "said"}) + "\n")
            p.stdin.flush()
            assert until(lambda t=text[2:9]: t in b.ends())
        p.stdin.close()
        assert p.wait(60) == 0, p.stderr.read()
    assert b.read("said") == "python\n"


def test_long_lines_are_not_kept(daemon):
    b = Batch(daemon, "long")
    jobs = b.jobs(json.dumps({"argv": ["/bin/true", str(i)] + [""] * 200000}, separators=(",", ":")) for i in range(60))
    with b.start("--jobs", 2, "--batch", jobs) as p:
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        assert p.returncode == 0, p.stderr.read()
    assert usage.ru_maxrss < 600 << 10, usage.ru_maxrss


def test_signals(daemon):
    for sig in (signal.SIGTERM, signal.SIGINT):
        b = Batch(daemon, f"signal{sig}")
        with b.start("--jobs", 2, "--batch", b.jobs([{}] * 5), "--", "/bin/sleep", "300") as p:
            assert until(lambda bb=b: len(bb.records("start")) == 2)
            p.send_signal(signal.SIGUSR2)  # is the programs' alone: two more begin
            assert until(lambda bb=b: len(bb.ends()) == 2 and len(bb.records("start")) == 4)
            p.send_signal(sig)
            assert p.wait(60) == 128 + sig
            assert "what comes after line 4 of the jobs was not run" in p.stderr.read()
        ends = b.ends()
        assert sorted(ends) == ["1", "2", "3", "4"] and ends["4"]["signal"] == sig, ends
    assert until(lambda: daemon.sandboxes() == [])


def test_who_asked_is_gone(daemon):
    b = Batch(daemon, "gone")
    with b.start("--jobs", 4, "--batch", b.jobs([{}] * 4), "--", "/bin/sleep", "300") as p:
        assert until(lambda: len(daemon.listed()) == 4)
        p.kill()
    assert until(lambda: daemon.sandboxes() == [])
    r, w = os.pipe()
    b = Batch(daemon, "cancelled")
    with b.start("--jobs", 2, "--cancel-fd", r, "--batch", b.jobs([{}] * 4), "--", "/bin/sleep", "300", pass_fds=[r]) as p:
        os.close(r)
        assert until(lambda: len(b.records("start")) == 2)
        os.close(w)
        assert p.wait(60) == 1
    assert [e["cancelled"] for e in b.records()] == [True, True], b.records()
    assert until(lambda: daemon.sandboxes() == [])


def test_ended_before_it_began(daemon):
    b = Batch(daemon, "before")
    errors = set()
    for _ in range(20):
        r, w = os.pipe()
        # Both messages are there when the daemon looks.
        daemon.process.send_signal(signal.SIGSTOP)
        with b.start("--tier", "bpf", "--cancel-fd", r, "--", "/bin/sleep", "300", pass_fds=[r]) as p:
            os.close(r)
            os.close(w)
            try:
                assert until(lambda pid=p.pid: waits(pid))
            finally:
                daemon.process.send_signal(signal.SIGCONT)
            assert p.wait(60) in (125, 137)
        errors.add(b.records()[-1].get("error"))
    assert errors <= {None, "it was ended by who started it, before the program began"} and errors != {None}, errors


def test_what_makes_no_sense_is_refused(daemon):
    b = Batch(daemon, "senseless")
    jobs = b.jobs([{}])
    for args, words in ((["--batch", jobs, "--detach"], "--detach"), (["--batch", jobs, "--daemon", "off"], "runs through sgd"),
                        (["--batch", jobs, "--output", "1M"], "--output"), (["--batch", jobs, "--label", "x"], "its own"),
                        (["--batch", "-", "--cancel-fd", "0"], "the jobs come from there"),
                        (["--jobs", "2"], "no --batch"), (["--batch", jobs, "--jobs", "0"], "from 1 to"),
                        (["--batch", "nosuch"], "cannot open nosuch"), (["--batch", jobs, "--tier", "unprivileged"], "through sgd"),
                        (["--batch", jobs, "--daemon", "nosuch"], "nosuch"), (["--label", "a\nb"], "--label")):
        r = b.run(*args, "--", "/bin/true")
        assert r.returncode == 125 and words in r.stderr, (args, r)
    r = subprocess.run([daemon.sgrun, "--lang", "c", "--batch", jobs, "--", "/bin/true"], env=ENV, capture_output=True, text=True)
    assert r.returncode == 125 and "sgd" in r.stderr, r


def test_the_daemon_goes(daemon):
    b = Batch(daemon, "lost")
    with b.start("--jobs", 1, "--batch", "-", "--", "/bin/sleep", "300", stdin=subprocess.PIPE) as p:
        p.stdin.write("{}\n{}\n{}\n{}\n")
        p.stdin.flush()
        assert until(lambda: len(daemon.listed()) == 1)
        daemon.crash()
        assert p.wait(60) == 125
        said = p.stderr.read()
        ends = b.ends()
        # While it dies one more may still reach it.
        assert {e["verdict"] for e in ends.values()} == {"error"} and list(ends) == ["1", "2", "3", "4"][:max(2, len(ends))], ends
        assert "job 1: the connection to sgd broke" in said and f"what comes after line {len(ends)} of the jobs was not run" in said, said
    daemon.start()


def test_labels(daemon):
    b = Batch(daemon, "labels")
    r = b.run("--label", "submission 7", "--", "/bin/true")
    assert r.returncode == 0 and [x["label"] for x in b.records("start") + b.records()] == ["submission 7"] * 2, r
    r = b.run("--daemon", "off", "--label", "alone", "--lang", "python", "--", PYTHON, "-c", "import os; os.execv('/bin/id', ['id'])")
    assert r.returncode == 159 and {x["label"] for x in b.records("syscall_violation")} == {"alone"}, (r, b.records())
    sandbox = daemon.detach("--lang", "c", "--label", "kept \u00e9", "--on-supervisor-death", "keep", "--", "/bin/sleep", "60")
    assert [x["label"] for x in daemon.listed()] == ["kept \u00e9"]
    daemon.crash()
    daemon.start()
    assert [x["label"] for x in daemon.listed()] == ["kept \u00e9"]
    assert daemon.ctl("kill", sandbox).returncode == 0
    assert until(lambda: daemon.records(type="exit", sandbox=sandbox))
    assert daemon.records(type="exit", sandbox=sandbox)[0]["label"] == "kept \u00e9"
