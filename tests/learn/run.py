#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sgrun --learn over real programs: the learnt policy runs each as it ran bare, and kills each hostile variant of it.

run.py --sgrun PATH [--tier bpf|unprivileged] [--only TEXT]       the last line is `N passed, N failed`

A hostile variant is the program itself with one call at its end that the program never made. Run bare it prints
ATTACKED, which is the control. Where libc makes other calls on the way to that one, the first that is new kills.
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in ("tests/hostile", "tests/real"):
    sys.path.insert(0, os.path.join(ROOT, folder))
sys.dont_write_bytecode = True
import catalogue  # noqa: E402
import sgtest  # noqa: E402

PY = "import atexit as _a, os as _o\n_a.register(lambda: {})\n"
JS = "process.on('exit', () => {{ {}; require('fs').writeSync(1, 'ATTACKED\\n'); }});\n"
SAY = "_o.write(1, b'ATTACKED\\n')"

# program -> how it is made hostile: (text before it, text after it) or the attack of attack.c; and the call it dies by
VARIANTS = {
    "python/threads.py": ((PY.format("_o.execv('/bin/echo', ['echo', 'ATTACKED'])"), ""), "execve"),
    "python/files.py": ((PY.format(f"(_o.chroot('/proc/self/root/'), {SAY})"), ""), "chroot"),
    "python/classes.py": ((PY.format(f"(__import__('socket').socket(), {SAY})"), ""), "socket|epoll_create1"),
    "python/json_regex.py": ((PY.format(f"(_o.setuid(_o.getuid()), {SAY})"), ""), "setuid"),
    "python/*1": ((PY.format(f"(__import__('mmap').mmap(-1, 4096, prot=7), {SAY})"), ""), "mmap"),
    "python/*2": ((PY.format(f"(_o.kill(_o.getppid(), 0), {SAY})"), ""), "kill|getppid"),
    "python/*3": ((PY.format(f"(_o.mkfifo('fifo-made'), {SAY})"), ""), "mknod|mknodat"),
    "python/*4": ((PY.format(f"(_o.getxattr('/', 'user.x') if 0 else _o.sched_setaffinity(0, {{0}}), {SAY})"), ""),
                  "sched_setaffinity"),
    "javascript/*1": ((JS.format("require('child_process').spawnSync('/bin/true')"), ""), "clone|vfork|socketpair|pipe2"),
    "javascript/*2": ((JS.format("process.setuid(process.getuid())"), ""), "setuid|tgkill"),
    "javascript/*3": ((JS.format("require('fs').symlinkSync('x', 'link-' + process.pid)"), ""), "symlink"),
    "ruby/*1": (("at_exit { exec '/bin/echo', 'ATTACKED' }\n", ""), "execve"),
    "ruby/*2": (("at_exit { Process.kill(0, Process.ppid); STDOUT.syswrite(\"ATTACKED\\n\") }\n", ""), "kill|getppid"),
    "perl/*1": (("END { exec '/bin/echo', 'ATTACKED' }\n", ""), "execve"),
    "perl/*2": (("END { $! = 0; syscall(135, 0x40000) >= 0 and syswrite(STDOUT, \"ATTACKED\\n\") }\n", ""),
                "personality"),
    "php/*1": (("<?php register_shutdown_function(function () { echo shell_exec('/bin/echo ATTACKED'); }); ?>", ""),
               "pipe2|vfork|clone|fork|pipe|socketpair|execve"),
    "lua/*1": (("", "\nos.execute('/bin/echo ATTACKED')\n"), "clone|vfork|fork|rt_sigaction|rt_sigprocmask"),
    "luajit/*1": (("", "\nos.execute('/bin/echo ATTACKED')\n"), "clone|vfork|fork|rt_sigaction|rt_sigprocmask"),
    "c/fileops.c": ("execve", "execve"),
    "c/pthreads.c": ("ptrace", "ptrace"),
    "c/heap.c": ("socket", "socket"),
    "c/jumps.c": ("personality", "personality"),
    "cpp/containers.cpp": ("mmap", "mmap"),
}


