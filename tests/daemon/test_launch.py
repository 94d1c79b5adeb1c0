# SPDX-License-Identifier: Apache-2.0
"""sgrun through sgd: the program gets what it would get without, and nobody gets more than is theirs."""
import json
import os
import resource
import signal
import subprocess
import time

from harness import ENV, NOBODY, until

OPTIONS = ("--group", str(NOBODY))
PYTHON = "/usr/bin/python3"
# Calls that the tests' programs make and no run policy allows.
OPEN = "open: {inherit: \"builtin:python\", allow: [execve, kill, setsid, prlimit64, getpriority, sched_getaffinity, %s]}\n"
UNIX = "socket, connect, sendto, sendmsg, recvfrom, recvmsg, setsockopt, getsockopt"


def policy(daemon, extra=UNIX):
    path = os.path.join(daemon.work, "open.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(OPEN % extra)
    return path


def test_status_and_streams(daemon):
    r = daemon.run("--lang", "c", "--", "/bin/echo", "hello")
    assert (r.returncode, r.stdout, r.stderr) == (0, "hello\n", ""), r
    assert daemon.run("--lang", "c", "--", "/bin/false").returncode == 1
    assert daemon.run("--lang", "python", "--", PYTHON, "-c", "import os; os.abort()").returncode in (134, 159)
    r = daemon.run("--lang", "c", "--", "/etc/passwd")
    assert r.returncode == 126, r


# What a service manager may give the daemon and nobody else: a session keyring with a key, a niceness, a score. The
# program says what it has of that; KEYCTL_JOIN_SESSION_KEYRING is 1, _GET_KEYRING_ID 0, _SEARCH 10, the session's keyring -3.
GIVEN = ("import ctypes,os,sys; c=ctypes.CDLL(None).syscall; c(250,1,None); c(248,b'user',b'sandgate-test',b'secret',6,-3); "
         "open('/proc/self/oom_score_adj','w').write('-300'); os.nice(-5); os.execv(sys.argv[1],sys.argv[1:])")
# The score is given to it while it runs, and waited for.
TAKEN = ("import ctypes,os,sys,time; c=ctypes.CDLL(None).syscall; score=lambda: open('/proc/self/oom_score_adj').read()\n"
         "for _ in range(3000):\n    if score().strip() == sys.argv[1]: break\n    time.sleep(0.02)\n"
         "print(c(250,10,-3,b'user',b'sandgate-test',0) > 0, c(250,0,-3,0) > 0, os.getpriority(0,0), score(), "
         "c(248,b'user',b'sandgate-test',b'own',3,-3) > 0)")


def test_nothing_of_the_daemons_own(daemon):
    path = os.path.join(daemon.work, "all.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("all: {unlisted: allow}\n")

    def keyrings():
        with open("/proc/keys", encoding="ascii") as f:
            return {line.split()[0] + " " + line.split()[-1] for line in f if " _ses: " in line}

    def changed():
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as f:
            f.write("200")
        os.nice(3)

    with open("/proc/self/oom_score_adj", encoding="ascii") as f:
        own = f.read().strip()
    daemon.stop()
    given = keyrings()
    daemon.wrapper = [PYTHON, "-c", GIVEN]
    daemon.start()
    try:
        # The second one finds nothing of the first one's either.
        for user, prepare, nice, score in ((NOBODY, None, 0, own), (NOBODY, None, 0, own), (None, None, 0, own), (None, changed, 3, "200")):
            r = daemon.run("--policy", path, "--lang", "all", "--", PYTHON, "-c", TAKEN, score, user=user, preexec_fn=prepare,
                           timeout=120)
            assert r.stdout.split() == ["False", "True", str(os.getpriority(0, 0) + nice), score, "True"], (user, r.stdout, r.stderr)
        # Who cannot call for keys has the daemon's own keyring, which is empty and not the one that it was given.
        for options, n in ((("--lang", "c"), 0), (("--policy", path, "--lang", "all"), 1)):
            before = keyrings()
            with daemon.popen(*options, "--", "/usr/bin/yes") as p:
                assert p.stdout.read(1) == "y"
                assert len(keyrings() - before) == n, (before, keyrings())
                p.terminate()
        assert [x for x in keyrings() - given if x.endswith(" empty")], (given, keyrings())
    finally:
        daemon.stop()
        daemon.wrapper = []
        daemon.start()


def test_a_limit_on_files_ends_who_does_not_ignore_it(daemon):
    """sgrun ignores SIGXFSZ for itself; the program does where its caller did."""
    for handler, want in ((signal.SIG_DFL, (153, "output_limit")), (signal.SIG_IGN, (1, "ok"))):
        def prepare(handler=handler):
            signal.signal(signal.SIGXFSZ, handler)

        def run(*words, stdout=subprocess.PIPE, prepare=prepare):
            with daemon.popen("--lang", "c", *words, stdout=stdout, preexec_fn=prepare, restore_signals=False) as p:
                return p.communicate(timeout=60)[0], p.returncode

        # From the third on sgd makes the launch again.
        for _ in range(4):
            ignored = int(run("--", "/bin/grep", "SigIgn", "/proc/self/status")[0].split()[1], 16)
            assert bool(ignored >> (signal.SIGXFSZ - 1) & 1) == (handler == signal.SIG_IGN), (handler, hex(ignored))
        daemon.mark()
        with open(os.path.join(daemon.work, "big"), "wb") as f:
            _, status = run("--file-size", "64K", "--", "/usr/bin/head", "-c", "128K", "/dev/zero", stdout=f)
            assert os.fstat(f.fileno()).st_size == 64 << 10
        end = until(lambda: daemon.records(type="exit"))[-1]
        assert (status, end["verdict"]) == want, end


def test_standard_input(daemon):
    r, w = os.pipe()
    os.write(w, b"through\n")
    os.close(w)
    out = daemon.run("--lang", "c", "--", "/bin/cat", stdin=r)
    os.close(r)
    assert out.stdout == "through\n", out


def test_violation_is_recorded_once_in_stream_and_log(daemon):
    r = daemon.run("--lang", "python", "--", PYTHON, "-c", "import os; os.execv('/bin/true', ['true'])", verdicts="-")
    assert r.returncode == 159, r
    stream = [json.loads(line) for line in r.stdout.splitlines()]
    assert [x["type"] for x in stream] == ["start", "syscall_violation", "exit"], stream
    sandbox = stream[0]["sandbox"]
    assert [x["type"] for x in daemon.records(sandbox=sandbox)] == ["start", "syscall_violation", "exit"]
    assert stream[2]["verdict"] == "violation" and stream[2]["integrity"] == "complete", stream[2]
    assert stream[1]["prevented"] is True and stream[1]["syscall"] == "execve"


def test_surroundings_are_the_clients(daemon):
    code = ("import os,resource,json; print(json.dumps({'cwd': os.getcwd(), 'umask': os.umask(0), 'fds': "
            "sorted(int(f) for f in os.listdir('/proc/self/fd'))[:-1], 'groups': os.getgroups(), 'uid': os.getresuid(), "
            "'nofile': resource.getrlimit(resource.RLIMIT_NOFILE), 'env': dict(os.environ)}))")

    def prepare():
        os.umask(0o027)
        os.chdir("/usr")
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400))

    r = daemon.run("--policy", policy(daemon), "--lang", "open", "--env", "A=b", "--", PYTHON, "-c", code, preexec_fn=prepare)
    assert r.returncode == 0, r
    got = json.loads(r.stdout)
    assert got["cwd"] == "/usr" and got["umask"] == 0o027 and got["fds"] == [0, 1, 2], got
    assert got["nofile"] == [300, 400] and got["groups"] == sorted(os.getgroups()), got
    assert got["env"]["A"] == "b" and "SGD" not in r.stdout, got


