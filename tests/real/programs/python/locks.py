# SPDX-License-Identifier: Apache-2.0
import fcntl
import os
import termios
import tty

with open("lock", "w") as a, open("lock") as b:
    fcntl.flock(a, fcntl.LOCK_EX)
    try:
        fcntl.flock(b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        print("held")
    fcntl.flock(a, fcntl.LOCK_UN)
    fcntl.flock(b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fcntl.lockf(a, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.fork() == 0:
        try:
            with open("lock", "w") as c:
                fcntl.lockf(c, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os._exit(4)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
    print(fcntl.fcntl(a, fcntl.F_GETFD) == fcntl.FD_CLOEXEC, fcntl.fcntl(a, fcntl.F_GETFL) & os.O_ACCMODE)
r, w = os.pipe()
print(fcntl.fcntl(w, fcntl.F_GETPIPE_SZ) > 0, os.get_terminal_size is not None)
try:
    termios.tcgetattr(r)
except termios.error as e:
    print(e.args[1])
try:
    tty.setraw(r)
except termios.error:
    print("not a terminal")
try:
    os.get_terminal_size(r)
except OSError as e:
    print(e.strerror)
