# SPDX-License-Identifier: Apache-2.0
"""Existing cgroups under a policy: from that moment on, with all that is in them, until they are taken out."""
import json
import os
import resource
import signal
import time

import jsonschema
from harness import Cgroup, until

FORBIDDEN = "import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)\nprint('survived', flush=True)\n"
IN_A_CHILD = "import os\np = os.fork()\nif not p:\n    import ctypes\n    ctypes.CDLL(None).ptrace(0, 0, 0, 0)\n    os._exit(3)\n" \
             "print(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]), flush=True)\n"

LANGUAGE = "org.sandgate.language"


def attach(daemon, cgroup, *more):
    r = daemon.ctl("--json", "attach", "--cgroup", cgroup.path, "--lang", "python", *more)
    assert r.returncode == 0, r
    return json.loads(r.stdout)["sandbox"]["id"]


def test_a_process_that_was_there_is_covered(daemon):
    cgroup = Cgroup(daemon, "there")
    free = cgroup.start(FORBIDDEN)
    cgroup.go(free)
    assert free.communicate(timeout=60)[0] == "survived\n"  # the control: nobody forbids it yet
    p = cgroup.start(FORBIDDEN)
    name = attach(daemon, cgroup, "--container-id", "one")
    cgroup.go(p)
    assert (p.communicate(timeout=60)[0], p.returncode) == ("", -9)
    assert until(lambda: daemon.records(sandbox=name, type="syscall_violation"))
    r, = daemon.records(sandbox=name, type="syscall_violation")
    assert r["syscall"] == "ptrace" and r["layer"] == "sys_enter" and r["pid"] == p.pid, r
    assert daemon.ctl("detach", "--container-id", "one").returncode == 0
    after = cgroup.start(FORBIDDEN)
    cgroup.go(after)
    assert after.communicate(timeout=60)[0] == "survived\n"


def test_children_are_covered_and_only_the_offender_dies(daemon):
    cgroup = Cgroup(daemon, "children")
    p = cgroup.start(IN_A_CHILD)
    name = attach(daemon, cgroup)
    cgroup.go(p)
    assert p.communicate(timeout=60)[0] == "-9\n"
    assert daemon.ctl("detach", name).returncode == 0


def test_audit_records_and_lets_go_on(daemon):
    cgroup = Cgroup(daemon, "audit")
    p = cgroup.start(FORBIDDEN)
    name = attach(daemon, cgroup, "--mode", "audit")
    cgroup.go(p)
    assert p.communicate(timeout=60)[0] == "survived\n"
    assert until(lambda: daemon.records(sandbox=name, type="syscall_violation"))
    assert {r["action"] for r in daemon.records(sandbox=name, type="syscall_violation")} == {"audit"}
    assert daemon.ctl("detach", name).returncode == 0


def test_its_records_are_as_the_schema_says(daemon):
    cgroup = Cgroup(daemon, "schema")
    p = cgroup.start(FORBIDDEN)
    name = attach(daemon, cgroup, "--mode", "audit", "--container-id", "schema")
    cgroup.go(p)
    assert p.communicate(timeout=60)[0] == "survived\n"
    assert until(lambda: daemon.records(sandbox=name, type="syscall_violation"))
    assert daemon.ctl("detach", name).returncode == 0
    assert until(lambda: daemon.records(sandbox=name, type="exit", verdict="detached"))
    with open(os.path.join(os.path.dirname(__file__), "../../docs/verdict.schema.json"), encoding="utf-8") as f:
        schema = jsonschema.Draft202012Validator(json.load(f))
    for r in daemon.records(sandbox=name):
        assert schema.is_valid(r), r


def test_by_pid(daemon):
    cgroup = Cgroup(daemon, "pid")
    p = cgroup.start(FORBIDDEN)
    r = daemon.ctl("--json", "attach", "--pid", p.pid, "--lang", "python")
    assert r.returncode == 0, r
    sandbox = json.loads(r.stdout)["sandbox"]
    assert sandbox["cgroup_id"] == os.stat(cgroup.path).st_ino
    cgroup.go(p)
    assert (p.communicate(timeout=60)[0], p.returncode) == ("", -9)
    assert daemon.ctl("detach", sandbox["id"]).returncode == 0


def test_processes_are_counted_in_the_whole_tree(daemon):
    cgroup = Cgroup(daemon, "tree")
    inner = Cgroup.__new__(Cgroup)
    inner.path = os.path.join(cgroup.path, "inner")
    os.mkdir(inner.path)
    daemon.attached.insert(0, inner.path)
    threads = "import threading,time\nfor _ in range(4): threading.Thread(target=time.sleep, args=(300,), daemon=True).start()\n" \
              "print(1, flush=True)\ntime.sleep(300)\n"
    running = [where.start(threads) for where in (cgroup, inner, inner)]
    try:
        for p in running:
            Cgroup.go(p)
            assert p.stdout.readline() == "1\n"
        name = attach(daemon, cgroup)
        assert [b["tasks"] for b in daemon.listed() if b["id"] == name] == [3], daemon.listed()
        assert daemon.ctl("detach", name).returncode == 0
    finally:
        for p in running:
            p.kill()
            p.communicate()
    assert until(lambda: daemon.gone(inner.path))


