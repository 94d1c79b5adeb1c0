#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/ with the programs it is for: promtool, amtool, systemd-analyze, Prometheus and Alertmanager from Debian. The end-to-end
test runs a daemon of its own (own socket, pins, state, ports on 127.0.0.1), breaks a policy under it, and waits for the alert
in Alertmanager's API. run.py --sgrun PATH --sgd PATH; the last line is `N passed, N failed`."""
import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

import yaml

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DEPLOY = os.path.join(TOP, "deploy")
SGRUN = SGD = None
# What the daemon's metrics may be called; a rule or panel that names anything else can never show anything.
OURS = re.compile(r"\b(?:sandgate|ebpf)_[a-z_]+\b")


def run(*args, **kw):
    return subprocess.run(args, capture_output=True, text=True, timeout=120, **kw)


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in what))


def path(*parts):
    return os.path.join(DEPLOY, *parts)


def dashboard_expressions():
    with open(path("grafana", "sandgate.json")) as f:
        dashboard = json.load(f)
    return [(p["title"], t["expr"].replace("$instance", ".*")) for p in dashboard["panels"] for t in p["targets"]]


# ---- files by themselves ----

def test_rules_are_valid():
    r = run("promtool", "check", "rules", path("prometheus", "rules.yml"))
    check(r.returncode == 0, r.stdout, r.stderr)


def test_rules_do_what_they_say():
    r = run("promtool", "test", "rules", path("prometheus", "rules_test.yml"))
    check(r.returncode == 0, r.stdout, r.stderr)


def test_a_wrong_rule_would_be_noticed():
    with tempfile.TemporaryDirectory() as d:
        shutil.copy(path("prometheus", "rules_test.yml"), d)
        with open(path("prometheus", "rules.yml")) as f:
            text = f.read()
        check("unless" in text, "no rule for the first violation")
        with open(os.path.join(d, "rules.yml"), "w") as f:
            f.write(re.sub(r"\n *or \(ebpf_syscall_violations_total[^\n]*", "", text))
        check(run("promtool", "test", "rules", os.path.join(d, "rules_test.yml")).returncode != 0, "the tests test nothing")


def test_every_rule_has_a_test():
    with open(path("prometheus", "rules.yml")) as f:
        names = {r["alert"] for g in yaml.safe_load(f)["groups"] for r in g["rules"]}
    with open(path("prometheus", "rules_test.yml")) as f:
        tested = {a["alertname"] for t in yaml.safe_load(f)["tests"] for a in t["alert_rule_test"]}
    check(names - tested <= {"SandgateObjectViolation"}, "untested:", names - tested)
    check({"SyscallViolationDetected", "HighViolationRate"} <= names, names)


def test_prometheus_configuration():
    r = run("promtool", "check", "config", path("prometheus", "prometheus.yml"))
    check(r.returncode == 0, r.stdout, r.stderr)


def test_alertmanager_configuration():
    file = path("alertmanager", "alertmanager.yml")
    r = run("amtool", "check-config", file)
    check(r.returncode == 0, r.stdout, r.stderr)
    for labels, receiver in ((["alertname=SyscallViolationDetected", "syscall=ptrace"], "security"),
                             (["alertname=SandgateDown"], "operators")):
        r = run("amtool", "config", "routes", "test", "--config.file", file, *labels)
        check(r.stdout.strip() == receiver, labels, r.stdout, r.stderr)


def test_unit_file():
    with tempfile.TemporaryDirectory() as d:
        with open(path("systemd", "sgd.service")) as f:
            text = f.read()
        # Verified with a program that exists: where it will be installed is not where it was built.
        program = os.path.join(d, "sgd")
        shutil.copy("/bin/true", program)
        check("ExecStart=/usr/sbin/sgd " in text, "ExecStart")
        unit = os.path.join(d, "sgd.service")
        with open(unit, "w") as f:
            f.write(text.replace("/usr/sbin/sgd", program))
        r = run("systemd-analyze", "verify", "--man=no", unit)
        check(r.returncode == 0 and "sgd.service" not in r.stderr, r.stderr)
        # What programs launched through the daemon would inherit, and namespaces in which no client is (systemd.exec(5)).
        for word in ("SystemCall", "Restrict", "MemoryDeny", "LockPersonality", "Protect", "Private", "OOMScoreAdjust", "Nice", "RootDirectory"):
            check(not any(line.startswith(word) for line in text.splitlines()), word)


