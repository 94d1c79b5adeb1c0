# SPDX-License-Identifier: Apache-2.0
"""The control socket under abuse: refused with a reason, the daemon up, nothing there that should not be."""
import json
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import time
import traceback

from harness import (Daemon, ENV, FAILED, LAUNCH, MAGIC, NOBODY, PACKET_MAX, RESULT, SIGNAL, TIER, UNKNOWN, cgroup_mount, header, until,
                     waits)

OPTIONS = ("--group", str(NOBODY))
SEED = 20240607


def healthy(daemon):
    assert daemon.request({"op": "status"})["ok"]
    assert not daemon.listed()
    assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()


def reply(s):
    """The answer, or "closed" where there was none."""
    try:
        data = s.recv(PACKET_MAX)
    except ConnectionResetError:
        return "closed"
    return data.decode("utf-8", "replace") if data else "closed"


def refused(daemon, packet, fds=(), word=None):
    with daemon.connect() as s:
        socket.send_fds(s, [packet], list(fds))
        answer = reply(s)
    assert '"ok":true' not in answer.replace(" ", ""), answer
    if word:
        assert word in answer, (word, answer)
    return answer


def test_garbage(daemon):
    rng = random.Random(SEED)
    for _ in range(300):
        refused(daemon, rng.randbytes(rng.choice((1, 7, 23, 24, 25, 200, 4000))))
    for text in (b"{", b"{}", b"[]", b"{\"v\":1}", b"{\"v\":2,\"op\":\"list\"}", b"{\"v\":1,\"op\":7}", b"{\"v\":1,\"op\":\"\"}",
                 b"{\"v\":1,\"op\":\"list\",\"op\":\"kill\"}", b"{\"v\":1,\"op\":\"list\"}{\"v\":1,\"op\":\"list\"}",
                 b"{\"v\":1,\"op\":\"list\\u0000\"}", b"{" * 30000, b"{\"a\":" * 10000, b"{\"v\":1,\"op\":\"show\",\"id\":{}}"):
        refused(daemon, text, word='"error"')
    healthy(daemon)


def test_lengths(daemon):
    for size in (PACKET_MAX + 1, 100000, 200000):
        refused(daemon, b"{" + b" " * (size - 1), word="longer")
    refused(daemon, b"{\"v\":1,\"op\":\"show\",\"id\":\"" + b"x" * 60000 + b"\"}", word="no sandbox")
    for kind in range(16):
        refused(daemon, header(kind, 24))
        refused(daemon, header(kind, 2 ** 32 - 1))
        refused(daemon, header(kind, 24, magic=MAGIC + 1))
        refused(daemon, header(kind, 24, version=9), word="version")
    healthy(daemon)


def real_launch(daemon, program="/bin/true", stdin=subprocess.DEVNULL):
    """The packet that sgrun sends, caught by a socket in sgd's place."""
    path = os.path.join(daemon.work, "catch.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(1)
        p = subprocess.Popen([daemon.sgrun, "--daemon", path, "--lang", "c", "--verdicts", "/dev/null", "--", program],
                             env=ENV, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listener.settimeout(20)
        s, _ = listener.accept()
        with s:
            s.recv(PACKET_MAX)  # whether it is known
            s.send(header(UNKNOWN, 24) + struct.pack("=II", 0, 0))
            s.recv(PACKET_MAX)  # what the best tier is
            s.send(header(TIER, 24) + struct.pack("=II", 2, 0))
            packet, fds, _, _ = socket.recv_fds(s, PACKET_MAX, 72)
        p.wait(60)
    os.unlink(path)
    return packet, fds


def test_launches_changed_in_every_byte(daemon):
    packet, fds = real_launch(daemon)
    rng = random.Random(SEED)
    try:
        # The control: as it was it runs.
        with daemon.connect() as s:
            socket.send_fds(s, [packet], fds)
            kinds = []
            while True:
                data = s.recv(PACKET_MAX)
                if not data:
                    break
                kinds.append(struct.unpack_from("=IHH", data)[2])
        assert kinds[-1] == RESULT, kinds
        for n in range(600):
            changed = bytearray(packet)
            at = rng.randrange(24, 260) if n % 3 else rng.randrange(len(packet))
            changed[at] = rng.randrange(256)
            if n % 5 == 0:
                changed[at & ~3:(at & ~3) + 4] = struct.pack("=I", rng.choice((0, 1, 2 ** 31, 2 ** 32 - 1, 65536)))
            with daemon.connect() as s:
                socket.send_fds(s, [bytes(changed)], fds)
                s.settimeout(10)
                while s.recv(PACKET_MAX):
                    pass
        for cut in range(0, len(packet), 7):
            short = bytearray(packet[:cut])
            if cut >= 12:
                short[8:12] = struct.pack("=I", cut)
            refused(daemon, bytes(short) or b"\0", fds)
        for some in (fds[:1], [], fds + fds, list(reversed(fds))):
            with daemon.connect() as s:
                socket.send_fds(s, [packet], some)
                while s.recv(PACKET_MAX):
                    pass
    finally:
        for fd in fds:
            os.close(fd)
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()
    # A refused launch takes nothing along.
    assert os.readlink(f"/proc/{daemon.process.pid}/fd/0") == os.devnull
    healthy(daemon)


def test_descriptors(daemon):
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]
    healthy(daemon)  # it has by now what it opens once
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    try:
        refused(daemon, b"{\"v\":1,\"op\":\"attach\",\"by\":\"cgroup\",\"language\":\"c\"}", fds, word="descriptors")
        refused(daemon, b"\0" * 30, fds)
    finally:
        for fd in fds:
            os.close(fd)
    assert until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before)
    healthy(daemon)


