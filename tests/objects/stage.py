# SPDX-License-Identifier: Apache-2.0
"""What an attack acts on, and whether, seen from outside, it took effect."""
import ctypes
import fcntl
import os
import random
import select
import shutil
import socket
import string
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hostile"))
import sgtest  # noqa: E402

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
IPC_CREAT, IPC_EXCL, IPC_RMID, GETVAL = 0o1000, 0o2000, 0, 12
SYS_MQ_OPEN, SYS_MQ_UNLINK, SYS_MQ_SEND = 240, 241, 242
SYSCTL = "/proc/sys/kernel/printk_ratelimit_burst"
BINFMT = "/proc/sys/fs/binfmt_misc"
CODE = b"\xb8\x1e\xab\xa1\x5c\xc3"  # as sg_code
PATHS = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
ETH_P_ALL = 3
LOOPBACK = (bytes([127, 0, 0, 1]), bytes(15) + b"\1")
OTHER_USER = 1917  # owns the home that is somebody else's


def word():
    return "sg" + "".join(random.choices(string.ascii_lowercase, k=14))


def write(path, data, mode=0o644):
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace").strip()
    except OSError:
        return ""


def snapshot(top):
    """Everything about a tree that an attack could change."""
    seen = {}
    for where, dirs, files in os.walk(top):
        for name in [".", *dirs, *files]:
            path = os.path.join(where, name)
            st = os.lstat(path)
            data = b""
            if os.path.isfile(path) and not os.path.islink(path) and st.st_size < 4096:
                with open(path, "rb") as f:
                    data = f.read()
            seen[path] = (st.st_mode, st.st_uid, st.st_nlink, st.st_size, st.st_mtime_ns, data,
                          tuple(os.listxattr(path, follow_symlinks=False)))
    return seen


class Victim(sgtest.Victim):
    """A process outside, or in a sandbox beside; its environment holds the token."""

    def __init__(self, line, token, tty=None):
        def foreground():
            fcntl.ioctl(tty, termios.TIOCSCTTY, 0)
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd="/",
                                        env={**sgtest.ENV, "SECRET": token}, start_new_session=True,
                                        preexec_fn=None if tty is None else foreground)
        pid, self.address = self.line(20).split()
        self.pid = int(pid)
        self.before = self.state()


