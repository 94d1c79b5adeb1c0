# SPDX-License-Identifier: Apache-2.0
"""The promises of docs/embedding.md through the Python client; the same list as contract.js."""
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENT = os.path.join(HERE, "..", "..", "examples", "python")
sys.path.insert(0, CLIENT)
from sandgate import Sandgate, SandgateError  # noqa: E402

PYTHON = "/usr/bin/python3"
SLEEP = [PYTHON, "-c", "import time; print('up', flush=True); time.sleep(600)"]
PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from sandgate import Sandgate
def told(record):
    if record["type"] == "start":
        print(record["pid"], flush=True)
run = Sandgate(sys.argv[2]).start(["/usr/bin/python3", "-c", "import time; time.sleep(600)"], on_record=told)
run.wait()
"""


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


class Contract(unittest.TestCase):
    sgrun = "sgrun"
    tier = None

    def setUp(self):
        self.sandgate = Sandgate(self.sgrun, tier=self.tier)

    def start(self):
        up = threading.Event()
        run = self.sandgate.start(SLEEP, on_record=lambda r: up.set() if r["type"] == "start" else None)
        result = []
        thread = threading.Thread(target=lambda: result.append(run.wait()))
        thread.start()
        self.assertTrue(up.wait(60))
        while b"up" not in run.stdout:
            time.sleep(0.005)

        def finish():
            thread.join(60)
            self.assertTrue(result, "no end within 60 s")
            return result[0]
        return run, finish

    def test_stdin(self):
        r = self.sandgate.run([PYTHON, "-c", "print(input()[::-1])"], stdin=b"abc\n")
        self.assertEqual(r.stdout, b"cba\n")
        self.assertTrue(r.ok and r.complete and r.start["pid"] > 0)

    def test_big_stdin_unread(self):
        self.assertTrue(self.sandgate.run([PYTHON, "-c", "pass"], stdin=bytes(8 << 20)).ok)

    def test_limit(self):
        r = self.sandgate.run(SLEEP, limits={"wall_time": "300ms"})
        self.assertEqual((r.verdict, r.limit, r.status), ("time_limit", "wall_time", 124))

    def test_unknown_limit(self):
        with self.assertRaisesRegex(ValueError, "unknown limit walltime"):
            self.sandgate.start(SLEEP, limits={"walltime": 1})

    def test_cancel(self):
        run, finish = self.start()
        run.cancel()
        r = finish()
        self.assertEqual((r.verdict, r.signal, r.cancelled), ("signal", 9, True))

    def test_timeout(self):
        self.assertTrue(self.sandgate.run(SLEEP, timeout=0.3).cancelled)

    def test_terminate(self):
        run, finish = self.start()
        run.terminate()
        r = finish()
        self.assertEqual((r.signal, r.cancelled), (15, False))

    def test_parent_dies(self):
        parent = subprocess.Popen([PYTHON, "-c", PARENT, CLIENT, self.sgrun], stdout=subprocess.PIPE)
        pid = int(parent.stdout.readline())
        self.assertTrue(alive(pid))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
        end = time.monotonic() + 60
        while alive(pid) and time.monotonic() < end:
            time.sleep(0.02)
        self.assertFalse(alive(pid), "the sandboxed program lives on")

    def test_max_output(self):
        r = self.sandgate.run([PYTHON, "-c", "while True: print('x' * 4096)"], max_output=100000)
        self.assertTrue(r.cancelled and r.truncated and len(r.stdout) <= 100000)

    def test_records_without_end(self):
        # Not faster than it is read, or records are lost on their way.
        code = "import ctypes, time\nc = ctypes.CDLL(None)\nfor i in range(15000): c.setuid(1), i % 200 or time.sleep(0.02)"
        heard = []
        r = self.sandgate.run([PYTHON, "-c", code], mode="audit", on_record=heard.append)
        self.assertEqual((r.verdict, r.exit, len(r.records)), ("ok", heard[-1], 10001))
        self.assertEqual(len(heard), len(r.records) + r.omitted)

    def test_defaults(self):
        strict = Sandgate(self.sgrun, tier=self.tier, limits={"wall_time": "300ms"}, env={"A": "1"})
        awhile = [PYTHON, "-c", "import time; time.sleep(5)"]
        with strict.start(awhile) as run:
            self.assertEqual(run.wait().limit, "wall_time")
        r = strict.run([PYTHON, "-c", "import os; print(os.environ['A'], os.environ['B'])"],
                       limits={"wall_time": "20s", "pids": 7}, env={"B": "2"})
        self.assertEqual(r.stdout, b"1 2\n")
        self.assertEqual((r.start["limits"]["wall_time_ms"], r.start["limits"]["pids"]), (20000, 7))
        self.assertEqual(strict.run(awhile, limits={"pids": 7}).limit, "wall_time")

    def test_text_as_stdin(self):
        self.assertEqual(self.sandgate.run([PYTHON, "-c", "print(input())"], stdin="\u00e4").stdout, b"\xc3\xa4\n")

    def test_wrong_arguments(self):
        before = sorted(os.listdir("/proc/self/fd"))
        for argv, stdin, error in ((["/bin/echo", "a\0b"], None, ValueError), (SLEEP, 5, TypeError)):
            with self.assertRaises(error):
                self.sandgate.start(argv, stdin=stdin)
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)

    def test_braces_in_a_path(self):
        with self.assertRaisesRegex(SandgateError, "cannot start /nonexistent/{verdicts}/{x}: "):
            Sandgate("/nonexistent/{verdicts}/{x}").run(["true"])

    def test_sgrun_killed(self):
        program = "import sys, time; print('all is well', file=sys.stderr); print('up', flush=True); time.sleep(600)"
        run = self.sandgate.start([PYTHON, "-uc", program])
        while not run.process.stdout.peek():
            time.sleep(0.005)
        run.process.kill()
        with self.assertRaisesRegex(SandgateError, "sgrun ended with status 137 before it said"):
            run.wait()

    def test_no_sgrun(self):
        with self.assertRaises(SandgateError):
            Sandgate("/nonexistent/sgrun").run(["true"])

    def test_refused(self):
        r = self.sandgate.run(["/bin/true"], language="python", options=["--no-such-option"])
        self.assertEqual((r.verdict, r.status), ("error", 125))
        self.assertIn("no-such-option", r.exit["error"])
        r = self.sandgate.run(["/nonexistent/program"], language="python")
        self.assertEqual((r.verdict, r.status), ("error", 127))

    def test_with_block(self):
        with self.sandgate.start(SLEEP) as run:
            pass
        self.assertIsNotNone(run.process.returncode)

    def test_explain(self):
        r = self.sandgate.run([PYTHON, "-c", "import os; os.execv('/bin/true', ['true'])"])
        self.assertEqual(r.verdict, "violation")
        (sentence, line), = self.sandgate.explain([r.violation])
        self.assertIn("start another program", sentence)
        self.assertEqual(line, 'python: {inherit: "builtin:python", allow: [execve]}')

    def test_no_descriptor_is_lost(self):
        self.sandgate.run([PYTHON, "-c", "pass"])
        before = sorted(os.listdir("/proc/self/fd"))
        for _ in range(20):
            self.sandgate.run([PYTHON, "-c", "pass"])
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)
