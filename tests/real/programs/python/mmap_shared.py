# SPDX-License-Identifier: Apache-2.0
import mmap
import os

with open("m", "w+b") as f:
    f.truncate(1 << 20)
    with mmap.mmap(f.fileno(), 0) as m:
        m[0:5] = b"hello"
        m[-5:] = b"world"
        m.flush()
        print(m.find(b"world"), m.size())
        m.resize(1 << 21)
        print(len(m), m[:5])
        if hasattr(mmap, "MADV_WILLNEED"):
            m.madvise(mmap.MADV_WILLNEED)
            m.madvise(mmap.MADV_DONTNEED)
    f.seek(0)
    print(f.read(5))
with mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as m:
    m.write(b"anon")
    print(m[:6])
shared = mmap.mmap(-1, 4096)
if os.fork() == 0:
    shared[:5] = b"child"
    os._exit(0)
os.wait()
print(shared[:5])
with open("m", "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
    try:
        m[0] = 1
    except TypeError as e:
        print("read-only:", e)
