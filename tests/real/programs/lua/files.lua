-- SPDX-License-Identifier: Apache-2.0
-- sg-real: stdin="first line\n12 0x10 3.5\nrest of\nthe input"
print(io.read("l"), io.read("n", "n", "n"))
print(io.read("L"), #io.read("a"), io.read("l"))
local f = assert(io.open("f.txt", "w+"))
for i = 1, 3000 do f:write("line ", i, "\n") end
print(f:seek("cur") > 0, f:seek("set", 5), f:read("n"), f:seek("end"))
f:setvbuf("full", 1024)
f:close()
local n = 0
for l in io.lines("f.txt") do n = n + #l end
print(n, io.type(f), io.type(io.stdout), io.open("missing"))
print(os.rename("f.txt", "g.txt"), os.remove("g.txt"), os.remove("g.txt"))
local name = os.tmpname()
local t = assert(io.open(name, "wb"))
t:write("\0\1\2")
t:close()
print(#assert(io.open(name, "rb")):read("a"), os.remove(name) == true)
local tf = io.tmpfile()
tf:write("temp")
tf:seek("set")
print(tf:read("a"), os.getenv("HOME") ~= nil, os.getenv("NOPE"), os.clock() >= 0, os.difftime(2, 1), #arg)
local m = assert(io.open("mod.lua", "w"))
m:write("return { answer = 42, name = ... }")
m:close()
package.path = "./?.lua"
print(require("mod").answer, require("mod").name, pcall(require, "no_such_module") == false, package.loaded.mod ~= nil)
io.stderr:write("to stderr\n")
io.output():write("done\n")
