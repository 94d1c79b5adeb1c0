# SPDX-License-Identifier: Apache-2.0
require 'monitor'
require 'timeout'

q = Queue.new
results = []
lock = Mutex.new
threads = 4.times.map do
  Thread.new do
    while (n = q.pop) != :done
      lock.synchronize { results << n * n }
    end
  end
end
200.times { |i| q << i }
4.times { q << :done }
threads.each(&:join)
p results.size, results.sum
sq = SizedQueue.new(2)
producer = Thread.new { 20.times { |i| sq.push(i) } }
p 20.times.map { sq.pop }.sum
producer.join
p Thread.new { Thread.current[:x] = 1; 42 }.value
t = Thread.new { raise ArgumentError, 'inside' }
t.report_on_exception = false
begin
  t.join
rescue ArgumentError => e
  puts e.message
end
begin
  Timeout.timeout(0.05) { sleep 60 }
rescue Timeout::Error
  puts 'timeout'
end
cv = ConditionVariable.new
ready = false
waiter = Thread.new { lock.synchronize { cv.wait(lock) until ready; 'woken' } }
lock.synchronize { ready = true; cv.signal }
puts waiter.value
f = Fiber.new { |x| y = Fiber.yield(x * 2); Fiber.yield(y + 1); :end }
p f.resume(5), f.resume(10), f.resume
Signal.trap('USR1') { puts 'usr1' }
Process.kill('USR1', Process.pid)
sleep 0.05
Process.clock_gettime(Process::CLOCK_MONOTONIC)
r, w = IO.pipe
reader = Thread.new { r.read }
w.write('over a pipe')
w.close
puts reader.value, IO.select([r], nil, nil, 0).nil?
p Thread.new { sleep }.tap { |th| th.kill.join }.alive?
