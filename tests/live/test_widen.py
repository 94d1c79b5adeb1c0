# SPDX-License-Identifier: Apache-2.0
"""What the built-in policies confine, and what a launch adds: --read, --write, --exec, --net, and what comes with the
command line. On a host without BPF LSM it is Landlock that refuses; every refusal has the same attempt, allowed, beside
it."""
import os
import shutil
import socket
import sys

from harness import LiveTest

PYTHON = "/usr/bin/python3"
READ = "import sys; print(open(sys.argv[1]).read(), end='')"
SOCKETS = """
import socket, sys
for port in map(int, sys.argv[1:]):
    s = socket.socket()
    try:
        s.connect(("127.0.0.1", port))
        print("connected")
    except OSError as e:
        print(type(e).__name__)
"""
WITHOUT_CONNECT = """
import errno, socket, sys
tcp, udp = (("127.0.0.1", int(p)) for p in sys.argv[1:])
def attempt(f):
    try:
        f()
        return "done"
    except OSError as e:
        return errno.errorcode[e.errno]
print(attempt(lambda: socket.socket().sendto(b"x", socket.MSG_FASTOPEN, tcp)), attempt(lambda: socket.socket().listen()),
      attempt(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", udp)))
"""


class Widen(LiveTest):
    def setUp(self):
        super().setUp()
        # Not in /tmp as the program sees it: its TMPDIR is a directory of its own.
        for name in ("cwd", "tmp", "outside"):
            os.mkdir(os.path.join(self.work, name))
            os.chown(os.path.join(self.work, name), self.tier.uid, self.tier.gid)
        self.cwd = os.path.join(self.work, "cwd")
        self.outside = os.path.join(self.work, "outside")
        self.secret = self.put("outside/secret", "told\n")

    def put(self, name, text):
        path = os.path.join(self.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def python(self, code, *args, options=(), argv0=PYTHON, lang="python", **how):
        how.setdefault("cwd", self.cwd)
        return self.run_in([argv0, "-c", code, *args], lang, None,
                           ["--env", f"TMPDIR={self.work}/tmp", *options], **how)

    def assertRefused(self, r, error="PermissionError"):
        self.assertEqual(r.status, 1, r.describe())
        self.assertIn(error, r.errors)

    # ---- files ----

    def test_read(self):
        attempt = "import sys; print(open(sys.argv[1].strip()).read(), end='')"
        # A blank: so that the argument itself names no file.
        self.assertRefused(self.python(attempt, self.secret + " "))
        r = self.python(attempt, self.secret + " ", options=["--read", self.outside])
        self.assertEqual((r.status, r.text), (0, "told\n"), r.describe())
        self.assertEqual(r.start["policy"]["widened"], ["--read " + self.outside])
        attempt = attempt.replace(").read", ", 'r+').read")
        self.assertRefused(self.python(attempt, self.secret + " ", options=["--read", self.outside]))

    def test_read_by_a_link(self):
        os.symlink(self.outside, os.path.join(self.cwd, "link"))
        self.assertRefused(self.python("open('link/secret')"))
        self.assertEqual(self.python("open('link/secret')", options=["--read", os.path.join(self.cwd, "link")]).status, 0)

    def test_a_denial_of_the_same_tree_by_another_name(self):
        private = self.put("cwd/priv/x", "told\n")
        os.symlink(os.path.dirname(private), os.path.join(self.work, "link"))
        attempt = "import sys; print(open(sys.argv[1].strip()).read(), end='')"
        for i, name in enumerate(("$CWD/priv", self.work + "/link", os.path.dirname(private))):
            policy = self.put(f"policy{i}.yaml", f'python: {{inherit: "builtin:python", files: {{deny: ["{name}"]}}}}\n')
            how = {"argv": [PYTHON, "-c", attempt, private + " "], "lang": "python", "policy": policy, "cwd": self.cwd}
            self.assertRefused(self.run_in(**how))
            r = self.run_in(**how, options=["--read", os.path.dirname(private)])
            self.assertEqual((r.status, r.text), (0, "told\n"), r.describe())

    def test_write(self):
        make = f"open({self.outside!r} + '/new', 'w').write('x')"
        self.assertRefused(self.python(make))
        self.assertFalse(os.path.exists(os.path.join(self.outside, "new")))
        self.assertRefused(self.python(make, options=["--read", self.outside]))
        self.assertEqual(self.python(make, options=["--write", self.outside]).status, 0)
        self.assertTrue(os.path.exists(os.path.join(self.outside, "new")))
        remove = f"import os; os.unlink({self.outside!r} + '/new')"
        self.assertRefused(self.python(remove))
        self.assertEqual(self.python(remove, options=["--write", self.outside]).status, 0)

    def test_working_directory_and_temporary_files(self):
        r = self.python("import os, tempfile; open('f', 'w').write('x'); os.rename('f', 'g'); os.unlink('g'); "
                        "os.mkdir('d'); os.rmdir('d'); tempfile.TemporaryFile().write(b'x'); print(tempfile.mkdtemp())")
        self.assertEqual(r.status, 0, r.describe())
        self.assertTrue(r.text.startswith(self.work + "/tmp/"))

    def test_started_in_the_root_directory(self):
        self.assertRefused(self.python("import os; os.listdir('/')", cwd="/"))
        self.assertEqual(self.python("import os; os.listdir('/usr')", cwd="/").status, 0)

    def test_chdir(self):
        r = self.python("open('secret')", options=["--chdir", self.outside], cwd="/")
        self.assertEqual(r.status, 0, r.describe())
        self.assertRefused(self.python("open('../outside/secret')"))

    # ---- what comes with the command line ----

    def test_first_argument_that_is_a_file(self):
        self.put("outside/main.py", "import sys; print('ran'); open(sys.path[0] + '/secret')\n")
        r = self.run_in([PYTHON, self.outside + "/main.py"], "python", None, ["--env", f"TMPDIR={self.work}/tmp"],
                        cwd=self.cwd)
        self.assertEqual(r.text, "ran\n", r.describe())
        self.assertRefused(r)
        r = self.python(READ, self.secret)
        self.assertEqual((r.status, r.text), (0, "told\n"))

    def test_standard_output_again(self):
        with open(os.path.join(self.outside, "out"), "w") as f:
            os.chown(f.name, self.tier.uid, self.tier.gid)
            r = self.python("open('/dev/stdout', 'a').write('again')", stdout=f)
        self.assertEqual(r.status, 0, r.describe())
        with open(f.name) as f:
            self.assertEqual(f.read(), "again")
        self.assertRefused(self.python(f"open({f.name!r}, 'a')"))

    def test_virtual_environment(self):
        site = f"outside/venv/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        self.put("outside/venv/pyvenv.cfg", "home = /usr/bin\n")
        self.put(site + "/packaged.py", "print('found')\n")
        os.mkdir(os.path.join(self.outside, "venv/bin"))
        os.symlink(PYTHON, os.path.join(self.outside, "venv/bin/python"))
        r = self.python("import packaged", argv0=self.outside + "/venv/bin/python")
        self.assertEqual((r.status, r.text), (0, "found\n"), r.describe())
        self.assertRefused(self.python(f"import sys; sys.path.append({self.work!r} + '/' + {site!r}); import packaged"),
                           "ModuleNotFoundError")

    def test_an_interpreter_outside_usr(self):
        os.makedirs(os.path.join(self.outside, "opt/bin"))
        perl = shutil.copy("/usr/bin/perl", os.path.join(self.outside, "opt/bin/perl"))
        inside, beside = self.put("outside/opt/share/x", "x"), self.put("outside/y", "x")
        for path, status in ((inside, 0), (beside, 13)):
            r = self.run_in([perl, "-e", f"open(my $f, '<', '{path}') or exit($! + 0)"], "perl", None,
                            ["--env", f"TMPDIR={self.work}/tmp"], cwd=self.cwd)
            self.assertEqual(r.status, status, r.describe())

    def test_a_script_for_such_an_interpreter(self):
        os.makedirs(os.path.join(self.outside, "opt/bin"))
        perl = shutil.copy("/usr/bin/perl", os.path.join(self.outside, "opt/bin/perl"))
        inside, beside = self.put("outside/opt/share/x", "x"), self.put("outside/y", "x")
        for path, status in ((inside, 0), (beside, 13)):
            script = self.put("cwd/script", f"#!{perl} -w\nopen(my $f, '<', '{path}') or exit($! + 0)\n")
            os.chmod(script, 0o755)
            r = self.run_in([script], "perl", None, ["--env", f"TMPDIR={self.work}/tmp"], cwd=self.cwd)
            self.assertEqual(r.status, status, r.describe())

    # ---- programs ----

    def test_exec(self):
        tool = shutil.copy("/usr/bin/true", os.path.join(self.outside, "tool"))
        other = shutil.copy("/usr/bin/true", os.path.join(self.cwd, "other"))
        run = "import subprocess, sys; sys.exit(subprocess.run([{!r}]).returncode)"
        self.assertEqual(self.python(run.format(tool)).status, 159)
        self.assertEqual(self.python(run.format(tool), options=["--exec", self.outside]).status, 0)
        self.assertRefused(self.python(run.format(other), options=["--exec", self.outside]))

    # ---- addresses ----

    def test_net(self):
        with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
            ports = [str(s.getsockname()[1]) for s in (a, b)]
            self.assertRefused(self.python(SOCKETS, *ports))
            r = self.python(SOCKETS, *ports, options=["--net", "tcp *"])
            self.assertEqual(r.text, "connected\nconnected\n", r.describe())
            r = self.python(SOCKETS, *ports, options=["--net", "tcp *:" + ports[0]])
            self.assertEqual(r.text, "connected\nPermissionError\n", r.describe())

    def test_what_ports_do_not_tell(self):
        """Without connect(2) and bind(2), and over UDP: refused where no rule allows it to every address."""
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            ports = [str(s.getsockname()[1]) for s in (server, udp)]
            everything = ["--net", "tcp *", "--net", "udp *", "--net", "listen tcp *"]
            for options, wanted in ((["--net", "loopback"], "ENOTSUP EACCES EACCES"),
                                    (["--net", "tcp *:" + ports[0]], "ENOTSUP EACCES EACCES"),
                                    (["--net", "tcp *", "--net", "udp *"], "ENOTSUP EACCES done"),
                                    (everything, "ENOTSUP done done")):
                r = self.python(WITHOUT_CONNECT, *ports, options=options)
                self.assertEqual(r.text, wanted + "\n", (options, r.describe()))
            r = self.bare([PYTHON, "-c", WITHOUT_CONNECT, *ports], cwd=self.cwd)
            self.assertEqual(r.text, "done done done\n", r.describe())

    def test_addresses_where_only_ports_can_be_judged(self):
        with socket.create_server(("127.0.0.1", 0)) as a:
            port = str(a.getsockname()[1])
            r = self.python(SOCKETS, port, options=["--net", "tcp 192.0.2.1:" + port])
            self.assertEqual(r.text, "PermissionError\n", r.describe())
            r = self.python(SOCKETS, port, options=["--net", "loopback"])
            if "lsm" in r.start["layers"]:
                self.assertEqual(r.text, "connected\n", r.describe())
            else:
                self.assertEqual(r.text, "PermissionError\n", r.describe())
                self.assertTrue([x for x in r.start["degraded"] + r.start["not_enforced"] if "addresses" in x])
                # Before Linux 7.2 it is not Landlock that refuses it.
                r = self.python(SOCKETS, port, options=["--net", "udp 127.0.0.1"])
                self.assertTrue([x for x in r.start["degraded"] if "addresses" in x], r.start["degraded"])

    def test_other_sockets_are_an_error(self):
        code = "import socket; socket.socket(socket.{})"
        r = self.python(code.format("AF_INET, socket.SOCK_RAW"), options=["--net", "tcp *"])
        self.assertEqual(r.status, 1, r.describe())
        self.assertEqual(self.python(code.format("AF_INET6"), options=["--net", "tcp *"]).status, 0)
        self.assertEqual(self.python(code.format("AF_UNIX"), options=["--net", "unix"]).status, 0)

    # ---- words ----

    def test_malformed(self):
        for options, said in ((["--read", self.work + "/none"], "No such file"), (["--write", ""], "--write"),
                              (["--net", "tcp localhost"], "host names are not looked up"),
                              (["--net", "packet"], "a policy file"), (["--net", "tcp 192.0.2.1/24"], "192.0.2.0/24"),
                              (["--read", "/usr"] * 65, "more than 64")):
            with self.subTest(options=options[:2]):
                self.assertIn(said, self.refused(*options))
