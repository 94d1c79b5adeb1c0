# SPDX-License-Identifier: Apache-2.0
"""The lsm tier through sgd, where BPF LSM is to be had: run.py --lsm, in the kernel lab."""
import contextlib
import ctypes
import json
import os
import random
import socket
import subprocess
import tempfile
import time

import test_launch
from harness import NOBODY, Cgroup, until
from silent import Silent

PYTHON = "/usr/bin/python3"
SECRET = "/var/log"  # no built-in policy names it, and its mode lets everybody list it
ROUNDS = 1  # run.py --rounds
ATTACKERS = 2
OPTIONS = ("--group", str(NOBODY), "--max-sandboxes", "64", "--metrics-port", "0")
# Refused with EACCES by a tree, and the control beside it: what the policy allows works.
READS = "import os\nprint(bool(os.listdir('/usr')))\ntry: print(os.listdir('%s'))\nexcept PermissionError: print('refused')\n"
# The forbidden operation again and again; anything that gets through is said.
LOOPS = ("import os,time\nn=0\nwhile not os.path.exists('%(flag)s'):\n"
         "    try: os.listdir('%(secret)s'); print('got through', flush=True)\n"
         "    except PermissionError: n+=1\n    time.sleep(0.05)\n"
         "print('tries', n > 0, flush=True)\nos.open('/proc/1/environ', 0)\n")


def run_refused(daemon, **who):
    r = daemon.run("--require", "lsm", "--lang", "python", "--", PYTHON, "-c", READS % SECRET, cwd="/tmp",
                   timeout=120, **who)
    assert (r.returncode, r.stdout) == (0, "True\nrefused\n"), (r.returncode, r.stdout, r.stderr)
    seen = [v for v in daemon.records(type="lsm_violation") if v["object"].get("path", "").endswith(SECRET)]
    assert seen and seen[-1]["action"] == "errno" and seen[-1]["prevented"], seen
    start = daemon.records(type="start", sandbox=seen[-1]["sandbox"])[0]
    assert start["tier"] == "lsm" and "lsm" in start["layers"], start


def test_status_says_the_tier(daemon):
    status = daemon.request({"op": "status"})
    assert (status["tier"], status["no_lsm"]) == ("lsm", ""), status


def test_root_gets_the_lsm_tier(daemon):
    run_refused(daemon)


def test_a_user_gets_the_lsm_tier(daemon):
    run_refused(daemon, user=NOBODY)


def test_users_do_not_reach_each_other(daemon):
    test_launch.test_users_do_not_reach_each_other(daemon, "lsm")


def test_a_program_in_a_sandbox_cannot_talk_to_it(daemon):
    test_launch.test_a_program_in_a_sandbox_cannot_talk_to_it(daemon)


def test_another_process_is_out_of_reach(daemon):
    r = daemon.run("--require", "lsm", "--lang", "python", "--", PYTHON, "-c", "open('/proc/1/environ')", timeout=120)
    assert r.returncode == 159, (r.returncode, r.stderr)
    kill = [v for v in daemon.records(type="lsm_violation", action="kill")][-1]
    assert kill["class"] == "trace" and kill["prevented"], kill


# What the kernel shows of a process to everybody, and what it keeps for the owner and for tracers.
LOOKS = """
import os, sys
victim, supervisor = sys.argv[1], os.getppid()
def refused(what, name, *args):
    try: what(name, *args); print("got", name)
    except PermissionError as e: print(e.errno)
for name in ("stat", "status", "cmdline", "comm", "", "task"):
    refused(os.open, f"/proc/{victim}/{name}", 0)
    refused(os.open, f"/proc/{supervisor}/{name}", 0)
refused(os.readlink, f"/proc/{victim}/exe")
refused(os.stat, f"/proc/{victim}/cwd")
"""
HARMS = [f"os.open(p + '{name}', 0)" for name in ("environ", "auxv", "mem", "maps", "smaps", "fd", "root/etc/passwd")] + [
    "os.open(p + 'comm', os.O_WRONLY)", "os.open(p + 'oom_score_adj', os.O_RDWR)", "os.listdir(p + 'cwd')"]


