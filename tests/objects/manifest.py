# SPDX-License-Identifier: Apache-2.0
"""Every attack: the class of object operation that must stop it, and what happens where only Landlock is there."""


class Attack:
    def __init__(self, name, classes, policy="matrix", landlock=2, why="", shows=None, root=False, fd=None, lacks=None,
                 kernel=False, since=(0, 0), mild=False, program="objects"):
        self.name = name
        self.classes = classes.split("|")  # any of them may be the one that the record names
        self.policy = policy               # language of the policy file
        self.landlock = landlock           # the ABI from which Landlock stops it; 99: none does
        self.why = why                     # why not, for the table
        self.shows = shows                 # what its output must hold to count as an effect, beside the token
        self.root = root                   # the control needs capabilities
        self.fd = fd                       # what the driver passes
        self.lacks = lacks                 # an ability a kernel may lack, so that the control may fail
        # The kernel itself refuses it for want of a capability, before any rule is asked: there is no record then.
        self.kernel = kernel
        self.since = since                 # the first kernel with the hook by which the lsm tier stops it
        self.mild = mild                   # honest programs do it, too: EACCES where others are killed
        self.program = program             # what is started: `objects` knows all attacks but those of others


METADATA = "Landlock knows no right for metadata"
UNIX = "Landlock knows no socket files before ABI 9"
FAMILY = "Landlock does not judge socket families; the built-in policies' seccomp rules refuse them"
MAPPING = "Landlock does not judge mappings"
CODE = "Landlock does not judge memory; the built-in policies' seccomp rules refuse writable and executable mappings"
SECCOMP = "not Landlock's; the built-in policies' seccomp rules kill for the call"
PROC = "a policy that allows new processes needs all of /proc readable; their memory is not"
MODE_3 = "Landlock asks who opens for reading or for writing; the access mode 3 is neither"
SUBVOLUMES = "btrfs, or mkfs.btrfs"
CGROUP = "the kernel asks no rule about files whether a new process may be put into a cgroup"
MOBILE = "Mobile IPv6's routing header"
PASSED = "Landlock does not judge descriptors once they are open"


def effect(name, classes, why, landlock=99, **more):
    return Attack(name, classes, landlock=landlock, why=why, **more)


READ = [
    Attack("read-path", "read"),
    Attack("read-shadow", "read", shows="root:"),
    Attack("read-home", "read"),
    Attack("read-dots", "read"),
    Attack("read-symlink", "read"),
    Attack("read-symlink-dir", "read"),
    Attack("read-hardlink", "read|create|write|delete"),
    Attack("read-hardlink-fd", "read|create|write|delete|capability"),
    Attack("read-rename", "read|create|write|delete"),
    Attack("read-exchange", "read|create|write|delete"),
    Attack("read-snapshot", "create", policy="volume", lacks=SUBVOLUMES),
    Attack("read-rename-dir", "read|create|write|delete"),
    Attack("read-proc-root", "read"),
    Attack("read-proc-cwd", "read"),
    Attack("read-proc-thread", "read"),
    Attack("read-opath", "read"),
    Attack("read-dev-fd", "read"),
    Attack("read-dirfd", "read"),
    Attack("read-chdir", "read"),
    Attack("read-openat2", "read"),
    Attack("read-openat2-root", "read"),
    Attack("read-given-dir", "read", fd="dir"),
    Attack("read-given-dir-up", "read", fd="cwd"),
    Attack("read-list", "read", shows="LISTED secret"),
    Attack("read-rdwr", "read|write"),
    effect("read-mode-3", "read|write", MODE_3, shows="OPENED"),
    Attack("read-child", "read"),
    Attack("read-race", "read"),
    Attack("read-uring", "read", policy="uring", lacks="io_uring"),
    Attack("read-uring-openat2", "read", policy="uring", lacks="io_uring"),
    Attack("read-uring-async", "read", policy="uring", lacks="io_uring"),
    Attack("read-bind-mount", "read", policy="mounts"),
    Attack("read-open-tree", "read", policy="mounts"),
    Attack("read-move-mount", "read", policy="mounts"),
    Attack("read-overlay", "read|create|write", policy="mounts", lacks="overlayfs in a user namespace (5.11)"),
    Attack("read-chroot", "read", policy="mounts"),
    Attack("read-proc-pid-root", "trace|read"),
    Attack("read-posix-shm", "read"),
    Attack("read-own-proc", "read", policy="not-itself", shows="VmPeak:"),
]

