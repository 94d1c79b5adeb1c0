# SPDX-License-Identifier: Apache-2.0
"""Whom the program runs as: --user, sudo's caller, and what an ordinary user may not ask for."""
import os

from harness import ENV, GID, UID, LiveTest, start


class Chosen(LiveTest):
    tiers = ("bpf", "unprivileged")

    def ids(self, user=None, **how):
        p = self.probed(["--user", user] if user else [], **how)
        return p["uid"], p["gid"], p["groups"]

    def test_uid(self):
        self.assertEqual(self.ids(str(UID), extra_groups=[4, 27]), ([UID] * 3, [UID] * 3, []))

    def test_uid_and_gid(self):
        self.assertEqual(self.ids(f"{UID}:{GID}"), ([UID] * 3, [GID] * 3, []))

    def test_name(self):
        self.assertEqual(self.ids("nobody"), ([65534] * 3, [65534] * 3, []))

    def test_name_and_group(self):
        self.assertEqual(self.ids("nobody:daemon"), ([65534] * 3, [1] * 3, []))
        self.assertEqual(self.ids(f"nobody:{GID}"), ([65534] * 3, [GID] * 3, []))

    def test_root_itself(self):
        self.assertEqual(self.ids("0")[:2], ([0] * 3, [0] * 3))
        self.assertEqual(self.ids("root")[:2], ([0] * 3, [0] * 3))

    def test_root_with_another_group(self):
        self.assertEqual(self.ids(f"0:{GID}", extra_groups=[4])[:3], ([0] * 3, [GID] * 3, []))

    def test_nothing_is_left_of_root(self):
        p = self.probed(["--user", UID])
        for key in ("cap_effective", "cap_permitted", "cap_inheritable", "cap_ambient", "cap_bounding"):
            self.assertEqual(int(p[key], 16), 0, key)
        self.assertEqual(p["no_new_privs"], 1)
        self.assertEqual(p["env"][-1], "HOME=/")

    def test_keyring_of_the_session(self):
        """Who is in a session possesses its keyring: root's is not given to the user. (keyctl: 1 joins, 10 searches, -3 is the session's.)"""
        outside = ("import ctypes, os, sys; c = ctypes.CDLL(None).syscall; c(250, 1, None); "
                   "k = c(248, b'user', b'sandgate-test', b'secret', 6, -3); print(k > 0, flush=True); os.execv(sys.argv[1], sys.argv[1:])")
        inside = ["/usr/bin/python3", "-c", "import ctypes; print(ctypes.CDLL(None).syscall(250, 10, -3, b'user', b'sandgate-test', 0) > 0)"]
        for options in (["--user", UID], ["--user", UID, "--mode", "audit", "--lang", "python"]):
            with self.subTest(options=options):
                sgrun = [self.tier.sgrun, *self.tier.options, "--policy", self.policy, "--lang", "open", *map(str, options)]
                r = start(["/usr/bin/python3", "-c", outside, *sgrun, "--", *inside]).wait()
                self.assertEqual((r.status, r.text), (0, "True\nFalse\n"), r.describe())

    def test_cannot_go_back(self):
        r = self.do("call", 105, 0, "then", "call", 117, 0, 0, 0, options=["--user", UID])  # setuid, setresuid
        self.assertRan(r, "-1 1\n-1 1\n")

    def test_records_name_the_user(self):
        r = self.do("getppid", 1, lang="trap", options=["--user", UID])
        self.assertEqual(r.status, 159)
        self.assertEqual(r.kills[0]["uid"], UID)

    def test_unknown(self):
        self.assertIn("no-such-user", self.refused("--user", "no-such-user"))
        self.assertIn("no-such-group", self.refused("--user", "nobody:no-such-group"))

    def test_malformed(self):
        for bad in ("", ":", "1:", ":1", "-1", "1:-1", "4294967295", "1:4294967295", "99999999999", "0x10", "1 ",
                    "a" * 200, "1:2:3"):
            with self.subTest(bad=bad):
                self.assertIn("--user", self.refused("--user", bad))

    def test_out_of_its_reach(self):
        os.chmod(self.work, 0o700)
        program = self.own(self.act)
        r = self.run_in([program, "say", "x"], options=["--user", UID])
        self.assertEqual(r.status, 126)
        self.assertEqual(r.exit["verdict"], "error")

    def test_directory_out_of_its_reach(self):
        os.chmod(self.work, 0o700)
        self.assertIn("directory", self.refused("--user", UID, "--chdir", self.work))

    def test_signals_reach_another_user(self):
        p = self.launch([self.act, "catch", "1"], options=["--user", UID])
        self.assertTrue(p.line().startswith(b"ready"))
        p.send(15)
        self.assertEqual(p.wait().text, "got 15\n")

    def test_sgrun_killed(self):
        p = self.launch([self.own(self.act), "orphan", "30", "then", "sleep", "30"], options=["--user", UID])
        p.line()
        p.kill()
        self.assertNoSurvivor()


class Sudo(LiveTest):
    """Root by sudo was meant for the supervisor, not for the program."""

    tiers = ("bpf", "unprivileged")

    def ids(self, env, *options):
        p = self.probed(options, env={**ENV, **env})
        return p["uid"], p["gid"], p["groups"]

    def test_caller(self):
        self.assertEqual(self.ids({"SUDO_UID": str(UID), "SUDO_GID": str(GID)}), ([UID] * 3, [GID] * 3, []))

    def test_asked_for_root(self):
        self.assertEqual(self.ids({"SUDO_UID": str(UID), "SUDO_GID": str(GID)}, "--user", 0)[:2], ([0] * 3, [0] * 3))

    def test_asked_for_another(self):
        self.assertEqual(self.ids({"SUDO_UID": str(UID), "SUDO_GID": str(GID)}, "--user", 7)[0], [7] * 3)

    def test_root_by_root(self):
        self.assertEqual(self.ids({"SUDO_UID": "0", "SUDO_GID": "0"})[0], [0] * 3)

    def test_the_variables_do_not_go_along(self):
        p = self.probed(env={**ENV, "SUDO_UID": str(UID), "SUDO_GID": str(GID), "SUDO_COMMAND": "x"})
        self.assertFalse([e for e in p["env"] if e.startswith("SUDO")])


class Ordinary(LiveTest):
    tiers = ("user",)

    def test_another(self):
        for user in ("0", "root", "nobody", str(UID + 1), f"{UID}:0"):
            with self.subTest(user=user):
                self.assertIn("only root", self.refused("--user", user))

    def test_itself(self):
        self.assertEqual(self.probed(["--user", f"{UID}:{GID}"])["uid"], [UID] * 3)

    def test_sudo_variables_mean_nothing(self):
        self.assertEqual(self.probed(env={**ENV, "SUDO_UID": "0", "SUDO_GID": "0"})["uid"], [UID] * 3)
        self.assertEqual(self.probed(env={**ENV, "SUDO_UID": "7", "SUDO_GID": "7"})["uid"], [UID] * 3)
