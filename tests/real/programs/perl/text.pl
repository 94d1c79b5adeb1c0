# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use List::Util qw(sum max first shuffle reduce);
use POSIX qw(floor strftime setlocale LC_ALL);

binmode STDOUT, ':encoding(UTF-8)';
my %count;
$count{lc $_}++ for "The cat and the dog and THE bird" =~ /(\w+)/g;
print join(', ', map { "$_=$count{$_}" } sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count), "\n";
my $log = "2024-02-29 ERROR disk full\n2024-03-01 INFO ok\n";
while ($log =~ /^(?<date>\S+)\s+(?<level>[A-Z]+)\s+(.*)$/mg) {
	printf "%-6s|%s|%s\n", $+{level}, $+{date}, $3;
}
(my $t = "hello world") =~ s/(\w+)/\u$1/g;
$t =~ tr/a-y/b-z/;
print "$t ", scalar reverse("été"), " ", length("naïve"), " ", ucfirst(lc("ÄÖÜ")), "\n";
print join(',', (sort { $a <=> $b } 10, 9, 100)[0 .. 1]), ' ', sum(1 .. 100), ' ', max(3, 9, 2), ' ', (reduce { $a * $b } 1 .. 10), "\n";
print join(' ', unpack('A2 n C/a*', pack('A2 n C/a*', 'ab', 513, 'str'))), ' ', sprintf('%.3e %b %o %x %+d %s', 12345.678, 10, 8, 255, 5, 'x'), "\n";
my @aoh = map { { n => $_, sq => $_**2 } } 1 .. 3;
print join(';', map { "$_->{n}:$_->{sq}" } grep { $_->{n} != 2 } @aoh), "\n";
my $fact; $fact = sub { my $n = shift; $n < 2 ? 1 : $n * $fact->($n - 1) };
print $fact->(20), ' ', floor(-2.5), ' ', strftime('%Y-%m-%d %j', gmtime(0)), ' ', 7 % -3, ' ', 2**0.5, "\n";
my $str = join '', map { chr(ord('a') + $_ % 26) } 0 .. 99999;
my $n = () = $str =~ /xyz/g;
print "$n ", ($str =~ /^(?:a.*?z)+/ ? length $& : 0), ' ', ('aaa' =~ /^(a)(?=a)(?<!b)\1/ ? 'match' : 'no'), "\n";
print "sorted: @{[sort map { sprintf '%03d', $_ * 37 % 101 } 1 .. 12]}\n";
local $, = '-';
local $\ = "!\n";
print 1, 2, 3;
