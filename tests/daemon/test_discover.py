# SPDX-License-Identifier: Apache-2.0
"""Cgroups that rules of --discover name: each process by the language of the interpreter that was executed in it."""
import contextlib
import os
import subprocess

from harness import ENV, Daemon, cgroup_mount, until

TREE = f"/sgdfound-{os.getpid()}"
OPTIONS = ("--discover", TREE + "/job-*", "--discover", TREE + "/quiet-*/* audit", "--discover", TREE + "/two\\x2dwords.slice")
KILL = "import os; os.kill(1, 0); print('python', flush=True)"
# The same operation by a shell, which nobody judges, and by two interpreters.
MIXED = f"kill -0 1 && echo shell; /usr/bin/python3 -c \"{KILL}\"; perl -e 'kill 0, 1; print \"perl\n\"'; echo after\n"


@contextlib.contextmanager
def job(daemon, *names):
    base = cgroup_mount() + TREE
    path = os.path.join(base, *names)
    made = []
    for depth in range(len(names) + 1):
        part = os.path.join(base, *names[:depth])
        if not os.path.isdir(part):
            os.mkdir(part)
            made.append(part)
    try:
        yield path
    finally:
        for part in reversed(made):
            with open(part + "/cgroup.kill", "w", encoding="ascii") as f:
                f.write("1")
            assert until(lambda p=part: daemon.gone(p)), part


def box(daemon, path):
    """The sandbox that a cgroup became, by itself."""
    found = until(lambda: [b for b in daemon.listed() if b["cgroup_id"] == os.stat(path).st_ino])
    assert found, (path, daemon.listed(), daemon.errors())
    return found[0]["id"]


