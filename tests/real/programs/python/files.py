# SPDX-License-Identifier: Apache-2.0
import filecmp
import fnmatch
import glob
import os
import shutil
import stat
from pathlib import Path

root = Path("tree")
for d in ("a/b/c", "a/d", "e"):
    (root / d).mkdir(parents=True)
for i, p in enumerate(["a/1.txt", "a/b/2.txt", "a/b/c/3.dat", "e/4.txt"]):
    (root / p).write_text("line\n" * (i + 1))
print(sorted(str(p) for p in root.rglob("*.txt")), sorted(glob.glob("tree/**/*.dat", recursive=True)))
for base, dirs, names in os.walk(root):
    dirs.sort()
    print(base, dirs, sorted(names))
shutil.copytree(root, "copy")
print(filecmp.cmp("tree/a/1.txt", "copy/a/1.txt", shallow=False), filecmp.dircmp(root, "copy").left_only)
shutil.move("copy/e", "moved")
os.replace("moved/4.txt", "moved/five.txt")
os.symlink("five.txt", "moved/link")
os.link("moved/five.txt", "moved/hard")
st = os.stat("moved/hard")
print(st.st_nlink, st.st_size, stat.filemode(os.lstat("moved/link").st_mode), os.path.realpath("moved/link").endswith("five.txt"))
os.chmod("moved/five.txt", 0o600)
os.utime("moved/five.txt", (1000000000, 1000000000))
st = os.stat("moved/five.txt")
print(oct(st.st_mode), int(st.st_mtime))
print(os.access("moved", os.W_OK), os.access("nothing", os.F_OK), fnmatch.filter(["a.py", "b.c"], "*.py"))
with os.scandir("moved") as it:
    print(sorted((e.name, e.is_symlink(), e.is_file()) for e in it))
dfd = os.open("moved", os.O_RDONLY | os.O_DIRECTORY)
fd = os.open("rel", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=dfd)
os.write(fd, b"relative")
os.fsync(fd)
os.close(fd)
os.rename("rel", "rel2", src_dir_fd=dfd, dst_dir_fd=dfd)
print(os.stat("rel2", dir_fd=dfd).st_size)
os.close(dfd)
os.truncate("moved/rel2", 3)
print(Path("moved/rel2").read_bytes(), shutil.disk_usage(".").total > 0, os.statvfs(".").f_bsize > 0)
cwd = os.getcwd()
os.chdir("moved")
print(os.path.relpath(os.getcwd(), cwd))
os.chdir(cwd)
os.umask(0o077)
Path("masked").touch()
print(oct(os.stat("masked").st_mode & 0o777))
os.mkfifo("fifo")
print(stat.S_ISFIFO(os.stat("fifo").st_mode))
shutil.make_archive("arch", "gztar", "tree")
shutil.unpack_archive("arch.tar.gz", "unpacked")
print(sorted(os.listdir("unpacked")))
for d in ("tree", "copy", "moved", "unpacked"):
    shutil.rmtree(d)
try:
    open("tree/none")
except FileNotFoundError as e:
    print(e.errno, e.strerror)
print(sorted(os.listdir(".")))
