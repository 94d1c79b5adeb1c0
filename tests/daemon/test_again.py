# SPDX-License-Identifier: Apache-2.0
"""Launches that sgd has seen before: what they get is what they would get anew, and nothing that changed is missed."""
import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time

from harness import (AGAIN, ENV, GO, KNOWN, LAUNCH, MAGIC, NOBODY, PACKET_MAX, RECORD, REMEMBER, RESULT, UNKNOWN, header,
                     until)

OPTIONS = ("--group", str(NOBODY))
PYTHON = "/usr/bin/python3"
SETTLED = 3.2  # seconds after which a file that was changed is one that launches are kept for
TELL = ("import json,os,signal,sys; print(json.dumps([sys.argv, sorted(os.environ.items()), os.getcwd(), os.umask(0o77), os.getuid(), "
        "os.getgid(), os.getgroups(), sorted(map(int, os.listdir('/proc/self/fd'))), sorted(map(int, signal.pthread_sigmask(0, []))), "
        "[int(s) for s in signal.valid_signals() if signal.getsignal(s) == signal.SIG_IGN], os.getpriority(0, 0), "
        "sorted(os.sched_getaffinity(0)), __import__('resource').getrlimit(7), sys.stdin.read()]))")


class Place:
    """A directory in which launches are made."""

    def __init__(self, daemon, name, **how):
        self.d, self.how = daemon, how
        self.dir = os.path.join(daemon.work, name)
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o777)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def command(self, *args):
        return [self.d.sgrun, "--daemon", self.d.socket, *map(str, args)]

    def run(self, *args, user=None, env=ENV, **how):
        """Everything to pipes. The records are the lines of standard error."""
        who = {"user": user, "group": user, "extra_groups": []} if user else {}
        given = {"input": "", "cwd": self.dir, **who, **self.how, **how}
        return subprocess.run(self.command(*args), env=env, capture_output=True, text=True, timeout=60, **given)

    def repeated(self):
        return self.d.request({"op": "status"})["repeated"]

    def counted(self, *args, **how):
        """The run, and how many launches were repeated meanwhile."""
        before = self.repeated()
        r = self.run(*args, **how)
        return r, self.repeated() - before

    def known(self, *args, **how):
        """Makes sgd know a launch; how the first one ended, that was made anew."""
        first, n = self.counted(*args, **how)
        assert n == 0, first
        # Whatever else the host mounts meanwhile makes sgd forget.
        for _ in range(3):
            for _ in range(2):
                self.run(*args, **how)
            r, n = self.counted(*args, **how)
            if n:
                break
        assert n == 1, (args, r)
        return first, r


def records(r):
    """Of a run's standard error, without what is never the same."""
    kept = []
    for line in r.stderr.splitlines():
        if line.startswith("{"):
            o = json.loads(line)
            for key in ("timestamp", "sandbox", "cgroup_id", "pid", "tid", "instruction_pointer", "usage", "wall_ms", "duration_ms"):
                o.pop(key, None)
            kept.append(o)
    return kept


def policy(place, name="open", allow="execve, getpriority, sched_getaffinity, prlimit64, getgroups, kill"):
    return place.write(name + ".yaml", f"{name}: {{inherit: \"builtin:python\", allow: [{allow}]}}\n")


def test_it_is_the_same(daemon):
    p = Place(daemon, "same")
    file = policy(p)
    time.sleep(SETTLED)
    run = ("--policy", file, "--lang", "open", "--env", "A=b c", "--env", "B=", "--label", "x", "--", PYTHON, "-c", TELL, "", "--label", "é\n")
    for how in ({}, {"user": NOBODY}, {"input": "by standard input"}, {"env": {**ENV, "HOME": "/tmp", "TERM": "dumb", "UNUSED": "1"}}):
        first, again = p.known(*run, **how)
        assert first.returncode == 0 and again.stdout == first.stdout, (first, again)
        assert [set(r) for r in records(again)] == [set(r) for r in records(first)]
        assert {**records(again)[0]} == records(first)[0], (first.stderr, again.stderr)
        assert again.stderr.count('"label":"x"') == 2
        p.d.request({"op": "status"})
        daemon.stop()
        daemon.start()