WRITE = [
    Attack("write-path", "write"),
    Attack("write-append", "write"),
    Attack("write-open-trunc", "write"),
    Attack("write-truncate", "write", landlock=3),
    Attack("write-symlink", "write"),
    Attack("write-hardlink", "read|create|write|delete"),
    Attack("write-given-fd", "write", fd="target"),
    Attack("create-file", "create|write"),
    Attack("create-dir", "create"),
    Attack("create-fifo", "create"),
    Attack("create-symlink", "create"),
    Attack("create-link", "create|write"),
    Attack("create-rename", "create|write|delete"),
    Attack("create-tmpfile", "create|write", lacks="O_TMPFILE on this file system"),
    Attack("create-socket", "create"),
    effect("create-subvolume", "create", "Landlock does not judge ioctl on directories", policy="volume-read",
           lacks=SUBVOLUMES),
    Attack("delete-rename-over", "create|write|delete"),
    Attack("delete-rename-away", "read|create|write|delete"),
    Attack("delete-rename", "create|write|delete"),
    Attack("delete-rename-above", "delete", policy="held"),
    Attack("delete-exchange-above", "delete|create", policy="held"),
    Attack("delete-file", "delete"),
    Attack("delete-dir", "delete"),
    effect("write-chmod", "write", METADATA),
    effect("write-chmod-link", "write", METADATA),
    effect("write-chown", "write", METADATA),
    effect("write-utimes", "write", METADATA),
    effect("write-setxattr", "write", METADATA, lacks="user attributes on this file system"),
    effect("write-removexattr", "write", METADATA, lacks="user attributes on this file system"),
    Attack("write-uring", "write", policy="uring", lacks="io_uring"),
    effect("write-uring-setxattr", "write", METADATA, policy="uring", lacks="io_uring setxattr (5.19)"),
    Attack("delete-uring", "delete", policy="uring", lacks="io_uring unlinkat (5.11)"),
    Attack("delete-uring-rename", "create|write|delete", policy="uring", lacks="io_uring renameat (5.11)"),
    Attack("write-sysctl", "write|supervisor"),
    Attack("write-oom-score", "write|trace"),
    Attack("cgroup-leave", "write|supervisor"),
    effect("cgroup-clone", "supervisor", CGROUP, policy="limits"),
    Attack("cgroup-make", "create|supervisor"),
    Attack("cgroup-limit", "write|supervisor"),
]

EXEC = [
    Attack("exec-outside", "exec"),
    Attack("exec-symlink", "exec"),
    Attack("exec-fd", "exec"),
    Attack("exec-proc-fd", "exec"),
    Attack("exec-tmp", "exec"),
    Attack("exec-cwd", "exec"),
    Attack("exec-shm", "create|write|exec"),
    Attack("exec-replaced", "create|write|delete|exec"),
    effect("exec-memfd", "wx|exec", "a memfd has no path for Landlock to judge"),
    effect("exec-memfd-proc", "wx|exec", "a memfd has no path for Landlock to judge"),
    Attack("exec-unlinked", "wx|exec"),
    Attack("exec-tmpfile", "wx|exec", lacks="O_TMPFILE on this file system"),
    Attack("exec-own-script", "exec"),
    Attack("exec-shebang", "exec"),
    Attack("exec-binfmt", "exec", lacks="binfmt_misc"),
    effect("exec-loader", "map", "the loader is allowed and only maps the program"),
    effect("exec-second", "exec", "Landlock does not count", policy="once"),
    effect("map-library-cwd", "map", MAPPING),
    effect("map-library-tmp", "map", MAPPING),
    effect("map-library-memfd", "wx|map", MAPPING),
    Attack("map-library-outside", "read|map"),
    effect("map-file", "map", MAPPING),
    effect("map-given", "map", MAPPING, fd="code", program="first"),
    # The mapping of a file of an overlay belongs to the layer below from 6.8 on, where no name leads to.
    effect("map-file-mprotect", "map|wx", MAPPING),
]

MEMORY = [
    effect("wx-mmap", "wx", CODE),
    effect("wx-mprotect", "wx", CODE),
    effect("wx-mprotect-rwx", "wx", CODE),
    effect("wx-pkey", "wx", CODE),
    effect("wx-mremap", "wx", CODE),
    effect("wx-stack", "wx", CODE),
    effect("wx-heap", "wx", CODE),
    effect("wx-memfd", "wx|map", CODE),
    effect("wx-unlinked", "wx|map", CODE),
    effect("wx-shared", "wx", CODE),
    effect("wx-system-v", "wx|ipc|map", CODE),
    effect("wx-text", "wx", CODE),
    Attack("wx-proc-mem", "wx|trace|write", lacks="/proc/PID/mem that writes to what is read-only"),
    Attack("wx-proc-task-mem", "wx|trace|write", lacks="/proc/PID/mem that writes to what is read-only"),
    effect("wx-poke-child", "wx|trace", CODE),
    effect("wx-personality", "wx", CODE),
    effect("wx-userfault", "wx", CODE, lacks="userfaultfd for every user (5.11)", since=(5, 12)),
]