def test_what_everybody_may_read_of_a_process_is_no_reason_to_kill(daemon):
    """ps, pidof, or a JVM that asks for its parent; what goes further ends the sandbox. The victim has the same user."""
    with subprocess.Popen(["/bin/sleep", "600"], user=NOBODY, group=NOBODY, extra_groups=[]) as victim:
        try:
            r = daemon.run("--require", "lsm", "--lang", "python", "--", PYTHON, "-c", LOOKS, victim.pid, timeout=120, user=NOBODY)
            assert (r.returncode, r.stdout) == (0, "13\n" * 14), r
            seen = [v for v in daemon.records(type="lsm_violation") if "target_pid" in v["object"]][-14:]
            assert {(v["class"], v["action"], v["errno"], v["prevented"]) for v in seen} == {
                ("supervisor", "errno", 13, True), ("trace", "errno", 13, True)}, seen
            for harm in HARMS:
                r = daemon.run("--require", "lsm", "--lang", "python", "--", PYTHON, "-c",
                               f"import os; p = '/proc/{victim.pid}/'; {harm}", timeout=120, user=NOBODY)
                assert r.returncode == 159, (harm, r)
        finally:
            victim.kill()


def test_each_program_of_a_batch(daemon):
    """What the rules name is opened once for all, and each sandbox is told of it."""
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o777)
        with open(os.path.join(work, "jobs"), "w", encoding="utf-8") as f:
            for i in range(6):
                f.write(json.dumps({"label": f"reads {i}", "argv": [PYTHON, "-c", READS % SECRET], "stdout": f"{i}.out"}) + "\n")
                f.write(json.dumps({"label": f"looks {i}", "argv": [PYTHON, "-c", "open('/proc/1/environ')"], "stderr": "err"}) + "\n")
        daemon.mark()
        r = daemon.run("--require", "lsm", "--lang", "python", "--jobs", 2, "--batch", "jobs", cwd=work, timeout=200)
        assert (r.returncode, r.stdout, r.stderr) == (1, "", ""), r
        for i in range(6):
            with open(os.path.join(work, f"{i}.out"), encoding="utf-8") as f:
                assert f.read() == "True\nrefused\n"
    assert until(lambda: len(daemon.records(type="exit")) == 12)
    for e in daemon.records(type="exit"):
        assert e["verdict"] == ("ok" if e["label"].startswith("reads") else "violation"), e
        assert {v["label"] for v in daemon.records(type="lsm_violation", sandbox=e["sandbox"])} == {e["label"]}
    assert {s["tier"] for s in daemon.records(type="start")} == {"lsm"}


# Descriptors over every kind of unix socket, both ways, between a parent and its child; the child's words come back.
PASSED = """
import array, os, socket, sys
def passes(s, fd, *to):
    s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))], 0, *to)
def takes(s, word):
    fd = socket.recv_fds(s, 1, 1)[1][0]
    os.write(fd, word)
    os.close(fd)
def child(what):
    if os.fork() == 0:
        what()
        os._exit(0)
r, w = os.pipe()
for kind, name in ((socket.SOCK_STREAM, "s"), (socket.SOCK_SEQPACKET, "\\0" + sys.argv[1])):
    with socket.socket(socket.AF_UNIX, kind) as heard:
        heard.bind(name)
        heard.listen(1)
        def connects():
            c = socket.socket(socket.AF_UNIX, kind)
            c.connect(name)
            passes(c, w)
            takes(c, b"2")
        child(connects)
        c = heard.accept()[0]
        takes(c, b"1")
        passes(c, w)
        os.wait()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
    heard.bind("d")
    def sends():
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        passes(s, w, "d")
        s.connect("d")
        passes(s, w)
    child(sends)
    takes(heard, b"3")
    takes(heard, b"4")
    os.wait()
a, b = socket.socketpair()
child(lambda: passes(a, w))
takes(b, b"5")
print(os.read(r, 100).decode())
"""