def test_signals_for_nobody(daemon):
    for number in (0, 9, 64, 2 ** 31):
        refused(daemon, header(SIGNAL, 32) + struct.pack("=II", number, 0))
    healthy(daemon)


def test_a_policy_that_could_change_or_wait(daemon):
    """A pipe, a file and an unsealed memfd: the daemon reads none of them."""
    r, w = os.pipe()
    with open(os.path.join(daemon.work, "p.yaml"), "w+b") as f:
        f.write(b"x: {allow: [read]}\n")
        f.flush()
        memory = os.memfd_create("x")
        os.write(memory, b"x: {allow: [read]}\n")
        for fd in (r, f.fileno(), memory, os.open("/dev/zero", os.O_RDONLY)):
            refused(daemon, b"{\"v\":1,\"op\":\"reload\",\"name\":\"x\"}", [fd], word="sealed")
            os.close(os.dup(fd))
    os.close(r)
    os.close(w)
    os.close(memory)
    healthy(daemon)


def test_slow_and_silent(daemon):
    held = [daemon.connect() for _ in range(50)]
    begin = time.monotonic()
    healthy(daemon)
    assert time.monotonic() - begin < 10
    # Those that say nothing are let go.
    assert until(lambda: reply_now(held[0]) == "closed")
    for s in held:
        s.close()


def reply_now(s):
    s.settimeout(0.05)
    try:
        return reply(s)
    except TimeoutError:
        return None


def test_a_client_that_does_not_read(daemon):
    with daemon.connect() as s:
        line = json.dumps({"v": 1, "op": "status"}).encode()
        s.setblocking(False)
        sent = 0
        try:
            while sent < 20000:
                s.send(line)
                sent += 1
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        healthy(daemon)