NET = [
    Attack("net-tcp4", "net", landlock=4),
    Attack("net-tcp6", "net", landlock=4),
    Attack("net-tcp-mapped", "net", landlock=4),
    Attack("net-tcp-fastopen", "net"),
    Attack("net-mptcp", "net", lacks="MPTCP"),
    Attack("net-given-socket", "net", landlock=4, fd="tcp"),
    Attack("net-listen4", "net", landlock=4),
    Attack("net-listen6", "net", landlock=4),
    Attack("net-listen-unbound", "net"),
    Attack("net-udp4", "net"),
    Attack("net-udp6", "net"),
    Attack("net-udp-connect", "net"),
    Attack("net-udp-sendmsg", "net"),
    Attack("net-udp-sendmmsg", "net"),
    Attack("net-udp-no-family", "net", policy="peer", mild=True),
    Attack("net-udp-itself", "net", policy="itself"),
    Attack("net-udp-bind", "net"),
    Attack("net-route-options", "net", policy="routed", root=True),
    Attack("net-route-header", "net", policy="routed"),
    Attack("net-route-old-options", "net", policy="routed", lacks=MOBILE),
    Attack("net-route-label", "net", policy="routed", lacks=MOBILE, mild=True),
    Attack("net-route-message", "net", policy="routed", root=True),
    Attack("net-route-message6", "net", policy="routed", lacks=MOBILE),
    Attack("net-route-message-old", "net", policy="routed", lacks=MOBILE),
    Attack("net-route-message-behind", "net", policy="routed", root=True),
    Attack("net-route-message-far-behind", "net", policy="routed", root=True),
    effect("unix-path", "unix", UNIX, landlock=9),
    effect("unix-dgram", "unix", UNIX, landlock=9),
    effect("unix-symlink", "unix", UNIX, landlock=9),
    effect("unix-proc-fd", "unix", UNIX, landlock=9),
    Attack("unix-abstract", "unix", landlock=6),
    Attack("unix-abstract-dgram", "unix", landlock=6),
    effect("net-netlink", "net", FAMILY, shows="RAN netlink"),
    effect("net-uevents", "net", FAMILY),
    Attack("net-raw4", "net", root=True),
    Attack("net-raw6", "net", root=True),
    Attack("net-packet", "net", root=True, lacks="packet sockets"),
    effect("net-vsock", "net", FAMILY, lacks="vsock"),
    effect("net-alg", "net", FAMILY, lacks="AF_ALG"),
    Attack("net-socket4", "net"),
    Attack("net-socket6", "net"),
    Attack("net-uring-connect", "net", landlock=4, policy="uring", fd="tcp", lacks="io_uring"),
    effect("net-uring-socket", "net", FAMILY, policy="uring", lacks="io_uring sockets (5.19)"),
    effect("fd-receive", "fdpass|read", PASSED, fd="socket"),
    effect("fd-receive-mode-3", "fdpass|read", PASSED, fd="socket", shows="RECEIVED"),
    effect("fd-send", "fdpass", PASSED, fd="socket"),
    effect("fd-send-connected", "fdpass", PASSED, policy="unix-outside"),
    effect("fd-send-datagram", "fdpass", PASSED, policy="unix-outside"),
    effect("fd-send-datagrams", "fdpass", PASSED, policy="unix-outside"),
]