class Stage:
    """The surroundings of one run."""

    def __init__(self, attack, program, library, victim, token):
        self.attack, self.token, self.name = attack, token, word()
        self.base = tempfile.mkdtemp(prefix="sandgate-objects-", dir="/var/tmp")
        os.chmod(self.base, 0o755)
        self.closing, self.sockets, self.fds = [], [], []
        self.fd = self.far_end = self.terminal = self.wire = None
        self.id, self.key = 0, random.randrange(0x5B000000, 0x5BFFFFFF)
        try:
            self.files(program, library)
            if attack.fd == "tty":
                self.terminal, self.fd = os.openpty()
                self.fds.append(self.terminal)
            self.victim = Victim(victim, token, self.fd)
            self.listen()
            self.pass_fd()
            self.system_v()
            self.sysctl = read(SYSCTL)
            self.before = {top: snapshot(self.path(top)) for top in ("outside", "home", "bin")}
        except BaseException:
            self.close()
            raise

    def path(self, name):
        return os.path.join(self.base, name)

    def files(self, program, library):
        for name in ("cwd", "tmp", "bin", "outside", "outside/dir", "home", "prog", "cwd/held",
                     "cwd/held/denied"):
            os.mkdir(self.path(name), 0o755)
        for name in ("prog/objects", "bin/tool", "outside/tool"):
            shutil.copy(program, self.path(name))
        for name in ("bin/library.so", "outside/library.so"):
            shutil.copy(library, self.path(name))
        secret = f"secret {self.token}\n".encode()
        write(self.path("outside/secret"), secret)
        write(self.path("home/secret"), secret)
        write(self.path("outside/target"), b"0123456789", 0o4755)
        write(self.path("cwd/f"), b"own\n")
        write(self.path("bin/script"), f"#!{self.path('outside/tool')} payload\n".encode(), 0o755)
        try:
            os.setxattr(self.path("outside/target"), "user.old", b"x")
        except OSError:
            pass  # tmpfs has such attributes since Linux 6.6: without, two attacks cannot be made
        for name in ("home", "home/secret"):
            os.chown(self.path(name), OTHER_USER, OTHER_USER)
        write(f"/dev/shm/{self.name}", secret)
        self.closing.append(lambda: os.unlink(f"/dev/shm/{self.name}"))
        if self.attack.name == "exec-binfmt":
            self.binfmt()
        if self.attack.policy.startswith("volume"):
            self.volume(secret)

    def volume(self, secret):
        """A file system with subvolumes, where there is one to be had."""
        image, where = self.path("image"), self.path("volume")
        os.mkdir(where, 0o755)
        with open(image, "wb") as f:
            f.truncate(128 << 20)
        for line in (["modprobe", "-a", "loop", "btrfs"], ["mkfs.btrfs", "-q", image],
                     ["mount", "-o", "loop", image, where]):
            try:
                done = subprocess.run(line, capture_output=True, check=False, env=os.environ | PATHS)
            except OSError:
                return
        if done.returncode:
            return
        self.closing.append(lambda: subprocess.run(["umount", where], check=False, env=os.environ | PATHS))
        os.mkdir(where + "/denied", 0o755)
        write(where + "/denied/secret", secret)

    def binfmt(self):
        magic = self.name[:8]
        write(self.path("bin/format"), magic.encode() + b" not a program\n", 0o755)
        if not os.path.exists(BINFMT + "/register"):
            done = subprocess.run(["/bin/mount", "-t", "binfmt_misc", "none", BINFMT], capture_output=True, check=False)
            if done.returncode:
                return
            self.closing.append(lambda: subprocess.run(["/bin/umount", BINFMT], check=False))
        with open(BINFMT + "/register", "w") as f:
            f.write(f":{self.name}:M::{magic}::{self.path('outside/tool')}:")

        def forget():
            with open(f"{BINFMT}/{self.name}", "w") as f:
                f.write("-1")
        self.closing.append(forget)

    def listener(self, family, kind, address):
        s = socket.socket(family, kind)
        self.sockets.append(s)
        s.bind(address)
        if kind == socket.SOCK_STREAM:
            s.listen(4)
        s.setblocking(False)
        return s.getsockname()

    def listen(self):
        self.ports = {
            "tcp4": self.listener(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))[1],
            "tcp6": self.listener(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0))[1],
            "udp4": self.listener(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))[1],
            "udp6": self.listener(socket.AF_INET6, socket.SOCK_DGRAM, ("::1", 0))[1]}
        if self.attack.name == "net-udp-itself":
            self.id = self.listener(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.2", 0))[1]
        self.listener(socket.AF_UNIX, socket.SOCK_STREAM, self.path("outside/sock"))
        self.listener(socket.AF_UNIX, socket.SOCK_DGRAM, self.path("outside/dgram"))
        self.listener(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.name}-s")
        self.listener(socket.AF_UNIX, socket.SOCK_DGRAM, f"\0{self.name}-d")
        if self.attack.name.startswith("net-route-"):
            self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.wire.bind(("lo", 0))
            self.wire.setblocking(False)
            self.closing.append(self.wire.close)
        if self.attack.name in ("net-listen4", "net-listen6", "net-udp-bind"):
            with socket.socket(socket.AF_INET6 if self.attack.name.endswith("6") else socket.AF_INET) as s:
                s.bind(("::1" if s.family == socket.AF_INET6 else "127.0.0.1", 0))
                self.id = s.getsockname()[1]

    def pass_fd(self):
        kind = self.attack.fd
        if kind == "dir":
            self.fd = os.open(self.path("outside"), os.O_RDONLY | os.O_DIRECTORY)
        elif kind == "cwd":
            self.fd = os.open(self.path("cwd"), os.O_RDONLY | os.O_DIRECTORY)
        elif kind == "target":
            self.fd = os.open(self.path("outside/target"), os.O_RDONLY)
        elif kind == "code":
            write(self.path("outside/code"), CODE.ljust(4096, b"\0"))
            self.fd = os.open(self.path("outside/code"), os.O_RDONLY)
        elif kind == "tcp":
            self.fd = os.dup(self.hold_socket(socket.socket(socket.AF_INET, socket.SOCK_STREAM)).fileno())
        elif kind == "socket":
            near, self.far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.hold_socket(self.far_end)
            self.fd = os.dup(self.hold_socket(near).fileno())
            if self.attack.name.startswith("fd-receive"):
                mode = 3 if self.attack.name == "fd-receive-mode-3" else os.O_RDONLY
                secret = os.open(self.path("outside/secret"), mode)
                socket.send_fds(self.far_end, [b"x"], [secret])
                os.close(secret)
            self.far_end.setblocking(False)
        if self.fd is not None:
            self.fds.append(self.fd)

    def hold_socket(self, s):
        self.fds_sockets = getattr(self, "fds_sockets", [])
        self.fds_sockets.append(s)
        return s

    def system_v(self):
        n, mode = self.attack.name, IPC_CREAT | IPC_EXCL | 0o666
        if n.startswith("ipc-shm"):
            self.id = libc.shmget(self.key, 4096, mode)
            at = libc.shmat(self.id, None, 0)
            ctypes.memmove(at, self.token.encode(), len(self.token))
            libc.shmdt(ctypes.c_void_p(at))
            self.closing.append(lambda: libc.shmctl(self.id, IPC_RMID, None))
        elif n.startswith("ipc-msg"):
            self.id = libc.msgget(self.key, mode)
            if n == "ipc-msgrcv":
                libc.msgsnd(self.id, struct.pack("l", 1) + self.token.encode(), len(self.token), 0)
            self.closing.append(lambda: libc.msgctl(self.id, IPC_RMID, None))
        elif n == "ipc-semop":
            self.id = libc.semget(self.key, 1, mode)
            self.closing.append(lambda: libc.semctl(self.id, 0, IPC_RMID, 0))
        elif n == "ipc-mqueue":
            old = os.umask(0)
            fd = libc.syscall(SYS_MQ_OPEN, self.name.encode(), os.O_RDWR | os.O_CREAT, 0o666, None)
            os.umask(old)
            if fd >= 0:
                libc.syscall(SYS_MQ_SEND, fd, self.token.encode(), len(self.token), 0, None)
                os.close(fd)
                self.closing.append(lambda: libc.syscall(SYS_MQ_UNLINK, self.name.encode()))

    def arguments(self, cgroup):
        words = [f"base={self.base}", f"token={self.token}", f"victim={self.victim.pid}", f"addr={self.victim.address}",
                 f"key={self.key}", f"id={self.id}", f"name={self.name}", f"cgroup={cgroup}"]
        words += [f"{k}={v}" for k, v in self.ports.items()]
        return words + ([f"fd={self.fd}"] if self.fd is not None else [])

    # --- while the program waits to be looked at -----------------------------------------------------------------------

    @staticmethod
    def family(pid):
        """A process and its children."""
        return [pid, *map(int, read(f"/proc/{pid}/task/{pid}/children").split())]

    def links(self, pid):
        for p in self.family(pid):
            try:
                names = os.listdir(f"/proc/{p}/fd")
            except OSError:
                continue
            for fd in names:
                try:
                    if self.fd is None or fd != str(self.fd):
                        yield os.readlink(f"/proc/{p}/fd/{fd}")
                except OSError:
                    pass

    def look(self, pid):
        """What can be seen of the attack's effect in the process that made it; None: nothing."""
        n = self.attack.name
        if n == "cgroup-leave":
            return "it left its cgroup" if "0::/" in read(f"/proc/{pid}/cgroup").splitlines() else None
        if n == "cgroup-clone":
            away = any("0::/" in read(f"/proc/{p}/cgroup").splitlines() for p in self.family(pid))
            return "its child is elsewhere" if away else None
        if n in ("cgroup-make", "cgroup-limit"):
            return self.look_at_cgroup(pid)
        if n in ("net-listen4", "net-listen6"):
            return self.call(socket.AF_INET6 if n.endswith("6") else socket.AF_INET)
        if n == "net-udp-bind":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(self.token.encode(), ("127.0.0.1", self.id))
            return None
        if self.terminal is not None:
            self.press_enter()
            return None
        if n == "trace-seize":
            return None if "TracerPid:\t0" in read(f"/proc/{self.victim.pid}/status") else "the victim is traced"
        if n == "trace-pidfd-getfd":
            theirs = os.readlink(f"/proc/{self.victim.pid}/fd/0")
            return "it has the victim's descriptor" if theirs in self.links(pid) else None
        if n.startswith("net-"):
            return "it has a socket" if any(x.startswith("socket:") for x in self.links(pid)) else None
        if n.startswith(("bpf-", "perf-", "uring-")):
            kind = {"bpf": "bpf", "perf": "perf", "ring": "io_uring"}[n.split("-")[0][-4:]]
            return "it has a descriptor" if any(kind in x for x in self.links(pid)) else None
        return self.look_at_process(pid)

    def press_enter(self):
        """Returns once the signal, if there is one, has been sent.

        A worker of the kernel's takes the line to the terminal's end, which is when it can be read there, and it tells
        who asked for a signal before it lets go of the settings, which setting them waits for.
        """
        os.write(self.terminal, b"\n")
        if not select.select([self.fd], [], [], 60)[0]:
            raise RuntimeError("a line was typed and did not arrive within 60 s")
        termios.tcsetattr(self.fd, termios.TCSANOW, termios.tcgetattr(self.fd))

    def look_at_process(self, pid):
        n = self.attack.name
        if n.startswith("namespace-"):
            own = os.readlink("/proc/self/ns/user")
            for p in self.family(pid):
                if os.readlink(f"/proc/{p}/ns/user") != own:
                    return "it has a user namespace"
        if n.startswith("mount-"):
            return self.look_at_mounts(pid)
        if n == "capability-hostname":
            done = subprocess.run(["/usr/bin/nsenter", f"--uts=/proc/{pid}/ns/uts", "/bin/cat",
                                   "/proc/sys/kernel/hostname"], capture_output=True, text=True, check=False)
            return "it set the host name" if done.stdout.strip() == "taken-over" else None
        if n == "setid-setuid":
            ids = [x for x in read(f"/proc/{pid}/status").splitlines() if x.startswith("Uid:")]
            return "it changed its user" if ids and "65533" in ids[0] else None
        if n.startswith("keys-"):
            return "the key is there" if self.name in read("/proc/keys") else None
        return None

    def look_at_mounts(self, pid):
        lines = [x.split() for x in read(f"/proc/{pid}/mountinfo").splitlines()]
        if self.attack.name in ("mount-remount", "mount-setattr"):
            return "/ is another one" if any(x[4] == "/" and "ro" in x[5].split(",") for x in lines) else None
        if self.attack.name == "mount-pivot":
            return "/ is another one" if any(x[4] == "/tmp" and x[3] == "/" for x in lines) else None
        return "it is mounted" if any(x[4] == self.path("cwd/m") for x in lines) else None

    def look_at_cgroup(self, pid):
        own = [x[3:] for x in read(f"/proc/{pid}/cgroup").splitlines() if x.startswith("0::")][0]
        top = sgtest.cgroup2_mount() + own
        if self.attack.name == "cgroup-make" and os.path.isdir(top + "/escaped"):
            os.rmdir(top + "/escaped")
            return "there is a cgroup"
        if self.attack.name == "cgroup-limit" and read(top + "/cgroup.max.descendants") == "12345":
            return "the limit is another one"
        return None

    def call(self, family):
        with socket.socket(family) as s:
            s.settimeout(2)
            try:
                s.connect(("::1" if family == socket.AF_INET6 else "127.0.0.1", self.id))
                return "it takes connections"
            except OSError:
                return None

    # --- afterwards ----------------------------------------------------------------------------------------------------

    def passed_by(self):
        """Whether a packet of the program's was on its way to the loopback address."""
        while True:
            try:
                packet = self.wire.recv(65536)[14:]
            except BlockingIOError:
                return None
            to = packet[16:20] if packet[:1] and packet[0] >> 4 == 4 else packet[24:40]
            if self.token.encode() in packet and to in LOOPBACK:
                return "a packet went another way"

    def arrived(self):
        """Whether anything came in over any of the listeners."""
        if self.wire:
            return self.passed_by()
        if self.attack.policy == "unix-outside":
            return self.descriptor_arrived()
        for s in self.sockets:
            try:
                if s.type == socket.SOCK_STREAM:
                    s.accept()[0].close()
                else:
                    s.recv(64)
                return "something arrived at " + str(s.getsockname())
            except BlockingIOError:
                pass
        if self.far_end is not None:
            try:
                _, fds, _, _ = socket.recv_fds(self.far_end, 64, 4)
                for fd in fds:
                    os.close(fd)
                return "a descriptor arrived" if fds else "something arrived"
            except BlockingIOError:
                pass
        return None

    def descriptor_arrived(self):
        """The same where the policy allows the rest."""
        for s in [x for x in self.sockets if x.family == socket.AF_UNIX]:
            try:
                if s.type == socket.SOCK_STREAM:
                    with s.accept()[0] as c:
                        fds = socket.recv_fds(c, 64, 4)[1]
                else:
                    fds = []
                    while not fds:  # the first message of two may have none
                        fds = socket.recv_fds(s, 64, 4)[1]
            except (BlockingIOError, ConnectionResetError):
                continue
            for fd in fds:
                os.close(fd)
            if fds:
                return "a descriptor arrived"
        return None

    def effect(self, output, status):
        """What the attack achieved, None for nothing."""
        if self.token in output:
            return "the secret is out"
        if self.attack.shows and self.attack.shows in output:
            return "it shows " + self.attack.shows
        for marker in ("RAN ", "CODE 5ca1ab1e"):
            if any(line.startswith(marker) for line in output.splitlines()):
                return marker.split()[0].lower()
        if status == 128 + 12 and self.attack.name == "supervisor-kill":
            return "the signal came through"
        for top, before in self.before.items():
            now = snapshot(self.path(top))
            if now != before:
                return "changed: " + ", ".join(sorted(os.path.relpath(p, self.base) for p in set(now) | set(before)
                                                      if now.get(p) != before.get(p)))
        if self.attack.name == "write-sysctl" and read(SYSCTL) != self.sysctl:
            return "the kernel's setting is another one"
        n = self.attack.name
        if n == "create-subvolume" and os.path.exists(self.path("volume/made")):
            return "there is a subvolume"
        if os.path.exists(self.path("cwd/held/denied/made")):
            return "another one has its name"
        if n == "write-oom-score" and read(f"/proc/{self.victim.pid}/oom_score_adj") == "777":
            return "the victim's score is another one"
        if n == "ipc-shm-remove" and libc.shmget(self.key, 0, 0) < 0:
            return "it is gone"
        if n == "ipc-msgsnd" and self.messages():
            return "there is a message"
        if n == "ipc-semop" and libc.semctl(self.id, 0, GETVAL, 0) == 1:
            return "the semaphore is up"
        touched = self.arrived() or self.victim.changed()
        return touched

    def messages(self):
        for line in read("/proc/sysvipc/msg").splitlines()[1:]:
            if int(line.split()[1]) == self.id:
                return int(line.split()[4])
        return 0

    def close(self):
        if hasattr(self, "victim"):
            self.victim.close()
        if hasattr(self, "sysctl") and self.attack.name == "write-sysctl" and read(SYSCTL) != self.sysctl:
            with open(SYSCTL, "w") as f:
                f.write(self.sysctl)
        for s in [*self.sockets, *getattr(self, "fds_sockets", [])]:
            s.close()
        for fd in self.fds:
            os.close(fd)
        for undo in reversed(self.closing):
            try:
                undo()
            except OSError:
                pass
        for _ in range(3):
            shutil.rmtree(self.base, ignore_errors=True)
            if not os.path.exists(self.base):
                break
            time.sleep(0.05)