def test_descriptors_are_passed_inside(daemon):
    """What the attacks fd-send* must not do with somebody outside (tests/objects)."""
    path, work = os.path.join(daemon.work, "passes.yaml"), tempfile.mkdtemp(dir="/tmp")
    os.chown(work, NOBODY, NOBODY)
    with open(path, "w", encoding="utf-8") as f:
        f.write('passes: {inherit: ["builtin:unix", "builtin:python"]}\n')
    os.chmod(path, 0o644)
    r = daemon.run("--require", "lsm", "--policy", path, "--lang", "passes", "--", PYTHON, "-c", PASSED, os.path.basename(work), cwd=work, timeout=120,
                   user=NOBODY)
    assert (r.returncode, r.stdout) == (0, "1212345\n"), (r.returncode, r.stdout, r.stderr)


# Options of sockets and messages that choose no way, and the one that does.
OPTIONS_OF_PACKETS = r"""
import socket, struct
n = lambda *v: struct.pack("%di" % len(v), *v)
a, b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
a.setsockopt(0, 1, 8), a.setsockopt(0, 2, 9), b.setsockopt(41, 67, 8), b.setsockopt(41, 33, 1)
few = [(0, 1, n(8)), (0, 2, n(9)), (0, 8, bytes(12)), (17, 103, struct.pack("H", 1000))]
print(a.sendmsg([b"x"], few, 0, ("127.0.0.1", 9)), a.sendmsg([b"x"], few[:2] * 15, 0, ("127.0.0.1", 9)))
print(b.sendmsg([b"x"], [(41, 67, n(8)), (41, 52, n(9)), (41, 50, bytes(20))], 0, ("::1", 9)))
try: b.setsockopt(41, 57, b""); print("none")
except PermissionError: print("refused")
"""


def test_only_options_that_choose_a_way_are_refused(daemon):
    path = os.path.join(daemon.work, "routed.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write('some: {inherit: ["builtin:inet", "builtin:python"], net: {allow: [loopback]}}\n'
                'all: {inherit: some, net: {allow: ["udp *"]}}\n')
    for lang, says in (("some", "refused"), ("all", "none")):
        r = daemon.run("--require", "lsm", "--policy", path, "--lang", lang, "--", PYTHON, "-c", OPTIONS_OF_PACKETS, timeout=120)
        assert (r.returncode, r.stdout) == (0, f"1 1\n1\n{says}\n"), (lang, r.returncode, r.stdout, r.stderr)
    seen = [v["object"] for v in daemon.records(type="lsm_violation") if v["hook"] == "socket_setsockopt"]
    assert seen == [{"family": "inet6", "protocol": "udp", "option": "IPV6_RTHDR"}], seen


# Where the program's code begins, which the kernel shows as 1 to who may not trace; and what three programs return.
SHOWN = ("import os\nprint(int(open('/proc/%s/stat').read().rsplit(')', 1)[1].split()[23]) > 1, flush=True)\n"
         "for _ in range(3): print(os.spawnv(os.P_WAIT, '/bin/true', ['true']), flush=True)\n")
AUDITED = ("a: {unlisted: allow, exec: {allow: [/usr, /bin, /lib, /lib64], max: 1, otherwise: %s}, "
           "kernel: {trace: %s, capability: %s}}\n")


