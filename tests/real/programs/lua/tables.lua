-- SPDX-License-Identifier: Apache-2.0
local Account = {}
Account.__index = Account
Account.__tostring = function(a) return "Account(" .. a.balance .. ")" end
Account.__add = function(a, b) return Account.new(a.balance + b.balance) end
Account.__lt = function(a, b) return a.balance < b.balance end
Account.__close = function(a) print("closed " .. a.balance) end
function Account.new(b) return setmetatable({ balance = b }, Account) end
function Account:deposit(n) self.balance = self.balance + n return self end
print(Account.new(5):deposit(3) + Account.new(1), Account.new(1) < Account.new(2))
do
	local c <close> = Account.new(77)
end
local t = {}
for i = 1, 200000 do t[i] = (i * 7919) % 100003 end
table.sort(t)
print(t[1], t[100000], t[#t], select("#", table.unpack(t, 1, 100)))
print(table.concat({ 1, 2, 3 }, ","), #table.pack(1, nil, 3), next({}), rawequal(t, t), rawlen({ 1, 2 }))
table.insert(t, 1, -1)
print(table.remove(t, 1), table.move({ 1, 2, 3 }, 2, 3, 1)[1])
local weak = setmetatable({}, { __mode = "k" })
weak[{}] = 1
collectgarbage()
print(next(weak), collectgarbage("count") > 0, 7 // 2, 7 % -3, 7.0 / 2, 2 ^ 10, 5 & 3 | 8, 1 << 40, math.type(1), math.type(1.0))
print(math.maxinteger + 1 == math.mininteger, math.tointeger(3.0), string.format("%5.2f|%-5s|%05d|%x|%q", 3.14159, "a", 42, 255, "q\n"))
local fib = setmetatable({}, { __index = function(self, n)
	local v = n < 2 and n or self[n - 1] + self[n - 2]
	rawset(self, n, v)
	return v
end })
print(fib[80])
goto done
print("skipped")
::done::
print((pcall(error, { code = 5 })), select(2, pcall(error, "message", 0)), xpcall(function() error("x") end, function(m) return "handled " .. m:gsub("^.-:%d+: ", "") end))
math.randomseed(42)
print(math.random(10) <= 10, os.time({ year = 2000, month = 1, day = 1, hour = 12 }) > 0, os.date("!%Y-%m-%d", 0), load("return 6 * 7")())
