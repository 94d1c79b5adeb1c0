# SPDX-License-Identifier: Apache-2.0
"""A file system with one file in it, whose server does not answer sgd and its children that they close it (FUSE_FLUSH)."""
import contextlib
import ctypes
import os
import struct
import tempfile
import threading

LOOKUP, FORGET, GETATTR, OPEN, STATFS, RELEASE, FLUSH, INIT, OPENDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = \
    1, 2, 3, 14, 17, 18, 25, 26, 27, 29, 36, 42
UNANSWERED = (FORGET, INTERRUPT, BATCH_FORGET)
MNT_FORCE, MNT_DETACH = 1, 2


def attributes(inode):
    mode = 0o40755 if inode == 1 else 0o100666
    return struct.pack("=6Q10I", inode, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class Silent:
    """One mount for the life of a with. .path: the file. .waiting: processes and threads that wait in a close of it."""

    def __init__(self, sgd):
        self.sgd = str(sgd)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.place = tempfile.mkdtemp(prefix="sgd-test-fuse.")
        self.path = os.path.join(self.place, "file")
        self.waiting = []
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if self.libc.mount(b"silent", self.place.encode(), b"fuse", 0, options.encode()):
            code = ctypes.get_errno()
            os.close(self.device)
            os.rmdir(self.place)
            raise OSError(code, "mount of fuse")
        self.server = threading.Thread(target=self.serve, daemon=True)
        self.server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Whoever waits is let go."""
        if self.device < 0:
            return
        self.libc.umount2(self.place.encode(), MNT_FORCE | MNT_DETACH)
        with contextlib.suppress(OSError):
            os.close(self.device)
        self.device = -1
        os.rmdir(self.place)

    def of_sgd(self, pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            lines = dict(line.split(":\t", 1) for line in f if ":\t" in line)
        return self.sgd in (lines["Tgid"].strip(), lines["PPid"].strip())

    def serve(self):
        device = self.device
        with contextlib.suppress(OSError):
            while True:
                self.answer(device, os.read(device, 1 << 20))

    def answer(self, device, request):
        _, op, unique, inode, _, _, pid = struct.unpack_from("=IIQQIII", request)
        known = {
            INIT: struct.pack("=4I2H2I2H8I", 7, 31, 0, 0, 0, 0, 1 << 16, 1, 0, 0, *[0] * 8)[:64],
            LOOKUP: struct.pack("=4Q2I", 2, 0, 3600, 3600, 0, 0) + attributes(2),
            GETATTR: struct.pack("=Q2I", 3600, 0, 0) + attributes(inode),
            OPEN: struct.pack("=Q2I", 1, 0, 0), OPENDIR: struct.pack("=Q2I", 1, 0, 0),
            STATFS: bytes(80), FLUSH: b"", RELEASE: b"", RELEASEDIR: b""}
        if op == FLUSH and self.of_sgd(pid):
            self.waiting.append(pid)
        if op in UNANSWERED or pid in self.waiting:
            return
        body = known.get(op)
        head = struct.pack("=IiQ", 16 + len(body or b""), -38 if body is None else 0, unique)
        os.write(device, head + (body or b""))
