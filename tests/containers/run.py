#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""OCI containers under the daemon: crun and runc from Debian start bundles whose configuration names `sgctl oci-hook`. The
test runs in a mount namespace of its own with cgroup2 alone on /sys/fs/cgroup, which both runtimes want, with a daemon of its
own. run.py --sgd PATH --sgctl PATH [--starts N] [--lsm]; the last line is `N passed, N failed`. --lsm: where BPF LSM is to be
had, in the kernel lab: object rules, too."""
import argparse
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

CLONE_NEWNS, MS_PRIVATE, MS_REC = 0x20000, 1 << 18, 1 << 14
RUNTIMES = ("crun", "runc")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc")  # what an interpreter of this host needs in its container
APPLETS = ("sh", "mount", "echo", "hostname", "sleep", "true", "cat", "nc", "ln")
POLICY = """\
container:
  unlisted: allow
  kill: [sethostname, mount, umount2, unshare, setns, ptrace, bpf]
boxed:
  unlisted: allow
  files: {read: [/proc/self, /data/open], full: [/tmp], exec: [/bin], map: [/bin]}
strict:
  unlisted: allow
  files: {read: [/proc/self, /data], full: [/tmp], exec: [/bin], map: [/bin], deny: [/data/secret], otherwise: kill}
  net: {allow: ["tcp 127.0.0.2:9"], otherwise: kill}
python:
  inherit: builtin:python
"""


def private_cgroup2():
    """A mount namespace in which /sys/fs/cgroup is the one cgroup2 hierarchy of this host."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_PRIVATE | MS_REC, None):
        raise OSError(ctypes.get_errno(), "mount namespace")
    subprocess.run(["umount", "-R", "/sys/fs/cgroup"], stderr=subprocess.DEVNULL)
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"], check=True)


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in what))


