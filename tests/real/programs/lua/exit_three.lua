-- SPDX-License-Identifier: Apache-2.0
-- sg-real: exit=3
setmetatable({}, { __gc = function() print("collected at exit") end })
io.write("no newline, then exit")
os.exit(3, true)