PROCESSES = [
    Attack("trace-attach", "trace"),
    Attack("trace-seize", "trace"),
    Attack("trace-vm-read", "trace", shows="MEMORY victim's memory"),
    Attack("trace-vm-write", "trace"),
    Attack("trace-proc-mem-read", "trace", shows="MEMORY victim's memory"),
    Attack("trace-proc-mem-write", "trace"),
    Attack("trace-pidfd-getfd", "trace|fdpass"),
    Attack("trace-environ", "trace"),
    effect("trace-cmdline", "trace", PROC, shows="victim", mild=True),
    effect("trace-status", "trace", PROC, shows="Name:", mild=True),
    Attack("trace-maps", "trace", shows="victim"),
    Attack("trace-fd", "trace", shows="LINK pipe:", mild=True),
    effect("trace-init", "trace", PROC, shows="Name:", mild=True),
    Attack("signal-kill", "signal", landlock=6),
    Attack("signal-tgkill", "signal", landlock=6),
    Attack("signal-sigqueue", "signal", landlock=6),
    Attack("signal-pidfd", "signal", landlock=6),
    Attack("signal-sigio", "signal", landlock=6),
    Attack("signal-sigio-namespace", "signal", landlock=6, policy="namespaces"),
    Attack("signal-fiosetown", "signal", landlock=6),
    Attack("signal-siocspgrp", "signal", landlock=6),
    Attack("signal-tty-async", "signal", landlock=6, fd="tty"),
    Attack("signal-tty-fioasync", "signal", landlock=6, fd="tty"),
    effect("limits-prlimit", "limits", SECCOMP),
    effect("limits-read", "limits", SECCOMP, shows="LIMIT "),
    effect("limits-nice", "limits", SECCOMP),
    effect("limits-affinity", "limits", SECCOMP),
    effect("limits-scheduler", "limits", SECCOMP),
    effect("limits-ioprio", "limits", SECCOMP),
    Attack("supervisor-kill", "supervisor|signal", landlock=6),
    Attack("supervisor-ptrace", "supervisor|trace", shows="TRACED", kernel=True),
    Attack("supervisor-mem", "supervisor|trace", shows="OPENED"),
    effect("supervisor-limit", "supervisor|limits", SECCOMP, shows="LIMITED"),
    Attack("supervisor-fd", "supervisor|trace", shows="TAKEN", kernel=True),
]

KERNEL = [
    effect("namespace-unshare", "namespace", SECCOMP, since=(6, 1)),
    effect("namespace-clone", "namespace", SECCOMP, since=(6, 1)),
    effect("namespace-clone3", "namespace", SECCOMP, since=(6, 1)),
    Attack("namespace-setns", "trace|namespace|capability", shows="ENTERED", root=True, kernel=True),
    Attack("mount-tmpfs", "mount", policy="namespaces"),
    Attack("mount-fsmount", "mount", policy="namespaces"),
    Attack("mount-bind", "mount", policy="namespaces"),
    effect("mount-setattr", "mount|capability", "the kernel asks no security module about it", policy="mounts-only",
           lacks="mount_setattr (5.12)"),
    Attack("mount-remount", "mount", policy="namespaces"),
    Attack("mount-pivot", "mount", policy="namespaces"),
    effect("capability-hostname", "capability", SECCOMP, policy="mounts-only"),
    Attack("setid-setuid", "setid|capability", root=True, kernel=True),
    Attack("kernel-log", "kernel|capability", shows="LOG ", root=True, kernel=True),
    Attack("kernel-clock", "kernel|capability", shows="SET", root=True, kernel=True),
    effect("keys-add", "keys", SECCOMP, lacks="keys"),
    effect("keys-join", "keys", SECCOMP, lacks="keys"),
    Attack("bpf-map", "bpf|capability", root=True, kernel=True),
    Attack("bpf-program", "bpf|capability", root=True, kernel=True),
    Attack("bpf-map-ids", "bpf|capability", shows="MAP ", root=True, kernel=True, lacks="a map to be found"),
    Attack("bpf-pins", "read|supervisor", shows="LISTED pins"),
    effect("perf-event", "perf", SECCOMP, lacks="perf events for every user (perf_event_paranoid above 2)"),
    effect("uring-setup", "uring", SECCOMP, lacks="io_uring", since=(5, 16)),
    effect("uring-sqpoll", "uring", SECCOMP, lacks="io_uring", since=(5, 16)),
    effect("ipc-shm", "ipc", SECCOMP),
    effect("ipc-shm-remove", "ipc", SECCOMP),
    effect("ipc-msgsnd", "ipc", SECCOMP),
    effect("ipc-msgrcv", "ipc", SECCOMP),
    effect("ipc-semop", "ipc", SECCOMP),
    Attack("ipc-mqueue", "ipc|read", lacks="POSIX message queues"),
]

SIBLING = ("trace-attach", "trace-vm-read", "trace-proc-mem-read", "trace-proc-mem-write", "signal-kill",
           "limits-prlimit")


ATTACKS = READ + WRITE + EXEC + MEMORY + NET + PROCESSES + KERNEL
FAMILIES = (("Reading", READ), ("Changing files", WRITE), ("Executing and loading", EXEC), ("Memory", MEMORY),
            ("Sockets and descriptors", NET), ("Other processes and the supervisor", PROCESSES), ("The kernel", KERNEL))
