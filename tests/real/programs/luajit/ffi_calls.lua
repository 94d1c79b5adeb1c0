-- SPDX-License-Identifier: Apache-2.0
local ffi = require("ffi")
ffi.cdef [[
int getpid(void); unsigned long strlen(const char *); int printf(const char *, ...); int fflush(void *); double atof(const char *);
void qsort(void *, size_t, size_t, int (*)(const int *, const int *)); int open(const char *, int, ...); char *strerror(int);
typedef struct { double x, y; int tag[4]; } point;
]]
print(ffi.C.getpid() > 0, tonumber(ffi.C.strlen("twelve chars")), ffi.C.atof("2.5"), ffi.sizeof("point"))
ffi.C.printf("printf %d %s %.2f\n", ffi.new("int", 7), "str", 1.5)
ffi.C.fflush(nil)
local p = ffi.new("point[1000]")
for i = 0, 999 do p[i].x, p[i].y, p[i].tag[i % 4] = i, -i, i end
local s = 0
for r = 1, 1000 do for i = 0, 999 do s = s + p[i].x * 2 + p[i].y + p[i].tag[3] end end
print(s)
local a = ffi.new("int[6]", { 5, 3, 9, 1, 7, 2 })
local cb = ffi.cast("int (*)(const int *, const int *)", function(l, r) return l[0] - r[0] end)
ffi.C.qsort(a, 6, ffi.sizeof("int"), cb)
cb:free()
print(a[0], a[1], a[5], ffi.C.open("/no/such", 0), ffi.string(ffi.C.strerror(ffi.errno())))
print(0x7fffffffffffffffLL + 1LL == -0x8000000000000000LL, 2ULL ^ 3, tostring(ffi.typeof("point")), ffi.os, ffi.arch)
local buf = ffi.new("uint8_t[?]", 16)
ffi.copy(buf, "hello")
ffi.fill(buf + 5, 3, 33)
print(ffi.string(buf), #ffi.string(buf, 16))
