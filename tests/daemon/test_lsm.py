# SPDX-License-Identifier: Apache-2.0
"""The lsm tier through sgd, where BPF LSM is to be had: run.py --lsm, in the kernel lab."""
import json
import os
import subprocess

from harness import NOBODY, until

PYTHON = "/usr/bin/python3"
SECRET = "/var/log"  # no built-in policy names it, and its mode lets everybody list it
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


def test_another_process_is_out_of_reach(daemon):
    r = daemon.run("--require", "lsm", "--lang", "python", "--", PYTHON, "-c", "open('/proc/1/environ')", timeout=120)
    assert r.returncode == 159, (r.returncode, r.stderr)
    kill = [v for v in daemon.records(type="lsm_violation", action="kill")][-1]
    assert kill["class"] == "trace" and kill["prevented"], kill


def test_nothing_passes_while_there_is_no_daemon(daemon, rounds=1):
    """An attacker loops over a forbidden operation while sgd is killed and started again. Its last act kills it."""
    for _ in range(rounds):
        flag = os.path.join("/tmp", os.path.basename(daemon.work) + ".flag")
        out = os.path.join(daemon.work, "out")
        code = LOOPS % {"flag": flag, "secret": SECRET}
        # The program holds the descriptor too, so it is no pipe that we read.
        with open(out, "w", encoding="utf-8") as f:
            subprocess.run(
                [daemon.sgrun, "--daemon", daemon.socket, "--verdicts", "/dev/null", "--detach", "--require", "lsm", "--read",
                 "/tmp", "--lang", "python", "--", PYTHON, "-c", code],
                stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.DEVNULL, timeout=120, check=True, cwd="/tmp")
        with open(out, encoding="utf-8") as f:
            name = f.readline().strip()
        assert until(lambda n=name: daemon.records(sandbox=n, type="lsm_violation"), 60)
        daemon.crash()
        daemon.start()
        with open(flag, "w", encoding="ascii"):
            pass
        try:
            assert until(lambda n=name: daemon.records(sandbox=n, type="exit"), 120), daemon.errors()
        finally:
            os.unlink(flag)
        with open(out, encoding="utf-8") as f:
            assert f.read() == name + "\ntries True\n"
        kills = daemon.records(sandbox=name, type="lsm_violation", action="kill")
        assert len(kills) == 1, kills
        assert not [b for b in daemon.listed() if b["id"] == name]


def test_nothing_is_kept_for_what_is_gone(daemon):
    for _ in range(3):
        assert daemon.run("--require", "lsm", "--lang", "c", "--", "/bin/true", timeout=120).returncode == 0
    fds = "/proc/%d/fd" % daemon.process.pid
    before = len(os.listdir(fds))
    assert daemon.run("--require", "lsm", "--lang", "c", "--", "/bin/true", timeout=120).returncode == 0
    assert until(lambda: len(os.listdir(fds)) <= before), (before, os.listdir(fds))
