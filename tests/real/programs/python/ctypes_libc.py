# SPDX-License-Identifier: Apache-2.0
import ctypes
import ctypes.util
import os

libc = ctypes.CDLL(None, use_errno=True)
print(libc.getpid() == os.getpid(), libc.abs(-5), libc.strlen(b"twelve chars"))
libc.atof.restype = ctypes.c_double
print(libc.atof(b"2.5"))
buf = ctypes.create_string_buffer(32)
libc.snprintf(buf, 32, b"%d-%s", 42, b"x")
print(buf.value)
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
array = (ctypes.c_int * 6)(5, 3, 9, 1, 7, 2)
libc.qsort(array, 6, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
print(list(array))


class Pair(ctypes.Structure):
    _fields_ = [("quot", ctypes.c_int), ("rem", ctypes.c_int)]


libc.div.restype = Pair
d = libc.div(17, 5)
print(d.quot, d.rem)
print(libc.open(b"/nonexistent", 0), os.strerror(ctypes.get_errno()))
libm = ctypes.CDLL("libm.so.6")
libm.cos.restype, libm.cos.argtypes = ctypes.c_double, [ctypes.c_double]
print(libm.cos(0.0), ctypes.sizeof(ctypes.c_void_p))
# as ncurses does around opening a file
print(libc.setfsuid(os.getuid()) == os.getuid(), libc.setfsgid(os.getgid()) == os.getgid())