def resolve():
    """[(program, variant, call)]: a star with a number is the language's next program that nothing else names."""
    named = {n for n in VARIANTS if "*" not in n}
    every = {p.name: p for p in catalogue.programs()}
    rest = {}
    for p in every.values():
        if p.name not in named and not p.stdin and p.status == 0 and (not p.build):
            rest.setdefault(p.language.name, []).append(p)
    out = []
    for name, (how, call) in VARIANTS.items():
        language, _, star = name.partition("/*")
        if star:
            out.append((rest[language][int(star) - 1], how, call))
        elif name in every:
            out.append((every[name], how, call))
    return out


class Case:
    def __init__(self, sgrun, tier, work, program, how):
        self.sgrun, self.tier, self.p, self.how = sgrun, tier, program, how
        self.base = os.path.join(work, program.name.replace("/", "-"))
        self.policy = self.base + ".yaml"
        self.build()

    def build(self):
        """The honest and the hostile program, each in a directory of its own under the same name."""
        for kind in ("honest", "hostile"):
            place = f"{self.base}-{kind}"
            os.makedirs(place)
            with open(self.p.path, encoding="utf-8") as f:
                text = f.read()
            if kind == "hostile" and isinstance(self.how, tuple):
                first = text.splitlines(keepends=True)[0]
                keep = first if first.startswith(("#!", "# -*-")) else ""
                text = keep + self.how[0] + text[len(keep):] + self.how[1]
            with open(os.path.join(place, self.p.file), "w", encoding="utf-8") as f:
                f.write(text)
            if self.p.build:
                line = self.p.command(self.p.build, os.path.join(place, "prog"))
                if kind == "hostile":
                    attack = os.path.join(place, "attack.o")
                    subprocess.run(["gcc", "-D_GNU_SOURCE", f"-DATTACK={self.how}", "-c", "-o", attack,
                                    os.path.join(HERE, "attack.c")], check=True, env=sgtest.ENV)
                    line.append(attack)
                subprocess.run(line, cwd=place, check=True, env=sgtest.ENV)

    def run(self, kind, *options):
        """(status, stdout, records or None). The program runs in a copy of its directory."""
        source, place = f"{self.base}-{kind}", f"{self.base}-run"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(source, place)
        line = self.p.command(self.p.run, os.path.join(place, "prog"))
        env = {**sgtest.ENV, "HOME": place, "TMPDIR": place}
        if not options:
            got = subprocess.run(line, cwd=place, capture_output=True, check=False, env=env, timeout=60,
                                 start_new_session=True,  # as inside
                                 input=(self.p.stdin or "").encode())
            return got.returncode, got.stdout, None
        verdicts = self.base + ".verdicts"
        if os.path.exists(verdicts):
            os.unlink(verdicts)
        line = [self.sgrun, "--tier", self.tier, "--verdicts", verdicts, "--env", f"HOME={place}", "--env",
                f"TMPDIR={place}", *options, "--", *line]
        got = subprocess.run(line, cwd=place, capture_output=True, check=False, env=env, timeout=120,
                             input=(self.p.stdin or "").encode())
        with open(verdicts, "rb") as f:
            records, garbage = sgtest.read_records(f.read())
        return got.returncode, got.stdout, records if not garbage else garbage

    def complaints(self, call):
        bare = self.run("honest")
        control = self.run("hostile")
        if b"ATTACKED" not in control[1]:
            return [f"control: the hostile variant does nothing bare: {control[:2]}"]
        bad = []
        lang = ["--lang", self.p.policy]
        for _ in range(2):
            got = self.run("honest", "--learn", self.policy, *lang)
            if got[:2] != bare[:2] or got[2][-1]["verdict"] != "ok" or got[2][-1]["integrity"] != "complete":
                bad.append(f"learning: {got[0]}, {got[1][-200:]!r}, {got[2][-1]}")
        check = subprocess.run([self.sgrun, "policy", "check", self.policy], capture_output=True, text=True, check=False)
        if check.returncode:
            return bad + [check.stderr]
        got = self.run("honest", "--policy", self.policy, *lang)
        if got[:2] != bare[:2] or got[2][-1]["verdict"] != "ok":
            bad.append(f"under what was learnt: {got[0]}, {got[1][-200:]!r}, {json.dumps(got[2][-1])}")
        got = self.run("hostile", "--policy", self.policy, *lang)
        killed = (got[2][-1].get("violation") or {}).get("syscall")
        if got[0] != 159 or killed not in call.split("|") or b"ATTACKED" in got[1]:
            bad.append(f"hostile: {got[0]}, killed by {killed}, {got[1][-200:]!r}")
        return bad


