-- SPDX-License-Identifier: Apache-2.0
-- sg-real: exit=5
for i = 1, 1e6 do assert(i) end
print(pcall(error, "caught", 0))
print(select(2, xpcall(function() local x = nil; return x.y end, function(m) return (m:gsub("^.-:%d+: ", "")) end)))
os.exit(5)
