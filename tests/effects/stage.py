# SPDX-License-Identifier: Apache-2.0
"""What a forbidden call could act on, and how to see from outside whether it did."""
import array
import ctypes
import fcntl
import mmap
import os
import random
import socket
import stat
import struct
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hostile"))
import sgtest  # noqa: E402

libc = ctypes.CDLL(None, use_errno=True)
IPC_CREAT, IPC_EXCL, IPC_RMID, GETVAL = 0o1000, 0o2000, 0, 12
SYS_FUTEX, SYS_MQ_OPEN, SYS_MQ_UNLINK = 202, 240, 241
FS_IOC_GETFLAGS, FS_NODUMP = 0x80086601, 0x40
NAMESPACED = {"mount", "umount2", "move_mount", "sethostname", "setdomainname"}


class FutexWaiter(threading.Thread):
    """Waits in FUTEX_WAIT on the first word of a file; woken says whether someone else than stop() ended that."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 10)
        self.word = ctypes.c_uint.from_buffer(self.map)
        self.value, self.ended, self.woken = self.word.value, False, False
        self.start()

    def run(self):
        limit = struct.pack("qq", 20, 0)
        r = libc.syscall(SYS_FUTEX, ctypes.byref(self.word), 0, self.value, limit, None, 0)
        self.woken = r == 0 and not self.ended

    def waiting(self):
        """Until the thread really is in the call (it shows in its wait channel or state)."""
        time.sleep(0.02)

    def stop(self):
        time.sleep(0.02)
        self.ended = True
        libc.syscall(SYS_FUTEX, ctypes.byref(self.word), 1, 1, None, None, 0)
        self.join(5)
        del self.word
        self.map.close()
        self.file.close()


class Stage:
    def __init__(self, name, scratch, victim_binary, uid):
        self.name, self.dir, self.uid = name, scratch, uid
        self.victim = sgtest.Victim(victim_binary, uid)
        self.key = random.randrange(0x5A000000, 0x5AFFFFFF)
        self.id, self.queue = 0, "sandgate-effects-%x" % self.key
        self.namespaces, self.waiter, self.output = {}, None, ""
        self.stdin_r, self.stdin_w = os.pipe()
        self.fd, self.was_mounted = None, False
        self.files()
        self.sockets()
        self.system_v()
        self.opened()

    def path(self, name):
        return os.path.join(self.dir, name)

    def files(self):
        for name, data in (("f", b"0123456789"), ("src", b"copied")):
            with open(self.path(name), "wb") as f:
                f.write(data)
        os.setxattr(self.path("f"), "user.old", b"x")
        os.mkdir(self.path("d"))
        os.mkfifo(self.path("fifo"))
        self.fifo = os.open(self.path("fifo"), os.O_RDWR | os.O_NONBLOCK)
        os.write(self.fifo, b"12345")

    def sockets(self):
        self.dgram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.dgram.bind(self.path("dgram"))
        self.stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.stream.bind(self.path("stream"))
        self.stream.listen(4)
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        for s in (self.dgram, self.stream, self.tcp, self.udp):
            s.setblocking(False)
        if self.uid is not None:
            for name in os.listdir(self.dir):
                os.chown(self.path(name), self.uid, self.uid)
        os.chmod(self.path("f"), 0o4755)

    def system_v(self):
        """The object that the program is to act on. World-accessible: the driver may be another user."""
        n, mode = self.name, IPC_CREAT | IPC_EXCL | 0o666
        if n in ("shmctl",):
            self.id = libc.shmget(self.key, 4096, mode)
        elif n in ("semctl", "semop", "semtimedop"):
            self.id = libc.semget(self.key, 1, mode)
        elif n in ("msgctl", "msgsnd", "msgrcv"):
            self.id = libc.msgget(self.key, mode)
            if n == "msgrcv":
                libc.msgsnd(self.id, struct.pack("l", 1) + b"waiting!", 8, 0)
        if n in ("mq_unlink", "mq_timedsend"):
            old = os.umask(0)
            if self.uid is not None:
                os.seteuid(self.uid)  # the directory of queues is sticky: only the owner may remove one
            flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK
            self.mqd = libc.syscall(SYS_MQ_OPEN, self.queue.encode(), flags, 0o666, None)
            if self.uid is not None:
                os.seteuid(0)
            os.umask(old)
        if self.id and self.uid is not None:
            self.give_ipc()

    def opened(self):
        """What is handed over open, because Landlock lets nobody inside open it."""
        if self.name == "write-procfs":
            self.fd = os.open(f"/proc/{self.victim.pid}/oom_score_adj", os.O_WRONLY)
        elif self.name == "mq_timedsend":
            self.fd = os.dup(self.mqd)

    def give_ipc(self):
        """IPC_RMID is for the owner: IPC_SET the uid."""
        kind = self.name[:3]
        ctl = {"shm": libc.shmctl, "sem": lambda i, c, b: libc.semctl(i, 0, c, b), "msg": libc.msgctl}[kind]
        buf = ctypes.create_string_buffer(256)
        ctl(self.id, 2, buf)
        struct.pack_into("II", buf, 4, self.uid, self.uid)
        ctl(self.id, 1, buf)

    def arguments(self):
        return [f"victim={self.victim.pid}", f"addr={self.victim.address}", f"port={self.tcp.getsockname()[1]}",
                f"udp={self.udp.getsockname()[1]}", f"key={self.key}", f"id={self.id}", f"name={self.queue}", f"fd={self.fd}"]

    def ready(self, pid):
        """The program is about to make the call: keep hold of what only lives as long as it does."""
        if self.name in NAMESPACED:
            for kind in ("user", "mnt", "uts"):
                self.namespaces[kind] = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        if self.name == "umount2":
            self.was_mounted = self.mounted()
        if self.name == "futex-wake":
            self.waiter = FutexWaiter(self.path("f"))
            self.waiter.waiting()

    def inside(self, *command):
        words = ["/usr/bin/nsenter"]
        if os.getuid():
            words.append(f"--user=/proc/{os.getpid()}/fd/{self.namespaces['user']}")
            words.append("--preserve-credentials")
        words += [f"--mount=/proc/{os.getpid()}/fd/{self.namespaces['mnt']}",
                  f"--uts=/proc/{os.getpid()}/fd/{self.namespaces['uts']}", "--"]
        done = subprocess.run(words + list(command), capture_output=True, text=True, env=sgtest.ENV, cwd="/")
        if done.returncode:
            raise RuntimeError("nsenter: " + done.stderr.strip())
        return done.stdout

    def mounted(self):
        return any(line.split()[4] == os.path.realpath(self.path("d"))
                   for line in self.inside("/bin/cat", "/proc/self/mountinfo").splitlines())

    # --- the answers --------------------------------------------------------------------------------------------------

    def content(self):
        with open(self.path("f"), "rb") as f:
            return f.read()

    def stat(self):
        return os.stat(self.path("f"))

    def waiting_bytes(self):
        n = array.array("i", [0])
        fcntl.ioctl(self.fifo, termios.FIONREAD, n)
        return n[0]

    def received(self, s, rights=False):
        try:
            data, fds, _, _ = socket.recv_fds(s, 64, 4)
        except BlockingIOError:
            return False
        for fd in fds:
            os.close(fd)
        return bool(fds) if rights else bool(data)

    @staticmethod
    def accepted(s):
        for _ in range(10):
            try:
                s.accept()[0].close()
                return True
            except BlockingIOError:
                time.sleep(0.002)
        return False

    def flags(self):
        fd = os.open(self.path("f"), os.O_RDONLY)
        try:
            got = array.array("l", [0])
            fcntl.ioctl(fd, FS_IOC_GETFLAGS, got)
            return got[0]
        finally:
            os.close(fd)

    def message_count(self):
        with open("/proc/sysvipc/msg") as f:
            for line in f.readlines()[1:]:
                if int(line.split()[1]) == self.id:
                    return int(line.split()[4])
        return None

    def queue_exists(self):
        fd = libc.syscall(SYS_MQ_OPEN, self.queue.encode(), os.O_RDONLY, 0, None)
        if fd >= 0:
            os.close(fd)
        return fd >= 0

    def queue_messages(self):
        return libc.syscall(243, self.mqd, ctypes.create_string_buffer(65536), 65536, None, None) > 0

    def took_effect(self):
        n, exists = self.name, lambda x: os.path.lexists(self.path(x))
        if n in ("unlink", "unlinkat", "rename", "renameat", "renameat2"):
            return not exists("f")
        if n == "rmdir":
            return not exists("d")
        if n in ("chmod", "fchmod", "fchmodat"):
            return stat.S_IMODE(self.stat().st_mode) == 0o600
        if n in ("chown", "fchown", "lchown", "fchownat"):
            return not self.stat().st_mode & stat.S_ISUID
        if n in ("setxattr", "lsetxattr", "fsetxattr"):
            return "user.new" in os.listxattr(self.path("f"))
        if n in ("removexattr", "fremovexattr"):
            return "user.old" not in os.listxattr(self.path("f"))
        if n in ("utime", "utimes", "futimesat", "utimensat"):
            return self.stat().st_mtime == 1000
        if n in ("truncate", "ftruncate", "fallocate", "open-trunc", "openat-trunc"):
            return self.stat().st_size != 10
        if n in ("write-file", "pwrite64", "pwritev", "pwritev2", "sendfile", "copy_file_range", "splice-file"):
            return self.content() != b"0123456789"
        if n == "write-procfs":
            with open(f"/proc/{self.victim.pid}/oom_score_adj") as f:
                return f.read().strip() == "777"
        if n in ("write-pipe", "read-pipe", "vmsplice-pipe"):
            return self.waiting_bytes() != 5
        if n == "ioctl-setflags":
            return bool(self.flags() & FS_NODUMP)
        if n == "fcntl-nonblock":
            return not os.get_blocking(self.stdin_r)
        if n in ("mount", "move_mount"):
            return self.mounted()
        if n == "umount2":
            return self.was_mounted and not self.mounted()
        if n == "sethostname":
            return self.inside("/bin/cat", "/proc/sys/kernel/hostname").strip() == "taken-over"
        if n == "setdomainname":
            return self.inside("/bin/cat", "/proc/sys/kernel/domainname").strip() == "taken-over"
        return self.ipc_effect(n, exists)

    def ipc_effect(self, n, exists):
        if n == "connect-unix":
            return self.accepted(self.stream)
        if n == "connect-tcp":
            return self.accepted(self.tcp)
        if n in ("sendto-unix", "write-socket", "sendmmsg"):
            return self.received(self.dgram)
        if n == "sendmsg-rights":
            return self.received(self.dgram, rights=True)
        if n == "sendto-udp":
            return self.received(self.udp)
        if n == "futex-wake":
            self.waiter.stop()
            return self.waiter.woken
        if n in ("shmget", "semget", "msgget"):
            # Looked up, not created.
            got = {"shmget": lambda: libc.shmget(self.key, 0, 0), "semget": lambda: libc.semget(self.key, 0, 0),
                   "msgget": lambda: libc.msgget(self.key, 0)}[n]()
            self.id = max(got, 0)
            return got >= 0
        if n in ("shmctl", "semctl", "msgctl"):
            return {"shmctl": lambda: libc.shmget(self.key, 0, 0), "semctl": lambda: libc.semget(self.key, 0, 0),
                    "msgctl": lambda: libc.msgget(self.key, 0)}[n]() < 0
        if n in ("semop", "semtimedop"):
            return libc.semctl(self.id, 0, GETVAL, 0) == 1
        if n in ("msgsnd", "msgrcv"):
            return self.message_count() != (1 if n == "msgrcv" else 0)
        if n == "mq_open":
            return self.queue_exists()
        if n == "mq_unlink":
            return not self.queue_exists()
        if n == "mq_timedsend":
            return self.queue_messages()
        if exists("new"):
            return True
        return "WITNESS" in self.output or self.victim.changed() is not None

    def close(self):
        self.victim.close()
        for s in (self.dgram, self.stream, self.tcp, self.udp):
            s.close()
        if self.fd is not None:
            os.close(self.fd)
        for fd in (self.fifo, self.stdin_r, self.stdin_w, *self.namespaces.values()):
            os.close(fd)
        if hasattr(self, "mqd") and self.mqd >= 0:
            os.close(self.mqd)
        libc.syscall(SYS_MQ_UNLINK, self.queue.encode())
        if self.name.startswith("shm"):
            libc.shmctl(libc.shmget(self.key, 0, 0), IPC_RMID, None)
        elif self.name.startswith("sem"):
            libc.semctl(libc.semget(self.key, 0, 0), 0, IPC_RMID, 0)
        elif self.name.startswith("msg"):
            libc.msgctl(libc.msgget(self.key, 0), IPC_RMID, None)