def test_many_arguments(daemon):
    words = ["y" * 100] * 5000
    r = daemon.run("--lang", "c", "--", "/bin/echo", *words)
    assert r.stdout == " ".join(words) + "\n", r.returncode


def test_what_options_add_is_in_the_record(daemon):
    r = daemon.run("--read", "/etc/hostname", "--net", "loopback", "--lang", "python", "--", PYTHON, "-c", "print(1)",
                   verdicts="/dev/stderr")
    assert (r.returncode, r.stdout) == (0, "1\n"), r
    start = [json.loads(line) for line in r.stderr.splitlines() if '"start"' in line][0]
    assert start["policy"]["widened"] == ["--read /etc/hostname", "--net loopback"], start
    assert daemon.records(type="start")[-1]["policy"]["widened"] == start["policy"]["widened"]
    assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
    assert "widened" not in daemon.records(type="start")[-1]["policy"]


def test_signals_reach_the_program(daemon):
    code = ("import os,signal,sys,time\nsignal.signal(signal.SIGUSR1, lambda *a: (os.write(1, b'got\\n'), sys.exit(7)))\n"
            "print('ready', flush=True)\ntime.sleep(300)")
    p = daemon.popen("--lang", "python", "--", PYTHON, "-c", code)
    assert p.stdout.readline() == "ready\n"
    p.send_signal(signal.SIGUSR1)
    out, err = p.communicate(timeout=60)
    assert (out, p.returncode) == ("got\n", 7), (out, err)