def as_nobody(what):
    """Runs it in a process of an ordinary user, whom the daemon knows by the kernel's word. Its result, as JSON."""
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(r)
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(w, json.dumps(what()).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(w)
    with open(r, "rb") as f:
        text = f.read()
    os.waitpid(pid, 0)
    assert text, "it failed, see above"
    return json.loads(text)


def test_tails_of_a_user(daemon):
    """Each record is written once for each of them, so there are bounds; root has none."""
    def tails(n=40):
        held = [daemon.connect() for _ in range(n)]
        answers = [daemon.ask(s, {"op": "tail"}) for s in held]
        again = daemon.ask(held[0], {"op": "tail"})["ok"]  # the same one is no second one
        held[0].close()
        return answers, again, until(lambda: daemon.ask(held[-1], {"op": "tail"})["ok"])

    answers, again, freed = as_nobody(tails)
    assert [a["ok"] for a in answers] == [True] * 32 + [False] * 8, answers
    assert "on 32 connections already" in answers[-1]["error"] and again and freed, (answers[-1], again, freed)
    assert all(a["ok"] for a in tails()[0])
    healthy(daemon)


def memory(daemon):
    with open(f"/proc/{daemon.process.pid}/status") as f:
        return next(int(line.split()[1]) >> 10 for line in f if line.startswith("VmRSS:"))


def test_what_a_user_does_not_read(daemon):
    """On many connections: together it has a bound, too, and others are served."""
    r, w = os.pipe()
    packet, fds = real_launch(daemon, "/bin/cat", stdin=r)
    packet = with_texts(packet, degraded=[b"\x01" * 1000, b"\x02" * 1000])
    os.close(r)

    def fill():
        os.close(w)
        held = [daemon.connect() for _ in range(60)]
        for s in held:
            socket.send_fds(s, [packet], fds)
        until(lambda: len(daemon.request({"op": "list"})["parts"]) == len(held))
        before = memory(daemon)
        many = [daemon.connect() for _ in range(300)]
        for s in many:
            s.send(b'{"v":1,"op":"list","all":true}')
        daemon.request({"op": "status"})
        return len(daemon.request({"op": "list"})["parts"]), before, memory(daemon)

    try:
        n, before, after = as_nobody(fill)
    finally:
        os.close(w)
        for fd in fds:
            os.close(fd)
    assert n == 60, n
    # 300 queues of 512 KiB would be 150.
    assert 40 < after - before < 110, (before, after)
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()
    healthy(daemon)


def test_a_thousand_connections(daemon):
    held = []
    try:
        for i in range(1000):
            held.append(daemon.connect())
            # Those that say nothing are let go.
            assert i % 100 or daemon.ask(held[-1], {"op": "list"})["ok"]
        begin = time.monotonic()
        assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
        assert time.monotonic() - begin < 20
        for s in held[::100]:
            assert daemon.ask(s, {"op": "list"})["ok"]
    finally:
        for s in held:
            s.close()
    healthy(daemon)


def test_foreign_pidfds(daemon):
    request = {"op": "attach", "by": "pidfd", "language": "python"}
    p = subprocess.Popen(["/bin/sleep", "100"])
    fd = os.pidfd_open(p.pid)
    p.kill()
    p.wait()
    for wrong, why in ((fd, "gone"), (os.open("/dev/null", os.O_RDONLY), "no pidfd"),
                       (os.pidfd_open(os.getpid()), ""), (os.pidfd_open(daemon.process.pid), ""),
                       (os.pidfd_open(1), "")):
        answer = daemon.request(request, [wrong])
        assert not answer["ok"] and why in answer["error"], answer
        os.close(wrong)
    healthy(daemon)


def test_cgroups_that_are_none(daemon):
    request = {"op": "attach", "by": "cgroup", "language": "python"}
    mount = cgroup_mount()
    link = os.path.join(daemon.work, "link")
    os.symlink(mount, link)
    for path, flags in (("/", os.O_PATH), ("/tmp", os.O_RDONLY), (mount, os.O_PATH), (mount + "/../" + os.path.basename(mount), os.O_PATH),
                        (os.path.join(mount, "cgroup.procs"), os.O_RDONLY), (link, os.O_PATH | os.O_NOFOLLOW),
                        ("/proc/self", os.O_PATH), (os.path.join(mount, daemon.cgroup), os.O_PATH)):
        fd = os.open(path, flags)
        answer = daemon.request(request, [fd])
        os.close(fd)
        assert not answer["ok"] and answer["error"], (path, answer)
    for more in ({"language": "no such"}, {"language": "../../etc/passwd"}, {"mode": "off"}, {"container_id": "a/b"},
                 {"container_id": "x" * 200}, {"by": "path"}, {"view": []}, {"view": {"cwd": "here"}}, {"view": {"home": 1}},
                 {"view": {"cwd": "/" + "x" * 5000}}, {"view": {"args": "x"}}, {"view": {"args": [1]}}, {"view": {"path": {}}}):
        fd = os.open(mount, os.O_PATH)
        answer = daemon.request({**request, **more}, [fd])
        os.close(fd)
        assert not answer["ok"] and answer["error"], (more, answer)
    healthy(daemon)


def test_wrong_user(daemon):
    code = ("import socket,sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\ns.connect(sys.argv[1])\n"
            "s.send(sys.argv[2].encode())\nprint(s.recv(65536).decode())")
    for op in ("reload", "attach", "detach"):
        r = subprocess.run(["/usr/bin/python3", "-c", code, daemon.socket, json.dumps({"v": 1, "op": op, "id": "x"})],
                           capture_output=True, text=True, timeout=60, user=1234, group=1234, extra_groups=[NOBODY])
        assert "only root" in r.stdout, r
    healthy(daemon)


def test_a_flood_of_records_holds_nobody_up(daemon):
    """One user's sandbox writes records faster than they can be read, for as long as it likes."""
    policy = os.path.join(daemon.work, "flood.yaml")
    with open(policy, "w", encoding="utf-8") as f:
        f.write("flood: {unlisted: allow, audit: [getppid]}\n")
    flood = "import os\nfor _ in range(3): os.fork()\nask = os.getppid\nwhile True:\n" + "    ask()\n" * 20
    name = daemon.detach("--policy", policy, "--lang", "flood", "--", "/usr/bin/python3", "-c", flood, user=NOBODY)
    try:
        def audited():
            return daemon.request({"op": "show", "id": name})["sandbox"]["counts"]["audit"]

        assert until(audited)
        before = audited()
        for _ in range(5):
            begin = time.monotonic()
            assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
            assert daemon.request({"op": "status"})["ok"]
            assert time.monotonic() - begin < 8, time.monotonic() - begin
            time.sleep(0.3)
        # The control: it was a flood.
        assert until(lambda: audited() - before > 20000), (before, audited())
    finally:
        daemon.ctl("kill", name)
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()
    healthy(daemon)


CONNECT = """
import os, socket, struct, sys
os.setgroups([int(sys.argv[2])])
os.setresgid(*map(int, sys.argv[4].split(",")))
os.setresuid(*map(int, sys.argv[3].split(",")))
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
socket.send_fds(s, [bytes.fromhex(sys.stdin.read())], list(map(int, sys.argv[5].split(","))))
while data := s.recv(65536):
    print(struct.unpack_from("=IHH", data)[2], data[24:])
"""


def test_a_client_that_became_somebody_else(daemon):
    """As after a set-user-id program: what the kernel says of the process is not about the user who connected."""
    packet, fds = real_launch(daemon)
    try:
        for uids, gids, refusal in (("1234,1234,1234", "1234,1234,1234", ""), ("0,1234,0", "1234,1234,1234", "user and group ids"),
                                    ("1234,1234,0", "1234,1234,1234", "user and group ids"),
                                    ("1234,1234,1234", "1234,1234,0", "user and group ids")):
            r = subprocess.run(["/usr/bin/python3", "-c", CONNECT, daemon.socket, str(NOBODY), uids, gids,
                                ",".join(map(str, fds))], input=packet.hex(), capture_output=True, text=True, timeout=60,
                               pass_fds=fds)
            assert r.returncode == 0, r
            kind = int(r.stdout.splitlines()[-1].split()[0])
            assert kind == (FAILED if refusal else RESULT) and refusal in r.stdout, (uids, gids, r)
    finally:
        for fd in fds:
            os.close(fd)
    healthy(daemon)


LAUNCH_HEAD, COUNTS, STRINGS, WIDENED = 240, 40, 64, 76  # of struct sg_wire_launch: size, offsets


def with_texts(packet, name=b"", missing=(), degraded=(), widened=()):
    """A launch with other texts for the records. n_argv, n_env, n_fds, n_missing, n_degraded come in a row."""
    head, fds = LAUNCH_HEAD, struct.unpack_from("=I", packet, COUNTS + 8)[0]
    changed = bytearray(packet)
    strings = bytes(packet[head + 4 * fds:]).split(b"\0")[:-1]
    n = 2 + sum(struct.unpack_from("=II", packet, COUNTS))
    strings = [strings[0], name, *strings[2:n], *missing, *degraded, *widened]
    text = b"".join(s + b"\0" for s in strings)
    struct.pack_into("=II", changed, COUNTS + 12, len(missing), len(degraded))
    struct.pack_into("=I", changed, WIDENED, len(widened))
    struct.pack_into("=I", changed, STRINGS, len(text))
    struct.pack_into("=I", changed, 8, head + 4 * fds + len(text))
    return bytes(changed[:head + 4 * fds]) + text


def launched(daemon, packet, fds):
    """The kind of the last message, and all of them as text."""
    with daemon.connect() as s:
        socket.send_fds(s, [packet], list(fds))
        kind, text = 0, ""
        while data := s.recv(PACKET_MAX):
            kind = struct.unpack_from("=IHH", data)[2]
            text += data[24:].decode("utf-8", "replace") + "\n"
    return kind, text


def test_texts_that_are_too_long_for_a_record(daemon):
    packet, fds = real_launch(daemon)
    try:
        for texts in ({"name": b"n" * 4096}, {"missing": [b"m" * 1025]}, {"degraded": [b"d" * 1025]}, {"widened": [b"w" * 5000]},
                      {"missing": [b"\x01" * 1000] * 3}, {"degraded": [b"d" * 1000] * 13}, {"widened": [b"w" * 4000] * 4},
                      {"name": b"\x01" * 3000}):
            kind, text = launched(daemon, with_texts(packet, **texts), fds)
            assert kind == FAILED and ("longer than" in text or "more than" in text), (texts, kind, text[:2000])
        # The control: what is within the bounds is in the record.
        kind, text = launched(daemon, with_texts(packet, missing=[b"m" * 1024], degraded=[b"d" * 1024] * 4, widened=[b"w" * 4000]), fds)
        assert kind == RESULT and all(c * 1024 in text for c in "mdw"), (kind, text)
        assert daemon.request({"op": "status"})["log_lost"] == 0
    finally:
        for fd in fds:
            os.close(fd)
    healthy(daemon)


def test_long_texts_break_no_list(daemon):
    """As much of them as there may be, in as many sandboxes as it takes to fill any queue."""
    r, w = os.pipe()
    packet, fds = real_launch(daemon, "/bin/cat", stdin=r)
    os.close(r)
    held = []
    try:
        for _ in range(100):
            s = daemon.connect()
            socket.send_fds(s, [with_texts(packet, degraded=[b"\x01" * 1000, b"\x02" * 1000])], fds)
            held.append(s)
        assert until(lambda: daemon.request({"op": "status"})["launched"] == 100)
        with daemon.connect() as s:
            s.send(b'{"v":1,"op":"list","all":true}')
            time.sleep(1)  # nobody reads while sgd answers
            parts = []
            while "ok" not in (answer := json.loads(s.recv(PACKET_MAX))):
                parts.append(answer)
            assert answer["count"] == len(parts) > 10 and answer["count"] + answer["left_out"] == 100, answer
            name = parts[0]["sandbox"]["id"]
            assert len(daemon.ask(s, {"op": "show", "id": name})["sandbox"]["degraded"]) == 2
        assert len(daemon.listed()) == 100
    finally:
        os.close(w)
        for s in held:
            s.close()
        for fd in fds:
            os.close(fd)
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()
    healthy(daemon)


def first_free(daemon):
    """The number that its next descriptor gets, when it has let go of those of the connections before."""
    assert until(lambda: waits(daemon.process.pid))
    used = {int(fd) for fd in os.listdir(f"/proc/{daemon.process.pid}/fd")}
    return next(n for n in range(1 << 16) if n not in used)


def test_no_descriptor_for_a_client(daemon):
    """Room for the connection and not for its process: what is said is that, and not that there are many connections."""
    free = first_free(daemon)
    usual = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (free + 1, usual[1]))
    try:
        with daemon.connect() as s:
            answer = json.loads(s.recv(PACKET_MAX))
    finally:
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, usual)
    assert not answer["ok"] and "Too many open files" in answer["error"], answer
    healthy(daemon)


