# SPDX-License-Identifier: Apache-2.0
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from multiprocessing import get_context


def collatz(n):
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


def boom():
    raise KeyError("boom")


if __name__ == "__main__":
    with ThreadPoolExecutor(4) as ex:
        print(list(ex.map(collatz, range(1, 30))))
        futures = {ex.submit(pow, 2, i): i for i in range(8)}
        print(sorted((futures[f], f.result()) for f in as_completed(futures)))
        failed = ex.submit(boom)
        print(type(failed.exception()).__name__)
    with ProcessPoolExecutor(2, get_context("fork")) as ex:
        print(sum(ex.map(collatz, range(1, 300), chunksize=50)))
        done, pending = wait([ex.submit(collatz, 27), ex.submit(collatz, 97)])
        print(sorted(f.result() for f in done), len(pending))
        try:
            ex.submit(boom).result()
        except KeyError as e:
            print("from a process:", e)
