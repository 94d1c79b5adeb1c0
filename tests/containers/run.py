#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""OCI containers under the daemon: crun and runc from Debian start bundles whose configuration names `sgctl oci-hook`. The
test runs in a mount namespace of its own with cgroup2 alone on /sys/fs/cgroup, which both runtimes want, with a daemon of its
own. run.py --sgd PATH --sgctl PATH [--starts N]; the last line is `N passed, N failed`."""
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
        for name in ("sh", "mount", "echo", "hostname", "sleep", "true"):
            os.link(os.path.join(self.rootfs, "bin/busybox"), os.path.join(self.rootfs, "bin", name))
        self.policy = os.path.join(work, "policy.yaml")
        with open(self.policy, "w") as f:
            f.write("container:\n  unlisted: allow\n  kill: [sethostname, mount, umount2, unshare, setns, ptrace, bpf]\n")
        self.daemon = None

    def start(self):
        bpffs = os.path.join(self.work, "bpffs")
        os.makedirs(bpffs, exist_ok=True)
        subprocess.run(["mount", "-t", "bpf", "bpf", bpffs], check=True)
        with open(os.path.join(self.work, "sgd.err"), "ab") as err:
            self.daemon = subprocess.Popen(
                [self.a.sgd, "--socket", self.socket, "--state", os.path.join(self.work, "state"), "--bpffs",
                 os.path.join(bpffs, "sandgate"), "--log", self.log, "--policy", self.policy, "--metrics-port", "0",
                 "--cgroup", f"sandgate-containers-{os.getpid()}"], stdin=subprocess.DEVNULL, stderr=err)
        end = time.monotonic() + 30
        while not os.path.exists(self.socket):
            check(self.daemon.poll() is None and time.monotonic() < end, open(os.path.join(self.work, "sgd.err")).read())
            time.sleep(0.02)

    def stop(self):
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(20)

    def records(self, **match):
        with open(self.log) as f:
            lines = [json.loads(line) for line in f]
        return [r for r in lines if all(r.get(k) == v for k, v in match.items())]

    def wait_record(self, **match):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            found = self.records(**match)
            if found:
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no record {match}")

    def ctl(self, *args, **kw):
        return subprocess.run([self.a.sgctl, "--socket", self.socket, *args], capture_output=True, text=True, timeout=60, **kw)

    def bundle(self, command, annotations, hooks=True):
        self.serial += 1
        name = f"sg-test-{os.getpid()}-{self.serial}"
        d = os.path.join(self.work, name)
        os.mkdir(d)
        hook = {"path": self.a.sgctl, "args": ["sgctl", "--socket", self.socket, "oci-hook"], "timeout": 20}
        config = {
            "ociVersion": "1.0.2",
            "root": {"path": self.rootfs, "readonly": True},
            "process": {"user": {"uid": 0, "gid": 0}, "args": command, "cwd": "/", "env": ["PATH=/bin"],
                        "capabilities": {k: ["CAP_SYS_ADMIN"] for k in ("bounding", "effective", "permitted")}},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
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
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
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
    end = time.monotonic() + 5
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
    end = time.monotonic() + 5
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
    end = time.monotonic() + 10
    while len(w.records(type="syscall_violation")) < before + w.a.starts and time.monotonic() < end:
        time.sleep(0.05)
    check(len(w.records(type="syscall_violation")) == before + w.a.starts, "a kill without its record")


def a_hook_without_a_daemon_fails(w, runtime):
    state = {"ociVersion": "1.0.2", "id": "x", "status": "created", "pid": os.getpid(), "bundle": "/", "annotations": LANGUAGE}
    r = subprocess.run([w.a.sgctl, "--socket", w.socket + ".none", "oci-hook"], input=json.dumps(state), capture_output=True,
                       text=True, timeout=20)
    check(r.returncode == 1 and "sgd" in r.stderr, r)
    for text in ("", "{", "[1]", '{"annotations": 3}', '{"annotations": {"org.sandgate.language": "c"}}'):
        r = w.ctl("oci-hook", input=text)
        check(r.returncode == (0 if text == '{"annotations": 3}' else 1), text, r)


TESTS = (an_honest_program_runs, a_forbidden_call_is_killed_and_reported, a_container_without_the_annotation_is_left_alone,
         an_unknown_language_keeps_the_container_from_starting, audit_mode_records_and_lets_go_on, no_start_is_missed,
         a_hook_without_a_daemon_fails)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--sgrun", type=os.path.abspath)  # the other suites' option
    p.add_argument("--sgd", required=True, type=os.path.abspath)
    p.add_argument("--sgctl", required=True, type=os.path.abspath)
    p.add_argument("--starts", type=int, default=100, help="for each runtime")
    a = p.parse_args()
    passed = failed = 0
    private_cgroup2()
    work = tempfile.mkdtemp(prefix="sg-containers-")
    w = World(a, work)
    try:
        w.start()
        for runtime in RUNTIMES:
            for test in TESTS:
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
        subprocess.run(["umount", os.path.join(work, "bpffs")], stderr=subprocess.DEVNULL)
        shutil.rmtree(work, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
