# SPDX-License-Identifier: Apache-2.0
"""sgd killed and started again: what is to go on goes on, what happened meanwhile is in the log, once."""
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import time

from harness import ENV, Cgroup, Daemon, cgroup_mount, until

PYTHON = "/usr/bin/python3"
ASKS = "import os,time\nwhile True:\n    os.getppid()\n    time.sleep(0.05)\n"
LATER = "import os,time\nwhile not os.path.exists('%s'): time.sleep(0.02)\nos.execv('/bin/true', ['true'])\n"


HEAD, POLICY, PID, LIMITS = 4096, 76, 80, 96  # the state table: size of its head, offsets in an entry


def entry_of(table, name):
    """Where the entry of a sandbox begins."""
    _, _, size, n = struct.unpack_from("=IIII", table)
    for at in range(HEAD, HEAD + size * n, size):
        if struct.unpack_from("=I", table, at)[0] and name.encode() + b"\0" in table[at + LIMITS:at + size]:
            return at
    raise AssertionError(f"{name} is not in the state table")


def attached(daemon, cgroup):
    r = daemon.ctl("--json", "attach", "--cgroup", cgroup.path, "--lang", "python")
    assert r.returncode == 0, r
    return json.loads(r.stdout)["sandbox"]["id"]


def test_violations_between_two_daemons(daemon):
    cgroup = Cgroup(daemon, "between")
    name = attached(daemon, cgroup)
    loose = cgroup.start("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)\nprint('survived')\n")
    flag = os.path.join("/tmp", os.path.basename(daemon.work) + ".flag")
    kept = daemon.detach("--lang", "python", "--read", "/tmp", "--", PYTHON, "-c", LATER % flag)
    assert kept and until(lambda: [b for b in daemon.listed() if b["id"] == kept and b["state"] == "running"])
    pid = next(b["pid"] for b in daemon.listed() if b["id"] == kept)
    daemon.crash()
    cgroup.go(loose)
    assert (loose.communicate(timeout=60)[0], loose.returncode) == ("", -9)
    open(flag, "w", encoding="ascii").close()
    assert until(lambda: ended(pid))
    os.unlink(flag)
    daemon.start()
    assert until(lambda: daemon.records(sandbox=kept, type="exit")), daemon.errors()
    for sandbox in (name, kept):
        kills = daemon.records(sandbox=sandbox, type="syscall_violation", action="kill")
        assert len(kills) == 1, (sandbox, kills)
    exits = daemon.records(sandbox=kept, type="exit")
    assert len(exits) == 1 and exits[0]["verdict"] == "violation" and exits[0]["violation"]["syscall"] == "execve", exits
    assert [b["id"] for b in daemon.listed()] == [name]
    # It goes on being enforced by the programs of the new daemon.
    p = cgroup.start("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)\nprint('survived')\n")
    cgroup.go(p)
    assert (p.communicate(timeout=60)[0], p.returncode) == ("", -9)
    assert until(lambda: len(daemon.records(sandbox=name, action="kill")) == 2)
    assert daemon.ctl("detach", name).returncode == 0


