# SPDX-License-Identifier: Apache-2.0
require 'fileutils'
require 'find'
require 'pathname'
require 'stringio'
require 'tempfile'
require 'tmpdir'

FileUtils.mkdir_p('t/a/b')
File.write('t/a/f.txt', "one\ntwo\nthree\n")
File.open('t/a/f.txt', 'a') { |f| f.puts 'four' }
p File.readlines('t/a/f.txt', chomp: true), File.size('t/a/f.txt'), File.foreach('t/a/f.txt').count
FileUtils.cp('t/a/f.txt', 't/a/b/g.txt')
File.symlink('f.txt', 't/a/link')
p File.readlink('t/a/link'), File.symlink?('t/a/link'), Dir.glob('t/**/*.txt').sort, Dir.children('t/a').sort
File.chmod(0o600, 't/a/f.txt')
File.utime(0, 1_000_000_000, 't/a/f.txt')
p format('%o', File.stat('t/a/f.txt').mode & 0o777), File.mtime('t/a/f.txt').utc.to_s
File.open('t/r', 'w+b') do |f|
  f.write([1, 2, 0xfffe].pack('CnV'))
  f.seek(1)
  p f.read(2).unpack1('n'), f.pos, f.flock(File::LOCK_EX | File::LOCK_NB)
  f.truncate(2)
  f.fsync
end
p Find.find('t').sort, Pathname('t/a').join('../r').cleanpath.to_s, File.expand_path('x').end_with?('/x')
FileUtils.mv('t/a/b/g.txt', 't/h')
Tempfile.create('pre') { |f| f.write('x' * 1000); f.flush; p File.size(f.path) }
Dir.mktmpdir { |d| p File.directory?(d), Dir.empty?(d) }
begin
  File.read('missing')
rescue Errno::ENOENT => e
  puts e.message
end
Dir.chdir('t') { p Dir.exist?('a') }
IO.copy_stream('t/h', 't/copy')
p File.identical?('t/h', 't/copy'), FileUtils.compare_file('t/h', 't/copy'), File.zero?('t/h')
FileUtils.rm_rf('t')
p File.exist?('t'), StringIO.new("a\nb").each_line.to_a, ENV.keys.sort, $stdin.class, Process.uid == Process.euid
