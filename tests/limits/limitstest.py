# SPDX-License-Identifier: Apache-2.0
"""What the tests of limits share: what this host has, the bombs, and what must be true after each."""
import os
import subprocess
import sys
import time

import harness
from harness import LiveTest

M = 1 << 20
IN_LAB = "SG_VM_KERNEL" in os.environ  # emulated: time says nothing there


class LimitsTest(LiveTest):
    # The third, root without BPF, differs in nothing that matters here; --tier unprivileged runs it.
    tiers = LiveTest.tiers if "--tier" in sys.argv else ("bpf", "user")
    limit = 240
    bombs = None  # path

    @property
    def controllers(self):
        """What sandboxes of this tier get of cgroup v2."""
        if self.tier.name == "user":
            return set()
        with open(os.path.join(harness.cgroup2_mount(), "cgroup.subtree_control")) as f:
            return set(f.read().split())

    def command(self, argv, lang="open", policy="", options=(), tier_options=None):
        if lang == "open" and not policy:
            policy = os.path.join(self.work, "open.yaml")
            if not os.path.exists(policy):
                self.write("open.yaml", "open: {unlisted: allow}\n")
        return super().command(argv, lang, policy, options, tier_options)

    def bomb(self, name, *words, **how):
        how.setdefault("options", [])
        how.setdefault("timeout", 100 if IN_LAB else 60)
        r = self.run_in([self.own(self.bombs), name, *map(str, words)], **how)
        self.assertNoSurvivor()
        if r.records and r.start["cgroup_id"]:
            self.assertEqual(harness.sandbox_cgroups(self.sgrun_pid(r)), [])
        return r

    @staticmethod
    def sgrun_pid(r):
        return int(r.start["sandbox"].split("-")[0])

    def assertOver(self, r, limit, value=None):
        """It ended by this limit, and everything says so."""
        verdict, status = {"wall_time": ("time_limit", 124), "cpu_time": ("time_limit", 124), "memory": ("memory_limit", 137),
                           "output": ("output_limit", 153), "file_size": ("output_limit", 153)}[limit]
        self.assertEqual((r.exit["verdict"], r.exit.get("limit"), r.status), (verdict, limit, status))
        ended = [x for x in r.of("limit") if x["limit"] != "pids"]
        self.assertEqual([x["limit"] for x in ended], [limit])
        if value is not None:
            self.assertEqual(ended[0]["value"], value)
        self.assertEqual(r.exit["integrity"], "complete", r.exit["reasons"])


class Bystander:
    """A process of the host beside the sandboxes: it must not notice them but for being slower."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import os, time\nlast = time.monotonic()\nwhile True:\n"
             " time.sleep(0.01)\n pid = os.fork()\n if not pid: os._exit(7)\n"
             " assert os.waitpid(pid, 0)[1] == 7 << 8\n now = time.monotonic()\n"
             " os.write(1, b'%.3f\\n' % (now - last)); last = now"],
            stdout=subprocess.PIPE, bufsize=0)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.rest = b""
        self.gaps = []
        end = time.monotonic() + 60
        while not self.gaps and time.monotonic() < end:
            self.look()
            time.sleep(0.01)

    def look(self):
        """The longest time between two heartbeats since the last look, and whether it lives."""
        data = self.rest + (self.process.stdout.read() or b"")
        lines, self.rest = data.rsplit(b"\n", 1) if b"\n" in data else (b"", data)
        self.gaps = [float(x) for x in lines.split()]
        return max(self.gaps, default=None), self.process.poll() is None

    def close(self):
        self.process.kill()
        self.process.communicate()
