# SPDX-License-Identifier: Apache-2.0
"""Launches that sgd has seen before: what one of them must not get from those before it, and what must not be taken for unchanged."""
import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time

from harness import AGAIN, ENV, FAILED, GO, KNOWN, LAUNCH, NOBODY, PACKET_MAX, REMEMBER, TIER, UNKNOWN, header, until
from test_again import PYTHON, SETTLED, Place, caught, say, text

OPTIONS = ("--group", str(NOBODY))
READ = "{x=(getline l < $0); print x; fflush()}"  # for awk: 1 where the file could be read
AWK = os.path.realpath("/usr/bin/awk")


def begin(p, *args, **how):
    given = {"cwd": p.dir, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.Popen(p.command(*args), env=ENV, text=True, **given)


def running(p):
    """The pid of the sandbox that was launched last, None: it has ended."""
    with open(p.path("stream"), encoding="utf-8") as f:
        last = [json.loads(line) for line in f if line.endswith("\n")][-1]  # the last one may be half written
    return last["pid"] if last["type"] == "start" else None


def test_names_side_by_side(daemon):
    """Of files in one directory that one is looked at; who changed it looks at each, and at links always."""
    p = Place(daemon, "beside")
    beside = p.path("beside")
    os.mkdir(beside)
    os.mkdir(p.path("far"))
    names = [os.path.join(beside, x) for x in ("a", "b", "c", "d", "none", "link")]
    for name in (*names[:4], p.path("far/target")):
        with open(name, "w", encoding="ascii") as f:
            f.write("x\n")
    os.symlink("../far/target", names[5])
    file = p.write("policy.yaml", 'awk: {inherit: "builtin:compiled", files: {read: [%s]}}\n' % ", ".join(json.dumps(x) for x in names))
    time.sleep(SETTLED)
    run = ("--policy", file, "--lang", "awk", "--", AWK, READ)

    def reads(words, known, *what):
        r, n = p.counted(*words, input="".join(x + "\n" for x in what))
        assert (r.stdout, n) == ("1\n" * len(what), known), (r, n)

    def replace(name):
        with open(name + ".new", "w", encoding="ascii") as f:
            f.write("y\n")
        os.rename(name + ".new", name)

    there = (*names[:4], names[5])
    p.known(*run)
    reads(run, 1, *there)
    # Something else in there is another one: each is looked at, and is the same.
    replace(os.path.join(beside, "other"))
    reads(run, 1, *there)
    for i, (changed, seen) in enumerate(((names[1],) * 2, (p.path("far/target"), names[5]), (names[4],) * 2)):
        time.sleep(SETTLED)
        words = ("--wall-time", str(50 + i), *run)
        p.known(*words)
        reads(words, 1, *there)
        replace(changed)
        reads(words, 0, *dict.fromkeys((*there, seen)))


def test_others_in_proc(daemon):
    """What a program may see of itself in /proc is not what those see that are launched by the same rules."""
    p = Place(daemon, "proc")
    run = ("--lang", "compiled", "--verdicts", "stream", "--", AWK, READ)
    assert p.known(*run, input="/proc/self/stat\n/proc/1/stat\n")[1].stdout == "1\n-1\n"
    first = ("--lang", "compiled", "--wall-time", "50", "--verdicts", "stream", "--", AWK, READ)
    p.run(*first, input="")
    for words in (run, first):  # repeated itself, and the one that is kept
        a = begin(p, *words)
        try:
            pid = until(lambda: running(p))
            r = p.run(*words, input=f"/proc/{pid}/stat\n/proc/self/stat\n")
            assert r.stdout == "-1\n1\n", r
        finally:
            a.communicate(timeout=60)
    # One after the other, many times
    before = p.repeated()
    for _ in range(150):
        r = p.run(*run, input="/proc/self/stat\n")
        assert r.stdout == "1\n", r
    assert p.repeated() - before > 100


def test_empty_label(daemon):
    p = Place(daemon, "label")
    run = ("--lang", "c", "--", "/bin/true")
    p.known(*run)
    for option in (("--label", ""), ("--label=",)):
        r, n = p.counted(*option, *run)
        assert (r.returncode, n) == (125, 0) and "--label: expected" in r.stderr, r


def test_a_reader_of_a_fifo_that_goes(daemon):
    p = Place(daemon, "fifo")
    os.mkfifo(p.path("f"))
    run = ("--lang", "c", "--verdicts", "f", "--", "/bin/cat")
    r = os.open(p.path("f"), os.O_RDONLY | os.O_NONBLOCK)
    p.known(*run)
    os.read(r, 65536)
    before = p.repeated()
    q = begin(p, *run)
    assert until(lambda: p.repeated() == before + 1)
    os.set_blocking(r, True)
    assert b'"start"' in os.read(r, 65536)
    os.close(r)
    out, err = q.communicate("all of it\n", timeout=60)
    assert (q.returncode, out, err) == (0, "all of it\n", ""), (q.returncode, out, err)


def test_a_signal_before_anything_runs(daemon):
    """What sgd does not launch is launched without it, whatever comes meanwhile; an exit status of 0 it is not."""
    p = Place(daemon, "early")
    path = p.path("sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(4)
        listener.settimeout(20)

        def launch(answers):
            """Talks as sgd would; answers: to what. What came with each type."""
            got = {}
            q = subprocess.Popen([daemon.sgrun, "--daemon", path, "--lang", "c", "--verdicts", "/dev/null", "--", "/bin/true"], env=ENV, cwd=p.dir,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for _ in range(2):
                s, _ = listener.accept()
                with s:
                    while True:
                        data, fds, _, _ = socket.recv_fds(s, PACKET_MAX, 72)
                        for fd in fds:
                            os.close(fd)
                        kind = struct.unpack_from("=IHH", data)[2] if data else 0
                        if not kind:
                            break
                        got[kind] = data
                        if kind == GO:
                            q.send_signal(signal.SIGCONT)
                            time.sleep(0.3)
                        if kind in answers:
                            s.send(answers[kind])
                        if kind in (GO, LAUNCH):
                            break
                if kind == LAUNCH:
                    break
            err = q.communicate(timeout=60)[1]
            return got, q.returncode, err

        failed = text(FAILED, b"not that one", 0)
        got, _, _ = launch({AGAIN: text(UNKNOWN, b"", 1), TIER - 1: text(TIER, b"", 2), LAUNCH: failed})
        note = got[REMEMBER][24:]
        got, status, err = launch({AGAIN: text(KNOWN, note), TIER - 1: text(TIER, b"", 2), GO: failed, LAUNCH: failed})
        assert GO in got and LAUNCH in got, sorted(got)
        assert status == 125 and "sgd cannot run this: not that one" in err, (status, err)


def test_descriptors_that_only_name(daemon):
    p = Place(daemon, "names")
    r, w = os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    tell = ("import os; print([n for n in (0, 2, 9) if os.path.exists('/proc/self/fd/%d' % n)])")
    how = {"pass_fds": (9,), "stdin": null, "stdout": subprocess.PIPE, "stderr": w}

    def run(names, preexec):
        before = p.repeated()
        q = subprocess.Popen(p.command("--lang", "python", "--verdicts", "stream", "--fd", "9", "--", PYTHON, "-c", tell), env=ENV, cwd=p.dir,
                             preexec_fn=preexec, close_fds=False, **{k: v for k, v in how.items() if k != "pass_fds"})
        out = q.communicate(timeout=60)[0].decode()
        assert (q.returncode, out) == (0, names + "\n"), (q.returncode, out)
        return p.repeated() - before

    def usual():
        os.dup2(w, 9)

    def name_nine():
        os.dup2(os.open("/", os.O_PATH), 9)

    def name_input():
        os.dup2(w, 9)
        os.dup2(os.open("/dev/null", os.O_PATH), 0)

    try:
        assert [run("[0, 2, 9]", usual) for _ in range(4)][-1] == 1
        assert run("[0, 2]", name_nine) == 0
        assert run("[2, 9]", name_input) == 0
    finally:
        for fd in (r, w, null):
            os.close(fd)


def test_what_becomes_executable(daemon):
    """On the way along PATH lies something that is no program yet, or not for everybody."""
    p = Place(daemon, "path")
    for name in ("one", "two"):
        os.mkdir(p.path(name))
    shutil.copy("/bin/false", p.path("one/tool"))
    shutil.copy("/bin/true", p.path("two/tool"))
    os.chmod(p.path("one/tool"), 0o644)
    time.sleep(SETTLED)
    run = ("--lang", "c", "--env", f"PATH={p.dir}/one:{p.dir}/two", "--", "tool")
    assert p.known(*run)[1].returncode == 0
    os.chmod(p.path("one/tool"), 0o755)
    assert p.run(*run).returncode == 1
    # The same user has other groups now.
    os.chown(p.path("one/tool"), 0, 4242)
    os.chmod(p.path("one/tool"), 0o750)
    time.sleep(SETTLED)
    for groups, status in (([4242], 1), ([], 0), ([4242], 1)):
        for _ in range(4):
            r = p.run(*run, user=None, **{"preexec_fn": lambda g=groups: become(g)})
            assert r.returncode == status, (groups, r)


def become(groups):
    os.setgroups(groups)
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def test_the_interpreter_of_a_script(daemon):
    p = Place(daemon, "script")
    for name in ("old", "new"):
        os.makedirs(p.path(name + "/bin"))
        shutil.copy("/bin/cat", p.path(name + "/bin/run"))
    os.symlink(p.path("old/bin/run"), p.path("run"))
    p.write("script", f"#!{p.dir}/run\n", 0o755)
    time.sleep(SETTLED)
    run = ("--lang", "c", "--", "./script")
    said = f"#!{p.dir}/run\n"
    assert p.known(*run)[1].stdout == said
    os.symlink(p.path("new/bin/run"), p.path("next"))
    os.rename(p.path("next"), p.path("run"))
    r, n = p.counted(*run)
    assert (r.stdout, n) == (said, 0), r
    r, n = p.counted(*run)
    assert (r.stdout, n) == (said, 1), r
    os.unlink(p.path("run"))
    assert p.run(*run).returncode == 127


def test_audit_and_the_root_directory(daemon):
    """What may be changed all over is listed entry by entry, so as to go around the kernel's own."""
    p = Place(daemon, "root")
    new = "/sandgate-test-" + os.path.basename(daemon.work)
    run = ("--lang", "python", "--mode", "audit", "--", PYTHON, "-c", f"open('{new}/x', 'w')")
    for _ in range(4):
        assert p.run(*run).returncode == 1
    os.mkdir(new)
    try:
        r = p.run(*run)
        assert r.returncode == 0, r
    finally:
        shutil.rmtree(new)


def test_file_systems_that_come_back(daemon):
    """Unmounted and mounted again the same names lead to the same numbers, and the rules to nothing."""
    p = Place(daemon, "mount")
    # Not in the place for temporary files, all of which is open.
    there = "/sandgate-mount-" + os.path.basename(daemon.work)
    os.mkdir(there)
    run = ("--lang", "python", "--", PYTHON, "-c", "open('x', 'w').write('1'); print(open('x').read())")

    def mount():
        subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "none", there], check=True)
        os.mkdir(there + "/d")
        os.chmod(there + "/d", 0o777)
        return os.stat(there + "/d")[1:3]

    was = mount()
    try:
        p.known(*run, cwd=there + "/d")
        os.unlink(there + "/d/x")
        for _ in range(8):
            subprocess.run(["/usr/bin/umount", there], check=True)
            again = mount()
            if again == was:
                break
        r, n = p.counted(*run, cwd=there + "/d")
        assert (r.returncode, r.stdout, n) == (0, "1\n", 0), (r, n, was, again)
        assert p.counted(*run, cwd=there + "/d")[1] == 1
    finally:
        subprocess.run(["/usr/bin/umount", there], check=True)
        os.rmdir(there)


def test_who_asked_is_somebody_else_by_now(daemon):
    """Who connected as root and then gave that up gets nothing launched as root."""
    p = Place(daemon, "other")
    got = caught(daemon, p, "--lang", "c", "--", "/usr/bin/id", "-u")
    with daemon.connect() as s:
        assert say(s, got[AGAIN][0]) == UNKNOWN
    with daemon.connect() as s:
        assert say(s, got[AGAIN][0]) == UNKNOWN
        for kind in (REMEMBER, LAUNCH):
            socket.send_fds(s, [got[kind][0]], got[kind][1])
        while s.recv(PACKET_MAX):
            pass
    packet = (header(GO, 24) + struct.pack("=Q", 0)).hex()
    code = (f"import os,socket,sys,time; s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect({daemon.socket!r}); "
            f"s.send(bytes.fromhex({got[AGAIN][0].hex()!r})); assert s.recv(65536)[6] == {KNOWN}; "
            f"os.setgroups([]); os.setresgid({NOBODY}, {NOBODY}, {NOBODY}); os.setresuid({NOBODY}, {NOBODY}, {NOBODY}); "
            f"d=os.open('.', os.O_PATH); socket.send_fds(s, [bytes.fromhex({packet!r})], [d, 0, 1, 2]); sys.exit(s.recv(65536)[6])")
    r = subprocess.run([PYTHON, "-c", code], cwd=p.dir, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert (r.returncode, r.stdout) == (FAILED, ""), r
    for fds in (got[REMEMBER][1], got[LAUNCH][1]):
        for fd in fds:
            os.close(fd)


def test_what_is_kept_already(daemon):
    p = Place(daemon, "twice")
    got = caught(daemon, p, "--lang", "python", "--", "/bin/true")
    null, cwd = os.open("/dev/null", os.O_RDWR), os.open(p.dir, os.O_PATH)
    go = header(GO, 24) + struct.pack("=Q", 0)

    def talk(*packets):
        with daemon.connect() as s:
            kind = say(s, got[AGAIN][0])
            for packet, fds in packets:
                socket.send_fds(s, [packet], fds)
            while packets and s.recv(PACKET_MAX):
                pass
        return kind

    assert daemon.ctl("reload", p.write("new.yaml", "denied: [getpriority]\n")).returncode == 0
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    kept = ((got[REMEMBER][0], got[REMEMBER][1]), (got[LAUNCH][0], got[LAUNCH][1]))
    assert [talk(), talk(*kept)] == [UNKNOWN, UNKNOWN]
    for _ in range(40):
        assert talk(kept[0], (go, [cwd, null, null, null])) == KNOWN
    assert until(lambda: not daemon.sandboxes())
    assert daemon.ctl("reload", p.path("new.yaml")).returncode == 0
    assert until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before + 2), (before, len(os.listdir(f"/proc/{daemon.process.pid}/fd")))
    for fd in [null, cwd, *got[REMEMBER][1], *got[LAUNCH][1]]:
        os.close(fd)


def test_what_cannot_be_executed(daemon):
    p = Place(daemon, "bad")
    p.write("bad", "no program\n", 0o755)
    time.sleep(SETTLED)
    run = ("--lang", "c", "--verdicts", "stream", "--env", f"PATH={p.dir}", "--", "bad")
    said = {p.run(*run).stderr for _ in range(5)}
    assert len(said) == 1 and f"cannot run {p.dir}/bad: " in said.pop(), said
    assert resource.getrlimit(resource.RLIMIT_NOFILE)
