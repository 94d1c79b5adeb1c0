# SPDX-License-Identifier: Apache-2.0
"""Each limit is met where it is set, not before and not long after; what was used is told; no end is taken for another."""
import errno
import os
import resource
import signal
import time

import harness
from limitstest import IN_LAB, M, LimitsTest


class Memory(LimitsTest):
    def test_below(self):
        self.assertRan(self.bomb("huge", 40, options=["--memory", "64M"]), "40\n")

    def test_above(self):
        r = self.bomb("touch", options=["--memory", "64M", "--wall-time", "20s"])
        self.assertOver(r, "memory", 64 * M)
        peak = r.exit["peak_memory"]
        if "memory" in self.controllers:
            self.assertTrue(60 * M <= peak <= 64 * M, peak)
        else:
            # looked at from outside: a loaded machine may look late
            self.assertTrue(64 * M <= peak <= 400 * M, peak)

    def test_peak(self):
        peak = self.bomb("huge", 40, options=["--memory", "100M"]).exit["peak_memory"]
        self.assertTrue(40 * M <= peak <= 60 * M, peak)

    def test_the_peak_is_not_sgruns_own(self):
        """Whose memory the program shared until it was executed: 32 MB to learn by BPF."""
        learnt = os.path.join(self.work, "learnt.yaml")
        r = self.run_in(["/bin/true"], "compiled", None, ["--learn", learnt])
        self.assertRan(r)
        self.assertLess(r.exit["peak_memory"] or 0, 8 * M)

    def test_reserving_is_not_using(self):
        self.assertRan(self.bomb("reserve", 4096, options=["--memory", "64M"]), "reserved\n")

    def test_shared_after_a_fork_counts_once(self):
        self.assertRan(self.bomb("copies", 6, 40, options=["--memory", "64M"]), "shared\n")

    def test_the_whole_sandbox(self):
        """No process is over the limit."""
        r = self.bomb("children", 4, 40, options=["--memory", "100M", "--wall-time", "20s"])
        self.assertOver(r, "memory", 100 * M)

    def test_of_a_process_without_its_first_thread(self):
        r = self.bomb("leader-memory", 200, options=["--memory", "64M", "--wall-time", "20s"])
        self.assertOver(r, "memory", 64 * M)

    def test_deep_down(self):
        r = self.bomb("deep-memory", 80, 200, options=["--memory", "64M", "--wall-time", "20s"])
        self.assertOver(r, "memory", 64 * M)

    def test_lent_to_a_child(self):
        """A child of vfork has no memory of its own."""
        self.assertRan(self.bomb("lend", 40, options=["--memory", "64M"]), "lent\n")

    def test_of_a_member_of_many_groups(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        identity = {"user": self.tier.uid, "group": self.tier.gid, "extra_groups": list(range(200000, 201000))}
        r = self.bomb("huge", 200, options=["--memory", "64M", "--wall-time", "20s"], identity=identity)
        self.assertOver(r, "memory", 64 * M)

    def test_what_is_given_back(self):
        self.assertRan(self.bomb("tide", 40, options=["--memory", "64M"]), "ebb\n")

    def test_mechanism(self):
        by = self.bomb("exit", 0, options=["--memory", "64M"]).start["limit_mechanisms"]["memory"]
        self.assertEqual(by.startswith("cgroup"), "memory" in self.controllers, by)


class Tasks(LimitsTest):
    def test_exactly(self):
        self.assertRan(self.bomb("forks", 20, options=["--pids", 8]), f"7 {errno.EAGAIN}\n")
        self.assertRan(self.bomb("forks", 7, options=["--pids", 8]), "7 0\n")

    def test_deep_down(self):
        self.assertRan(self.bomb("deep-forks", 80, 40, options=["--pids", 100]), f"19 {errno.EAGAIN}\n")

    def test_callers_without_a_processor(self):
        """One that was let through and did not get there yet counts. There are 25 tasks and room for 5."""
        r = self.bomb("starved", 20, options=["--pids", 30])
        self.assertEqual(r.status, 0)
        self.assertLessEqual(int(r.out), 5)

    def test_audited_forks_count(self):
        """A fork that is to be recorded is one that is counted, and recorded once, by whichever layer saw it."""
        policy = self.write("audit.yaml", "a: {unlisted: allow, audit: [clone, clone3, fork, vfork, {kill: pid in sandbox}]}\n")
        # what the kernel recorded may come after what the supervisor says of the limit
        r = self.bomb("forks", 20, options=["--pids", 8], lang="a", policy=policy, check=False)
        self.assertRan(r, f"7 {errno.EAGAIN}\n")
        forks = [x for x in r.of("audit") if x["syscall"] in ("clone", "clone3", "fork", "vfork")]
        refused = r.start["limit_mechanisms"]["pids"].startswith("cgroup") or forks[0]["layer"] == "seccomp"
        self.assertEqual(len(forks), 7 + refused, [x["layer"] for x in forks])

    def test_peak(self):
        r = self.bomb("forks", 5, options=["--pids", 20])
        self.assertEqual(r.exit["peak_pids"], 6)

    def test_ended_and_not_waited_for(self):
        r = self.bomb("zombies", options=["--pids", 20, "--wall-time", "4s" if IN_LAB else "2s"])
        self.assertEqual(r.out, b"19\n")

    def test_ended_and_gone(self):
        self.assertRan(self.bomb("no-zombies", options=["--pids", 20], timeout=40), "100\n")

    def test_mechanism(self):
        by = self.bomb("exit", 0, options=["--pids", 20]).start["limit_mechanisms"]["pids"]
        self.assertEqual(by.startswith("cgroup"), "pids" in self.controllers, by)


class Descent(LimitsTest):
    """Without a cgroup a sandbox's processes are found in /proc: where that cannot be, nothing runs."""

    tiers = ("user",)

    def refused_in(self, *prefix):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        marker = os.path.join(self.work, "ran")
        line = self.command(["/usr/bin/touch", marker], options=["--pids", 20])
        user = ["/usr/bin/setpriv", f"--reuid={self.tier.uid}", f"--regid={self.tier.gid}", "--clear-groups"]
        self.last = harness.start([*prefix, *user, *line]).wait()
        self.assertEqual(self.last.status, 125)
        self.assertFalse(os.path.exists(marker), "the program ran")
        self.assertIn("mount -t proc", self.last.errors)

    def test_one_after_the_other(self):
        """Each starts the next one and ends: nobody but sgrun waits for it, so it is no reason to refuse one more."""
        script = 'hop() { if [ $1 -gt 0 ]; then hop $(($1 - 1)) & else echo end; fi; }; hop 60 | cat'
        r = self.run_in(["/bin/sh", "-c", script], options=["--pids", 12, "--wall-time", "60s"])
        self.assertRan(r, "end\n")
        self.assertEqual(r.of("limit"), [])

    def test_proc_of_another_pid_namespace(self):
        self.refused_in("/usr/bin/unshare", "--pid", "--fork")

    def test_no_proc(self):
        self.refused_in("/usr/bin/unshare", "--mount", "/bin/sh", "-c", 'umount -l /proc && exec "$@"', "sh")


class Files(LimitsTest):
    def test_descriptors(self):
        self.assertRan(self.bomb("descriptors", options=["--open-files", 40]), f"37 {errno.EMFILE}\n")

    def test_file_size(self):
        r = self.bomb("file", self.work, options=["--file-size", "1M"])
        self.assertOver(r, "file_size", M)
        self.assertEqual([os.path.getsize(os.path.join(self.work, f)) for f in os.listdir(self.work) if f.startswith("f.")],
                         [M])

    def test_sparse(self):
        self.assertOver(self.bomb("sparse", self.work, options=["--file-size", "1M"]), "file_size", M)


class Stack(LimitsTest):
    def test_below(self):
        self.assertRan(self.bomb("stack", 512, options=["--stack", "1M"]), "deep 1\n")

    def test_above(self):
        r = self.bomb("stack", 2048, options=["--stack", "1M"])
        self.assertEqual((r.exit["verdict"], r.exit["signal"], r.status), ("signal", signal.SIGSEGV, 139))

    def test_without_end(self):
        r = self.bomb("stack", options=["--stack", "8M"])
        self.assertEqual((r.exit["verdict"], r.exit["signal"]), ("signal", signal.SIGSEGV))


class CpuTime(LimitsTest):
    def test_below(self):
        self.assertRan(self.bomb("spin", 100, options=["--cpu-time", "250ms"]))

    def test_sleep_is_free(self):
        self.assertOver(self.bomb("sleeper", options=["--cpu-time", "100ms", "--wall-time", "500ms"]), "wall_time", 500)

    def test_told(self):
        r = self.bomb("spin", 200)
        self.assertTrue(200 <= r.exit["cpu_ms"] <= 300, r.exit["cpu_ms"])
        self.assertGreaterEqual(r.exit["wall_ms"], 200)
        r = self.bomb("busy", options=["--cpu-time", "200ms"])
        self.assertGreater(r.exit["user_ms"], r.exit["system_ms"], "a loop that calls nothing")

    def test_processors_count_each(self):
        """Two threads use the same time in half of it."""
        r = self.bomb("busy-threads", 2, options=["--cpu-time", "300ms"])
        self.assertOver(r, "cpu_time", 300)
        self.assertLessEqual(300, r.exit["cpu_ms"])


class Cpus(LimitsTest):
    def test_share(self):
        free = self.launch([self.own(self.bombs), "busy"], options=["--wall-time", "2s"])  # how much there is to be had
        r = self.run_in([self.own(self.bombs), "busy"], options=["--cpus", "0.25", "--wall-time", "2s"])
        there = free.wait().exit["cpu_ms"]
        self.last = r
        if self.tier.name == "user":
            self.assertIn("limit cpus", " ".join(r.start["degraded"]))
            return
        self.assertOver(r, "wall_time")
        # 0.5 s are its share; a burst and a period of 100 ms on top of it
        self.assertTrue(r.exit["cpu_ms"] <= 650, r.exit["cpu_ms"])
        if not IN_LAB:
            self.assertTrue(r.exit["cpu_ms"] >= min(250, there / 4), (r.exit["cpu_ms"], there))
        self.assertEqual(r.start["limits"]["millicpus"], 250)

    def test_of_threads_together(self):
        r = self.bomb("busy-threads", 4, options=["--cpus", "0.5", "--wall-time", "2s"])
        if self.tier.name != "user":
            self.assertTrue(r.exit["cpu_ms"] <= 1250, r.exit["cpu_ms"])

    def test_more_than_needed_slows_nobody(self):
        r = self.bomb("spin", 100, options=["--cpus", "64"])
        self.assertRan(r)

    def test_ends_while_held(self):
        """A sandbox that is held back can be ended all the same."""
        r = self.bomb("busy-children", options=["--cpus", "0.01", "--wall-time", "300ms"])
        self.assertOver(r, "wall_time")


class Names(LimitsTest):
    """No end is taken for another, with every limit set and far away."""

    far = ["--memory", "500M", "--cpu-time", "60s", "--wall-time", "60s", "--output", "1M", "--file-size", "10M", "--pids", 50]

    def test_exits(self):
        for code in (0, 1, 124, 125, 126, 127, 137, 153, 159):
            r = self.bomb("exit", code, options=self.far)
            self.assertEqual((r.status, r.exit["verdict"], r.exit["exit_code"]), (code, "ok", code))

    def test_signals(self):
        for sig in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGSYS):
            r = self.bomb("raise", int(sig), options=self.far)
            self.assertEqual((r.exit["verdict"], r.exit["signal"], r.status), ("signal", sig, 128 + sig))

    def test_violation(self):
        policy = self.write("no.yaml", "no: {unlisted: allow, kill: [dup]}\n")
        r = self.bomb("descriptors", options=self.far, lang="no", policy=policy)
        self.assertEqual((r.exit["verdict"], r.status), ("violation", 159))

    def test_of_the_policy(self):
        policy = self.write("own.yaml", "own:\n  unlisted: allow\n  limits: {cpu_time: 150ms, memory: 90M, output: 2K, cpus: 1.5}\n")
        r = self.bomb("busy", lang="own", policy=policy)
        self.assertOver(r, "cpu_time", 150)
        self.assertEqual(r.start["limits"], {"cpu_time_ms": 150, "memory": 90 * M, "output": 2048, "millicpus": 1500})
        self.assertOver(self.bomb("output-bomb", lang="own", policy=policy), "output", 2048)
        self.assertOver(self.bomb("busy", lang="own", policy=policy, options=["--cpu-time", "90ms"]), "cpu_time", 90)
        # an emulated processor may take longer for the memory than it is given
        r = self.bomb("huge", 200, lang="own", policy=policy, options=["--cpu-time", "20s"])
        self.assertOver(r, "memory", 90 * M)


