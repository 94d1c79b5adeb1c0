# SPDX-License-Identifier: Apache-2.0
"""What an ordinary job does: threads, JSON, a temporary file, a child process that computes."""
import concurrent.futures
import hashlib
import json
import multiprocessing
import tempfile


def primes_below(n):
    sieve = bytearray([1]) * n
    sieve[:2] = b"\0\0"
    for i in range(2, int(n ** 0.5) + 1):
        if sieve[i]:
            sieve[i * i::i] = bytes(len(range(i * i, n, i)))
    return sum(sieve)


def main():
    limits = [1000, 10_000, 100_000, 1_000_000]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        counts = dict(zip(map(str, limits), pool.map(primes_below, limits)))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(primes_below, limits) == list(counts.values())
    with tempfile.TemporaryFile("w+") as f:
        json.dump(counts, f, sort_keys=True)
        f.seek(0)
        text = f.read()
    print("primes below:", text)
    print("sha256:", hashlib.sha256(text.encode()).hexdigest())


if __name__ == "__main__":
    main()