def ended(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def place_of_policy(daemon, name):
    with open(os.path.join(daemon.work, "state", "table"), "rb") as f:
        table = f.read()
    return struct.unpack_from("=I", table, entry_of(table, name) + POLICY)[0]


def test_a_reload_reaches_what_a_daemon_before_attached(daemon):
    text = "%s: {inherit: \"builtin:%s\"}\n"
    files = {}
    for word, denied in (("as before", ""), ("tighter", "denied: [getppid]\n")):
        files[word] = os.path.join(daemon.work, word.replace(" ", "-") + ".yaml")
        with open(files[word], "w", encoding="utf-8") as f:
            f.write(text % ("python", "python") + text % ("compiled", "compiled") + denied)
    own = os.path.join(daemon.work, "own.yaml")
    with open(own, "w", encoding="utf-8") as f:
        f.write("python: {unlisted: allow}\n")
    first, second = Cgroup(daemon, "reload-first"), Cgroup(daemon, "reload-second")
    other = json.loads(daemon.ctl("--json", "attach", "--cgroup", first.path, "--lang", "c").stdout)["sandbox"]["id"]
    name = attached(daemon, second)
    # Launched, and judged by sys_enter: one by the daemon's policies, one by a text that came with it.
    ours = daemon.detach("--lang", "python", "--seccomp", "off", "--", PYTHON, "-c", "import time; time.sleep(300)")
    theirs = daemon.detach("--policy", own, "--lang", "python", "--seccomp", "off", "--", PYTHON, "-c", ASKS)
    p = second.start(ASKS)
    second.go(p)
    try:
        places = [place_of_policy(daemon, n) for n in (other, name, ours, theirs)]
        assert places[1] == places[2] and len(set(places)) == 3, places  # the control: one place for each policy
        daemon.crash()
        daemon.start()
        daemon.stop()  # an orderly end writes everything down anew
        daemon.start()
        assert [place_of_policy(daemon, n) for n in (other, name, ours, theirs)] == places
        r = daemon.ctl("--json", "reload", files["as before"])
        assert r.returncode == 0, r
        assert p.poll() is None
        r = daemon.ctl("--json", "reload", files["tighter"])
        assert r.returncode == 0 and set(json.loads(r.stdout)["changed"]) == {other, name, ours}, (r, other, name, ours, theirs)
        assert until(lambda: p.poll() is not None) and p.returncode == -9, p.returncode
        assert until(lambda: daemon.records(sandbox=name, type="syscall_violation"))
        r, = daemon.records(sandbox=name, type="syscall_violation")
        assert r["syscall"] == "getppid" and r["rule"]["file"] == files["tighter"], r
        shown = daemon.request({"op": "show", "id": name})["sandbox"]["policy"]
        assert shown["source"].startswith(files["tighter"]), shown
        # What the places of before held is free again, and theirs was never touched.
        time.sleep(0.2)
        assert {b["id"] for b in daemon.listed()} == {other, name, ours, theirs}
        assert place_of_policy(daemon, theirs) == places[3]
        assert len({place_of_policy(daemon, n) for n in (other, name, ours)} - set(places)) == 0, places
    finally:
        p.kill()
        p.communicate()
        for n in (ours, theirs):
            daemon.ctl("kill", n)
        for n in (other, name):
            daemon.ctl("detach", n)
        # The next test finds the built-in policies.
        daemon.crash()
        daemon.start()
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()


def test_a_launched_sandbox_ends_with_its_daemon(daemon):
    p = daemon.popen("--lang", "c", "--", "/bin/sleep", "300")
    assert until(lambda: [b for b in daemon.listed() if b["state"] == "running"])
    name = daemon.listed()[0]["id"]
    daemon.crash()
    assert p.wait(60) == 125
    p.communicate()
    daemon.start()
    assert until(lambda: daemon.records(sandbox=name, type="exit"))
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()
    assert not daemon.listed()


def test_one_that_is_kept_goes_on(daemon):
    name = daemon.detach("--lang", "c", "--", "/bin/sleep", "300")
    pid = until(lambda: [b["pid"] for b in daemon.listed()])[0]
    for _ in range(3):
        daemon.crash()
        daemon.start()
        assert [(b["id"], b["pid"]) for b in daemon.listed()] == [(name, pid)]
        os.kill(pid, 0)
    assert daemon.ctl("kill", name).returncode == 0
    assert until(lambda: daemon.records(sandbox=name, type="exit"))
    assert len(daemon.records(sandbox=name, type="start")) == 1
    assert until(lambda: not daemon.sandboxes())


def assert_unknown(daemon, name):
    r, = daemon.records(sandbox=name, type="exit")
    assert r["verdict"] == "error" and "exit_code" not in r and "signal" not in r, r
    assert "exit status is not known" in r["error"] and r["error"] in r["reasons"] and r["integrity"] == "degraded", r


def test_an_end_that_nobody_saw(daemon):
    """While there is no daemon; the same with its cgroup removed; and after another daemon took over, whose child it is not."""
    for seen in ("process", "cgroup", "adopted"):
        name = daemon.detach("--lang", "c", "--", "/bin/sleep", "300")
        pid = until(lambda: [b["pid"] for b in daemon.listed() if b["state"] == "running"])[0]
        daemon.crash()
        if seen == "adopted":
            daemon.start()
        os.kill(pid, signal.SIGKILL)
        if seen == "cgroup":
            path = os.path.join(cgroup_mount(), daemon.cgroup, name)
            assert until(lambda p=path: daemon.gone(p))
        if seen != "adopted":
            daemon.start()
        assert until(lambda n=name: daemon.records(sandbox=n, type="exit")), seen
        assert_unknown(daemon, name)
    assert until(lambda: not daemon.sandboxes())


def test_a_pid_that_is_a_strangers_by_now(daemon):
    """Neither the daemon after the end nor the next one takes whoever has the pid for the program."""
    name = daemon.detach("--lang", "c", "--", "/bin/sleep", "300")
    assert until(lambda: [b for b in daemon.listed() if b["state"] == "running"])
    time.sleep(0.05)  # so that the stranger started in another clock tick
    with subprocess.Popen(["/bin/sleep", "300"]) as stranger:
        try:
            daemon.crash()
            with open(os.path.join(daemon.work, "state", "table"), "r+b") as f:
                f.seek(entry_of(f.read(), name) + PID)
                f.write(struct.pack("=i", stranger.pid))
            # Without what was pinned it is registered, and written down, anew.
            shutil.rmtree(os.path.join(daemon.bpf, "sandgate"))
            daemon.start()
            daemon.ctl("kill", "--signal", "TERM", name)
            assert until(lambda: daemon.records(sandbox=name, type="exit"))
            assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()
            assert stranger.poll() is None
            assert_unknown(daemon, name)
        finally:
            stranger.kill()


def test_another_max_sandboxes(daemon):
    """More than before or fewer: what is there is taken over as it is; fewer hold for what is new."""
    usual, cgroup = daemon.options, Cgroup(daemon, "max")
    kept = [daemon.detach("--lang", "c", "--", "/bin/sleep", "300") for _ in range(2)]
    name = attached(daemon, cgroup)
    try:
        for most in (64, 2, 4096):
            daemon.options = [*usual, "--max-sandboxes", str(most)]
            assert daemon.stop() == 0
            loose = cgroup.start("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)\nprint('survived')\n")
            cgroup.go(loose)
            assert (loose.communicate(timeout=60)[0], loose.returncode) == ("", -9)
            daemon.start()
            assert {b["id"] for b in daemon.listed()} == {*kept, name}, (most, daemon.errors())
            assert until(lambda p=loose: daemon.records(sandbox=name, action="kill", pid=p.pid)), most
            r = daemon.run("--lang", "c", "--", "/bin/true")
            if most > 2:
                assert r.returncode == 0, r
            else:
                assert r.returncode == 125 and "all 2 places for sandboxes are taken" in r.stderr, r
        for n in kept:
            assert daemon.ctl("kill", n).returncode == 0
            assert until(lambda n=n: daemon.records(sandbox=n, type="exit"))
            r, = daemon.records(sandbox=n, type="exit")
            assert not [why for why in r["reasons"] if "between two supervisors" in why], r
        assert daemon.ctl("detach", name).returncode == 0
        assert until(lambda: not daemon.sandboxes())
    finally:
        daemon.options = usual
        daemon.stop()
        daemon.start()


def test_a_table_of_fewer_entries_is_read(daemon):
    """As the daemons before wrote it, whose tables had one entry for each of --max-sandboxes."""
    name = daemon.detach("--lang", "c", "--", "/bin/sleep", "300")
    daemon.crash()
    path = os.path.join(daemon.work, "state", "table")
    with open(path, "r+b") as f:
        *_, size, _ = struct.unpack("=IIII", f.read(16))
        f.truncate(HEAD + 8 * size)
        f.seek(12)
        f.write(struct.pack("=I", 8))
    daemon.start()
    assert [b["id"] for b in daemon.listed()] == [name], daemon.errors()
    assert daemon.ctl("kill", name).returncode == 0
    assert until(lambda: not daemon.sandboxes())


def test_what_cannot_be_taken_over_is_said(daemon):
    """Another version's table; and a policy that nobody has any more, with no BPF table left that it is in."""
    daemon.detach("--lang", "c", "--", "/bin/sleep", "300")
    name, = daemon.sandboxes()
    daemon.crash()
    with open(os.path.join(daemon.work, "state", "table"), "r+b") as f:
        f.seek(4)
        f.write(struct.pack("=I", 1))
    daemon.start()
    said = daemon.errors()
    assert "the table in " in said and "is another version's (1, " in said, said
    assert f"{name} ran before and is written down nowhere: it is ended" in said, said
    assert until(lambda: not daemon.sandboxes()) and not daemon.listed()

    own = os.path.join(daemon.work, "nobodys.yaml")
    with open(own, "w", encoding="utf-8") as f:
        f.write("nobodys: {unlisted: allow}\n")
    name = daemon.detach("--policy", own, "--lang", "nobodys", "--seccomp", "off", "--", "/bin/sleep", "300")
    assert daemon.ctl("reload", own).returncode == 0
    cgroup = Cgroup(daemon, "nobodys")
    other = json.loads(daemon.ctl("--json", "attach", "--cgroup", cgroup.path, "--lang", "nobodys").stdout)["sandbox"]["id"]
    assert until(lambda: len([b for b in daemon.listed() if b["state"] == "running"]) == 2)
    daemon.crash()
    shutil.rmtree(os.path.join(daemon.bpf, "sandgate"))
    daemon.start()
    for n, what in ((name, "ended"), (other, "no longer supervised")):
        assert f"sandbox {n} is {what}: " in daemon.errors(), daemon.errors()
        assert until(lambda n=n: daemon.records(sandbox=n, type="exit")), n
        r, = daemon.records(sandbox=n, type="exit")
        assert r["verdict"] == "error" and any("could not take it over" in why for why in r["reasons"]), r
    assert until(lambda: not daemon.sandboxes()) and not daemon.listed()


def test_a_second_daemon_changes_nothing(daemon):
    p = daemon.popen("--lang", "c", "--", "/bin/sleep", "300")
    assert until(lambda: [b for b in daemon.listed() if b["state"] == "running"])
    before = daemon.listed()
    first = daemon.process
    daemon.begin()
    second, daemon.process = daemon.process, first
    assert second.wait(60) == 1 and "another sgd listens" in daemon.errors()
    assert [b["id"] for b in daemon.listed()] == [b["id"] for b in before] and p.poll() is None
    assert daemon.ctl("kill", before[0]["id"]).returncode == 0
    assert p.wait(60) == 128 + signal.SIGKILL
    p.communicate()
    assert len(daemon.records(sandbox=before[0]["id"], type="exit")) == 1
    assert until(lambda: not daemon.sandboxes())


APART = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child", "--")
BOUND = ("setpriv", "--bounding-set", "-sys_admin", "--")


def test_a_second_daemon_in_the_same_cgroup(daemon):
    """Nor one with all else of its own, which would end what it does not know; nor does it take the cgroup away. Also where
    it cannot see who has it: in another PID namespace, or without CAP_SYS_ADMIN, as the systemd unit and the DaemonSet run it."""
    assert until(lambda: not daemon.sandboxes())
    first = daemon.process
    kill = os.path.exists(os.path.join(cgroup_mount(), daemon.cgroup, "cgroup.kill"))  # since Linux 5.14
    p = None
    for run, wrapper in ((False, ()), (True, ()), *((True, w) for w in (APART, BOUND) if kill)):
        p = p or (daemon.popen("--lang", "c", "--", "/bin/sleep", "300") if run else None)
        assert not run or until(lambda: [b for b in daemon.listed() if b["state"] == "running"])
        daemon.wrapper = list(wrapper)
        says = "another sgd's: " if wrapper else f"another sgd's, process {first.pid}: "
        fails_to_start(daemon, says, "--socket", os.path.join(daemon.work, "own.sock"), "--state",
                       os.path.join(daemon.work, "own"), "--bpffs", os.path.join(daemon.bpf, "own"))
        daemon.process, daemon.wrapper = first, []
        assert not os.path.exists(os.path.join(daemon.work, "own"))
    box, = daemon.listed()
    assert p.poll() is None and daemon.ctl("kill", box["id"]).returncode == 0
    assert p.wait(60) == 128 + signal.SIGKILL
    p.communicate()
    # One that was killed has left it, also while nobody has waited for it.
    first.kill()
    assert until(lambda: os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG))
    daemon.start()
    first.wait()