class World:
    def __init__(self, a, work):
        self.a, self.work, self.serial = a, work, 0
        self.socket = os.path.join(work, "sgd.sock")
        self.log = os.path.join(work, "verdicts.jsonl")
        self.rootfs = os.path.join(work, "rootfs")
        for d in ("bin", "proc", "tmp", "dev"):
            os.makedirs(os.path.join(self.rootfs, d))
        shutil.copy("/bin/busybox", os.path.join(self.rootfs, "bin/busybox"))
        for name in APPLETS:
            os.link(os.path.join(self.rootfs, "bin/busybox"), os.path.join(self.rootfs, "bin", name))
        self.policy = os.path.join(work, "policy.yaml")
        with open(self.policy, "w") as f:
            f.write(POLICY)
        self.daemon, self.mounts = None, []

    def start(self):
        bpffs = os.path.join(self.work, "bpffs")
        os.makedirs(bpffs, exist_ok=True)
        subprocess.run(["mount", "-t", "bpf", "bpf", bpffs], check=True)
        with open(os.path.join(self.work, "sgd.err"), "ab") as err:
            self.daemon = subprocess.Popen(
                [self.a.sgd, "--socket", self.socket, "--state", os.path.join(self.work, "state"), "--bpffs",
                 os.path.join(bpffs, "sandgate"), "--log", self.log, "--policy", self.policy, "--metrics-port", "0",
                 "--cgroup", f"sandgate-containers-{os.getpid()}"], stdin=subprocess.DEVNULL, stderr=err)
        end = time.monotonic() + (200 if self.a.lsm else 60)
        while self.ctl("status").returncode:
            check(self.daemon.poll() is None and time.monotonic() < end, open(os.path.join(self.work, "sgd.err")).read())
            time.sleep(0.02)

    def stop(self):
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(60)

    def records(self, **match):
        with open(self.log) as f:
            lines = [json.loads(line) for line in f if line.endswith("\n")]  # the last one may be half written
        return [r for r in lines if all(r.get(k) == v for k, v in match.items())]

    def wait_record(self, **match):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = self.records(**match)
            if found:
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no record {match}")

    def ctl(self, *args, **kw):
        return subprocess.run([self.a.sgctl, "--socket", self.socket, *args], capture_output=True, text=True, timeout=60, **kw)

    def image(self):
        """A root file system as an engine makes one: an overlay of its own on what all share."""
        self.serial += 1
        d = os.path.join(self.work, f"image{self.serial}")
        lower, root = os.path.join(d, "lower"), os.path.join(d, "root")
        for path in (lower, root, os.path.join(d, "top")):
            os.makedirs(path)
        for name in ("bin", "proc", "tmp", "dev", "data/open", "data/secret", "app", "etc", "usr"):
            os.makedirs(os.path.join(lower, name))
        for name in APPLETS:
            os.link(os.path.join(self.rootfs, "bin/busybox"), os.path.join(lower, "bin", name))
        for name, text in (("data/open/file", "open"), ("data/secret/file", "secret")):
            with open(os.path.join(lower, name), "w") as f:
                f.write(text + "\n")
        os.symlink("/data/secret/file", os.path.join(lower, "data/open/link"))
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", os.path.join(d, "top")], check=True)
        for name in ("upper", "work"):
            os.mkdir(os.path.join(d, "top", name))
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir={lower},upperdir={d}/top/upper,workdir={d}/top/work", root], check=True)
        self.mounts += [os.path.join(d, "top"), root]
        return root

    def bundle(self, command, annotations, hooks=True, root=None, cwd="/", mounts=()):
        self.serial += 1
        name = f"sg-test-{os.getpid()}-{self.serial}"
        d = os.path.join(self.work, name)
        os.mkdir(d)
        hook = {"path": self.a.sgctl, "args": ["sgctl", "--socket", self.socket, "oci-hook"], "timeout": 60}
        config = {
            "ociVersion": "1.0.2",
            "root": {"path": root or self.rootfs, "readonly": not root},
            "process": {"user": {"uid": 0, "gid": 0}, "args": command, "cwd": cwd, "env": ["PATH=/bin:/usr/bin"],
                        "capabilities": {k: ["CAP_SYS_ADMIN"] for k in ("bounding", "effective", "permitted")}},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, *mounts],
            "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts", "network")],
                      "cgroupsPath": f"/{name}"},
            "annotations": annotations,
        }
        if hooks:
            config["hooks"] = {"createRuntime": [hook], "poststop": [hook]}
        with open(os.path.join(d, "config.json"), "w") as f:
            json.dump(config, f)
        return name, d

    def run(self, runtime, command, annotations, **kw):
        name, d = self.bundle(command, annotations, **kw)
        r = subprocess.run([runtime, "--root", os.path.join(self.work, "root-" + runtime), "run", "--bundle", d, name],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        return name, r


LANGUAGE = {"org.sandgate.language": "container"}


def an_honest_program_runs(w, runtime):
    name, r = w.run(runtime, ["/bin/echo", "inside"], LANGUAGE)
    check((r.returncode, r.stdout) == (0, "inside\n"), r)
    start = w.wait_record(type="start", language="container")
    check(start["mode"] == "enforce", start)
    check(w.wait_record(type="exit", sandbox=start["sandbox"])["violation"] is None, "violation")


def a_forbidden_call_is_killed_and_reported(w, runtime):
    before = len(w.records(type="syscall_violation"))
    _, control = w.run(runtime, ["/bin/sh", "-c", "hostname changed; hostname"], {}, hooks=False)
    check(control.stdout == "changed\n", "the control does not change anything:", control)
    name, r = w.run(runtime, ["/bin/sh", "-c", "hostname changed; echo on $?"], LANGUAGE)
    end = time.monotonic() + 60
    while len(w.records(type="syscall_violation")) == before and time.monotonic() < end:
        time.sleep(0.02)
    record = w.records(type="syscall_violation")[-1]
    check(len(w.records(type="syscall_violation")) == before + 1, "records")
    check(record["syscall"] == "sethostname" and record["language"] == "container" and record["action"] == "kill", record)
    check("on 137" in r.stdout or r.returncode == 137, r)


def a_container_without_the_annotation_is_left_alone(w, runtime):
    before = len(w.records(type="start"))
    name, r = w.run(runtime, ["/bin/sh", "-c", "hostname changed; hostname"], {})
    check((r.returncode, r.stdout) == (0, "changed\n"), r)
    check(len(w.records(type="start")) == before, "it was attached")


def an_unknown_language_keeps_the_container_from_starting(w, runtime):
    name, r = w.run(runtime, ["/bin/echo", "inside"], {"org.sandgate.language": "containr"})
    check(r.returncode != 0 and "inside" not in r.stdout, r)


def audit_mode_records_and_lets_go_on(w, runtime):
    before = len(w.records(type="syscall_violation"))
    name, r = w.run(runtime, ["/bin/sh", "-c", "hostname changed; hostname"], {**LANGUAGE, "org.sandgate.mode": "audit"})
    check((r.returncode, r.stdout) == (0, "changed\n"), r)
    end = time.monotonic() + 60
    while len(w.records(type="syscall_violation")) == before and time.monotonic() < end:
        time.sleep(0.02)
    record = w.records(type="syscall_violation")[-1]
    check(record["action"] == "audit" and record["prevented"] is False, record)


def no_start_is_missed(w, runtime):
    """The very first call of the program is forbidden: if the attach came late it would go through."""
    static = os.path.join(w.rootfs, "bin/first")
    if not os.path.exists(static):
        source = os.path.join(w.work, "first.c")
        with open(source, "w") as f:
            f.write("#include <sys/syscall.h>\n__attribute__((naked)) void _start(void) {\n"
                    '  __asm__("mov %0, %%eax; lea name(%%rip), %%rdi; mov $4, %%esi; syscall; mov %1, %%eax;'
                    ' xor %%edi, %%edi; syscall; name: .asciz \\"late\\"" : : "i"(SYS_sethostname), "i"(SYS_exit_group));\n}\n')
        subprocess.run(["gcc", "-nostdlib", "-static", "-o", static, source], check=True)
    before = len(w.records(type="syscall_violation"))
    for i in range(w.a.starts):
        name, r = w.run(runtime, ["/bin/first"], LANGUAGE)
        check(r.returncode == 137, i, r)
    end = time.monotonic() + 60
    while len(w.records(type="syscall_violation")) < before + w.a.starts and time.monotonic() < end:
        time.sleep(0.05)
    check(len(w.records(type="syscall_violation")) == before + w.a.starts, "a kill without its record")


def a_hook_without_a_daemon_fails(w, runtime):
    _, bundle = w.bundle(["/bin/true"], LANGUAGE)
    state = {"ociVersion": "1.0.2", "id": "x", "status": "created", "pid": os.getpid(), "bundle": bundle, "annotations": LANGUAGE}
    r = subprocess.run([w.a.sgctl, "--socket", w.socket + ".none", "oci-hook"], input=json.dumps(state), capture_output=True,
                       text=True, timeout=60)
    check(r.returncode == 1 and "sgd" in r.stderr, r)
    for text in ("", "{", "[1]", '{"annotations": 3}', '{"annotations": {"org.sandgate.language": "c"}}', "{}"):
        r = w.ctl("oci-hook", input=text)
        check(r.returncode == (0 if text == "{}" else 1), text, r)


def said(w, count, **match):
    """The records beyond the first `count` of that kind, as soon as there is one."""
    end = time.monotonic() + 60
    while len(w.records(**match)) <= count and time.monotonic() < end:
        time.sleep(0.02)
    return w.records(**match)[count:]


SCRATCH = {"destination": "/tmp/scratch", "type": "tmpfs", "source": "tmpfs"}


def boxed(w, runtime, code, language="boxed", **kw):
    before = len(w.records(type="lsm_violation"))
    name, r = w.run(runtime, ["/bin/sh", "-c", code], {"org.sandgate.language": language}, root=w.image(), mounts=[SCRATCH], **kw)
    return r, before


def objects_an_honest_program_runs(w, runtime):
    code = "cat /data/open/file; echo written > /tmp/a; cat /tmp/a; echo mounted > /tmp/scratch/b; cat /tmp/scratch/b"
    r, before = boxed(w, runtime, code)
    check((r.returncode, r.stdout) == (0, "open\nwritten\nmounted\n"), r)
    start = w.records(type="start", language="boxed")[-1]
    check(start["tier"] == "lsm" and start["layers"] == ["sys_enter", "lsm"] and not start.get("degraded"), start)
    check(len(w.records(type="lsm_violation")) == before, w.records(type="lsm_violation")[before:])


def objects_a_file_that_is_not_listed_is_not_read(w, runtime):
    for path in ("/data/secret/file", "/data/open/link", "/proc/self/root/data/secret/file"):
        control, _ = boxed(w, runtime, f"cat {path}", hooks=False)
        check(control.stdout == "secret\n", control)
        r, before = boxed(w, runtime, f"cat {path}; echo on $?")
        check(r.stdout == "on 1\n" and "ermission denied" in r.stderr, r)
        v = said(w, before, type="lsm_violation")[0]
        check(v["class"] == "read" and v["prevented"] and v["action"] == "errno", v)
        check(v["object"]["path"].endswith("/data/secret/file"), v)


def objects_nothing_is_written_outside(w, runtime):
    for code in ("echo x > /data/new", "echo x > /new", "ln /data/open/file /new"):
        control, _ = boxed(w, runtime, f"{code} && echo made", hooks=False)
        check(control.stdout == "made\n", control)
        r, before = boxed(w, runtime, f"{code} && echo made; echo on")
        check(r.stdout == "on\n", r)
        v = said(w, before, type="lsm_violation")[0]
        check(v["class"] in ("create", "write") and v["prevented"], v)


def objects_what_a_policy_kills_for_is_prevented(w, runtime):
    kills = len(w.records(type="lsm_violation", action="kill"))
    r, _ = boxed(w, runtime, "cat /data/open/file; cat /data/secret/file; echo on $?", "strict")
    check(r.stdout == "open\non 137\n", r)
    v = said(w, kills, type="lsm_violation", action="kill")[0]
    check(v["class"] == "read" and v["prevented"] and v["rule"]["line"] > 0, v)


def objects_an_address_that_is_not_listed_is_not_connected_to(w, runtime):
    kills = len(w.records(type="lsm_violation", action="kill"))
    control, _ = boxed(w, runtime, "nc 127.0.0.2 9; echo on $?", "strict")
    check(control.stdout == "on 1\n", control)
    check(len(w.records(type="lsm_violation", action="kill")) == kills, "the address that is listed")
    r, _ = boxed(w, runtime, "nc 127.0.0.1 9; echo on $?", "strict")
    check(r.stdout == "on 137\n", r)
    v = said(w, kills, type="lsm_violation", action="kill")[0]
    check(v["class"] == "net" and v["object"]["address"] == "127.0.0.1" and v["object"]["port"] == 9 and v["prevented"], v)


def objects_a_real_interpreter_under_its_own_policy(w, runtime):
    root = w.image()
    with open(os.path.join(root, "app/main.py"), "w") as f:
        f.write("import json, os, tempfile, threading\n"
                "open('/app/out', 'w').write(json.dumps({'a': 1}))\nprint(open('/app/out').read())\n"
                "print(tempfile.TemporaryFile().write(b'x'))\n"
                "for path in ('/data/secret/file', '/etc/shadow'):\n"
                "    try: print(open(path).read())\n    except PermissionError: print('refused')\n"
                "print('end')\n")
    mounts = [{"destination": d, "type": "bind", "source": os.path.realpath(d), "options": ["rbind", "ro"]} for d in SYSTEM
              if d != "/bin"]
    before = len(w.records(type="lsm_violation"))
    name, r = w.run(runtime, ["python3", "/app/main.py"], {"org.sandgate.language": "python"}, root=root, cwd="/app", mounts=mounts)
    check(r.stdout == '{"a": 1}\n1\nrefused\nrefused\nend\n' and r.returncode == 0, r, w.records()[-4:])
    check(len(said(w, before, type="lsm_violation")) == 2, w.records(type="lsm_violation")[before:])


def objects_audit_mode_records_and_lets_go_on(w, runtime):
    before = len(w.records(type="lsm_violation"))
    name, r = w.run(runtime, ["/bin/sh", "-c", "cat /data/secret/file"],
                    {"org.sandgate.language": "strict", "org.sandgate.mode": "audit"}, root=w.image(), mounts=[SCRATCH])
    check((r.returncode, r.stdout) == (0, "secret\n"), r)
    v = said(w, before, type="lsm_violation")[0]
    check(v["action"] == "audit" and not v["prevented"], v)


def objects_a_policy_for_another_root_is_not_led_out(w, runtime):
    """An image whose /tmp is a link to all there is: what may be written in /tmp may not be written everywhere."""
    root = w.image()
    os.rmdir(os.path.join(root, "tmp"))
    os.symlink("/", os.path.join(root, "tmp"))
    before = len(w.records(type="lsm_violation"))
    name, r = w.run(runtime, ["/bin/sh", "-c", "echo x > /tmp/new && echo made; cat /tmp/data/open/file"],
                    {"org.sandgate.language": "boxed"}, root=root)
    check(r.stdout == "open\n", r)
    check(said(w, before, type="lsm_violation")[0]["class"] in ("create", "write"), "class")


OBJECTS = (objects_an_honest_program_runs, objects_a_file_that_is_not_listed_is_not_read, objects_nothing_is_written_outside,
           objects_what_a_policy_kills_for_is_prevented, objects_an_address_that_is_not_listed_is_not_connected_to,
           objects_a_real_interpreter_under_its_own_policy, objects_audit_mode_records_and_lets_go_on,
           objects_a_policy_for_another_root_is_not_led_out)


def without_lsm_it_is_said_what_is_not_enforced(w, runtime):
    r, before = boxed(w, runtime, "cat /data/secret/file")
    check((r.returncode, r.stdout) == (0, "secret\n"), r)
    start = w.records(type="start", language="boxed")[-1]
    check(start["tier"] == "bpf" and any("not enforced" in d and "BPF LSM" in d for d in start["degraded"]), start)


TESTS = (an_honest_program_runs, a_forbidden_call_is_killed_and_reported, a_container_without_the_annotation_is_left_alone,
         an_unknown_language_keeps_the_container_from_starting, audit_mode_records_and_lets_go_on, no_start_is_missed,
         a_hook_without_a_daemon_fails)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--sgrun", type=os.path.abspath)  # the other suites' option
    p.add_argument("--sgd", required=True, type=os.path.abspath)
    p.add_argument("--sgctl", required=True, type=os.path.abspath)
    p.add_argument("--starts", type=int, default=100, help="for each runtime")
    p.add_argument("--lsm", action="store_true", help="BPF LSM must be to be had")
    p.add_argument("--only", default="")
    a = p.parse_args()
    passed = failed = 0
    private_cgroup2()
    work = tempfile.mkdtemp(prefix="sg-containers-")
    tests = (*TESTS, *(OBJECTS if a.lsm else (without_lsm_it_is_said_what_is_not_enforced,)))
    w = World(a, work)
    try:
        w.start()
        for runtime in RUNTIMES:
            for test in tests:
                if a.only not in test.__name__:
                    continue
                start = time.monotonic()
                try:
                    test(w, runtime)
                    passed += 1
                    print(f"ok    {runtime} {test.__name__}  {time.monotonic() - start:.1f} s", flush=True)
                except Exception:
                    failed += 1
                    print(f"FAIL  {runtime} {test.__name__}\n{traceback.format_exc()}", flush=True)
    finally:
        w.stop()
        for path in (os.path.join(work, "bpffs"), *reversed(w.mounts)):
            subprocess.run(["umount", path], stderr=subprocess.DEVNULL)
        shutil.rmtree(work, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
