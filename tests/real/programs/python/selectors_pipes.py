# SPDX-License-Identifier: Apache-2.0
import os
import select
import selectors
import socket

r, w = os.pipe()
sel = selectors.DefaultSelector()
sel.register(r, selectors.EVENT_READ, "pipe")
print(type(sel).__name__, sel.select(0))
os.write(w, b"ping")
print([(k.data, m) for k, m in sel.select(1)])
print(os.read(r, 10))
print([len(x) for x in select.select([r], [w], [], 0)])
p = select.poll()
p.register(w, select.POLLOUT)
print(len(p.poll(100)))
with select.epoll() as ep:
    ep.register(r, select.EPOLLIN | select.EPOLLET)
    os.write(w, b"x")
    print(len(ep.poll(1)))
a, b = socket.socketpair()
b.setblocking(False)
a.sendall(b"over a socket pair")
print(b.recv(100))
try:
    b.recv(1)
except BlockingIOError:
    print("would block")
a.shutdown(socket.SHUT_WR)
print(b.recv(1), a.family.name, a.type.name)
a.close()
b.close()
if hasattr(os, "eventfd"):
    fd = os.eventfd(3)
    print(os.eventfd_read(fd))
    os.close(fd)
s, f = os.pipe(), open("src", "w+b")
f.write(b"splice me" * 10)
f.flush()
out = os.open("dst", os.O_CREAT | os.O_RDWR)
print(os.sendfile(out, f.fileno(), 0, 90), os.copy_file_range(f.fileno(), out, 9, 0), os.fstat(out).st_size)
print(os.get_inheritable(r), os.isatty(r), os.dup(r) > r)
print(os.writev(w, [b"ab", b"cd"]), os.readv(r, [bytearray(2), bytearray(8)]))