def nothing_left(daemon):
    left = [os.path.join(daemon.bpf, "sandgate"), os.path.join(daemon.work, "state"), os.path.join(cgroup_mount(), daemon.cgroup)]
    assert not [path for path in left if os.path.exists(path)]


def fails_to_start(daemon, says, *options):
    usual, daemon.options = daemon.options, [*daemon.options, *options]
    try:
        daemon.begin()
        assert daemon.process.wait(60) == 1 and says in daemon.errors(), daemon.errors()
    finally:
        daemon.options = usual


def test_a_start_that_fails(daemon):
    """Leaves nothing behind; nor does it take anything from what goes on."""
    assert daemon.stop() == 0
    bad = (("no IPv4 or IPv6 address", "--metrics-address", "localhost"), ("no such group", "--group", "nosuch"))
    for says, *options in bad:
        fails_to_start(daemon, says, *options)
        nothing_left(daemon)
    daemon.start()
    name = daemon.detach("--lang", "c", "--", "/bin/sleep", "300")
    daemon.crash()
    for says, *options in bad:
        fails_to_start(daemon, says, *options)
    daemon.start()
    assert [b["id"] for b in daemon.listed()] == [name]
    assert daemon.ctl("kill", name).returncode == 0
    assert until(lambda: not daemon.sandboxes())


