-- SPDX-License-Identifier: Apache-2.0
-- sg-real: exit=1
local t <close> = setmetatable({}, { __close = function() print("closing") end })
print("before")
error({ code = 2 })