class Required(LimitsTest):
    def test_controllers(self):
        for limit, controller in (("memory", "memory"), ("pids", "pids"), ("cpus", "cpu")):
            options = ["--require-limits", "--" + limit, "64M" if limit == "memory" else "20"]
            if controller in self.controllers:
                self.assertRan(self.bomb("exit", 0, options=options))
                continue
            r = self.run_in([self.bombs, "exit", "0"], options=options, check=False)
            self.assertEqual(r.status, 125)
            self.assertIn(f"no {controller} controller", r.errors)
            self.assertRegex(r.errors, "systemd|mount|boot")
            self.assertEqual(r.exit["verdict"], "error")

    def test_what_needs_none(self):
        self.assertRan(self.bomb("exit", 0, options=["--require-limits", "--wall-time", "9s", "--cpu-time", "9s", "--output", "1M",
                                                      "--file-size", "1M", "--open-files", 20, "--stack", "1M"]))


class Unseen(LimitsTest):
    tiers = ("bpf",)

    def without_descriptors(self, program, options, seconds, *policy):
        """sgrun can open nothing for so long while that runs."""
        running = self.launch(["/usr/bin/python3", "-c", f"print('ready', flush=True)\n{program}"], *policy, options=options)
        self.assertEqual(running.line(), b"ready")
        soft, hard = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
        free = set(range(1024)) - set(map(int, os.listdir(f"/proc/{running.pid}/fd")))
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (min(free), hard))
        time.sleep(seconds)
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (soft, hard))
        self.last = r = running.wait()
        return r

    REASON = "limits: what the sandbox uses could not be looked at: Too many open files; raise the limit of open files (ulimit -n)"

    def test_out_of_descriptors_memory(self):
        r = self.without_descriptors("import time; time.sleep(1)", ["--memory", "900M"], 0.5)
        if "memory" in self.controllers:
            self.assertEqual((r.exit["verdict"], r.exit["reasons"]), ("ok", []), r.describe())
        else:
            self.assertEqual((r.exit["verdict"], r.exit["reasons"]), ("memory_limit", [self.REASON]), r.describe())

    def test_out_of_descriptors_processor_time(self):
        """What cannot be looked at by the way of the program's is not its fault."""
        program = "import os\nfor _ in range(2): os.fork()\nwhile True: pass"
        r = self.without_descriptors(program, ["--cpu-time", "1s", "--wall-time", "60s"], 3)
        self.assertEqual((r.exit["verdict"], r.exit["limit"], r.exit["reasons"]), ("time_limit", "cpu_time", [self.REASON]), r.describe())


    def test_out_of_descriptors_kill(self):
        """It ends all the same: its first process at once, the others as soon as they can be reached."""
        policy = self.write("no.yaml", "no: {unlisted: allow, kill: [mkdir]}\n")
        program = "import os, time\nif not os.fork():\n  if os.fork(): time.sleep(60)\n  time.sleep(1)\n  os.mkdir('x')\ntime.sleep(60)"
        r = self.without_descriptors(program, ["--wall-time", "10s"], 3, "no", policy)
        self.assertEqual((r.exit["verdict"], r.status), ("violation", 159), r.describe())
        self.assertLess(r.exit["wall_ms"], 2900)
        self.assertNoSurvivor(2)


class Supervisor(LimitsTest):
    def test_killed_while_its_sandbox_has_lost_first_threads(self):
        """cgroup.kill does not reach a process whose first thread has ended; the guard must."""
        running = self.launch([self.own(self.bombs), "headless"], verdicts=None)
        self.assertEqual(running.line(), b"ready")
        running.kill()
        self.assertNoSurvivor()
        self.assertTrue(harness.wait_until(lambda: not harness.sandbox_cgroups(running.pid)))
