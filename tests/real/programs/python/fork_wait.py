# SPDX-License-Identifier: Apache-2.0
import os
import signal
import sys

r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(r)
    os.write(w, b"from the child\n")
    os._exit(5)
os.close(w)
with os.fdopen(r) as pipe:
    print(pipe.read(), end="")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

pid = os.fork()
if pid == 0:
    signal.pause()
    os._exit(0)
os.kill(pid, signal.SIGKILL)
_, status, usage = os.wait4(pid, 0)
print(os.WIFSIGNALED(status), os.WTERMSIG(status), usage.ru_maxrss > 0)

# A grandchild in its own session, orphaned and adopted, still finishes.
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.setsid()
    if os.fork() == 0:
        os.setpgid(0, 0)
        os.write(w, b"grandchild %d\n" % (os.getpgid(0) == os.getpid()))
    os._exit(0)
os.waitpid(pid, 0)
os.close(w)
with os.fdopen(r) as pipe:
    print(pipe.read(), end="")
sys.stdout.flush()