def test_what_is_each_ones_own(daemon):
    p = Place(daemon, "own")
    file = policy(p)
    time.sleep(SETTLED)
    run = ("--policy", file, "--lang", "open", "--", PYTHON, "-c", TELL)
    usual, _ = p.known(*run)

    def other():
        os.umask(0o5)
        os.nice(2)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGRTMIN])
        resource.setrlimit(resource.RLIMIT_NOFILE, (333, 444))
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])

    again, n = p.counted(*run, preexec_fn=other)
    assert n == 1, again
    fresh, n = p.counted("--wall-time", "55", *run, preexec_fn=other)
    assert n == 0, fresh
    assert json.loads(again.stdout) == json.loads(fresh.stdout) != json.loads(usual.stdout), (again, fresh)
    # A label is none of what it is known by.
    again, n = p.counted("--label", "job 7", *run)
    assert n == 1 and again.stderr.count('"label":"job 7"') == 2, again
    again, n = p.counted(*run[:4], "--label=job 8", *run[4:])
    assert n == 1 and again.stderr.count('"label":"job 8"') == 2, again
    bad, n = p.counted("--label", "a\nb", *run)
    assert (bad.returncode, n) == (125, 0) and "--label" in bad.stderr, bad


def test_how_it_ends(daemon):
    p = Place(daemon, "ends")
    for program, status in ((("/bin/true",), 0), (("/bin/false",), 1), ((PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"), 137),
                            ((PYTHON, "-c", "import os; os.execv('/bin/true', ['true'])"), 159)):
        first, again = p.known("--lang", "python", "--", *program)
        assert first.returncode == again.returncode == status, (first, again)
        assert [r["type"] for r in records(first)] == [r["type"] for r in records(again)]
        assert records(first)[1].get("hint") == records(again)[1].get("hint")
    first, again = p.known("--lang", "python", "--wall-time", "200ms", "--", PYTHON, "-c", "import time; time.sleep(9)")
    assert first.returncode == again.returncode == 124


def test_what_changed_is_not_missed(daemon):
    p = Place(daemon, "changed")
    tool = shutil.copy("/bin/true", p.path("tool"))
    data = p.write("data", "one")
    strict = p.write("p.yaml", "mine: {inherit: \"builtin:python\", allow: [getpriority]}\n")
    time.sleep(SETTLED)

    def anew(*args, **how):
        r, n = p.counted(*args, **how)
        assert n == 0, r
        return r

    # The program
    run = ("--lang", "c", "--", "./tool")
    p.known(*run)
    shutil.copy("/bin/false", p.path("tool.new"))
    os.rename(p.path("tool.new"), tool)
    assert anew(*run).returncode == 1
    os.unlink(tool)
    assert anew(*run).returncode == 127
    # The policy: no second passes between its being kept and its being tightened.
    ask = "import os; os.getpriority(0, 0); print('there')"
    run = ("--lang", "mine", "--policy", strict, "--", PYTHON, "-c", ask)
    assert p.known(*run)[1].stdout == "there\n"
    p.write("p.yaml", "mine: {inherit: \"builtin:python\", kill: [getpriority]}\n")
    r = anew(*run)
    assert r.returncode == 159, r
    # A file that an argument names
    run = ("--lang", "python", "--", PYTHON, "-c", f"print(open('{data}').read())", "data")
    assert p.known(*run)[1].stdout == "one\n"
    os.rename(data, data + ".old")
    p.write("data", "two")
    assert anew(*run).stdout == "two\n"
    # One that was not there
    run = ("--lang", "python", "--", PYTHON, "-c", "open('/var/sandgate-test')", "/var/sandgate-test")
    try:
        assert p.known(*run)[1].returncode
        with open("/var/sandgate-test", "w", encoding="ascii"):
            pass
        assert anew(*run).returncode == 0
    finally:
        os.unlink("/var/sandgate-test")
    # The directory itself
    os.mkdir(p.path("d"))
    run = ("--lang", "python", "--", PYTHON, "-c", "open('x', 'w').write('1'); print(open('x').read())")
    p.known(*run, cwd=p.path("d"))
    shutil.rmtree(p.path("d"))
    os.mkdir(p.path("d"))
    assert anew(*run, cwd=p.path("d")).stdout == "1\n"
    anew(*run, cwd=p.dir)
    # What stands before the program on the way
    path = f"PATH={p.dir}/bin:/usr/bin:/bin"
    run = ("--lang", "c", "--env", path, "--exec", "/usr", "--", "true")
    assert p.known(*run)[1].returncode == 0
    os.mkdir(p.path("bin"))
    shutil.copy("/bin/false", p.path("bin/true"))
    assert anew(*run).returncode == 1


def test_other_words_are_others(daemon):
    p = Place(daemon, "words")
    run = ("--lang", "python", "--env", "A", "--", PYTHON, "-c", "import os,sys; print(os.environ.get('A'), sys.argv[1:])")
    env = {**ENV, "A": "1"}
    assert p.known(*run, env=env)[1].stdout == "1 []\n"
    for args, how, said in ((run, {"env": {**ENV, "A": "2"}}, "2 []"), (run, {}, "None []"), ((*run, ""), {"env": env}, "1 ['']"),
                            ((*run, "A=1"), {}, "None ['A=1']"), ((*run, "", "A=1"), {}, "None ['', 'A=1']")):
        r, n = p.counted(*args, **how)
        assert (n, r.stdout) == (0, said + "\n"), (args, r)
    # Another's are not looked at.
    p.known(*run, user=NOBODY, env=env)
    # Too many to be told
    long = ["x" * 1000] * 40
    for _ in range(4):
        r, n = p.counted(*run, *long, env=env)
        assert n == 0 and r.returncode == 0, r


def test_files_and_terminals_are_looked_at_each_time(daemon):
    p = Place(daemon, "std")
    run = ("--lang", "python", "--verdicts", "/dev/null", "--", PYTHON, "-c", "print(open('/dev/stdin').read())")
    for text in ("one", "two", "three", "four"):
        with open(p.write("in", text), encoding="ascii") as f:
            r = subprocess.run(p.command(*run), env=ENV, cwd=p.dir, stdin=f, capture_output=True, text=True, timeout=60)
        assert r.stdout == text + "\n", r
    for closed in (0, 1, 2):
        for _ in range(4):
            r = subprocess.run(p.command("--lang", "c", "--verdicts", p.path("stream"), "--", "/bin/true"), env=ENV, cwd=p.dir, timeout=60,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=lambda: os.close(closed))
            assert r.returncode == 0, (closed, r)
    # A number that is not open is no connection of ours.
    for _ in range(4):
        r, n = p.counted("--lang", "c", "--fd", "7", "--", "/bin/true")
        assert (r.returncode, n) == (125, 0) and "--fd 7" in r.stderr, r


def test_descriptors_and_records(daemon):
    p = Place(daemon, "fds")
    r, w = os.pipe()
    run = ("--lang", "python", "--fd", w, "--verdicts", "fd:" + str(w), "--", PYTHON, "-c", f"import os; os.write({w}, b'own\\n')")
    p.known(*run, pass_fds=(w,))
    lines = os.read(r, 65536).decode().splitlines()
    assert lines.count("own") >= 4 and len(lines) == 3 * lines.count("own"), lines
    os.close(r)
    os.close(w)
    # A file; all lines are whole.
    run = ("--lang", "c", "--verdicts", "stream", "--", "/bin/true")
    p.known(*run)
    with open(p.path("stream"), encoding="utf-8") as f:
        kinds = [json.loads(line)["type"] for line in f]
    assert kinds == ["start", "exit"] * (len(kinds) // 2), kinds


def start(p, *args, **how):
    return subprocess.Popen(p.command(*args), env=ENV, cwd=p.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                            text=True, **how)


def test_signals(daemon):
    p = Place(daemon, "signals")
    code = ("import os,signal,time\ndef f(n, _):\n os.write(1, b'%d\\n' % n)\n os._exit(n)\n"
            "signal.signal(signal.SIGTERM, f)\nos.write(1, b'up\\n')\ntime.sleep(300)")
    short = ("--lang", "python", "--", PYTHON, "-c", code)
    q = None
    for _ in range(4):
        before = p.repeated()
        q = start(p, *short)
        assert q.stdout.readline() == "up\n"
        q.send_signal(signal.SIGTERM)
        out, err = q.communicate(timeout=60)
        assert (q.returncode, out) == (15, "15\n"), (q.returncode, out, err)
        assert err.count("\n") == 2 and '"type":"exit"' in err, err
    assert p.repeated() == before + 1
    # It dies, and the sandbox with it.
    q = start(p, *short)
    assert q.stdout.readline() == "up\n" and p.repeated() == before + 2
    q.kill()
    q.communicate(timeout=60)
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()
    # What its caller ignores is not for the program.
    q = start(p, *short, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert q.stdout.readline() == "up\n" and p.repeated() == before + 3
    q.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert q.poll() is None
    q.send_signal(signal.SIGTERM)
    assert q.communicate(timeout=60)[0] == "15\n"


def test_a_reader_that_does_not_read(daemon):
    p = Place(daemon, "slow")
    r, w = os.pipe()
    run = ("--lang", "c", "--verdicts", f"fd:{w}", "--", "/bin/true")
    how = {"pass_fds": (w,)}
    p.known(*run, **how)
    while os.read(r, 65536) and select_readable(r):
        pass
    os.set_blocking(w, False)
    try:
        while os.write(w, b"x" * 4096):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(w, True)
    before = p.repeated()
    q = subprocess.Popen(p.command(*run), env=ENV, cwd=p.dir, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)
    assert until(lambda: p.repeated() == before + 1)
    time.sleep(0.5)
    got = b""
    while b'"type":"exit"' not in got:
        got += os.read(r, 65536)
    assert q.wait(60) == 0
    lines = got.lstrip(b"x").decode().splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["start", "exit"], lines
    # One that is gone
    os.close(r)
    r, n = p.counted(*run, **how)
    assert (r.returncode, n) == (0, 1), r
    os.close(w)
    # One that has room for a part
    big = ("--lang", "c", "--verdicts", "part", "--", "/bin/true")
    p.known(*big)
    os.truncate(p.path("part"), 0)
    size = len(records_text(p, big))
    r, n = p.counted(*big, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100)))
    assert (r.returncode, n) == (0, 1), r


def records_text(p, run):
    p.run(*run)
    with open(p.path("part"), encoding="utf-8") as f:
        return f.read()


def select_readable(fd):
    import select
    return bool(select.select([fd], [], [], 0.1)[0])


def test_sgd_goes_away(daemon):
    p = Place(daemon, "away")
    run = ("--lang", "c", "--", "/bin/cat")
    p.known(*run)
    r, w = os.pipe()
    q = subprocess.Popen(p.command(*run), env=ENV, cwd=p.dir, stdin=r, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(r)
    os.write(w, b"x")
    assert q.stdout.read(1) == "x"
    daemon.crash()
    out, err = q.communicate(timeout=60)
    os.close(w)
    assert q.returncode == 125 and "the connection to sgd broke" in err, (q.returncode, out, err)
    daemon.start()
    # Another one knows nothing.
    p.known(*run)


def test_a_reload_forgets(daemon):
    p = Place(daemon, "reload")
    run = ("--lang", "c", "--", "/bin/true")
    p.known(*run)
    r = daemon.ctl("reload", p.write("new.yaml", "denied: [getpriority]\n"))
    assert r.returncode == 0, r
    r, n = p.counted(*run)
    assert n == 0, r
    daemon.stop()
    daemon.start()


def test_one_of_two_versions(daemon):
    """An sgd that does not know the question hangs up; then sgrun asks as ever."""
    p = Place(daemon, "old")
    path = p.path("sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(4)
        listener.settimeout(20)
        q = subprocess.Popen([daemon.sgrun, "--daemon", path, "--lang", "c", "--verdicts", "/dev/null", "--", "/bin/true"], env=ENV,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        s, _ = listener.accept()
        assert struct.unpack_from("=IHH", s.recv(PACKET_MAX))[2] == AGAIN
        s.send(b'{"ok":false,"error":"an unknown type of message","errno":71,"v":1}')
        s.close()
        s, _ = listener.accept()
        assert struct.unpack_from("=IHH", s.recv(PACKET_MAX))[2] != AGAIN
        s.close()
        assert q.wait(60) == 125


# ---- the protocol, by itself ----

def text(kind, data, number=0):
    return header(kind, 24 + len(data)) + struct.pack("=II", number, 0) + data


def say(s, packet, fds=()):
    socket.send_fds(s, [packet], list(fds))
    data = s.recv(PACKET_MAX)
    return struct.unpack_from("=IHH", data)[2] if data[:1] != b"{" and data else data


def test_questions_that_are_none(daemon):
    null = os.open("/dev/null", os.O_RDWR)
    go = header(GO, 24) + struct.pack("=Q", 0)
    try:
        for packets in ([text(AGAIN, b"")], [text(AGAIN, b"x" * 20000)], [text(AGAIN, b"x"), text(AGAIN, b"y")], [text(REMEMBER, b"x")], [go],
                        [text(AGAIN, b"q1"), go], [text(AGAIN, b"q2"), text(REMEMBER, b"n")], [header(AGAIN, 16)], [header(GO, 16)]):
            with daemon.connect() as s:
                answers = [say(s, x) for x in packets]
            if len(packets) == 2 and packets[0] == text(AGAIN, b"x"):
                # Not wanted, so not held: it may be asked again.
                assert answers == [UNKNOWN, UNKNOWN], answers
                continue
            assert b'"ok":false' in answers[-1].replace(b" ", b""), (packets, answers)
        # Notes that nobody writes, with descriptors: they are let go.
        before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        for n in range(200):
            with daemon.connect() as s:
                say(s, text(AGAIN, b"wanted"))
                socket.send_fds(s, [text(REMEMBER, b"n" * 20000)], [null] * 32)
        assert until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before + 2)
        with daemon.connect() as s:
            say(s, text(AGAIN, b"wanted"))
            assert b"too long" in say(s, text(REMEMBER, b"n" * 30000))
    finally:
        os.close(null)


def caught(daemon, p, *args):
    """What an sgrun says to sgd in whose place we are: the packets and their descriptors, by type."""
    path = p.path("catch.sock")
    got = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(20)
        q = subprocess.Popen([daemon.sgrun, "--daemon", path, *args], env=ENV, cwd=p.dir, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        c, _ = listener.accept()
        with c:
            while True:
                data, fds, _, _ = socket.recv_fds(c, PACKET_MAX, 72)
                kind = struct.unpack_from("=IHH", data)[2]
                got.append((kind, data, fds))
                if kind == AGAIN:
                    c.send(text(UNKNOWN, b"", 1))
                elif kind == LAUNCH:
                    break
                elif kind != REMEMBER:
                    c.send(text(9, b"", 2))
        q.wait(60)
    os.unlink(path)
    return {kind: (data, fds) for kind, data, fds in got}


def test_a_launch_that_is_known(daemon):
    p = Place(daemon, "wire")
    got = caught(daemon, p, "--lang", "c", "--", "/bin/true")
    cwd, null = os.open("/", os.O_PATH), os.open("/dev/null", os.O_RDWR)
    go = header(GO, 24) + struct.pack("=Q", 0)

    def ask(s):
        return say(s, got[AGAIN][0])

    try:
        with daemon.connect() as s:
            assert ask(s) == UNKNOWN
        with daemon.connect() as s:
            assert ask(s) == UNKNOWN
            socket.send_fds(s, [got[REMEMBER][0]], got[REMEMBER][1])
            socket.send_fds(s, [got[LAUNCH][0]], got[LAUNCH][1])
            kinds = []
            while (data := s.recv(PACKET_MAX)):
                kinds.append(struct.unpack_from("=IHH", data)[2])
            assert kinds == [RECORD, RECORD, RESULT], kinds
        for fds, label, ended in (([cwd, null, null, null], b"", RESULT), ([cwd, null, null, null], b"mine", RESULT), ([cwd, null, null], b"", None),
                                  ([cwd] + [null] * 8, b"", None), ([], b"", None), ([cwd, null, null, null], b"l" * 5000, None),
                                  ([null, null, null, null], b"", 0), ([cwd, null, null, null], b"\xff", 0)):
            # One that could not begin is told so before it has ended, and is known again then.
            assert until(lambda: not daemon.sandboxes())
            with daemon.connect() as s:
                assert ask(s) == KNOWN
                packet = bytearray(go + label)
                packet[8:12] = struct.pack("=I", len(packet))
                socket.send_fds(s, [bytes(packet)], fds)
                last = b""
                while (data := s.recv(PACKET_MAX)):
                    last = data
            kind = None if last[:1] == b"{" else struct.unpack_from("=IHH", last)[2]
            assert kind == ended or (ended == 0 and kind is not None), (fds, label, last)
        # Twice on one connection, and after it is gone
        with daemon.connect() as s:
            assert ask(s) == KNOWN
            assert daemon.ctl("reload", p.write("new.yaml", "denied: [getpriority]\n")).returncode == 0
            assert say(s, go, [cwd, null, null, null]) == 7
        # Another's it is not.
        code = (f"import socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect({daemon.socket!r}); "
                f"s.send(bytes.fromhex({got[AGAIN][0].hex()!r})); sys.exit(s.recv(65536)[6])")
        r = subprocess.run([PYTHON, "-c", code], user=NOBODY, group=NOBODY, extra_groups=[], timeout=60)
        assert r.returncode == UNKNOWN, r
    finally:
        for fd in [cwd, null, *got[REMEMBER][1], *got[LAUNCH][1]]:
            os.close(fd)
    assert until(lambda: not daemon.sandboxes())


def test_each_user_has_a_share(daemon):
    p = Place(daemon, "share")
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    for i in range(40):
        for _ in range(2):
            p.run("--lang", "c", "--", "/bin/true", f"word{i}")
    # Those asked for last are known, those before them have made way.
    assert p.counted("--lang", "c", "--", "/bin/true", "word39")[1] == 1
    assert p.counted("--lang", "c", "--", "/bin/true", "word0")[1] == 0
    assert len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < before + 33 * 34
    assert MAGIC  # of every packet


def test_several_at_a_time(daemon):
    """Where a program may see itself in /proc, and no other, each that runs has a ruleset of its own."""
    p = Place(daemon, "several")
    for lang, program in (("c", ("/bin/sleep", "0.3")), ("python", (PYTHON, "-c", "import time; time.sleep(0.3)"))):
        counts = []
        while 4 not in counts and len(counts) < 12:
            before = p.repeated()
            running = [start(p, "--lang", lang, "--", *program) for _ in range(4)]
            assert [q.wait(60) for q in running] == [0] * 4
            for q in running:
                q.communicate()
            counts.append(p.repeated() - before)
        assert 4 in counts, (lang, counts)
