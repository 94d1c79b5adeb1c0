# SPDX-License-Identifier: Apache-2.0
import os
import stat
import tempfile

with tempfile.NamedTemporaryFile("w+", suffix=".txt") as f:
    f.write("hello\n" * 3)
    f.seek(0)
    print(len(f.read()), os.path.exists(f.name), oct(stat.S_IMODE(os.stat(f.name).st_mode)))
    name = f.name
print(os.path.exists(name))
with tempfile.TemporaryDirectory() as d:
    for i in range(5):
        with open(os.path.join(d, f"f{i}"), "wb") as f:
            f.write(os.urandom(10))
    print(sorted(os.listdir(d)))
print(os.path.exists(d))
with tempfile.TemporaryFile() as f:
    f.write(b"x" * 100000)
    f.seek(99990)
    print(f.read())
with tempfile.SpooledTemporaryFile(max_size=10) as f:
    f.write(b"0123456789abcdef")
    f.seek(0)
    print(f.read())
fd, path = tempfile.mkstemp(dir=".")
os.ftruncate(fd, 4096)
print(os.fstat(fd).st_size, os.pread(fd, 4, 0), os.pwrite(fd, b"abc", 10), os.lseek(fd, 0, os.SEEK_END))
os.posix_fallocate(fd, 0, 8192)
print(os.fstat(fd).st_size)
os.close(fd)
os.unlink(path)
print(os.path.isdir(tempfile.gettempdir()))
