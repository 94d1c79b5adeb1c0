# SPDX-License-Identifier: Apache-2.0
import multiprocessing as mp
import os
import signal
import time


def child(conn, queue, value, lock):
    conn.send({"pid differs": os.getpid() != os.getppid()})
    for i in range(5):
        queue.put(i)
        with lock:
            value.value += i
    conn.close()


def sleeper():
    time.sleep(600)


def fails():
    raise SystemExit(9)


if __name__ == "__main__":
    # the default until Python 3.14, whose forkserver starts another Python
    mp.set_start_method("fork")
    a, b = mp.Pipe()
    queue, value, lock = mp.Queue(), mp.Value("i", 0), mp.Lock()
    p = mp.Process(target=child, args=(b, queue, value, lock))
    p.start()
    print(a.recv())
    print(sorted(queue.get(timeout=30) for _ in range(5)))
    p.join()
    print(p.exitcode, value.value)
    p = mp.Process(target=sleeper)
    p.start()
    p.terminate()
    p.join()
    print(p.exitcode == -signal.SIGTERM)
    p = mp.Process(target=sleeper)
    p.start()
    p.kill()
    p.join()
    print(p.exitcode == -signal.SIGKILL)
    p = mp.Process(target=fails)
    p.start()
    p.join(30)
    print(p.exitcode, p.is_alive())
    event = mp.Event()
    p = mp.Process(target=event.set)
    p.start()
    print(event.wait(30))
    p.join()
