# SPDX-License-Identifier: Apache-2.0
"""Bombs: each ends on time by the right name, leaves nothing, and the host's other processes go on."""
import ctypes
import os
import time

import harness
from limitstest import IN_LAB, Bystander, LimitsTest

WALL = "2s" if IN_LAB else "1s"  # long enough to come to what it is to do
FOR_EVER = ["--wall-time", WALL]  # for what never ends by itself
CPU = ["--cpu-time", "200ms", "--wall-time", "20s"]
MEMORY = ["--memory", "64M", "--wall-time", "20s"]
# Shared memory is slow to get in an emulated guest.
SHARED = ["--memory", "16M" if IN_LAB else "64M", "--wall-time", "90s" if IN_LAB else "20s"]

# name: arguments, options, the limit that ends it (None: it ends by itself), and limits on the way that must be reported
BOMBS = {
    "fork-bomb": ([], ["--pids", 32, *FOR_EVER], "wall_time", {"pids"}),
    "thread-bomb": ([], ["--pids", 32, *FOR_EVER], "wall_time", {"pids"}),
    "vfork-chain": ([], ["--pids", 32, *FOR_EVER], "wall_time", {"pids"}),
    "zombies": ([], ["--pids", 32, *FOR_EVER], "wall_time", {"pids"}),
    "hopper": ([], ["--pids", 32, *FOR_EVER], "wall_time", set()),
    "daemon": ([], ["--wall-time", "20s"], None, set()),
    "orphans": ([], ["--wall-time", "20s"], None, set()),
    "sleeper": ([], FOR_EVER, "wall_time", set()),
    "ignore-signals": ([], FOR_EVER, "wall_time", set()),
    "stop-itself": ([], FOR_EVER, "wall_time", set()),
    "stop-all": ([], FOR_EVER, "wall_time", set()),
    "signal-storm": ([], CPU, "cpu_time", set()),
    "busy": ([], CPU, "cpu_time", set()),
    "busy-threads": ([], CPU, "cpu_time", set()),
    "busy-children": ([], CPU, "cpu_time", set()),
    "pushy": ([], CPU, "cpu_time", set()),
    "short-lives": ([], CPU, "cpu_time", set()),
    "leader-leaves": ([], CPU, "cpu_time", set()),
    "ignore-sigxcpu": ([], CPU, "cpu_time", set()),
    "exec-loop": ([], CPU, "cpu_time", set()),
    "touch": ([], MEMORY, "memory", set()),
    "map": ([], MEMORY, "memory", set()),
    "tables": ([], MEMORY, "memory", set()),
    "shared": ([], SHARED, "memory", set()),
    "huge": ([200], MEMORY, "memory", set()),
    "children": ([4, 40], MEMORY, "memory", set()),
    "output-bomb": ([], ["--output", "100K", "--wall-time", "20s"], "output", set()),
    "output-children": ([], ["--output", "100K", "--wall-time", "20s"], "output", set()),
    "file": (["WORK"], ["--file-size", "1M", "--wall-time", "20s"], "file_size", set()),
    "sparse": (["WORK"], ["--file-size", "1M", "--wall-time", "20s"], "file_size", set()),
    "files": (["WORK"], ["--open-files", 40, "--file-size", "64K", *FOR_EVER], "wall_time", set()),
    "descriptors": ([], ["--open-files", 40, "--wall-time", "20s"], None, set()),
    "pipes": ([], ["--open-files", 40, *FOR_EVER], "wall_time", set()),
    "timers": ([], FOR_EVER, "wall_time", set()),
}


class Bombs(LimitsTest):
    def explode(self, name):
        words, options, limit, on_the_way = BOMBS[name]
        bystander = Bystander()
        self.addCleanup(bystander.close)
        r = self.bomb(name, *[w if w != "WORK" else self.work for w in words], options=options)
        time.sleep(0.1)
        gap, lives = bystander.look()
        self.assertTrue(lives, "a process of the host died")
        self.assertIsNotNone(gap, "a process of the host stands still")
        if not IN_LAB:
            self.assertLess(gap, 2, "a process of the host stood still")
        if limit:
            self.assertOver(r, limit)
        else:
            self.assertEqual((r.status, r.exit["verdict"]), (0, "ok"))
        self.assertEqual({x["limit"] for x in r.of("limit")} - {limit}, on_the_way)
        if not IN_LAB:
            self.assertLess(r.seconds, 15)
        for key in ("wall_ms", "cpu_ms", "user_ms", "system_ms"):
            self.assertGreaterEqual(r.exit[key], 0)
        self.assertAlmostEqual(r.exit["user_ms"] + r.exit["system_ms"], r.exit["cpu_ms"], delta=0.01 + r.exit["cpu_ms"] / 50)

    def test_memfd(self):
        """Memory behind a descriptor: only a controller counts it; otherwise descriptors times file size bound it."""
        over = "memory" in self.controllers
        r = self.bomb("memfd", options=["--open-files", 20, "--file-size", "16M", *(SHARED if over else [*MEMORY, *FOR_EVER])])
        self.assertOver(r, "memory" if over else "wall_time")

    def test_no_pids_limit_and_no_survivor(self):
        """Nothing counts the forks here: ending all of them is up to the kill alone."""
        r = self.bomb("hopper", options=FOR_EVER)
        self.assertOver(r, "wall_time")

    def test_mayhem(self):
        """Several at once on one host; each ends as it would alone."""
        names = ("fork-bomb", "zombies", "busy", "touch", "output-bomb", "sleeper")
        running = [(n, self.launch([self.own(self.bombs), n], options=BOMBS[n][1])) for n in names]
        for name, process in running:
            r = process.wait()
            self.last = r
            self.check_stream(r)
            self.assertOver(r, BOMBS[name][2])
        self.assertNoSurvivor()


class Dead(LimitsTest):
    def test_nobody_is_left_to_be_waited_for(self):
        """Who gets sgrun's orphans, the first process of a container, may wait for none of them: here it is this one."""
        prctl = ctypes.CDLL(None).prctl
        self.assertEqual(prctl(36, 1, 0, 0, 0), 0)  # PR_SET_CHILD_SUBREAPER
        self.addCleanup(prctl, 36, 0, 0, 0, 0)
        for _ in range(5):
            self.run_in([self.own(self.bombs), "fork-bomb"], options=["--pids", 32, "--wall-time", "300ms"])
        left = [pid for pid, name, parent in processes() if parent == os.getpid() and name == "bombs"]
        for pid in left:
            os.waitpid(pid, 0)
        self.assertEqual(left, [])


def processes():
    """(pid, name, parent) of all."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        yield int(pid), name, int(rest.split()[1])


class Locks(LimitsTest):
    tiers = ("bpf",)  # a cgroup of its own

    def test_locked_cgroups(self):
        """Programs may look into /sys/fs/cgroup, and what they lock there keeps nobody from starting, in no less a tier."""
        for user in ([], ["--user", "65534"]):
            with self.subTest(user=user):
                p = self.launch([self.own(self.bombs), "locker", harness.cgroup2_mount()], "compiled",
                                options=["--open-files", 1000, "--wall-time", "60s", *user])
                self.assertEqual(p.line(), b"ready")
                for _ in range(10 if IN_LAB else 120):
                    r = self.run_in([self.own(self.bombs), "exit"], options=user)
                    self.assertEqual((r.status, r.start["tier"]), (0, self.tier.name))
                p.kill()


def add(name):
    def test(self):
        self.explode(name)
    test.__doc__ = f"The bomb {name}."
    setattr(Bombs, "test_" + name.replace("-", "_"), test)


for bomb_name in BOMBS:
    add(bomb_name)
