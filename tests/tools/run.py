#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`sgrun policy test` and `sgrun policy drift`. run.py --sgrun PATH [--only TEXT]; the last line is `N passed, N failed`."""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SGRUN = "sgrun"


def sgrun(*words, cwd="/"):
    return subprocess.run([SGRUN, "policy", *words], capture_output=True, text=True, timeout=300, check=False, cwd=cwd,
                          env={"PATH": PATH})


class Base(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="sandgate-tools-")
        self.addCleanup(shutil.rmtree, self.work)

    def path(self, name, text=None):
        path = os.path.join(self.work, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        return path


class Test(Base):
    def test_programs_that_hold(self):
        got = sgrun("test", os.path.join(HERE, "programs"))
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        self.assertIn("ok    exec.pl: violation by execve\n", got.stdout)
        self.assertTrue(got.stdout.endswith("6 passed, 0 failed\n"), got.stdout)

    def test_a_stricter_policy(self):
        policy = self.path("p.yaml", "python: {inherit: \"builtin:python\", kill: [getrandom]}\n")
        got = sgrun("test", "--json", "--policy", policy, os.path.join(HERE, "programs"))
        rows = {r["program"]: r for r in map(json.loads, got.stdout.splitlines())}
        self.assertEqual(got.returncode, 1)
        self.assertEqual({n for n, r in rows.items() if not r["passed"]}, {"honest.py", "seven.py"})
        self.assertEqual(rows["honest.py"]["got"], "violation by getrandom")

    def test_a_looser_policy(self):
        policy = self.path("p.yaml", "perl: {inherit: \"builtin:perl\", allow: [execve]}\n")
        got = sgrun("test", "--policy", policy, os.path.join(HERE, "programs"))
        self.assertEqual(got.returncode, 1)
        self.assertIn("FAIL  exec.pl: expected violation, got ok, exit status 0\n", got.stdout)
        self.assertTrue(got.stdout.endswith("5 passed, 1 failed\n"), got.stdout)

    def test_what_has_no_comments(self):
        os.chmod(self.work, 0o755)
        shutil.copy("/bin/true", self.path("prog"))
        self.path("prog.expect", "sg-test: ok lang=compiled\n")
        got = sgrun("test", self.work)
        self.assertEqual((got.returncode, got.stdout), (0, "ok    prog: ok, exit status 0\n1 passed, 0 failed\n"))

    def test_lines_that_make_no_sense(self):
        self.path("a.py", "# sg-test: okay\n")
        self.path("b.py", "# sg-test: lang=python\n")
        self.path("c.py", "# sg-test: ok exit=1\n")
        self.path("d.py", "#!/usr/bin/python3\n# sg-test: exit=abc\n")
        self.path("e.py", "# sg-test: ok=5\n")
        self.path("f", "")
        self.path("f.expect", "sg-test: signal=9x\n")
        got = sgrun("test", self.work)
        self.assertEqual(got.returncode, 1)
        for text in ('"okay": expected ok', "the line says no outcome", '"exit=1": more than one outcome', 'got d.py:2: "exit=abc": expected exit=N',
                     'got e.py:1: "ok=5": this outcome takes no value', 'got f.expect:1: "signal=9x": expected'):
            self.assertIn(text, got.stdout)

    def test_nothing_of_a_file_drives_the_terminal(self):
        self.path("a\x1b[2J.py", "# sg-test: exit=7\x1b[2J\n")
        self.path("b\nok    b.py", "# sg-test: \x1b[2J\n")
        self.path("c\x9b.py", "# sg-test: exit=3\x9b\n")
        got = sgrun("test", self.work)
        self.assertEqual(got.returncode, 1)
        self.assertTrue(all(" " <= c and not "\x7f" <= c < "\xa0" for line in got.stdout.split("\n") for c in line), got.stdout)
        self.assertEqual(len(got.stdout.splitlines()), 4, got.stdout)

    def test_a_tier_that_there_is_not(self):
        for words in (["test", "--tier", "bogus", os.path.join(HERE, "programs")], ["drift", "--tier", "bogus"]):
            got = sgrun(*words)
            self.assertEqual((got.returncode, got.stdout, got.stderr),
                             (2, "", "sgrun policy: --tier bogus: expected auto, lsm, bpf or unprivileged\n"))

    def test_nothing_to_do(self):
        got = sgrun("test", self.work)
        self.assertEqual(got.returncode, 2)
        self.assertIn("no file there has a line", got.stderr)
        self.assertEqual(sgrun("test", "/nonexistent").returncode, 2)


class Denial(Base):
    CALL = {"type": "syscall_violation", "sandbox": "a", "language": "mine", "pid": 7, "tgid": 7, "comm": "x", "syscall": "kill",
            "syscall_nr": 62, "abi": "x86_64", "args": [9999, 15, 0, 0, 0, 0], "action": "kill", "prevented": True, "rule": None}

    def explain(self, *records, policy=None):
        stream = self.path("stream.jsonl", "".join(json.dumps(r) + "\n" for r in records))
        words = ["--policy", self.path("p.yaml", policy)] if policy else []
        got = sgrun("explain", "--denial", "--json", *words, stream)
        self.assertEqual((got.returncode, got.stderr), (0, ""))
        return [json.loads(line) for line in got.stdout.splitlines()]

    def test_what_cannot_be_judged_again_is_told_all_the_same(self):
        of_object = {**self.CALL, "type": "lsm_violation", "hook": "task_kill", "class": "signal", "object": {"target_pid": 1}}
        del of_object["args"]
        told = self.explain(of_object, self.CALL, policy="mine: {allow: [kill]}\n")
        self.assertEqual([t.get("now") for t in told], [None, "allow"])

    def test_sandboxes_that_run_at_the_same_time(self):
        calls = [{**self.CALL, "sandbox": s} for s in "abcd"]
        ends = [{"type": "exit", "sandbox": s, "verdict": "violation", "violation": {**self.CALL, "sandbox": s}} for s in "abce"]
        self.assertEqual(len(self.explain(*calls, *ends)), 5)

    def test_what_hangs_on_the_pid(self):
        def now(policy, pid):
            return self.explain({**self.CALL, "args": [pid, 15, 0, 0, 0, 0]}, policy=policy)[0]["now"]
        unsure = "depends on the pid (allow where it is of the sandbox, else kill)"
        for condition in ("pid == self", "pid in sandbox"):
            policy = f'mine: {{allow: [{{kill: "{condition}"}}]}}\n'
            self.assertEqual(now(policy, 9999), unsure, condition)
            self.assertEqual(now(policy, -1), "kill", condition)
        self.assertEqual(now(policy, 0), "allow")
        self.assertEqual(now(policy, 7), "allow")
        self.assertEqual(now('mine: {allow: [{kill: "pid == 9999"}]}\n', 9999), "allow")

    def test_nothing_of_a_record_drives_the_terminal(self):
        bad = "\x1b[2J\u009b1m\ra\nb"
        stream = self.path("stream.jsonl", json.dumps({**self.CALL, "comm": bad, "language": bad, "abi": bad, "hint": bad}) + "\n")
        got = sgrun("explain", "--denial", stream)
        self.assertEqual((got.returncode, len(got.stdout.splitlines())), (0, 2), got.stdout)
        self.assertFalse([c for c in got.stdout if ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160], got.stdout)

    def test_what_the_second_phase_makes_of_it(self):
        def told(policy):
            return self.explain(self.CALL, policy=policy)[0]
        first = 'mine: {allow: [kill], then: user}\n'
        got = told(first + 'user: {inherit: mine, kill: [kill]}\n')
        self.assertEqual((got["now"], got["then"]), ("allow", "kill"))
        self.assertEqual(got["then_by"], f'"kill" ({self.path("p.yaml")}:2)')
        self.assertNotIn("then", told(first + 'user: {inherit: mine, kill: [uname]}\n'))
        got = told('mine: {errno: {EPERM: [kill]}, then: user}\nuser: {allow: [kill]}\n')  # no gain by it
        self.assertEqual((got["now"], got.get("then")), ("errno EPERM", None))
        got = told(first + 'user: {inherit: mine, kill: [{kill: "pid != 0 and pid in sandbox"}]}\n')
        self.assertEqual((got["now"], got["then"]), ("allow", "depends on the pid (kill where it is of the sandbox, else allow)"))
        plain = sgrun("explain", "--denial", "--policy", self.path("p.yaml"), self.path("stream.jsonl")).stdout
        self.assertRegex(plain, r"\n  now: allow by .*\n  then: depends on the pid .* by .*\n\Z")
        bad = sgrun("explain", "--denial", "--policy", self.path("p.yaml", first + "user: {inherit: mine, files: {read: [/usr]}}\n"),
                    self.path("stream.jsonl"))
        self.assertEqual((bad.returncode, bad.stdout), (2, ""))


class Policies(Base):
    def test_output_that_cannot_be_written(self):
        good = self.path("good.yaml", "mine: {allow: [read]}\n")
        with open("/dev/full", "w", encoding="utf-8") as full:
            for words in (["check", good], ["list"], ["explain", good], ["diff", good, "builtin:python"]):
                got = subprocess.run([SGRUN, "policy", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(got.returncode, 2, words)
                self.assertIn("the output cannot be written", got.stderr)

    def test_what_is_said_in_vain_is_an_error(self):
        file = self.path("p.yaml", "mine: {allow: [read]}\n")
        for words, text in ((["explain", "--policy", file, "--lang", "python"], "explain: --policy has no meaning here; name the file without it"),
                            (["explain", "--denial", "--filter"], "explain: --filter has no meaning here"),
                            (["check", "--tier", "lsm", file], "check: --tier has no meaning here"),
                            (["list", "--lang", "python"], "list: --lang has no meaning here"),
                            (["diff", "--denial", file, file], "diff: --denial has no meaning here"),
                            (["explain", "builtin:python", "--lang", "perl"], "builtin:python is one language; leave out --lang perl, or builtin:python"),
                            (["check", "--lang", "perl", "builtin:python"], "builtin:python is one language; leave out --lang perl, or builtin:python"),
                            (["diff", "builtin:lua", "builtin:perl", "--lang", "php"],
                             "builtin:lua and builtin:perl are one language each; leave out --lang php"),
                            (["explain", "--lang"], "the option --lang wants a value")):
            got = sgrun(*words)
            self.assertEqual((got.returncode, got.stdout), (2, ""), words)
            self.assertIn(text, got.stderr)
        for words in (["explain", "--lang", "python"], ["explain", "--lang", "mine", file], ["check", "--lang", "mine", file],
                      ["explain", "builtin:python"], ["list", "--json"], ["diff", "--lang", "mine", file, "builtin:python"]):
            self.assertIn(sgrun(*words).returncode, (0, 1), words)

    def test_words_that_make_no_sense(self):
        for words, text in ((["chek", "x"], 'sgrun policy: there is no verb "chek"; did you mean "check"?\nusage: '),
                            (["frobnicate"], 'sgrun policy: there is no verb "frobnicate"\nusage: '),
                            (["check"], "sgrun policy check: too few words, or too many\nusage: "),
                            (["diff", "a"], "sgrun policy diff: too few words, or too many\nusage: "),
                            (["list", "x"], "sgrun policy list: too few words, or too many\nusage: ")):
            got = sgrun(*words)
            self.assertEqual((got.returncode, got.stdout), (2, ""), words)
            self.assertTrue(got.stderr.startswith(text), got.stderr)
        got = subprocess.run([SGRUN, "doctor", "x"], capture_output=True, text=True, check=False)
        self.assertEqual((got.returncode, got.stderr), (2, 'sgrun doctor: it takes no word but --json, and there is "x"\n'))
        for words in (["policy", "--help"], ["policy", "check", "--help"], ["doctor", "--help"]):
            got = subprocess.run([SGRUN, *words], capture_output=True, text=True, check=False)
            self.assertEqual((got.returncode, got.stderr), (0, ""), words)
            self.assertTrue(got.stdout.startswith("usage: sgrun policy check"), got.stdout)

    def test_check_looks_at_every_file(self):
        good, bad = self.path("good.yaml", "mine: {allow: [read]}\n"), self.path("bad.yaml", "mine: {alow: [read]}\n")
        got = sgrun("check", bad, good, self.path("none.yaml"), good)
        self.assertEqual(got.returncode, 2)
        self.assertEqual(got.stdout.count("mine: ok"), 2, got.stdout)
        self.assertIn("bad.yaml:1:8:", got.stderr)
        self.assertIn("none.yaml", got.stderr)
        self.assertEqual(sgrun("check", good, good).returncode, 0)

    def test_check_says_more_than_the_first_error(self):
        file = self.path("bad.yaml", "mine:\n  alow: [read]\n  kill: [mout]\n" + "  limits: {pids: x}\n")
        for words in (["check", file], ["explain", file], ["diff", file, "builtin:python"]):
            got = sgrun(*words)
            self.assertEqual((got.returncode, [line.split(": ")[0] for line in got.stderr.splitlines()]),
                             (2, [f"{file}:{place}" for place in ("2:3", "3:10", "4:18")]), words)
        got = sgrun("check", self.path("many.yaml", f"mine: {{allow: [{', '.join(['raed'] * 30)}]}}\n"))
        self.assertEqual(len(got.stderr.splitlines()), 21, got.stderr)
        self.assertIn("many.yaml: these are 20 errors", got.stderr.splitlines()[20])
        tree = "files: {deny: [/x], otherwise: allow}"
        got = sgrun("check", self.path("two.yaml", f"a: {{inherit: b}}\nb: {{{tree}}}\nc: {{{tree}}}\nd: {{allow: [read]}}\n"))
        self.assertEqual((got.returncode, [line.split(": ")[0] for line in got.stderr.splitlines()]),
                         (2, [self.path(f"two.yaml:{line}:20") for line in (2, 3)]))
        self.assertIn("d: ok", got.stdout)

    def test_names_that_are_not_utf_8_in_json(self):
        file = self.path("m\udcffne.yaml", 'mine: {unlisted: allow, kill: [mount], files: {read: [/usr]}}\n')
        policy = json.loads(sgrun("explain", "--json", file).stdout)
        self.assertEqual(policy["source"], self.path("m\ufffdne.yaml"))
        self.assertEqual(policy["unlisted_at"], self.path("m\ufffdne.yaml:1:18"))
        self.assertEqual({r["file"] for r in policy["rules"] + policy["object_rules"]}, {policy["source"]})
        got = json.loads(sgrun("diff", "--json", file, "builtin:python").stdout)
        self.assertEqual(got["a"]["source"], policy["source"])
        record = self.path("stream.jsonl", json.dumps(Denial.CALL) + "\n")
        got = json.loads(sgrun("explain", "--denial", "--json", "--policy", file, record).stdout)
        self.assertEqual((got["now"], got["now_by"]), ("allow", f'"unlisted: allow" ({policy["source"]}:1)'))
        os.mkdir(self.path("programs"))
        self.path("programs/p\udcff.py", "# sg-test: okay\n")
        got = json.loads(sgrun("test", "--json", self.path("programs")).stdout)
        self.assertEqual((got["program"], got["passed"]), ("p\ufffd.py", False))

    def test_diff_of_all_languages(self):
        same, one = "same: {allow: [read]}\n", "one: {allow: [read]}\n"
        a = self.path("a.yaml", same + one + "gone: {allow: [read]}\n")
        b = self.path("b.yaml", "new: {allow: [read]}\n" + one.replace("[read]", "[read, write]") + same)
        got = sgrun("diff", a, b)
        self.assertEqual(got.returncode, 1)
        self.assertRegex(got.stdout, r"\Aone:\n\+ allow +write .*\n- language gone\n\+ language new\n\Z")
        rows = [json.loads(line) for line in sgrun("diff", "--json", a, b).stdout.splitlines()]
        self.assertEqual([(r["a"] and r["a"]["name"], r["b"] and r["b"]["name"], r["differs"]) for r in rows],
                         [("same", "same", False), ("one", "one", True), ("gone", None, True), (None, "new", True)])
        self.assertEqual({tuple(sorted(r)) for r in rows}, {tuple(sorted(rows[0]))})
        self.assertEqual(sgrun("diff", a, a).returncode, 0)
        self.assertEqual(sgrun("diff", "--lang", "same", a, b).returncode, 0)

    def test_diff_of_one_language_each(self):
        a, b = self.path("a.yaml", "mine: {allow: [read]}\n"), self.path("b.yaml", "yours: {allow: [read]}\n")
        got = sgrun("diff", a, b)
        self.assertEqual((got.returncode, got.stdout), (0, ""))

    def test_the_filter_in_json(self):
        got = sgrun("explain", "--json", "--filter", "builtin:python")
        policy, text = json.loads(got.stdout), sgrun("explain", "--filter", "builtin:python").stdout
        self.assertTrue(text.endswith("\n".join(policy["filter"]) + "\n"))
        self.assertGreater(len(policy["filter"]), 100)
        self.assertNotIn("filter", json.loads(sgrun("explain", "--json", "builtin:python").stdout))


class Drift(Base):
    def library(self, *flags):
        path = self.path("new.so")
        subprocess.run(["gcc", "-shared", "-fPIC", *flags, "-o", path, os.path.join(HERE, "new_call.c")], check=True)
        os.chmod(self.work, 0o755)
        return "LD_PRELOAD=" + path

    def test_what_is_installed(self):
        for language in ("python", "javascript", "ruby", "perl", "php", "lua", "luajit"):
            got = sgrun("drift", "--lang", language)
            self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
            self.assertIn("holds", got.stdout)
            self.assertIn(" 0 break, 0 skipped", got.stdout)

    def test_a_new_call_is_named(self):
        for runtime in ("python=/usr/bin/python3", "node=/usr/bin/node", "perl=/usr/bin/perl"):
            got = sgrun("drift", "--json", "--runtime", runtime, "--env", self.library())
            self.assertEqual(got.returncode, 1, got.stdout + got.stderr)
            for row in map(json.loads, got.stdout.splitlines()):
                self.assertEqual(row["outcome"], "BREAKS")
                self.assertEqual([c["syscall"] for c in row["calls"]], ["mseal"])
                language = row["policy"]
                self.assertEqual(row["calls"][0]["policy"], f'{language}: {{inherit: "builtin:{language}", allow: [mseal]}}')

    def test_in_words(self):
        got = sgrun("drift", "--runtime", "perl=/usr/bin/perl", "--env", self.library())
        self.assertRegex(got.stdout, r"BREAKS +perl +/usr/bin/perl +start: violation by mseal\n"
                                     r" +uses mseal, which the policy does not allow; to allow it: perl: \{inherit")

    def test_a_call_that_is_refused(self):
        got = sgrun("drift", "--json", "--runtime", "perl=/usr/bin/perl", "--env", self.library("-DREFUSED"))
        self.assertEqual(got.returncode, 1, got.stdout + got.stderr)
        for row in map(json.loads, got.stdout.splitlines()):
            self.assertIn("memfd_create", [c["syscall"] for c in row["calls"]])

    def test_an_object_is_named(self):
        """Only the lsm tier sees it; where that is not to be had this is said."""
        away = tempfile.mkdtemp(prefix="sandgate-tools-", dir="/srv")  # the directory for temporary files may be written
        self.addCleanup(shutil.rmtree, away)
        path = os.path.join(away, "made")
        got = sgrun("drift", "--tier", "lsm", "--lang", "lua", "--env", f"LUA_INIT=assert(io.open('{path}', 'w'))")
        if "the lsm tier is not to be had" not in got.stdout:
            self.assertEqual(got.returncode, 1, got.stdout)
            self.assertIn(f"        uses create {path}, which the policy does not allow; to allow it: lua: {{inherit: \"builtin:lua\", files: "
                          f"{{create: [{away}]}}}}\n", got.stdout)

    def test_a_runtime_that_works_nowhere(self):
        got = sgrun("drift", "--runtime", "python=/bin/false")
        self.assertEqual(got.returncode, 2, got.stdout)
        self.assertIn("does not work here without a policy either", got.stdout)

    def test_what_does_not_start_says_why(self):
        got = sgrun("drift", "--runtime", "lua=/nonexistent")
        self.assertEqual(got.returncode, 2, got.stdout)
        self.assertIn("error: cannot run /nonexistent: no such program", got.stdout)
        self.assertNotIn("without a policy", got.stdout)

    def test_more_than_there_is_room_for(self):
        got = sgrun("drift", *["--runtime", "lua=/usr/bin/lua5.4"] * 17)
        self.assertEqual((got.returncode, got.stdout), (2, ""))
        self.assertIn("--runtime lua=/usr/bin/lua5.4: at most 16 of them", got.stderr)

    def test_nothing_is_left(self):
        before = set(os.listdir("/tmp"))
        sgrun("drift", "--lang", "lua")
        left = {n for n in set(os.listdir("/tmp")) - before if n.startswith("sandgate-drift-")}
        self.assertFalse(left)

    def test_nothing_is_left_by_one_that_is_ended(self):
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            before = set(os.listdir("/tmp"))
            with subprocess.Popen([SGRUN, "policy", "drift", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PATH": PATH}) as p:
                p.stdout.readline()
                left = {n for n in set(os.listdir("/tmp")) - before if n.startswith("sandgate-drift-")}
                if sig == signal.SIGPIPE:
                    p.stdout.close()
                else:
                    p.send_signal(sig)
                self.assertEqual(p.wait(30), -sig)
            self.assertTrue(left)
            self.assertFalse(left & set(os.listdir("/tmp")))

    def test_all_that_is_given(self):
        got = sgrun("drift", "--json", "--tier", "unprivileged", "--lang", "lua", *[w for i in range(15) for w in ("--env", f"V{i}=1")],
                    "--env", self.library(), "--runtime", "perl=/usr/bin/perl")
        self.assertEqual({r["outcome"] for r in map(json.loads, got.stdout.splitlines())}, {"BREAKS"}, got.stdout)

    def test_an_alias(self):
        got = sgrun("drift", "--lang", "py")
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        self.assertIn("holds   python", got.stdout)

    def test_a_language_that_there_is_not(self):
        for words in (["--lang", "pyhton"], ["--runtime", "perl=/usr/bin/perl", "--runtime", "pyhton=/usr/bin/python3"]):
            got = sgrun("drift", *words)
            self.assertEqual((got.returncode, got.stdout), (2, ""))
            self.assertIn(f'{words[-2]}: unknown language "pyhton"; did you mean "python"?', got.stderr)
        self.assertIn("no programs to try", sgrun("drift", "--runtime", "c=/bin/true").stderr)

    def test_options(self):
        self.assertIn("expected LANGUAGE=PATH", sgrun("drift", "--runtime", "python").stderr)


def main():
    global SGRUN
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--sgrun", required=True)
    p.add_argument("--only", default="")
    args = p.parse_args()
    SGRUN = os.path.abspath(args.sgrun)
    passed = failed = 0
    for suite in unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]):
        for test in suite:
            if args.only not in test.id():
                continue
            result = unittest.TestResult()
            test.run(result)
            bad = [text for _, text in result.failures + result.errors]
            passed, failed = passed + (not bad), failed + bool(bad)
            print(f"{'FAIL' if bad else 'ok  '}  {test.id().split('.', 1)[1]}", *bad, sep="\n      " if bad else "", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
