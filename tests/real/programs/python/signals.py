# SPDX-License-Identifier: Apache-2.0
import faulthandler
import os
import signal
import threading
import time

got = []
signal.signal(signal.SIGUSR1, lambda n, f: got.append(signal.Signals(n).name))
signal.signal(signal.SIGALRM, lambda n, f: "ALRM" in got or got.append("ALRM"))
os.kill(os.getpid(), signal.SIGUSR1)
signal.raise_signal(signal.SIGUSR1)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)  # again and again: the first may come before anything waits for it
signal.pause()
signal.setitimer(signal.ITIMER_REAL, 0)
signal.alarm(100)
print(got, signal.alarm(0) > 0)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.kill(os.getpid(), signal.SIGUSR2)
print(signal.sigpending() == {signal.SIGUSR2}, signal.sigwait([signal.SIGUSR2]).name)
print(signal.sigtimedwait([signal.SIGUSR2], 0.001))
signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
time.sleep(0)
print(got[-1], len(got))
try:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
except KeyboardInterrupt:
    print("interrupted")
r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
signal.raise_signal(signal.SIGUSR1)
print(os.read(r, 1) == bytes([signal.SIGUSR1]))
signal.set_wakeup_fd(-1)
signal.signal(signal.SIGVTALRM, lambda n, f: got.append("VT"))
signal.setitimer(signal.ITIMER_VIRTUAL, 0.01)
while got[-1] != "VT":
    pass
print(got[-1])
faulthandler.enable()
faulthandler.dump_traceback_later(60)
faulthandler.cancel_dump_traceback_later()
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
r, w = os.pipe()
os.close(r)
try:
    os.write(w, b"x")
except BrokenPipeError:
    print("EPIPE")
