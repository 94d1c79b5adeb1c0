# SPDX-License-Identifier: Apache-2.0
import queue
import threading

jobs, done = queue.Queue(), []
lock = threading.Lock()
barrier = threading.Barrier(4)
local = threading.local()


def worker(n):
    local.total = 0
    barrier.wait()
    while True:
        item = jobs.get()
        if item is None:
            break
        local.total += item
        with lock:
            done.append(item * item)
        jobs.task_done()


threads = [threading.Thread(target=worker, args=(i,), name=f"w{i}") for i in range(4)]
for t in threads:
    t.start()
for i in range(500):
    jobs.put(i)
jobs.join()
for _ in threads:
    jobs.put(None)
for t in threads:
    t.join()
print(len(done), sum(done), threading.active_count())

event, cond, ready = threading.Event(), threading.Condition(), []
timer = threading.Timer(0.01, event.set)
timer.start()
print("event", event.wait(10))


def produce():
    with cond:
        ready.append("item")
        cond.notify()


with cond:
    threading.Thread(target=produce).start()
    print(cond.wait_for(lambda: ready, 10))
threading.stack_size(256 * 1024)
t = threading.Thread(target=lambda: print("small stack"))
t.start()
t.join()
sem = threading.BoundedSemaphore(2)
print(sem.acquire(), sem.acquire(), sem.acquire(blocking=False))