def test_twice_and_inside_one_another(daemon):
    outer = Cgroup(daemon, "outer")
    inner = os.path.join(outer.path, "inner")
    os.mkdir(inner)
    name = attach(daemon, outer)
    for path in (outer.path, inner):
        r = daemon.ctl("attach", "--cgroup", path, "--lang", "python")
        assert r.returncode == 1 and "overlaps" in r.stderr, r
    assert daemon.ctl("detach", name).returncode == 0
    os.rmdir(inner)


def test_sys_enter_is_attached_while_it_is_needed(daemon):
    assert not daemon.request({"op": "status"})["sys_enter"]
    cgroup = Cgroup(daemon, "need")
    name = attach(daemon, cgroup)
    assert daemon.request({"op": "status"})["sys_enter"]
    assert daemon.ctl("detach", name).returncode == 0
    assert not daemon.request({"op": "status"})["sys_enter"]


def test_a_container_that_goes_away_is_noticed(daemon):
    cgroup = Cgroup(daemon, "gone")
    name = attach(daemon, cgroup)
    os.rmdir(cgroup.path)
    assert until(lambda: not daemon.listed())
    assert daemon.records(sandbox=name, type="exit")


def test_out_of_descriptors(daemon):
    """What cannot be looked at now is not taken for gone: it stays under its policy."""
    cgroup = Cgroup(daemon, "blind")
    p = cgroup.start(FORBIDDEN)
    name = attach(daemon, cgroup)
    soft, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (3, hard))
    time.sleep(2)  # it looks every half second
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
    cgroup.go(p)
    assert (p.communicate(timeout=20)[0], p.returncode) == ("", -9)
    assert not daemon.records(sandbox=name, type="exit")
    assert daemon.ctl("detach", name).returncode == 0


def test_a_container_that_is_made_anew_at_once(daemon):
    cgroup = Cgroup(daemon, "anew")
    name = attach(daemon, cgroup)
    os.rmdir(cgroup.path)
    os.mkdir(cgroup.path)
    p = cgroup.start(FORBIDDEN)
    again = attach(daemon, cgroup)
    assert again != name and daemon.records(sandbox=name, type="exit")
    cgroup.go(p)
    assert (p.communicate(timeout=60)[0], p.returncode) == ("", -9)
    assert daemon.ctl("detach", again).returncode == 0


def hook(daemon, status, annotations=None, **more):
    """What an OCI runtime would tell of a container "web"."""
    state = {"ociVersion": "1.0.2", "id": "web", "status": status, "annotations": annotations or {LANGUAGE: "python"}, **more}
    return daemon.ctl("oci-hook", input=json.dumps(state))


def test_two_containers_of_one_id(daemon):
    """As two engines may have: neither is taken for the other."""
    one, other = Cgroup(daemon, "web1"), Cgroup(daemon, "web2")
    p = one.start(FORBIDDEN)
    names = sorted(attach(daemon, c, "--container-id", "web") for c in (one, other))
    for command in ("detach", "kill", "show"):
        r = daemon.ctl(command, "--container-id", "web")
        assert r.returncode == 1 and all(n in r.stderr for n in names), r
        r = daemon.ctl(command, "--container-id", "")
        assert r.returncode == 1 and "no sandbox" in r.stderr, r
        for words in ((), (names[0], "--container-id", "web")):
            r = daemon.ctl(command, *words)
            assert (r.returncode, r.stderr) == (1, f"sgctl: {command} needs the ID of a sandbox (sgctl list has them), or --container-id ID\n"), r
    assert hook(daemon, "stopped").returncode == 0
    assert sorted(b["id"] for b in daemon.listed()) == names
    os.rmdir(other.path)
    assert hook(daemon, "stopped").returncode == 0  # of the other one
    assert until(lambda: len(daemon.listed()) == 1)
    one.go(p)
    assert (p.communicate(timeout=60)[0], p.returncode) == ("", -9)
    assert hook(daemon, "stopped").returncode == 0
    assert not daemon.listed()


