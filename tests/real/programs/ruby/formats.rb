# SPDX-License-Identifier: Apache-2.0
require 'base64'
require 'bigdecimal'
require 'csv'
require 'date'
require 'digest'
require 'erb'
require 'json'
require 'openssl'
require 'securerandom'
require 'time'
require 'yaml'
require 'zlib'

data = { 'name' => 'Zoë', 'list' => [1, 2.5, nil, true], 'nested' => { 'k' => 'v' } }
puts JSON.pretty_generate(data), JSON.parse(JSON.dump(data)) == data, data.to_yaml, YAML.safe_load(data.to_yaml) == data
begin
  JSON.parse('{"a"')
rescue JSON::ParserError
  puts 'parser error'
end
puts Digest::SHA256.hexdigest('sandgate'), Digest::MD5.base64digest('x'), OpenSSL::HMAC.hexdigest('sha1', 'k', 'd')
z = Zlib.deflate('text ' * 1000)
puts Zlib.inflate(z).size, Zlib.crc32('abc'), Base64.strict_encode64("\x00\xff")
puts CSV.parse("a,\"b, c\"\n1,2\n", headers: true).map(&:to_h).inspect, CSV.generate { |c| c << ['x', 'y "z"'] }
puts Date.new(2024, 2, 29).next_year, Date.parse('2023-12-31').cweek, Time.at(0).utc.iso8601, (DateTime.new(2024, 1, 1) >> 1).to_s
puts Time.gm(2024, 3, 31, 1).getlocal('+05:30').strftime('%A %j %H:%M %z')
puts BigDecimal('1').div(BigDecimal('7'), 30).to_s, ERB.new('<% 3.times do |i| %><%= i %>,<% end %>').result
puts SecureRandom.hex(8).size, Marshal.load(Marshal.dump([1, :a, 'x', { b: 2.5 }])).inspect
c = OpenSSL::Cipher.new('aes-128-cbc').encrypt
c.key = 'k' * 16
c.iv = 'i' * 16
puts (c.update('block') + c.final).unpack1('H*')
puts 'héllo wörld'.unicode_normalize(:nfd).length, 'a1b22'.gsub(/\d+/) { |m| (m.to_i * 2).to_s }, 'x=1;y=2'.scan(/(\w)=(\d)/).inspect
puts 'straße'.upcase, 'été'.encode('ISO-8859-1').bytes.inspect, 'abc'.succ, 'Hello'.swapcase.center(11, '*'), "%s and %p" % ['a', 'b']
puts ($~ && $~[0]).inspect, 'k: v'.match(/(?<key>\w+): (?<val>\w+)/).named_captures
