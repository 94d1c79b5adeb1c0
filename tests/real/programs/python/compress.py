# SPDX-License-Identifier: Apache-2.0
import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
import zlib

data = b"".join(b"%d squared is %d\n" % (i, i * i) for i in range(5000))
for mod in (zlib, bz2, lzma, gzip):
    packed = mod.compress(data)
    print(mod.__name__, mod.decompress(packed) == data, len(packed) < len(data))
print(zlib.crc32(data), zlib.adler32(data))
os.makedirs("tree/sub")
for i in range(4):
    with open(f"tree/sub/f{i}", "wb") as f:
        f.write(data[: 1000 * (i + 1)])
os.symlink("sub/f0", "tree/link")
with tarfile.open("t.tar.xz", "w:xz") as t:
    t.add("tree")
with tarfile.open("t.tar.xz") as t:
    print(sorted(t.getnames()))
    t.extractall("out")
print(os.path.getsize("out/tree/sub/f3"), os.readlink("out/tree/link"))
with zipfile.ZipFile("t.zip", "w", zipfile.ZIP_DEFLATED) as z:
    for base, _, names in os.walk("tree"):
        for n in sorted(names):
            z.write(os.path.join(base, n))
with zipfile.ZipFile("t.zip") as z:
    print(z.testzip(), sorted(z.namelist()), z.read("tree/sub/f1") == data[:2000])
buf = io.BytesIO()
with gzip.GzipFile(fileobj=buf, mode="wb", mtime=0) as g:
    g.write(data)
print(zlib.crc32(buf.getvalue()[:4]))
with open("t.bz2", "wb") as f:
    f.write(bz2.compress(data) + bz2.compress(b"tail"))
print(bz2.open("t.bz2").read()[-4:])