def start(path, *argv):
    """A process that waits in the cgroup for a line, and then becomes argv."""
    p = subprocess.Popen(["/bin/sh", "-c", "read line; exec \"$@\"", "sh", *argv], env=ENV, text=True, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with open(path + "/cgroup.procs", "w", encoding="ascii") as f:
        f.write(str(p.pid))
    return p


def waiting(path, code):
    """An interpreter in the cgroup that waits for a line."""
    p = start(path, "/usr/bin/python3", "-c", "import sys\nprint('up', flush=True)\nsys.stdin.readline()\n" + code)
    p.stdin.write("\n")
    p.stdin.flush()
    assert p.stdout.readline() == "up\n"
    return p


def kills(daemon, name):
    return sorted((r["language"], r["syscall"]) for r in daemon.records(sandbox=name, type="syscall_violation"))


def test_each_process_by_its_own_interpreter(daemon):
    with job(daemon, "job-1") as path:
        name = box(daemon, path)
        p = start(path, "/bin/sh", "-c", MIXED)
        assert p.communicate("\n", timeout=60)[0] == "shell\nafter\n"
        assert until(lambda: len(kills(daemon, name)) == 2)
        assert kills(daemon, name) == [("perl", "kill"), ("python", "kill")]
        for r in daemon.records(sandbox=name, type="syscall_violation"):
            assert r["hint"].startswith(r["language"] + ": "), r
    assert until(lambda: daemon.records(sandbox=name, type="exit"))


def test_a_cgroup_that_no_rule_names(daemon):
    with job(daemon, "other-1") as path:
        p = start(path, "/usr/bin/python3", "-c", KILL)
        assert p.communicate("\n", timeout=60)[0] == "python\n"
        assert not [b for b in daemon.listed() if b["cgroup_id"] == os.stat(path).st_ino]


def test_a_name_with_a_backslash(daemon):
    with job(daemon, "two\\x2dwords.slice") as path:
        box(daemon, path)


def test_what_the_daemon_launches_is_none(daemon):
    """Although a rule names it: it has its policy, and nothing is said of it."""
    daemon.stop()
    daemon.options += ["--discover", f"/{daemon.cgroup}/*"]
    try:
        daemon.start()
        r = daemon.run("--lang", "python", "--", "/usr/bin/python3", "-c", "print(1)")
        assert (r.returncode, r.stdout) == (0, "1\n"), r
        assert "sgd's own" not in daemon.errors(), daemon.errors()
    finally:
        daemon.stop()
        del daemon.options[-2:]
        daemon.start()


def test_children_and_what_they_execute(daemon):
    """In audit mode: a shell that an interpreter starts is judged as that interpreter; one beside it is not."""
    code = "import os, subprocess\nsubprocess.run(['/bin/sh', '-c', 'kill -0 1; echo child'])\n"
    with job(daemon, "quiet-1", "a") as path:
        name = box(daemon, path)
        p = start(path, "/bin/sh", "-c", "kill -0 1; echo beside; exec /usr/bin/python3 -c \"$0\"", code)
        assert p.communicate("\n", timeout=60)[0] == "beside\nchild\n"
        assert until(lambda: [r for r in daemon.records(sandbox=name, type="syscall_violation", syscall="kill")])
        r, = daemon.records(sandbox=name, type="syscall_violation", syscall="kill")
        assert (r["language"], r["comm"], r["action"]) == ("python", "sh", "audit"), r


def test_what_was_there_before(daemon):
    daemon.crash()
    with job(daemon, "job-2") as path:
        p = waiting(path, "import os\nif not os.fork():\n" + "    " + KILL + "\n    os._exit(0)\nprint(os.wait()[1], flush=True)\n" + KILL)
        other = start(path, "/bin/sh", "-c", "kill -0 1 && echo shell")
        daemon.start()
        name = box(daemon, path)
        assert other.communicate("\n", timeout=60)[0] == "shell\n"
        assert (p.communicate("\n", timeout=60)[0], p.returncode) == ("9\n", -9)
        assert until(lambda: len(kills(daemon, name)) == 2)
        assert kills(daemon, name) == [("python", "kill"), ("python", "kill")], daemon.records(sandbox=name)


class Blind(Daemon):
    """Without CAP_SYS_PTRACE, as in a container that was not given it."""

    def begin(self):
        self.wrapper = ["/usr/bin/setpriv", "--bounding-set", "-sys_ptrace"]
        super().begin()


def test_programs_that_may_not_be_seen(daemon):
    build = os.path.dirname(os.path.dirname(daemon.sgd))
    for kind, word in ((Daemon, None), (Blind, "CAP_SYS_PTRACE")):
        with job(daemon, "seen") as path:
            p = waiting(path, KILL)
            d = kind(build, "--discover", TREE + "/seen", "--metrics-port", "0")
            try:
                b = d.request({"op": "show", "id": box(d, path)})["sandbox"]
                assert any(word in r for r in b["reasons"]) if word else not b["reasons"], b
            finally:
                d.close()
                p.kill()
                p.communicate()


def test_it_survives_the_daemon(daemon):
    with job(daemon, "job-3") as path:
        name = box(daemon, path)
        while_gone, after = waiting(path, KILL), waiting(path, KILL)
        daemon.crash()
        assert while_gone.communicate("\n", timeout=60)[0] == "" and while_gone.returncode == -9
        daemon.start()
        assert box(daemon, path) == name
        assert after.communicate("\n", timeout=60)[0] == "" and after.returncode == -9
        assert until(lambda: len(kills(daemon, name)) == 2)
        assert kills(daemon, name) == [("python", "kill"), ("python", "kill")], daemon.records(sandbox=name)


def test_one_that_somebody_attaches(daemon):
    """As the hook of a runtime does: it says what the container is, and the rule gives way."""
    with job(daemon, "job-9") as path:
        name = box(daemon, path)
        r = daemon.ctl("--json", "attach", "--cgroup", path, "--lang", "python", "--container-id", "nine")
        assert r.returncode == 0, r
        b, = [b for b in daemon.listed() if b["cgroup_id"] == os.stat(path).st_ino]
        assert (b["language"], b["container_id"]) == ("python", "nine") and b["id"] != name, b
        assert daemon.records(sandbox=name, type="exit")
        p = start(path, "/bin/true")  # a shell, which no rule has judged
        p.communicate("\n", timeout=60)
        assert p.returncode == -9
        assert until(lambda: kills(daemon, b["id"]) == [("python", "execve")]), daemon.records(sandbox=b["id"])
        r = daemon.ctl("attach", "--cgroup", path, "--lang", "perl")
        assert r.returncode == 1 and "overlaps" in r.stderr, r


def test_one_that_is_made_anew_at_once(daemon):
    """As a service that is restarted: a cgroup of the same name, before it was seen that the one before is gone."""
    with job(daemon, "job-6") as path:
        name = box(daemon, path)
        os.rmdir(path)
        os.mkdir(path)
        assert box(daemon, path) != name
        p = waiting(path, KILL)
        assert p.communicate("\n", timeout=60)[0] == "" and p.returncode == -9


def test_a_rule_with_another_mode(daemon):
    """What was only watched is judged by the next daemon, where its rule says so now."""
    with job(daemon, "quiet-2", "a") as path:
        name = box(daemon, path)
        p = waiting(path, KILL)
        before = daemon.options[3]
        try:
            daemon.stop()
            daemon.options[3] = before.replace("audit", "enforce")
            daemon.start()
            again = box(daemon, path)
            assert again != name and {b["mode"] for b in daemon.listed()} == {"enforce"}, daemon.listed()
            assert p.communicate("\n", timeout=60)[0] == "" and p.returncode == -9
        finally:
            daemon.stop()
            daemon.options[3] = before
            daemon.start()


def test_one_that_there_was_no_room_for(daemon):
    """It is supervised as soon as another one has ended."""
    daemon.stop()
    daemon.options += ["--max-sandboxes", "1"]
    try:
        daemon.start()
        with job(daemon, "job-7") as one, job(daemon, "job-8") as other:
            assert until(lambda: len(daemon.listed()) == 1)
            assert until(lambda: "names is not supervised: all 1 places" in daemon.errors()), daemon.errors()
            has = cgroup_mount() + daemon.listed()[0]["cgroup"]
            os.rmdir(has)
            box(daemon, one if has == other else other)
            os.mkdir(has)
    finally:
        daemon.stop()
        del daemon.options[-2:]
        daemon.start()


def test_what_was_held_when_the_daemon_died(daemon):
    """It holds a cgroup while it tells its tasks apart: many here, so that it is killed then."""
    daemon.crash()
    with job(daemon, "job-5") as path:
        with open(path + "/cgroup.freeze", "r+", encoding="ascii") as freeze:
            p = start(path, "/bin/sh", "-c", "for i in $(seq 250); do sleep 1000 >&- & done; echo up; read line; echo on")
            assert p.stdin.write("\n") and not p.stdin.flush() and p.stdout.readline() == "up\n"
            for _ in range(60):
                daemon.begin()
                assert until(lambda: held(freeze) or daemon.answers(), 60)
                daemon.crash()
                if held(freeze):
                    break
            assert held(freeze), "it was never killed at the right moment"
            daemon.start()
            assert until(lambda: not held(freeze))
        assert box(daemon, path)
        assert p.communicate("\n", timeout=60)[0] == "on\n"


def held(freeze):
    freeze.seek(0)
    return freeze.read(1) == "1"


def test_reload(daemon):
    policy = os.path.join(daemon.work, "more.yaml")
    with open(policy, "w", encoding="utf-8") as f:
        f.write("python: {inherit: \"builtin:python\", allow: [kill]}\n")
    with job(daemon, "job-4") as path:
        box(daemon, path)
        before, after = waiting(path, KILL), waiting(path, KILL)
        assert before.communicate("\n", timeout=60)[0] == ""
        r = daemon.ctl("reload", policy)
        assert r.returncode == 0, r
        assert after.communicate("\n", timeout=60)[0] == "python\n"


def test_rules_that_are_none(daemon):
    for rule, says in (("job", "expected the path of cgroups"), ("/a/** ", "each component"), ("/a loud", "audit or enforce"),
                       ("/", "1 to 15 components")):
        r = subprocess.run([daemon.sgd, "--socket", daemon.work + "/x", "--discover", rule], capture_output=True, text=True,
                           env=ENV, timeout=60)
        assert r.returncode == 1 and says in r.stderr, r