def test_a_hook_that_cannot_do_it_fails(daemon):
    """And says why: the container is not to start without its policy."""
    cgroup = Cgroup(daemon, "hook")
    p = cgroup.start(FORBIDDEN)
    bundle = os.path.join(daemon.work, "bundle")
    os.makedirs(bundle)
    os.symlink("loop", os.path.join(bundle, "loop"))
    here = {"pid": p.pid, "bundle": bundle}
    for annotations, says in (({"org.sandgate.lang": "python"}, "unknown annotation org.sandgate.lang;"),
                              ({LANGUAGE: 5}, "is no text"),
                              (LANGUAGE + "=python", "are no object"), ([LANGUAGE], "are no object"),
                              ({"org.sandgate.mode": "audit"}, "and no " + LANGUAGE),
                              ({LANGUAGE: "python"}, f"configuration: unable to open {bundle}/config.json: No such file")):
        r = hook(daemon, "created", annotations, **here)
        assert r.returncode == 1 and says in r.stderr, r
        assert hook(daemon, "stopped", annotations).returncode == 0
    with open(os.path.join(bundle, "config.json"), "w", encoding="ascii") as f:
        f.write('{"root": {"path": "loop"}, "process": {"args": ["x"]}}')
    r = hook(daemon, "created", **here)
    assert r.returncode == 1 and "cannot open the container's root directory" in r.stderr, r
    assert not daemon.listed()
    with open(os.path.join(bundle, "config.json"), "w", encoding="ascii") as f:
        f.write('{"root": {"path": "/"}, "process": {"args": ["x"]}}')
    relative = os.path.relpath(bundle)
    r = hook(daemon, "created", pid=p.pid, bundle=relative)
    assert r.returncode == 1 and f"is no absolute path: {relative}" in r.stderr, r
    r = hook(daemon, "created", {LANGUAGE: "python", "org.other": "x"}, **here)
    assert r.returncode == 0 and len(daemon.listed()) == 1, r
    p.kill()
    p.communicate()
    assert until(lambda: hook(daemon, "stopped").returncode == 0 and not daemon.listed())


def created(daemon, name, code):
    """A container's first process, and what a runtime would tell of it."""
    cgroup = Cgroup(daemon, name)
    bundle = os.path.join(daemon.work, name)
    os.makedirs(bundle)
    with open(os.path.join(bundle, "config.json"), "w", encoding="ascii") as f:
        f.write('{"root": {"path": "/"}, "process": {"args": ["x"]}}')
    p = cgroup.start(code)
    return p, {"pid": p.pid, "bundle": bundle}


def test_a_hook_of_a_program_that_runs_already(daemon):
    """As crun says in poststart: it need not execute another one to be judged. Before that the runtime's own work is not."""
    for status, ends in (("created", ("survived\n", 0)), ("creating", ("survived\n", 0)), ("running", ("", -9))):
        p, here = created(daemon, status, FORBIDDEN)
        assert hook(daemon, status, **here).returncode == 0
        Cgroup.go(p)
        assert (p.communicate(timeout=60)[0], p.returncode) == ends, status
        assert hook(daemon, "stopped").returncode == 0 and not daemon.listed()


def test_a_hook_does_not_wait_for_ever(daemon):
    """For a daemon that hangs: what a runtime does with its hook is to wait."""
    p, here = created(daemon, "hangs", "")
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        r = hook(daemon, "created", **here)
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert (r.returncode, r.stderr) == (1, "sgctl: no answer of sgd within 30 s\n"), r
    p.kill()
    p.communicate()
    assert until(lambda: hook(daemon, "stopped").returncode == 0 and not daemon.listed())


def write(daemon, text):
    path = os.path.join(daemon.work, "policies.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def test_reload_tightens_at_once_and_a_bad_file_changes_nothing(daemon):
    loop = "import os,time\nfor i in range(10000):\n    os.getppid()\n    print(i, flush=True)\n    time.sleep(0.05)\n"
    cgroup = Cgroup(daemon, "reload")
    p = cgroup.start(loop)
    name = attach(daemon, cgroup)
    cgroup.go(p)
    assert p.stdout.readline() == "0\n"
    before = daemon.request({"op": "show", "id": name})["sandbox"]["policy"]
    for bad in ("python: {allow: [no_such_call]}", "python: [", "python: {inherit: nothing}", ""):
        r = daemon.ctl("reload", write(daemon, bad))
        assert r.returncode == 1 and r.stderr, (bad, r)
        assert daemon.request({"op": "show", "id": name})["sandbox"]["policy"] == before
    assert p.poll() is None
    r = daemon.ctl("--json", "reload", write(daemon, "python: {inherit: \"builtin:python\"}\ndenied: [getppid]\n"))
    assert r.returncode == 0 and json.loads(r.stdout)["changed"] == [name], r
    assert until(lambda: p.poll() is not None)
    assert p.returncode == -9
    p.communicate()
    assert until(lambda: daemon.records(sandbox=name, type="syscall_violation"))
    r, = daemon.records(sandbox=name, type="syscall_violation")
    assert r["syscall"] == "getppid" and r["rule"]["file"].endswith("policies.yaml"), r
    assert daemon.ctl("detach", name).returncode == 0
    # Launches follow the same file from now on.
    r = daemon.run("--lang", "python", "--", "/usr/bin/python3", "-c", "import os; os.getppid()")
    assert r.returncode == 159, r
    assert daemon.ctl("reload", write(daemon, "python: {inherit: \"builtin:python\"}\n")).returncode == 0
    assert daemon.run("--lang", "python", "--", "/usr/bin/python3", "-c", "import os; os.getppid()").returncode == 0
    time.sleep(0.1)
