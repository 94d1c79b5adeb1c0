# SPDX-License-Identifier: Apache-2.0
"""hostile.py NAME [key=value ...]: one attack in Python, reported as hostile.c reports (TRY, EFFECT, ERRNO, exit code).

raw:NAME makes the attack of that name of the C programs through ctypes (lib= names the shared object).
"""
import atexit
import errno
import os
import signal
import sys
import threading
import time

T = dict(word.split("=", 1) for word in sys.argv[2:])
VICTIM = int(T.get("victim", 0))
DIR = T.get("dir", "/nonexistent")


def say(*words):
    os.write(1, (" ".join(words) + "\n").encode())


def attempt(fn, name):
    """Returns the exit code that tells what came of it."""
    say("TRY", name)
    try:
        fn()
    except OSError as e:
        name = errno.errorcode.get(e.errno, str(e.errno or e.args[0]))
        say("ERRNO", "EOPNOTSUPP" if name == "ENOTSUP" else name)
        return 20
    except Exception as e:  # a runtime may wrap what the kernel answered
        say("SETUP", type(e).__name__, str(e).replace("\n", " ")[:100])
        return 30
    say("EFFECT")
    return 10


def sock(*args):
    def run():
        import socket
        socket.socket(*[getattr(socket, a) if isinstance(a, str) else a for a in args]).close()
    return run


def connect():
    import socket
    with socket.create_connection(("127.0.0.1", 1), timeout=1):
        pass


def resolve():
    import socket
    socket.getaddrinfo("sandgate.invalid", 80)


def urllib_get():
    import urllib.error
    import urllib.request
    try:
        urllib.request.urlopen("http://127.0.0.1:1/", timeout=1)
    except urllib.error.URLError as e:
        raise e.reason


def asyncio_server():
    import asyncio

    async def main():
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        if not server.sockets:  # asyncio takes a refused socket for a family that is not there
            raise OSError(errno.EACCES, "no socket")
        server.close()
    asyncio.run(main())


def system():
    if os.system("exit 0") != 0:
        raise OSError(errno.EPERM, "system")


def popen_run():
    import subprocess
    subprocess.run(["/bin/true"], check=True)


def popen_shell():
    if os.popen("exit 0").close() is not None:
        raise OSError(errno.EPERM, "popen")