def run_shown(daemon, pid, text, mode="enforce"):
    path = os.path.join(daemon.work, "audited.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return daemon.run("--require", "lsm", "--mode", mode, "--policy", path, "--lang", "a", "--", PYTHON, "-c", SHOWN % pid, timeout=120)


def test_executions_go_on_under_audit_and_nothing_is_hidden(daemon):
    # a process that a sandbox's root, which has no capabilities, could trace
    with subprocess.Popen(["/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all", "--securebits=+noroot", "--", "/bin/sleep", "300"]) as p:
        try:
            for mode, action in (("audit", "kill"), ("enforce", "audit")):
                r = run_shown(daemon, p.pid, AUDITED % (action, action, action), mode)
                assert (r.returncode, r.stdout) == (0, "True\n0\n0\n0\n"), (mode, r.returncode, r.stdout, r.stderr)
                seen = daemon.records(type="lsm_violation" if mode == "audit" else "audit")
                assert {v["class"] for v in seen} >= {"trace", "exec"}, seen
        finally:
            p.kill()


def test_executions_that_are_refused_do_not_count(daemon):
    r = run_shown(daemon, "self", AUDITED % ("errno EACCES", "kill", "allow"))
    assert (r.returncode, r.stdout) == (0, "True\n0\n127\n127\n"), (r.returncode, r.stdout, r.stderr)
    numbers = [v["object"]["number"] for v in daemon.records(type="lsm_violation", action="errno") if v["class"] == "exec"]
    assert numbers == [2, 2], numbers


MADE = ("import os\n"
        "for name in 'there', 'new', 'new':\n"
        "    try: os.close(os.open('%s/' + name, os.O_WRONLY | os.O_CREAT)); print('opened', flush=True)\n"
        "    except PermissionError as e: print(e.errno, flush=True)\n")


def test_a_file_that_is_there_is_not_made(daemon):
    """open(2) with O_CREAT where files may be written but not made. The kernel asks before it has looked."""
    path, work = os.path.join(daemon.work, "made.yaml"), tempfile.mkdtemp(dir="/var/tmp")
    with open(path, "w", encoding="utf-8") as f:
        f.write("made: {unlisted: allow, files: {read: [/], write: [%s], otherwise: kill}, "
                "exec: {allow: [/usr, /bin, /lib, /lib64]}}\n" % work)
    with open(os.path.join(work, "there"), "w", encoding="utf-8"):
        os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="utf-8") as f:
        f.write("2")
    r = daemon.run("--require", "lsm", "--policy", path, "--lang", "made", "--", PYTHON, "-Bc", MADE % work, timeout=120)
    # what is known not to be there is a violation
    assert (r.returncode, r.stdout) == (159, "opened\n1\n"), (r.returncode, r.stdout, r.stderr)
    seen = daemon.records(type="lsm_violation")[-1]
    assert (seen["class"], seen["object"]["path"]) == ("create", work + "/new"), seen
    os.unlink(os.path.join(work, "there"))
    os.rmdir(work)


ASKED = ("import os\nfor line in sys.stdin:\n    try: print(bool(os.listdir('%s')), flush=True)\n"
         "    except PermissionError: print('refused', flush=True)\n" % SECRET)


