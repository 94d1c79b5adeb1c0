-- SPDX-License-Identifier: Apache-2.0
local bit = require("bit")
local x, s = 1, 0
for i = 1, 2e7 do
	x = bit.bxor(x * 5 % 4294967296, bit.rshift(i, 3)) % 65521
	s = s + x % 7
end
print(s)
local function mandel(n)
	local c = 0
	for y = 0, n - 1 do
		for px = 0, n - 1 do
			local cr, ci, a, b, k = 3 * px / n - 2, 2 * y / n - 1, 0, 0, 0
			while k < 100 and a * a + b * b < 4 do a, b, k = a * a - b * b + cr, 2 * a * b + ci, k + 1 end
			c = c + k
		end
	end
	return c
end
print(mandel(200), jit.status() and "jit on" or "jit off", bit.tohex(-1), bit.rol(1, 31), bit.band(0xff, 0x0f))
local t = {}
for i = 1, 1e6 do t[i % 1000 + 1] = { i } end
collectgarbage()
print(#t, t[10][1], string.format("%.14g", 0.1 + 0.2))
local f = {}
for i = 1, 300 do f[i] = assert(loadstring("local a = ... for j = 1, 200 do a = a + j % " .. i .. " end return a"))(i) end
print(f[1], f[300])