def test_a_signal_at_the_end_loses_nothing(daemon):
    """It may reach the daemon when that has said the result and closed the connection."""
    for _ in range(80):
        p = daemon.popen("--lang", "c", "--", "/bin/true")
        while p.poll() is None:
            p.send_signal(signal.SIGWINCH)
            time.sleep(0.0002)
        out, err = p.communicate(timeout=60)
        assert p.returncode == 0, (p.returncode, out, err)


def test_the_client_dies_and_so_does_the_sandbox(daemon):
    p = daemon.popen("--lang", "c", "--", "/bin/sleep", "300")
    assert until(lambda: [b for b in daemon.listed() if b["state"] == "running"])
    p.kill()
    p.wait()
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()


def test_time_limit(daemon):
    r = daemon.run("--lang", "c", "--wall-time", "300ms", "--", "/bin/sleep", "30")
    assert r.returncode == 124, r


def test_detached(daemon):
    name = daemon.detach("--lang", "c", "--", "/bin/sleep", "300")
    assert [b["id"] for b in daemon.listed()] == [name]
    shown = json.loads(daemon.ctl("--json", "show", name).stdout)["sandbox"]
    assert shown["detached"] and shown["language"] == "compiled" and shown["uid"] == 0, shown
    assert name in daemon.ctl("list").stdout
    assert daemon.ctl("kill", name).returncode == 0
    assert until(lambda: not daemon.sandboxes())
    assert daemon.ctl("show", name).returncode == 1


def test_detached_and_the_daemon_dies(daemon):
    """Kept, because nobody waits for it, unless the caller says otherwise."""
    sleep = ("--lang", "c", "--", "/bin/sleep", "300")
    kept, tied = daemon.detach(*sleep), daemon.detach("--on-supervisor-death", "kill", *sleep)
    how = [json.loads(daemon.ctl("--json", "show", name).stdout)["sandbox"]["on_supervisor_death"] for name in (kept, tied)]
    assert how == ["keep", "kill"], how
    assert daemon.stop() == 0
    try:
        assert daemon.sandboxes() == [kept]
    finally:
        daemon.start()
    assert daemon.ctl("kill", kept).returncode == 0
    assert until(lambda: not daemon.sandboxes())


def test_nothing_stays(daemon):
    def launch(times):
        for _ in range(times):
            assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
        assert until(lambda: not daemon.sandboxes()) and not daemon.listed()

    launch(4)  # sgd keeps what is said often, once; a test before this one may have begun another sgd
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    launch(20)
    assert until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before)


