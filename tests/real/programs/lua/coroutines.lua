-- SPDX-License-Identifier: Apache-2.0
local function producer(n)
	return coroutine.create(function()
		for i = 1, n do coroutine.yield(i) end
		return "done"
	end)
end
local co = producer(3)
for _ = 1, 5 do print(coroutine.resume(co)) end
print(coroutine.status(co), coroutine.isyieldable(), select(2, coroutine.running()))
local gen = coroutine.wrap(function(a)
	while true do a = coroutine.yield(a * 2) end
end)
print(gen(1), gen(5), gen(21))
local function permutations(a, n)
	n = n or #a
	if n <= 1 then coroutine.yield(table.concat(a)) end
	for i = 1, n do
		a[n], a[i] = a[i], a[n]
		permutations(a, n - 1)
		a[n], a[i] = a[i], a[n]
	end
end
local count = 0
for p in coroutine.wrap(function() permutations({ "a", "b", "c", "d" }) end) do
	count = count + 1
	if count % 8 == 0 then io.write(p, " ") end
end
print(count)
local many = {}
for i = 1, 5000 do many[i] = producer(2) end
local sum = 0
for r = 1, 2 do for i = 1, #many do sum = sum + select(2, coroutine.resume(many[i])) end end
print(sum, coroutine.close(many[1]))
print(pcall(coroutine.wrap(function() error("inside", 0) end)))
local ok, e = pcall(function() local function f() return 1 + f() end return f() end)
print(ok, tostring(e):match("stack overflow"))