def test_an_orderly_end_leaves_what_is_kept(daemon):
    name = daemon.detach("--lang", "c", "--", "/bin/sleep", "300")
    p = daemon.popen("--lang", "c", "--", "/bin/sleep", "300")
    assert until(lambda: len([b for b in daemon.listed() if b["state"] == "running"]) == 2)
    assert daemon.stop() == 0
    assert p.wait(60) == 128 + signal.SIGKILL
    p.communicate()
    daemon.start()
    assert [b["id"] for b in daemon.listed()] == [name]
    assert daemon.ctl("kill", name).returncode == 0
    assert until(lambda: not daemon.sandboxes())
    assert daemon.stop() == 0
    # Nobody is left: neither are the programs, nor is a table of nobody.
    nothing_left(daemon)
    daemon.start()


def test_killed_again_and_again_under_load(daemon):
    """Every kill is in the log exactly once, and nobody gets away with it."""
    cgroup = Cgroup(daemon, "load")
    name = attached(daemon, cgroup)
    expected, died = 0, []
    for _ in range(8):
        runners = [cgroup.start("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)\nprint('survived')\n") for _ in range(8)]
        for n, p in enumerate(runners):
            cgroup.go(p)
            if n == 3:
                daemon.crash()
        for p in runners:
            assert (p.communicate(timeout=60)[0], p.returncode) == ("", -9)
            expected += 1
            died.append(p.pid)
        daemon.start()
    until(lambda: len(daemon.records(sandbox=name, type="syscall_violation")) >= expected)
    pids = [r["pid"] for r in daemon.records(sandbox=name, type="syscall_violation")]
    assert len(pids) == len(set(pids)) == expected, (sorted(set(died) - set(pids)), len(pids), len(set(pids)), expected)
    assert daemon.ctl("detach", name).returncode == 0