def test_no_descriptor_for_a_connection(daemon):
    """Who connects waits, and the daemon does not turn in circles meanwhile."""
    def cpu():
        with open(f"/proc/{daemon.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    free = first_free(daemon)
    usual = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (free, usual[1]))
    try:
        with daemon.connect() as s:
            before = cpu()
            time.sleep(2)
            took = cpu() - before
            resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, usual)
            assert daemon.ask(s, {"op": "status"})["ok"]
    finally:
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, usual)
    assert took < 1, f"{took} s of processor time in 2 s of waiting"
    assert "no room for another connection" in daemon.errors()
    healthy(daemon)


def test_a_client_that_is_gone_is_told_so(daemon):
    """The process that connected, that is; a child of its reads the answer."""
    code = ("import os, socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\ns.connect(sys.argv[1])\n"
            "if os.fork(): os._exit(0)\ns.send(b'{\"v\":1,\"op\":\"status\"}')\nprint(s.recv(65536).decode())")
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        with subprocess.Popen(["/usr/bin/python3", "-c", code, daemon.socket], stdout=subprocess.PIPE, text=True) as p:
            p.wait(60)
            daemon.process.send_signal(signal.SIGCONT)
            answer = json.loads(p.stdout.read())
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert not answer["ok"] and "gone" in answer["error"], answer
    healthy(daemon)


