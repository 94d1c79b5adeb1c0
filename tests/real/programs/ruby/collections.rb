# SPDX-License-Identifier: Apache-2.0
require 'set'

Point = Struct.new(:x, :y) do
  include Comparable
  def <=>(other) = [x, y] <=> [other.x, other.y]
  def +(other) = Point.new(x + other.x, y + other.y)
end

module Greets
  def greet = "I am #{name}"
end

class Animal
  include Greets
  attr_reader :name

  def initialize(name) = @name = name

  def method_missing(m, *args)
    m.to_s.start_with?('can_') ? "#{name} can #{m.to_s.delete_prefix('can_')} #{args.join(' ')}" : super
  end

  def respond_to_missing?(m, priv = false) = m.to_s.start_with?('can_') || super
end

puts [Point.new(2, 1), Point.new(1, 5)].min.to_a.inspect, (Point.new(1, 2) + Point.new(3, 4)).to_s
puts Animal.new('Rex').greet, Animal.new('Rex').can_jump(3)
words = %w[apple pear fig apple fig apple]
p words.tally, words.group_by(&:size).transform_values(&:count), words.each_slice(4).to_a, words.uniq.sort_by { |w| [-w.size, w] }
p (1..Float::INFINITY).lazy.select(&:even?).map { |x| x * x }.reject { |x| x % 3 == 0 }.first(5)
p 2**200, 10.digits, 7.fdiv(2), Rational(3, 4) + 1, Complex(1, 2) * Complex(0, 1), 255.to_s(2), 3.14.round(1), -7 / 2
fib = Hash.new { |h, k| h[k] = k < 2 ? k : h[k - 1] + h[k - 2] }
p fib[80], Set[1, 2] | Set[2, 3], { a: 1, 'b' => nil }.to_a, [3, 1, 2].sort.each_cons(2).to_a
case { type: 'move', pos: [1, 2] }
in { type: 'move', pos: [x, y] }
  puts "move #{x},#{y}"
end
srand(5)
p Array.new(5) { rand(100) }, [1, 2, 3, 4].shuffle(random: Random.new(1))
e = Enumerator.new { |y| 3.times { |i| y << i * 10 } }
p e.next, e.next, e.size
a = [1, [2, [3, nil]]].flatten.compact.freeze
begin
  a << 4
rescue FrozenError => err
  puts err.message
end
puts format('%05.2f|%-6s|%+d|%x', 3.14159, 'ab', 5, 255), ObjectSpace.count_objects[:TOTAL].positive?, GC.start.inspect
