# SPDX-License-Identifier: Apache-2.0
"""The policies of the matrix: every system call is allowed, so that only the rules about objects stop anything."""

KERNEL = ("trace", "signal", "limits", "mount", "namespace", "capability", "setid", "bpf", "perf", "keys", "kernel",
          "ipc", "uring", "wx", "fdpass", "unix")

TEXT = """# SPDX-License-Identifier: Apache-2.0
matrix:
  unlisted: allow
  files:
    read: [/usr, /lib, /lib64, /bin, /etc/ld.so.cache, /dev/null, /proc/self, {base}/bin, $PROGRAM]
    full: [$CWD, $TMP]
    otherwise: kill
  exec:
    allow: [/usr, /lib, /lib64, /bin, {base}/bin, $PROGRAM]
    otherwise: kill
  net:
    allow: [unix]
    otherwise: kill
  kernel:
{kernel}
uring: {{inherit: matrix, kernel: {{uring: allow}}}}
namespaces: {{inherit: matrix, kernel: {{namespace: allow, capability: allow}}}}
mounts: {{inherit: matrix, kernel: {{namespace: allow, capability: allow, mount: allow}}}}
mounts-only: {{inherit: matrix, kernel: {{namespace: allow}}}}
limits: {{inherit: matrix, kernel: {{limits: allow}}}}
once: {{inherit: matrix, exec: {{max: 1}}}}
unix-outside: {{inherit: matrix, net: {{allow: ["unix:{base}/outside/sock", "unix:{base}/outside/dgram"]}}}}
itself: {{inherit: matrix, net: {{allow: ["listen udp 127.0.0.2", "udp 127.0.0.1"]}}}}
peer: {{inherit: matrix, net: {{allow: ["udp [::1]", "udp 127.0.0.1:1"], otherwise: errno EACCES}}}}
routed: {{inherit: matrix, net: {{allow: ["udp 192.0.2.0/24", "udp [2001:db8::]/32"]}}}}
volume: {{inherit: matrix, files: {{full: ["{base}/volume"], deny: ["{base}/volume/denied"]}}}}
volume-read: {{inherit: matrix, files: {{read: ["{base}/volume"]}}}}
held: {{inherit: matrix, files: {{deny: [$CWD/held/denied]}}}}
not-itself: {{inherit: matrix, files: {{read: [/], deny: [/proc/self]}}}}
"""


def text(base, action="kill"):
    """action: what an attack gets, `kill` or `errno NAME`."""
    whole = TEXT.format(base=base, kernel="\n".join(f"    {k}: kill" for k in KERNEL))
    return whole.replace(": kill", ": " + action)