def reload(daemon, text):
    path = os.path.join(daemon.work, "policies.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    r = daemon.ctl("reload", path)
    assert r.returncode == 0, r


def test_an_attached_cgroup_is_held_to_its_object_rules(daemon):
    cgroup = Cgroup(daemon, "objects")
    p = cgroup.start(ASKED)

    def asked():
        cgroup.go(p)
        return p.stdout.readline()

    cgroup.go(p)
    assert asked() == "True\n"  # the control
    r = daemon.ctl("--json", "attach", "--cgroup", cgroup.path, "--lang", "python", "--cwd", "/tmp")
    assert r.returncode == 0, r
    sandbox = json.loads(r.stdout)["sandbox"]
    name = sandbox["id"]
    assert (sandbox["tier"], sandbox["degraded"]) == ("lsm", []), sandbox
    assert asked() == "refused\n"
    seen = until(lambda: daemon.records(sandbox=name, type="lsm_violation"))
    assert seen and seen[0]["prevented"] and seen[0]["object"]["path"] == SECRET, seen
    reload(daemon, "python: {inherit: \"builtin:python\", files: {read: [%s]}}\n" % SECRET)
    assert until(lambda: asked() == "True\n")
    reload(daemon, "python: {inherit: \"builtin:python\"}\n")
    assert until(lambda: asked() == "refused\n")
    daemon.crash()
    assert asked() == "refused\n"
    daemon.start()
    assert asked() == "refused\n"
    assert daemon.request({"op": "show", "id": name})["sandbox"]["reasons"] == []
    assert daemon.ctl("detach", name).returncode == 0
    assert asked() == "True\n"
    p.stdin.close()
    p.wait(60)
    p.stdout.close()


# What is refused again and again, and kills nobody while it is.
BUSY = ("import select\nprint('alive', flush=True)\nwhile True:\n    try: os.listdir('%s')\n    except PermissionError: pass\n"
        "    if select.select([0], [], [], 0.02)[0]:\n        if not os.read(0, 64): break\n"
        "        print('alive', flush=True)\n" % SECRET)


def test_an_attached_cgroup_is_let_go_unharmed(daemon):
    cgroup = Cgroup(daemon, "busy")
    p = cgroup.start(BUSY)
    cgroup.go(p)
    assert p.stdout.readline() == "alive\n"
    for _ in range(5):
        r = daemon.ctl("--json", "attach", "--cgroup", cgroup.path, "--lang", "python", "--cwd", "/tmp")
        assert r.returncode == 0, r
        name = json.loads(r.stdout)["sandbox"]["id"]
        assert until(lambda n=name: daemon.records(sandbox=n, type="lsm_violation"))
        assert daemon.ctl("detach", name).returncode == 0
        assert {v["action"] for v in daemon.records(sandbox=name, type="lsm_violation")} == {"errno"}
        cgroup.go(p)
        assert p.stdout.readline() == "alive\n", p.poll()
    p.stdin.close()
    p.wait(60)
    p.stdout.close()


# Each process starts the next one and ends, a few lines of them, for as long as the first one is there.
FORKS = ("import time\ntop = '/proc/' + str(os.getpid()) + '/exe'\nfor _ in range(3):\n    if os.fork() == 0:\n"
         "        with open('%s', 'w') as f: f.write('0')\n        while os.path.exists(top):\n"
         "            if os.fork(): os._exit(0)\n            time.sleep(0.002)\n"
         "        os._exit(0)\nprint('up', flush=True)\nsys.stdin.readline()\n")


def test_an_attach_amid_forks(daemon):
    """By the cgroup: whatever process of it is asked for its files may have ended a moment later."""
    # sys_enter stays attached: to patch the kernel's text amid forks is more than an emulator bears.
    calm = daemon.ctl("--json", "attach", "--cgroup", Cgroup(daemon, "calm").path, "--lang", "c", "--mode", "audit")
    cgroup = Cgroup(daemon, "forks")
    first = Cgroup(daemon, "first").start(FORKS % os.path.join(cgroup.path, "cgroup.procs"))
    Cgroup.go(first)
    try:
        assert first.stdout.readline() == "up\n"
        for _ in range(5):
            r = daemon.ctl("--json", "attach", "--cgroup", cgroup.path, "--lang", "c", "--mode", "audit", "--cwd", "/tmp")
            assert r.returncode == 0, r
            box = json.loads(r.stdout)["sandbox"]
            assert box["tier"] == "lsm" and box["degraded"] == [], box
            assert daemon.ctl("detach", box["id"]).returncode == 0
    finally:
        first.kill()
        first.communicate()
        assert daemon.ctl("detach", json.loads(calm.stdout)["sandbox"]["id"]).returncode == 0


def test_an_attach_that_sees_no_process_of_the_cgroup(daemon):
    """Its rules would be about other files than its own."""
    cgroup = Cgroup(daemon, "hidden")
    p = cgroup.start("sys.stdin.readline()\n")
    daemon.stop()
    daemon.wrapper = ["/usr/bin/setpriv", "--bounding-set", "-sys_ptrace"]
    daemon.start()
    try:
        for by in (("--pid", p.pid), ("--cgroup", cgroup.path)):
            r = daemon.ctl("attach", *by, "--lang", "python")
            assert r.returncode == 1 and "may not see which files its rules are about" in r.stderr, r
        assert not daemon.listed()
    finally:
        daemon.stop()
        daemon.wrapper = []
        daemon.start()
        p.communicate("\n\n", timeout=60)


def test_a_file_system_that_hangs_stops_nobody(daemon):
    """A tree on a file system whose server never answers: the attach fails in time, and the daemon serves others meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    at = tempfile.mkdtemp(prefix="sgd-test.", dir="/run")
    fuse = os.open("/dev/fuse", os.O_RDWR)
    data = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fuse
    assert libc.mount(b"sg", at.encode(), b"fuse.sg", 0, data) == 0, ctypes.get_errno()
    reload(daemon, "hang: {unlisted: allow, files: {read: [%s/file]}}\npython: {inherit: \"builtin:python\"}\n" % at)
    cgroup = Cgroup(daemon, "hang")
    p = cgroup.start("print(sys.stdin.readline())\n")
    request = {"op": "attach", "by": "cgroup", "language": "hang"}
    fd = cgroup.fd()
    try:
        with daemon.connect() as s:
            socket.send_fds(s, [json.dumps({"v": 1, **request}).encode()], [fd])
            assert until(lambda: [b["state"] for b in daemon.listed()] == ["starting"])
        # Who closes the connection takes it back.
        assert until(lambda: not daemon.listed())
        with daemon.connect() as s:
            s.settimeout(60)
            begin = time.monotonic()
            socket.send_fds(s, [json.dumps({"v": 1, **request}).encode()], [fd])
            assert daemon.request({"op": "status"})["ok"]
            assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
            answer = json.loads(s.recv(65536))
            assert not answer["ok"] and "within 10 s" in answer["error"] and time.monotonic() - begin > 9, answer
        assert not daemon.listed()
        answer = daemon.request({**request, "language": "python"}, [fd])  # the control
        assert answer["ok"], answer
        assert daemon.ctl("detach", answer["sandbox"]["id"]).returncode == 0
    finally:
        os.close(fd)
        os.close(fuse)
        libc.umount2(at.encode(), 2)
        os.rmdir(at)
        cgroup.go(p)
        cgroup.go(p)
        p.communicate(timeout=60)
    reload(daemon, "python: {inherit: \"builtin:python\"}\n")


def test_a_file_whose_closing_is_never_answered_stops_no_attach(daemon):
    """A launch hangs in its closing. Who opens what an attach's rules name has no copy of it to close."""
    cgroup = Cgroup(daemon, "silent")
    p = cgroup.start("sys.stdin.readline()\n")
    fd, root = cgroup.fd(), os.open("/", os.O_PATH)
    with Silent(daemon.process.pid) as fs:
        file = os.open(fs.path, os.O_RDWR)
        try:
            with daemon.popen("--lang", "c", "--fd", file, "--", "/bin/true", pass_fds=[file]):
                assert until(lambda: fs.waiting)
                own = list(fs.waiting)
                try:
                    for fds in ([fd], [fd, root]):
                        answer = daemon.request({"op": "attach", "by": "cgroup", "language": "python"}, fds)
                        assert answer["ok"] and answer["sandbox"]["tier"] == "lsm", answer
                        # No program: what it closes of ours we would have to answer, in the midst of starting it.
                        assert daemon.request({"op": "detach", "id": answer["sandbox"]["id"]})["ok"]
                    assert fs.waiting == own, (fs.waiting, own)
                finally:
                    fs.end()
        finally:
            with contextlib.suppress(OSError):  # what it closes is gone by then
                os.close(file)
            os.close(fd)
            os.close(root)
            p.communicate("\n\n", timeout=60)


def attacker(daemon, flag):
    """A sandbox that loops over a forbidden operation until flag is there. Its last act kills it. Its id and its output."""
    fd, out = tempfile.mkstemp(dir=daemon.work)
    # The program holds the descriptor too, so it is no pipe that we read.
    with open(fd, "w", encoding="utf-8") as f:
        subprocess.run(
            [daemon.sgrun, "--daemon", daemon.socket, "--verdicts", "/dev/null", "--detach", "--require", "lsm", "--read", "/tmp",
             "--lang", "python", "--", PYTHON, "-c", LOOPS % {"flag": flag, "secret": SECRET}],
            stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.DEVNULL, timeout=120, check=True, cwd="/tmp")
    with open(out, encoding="utf-8") as f:
        return f.readline().strip(), out


def a_crash_under_attack(daemon, crash):
    flag = os.path.join("/tmp", os.path.basename(daemon.work) + ".flag")
    daemon.mark()
    attackers = [attacker(daemon, flag) for _ in range(ATTACKERS)]
    for name, _ in attackers:
        assert until(lambda n=name: daemon.records(sandbox=n, type="lsm_violation"), 60)
    crash()
    with open(flag, "w", encoding="ascii"):
        pass
    try:
        for name, _ in attackers:
            assert until(lambda n=name: daemon.records(sandbox=n, type="exit"), 120), daemon.errors()
    finally:
        os.unlink(flag)
    for name, out in attackers:
        with open(out, encoding="utf-8") as f:
            assert f.read() == name + "\ntries True\n"
        kills = daemon.records(sandbox=name, type="lsm_violation", action="kill")
        assert len(kills) == 1, kills
        assert len(daemon.records(sandbox=name, type="exit")) == 1
    assert not {b["id"] for b in daemon.listed()} & {name for name, _ in attackers}


def links(daemon):
    return {e for e in os.listdir(os.path.join(daemon.bpf, "sandgate")) if e.startswith("link_lsm_")}


def test_nothing_passes_while_there_is_no_daemon(daemon):
    """sgd is killed and started again, every third time also while it starts. The programs go on as they are."""
    before = links(daemon)
    for n in range(ROUNDS):
        def crash(again=n % 3 == 2):
            time.sleep(random.random() / 4)
            daemon.crash()
            if again:
                daemon.begin()
                time.sleep(random.random() * 2)
                daemon.crash()
            daemon.start()
        a_crash_under_attack(daemon, crash)
        assert links(daemon) == before


def test_programs_of_another_version_are_replaced(daemon):
    """Without what says that they are the same."""
    before = links(daemon)

    def crash():
        daemon.crash()
        for e in os.listdir(os.path.join(daemon.bpf, "sandgate")):
            if e.startswith("map_lsm_"):
                os.unlink(os.path.join(daemon.bpf, "sandgate", e))
        daemon.start()

    a_crash_under_attack(daemon, crash)
    assert len(links(daemon)) == len(before) and not links(daemon) & before


def test_nothing_is_kept_for_what_is_gone(daemon):
    for _ in range(3):
        assert daemon.run("--require", "lsm", "--lang", "c", "--", "/bin/true", timeout=120).returncode == 0
    fds = "/proc/%d/fd" % daemon.process.pid
    before = len(os.listdir(fds))
    assert daemon.run("--require", "lsm", "--lang", "c", "--", "/bin/true", timeout=120).returncode == 0
    cgroup = Cgroup(daemon, "again")
    p = cgroup.start("sys.stdin.readline()\n")
    for _ in range(3):
        r = daemon.ctl("--json", "attach", "--pid", p.pid, "--lang", "python")
        assert r.returncode == 0, r
        assert daemon.ctl("detach", json.loads(r.stdout)["sandbox"]["id"]).returncode == 0
    p.communicate("\n\n", timeout=60)
    assert until(lambda: len(os.listdir(fds)) <= before), (before, os.listdir(fds))

    def children():
        with open("/proc/{0}/task/{0}/children".format(daemon.process.pid), encoding="ascii") as f:
            return len(f.read().split())
    assert until(lambda: children() == 1)  # the keeper
