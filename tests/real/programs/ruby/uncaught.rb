# SPDX-License-Identifier: Apache-2.0
# sg-real: exit=1
class Failed < StandardError; end
puts 'before'
begin
  raise Failed, 'first'
rescue Failed => e
  puts "retrying after #{e.message}"
  raise 'second'
ensure
  puts 'ensure'
end
