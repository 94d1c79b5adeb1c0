-- SPDX-License-Identifier: Apache-2.0
local text = "The rain in Spain stays mainly in the plain"
print(text:upper(), #text, text:find("Spain"), text:match("(%a+) in (%a+)"), text:gsub("ain", "AIN", 2))
for w in text:gmatch("%f[%a]%a*ain%f[%A]") do io.write(w, " ") end
print()
print(("x"):rep(3, "-"), ("abc"):reverse(), ("abc"):byte(1, -1), string.char(72, 105), ("%d items"):format(3))
print(("key = value"):match("^(%w+)%s*=%s*(%w+)$"), ("a,b,,c"):gsub(",", ";"), ("hello"):gsub("l", { l = "L" }), ("$a"):gsub("%$(%w)", function(x) return x .. x end))
print(string.pack("<i4z", 7, "str"):byte(1, -1))
print(string.unpack(">I2", "\1\2"), utf8.char(228, 8364), utf8.len("äö€"), #"äö€")
for p, c in utf8.codes("aé") do io.write(p, "=", c, " ") end
print(tostring(nil), tostring(1e15), tostring(2^63), 10 // 0.0, -(0/0) ~= -(0/0), tonumber("0x1p4"), tonumber("z", 36), tonumber("abc"))
local parts = {}
for i = 1, 20000 do parts[#parts + 1] = ("%04d"):format(i % 10000) end
local s = table.concat(parts)
local h = 5381
for i = 1, #s do h = (h * 33 + s:byte(i)) % 2 ^ 32 end
print(#s, h)
