#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a sandbox costs: medians of interleaved runs, and their ratio to the same thing bare. Prints Markdown.

run.py --sgrun FILE --bench FILE [--sgd FILE] [--runs N] [--rounds N] [--only launch|calls|daemon|audit]

Asserts nothing about time. Needs root; everything is started from a mount namespace of its own, in which cgroup v2
alone is mounted in the usual place, as on a Debian 12 that has just been installed (crun refuses anything else).
"""
import argparse
import collections
import contextlib
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

NOBODY = 65534
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/"}
STRACE = ["/usr/bin/strace", "--seccomp-bpf", "-f", "-e", "trace=ptrace", "-o", "/dev/null"]
BWRAP = ["/usr/bin/bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
FIREJAIL = ["/usr/bin/firejail", "--noprofile", "--quiet"]


def own_mounts():
    """From here on only this process and its children see what is mounted."""
    if not os.environ.get("SANDGATE_BENCH_NAMESPACE"):
        os.environ["SANDGATE_BENCH_NAMESPACE"] = "1"
        os.execv("/usr/bin/unshare", ["unshare", "--mount", "--propagation", "private", "--", sys.executable, *sys.argv])
    subprocess.run(["/usr/bin/umount", "-R", "/sys/fs/cgroup"], check=True)
    subprocess.run(["/usr/bin/mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"], check=True)


def crun(work, name, command):
    """An OCI bundle for command. Its root file system is put together by crun, in crun's own mount namespace: nothing is
    mounted below work in any namespace in which work is removed again."""
    bundle = os.path.join(work, name)
    rootfs = os.path.join(bundle, "rootfs")
    for directory in ("usr", "proc", "dev", "sys", "tmp"):
        os.makedirs(os.path.join(rootfs, directory))
    for link in ("bin", "sbin", "lib", "lib64"):
        os.symlink("usr/" + link, os.path.join(rootfs, link))
    subprocess.run(["/usr/bin/crun", "spec"], cwd=bundle, check=True, capture_output=True)
    path = os.path.join(bundle, "config.json")
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    config["process"].update(terminal=False, args=command, rlimits=[])
    config["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["bind", "ro"]})
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    return ["/usr/bin/crun", "--cgroup-manager=disabled", "run", "-b", bundle, "sandgate-bench-" + name]


@contextlib.contextmanager
def work_directory():
    """A temporary directory that is only emptied when nothing is mounted in it."""
    work = tempfile.mkdtemp(prefix="sandgate-bench.")
    # An ordinary user must reach what lies in it, whatever the directory of the build allows.
    os.chmod(work, 0o755)
    try:
        yield work
    finally:
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            if work in f.read():
                sys.exit(f"bench: something is mounted below {work}; left as it is")
        shutil.rmtree(work)


def drive(bench, *args):
    """Runs the clock; returns {name: [ns, ...]} or the reason why not."""
    r = subprocess.run([bench, *map(str, args)], env=ENV, capture_output=True, text=True)
    if r.returncode:
        return None, r.stderr.strip().split("\n")[-1]
    samples = collections.defaultdict(list)
    for line in r.stdout.splitlines():
        name, ns = line.split("\t")
        samples[name].append(float(ns))
    return samples, None


def row(name, samples, bare, unit, digits):
    median = statistics.median(samples)
    tenths = statistics.quantiles(samples, n=10)
    print(f"| {name} | {median / unit:.{digits}f} | {tenths[0] / unit:.{digits}f} to {tenths[-1] / unit:.{digits}f} "
          f"| {median / statistics.median(bare):.2f} |")


def launch(o, work):
    for title, lang, command in (("/bin/true", "c", ["/bin/true"]),
                                 ("/usr/bin/python3 -c pass", "python", ["/usr/bin/python3", "-c", "pass"])):
        sgrun = [o.sgrun, "--lang", lang]
        contenders = {
            "bare": (0, command),
            "sgrun, unprivileged tier, ordinary user": (NOBODY, [*sgrun, "--tier", "unprivileged", "--", *command]),
            "sgrun, unprivileged tier, root": (0, [*sgrun, "--tier", "unprivileged", "--", *command]),
            "sgrun, bpf tier": (0, [*sgrun, "--tier", "bpf", "--", *command]),
            "sgrun, bpf tier, --stats": (0, [*sgrun, "--tier", "bpf", "--stats", "--", *command]),
            "bubblewrap": (0, [*BWRAP, *command]),
            "firejail": (0, [*FIREJAIL, *command]),
            "crun": (0, crun(work, lang, command)),
            "strace --seccomp-bpf": (0, [*STRACE, *command]),
        }
        names, args, refused = list(contenders), [], []
        for i, name in enumerate(names):
            one = [f"+{i}", contenders[name][0], *contenders[name][1]]
            result, why = drive(o.bench, "launch", 1, *one)
            if result is None:
                # The program's own words are better than the clock's.
                r = subprocess.run(contenders[name][1], env=ENV, capture_output=True, text=True)
                refused.append((name, (r.stderr.strip().split("\n")[-1] or why)))
            else:
                args += one
                if i < 2: # the program by itself and in a sandbox also in the way that copies no page table
                    args += [f"%vfork-{i}", *one[1:]]
        samples, why = drive(o.bench, "launch", o.runs, *args)
        if samples is None:
            sys.exit(f"bench: {why}")
        print(f"\n### Launch of `{title}`: ms, {o.runs} interleaved runs of each\n")
        print("| under | median | 10th to 90th percentile | ratio to bare |\n|---|---|---|---|")
        vfork = {i: samples.pop(f"vfork-{i}") for i in (0, 1) if f"vfork-{i}" in samples}
        for i, ns in samples.items():
            row(names[int(i)], ns, samples["0"], 1e6, 2)
        for i, ns in vfork.items():
            row(names[i] + ", by vfork (ratio to the same bare)", ns, vfork[0], 1e6, 2)
        for name, why in refused:
            print(f"| {name} | cannot run here: {why} | | |")


@contextlib.contextmanager
def beside(work, command):
    """A sandbox that runs meanwhile."""
    verdicts = os.path.join(work, "beside")
    p = subprocess.Popen([*command, "--verdicts", verdicts, "--", "/bin/sleep", "600"], env=ENV)
    try:
        for _ in range(500):
            if os.path.exists(verdicts) and os.path.getsize(verdicts):
                break
            time.sleep(0.01)
        else:
            sys.exit("bench: the sandbox beside did not start")
        yield
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait()
        os.unlink(verdicts)


@contextlib.contextmanager
def hooked(o):
    """A program on sys_enter that does nothing: what any program there costs, on this machine."""
    with subprocess.Popen([o.bench, "hook", "600"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        if p.stdout.readline() != b"attached\n":
            sys.exit("bench: no program can be attached to sys_enter")
        yield
        p.stdin.close()


def calls(o, work):
    sgrun = [o.sgrun, "--lang", "c"]
    bpf = [*sgrun, "--tier", "bpf"]
    inside = {
        "bare": [],
        "inside, unprivileged tier": [*sgrun, "--tier", "unprivileged", "--"],
        "inside, bpf tier": [*bpf, "--"],
        "inside, bpf tier, --stats": [*bpf, "--stats", "--"],
        "under strace --seccomp-bpf": STRACE,
    }
    outside = {
        "outside, while a bpf-tier sandbox runs": bpf,
        "outside, while a sandbox with --stats runs": [*bpf, "--stats"],
    }
    empty = "an empty program on sys_enter, no sandbox"
    samples = {name: collections.defaultdict(list) for name in [*inside, *outside, empty]}

    def once(name, prefix):
        got, why = drive(*[*prefix, o.bench, "calls", 5])
        if got is None:
            sys.exit(f"bench: {name}: {why}")
        for call, ns in got.items():
            samples[name][call] += ns

    for _ in range(o.rounds):
        for name, prefix in inside.items():
            once(name, prefix)
        for name, command in outside.items():
            with beside(work, command):
                once(name, [])
        with hooked(o):
            once(empty, [])
    for call in samples["bare"]:
        print(f"\n### `{call}`: ns a call, {o.rounds} interleaved rounds of 5 times 20,000 calls\n")
        print("| where | median | 10th to 90th percentile | ratio to bare |\n|---|---|---|---|")
        for name, got in samples.items():
            row(name, got[call], samples["bare"][call], 1, 0)


@contextlib.contextmanager
def sgd(o, work):
    """A daemon of our own; its socket and its log."""
    bpf, socket, log = (os.path.join(work, x) for x in ("bpf", "sgd.sock", "sgd.log"))
    os.mkdir(bpf)
    subprocess.run(["/usr/bin/mount", "-t", "bpf", "-o", "mode=0700", "bpf", bpf], check=True)
    p = subprocess.Popen([o.sgd, "--socket", socket, "--log", log, "--bpffs", os.path.join(bpf, "sandgate"), "--state",
                          os.path.join(work, "state"), "--cgroup", f"sandgate-bench-{os.getpid()}", "--metrics-port", "0"], env=ENV)
    try:
        for _ in range(1500):
            if p.poll() is not None:
                sys.exit("bench: sgd did not start")
            # Whoever connects is answered when it is up.
            if os.path.exists(socket) and subprocess.run([o.sgrun, "--lang", "c", "--daemon", socket, "--", "/bin/true"], env=ENV,
                                                         capture_output=True).returncode == 0:
                break
            time.sleep(0.02)
        yield socket, log
    finally:
        p.terminate()
        p.wait()
        subprocess.run(["/usr/bin/umount", bpf], check=True)
        shutil.rmtree(bpf)
        shutil.rmtree(os.path.join(work, "state"), ignore_errors=True)


def batch(work, through, jobs, runs):
    """A contender: one sgrun for all of them."""
    path = os.path.join(work, f"jobs.{jobs}")
    with open(path, "w", encoding="utf-8") as f:
        f.write("{}\n" * (jobs * runs))
    return ["=batch", 0, *through, "--jobs", jobs, "--batch", path, "--", "/bin/true"]


def per_call(o, prefix):
    got, why = drive(*prefix, o.bench, "calls", 5)
    if got is None:
        sys.exit(f"bench: {why}")
    return got["getppid"]


def daemon(o, work):
    with sgd(o, work) as (socket, _):
        through = [o.sgrun, "--lang", "c", "--daemon", socket, "--tier", "bpf"]
        # An option that is not spelt out is not one of those that a launch is known by: all of these are made anew.
        anew = [o.sgrun, "--lan", "c", "--daemon", socket, "--tier", "bpf"]
        contenders = ["+bare", 0, "/bin/true", "+sgrun, as before", 0, *through, "--", "/bin/true", "+sgrun, anew", 0, *anew, "--", "/bin/true"]
        one, two = (batch(work, through, jobs, 40) for jobs in (1, 2))
        for title, args in ((f"Launch of `/bin/true` through sgd: ms, {o.runs} interleaved runs of each", ["launch", o.runs, *contenders]),
                            ("One at a time: ms a launch, 20 interleaved rounds of 40", ["rate", 1, 40, *contenders, *one]),
                            ("`-j2`: ms a launch, 20 interleaved rounds of 2 times 40", ["rate", 2, 40, *contenders, *two])):
            samples, why = drive(o.bench, *args)
            if samples is None:
                sys.exit(f"bench: {why}")
            print(f"\n### {title}\n\n| what | median | 10th to 90th percentile | ratio to bare |\n|---|---|---|---|")
            for name, ns in samples.items():
                row(name, ns, samples["bare"], 1e6, 2)
        print(f"\n### A call beside N other sandboxes: ns, {o.rounds} rounds of 5 times 20,000 getppid\n")
        print("| others | median | 10th to 90th percentile | ratio to none |\n|---|---|---|---|")
        alone = [x for _ in range(o.rounds) for x in per_call(o, [*through, "--"])]
        row("0", alone, alone, 1, 0)
        held = []
        try:
            for _ in range(o.others):
                held.append(subprocess.Popen([*through, "--verdicts", "/dev/null", "--", "/bin/sleep", "3600"], env=ENV,
                                             stdin=subprocess.DEVNULL))
            time.sleep(5)
            row(str(o.others), [x for _ in range(o.rounds) for x in per_call(o, [*through, "--"])], alone, 1, 0)
        finally:
            for p in held:
                p.terminate()
            for p in held:
                p.wait()


def tally(path, start):
    """Records of audited calls, and how many are said to be lost of the ring buffer or the log."""
    there = lost = 0
    with open(path, encoding="utf-8") as f:
        f.seek(start)
        for line in f:
            there += '"type":"audit"' in line
            if '"type":"lost"' in line and '"what":"stream"' not in line:
                lost += json.loads(line)["count"]
    return there, lost


def audit(o, work):
    """Every call is recorded: how many arrive, and what the program feels of it."""
    policy, stream = os.path.join(work, "audit.yaml"), os.path.join(work, "audit")
    with open(policy, "w", encoding="utf-8") as f:
        f.write("audited: {unlisted: allow, audit: [getppid]}\n")
    calls = 400000
    print(f"\n### {calls} audited calls of getppid\n")
    print("| by | one every, ns | ns a call | recorded | lost, as counted | recorded a second |\n|---|---|---|---|---|---|")
    with sgd(o, work) as (socket, log):
        for name, options, path in (("sgrun, to a file", ["--daemon", "off", "--verdicts", stream], stream),
                                    ("sgd, to its log", ["--daemon", socket, "--verdicts", "/dev/null"], log)):
            for interval in (0, 3000, 4000, 5000):
                start = os.path.getsize(path) if os.path.exists(path) else 0
                begin = time.monotonic()
                got, why = drive(o.sgrun, "--lang", "audited", "--policy", policy, "--tier", "bpf", *options, "--", o.bench,
                                 "flood", calls, interval)
                took = time.monotonic() - begin
                if got is None:
                    sys.exit(f"bench: {why}")
                there, lost = tally(path, start)
                if there + lost != calls:
                    sys.exit(f"bench: {there} recorded and {lost} lost of {calls}")
                print(f"| {name} | {interval or 'at once'} | {got['getppid'][0]:.0f} | {there} | {lost} | {there / took:.0f} |")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--sgrun", required=True)
    p.add_argument("--bench", required=True)
    p.add_argument("--sgd")
    p.add_argument("--others", type=int, default=1000)
    p.add_argument("--runs", type=int, default=200)
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--only", choices=("launch", "calls", "daemon", "audit"))
    o = p.parse_args()
    own_mounts()
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu = next((x.split(": ")[1].strip() for x in f if x.startswith("model name")), "?")
    print(f"Linux {platform.release()}, {cpu}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}", flush=True)
    with work_directory() as work:
        o.sgrun, o.bench = shutil.copy(o.sgrun, work), shutil.copy(o.bench, work)
        for name, part in (("launch", launch), ("calls", calls), ("daemon", daemon), ("audit", audit)):
            if o.only in (None, name) and (o.sgd or part not in (daemon, audit)):
                part(o, work)


if __name__ == "__main__":
    main()