def test_the_log_is_opened_anew(daemon):
    moved = daemon.log + ".moved"
    os.rename(daemon.log, moved)
    assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
    assert not os.path.exists(daemon.log)  # the control: it is still the old file
    daemon.process.send_signal(signal.SIGHUP)
    assert until(lambda: os.path.exists(daemon.log))
    assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
    assert until(lambda: len(daemon.records(type="exit")) == 1)


def read_lines(fd, n, seconds=60):
    """At least n lines, or what came until nobody writes any more or the time is over."""
    data, end = b"", time.monotonic() + seconds
    while data.count(b"\n") < n and select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
        more = os.read(fd, 65536)
        if not more:
            break
        data += more
    return [json.loads(line) for line in data[:data.rfind(b"\n") + 1].splitlines()]


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))


def test_a_pipe_that_is_read_late_gets_every_record(daemon):
    """The reader pauses; what waits follows by itself when it reads again, and at the daemon's end."""
    r, w = os.pipe()
    fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 4096)
    piped = Daemon(os.path.dirname(os.path.dirname(daemon.sgd)), "--metrics-port", "0", "--log", "-", out=w)
    os.close(w)
    try:
        for at_end in (False, True):
            for _ in range(10):
                assert piped.run("--lang", "c", "--", "/bin/true").returncode == 0
            assert until(lambda: not piped.sandboxes())
            if at_end:
                piped.process.terminate()
            lines = read_lines(r, 20)
            assert [x["type"] for x in lines] == ["start", "exit"] * 10, (at_end, len(lines))
            if not at_end:
                # Nothing waits any more, and nobody turns in circles for it.
                before = cpu_ticks(piped.process.pid)
                time.sleep(0.5)
                assert cpu_ticks(piped.process.pid) - before < 10
        assert piped.process.wait(60) == 0 and not read_lines(r, 1)
    finally:
        os.close(r)
        piped.close()