def reap(pid):
    """A child that was killed must take this process along."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status < 0:
        time.sleep(2)
        say("SURVIVED")
    if status:
        raise OSError(abs(status), "child")


def spawn():
    reap(os.posix_spawn("/bin/true", ["true"], {}))


def in_child(work):
    pid = os.fork()
    if not pid:
        try:
            work()
        except OSError as e:
            os._exit(e.errno)
        os._exit(0)
    reap(pid)


def fork_attack():
    in_child(sock("AF_PACKET", "SOCK_RAW"))


def fork_exec():
    in_child(lambda: os.execv("/bin/true", ["true"]))


def mp_attack():
    import multiprocessing
    p = multiprocessing.get_context("fork").Process(target=sock("AF_PACKET", "SOCK_RAW"))
    p.start()
    p.join()
    if p.exitcode < 0:
        time.sleep(2)
        say("SURVIVED")
    if p.exitcode:
        raise OSError(errno.EPERM, "child")


def execv():
    os.execv("/proc/self/exe", ["python3", "-S", "-c", "import os; os.write(1, b'EFFECT\\n')"])


def memfd():
    os.close(os.memfd_create("hostile"))


def kill_victim():
    os.kill(VICTIM, signal.SIGUSR1)


def killpg_victim():
    os.killpg(VICTIM, signal.SIGUSR1)


def pidfd_victim():
    fd = os.pidfd_open(VICTIM)
    signal.pidfd_send_signal(fd, signal.SIGUSR1)


def sigio_victim():
    import fcntl
    r, w = os.pipe()
    fcntl.fcntl(r, fcntl.F_SETOWN, VICTIM)
    fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)
    os.write(w, b"x")


def nice_victim():
    os.setpriority(os.PRIO_PROCESS, VICTIM, 19)


def affinity_victim():
    os.sched_setaffinity(VICTIM, {0})


def limit_victim():
    import resource
    resource.prlimit(VICTIM, resource.RLIMIT_NOFILE, (60, 60))


def raise_limit():
    import resource
    try:
        resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE))
    except ValueError:  # what this module makes of EPERM
        raise OSError(errno.EPERM, "setrlimit") from None


def hostname():
    import socket
    socket.sethostname("hostile")


def clock():
    time.clock_settime(time.CLOCK_REALTIME, -1)


def device():
    import stat
    os.mknod(DIR + "/py-device", stat.S_IFCHR | 0o600, os.makedev(1, 3))


def wx_memory():
    import mmap
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


def tiocsti():
    import fcntl
    import termios
    fcntl.ioctl(0, termios.TIOCSTI, b"x")


def in_thread():
    """The rest of the process must not go on either."""
    def run():
        os._exit(attempt(sock("AF_PACKET", "SOCK_RAW"), "thread-packet"))
    t = threading.Thread(target=run)
    t.start()
    while True:
        time.sleep(0.01)


def at_exit():
    atexit.register(lambda: os._exit(attempt(sock("AF_PACKET", "SOCK_RAW"), "atexit-packet")))
    sys.exit(0)


def in_handler():
    def run(*_):
        os._exit(attempt(sock("AF_PACKET", "SOCK_RAW"), "signal-packet"))
    signal.signal(signal.SIGALRM, run)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    while True:
        time.sleep(0.01)


def in_destructor():
    class Late:
        def __del__(self):
            os._exit(attempt(sock("AF_PACKET", "SOCK_RAW"), "del-packet"))
    late = Late()
    del late


def swallow():
    """Catches everything, and goes on trying."""
    for _ in range(50):
        try:
            sock("AF_PACKET", "SOCK_RAW")()
            return
        except BaseException:
            pass
    raise OSError(errno.EPERM, "fifty times")


ATTACKS = {
    "socket-tcp": sock("AF_INET", "SOCK_STREAM"), "socket-udp": sock("AF_INET", "SOCK_DGRAM"),
    "socket-inet6": sock("AF_INET6", "SOCK_STREAM"), "socket-unix": sock("AF_UNIX", "SOCK_STREAM"),
    "socket-netlink": sock("AF_NETLINK", "SOCK_RAW"), "socket-packet": sock("AF_PACKET", "SOCK_RAW"),
    "socket-vsock": sock("AF_VSOCK", "SOCK_STREAM"), "socket-alg": sock("AF_ALG", "SOCK_SEQPACKET"),
    "socket-icmp": sock("AF_INET", "SOCK_RAW", 1),
    "connect": connect, "getaddrinfo": resolve, "urllib": urllib_get, "asyncio-server": asyncio_server,
    "os-system": system, "subprocess": popen_run, "posix-spawn": spawn,
    "popen-shell": popen_shell, "fork-attack": fork_attack, "fork-exec": fork_exec, "multiprocessing-attack": mp_attack,
    "execv": execv, "memfd": memfd,
    "kill-victim": kill_victim, "killpg-victim": killpg_victim, "pidfd-victim": pidfd_victim,
    "sigio-victim": sigio_victim, "nice-victim": nice_victim, "affinity-victim": affinity_victim,
    "limit-victim": limit_victim, "raise-limit": raise_limit,
    "setuid": lambda: os.setuid(os.getuid()), "setresuid": lambda: os.setresuid(-1, os.getuid(), os.getuid()),
    "setgroups": lambda: os.setgroups([65534]), "chroot": lambda: os.chroot(DIR), "sethostname": hostname,
    "clock-settime": clock, "mknod-device": device,
    "setxattr-security": lambda: os.setxattr(DIR, "security.sandgate_test", b"x"),
    "wx-memory": wx_memory, "tiocsti": tiocsti, "swallow-errors": swallow,
}
CONTEXTS = {"thread": in_thread, "atexit": at_exit, "signal": in_handler, "del": in_destructor}


def main():
    name = sys.argv[1]
    if name.startswith("raw:"):
        import ctypes
        lib = ctypes.CDLL(T["lib"])
        argv = [b"hostile", name[4:].encode()] + [w.encode() for w in sys.argv[2:]]
        sys.exit(lib.hostile_main(len(argv), (ctypes.c_char_p * (len(argv) + 1))(*argv, None)))
    if name in CONTEXTS:
        CONTEXTS[name]()
        return
    sys.exit(attempt(ATTACKS[name], name))


main()
