# SPDX-License-Identifier: Apache-2.0
# sg-real: stdin="5 6\nseven\n8\n" exit=4
at_exit { puts 'at exit' }
sum = 0
while (line = gets)
  begin
    line.split.each { |w| sum += Integer(w) }
  rescue ArgumentError => e
    puts "#{$.}: #{e.message}"
  ensure
    puts "line #{$.}"
  end
end
puts sum, $stdin.eof?
def deep(n) = deep(n + 1)
begin
  deep(0)
rescue SystemStackError => e
  puts e.class
end
puts catch(:found) { 10.times { |i| throw :found, i if i * i > 30 }; nil }
$stdout.flush
warn 'to stderr'
exit 4