def test_manifests():
    with open(path("kubernetes", "sandgate.yaml")) as f:
        docs = {d["kind"]: d for d in yaml.safe_load_all(f)}
    check(set(docs) == {"Namespace", "ServiceAccount", "ConfigMap", "DaemonSet", "Service"}, set(docs))
    pod = docs["DaemonSet"]["spec"]["template"]["spec"]
    box = pod["containers"][0]
    check(pod["hostPID"] is True and "hostNetwork" not in pod, "host namespaces")
    security = box["securityContext"]
    check(security["privileged"] is False and security["capabilities"]["drop"] == ["ALL"], security)
    check({"BPF", "PERFMON"} <= set(security["capabilities"]["add"]), security)
    check("SYS_ADMIN" not in security["capabilities"]["add"], "SYS_ADMIN")
    check(security["appArmorProfile"] == {"type": "Unconfined"}, "the default profile forbids bpffs")
    mounts = {m["mountPath"]: m["name"] for m in box["volumeMounts"]}
    for where in ("/sys/fs/bpf", "/sys/fs/cgroup", "/sys/kernel/btf", "/etc/sandgate", "/run/sandgate"):
        check(where in mounts, where)
    check(set(mounts.values()) == {v["name"] for v in pod["volumes"]}, "volumes and mounts differ")
    config = yaml.safe_load(docs["ConfigMap"]["data"]["sgd.yaml"])
    ports = {p["name"]: p["containerPort"] for p in box["ports"]}
    check(config["metrics-port"] == ports["metrics"] != 9100, "metrics port", config, ports)
    check(docs["DaemonSet"]["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(ports["metrics"]), "port")
    labels = docs["DaemonSet"]["spec"]["template"]["metadata"]["labels"]
    for selector in (docs["DaemonSet"]["spec"]["selector"]["matchLabels"], docs["Service"]["spec"]["selector"]):
        check(selector.items() <= labels.items(), "selector", selector)
    for probe in ("livenessProbe", "readinessProbe"):
        check(box[probe]["httpGet"]["port"] == "metrics", probe)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(docs["ConfigMap"]["data"]["policy.yaml"])
        f.flush()
        r = run(SGRUN, "policy", "check", f.name)
        check(r.returncode == 0, r.stderr)


def test_image_context():
    """No container engine here: what the image copies is in the tree, and its dependencies are the install script's."""
    with open(path("docker", "Dockerfile")) as f:
        lines = [line.split() for line in f if line.strip() and not line.startswith("#")]
    for words in lines:
        if words[0] == "COPY" and not words[1].startswith("--"):
            check(os.path.exists(os.path.join(TOP, words[1])), words)
    entry = next(json.loads(" ".join(w[1:])) for w in lines if w[0] == "ENTRYPOINT")
    check(any(w[0] == "COPY" and w[-1] == entry[0] for w in lines), entry)
    check(os.access(path("docker", "entrypoint"), os.X_OK), "entrypoint is not executable")


def test_image_entry_point():
    entry = path("docker", "entrypoint")
    with tempfile.TemporaryDirectory() as d:
        fake = os.path.join(d, "sgd")
        with open(fake, "w") as f:
            f.write('#!/bin/sh\necho "started $*"\n')
        os.chmod(fake, 0o755)
        env = {"PATH": os.environ["PATH"], "SANDGATE_SGD": fake, "SANDGATE_BPFFS": os.path.join(d, "nothing"),
               "SANDGATE_CGROUP": "/proc/self/nothing"}
        r = run(entry, env=env)
        check(r.returncode == 1 and "no bpf file system on" in r.stderr and "cannot be written" in r.stderr, r)
        with private_mounts(d) as (bpffs, cgroup):
            env.update(SANDGATE_BPFFS=bpffs, SANDGATE_CGROUP=cgroup)
            r = run("mount", "-o", "remount,bind,ro", bpffs)
            check(r.returncode == 0, r)
            r = run(entry, env=env)
            check(r.returncode == 1 and f"{bpffs} cannot be written" in r.stderr and "apparmor=unconfined" in r.stderr, r)
            run("mount", "-o", "remount,bind,rw", bpffs)
            r = run(entry, "--config", "x", env=env)
            check(r.returncode == 0 and r.stdout == "started --config x\n", r)


@contextlib.contextmanager
def private_mounts(d):
    """A bpffs of the test's own; the cgroup2 mount is the host's, only looked at."""
    bpffs = os.path.join(d, "bpf")
    os.mkdir(bpffs)
    subprocess.run(["mount", "-t", "bpf", "bpf", bpffs], check=True)
    try:
        with open("/proc/mounts") as f:
            yield bpffs, next(line.split()[1] for line in f if line.split()[2] == "cgroup2")
    finally:
        subprocess.run(["umount", bpffs], check=True)


def test_dashboard():
    with open(path("grafana", "sandgate.json")) as f:
        dashboard = json.load(f)
    ids = [p["id"] for p in dashboard["panels"]]
    check(len(ids) == len(set(ids)) > 10, "panel ids")
    for p in dashboard["panels"]:
        at = p["gridPos"]
        check(at["x"] + at["w"] <= 24 and p["title"] and p["targets"], p["title"])


# ---- the package ----

def test_packaged_configuration():
    """It starts the daemon also where another program has the default port: as node-exporter does."""
    with tempfile.TemporaryDirectory() as d, socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # then somebody has it already
            taken.bind(("127.0.0.1", 9100))
            taken.listen()
        with open(path("deb", "sgd.yaml")) as f:
            text = f.read()
        check("group: sandgate\n" in text and "log: /var/log/sandgate/" in text, text)
        with open(os.path.join(d, "sgd.yaml"), "w") as f:
            f.write(text.replace("group: sandgate\n", "").replace("/var/log/sandgate", d))
        sgd = subprocess.Popen([SGD, "--config", f.name, "--socket", d + "/sgd.sock", "--state", d + "/state", "--bpffs", "none",
                                "--cgroup", f"sandgate-test-{os.getpid()}"], stderr=subprocess.PIPE, text=True)
        said = []
        for line in sgd.stderr:
            said.append(line)
            if "listens at" in line:
                break
        sgd.terminate()
        sgd.communicate(timeout=60)
        check("listens at" in said[-1] and any("no metrics" in line for line in said), said)


def test_package():
    with tempfile.TemporaryDirectory() as d:
        r = subprocess.run([os.path.join(TOP, "scripts", "deb"), d], capture_output=True, text=True, timeout=600)
        check(r.returncode == 0, r.stdout, r.stderr)
        package = r.stdout.strip().splitlines()[-1]
        root = os.path.join(d, "root")
        check(run("dpkg-deb", "-x", package, root).returncode == 0, package)
        # Not essential, and where postinst has its groupadd from.
        depends = run("dpkg-deb", "-f", package, "Depends").stdout
        check("passwd" in depends.split(", ") and "libc6 (" in depends, depends)
        sgrun = os.path.join(root, "usr/bin/sgrun")
        version = os.path.basename(package).split("_")[1]
        for program in ("usr/bin/sgrun", "usr/bin/sgctl", "usr/sbin/sgd"):
            r = run(os.path.join(root, program), "--version")
            check((r.returncode, r.stdout) == (0, f"{os.path.basename(program)} {version}\n"), r)
        r = run(sgrun, "--lang", "c", "--verdicts", "/dev/null", "--", "/bin/echo", "from the package")
        check((r.returncode, r.stdout) == (0, "from the package\n"), r)
        # Linked statically on purpose (docs/architecture.md); the changelog is the project's own.
        r = run("lintian", "--allow-root", "--fail-on", "error", "--suppress-tags",
                "embedded-library,syntax-error-in-debian-changelog", package)
        check(r.returncode == 0, r.stdout, r.stderr)
        manual_pages(os.path.join(root, "usr/share/man"))
        completion(os.path.join(root, "usr/share/bash-completion/completions/sgrun"), os.path.join(root, "usr/bin"))


def test_purge():
    """What is the daemon's stays when the package is removed, and goes with its configuration."""
    with open(os.path.join(TOP, "scripts", "deb")) as f:
        check("deploy/deb/postrm" in f.read(), "postrm is not in the package")
    with tempfile.TemporaryDirectory() as d:
        places = [os.path.join(d, p) for p in ("var/log/sandgate", "run/sandgate", "sys/fs/bpf/sandgate")]
        for place in places:
            os.makedirs(os.path.join(place, "below"))
        with open(path("deb", "postrm")) as f:
            text = f.read()
        for at in ("/var/", "/run/", "/sys/"):
            text = text.replace(f" {at}", f" {d}{at}")
        for action in ("remove", "upgrade", "purge"):
            check(all(map(os.path.isdir, places)), "gone before", action)
            r = run("sh", "-c", text, "postrm", action)
            check(r.returncode == 0 and not r.stderr, r)
        check(not any(map(os.path.exists, places)), "left behind")


def manual_pages(where):
    pages = [os.path.join(at, f) for at, _, files in os.walk(where) for f in files]
    check(any(p.endswith("/sgrun.1.gz") for p in pages), pages)
    for page in pages:
        r = run("man", "--warnings", "-l", page, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100"})
        check(r.returncode == 0 and not r.stderr and "Synopsis" in r.stdout, page, r.stderr)


def test_completion():
    completion(os.path.join(TOP, "completions/sandgate.bash"), f"{os.path.dirname(SGRUN)}:{os.path.dirname(SGD)}")


def completion(file, programs):
    script = """
. "$1"
complete_words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "_$1" "$1"; printf '%s\n' "${COMPREPLY[@]}"; echo .; }
PATH=$2:$PATH
complete_words sgrun --lang py
complete_words sgrun --wall
complete_words sgrun doc
complete_words sgrun --tier unp
complete_words sgrun policy ""
complete_words sgctl s
complete_words sgctl policy m
complete_words sgrun --on-supervisor-death ""
"""
    r = run("bash", "-c", script, "bash", file, programs)
    words = [part.split() for part in r.stdout.split(".\n")]
    check("python" in words[0] and words[1] == ["--wall-time"] and words[2] == ["doctor"] and words[3] == ["unprivileged"], words,
          r.stderr)
    check(words[4] == ["check", "diff", "drift", "explain", "list", "merge", "test"] and words[5] == ["show", "status"] and
          words[6] == ["merge"] and sorted(words[7]) == ["keep", "kill"], words, r.stderr)


# ---- end to end ----

def free_ports(n):
    with contextlib.ExitStack() as held:  # all of them at a time, so that they differ
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(n)]
        return [s.getsockname()[1] for s in sockets]


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as r:
            return r.read().decode()
    except (OSError, urllib.error.URLError):
        return None


def wait_for(what, probe, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = probe()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} s")


class Stack:
    """The daemon, Prometheus and Alertmanager, each on a free loopback port, with the files of deploy/."""

    def __init__(self, d):
        self.dir, self.processes = d, []
        self.metrics, self.prometheus, self.alertmanager = free_ports(3)
        self.socket = os.path.join(d, "sgd.sock")

    def start(self, name, *args):
        log = open(os.path.join(self.dir, name + ".log"), "wb")
        p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir)
        log.close()
        self.processes.append((name, p))

    def config(self, source, target, **changes):
        with open(path(*source)) as f:
            text = f.read()
        for old, new in changes.values():
            check(old in text, source, old)
            text = text.replace(old, new)
        with open(os.path.join(self.dir, target), "w") as f:
            f.write(text)

    def __enter__(self):
        shutil.copy(path("prometheus", "rules.yml"), self.dir)
        self.config(("prometheus", "prometheus.yml"), "prometheus.yml", a=("127.0.0.1:9093", f"127.0.0.1:{self.alertmanager}"),
                    b=("127.0.0.1:9100", f"127.0.0.1:{self.metrics}"), c=("_interval: 15s", "_interval: 1s"))
        self.config(("alertmanager", "alertmanager.yml"), "alertmanager.yml")
        self.start("sgd", SGD, "--socket", self.socket, "--state", os.path.join(self.dir, "state"),
                   "--bpffs", os.path.join(self.dir, "bpffs"), "--log", os.path.join(self.dir, "verdicts.jsonl"),
                   "--metrics-port", str(self.metrics))
        self.start("alertmanager", "prometheus-alertmanager", f"--web.listen-address=127.0.0.1:{self.alertmanager}",
                   "--config.file=alertmanager.yml", "--storage.path=alertmanager", "--cluster.listen-address=")
        self.start("prometheus", "prometheus", f"--web.listen-address=127.0.0.1:{self.prometheus}",
                   "--config.file=prometheus.yml", "--storage.tsdb.path=prometheus", "--log.level=warn")
        return self

    def __exit__(self, kind, *rest):
        for _, p in reversed(self.processes):
            p.send_signal(signal.SIGTERM)
        for name, p in reversed(self.processes):
            try:
                p.wait(60)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            if kind:
                with open(os.path.join(self.dir, name + ".log"), errors="replace") as f:
                    print(f"---- {name}\n{f.read()[-2000:]}")

    def query(self, expr):
        text = fetch(f"http://127.0.0.1:{self.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        return json.loads(text)["data"]["result"] if text else []

    def sgrun(self, *args):
        return run(SGRUN, "--daemon", self.socket, *args)


def test_from_violation_to_alert():
    with tempfile.TemporaryDirectory(prefix="sg-deploy-") as d:
        bpffs = os.path.join(d, "bpffs")
        os.mkdir(bpffs)
        subprocess.run(["mount", "-t", "bpf", "bpf", bpffs], check=True)
        try:
            with Stack(d) as s:
                end_to_end(s)
        finally:
            subprocess.run(["umount", bpffs], check=True)


def end_to_end(s):
    wait_for("/readyz", lambda: fetch(f"http://127.0.0.1:{s.metrics}/readyz"))
    check(fetch(f"http://127.0.0.1:{s.metrics}/healthz") == "ok\n", "/healthz")
    text = fetch(f"http://127.0.0.1:{s.metrics}/metrics")
    r = run("promtool", "check", "metrics", input=text)
    check(r.returncode == 0, r.stdout, r.stderr)
    wait_for("Prometheus", lambda: s.query('up{job="sandgate"} == 1'))
    wait_for("Alertmanager", lambda: fetch(f"http://127.0.0.1:{s.alertmanager}/api/v2/status"))
    honest = s.sgrun("--verdicts", os.path.join(s.dir, "honest"), "--", "/usr/bin/python3", "-c", "print(6 * 7)")
    check((honest.returncode, honest.stdout) == (0, "42\n"), honest)
    hostile = s.sgrun("--verdicts", os.path.join(s.dir, "hostile"), "--", "/usr/bin/python3", "-c",
                      "import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)")
    check(hostile.returncode == 159, hostile)
    wait_for("the violation in Prometheus",
             lambda: s.query('ebpf_syscall_violations_total{language="python",syscall="ptrace"} == 1'))
    alerts = f"http://127.0.0.1:{s.alertmanager}/api/v2/alerts"
    alert = wait_for("the alert in Alertmanager", lambda: next(
        (a for a in json.loads(fetch(alerts) or "[]") if a["labels"]["alertname"] == "SyscallViolationDetected"), None))
    check(alert["labels"]["syscall"] == "ptrace" and alert["labels"]["language"] == "python", alert)
    check("disallowed syscall ptrace" in alert["annotations"]["description"], alert)
    check([r["name"] for r in alert["receivers"]] == ["security"], alert)
    names = set(OURS.findall(fetch(f"http://127.0.0.1:{s.metrics}/metrics")))
    with open(path("prometheus", "rules.yml")) as f:
        missing = set(OURS.findall(f.read())) - names
    check(not missing, "rules name metrics that are not there:", missing)
    for title, e in dashboard_expressions():
        wait_for(f"data for the panel {title}: {e}", lambda e=e: s.query(e))  # rates need two samples


def main():
    global SGRUN, SGD
    p = argparse.ArgumentParser()
    p.add_argument("--sgrun", required=True, type=os.path.abspath)
    p.add_argument("--sgd", required=True, type=os.path.abspath)
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    SGRUN, SGD = a.sgrun, a.sgd
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_") or (a.names and name not in a.names):
            continue
        start = time.monotonic()
        try:
            test()
            passed += 1
            print(f"ok    {name}  {time.monotonic() - start:.1f} s", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL  {name}\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
