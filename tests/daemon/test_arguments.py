# SPDX-License-Identifier: Apache-2.0
"""Launches with more arguments than there is room for: refused, and the daemon's memory has a bound."""
import ctypes
import fcntl
import os
import socket
import struct
import tempfile

from harness import FAILED, PACKET_MAX, RESULT, NOBODY, until
from test_abuse import COUNTS, LAUNCH_HEAD, STRINGS, WIDENED, as_nobody, healthy, launched, real_launch

OPTIONS = ("--group", str(NOBODY))


def sealed(data, size=0):
    fd = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    os.truncate(fd, size or len(data))
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return fd


FLAGS, QUIET, STRINGS_FD = 16, 1 << 4, 1 << 8


def with_arguments(packet, fds, n, holes=False, program=b"/bin/true"):
    """A launch with n arguments, each of them empty: packet, descriptors, the one of them that is ours to close."""
    changed = bytearray(packet)
    n_fds = struct.unpack_from("=I", packet, COUNTS + 8)[0]
    text = program + b"\0\0"
    strings = sealed(text, len(text) + n) if holes else sealed(text + bytes(n))
    struct.pack_into("=I", changed, FLAGS, struct.unpack_from("=I", packet, FLAGS)[0] | QUIET | STRINGS_FD)
    struct.pack_into("=II", changed, COUNTS, n, 0)
    struct.pack_into("=II", changed, COUNTS + 12, 0, 0)
    struct.pack_into("=I", changed, WIDENED, 0)
    struct.pack_into("=I", changed, STRINGS, len(text) + n)
    struct.pack_into("=I", changed, 8, LAUNCH_HEAD + 4 * n_fds)
    return bytes(changed[:LAUNCH_HEAD + 4 * n_fds]), [*fds[:1 + n_fds], strings, *fds[1 + n_fds:]], strings


def peak(daemon, anew=False):
    """MiB that it had at most, from here on if anew."""
    if anew:
        with open(f"/proc/{daemon.process.pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) >> 10 for line in f if line.startswith("VmHWM:"))


def test_arguments_that_no_execution_takes(daemon):
    """The daemon makes no room for them; nor for the holes of a memory file, which are filled where they are read."""
    packet, fds = real_launch(daemon)
    try:
        for n, holes, code, says in ((1000, False, RESULT, ""), ((6 << 20) - 100, False, FAILED, "more than any execution"),
                                     (600000, True, FAILED, "with holes")):
            changed, given, strings = with_arguments(packet, fds, n, holes)
            before, blocks = peak(daemon, anew=True), os.fstat(strings).st_blocks
            kind, text = launched(daemon, changed, given)
            assert kind == code and says in text, (n, kind, text[-300:])
            assert peak(daemon) < before + 4 and os.fstat(strings).st_blocks == blocks, (n, before, peak(daemon))
            os.close(strings)
    finally:
        for fd in fds:
            os.close(fd)
    assert until(lambda: not daemon.sandboxes())
    healthy(daemon)


def test_arguments_of_a_user(daemon):
    """A program that cannot be opened keeps a launch's arguments in the daemon's memory: those of a user have a bound."""
    libc = ctypes.CDLL(None, use_errno=True)
    at = tempfile.mkdtemp(prefix="sgd-test.")
    packet, fds = real_launch(daemon)
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)  # nobody answers there
    data = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fuse
    assert libc.mount(b"sg", at.encode(), b"fuse.sg", 0, data) == 0, ctypes.get_errno()
    packet, fds, _ = with_arguments(packet, fds, 600000, program=at.encode() + b"/file")

    def begin():
        held, said = [], []
        for _ in range(20):
            held.append(daemon.connect())
            socket.send_fds(held[-1], [packet], fds)
        for s in held:
            s.settimeout(1)
            try:
                said.append(struct.unpack_from("=IHHIII", data := s.recv(PACKET_MAX))[2:] + (data[24:].decode(),))
            except TimeoutError:
                said.append(None)
        return said

    try:
        before = peak(daemon, anew=True)
        said = as_nobody(begin)
        assert said[:13] == [None] * 13 and said[13:] and all(x[0] == FAILED and "too many arguments" in x[4] for x in said[13:]), said
        assert peak(daemon) < before + 100, (before, peak(daemon))
        assert daemon.run("--lang", "c", "--", "/bin/true", user=NOBODY).returncode == 0
    finally:
        libc.umount2(at.encode(), 3)
        os.close(fuse)
        os.rmdir(at)
        for fd in fds:
            os.close(fd)
    assert until(lambda: not daemon.sandboxes()), daemon.sandboxes()
    healthy(daemon)
