# SPDX-License-Identifier: Apache-2.0
# sg-real: stdin="1\n2\nbad\n" exit=42
use strict;
use warnings;

END { print "end block, status $?\n" }
$| = 1;
my $sum = 0;
while (my $line = <STDIN>) {
	chomp $line;
	if ($line !~ /^\d+$/) {
		print "line $.: $sum so far\n";
		$! = 42;
		die "not a number: $line\n";
	}
	$sum += $line;
}
print "not reached\n";