# ---- another user ----

def test_user_gets_the_full_tier(daemon):
    code = "import os; print(os.getresuid(), os.getresgid(), sorted(os.getgroups()))"
    r = daemon.run("--require", "bpf", "--lang", "python", "--", PYTHON, "-c", code, user=1234, groups=[NOBODY, 777])
    assert r.stdout == f"(1234, 1234, 1234) (1234, 1234, 1234) [777, {NOBODY}]\n", r
    # The control: the same without sgd is refused.
    r = subprocess.run([daemon.sgrun, "--daemon", "off", "--require", "bpf", "--lang", "c", "--", "/bin/true"], env=ENV,
                       capture_output=True, user=1234, group=1234, extra_groups=[NOBODY])
    assert r.returncode == 125


def test_user_cannot_become_another(daemon):
    r = daemon.run("--user", "0", "--lang", "c", "--", "/bin/true", user=1234, groups=[NOBODY])
    assert r.returncode == 125 and "only root" in r.stderr, r


def test_user_outside_the_group(daemon):
    r = daemon.run("--lang", "c", "--", "/bin/true", user=1234)
    assert r.returncode == 125 and "Permission denied" in r.stderr, r


def test_users_do_not_reach_each_other(daemon, tier="bpf"):
    mine = daemon.detach("--lang", "c", "--", "/bin/sleep", "300", user=1234, groups=[NOBODY])
    roots = daemon.detach("--lang", "c", "--", "/bin/sleep", "300")
    them = {"user": 2345, "groups": [NOBODY]}
    try:
        assert mine and roots and {b["tier"] for b in daemon.listed()} == {tier}
        assert json.loads(daemon.ctl("--json", "list", user=1234, groups=[NOBODY]).stdout)["id"] == mine
        assert daemon.ctl("--json", "list", **them).stdout == ""
        for name in (mine, roots):
            for command in (("show", name), ("kill", name)):
                r = daemon.ctl(*command, **them)
                assert r.returncode == 1 and f"no sandbox {name}" in r.stderr, r
        for command in (("detach", mine), ("reload", "/etc/passwd"), ("attach", "--pid", "1", "--lang", "c")):
            r = daemon.ctl(*command, user=1234, groups=[NOBODY])
            assert r.returncode == 1, r
        assert sorted(b["id"] for b in daemon.listed()) == sorted([mine, roots])
        # The control: it is theirs, and they may.
        assert daemon.ctl("kill", mine, user=1234, groups=[NOBODY]).returncode == 0
        assert until(lambda: [b["id"] for b in daemon.listed()] == [roots])
    finally:
        daemon.ctl("kill", roots)
        daemon.ctl("kill", mine)
        until(lambda: not daemon.sandboxes())


def test_a_program_in_a_sandbox_cannot_talk_to_it(daemon):
    code = ("import socket,sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\ns.connect(sys.argv[1])\n"
            "s.send(b'{\"v\":1,\"op\":\"status\"}')\nprint(s.recv(65536).decode())")
    control = subprocess.run([PYTHON, "-c", code, daemon.socket], capture_output=True, text=True, timeout=60)
    assert '"ok":true' in control.stdout.replace(" ", ""), control
    r = daemon.run("--policy", policy(daemon), "--lang", "open", "--connect", f"unix:{daemon.socket}", "--", PYTHON, "-c", code,
                   daemon.socket)
    assert '"ok":true' not in r.stdout.replace(" ", ""), r


def test_a_small_memory_limit_stays_out_of_the_daemon(daemon):
    """A child shares the daemon's memory until it executes: what kills it for want of memory must not reach the daemon."""
    r = daemon.run("--lang", "c", "--memory", "8M", "--", "/bin/true")
    assert r.returncode == 125 and "a memory limit below 16 MiB is kept by sgrun itself" in r.stderr, r
    assert daemon.run("--lang", "c", "--memory", "64M", "--", "/bin/true").returncode == 0
