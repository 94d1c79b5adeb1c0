# SPDX-License-Identifier: Apache-2.0
"""The output limit: exact to the byte, and otherwise as if nothing were between the program and its reader."""
import fcntl
import os
import signal
import socket
import subprocess
import threading
import time

import harness
from limitstest import LimitsTest

N = 100000


class Output(LimitsTest):
    def written(self, n, *fds, limit=N, **how):
        return self.bomb("output", n, *fds, options=["--output", limit], **how)

    def test_exactly(self):
        r = self.written(N)
        self.assertRan(r, b"x" * N)
        self.assertEqual(r.exit["output_bytes"], N)

    def test_one_more(self):
        r = self.written(N + 1)
        self.assertOver(r, "output", N)
        self.assertEqual((r.out, r.exit["output_bytes"]), (b"x" * N, N))

    def test_small(self):
        self.assertRan(self.written(1, limit=1), b"x")
        self.assertEqual(self.written(2, limit=1).out, b"x")

    def test_much(self):
        r = self.written(30 << 20, limit="64M")
        self.assertRan(r)
        self.assertEqual(len(r.out), 30 << 20)

    def test_both_together(self):
        r = self.written(N // 2, 1, 2)
        self.assertRan(r, b"x" * (N // 2))
        self.assertEqual(len(r.err), N // 2)
        r = self.written(N // 2 + 1, 1, 2)
        self.assertOver(r, "output")
        self.assertEqual(len(r.out) + len(r.err), N)

    def test_none(self):
        r = self.bomb("exit", 0, options=["--output", 10])
        self.assertEqual((r.out, r.exit["output_bytes"]), (b"", 0))

    def test_not_counted_without(self):
        self.assertIsNone(self.bomb("exit", 0).exit["output_bytes"])

    def test_order(self):
        r = self.bomb("turns", 1000, options=["--output", N], stderr=subprocess.STDOUT)
        self.assertRan(r, b"ab" * 1000)

    def test_input_that_can_be_written_too(self):
        """It is opened anew for reading alone, and read from where its caller has come to."""
        path = os.path.join(self.work, "in")
        with open(path, "w+b", buffering=0) as f:
            f.write(b"read before\nfor the program\n")
            f.seek(12)
            r = self.run_in(["/bin/cat"], options=["--output", N], stdin=f)
        self.assertRan(r, b"for the program\n")

    def test_closed_descriptors(self):
        for fd in (1, 2):
            r = self.run_in(["/bin/sh", "-c", f'echo x >&{fd} || exit 9', "sh"], options=["--output", N], check=False,
                            preexec_fn=lambda: os.close(fd), stderr=subprocess.DEVNULL if fd == 1 else subprocess.PIPE)
            self.assertEqual(r.status, 9, fd)

    def test_program_closes_one(self):
        r = self.bomb("half-closed", options=["--output", N])
        self.assertEqual((r.status, len(r.err)), (0, 10))

    def to_file(self, flags, n):
        path = os.path.join(self.work, "out")
        with open(path, "wb") as f:
            f.write(b"head")
        fd = os.open(path, flags)
        if not flags & os.O_APPEND:
            os.lseek(fd, 4, os.SEEK_SET)
        try:
            r = self.written(n, stdout=fd)
            position = os.lseek(fd, 0, os.SEEK_CUR)
        finally:
            os.close(fd)
        with open(path, "rb") as f:
            return r, f.read(), position

    def test_file(self):
        r, data, position = self.to_file(os.O_WRONLY, N)
        self.assertRan(r)
        self.assertEqual((data, position), (b"head" + b"x" * N, N + 4))

    def test_file_for_appending(self):
        r, data, _ = self.to_file(os.O_WRONLY | os.O_APPEND, N)
        self.assertRan(r)
        self.assertEqual(data, b"head" + b"x" * N)
        r, data, _ = self.to_file(os.O_WRONLY | os.O_APPEND, N + 5)
        self.assertOver(r, "output")
        self.assertEqual(len(data), N + 4)

    def test_null(self):
        r = self.written(N, stdout=subprocess.DEVNULL)
        self.assertEqual(r.exit["output_bytes"], N)
        self.assertOver(self.written(N + 1, stdout=subprocess.DEVNULL), "output")

    def test_full_disk(self):
        with open("/dev/full", "wb") as f:
            r = self.written(N * 3, stdout=f, limit=10 * N)
        self.assertIn(r.status, (128 + signal.SIGPIPE, 7))

    def test_socket(self):
        a, b = socket.socketpair()
        got = []
        t = threading.Thread(target=lambda: got.extend(iter(lambda: a.recv(65536), b"")))
        t.start()
        r = self.written(N, stdout=b)
        b.close()
        t.join(60)
        a.close()
        self.assertRan(r)
        self.assertEqual(b"".join(got), b"x" * N)

    def test_terminal(self):
        t = self.terminal()
        r = self.written(1000, stdin=t.slave, stdout=t.slave, stderr=t.slave)
        self.assertRan(r)
        self.assertEqual(t.read_all(), b"x" * 1000)

    def test_terminal_as_input_is_no_way_out(self):
        t = self.terminal()
        r = self.bomb("output", 1000, 0, options=["--output", N], stdin=t.slave, stdout=t.slave, stderr=t.slave)
        self.assertEqual(r.status, 3)
        self.assertEqual(t.read_all(), b"")

    def test_slow_reader(self):
        read, write = self.pipe(4096)
        running = self.launch([self.own(self.bombs), "output", str(N)], options=["--output", N], stdout=write)
        write.close()
        data = b""
        while True:
            time.sleep(0.002)
            piece = read.read(1000)
            if not piece:
                break
            data += piece
        self.last = r = running.wait()
        self.assertEqual((r.status, data), (0, b"x" * N))

    def test_stuck_reader(self):
        """The wall time ends it, whoever does not read."""
        read, write = self.pipe(4096)
        r = self.bomb("output", 10 * N, options=["--output", 100 * N, "--wall-time", "300ms"], stdout=write)
        self.assertEqual((r.status, r.exit["verdict"], r.exit["limit"]), (124, "time_limit", "wall_time"))
        self.assertLess(r.seconds, 10)

    def test_stuck_terminal(self):
        """Also one that sgrun's user cannot open (su, sudo -u), and that makes two characters of a line feed."""
        read, write = os.openpty()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        r = self.run_in(["/usr/bin/yes"], options=["--output", 100 * N, "--wall-time", "300ms"], stdout=write)
        self.assertEqual((r.status, r.exit["verdict"], r.exit["limit"]), (124, "time_limit", "wall_time"))
        self.assertLess(r.seconds, 10)

    def test_stuck_reader_and_over(self):
        read, write = self.pipe(4096)
        r = self.bomb("output", 60000, options=["--output", 20000, "--wall-time", "20s"], stdout=write)
        self.assertEqual((r.status, r.exit["verdict"]), (153, "output_limit"))
        self.assertLess(r.seconds, 10)

    def test_reader_goes_away(self):
        read, write = self.pipe()
        running = self.launch([self.own(self.bombs), "output"], options=["--output", "400M", "--wall-time", "20s"], stdout=write)
        write.close()
        self.assertEqual(len(read.read(1000)), 1000)
        read.close()
        self.last = r = running.wait()
        self.assertEqual((r.exit["verdict"], r.exit.get("signal")), ("signal", signal.SIGPIPE))

    def test_callers_pipe_is_left_as_it_was(self):
        read, write = self.pipe()
        before = fcntl.fcntl(write, fcntl.F_GETFL)
        self.assertRan(self.written(10, stdout=write))
        self.assertEqual(fcntl.fcntl(write, fcntl.F_GETFL), before)

    def test_what_orphans_hold_open(self):
        """A child that keeps the pipe open does not keep sgrun."""
        r = self.run_in(["/bin/sh", "-c", "sleep 30 & echo done"], options=["--output", N])
        self.assertRan(r, "done\n")
        self.assertLess(r.seconds, 25)

    def test_verdicts_on_standard_error(self):
        r = self.run_in([self.own(self.bombs), "output", "5", "2"], options=["--output", N], verdicts=None)
        records = harness.parse_records(r.err.replace(b"xxxxx", b""))
        self.assertEqual([x["type"] for x in records], ["start", "exit"])
        self.assertIn(b"xxxxx", r.err)
