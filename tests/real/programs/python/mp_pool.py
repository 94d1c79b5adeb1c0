# SPDX-License-Identifier: Apache-2.0
import multiprocessing as mp


def square(n):
    return n * n


def fail(n):
    raise ValueError(f"no {n}")


def init(shared):
    global counter
    counter = shared


def bump(n):
    with counter.get_lock():
        counter.value += n
    return n


if __name__ == "__main__":
    # the default until Python 3.14, whose forkserver starts another Python
    mp.set_start_method("fork")
    with mp.Pool(3) as pool:
        print(pool.map(square, range(20), chunksize=3))
        print(sorted(pool.imap_unordered(square, range(10))))
        print(pool.apply_async(square, (12,)).get(timeout=60))
        print(pool.starmap(pow, [(2, 3), (3, 2)]))
        try:
            pool.apply(fail, (1,))
        except ValueError as e:
            print("error", e)
    total = mp.Value("q", 0)
    with mp.Pool(2, init, (total,), maxtasksperchild=3) as pool:
        pool.map(bump, range(12), chunksize=2)
        pool.close()
        pool.join()
    print(total.value)