@contextlib.contextmanager
def log_on_small(daemon, name, option):
    """The daemon's log is to lie on a tmpfs with that mount option, when it is started next; after that, where it lay."""
    small = os.path.join(daemon.work, name)
    os.mkdir(small)
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", option, "tmpfs", small], check=True)
    usual, daemon.log = daemon.log, os.path.join(small, "log")
    seen, daemon.seen = daemon.seen, 0
    options = list(daemon.options)
    try:
        assert daemon.stop() == 0
        yield small
    finally:
        daemon.stop()
        daemon.log, daemon.seen, daemon.options = usual, seen, options
        subprocess.run(["/usr/bin/umount", small], check=True)
        daemon.start()


def test_a_record_begins_a_line(daemon):
    """Also behind what a crash of the host cut off."""
    assert daemon.stop() == 0
    size = os.path.getsize(daemon.log)
    with open(daemon.log, "a", encoding="utf-8") as f:
        f.write('{"type":"cut')
    try:
        daemon.start()
        assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
        with open(daemon.log, encoding="utf-8") as f:
            f.seek(size)
            cut, start = f.readline(), f.readline()
        assert cut == '{"type":"cut\n' and json.loads(start)["type"] == "start", (cut, start)
    finally:
        daemon.stop()
        os.truncate(daemon.log, size)
        daemon.start()


