-- SPDX-License-Identifier: Apache-2.0
-- sg-test: time_limit time=300ms
while true do end
