#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every example: the clients over real and hostile programs and over each promise of the contract, the judge over
one submission a verdict, the CI step, the container image's commands. The last line is `N passed, N failed`.

run.py --sgrun PATH --bin DIR --daemon DIR [--only TEXT]     where the hostile programs and sgd were built
"""
import argparse
import base64
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EXAMPLES = os.path.join(ROOT, "examples")
for folder in ("tests/hostile", "tests/real", "tests/examples", "examples/python"):
    sys.path.insert(0, os.path.join(ROOT, folder))
sys.dont_write_bytecode = True
import catalogue  # noqa: E402
import contract  # noqa: E402
import manifest  # noqa: E402
import sandgate  # noqa: E402
import sgtest  # noqa: E402

# A selection that covers every language and every way to be stopped; the suites themselves run all.
REAL = ("python/threads.py", "python/files.py", "python/classes.py", "javascript/*3", "java/Bank.java", "ruby/*1",
        "perl/*1", "php/*1", "lua/*1", "luajit/*1", "c/fileops.c", "c/pthreads.c", "cpp/containers.cpp")
HOSTILE = ("c-socket-packet", "c-socket-tcp", "c-exec-again", "c-ptrace-victim", "c-vm-write-victim", "c-kill-victim",
           "c-unshare-user", "c-clone-newuser", "c-fork", "c-mount-tmpfs", "c-int80-getpid", "c-io-uring-setup",
           "c-bpf-map", "c-keyctl", "c-personality", "c-memfd-create", "c-chroot", "c-setuid", "c-perf-event-open",
           "c-nr-huge", "c-mmap-wx", "c-ptrace-victim-from-thread", "py-os-system", "py-subprocess", "py-socket-tcp",
           "py-socket-packet", "py-execv", "py-setuid", "py-wx-memory", "py-kill-victim", "py-raw:ptrace-victim",
           "py-multiprocessing-attack", "js-net-connect", "js-spawn", "js-kill-victim", "js-raw:ptrace-victim",
           "js-raw:unshare-uts", "js-worker-spawn")
TIERS = ("bpf", "unprivileged") if os.geteuid() == 0 else ("unprivileged",)


class Tests:
    def __init__(self, only):
        self.only, self.passed, self.failed = only, 0, 0

    def check(self, name, complaints):
        if complaints:
            self.failed += 1
            print(f"FAIL  {name}")
            for c in complaints:
                print("      " + str(c).replace("\n", "\n      "))
        else:
            self.passed += 1
            print(f"ok    {name}")
        sys.stdout.flush()

    def wanted(self, name):
        return self.only in name


def selected_programs():
    found = []
    for pattern in REAL:
        language, _, name = pattern.partition("/")
        of_it = [p for p in catalogue.programs() if p.language.name == language]
        if name.startswith("*"):
            # Those that need nothing prepared for them.
            found += [p for p in of_it if not p.build and not p.stdin][:int(name[1:])]
        else:
            found += [p for p in of_it if p.file == name]
    return found


class Jobs:
    """What the clients are given, and what must come out of it."""

    def __init__(self, work, binaries, tier):
        self.work, self.tier = work, tier
        self.jobs, self.wanted = [], {}
        self.victim = sgtest.Victim(os.path.join(binaries, "victim"))
        self.binaries = binaries

    def add(self, name, wanted, **job):
        self.jobs.append({"name": name, "tier": self.tier, **job})
        self.wanted[name] = wanted

    def place(self, name):
        path = os.path.join(self.work, name.replace("/", "-"))
        os.makedirs(path)
        return path

    def real(self):
        for p in selected_programs():
            missing = p.missing()
            if missing:
                raise SystemExit(f"{missing[0]} is not installed")
            place = self.place(p.name)
            shutil.copy(p.path, place)
            out = os.path.join(place, "prog")
            if p.build:
                subprocess.run(p.command(p.build, out), cwd=place, check=True, env=sgtest.ENV)
            argv = p.command(p.run, out)
            # C puts temporary files into /tmp whatever TMPDIR says.
            env = {"TMPDIR": "/tmp", "HOME": place}
            bare = subprocess.run(argv, cwd=place, capture_output=True, check=False, env={**sgtest.ENV, **env},
                                  input=(p.stdin or "").encode())
            for leftover in os.listdir(place):
                if leftover not in (p.file, "prog"):
                    gone = os.path.join(place, leftover)
                    (shutil.rmtree if os.path.isdir(gone) else os.unlink)(gone)
            self.add(p.name, ("same", bare.returncode, bare.stdout), argv=argv, language=p.policy, cwd=place, env=env,
                     stdin=p.stdin or "")

    def hostile(self):
        rows = {p.name: p for p in manifest.PROGRAMS}
        has_int80 = sgtest.has_int80(os.path.join(self.binaries, "hostile"))
        for name in HOSTILE:
            p = rows[name]
            if p.abi == "i386" and not has_int80:
                continue  # there is no such call here that could be told of
            words = [p.attack, f"victim={self.victim.pid}", f"addr={self.victim.address}", f"dir={self.place(name)}"]
            words += [f"from={p.context}"] if p.context != "main" else []
            words += [f"lib={os.path.join(self.binaries, 'hostile_attacks.so')}"] if p.attack.startswith("raw:") else []
            words += [f"arg={os.path.join(self.binaries, 'hostile')}"] if "program" in p.extra else []
            program = {"c": [os.path.join(self.binaries, "hostile")],
                       "python": ["/usr/bin/python3", os.path.join(ROOT, "tests/hostile/hostile.py")],
                       "javascript": ["/usr/bin/node", os.path.join(ROOT, "tests/hostile/hostile.js")]}[p.lang]
            self.add(name, p.expect, argv=program + words, language=p.lang)

    def judge(self, got):
        """got: what a client says of one job."""
        wanted = self.wanted[got["name"]]
        if "error" in got:
            return [got["error"]]
        bad = [] if got["complete"] else [f"integrity: {got['records'][-1]['reasons']}"]
        if got["records"][0]["tier"] != self.tier:
            bad.append(f"ran in tier {got['records'][0]['tier']}")
        if wanted[0] == "same":
            status = 128 - wanted[1] if wanted[1] < 0 else wanted[1]
            verdict = "signal" if wanted[1] < 0 else "ok"
            if (got["verdict"], got["status"]) != (verdict, status):
                bad.append(f"{got['verdict']}, status {got['status']}; bare {status}: {got['stderr'][-500:]}")
            if got["stdout"] != wanted[2]:
                bad.append(f"another output: {got['stdout'][-200:]!r}, bare {wanted[2][-200:]!r}")
            return bad
        kind, _, what = wanted.partition(":")
        lines = got["stdout"].decode(errors="replace").splitlines()
        if any(line.startswith(("EFFECT", "SURVIVED")) for line in lines):
            bad.append(f"took effect: {lines}")
        if kind == "kill":
            if (got["verdict"], got["status"]) != ("violation", 159) or got["violation"]["syscall"] != what:
                bad.append(f"{got['verdict']}, status {got['status']}, {(got['violation'] or {}).get('syscall')}")
            if not got["heard"] or got["heard"]["syscall"] != what:
                bad.append("the violation was not reported while it ran")
        elif (got["verdict"], got["status"]) != ("ok", 20) or not lines or lines[-1] != f"ERRNO {what}":
            bad.append(f"{got['verdict']}, status {got['status']}, {lines[-1:]}, not {what}")
        return bad


def through_python(jobs, sgrun):
    client = sandgate.Sandgate(sgrun)
    for job in jobs:
        heard = []
        how = {k: v for k, v in job.items() if k not in ("name", "argv")}
        how["stdin"] = how.get("stdin", "").encode()
        try:
            r = client.run(job["argv"], on_record=lambda x, to=heard: to.append(x) if "_violation" in x["type"] else None,
                           **how)
            yield {"name": job["name"], "status": r.status, "verdict": r.verdict, "complete": r.complete,
                   "stdout": r.stdout, "stderr": r.stderr.decode(errors="replace"), "violation": r.violation,
                   "heard": heard[0] if heard else None, "records": r.records}
        except sandgate.SandgateError as e:
            yield {"name": job["name"], "error": str(e)}


def through_node(jobs, sgrun, work):
    path = os.path.join(work, "jobs.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(jobs, f)
    done = subprocess.run(["/usr/bin/node", os.path.join(HERE, "jobs.js"), os.path.join(EXAMPLES, "node"), sgrun, path],
                          capture_output=True, text=True, timeout=300, check=True, env=sgtest.ENV)
    for line in done.stdout.splitlines():
        got = json.loads(line)
        got["stdout"] = base64.b64decode(got.get("stdout", ""))
        yield got


def clients(t, sgrun, binaries):
    for client in ("python", "node"):
        for tier in TIERS:
            prefix = f"{client} client [{tier}] "
            if not t.wanted(prefix):
                continue
            with tempfile.TemporaryDirectory(prefix="sandgate-examples-") as work:
                jobs = Jobs(work, binaries, tier)
                try:
                    jobs.real()
                    jobs.hostile()
                    results = (through_python(jobs.jobs, sgrun) if client == "python"
                               else through_node(jobs.jobs, sgrun, work))
                    seen = set()
                    for got in results:
                        seen.add(got["name"])
                        t.check(prefix + got["name"], jobs.judge(got))
                    t.check(prefix + "every job", sorted(set(jobs.wanted) - seen))
                    touched = jobs.victim.changed()
                    t.check(prefix + "victim", [touched] if touched else [])
                finally:
                    jobs.victim.close()


def contracts(t, sgrun):
    for tier in TIERS:
        contract.Contract.sgrun, contract.Contract.tier = sgrun, tier
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(contract.Contract):
            name = f"python contract [{tier}] {test._testMethodName[5:]}"
            if t.wanted(name):
                outcome = unittest.TestResult()
                test.run(outcome)
                t.check(name, [text for _, text in outcome.failures + outcome.errors])
    script = [os.path.join(HERE, "contract.js"), os.path.join(EXAMPLES, "node"), sgrun]
    names = subprocess.run(["/usr/bin/node", *script, "list"], capture_output=True, text=True, check=True).stdout.split()
    for tier in TIERS:
        for name in names:
            if t.wanted(f"node contract [{tier}] {name}"):
                got = subprocess.run(["/usr/bin/node", *script, name], capture_output=True, text=True,
                                     timeout=60, check=False, env={**sgtest.ENV, "TIER": tier})
                t.check(f"node contract [{tier}] {name}", [] if got.stdout == "ok\n" else [got.stdout, got.stderr])


def registered(t, daemon):
    """The executor integration with processes that run already, through sgd."""
    name = "node contract [sgd] register"
    if os.geteuid() != 0 or not t.wanted(name):
        return
    cgroup = os.path.join(sgtest.cgroup2_mount(), f"sandgate-test-{os.getpid()}")
    code = ("import os, signal, sys\nsignal.signal(signal.SIGUSR1, lambda *_: os.setuid(os.getuid()))\n"
            "print('up', flush=True)\nwhile True: signal.pause()")
    with tempfile.TemporaryDirectory(prefix="sandgate-sgd-") as run:
        socket = run + "/sgd.sock"
        sgd = subprocess.Popen([os.path.join(daemon, "sgd"), "--socket", socket, "--state", run + "/state", "--bpffs", "none", "--metrics-port", "0",
                                "--log", "none", "--cgroup", f"sandgate-test-sgd-{os.getpid()}"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
        os.mkdir(cgroup)
        program = subprocess.Popen(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE)
        try:
            sgd.stdout.readline()
            program.stdout.readline()
            with open(os.path.join(cgroup, "cgroup.procs"), "w", encoding="ascii") as f:
                f.write(str(program.pid))
            done = subprocess.Popen(["/usr/bin/node", os.path.join(HERE, "contract.js"), os.path.join(EXAMPLES, "node"), "sgrun",
                                     "register", os.path.join(daemon, "sgctl"), socket, str(program.pid)],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            program.wait(60)
            out, err = done.communicate(timeout=60)
            t.check(name, [] if out == "ok\n" else [out, err])
        except subprocess.TimeoutExpired as e:
            t.check(name, [e])
        finally:
            for process in (program, sgd):
                process.kill() if process is program else process.terminate()
                process.wait()
                process.stdout.close()
            os.rmdir(cgroup)


def judge(t, sgrun):
    submissions = os.path.join(HERE, "submissions")
    user = ["--user", "65534"] if os.geteuid() == 0 else []
    for name in sorted(os.listdir(submissions)):
        wanted = "_".join(name[:-4].split("_")[:2])
        if not t.wanted("judge " + name):
            continue
        got = subprocess.run(["/usr/bin/python3", os.path.join(EXAMPLES, "judge/judge.py"), "--sgrun", sgrun, *user,
                              os.path.join(EXAMPLES, "judge/problems/sum"), os.path.join(submissions, name)],
                             capture_output=True, text=True, timeout=120, check=False)
        try:
            bad = [] if json.loads(got.stdout)["verdict"] == wanted else [got.stdout]
        except ValueError:
            bad = [got.stdout, got.stderr]
        t.check("judge " + name, bad)
    name = "judge without a sandbox"
    if t.wanted(name):
        # It is asked for a tier that does not exist: no fault of the solution's.
        with tempfile.TemporaryDirectory(prefix="sandgate-examples-") as work:
            refuses = os.path.join(work, "sgrun")
            with open(refuses, "w", encoding="utf-8") as f:
                f.write(f'#!/bin/sh\nexec {sgrun} --tier nonsense "$@"\n')
            os.chmod(refuses, 0o755)
            got = subprocess.run(["/usr/bin/python3", os.path.join(EXAMPLES, "judge/judge.py"), "--sgrun", refuses,
                                  os.path.join(EXAMPLES, "judge/problems/sum"), os.path.join(submissions, "accepted.cpp")],
                                 capture_output=True, text=True, timeout=120, check=False)
        t.check(name, [] if (got.returncode, got.stdout) == (2, "") and "judge.py: --tier nonsense" in got.stderr
                else [got])


def action_script():
    """The shell text of the composite action's one step."""
    with open(os.path.join(EXAMPLES, "ci/action.yml"), encoding="utf-8") as f:
        _, _, block = f.read().partition("      run: |\n")
    return "".join(line[8:] + "\n" for line in block.splitlines())