def test_one_user_gets_half_of_the_places(daemon):
    build = os.path.dirname(os.path.dirname(daemon.sgd))
    small = Daemon(build, "--group", str(NOBODY), "--max-sandboxes", "8")
    try:
        sleep = ("--lang", "c", "--", "/bin/sleep", "300")
        held = [small.detach(*sleep, user=NOBODY) for _ in range(4)]
        r = small.run(*sleep, user=NOBODY)
        assert r.returncode == 125 and "at most half of sgd's 8 places" in r.stderr, r
        held.append(small.detach(*sleep, user=1234, groups=[NOBODY]))  # another user's half
        held.append(small.detach(*sleep))
        assert small.ctl("kill", held[0]).returncode == 0
        assert until(lambda: len(small.listed()) == 5)
        held.append(small.detach(*sleep, user=NOBODY))
        for name in held[1:]:
            assert small.ctl("kill", name).returncode == 0
        assert until(lambda: not small.sandboxes())
    finally:
        small.close()


def test_one_user_gets_half_of_the_policies(daemon):
    def launch(n, **who):
        path = os.path.join(daemon.work, f"share-{n}.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"p{n}: {{unlisted: allow, audit: [getppid]}}\n")
        # Its standard output and error go on with it: no pipe of ours.
        return daemon.run("--policy", path, "--lang", f"p{n}", "--detach", "--", "/bin/sh", "-c", "exec sleep 300 >&- 2>&-", **who)

    try:
        for n in range(32):
            assert launch(n, user=NOBODY).returncode == 0
        r = launch(32, user=NOBODY)
        assert r.returncode == 125 and "half of the 64 places" in r.stderr, r
        assert launch(31, user=NOBODY).returncode == 0  # one that they have
        assert launch(32, user=1234, groups=[NOBODY]).returncode == 0 and launch(33).returncode == 0
    finally:
        for b in daemon.listed():
            daemon.ctl("kill", b["id"])
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()
    healthy(daemon)


def test_it_was_the_launch_message(daemon):
    """The number that these tests take for a launch is the protocol's."""
    packet, fds = real_launch(daemon)
    for fd in fds:
        os.close(fd)
    assert struct.unpack_from("=IHHI", packet) == (MAGIC, 1, LAUNCH, len(packet))


def test_policies_of_a_user(daemon):
    """Each sandbox with a text of its own: half of the room is one user's, and built-in policies need none."""
    path, ids = os.path.join(daemon.work, "many.yaml"), []

    def launch(n, user):
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"x: {{unlisted: allow}}\n# {n}\n")
        os.chmod(path, 0o644)
        return daemon.detach("--policy", path, "--lang", "x", "--", "/bin/sleep", "3600", user=user, groups=(NOBODY,))

    try:
        refused_at = None
        for n in range(530):
            try:
                ids.append(launch(n, NOBODY))
            except subprocess.CalledProcessError:
                refused_at = n
                break
        assert refused_at is not None and 505 < refused_at < 520, refused_at
        ids.append(launch(0, NOBODY))  # one that is there already
        ids.append(launch("root's", None))
        ids.append(launch("another's", NOBODY - 1))
    finally:
        for name in ids:
            daemon.request({"op": "kill", "id": name})
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()
    healthy(daemon)
