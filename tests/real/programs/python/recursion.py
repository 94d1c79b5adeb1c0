# SPDX-License-Identifier: Apache-2.0
import gc
import sys
import threading


def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)


try:
    depth(10**6)
except RecursionError as e:
    print(type(e).__name__)
sys.setrecursionlimit(60000)
threading.stack_size(256 << 20)
out = []
t = threading.Thread(target=lambda: out.append(depth(50000)))
t.start()
t.join()
print(out)


def hanoi(n, a, b, c):
    return 0 if n == 0 else hanoi(n - 1, a, c, b) + 1 + hanoi(n - 1, c, b, a)


print(hanoi(12, "a", "b", "c"))
nodes = []
for _ in range(2000):
    a = {}
    a["self"] = a
    nodes.append(a)
del nodes, a
print(gc.collect() >= 2000)
big = bytearray(200 << 20)
big[::4096] = b"x" * len(big[::4096])
print(len(big), big.count(b"x"))
try:
    bytearray(1 << 60)
except (MemoryError, OverflowError) as e:
    print(type(e).__name__)