def ci(t, sgrun):
    with tempfile.TemporaryDirectory(prefix="sandgate-examples-") as work:
        output = os.path.join(work, "output")

        def step(command, **env):
            open(output, "w", encoding="utf-8").close()
            got = subprocess.run(["/bin/bash", "-e", "-c", action_script()], capture_output=True, text=True, cwd=work,
                                 timeout=60, check=False, env={
                                     **sgtest.ENV, "SGRUN": sgrun, "COMMAND": command, "POLICY_LANG": "compile",
                                     "POLICY": "", "WALL_TIME": "30s", "GITHUB_OUTPUT": output,
                                     "GITHUB_ACTION_PATH": os.path.join(EXAMPLES, "ci"), **env})
            with open(output, encoding="utf-8") as f:
                return got, f.read()
        build = "echo 'int main(void){return 0;}' > a.c && gcc -o a a.c && ./a && echo built"
        # It does away with what could be its verdicts; its last line is a command to the runner, and has no end.
        attack = ("rm -f tmp.*; echo before; [ -z '{0}' ] || printf ::stop-commands::mine; "
                  "/usr/bin/python3 -c 'import os; os.chroot(\"/tmp\")'; sleep 3; echo after")
        if t.wanted("ci step honest"):
            got, said = step(build, GITHUB_ACTIONS="true")
            stop, _, rest = got.stdout.partition("\n")
            word = stop.removeprefix("::stop-commands::")
            t.check("ci step honest", [] if (got.returncode, rest, said) ==
                    (0, f"built\n\n::{word}::\n", "verdict=ok\nstatus=0\n") and word != stop and len(word) > 20
                    else [got, said])
        for actions in ("true", ""):
            name = f"ci step hostile {'annotated' if actions else 'plain'}"
            if not t.wanted(name):
                continue
            got, said = step(attack.format(actions), GITHUB_ACTIONS=actions, TMPDIR=work)
            lines = got.stdout.splitlines()
            bad = [] if said == "verdict=violation\nstatus=159\n" and got.returncode == 159 else [got, said]
            if actions:
                word = lines.pop(0).removeprefix("::stop-commands::")
                if lines[1:3] != ["::stop-commands::mine", f"::{word}::"]:
                    bad.append(got.stdout)
                del lines[1:3]
            begins = "::error title=stopped by Sandgate::python3" if actions else "sandgate: python3"
            if lines[:1] != ["before"] or "after" in lines or not "".join(lines[1:2]).startswith(begins):
                bad.append(got.stdout)
            told = "\n".join(lines[1:])
            if "tried to change its root directory (chroot" not in told or "allow: [chroot]" not in told:
                bad.append(told)
            t.check(name, bad)
        if t.wanted("ci step time"):
            got, said = step("sleep 60", WALL_TIME="300ms")
            t.check("ci step time", [] if got.returncode == 124 and "limit wall_time" in got.stdout else [got, said])