def test_a_log_that_cannot_be_rotated(daemon):
    """The old ones stay, and no record is lost, until there can be a new file."""
    with log_on_small(daemon, "inodes", "nr_inodes=7") as small:
        older = [f"{daemon.log}.{i}" for i in range(1, 6)]
        for path in older:
            with open(path, "w", encoding="ascii") as f:
                f.write(path)
        with open(daemon.log, "w", encoding="ascii") as f:
            f.write("{}\n" * 21800)
        daemon.options += ["--log-size", "64K"]
        daemon.start()
        for n in (1, 6, 11):
            for _ in range(5):
                assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
            assert until(lambda n=n: len(daemon.records(type="exit")) == n + 4), len(daemon.records(type="exit"))
        for path in older:
            with open(path, encoding="ascii") as f:
                assert f.read() == path
        assert daemon.errors().count("the verdict log grows") == 1, daemon.errors()
        subprocess.run(["/usr/bin/mount", "-o", "remount,nr_inodes=20", small], check=True)
        assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
        assert until(lambda: len(daemon.records(type="exit")) == 1)
        assert sorted(os.listdir(small)) == ["log", *(f"log.{i}" for i in range(1, 6))]
        with open(older[1], encoding="ascii") as f:
            assert f.read() == older[0]


def test_a_full_disk_costs_records_and_nothing_else(daemon):
    with log_on_small(daemon, "small", "size=16k"):
        daemon.start()
        for _ in range(30):
            assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
        lost = daemon.request({"op": "status"})["log_lost"]
        assert lost > 0
        os.truncate(daemon.log, 0)
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
        assert until(lambda: daemon.records(type="lost"))
        assert daemon.records(type="lost")[0]["count"] == lost


def test_a_full_disk_takes_nobody_down(daemon):
    """The table of sandboxes has its room from the start, or there is no start."""
    assert daemon.stop() == 0
    small = os.path.join(daemon.work, "smallstate")
    os.mkdir(small)
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=True)
    usual, daemon.options = daemon.options, [*daemon.options, "--state", os.path.join(small, "state")]
    try:
        daemon.begin()
        assert daemon.process.wait(60) == 1 and "KiB): No space left on device" in daemon.errors(), daemon.errors()
        subprocess.run(["/usr/bin/mount", "-o", "remount,size=8m", small], check=True)
        daemon.start()
        with contextlib.suppress(OSError), open(os.path.join(small, "fill"), "wb", buffering=0) as f:
            while f.write(bytes(4096)):
                pass
        for _ in range(12):
            daemon.detach("--lang", "c", "--", "/bin/sleep", "300")
        names = {b["id"] for b in daemon.listed()}
        daemon.crash()
        daemon.start()
        assert {b["id"] for b in daemon.listed()} == names and len(names) == 12
        for name in names:
            assert daemon.request({"op": "kill", "id": name})["ok"]
        assert until(lambda: not daemon.sandboxes())
    finally:
        daemon.stop()
        daemon.options = usual
        subprocess.run(["/usr/bin/umount", small], check=True)
        daemon.start()


def test_options_that_are_none(daemon):
    """What was not said, or said twice, is not guessed."""
    path = os.path.join(daemon.work, "sgd.yaml")
    for text, says in (("log: \n", ":1:5: a value is missing for log"), ("group: 0\ngroup: 1\n", ":2:1: group was given in line 1 already"),
                       ("log: none\n---\nlog: none\n", ":3:1: a configuration is one document"), ("log: none\n--- {\n", "this is not YAML")):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        r = subprocess.run([daemon.sgd, "--socket", daemon.socket, "--config", path], env=ENV, capture_output=True, text=True, timeout=60)
        assert r.returncode == 1 and says in r.stderr, r
    for args in (["--log", ""], ["--log="], ["--log"]):
        r = subprocess.run([daemon.sgd, "--socket", daemon.socket, *args], env=ENV, capture_output=True, text=True, timeout=60)
        assert r.returncode == 1 and "a value is missing for --log" in r.stderr, r
