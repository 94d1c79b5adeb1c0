# SPDX-License-Identifier: Apache-2.0
"""Descriptors that are sent to the control socket and whose closing waits: that is not the daemon's wait."""
import contextlib
import json
import os
import signal
import socket
import struct
import threading
import time

from harness import NOBODY, PACKET_MAX, until
from silent import Silent
from test_abuse import as_nobody, healthy, reply

OPTIONS = ("--group", str(NOBODY))


def lingering(listener, seconds=60):
    """A socket whose last close waits: it lingers for what its peer does not read."""
    s = socket.create_connection(listener.getsockname())
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))
    s.setblocking(False)
    try:
        while True:
            s.send(bytes(1 << 16))
    except BlockingIOError:
        return s


def within(sock):
    """A socket in whose queue that one is."""
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(theirs, [b"x"], [sock.fileno()])
    return ours


def test_descriptors_whose_closing_waits(daemon):
    def sent(sock, times=1, first=False):
        s = daemon.connect()
        if first:
            s.send(b"garbage")
        socket.send_fds(s, [b"garbage"], [sock.fileno()] * times)
        return s

    def in_a_queue(sock):
        with within(sock) as outer:
            return sent(outer)

    ways = {"one": sent, "more than a message may carry": lambda x: sent(x, 100),
            "left in the connection": lambda x: sent(x, first=True), "in a socket's queue": in_a_queue}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for name, way in ways.items():
            # Ours must not be the last close.
            daemon.process.send_signal(signal.SIGSTOP)
            with lingering(listener) as sock, way(sock) as s:
                sock.close()
                daemon.process.send_signal(signal.SIGCONT)
                begin = time.monotonic()
                answer = reply(s)  # "closed" where a second message was not read
                assert "error" in answer or name == "left in the connection", (name, answer)
            assert daemon.request({"op": "status"})["ok"]
            assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
            assert time.monotonic() - begin < 30, name
    healthy(daemon)


def test_descriptors_that_wait_to_be_closed(daemon):
    """One whose close waits, then many over the same connection: the daemon does not take what it cannot get rid of."""
    def answer_or_none(s):
        """It answers others, who ask later, before it is said not to answer."""
        try:
            s.recv(PACKET_MAX)
        except TimeoutError:
            daemon.request({"op": "status"})
            s.recv(PACKET_MAX, socket.MSG_DONTWAIT)

    def flood():
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # or it may grow until nothing is unsent
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        waits = lingering(listener)
        far = listener.accept()[0]
        sent, file = 0, os.open("/etc/passwd", os.O_RDONLY)
        with daemon.connect() as s:
            socket.send_fds(s, [b'{"v":1,"op":"status"}'], [waits.fileno()])
            waits.close()
            os.write(w, b"x")
            s.recv(PACKET_MAX)
            s.settimeout(1)
            try:
                while sent < 20000:
                    socket.send_fds(s, [b'{"v":1,"op":"status"}'], [file] * 72)
                    answer_or_none(s)
                    sent += 72
            except OSError:
                pass  # it does not answer
            far.close()  # nobody waits any more
            s.settimeout(60)
            answered = json.loads(s.recv(PACKET_MAX))["ok"]
        return sent, answered

    def go_on():
        os.read(r, 1)
        daemon.process.send_signal(signal.SIGCONT)

    # Ours must not be the last close.
    r, w = os.pipe()
    daemon.process.send_signal(signal.SIGSTOP)
    continues = threading.Thread(target=go_on)
    continues.start()
    try:
        sent, answered = as_nobody(flood)
    finally:
        os.write(w, b"x")
        continues.join()
        os.close(r)
        os.close(w)
    assert 1000 < sent < 2000 and answered, (sent, answered)
    healthy(daemon)


def test_a_file_whose_closing_is_never_answered(daemon):
    """It holds up the launch that it was given to, and nobody else's: no other child has a copy of it to close."""
    with Silent(daemon.process.pid) as fs:
        file = os.open(fs.path, os.O_RDWR)
        try:
            with daemon.popen("--lang", "c", "--fd", file, "--", "/bin/true", pass_fds=[file]) as p:
                assert until(lambda: fs.waiting)
                own = list(fs.waiting)
                try:
                    for _ in range(3):
                        assert daemon.run("--lang", "c", "--", "/bin/true", user=NOBODY).returncode == 0
                    assert daemon.request({"op": "status"})["ok"]
                    assert fs.waiting == own, (fs.waiting, own)
                finally:
                    fs.end()
        finally:
            with contextlib.suppress(OSError):  # what it closes is gone by then
                os.close(file)
    healthy(daemon)