def image(t, sgrun):
    """There is no container engine here: what the Dockerfile names must exist, and what it starts must work."""
    with open(os.path.join(EXAMPLES, "container/Dockerfile"), encoding="utf-8") as f:
        text = f.read().replace("\\\n", "")
    lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    bad = [f"unknown instruction {w[0]}" for w in lines
           if w[0] not in ("FROM", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD")]
    run = " ".join(w[1] for w in lines if w[0] == "RUN")
    if not os.access(os.path.join(ROOT, "scripts/install-deps"), os.X_OK) or "/src/scripts/install-deps build" not in run:
        bad.append("the build stage does not use scripts/install-deps")
    for name in ("python3-minimal",):
        if subprocess.run(["apt-cache", "show", name], capture_output=True, check=False).returncode:
            bad.append(f"there is no package {name}")
    entry = json.loads(next(w[1] for w in lines if w[0] == "ENTRYPOINT"))
    command = json.loads(next(w[1] for w in lines if w[0] == "CMD"))
    got = subprocess.run([sgrun, *command], capture_output=True, text=True, check=False, timeout=120)
    if entry != ["/usr/local/bin/sgrun"] or got.returncode != 0:
        bad += [entry, got.stdout, got.stderr]
    if t.wanted("container image"):
        t.check("container image", bad)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--sgrun", required=True)
    p.add_argument("--bin", required=True)
    p.add_argument("--daemon", required=True, help="where sgd and sgctl were built")
    p.add_argument("--only", default="", help="tests whose name contains this")
    args = p.parse_args()
    t = Tests(args.only)
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="sandgate-examples-") as work:
        os.chmod(work, 0o755)
        sgrun = shutil.copy(args.sgrun, os.path.join(work, "sgrun"))
        os.chmod(sgrun, stat.S_IRWXU | 0o055)
        clients(t, sgrun, args.bin)
        contracts(t, sgrun)
        registered(t, args.daemon)
        judge(t, sgrun)
        ci(t, sgrun)
        image(t, sgrun)
    print(f"{t.passed} passed, {t.failed} failed")
    return 1 if t.failed or not t.passed else 0


sys.exit(main())