def current_umask():
    old = os.umask(0o22)
    os.umask(old)
    return old


class More:
    """Merging, --from, and what is refused."""

    def __init__(self, sgrun, tier, work):
        self.sgrun, self.tier, self.work = sgrun, tier, work

    def path(self, name):
        return os.path.join(self.work, name)

    def sgrun_(self, *words):
        return subprocess.run([self.sgrun, *words], capture_output=True, text=True, check=False, timeout=60,
                              env=sgtest.ENV)

    def learn(self, name, code, *options):
        return self.sgrun_("--tier", self.tier, "--verdicts", self.path("v.jsonl"), "--learn", self.path(name), *options,
                           "--", "/usr/bin/python3", "-c", code)

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def merge(self, *names):
        got = self.sgrun_("policy", "merge", *[self.path(n) for n in names])
        assert got.returncode == 0, got.stderr
        return got.stdout

    def test_order(self):
        codes = {"a": "import socket; socket.socket()", "b": "import os; os.getpriority(0, 0); os.mkfifo('fifo-' + "
                 "str(os.getpid()), 0o600) if 0 else None", "c": "import threading as t; x = t.Thread(); x.start()"}
        for name, code in codes.items():
            got = self.learn(name, code)
            assert got.returncode == 0, got.stderr
        assert self.merge("a", "b", "c") == self.merge("c", "b", "a") == self.merge("b", "c", "a")
        with open(self.path("ab"), "w", encoding="utf-8") as f:
            f.write(self.merge("a", "b"))
        assert self.merge("ab", "c") == self.merge("c", "ab") == self.merge("a", "b", "c")
        merged = self.merge("a", "b", "c")
        assert "from 3 runs" in merged and "    - getpriority" in merged and "    - socket:" in merged

    def test_one_file_after_the_other(self):
        assert self.learn("both", "import os; os.getpriority(0, 0)").returncode == 0
        assert self.learn("both", "import os; os.getloadavg(); os.sched_yield(); os.nice(0)").returncode == 0
        text = self.text("both")
        assert "from 2 runs" in text and "getpriority" in text and text.count("# run: ") == 2, text

    def test_at_the_same_time(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for got in pool.map(lambda i: self.learn("same", f"print({i})"), range(6)):
                assert got.returncode == 0, got.stderr
        assert "from 6 runs" in self.text("same"), self.text("same")
        assert not [n for n in os.listdir(self.work) if n.startswith("same.")]

    def test_from_nothing_new(self):
        assert self.learn("none", "import threading as t; x = t.Thread(); x.start(); x.join()", "--from",
                          "builtin").returncode == 0
        assert self.text("none").endswith("version: 1\npython:\n  inherit: builtin:python\n"), self.text("none")

    def test_from_the_difference(self):
        code = "import os; os.setuid(os.getuid())"
        assert self.learn("diff", code, "--from", "builtin:python").returncode == 0
        text = self.text("diff")
        assert text.count("    - ") == 1 and "    - setuid  # python3" in text, text
        for options, status in (([], 159), (["--policy", self.path("diff")], 0)):
            got = self.sgrun_("--tier", self.tier, *options, "--", "/usr/bin/python3", "-c", code)
            assert got.returncode == status, got

    def test_more_memory_than_learnt(self):
        """A larger realloc moves memory (mremap), which a run may need or not: Erlang's does by mere timing."""
        code = "import sys; b = bytearray(1 << 22); len(sys.argv) > 1 and b.extend(bytes(1 << 24)); print(len(b))"
        assert self.learn("grow", code).returncode == 0
        got = self.sgrun_("--tier", self.tier, "--policy", self.path("grow"), "--", "/usr/bin/python3", "-c", code, "x")
        assert got.returncode == 0, got

    def data(self, name, n):
        """A folder of n files, outside of what every program may read."""
        folder = self.path(name)
        os.mkdir(folder)
        for i in range(n):
            with open(os.path.join(folder, f"f{i}"), "w", encoding="ascii") as f:
                f.write(str(i))
        return folder

    READ = "import os, sys\nfor p in os.environ['READ'].split(':'): print(open(p).read())\n"

    def read(self, policy, *paths, options=None):
        """The program that reads files, from a working directory and with a TMPDIR of its own."""
        place = tempfile.mkdtemp(prefix="place-", dir=self.work)
        return self.sgrun_("--tier", self.tier, "--verdicts", self.path("v.jsonl"), "--chdir", place, "--env",
                           f"TMPDIR={place}", "--env", "READ=" + ":".join(paths),
                           *(options or ["--policy", self.path(policy)]), "--", "/usr/bin/python3", "-c", self.READ)

    def test_files_are_confined(self):
        seen, other = self.data("seen", 3), self.data("other", 1)
        got = self.read("files", f"{seen}/f0", f"{seen}/f1", options=["--learn", self.path("files")])
        assert (got.returncode, got.stdout) == (0, "0\n1\n"), got
        text = self.text("files")
        assert "  files:\n    read:\n" in text and f"      - {seen}/f0\n      - {seen}/f1\n" in text, text
        assert self.sgrun_("policy", "check", self.path("files")).returncode == 0
        got = self.read("files", f"{seen}/f0", f"{seen}/f1")
        assert (got.returncode, got.stdout) == (0, "0\n1\n"), got
        for path in (f"{seen}/f2", f"{other}/f0"):
            assert self.read("none", path, options=["--lang", "python", "--read", self.work]).stdout != "", "control"
            got = self.read("files", path)
            assert got.returncode == 1 and "PermissionError" in got.stderr, got

    def test_files_are_folded(self):
        many = self.data("many", 6)
        for name, first in (("m1", 0), ("m2", 3)):
            paths = [f"{many}/f{i}" for i in range(first, first + 3)]
            assert self.read(name, *paths, options=["--learn", self.path(name)]).returncode == 0
            assert f"      - {many}/f{first}\n" in self.text(name)
        merged = self.merge("m1", "m2")
        assert merged == self.merge("m2", "m1")
        assert f"      - {many}\n" in merged and f"{many}/" not in merged, merged
        with open(self.path("m"), "w", encoding="utf-8") as f:
            f.write(merged)
        assert self.merge("m", "m1").count(many) == merged.count(many)
        assert self.read("m", f"{many}/f5").stdout == "5\n"

    def test_files_with_other_names(self):
        folder = self.data("odd", 0)
        names = ["a b", "\u00e4\u00f6", "it's \"x\" #\\, [y]", "\U0001f600"]
        for name in names + ["star*", "zwei\x01", "line\u2028"]:
            with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                f.write("seen\n")

        for i, name in enumerate(names + ["star*", "zwei\x01", "line\u2028"]):
            path, policy = os.path.join(folder, name), f"odd-{i}"
            assert self.read(policy, path, options=["--learn", self.path(policy)]).stdout == "seen\n\n", name
            got = self.read(policy, path)
            assert (got.returncode, got.stdout) == (0, "seen\n\n"), (got, self.text(policy))
            if name in names:
                assert self.read(policy, os.path.join(folder, "star*")).returncode == 1, name

    def test_scripts_and_sockets(self):
        folder, place = self.data("interpreters", 0), self.data("sockets", 0)
        shell, script = os.path.join(folder, "shell"), os.path.join(folder, "script")
        shutil.copy("/bin/sh", shell)
        with open(script, "w", encoding="ascii") as f:
            f.write(f"#! {shell} -e\necho ran\n")
        os.chmod(script, 0o755)
        code = (f"import socket as s, subprocess as p; x = s.socket(s.AF_UNIX); x.bind('{place}/sock-' + str(__import__"
                f"('os').getpid())); print(p.run(['{script}'], capture_output=True, text=True, check=True).stdout)")
        got = self.learn("script", code)
        assert (got.returncode, got.stdout) == (0, "ran\n\n"), got
        got = self.sgrun_("--tier", self.tier, "--policy", self.path("script"), "--", "/usr/bin/python3", "-c", code)
        assert (got.returncode, got.stdout) == (0, "ran\n\n"), (got, self.text("script"))

    def test_files_that_it_makes(self):
        made, place = self.data("made", 0), self.data("elsewhere", 0)
        code = (f"import os; open('{made}/x', 'w').write('x'); print(open('{made}/x').read()); "
                f"os.rename('{made}/x', '{made}/y'); os.unlink('{made}/y')")

        def run(text, *options):
            return self.sgrun_("--tier", self.tier, "--verdicts", self.path("v.jsonl"), "--chdir", place, "--env",
                               f"TMPDIR={place}", *options, "--", "/usr/bin/python3", "-c", text)
        assert run(code, "--learn", self.path("making")).stdout == "x\n"
        got = run(code, "--policy", self.path("making"))
        assert (got.returncode, got.stdout) == (0, "x\n"), (got, self.text("making"))
        got = run(f"open('{made}/../outside', 'w')", "--policy", self.path("making"))
        assert got.returncode == 1 and "PermissionError" in got.stderr, got

    def test_other_files_are_left_alone(self):
        with open(self.path("mine"), "w", encoding="utf-8") as f:
            f.write("python: {allow: [read]}\n")
        got = self.learn("mine", "pass")
        assert got.returncode == 125 and "was not written by sgrun --learn" in got.stderr, got
        assert self.text("mine") == "python: {allow: [read]}\n"

    def test_mode_and_owner_stay(self):
        """Of a file that is learnt into again; a new one is made as the umask has it."""
        assert self.learn("modes", "pass").returncode == 0
        file = self.path("modes")
        assert os.stat(file).st_mode & 0o7777 == 0o644 & ~current_umask(), oct(os.stat(file).st_mode)
        for mode, owner in ((0o600, 1234), (0o664, os.getuid())):
            os.chmod(file, mode)
            if os.getuid() == 0:
                os.chown(file, owner, owner)
            before = os.stat(file)
            assert self.learn("modes", "print(1)").returncode == 0
            now = os.stat(file)
            assert now.st_ino != before.st_ino, "control: it was replaced"
            assert (now.st_mode, now.st_uid, now.st_gid) == (before.st_mode, before.st_uid, before.st_gid), now
        assert not [n for n in os.listdir(os.path.dirname(file)) if n.startswith("modes.")]

    def test_another_language(self):
        assert self.learn("lang", "pass").returncode == 0
        before = self.text("lang")
        got = self.learn("lang", "pass", "--lang", "perl")
        assert got.returncode == 125 and "another language" in got.stderr, got
        assert self.text("lang") == before

    def test_refused_before_it_runs(self):
        """What cannot be learnt into is refused before the program, unprotected, does anything."""
        ran = self.path("ran")
        code = f"open({ran!r}, 'w')"
        assert self.learn("before", code).returncode == 0 and os.path.exists(ran), "control"
        os.unlink(ran)
        learnt = self.text("before")
        os.mkdir(self.path("folder"))
        os.mkfifo(self.path("fifo"))
        os.symlink("before", self.path("link"))
        for name, add in (("kill", "  kill: [reboot]\n"), ("deny", "denied: [reboot]\n"), ("broken", "  : [\n")):
            with open(self.path(name), "w", encoding="utf-8") as f:
                f.write(learnt + add)
        with open(self.path("foreign"), "w", encoding="utf-8") as f:
            f.write("python: {allow: [read]}\n")
        place = f"{self.path('kill')}:{learnt.count(chr(10)) + 1}:10: "
        for name, options, message in (
                ("folder", [], "a directory"), ("fifo", [], "not a regular file"), ("link", [], "a symbolic link"),
                ("", [], "a directory"), ("missing/x", [], "No such file"), ("y" * 250, [], "name too long"),
                ("before", ["--lang", "perl"], "another language"), ("before", ["--from", "builtin"], "(--from)"),
                ("kill", [], place + '"kill: reboot" was added by hand'), ("deny", [], '"denied: reboot"'),
                ("broken", [], "not valid YAML"), ("foreign", [], "was not written by sgrun --learn"),
                ("new", ["--lang", "version"], "cannot be the name"), ("new", ["--lang", "a b"], "cannot be the name"),
                ("new", ["--lang", ""], "is empty")):
            got = self.learn(name, code, *options)
            assert got.returncode == 125 and message in got.stderr, (name, got)
            assert not os.path.exists(ran), name
        assert self.sgrun_("--learn", "", "--", "/usr/bin/python3", "-c", code).returncode == 125
        assert not os.path.exists(ran) and not os.path.exists(self.path("new"))
        assert self.text("before") == learnt and self.text("kill") == learnt + "  kill: [reboot]\n"
        assert self.sgrun_("policy", "merge", self.path("kill")).returncode == 2

    def test_no_language(self):
        prog = self.path("prog")
        shutil.copy("/bin/true", prog)
        got = self.sgrun_("--tier", self.tier, "--learn", self.path("nolang"), "--", prog)
        assert got.returncode == 0, got
        got = self.sgrun_("--tier", self.tier, "--policy", self.path("nolang"), "--lang", "program", "--", prog)
        assert got.returncode == 0, got

    def test_options(self):
        for words, message in ((["--from", "builtin", "--", "true"], "there is no --learn"),
                               (["--learn", "x", "--mode", "audit", "--", "true"], "cannot be combined"),
                               (["--learn", "x", "--from", "file", "--", "true"], "expected builtin"),
                               (["--learn", "/nonexistent/x", "--lang", "c", "--", "/bin/true"], "No such file")):
            got = self.sgrun_(*words)
            assert got.returncode == 125 and message in got.stderr, got

    def test_exit_status_is_the_programs(self):
        got = self.learn("status", "import os; os._exit(7)")
        assert got.returncode == 7, got

    def test_clone3_is_refused(self):
        code = ("import ctypes; libc = ctypes.CDLL(None, use_errno=True); r = libc.syscall(435, 0, 0); "
                "print(r, ctypes.get_errno())")
        got = self.learn("clone3", code)
        assert got.stdout == "-1 38\n", got
        assert "ENOSYS: [clone3, io_uring_setup]" in self.text("clone3")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--sgrun", required=True)
    p.add_argument("--tier", choices=["bpf", "unprivileged"], default="bpf")
    p.add_argument("--only", default="")
    args = p.parse_args()
    os.umask(0o022)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sandgate-learn-") as work:
        os.chmod(work, 0o755)
        jobs = []
        for program, how, call in resolve():
            if args.only in program.name:
                jobs.append((program.name, lambda x=program, h=how, c=call: Case(args.sgrun, args.tier, work, x,
                                                                                  h).complaints(c)))
        more = More(args.sgrun, args.tier, work)
        for name in sorted(n for n in dir(more) if n.startswith("test_") and args.only in n):
            def one(test=getattr(more, name)):
                try:
                    test()
                    return []
                except AssertionError as e:
                    return [f"line {e.__traceback__.tb_lineno if not e.__traceback__.tb_next else e.__traceback__.tb_next.tb_lineno}: {e}"]
            jobs.append((name, one))
        for name, job in jobs:
            bad = job()
            passed, failed = passed + (not bad), failed + bool(bad)
            print(f"{'FAIL' if bad else 'ok  '}  {name} [{args.tier}]", flush=True)
            for b in bad:
                print("      " + str(b)[:1500])
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
