# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;

package Shape {
	sub new { my ($c, %a) = @_; return bless {%a}, $c }
	sub area { die ref(shift) . " has no area\n" }
	sub DESTROY { print "gone: $_[0]{name}\n" }
	use overload '""' => sub { "<$_[0]{name}>" }, '+' => sub { $_[0]->area + (ref $_[1] ? $_[1]->area : $_[1]) }, '<=>' => sub { $_[0]->area <=> $_[1]->area };
}

package Square {
	our @ISA = ('Shape');
	sub area { $_[0]{side}**2 }
}

package Counter {
	sub TIESCALAR { my $n = 0; bless \$n }
	sub FETCH { ${ $_[0] }++ }
	sub STORE { ${ $_[0] } = $_[1] }
}

package main;
{
	my $s = Square->new(name => 's', side => 3);
	my $t = Square->new(name => 't', side => 2);
	print "$s ", $s + $t, ' ', $s + 1, ' ', (sort { $a <=> $b } $s, $t)[0], ' ', $s->isa('Shape'), ' ', Square->can('area') ? 1 : 0, "\n";
}
eval { Shape->new(name => 'plain')->area };
print "error: $@";
tie my $c, 'Counter';
print "$c $c ", ($c = 10), " $c\n";
our $AUTOLOAD;
sub AUTOLOAD { my $n = $AUTOLOAD; $n =~ s/.*:://; return if $n eq 'DESTROY'; "auto $n(@_)" }
print whatever(1, 2), "\n";
my @stack = map { my $n = $_; sub { $n++ } } 1 .. 2;
$stack[0]->() for 1 .. 5;
print $stack[0]->(), $stack[1]->(), ' ', wantarray // 'undef', "\n";
local $SIG{ALRM} = sub { die "alarm\n" };
eval { alarm 1; select undef, undef, undef, 30; };
print "got $@";
local $SIG{USR1} = sub { print "signal $_[0]\n" };
kill USR1 => $$;
local $SIG{__WARN__} = sub { print "warned: $_[0]" };
my $u;
my $x = "v$u";
print eval 'my @a = (1) x 3; "@a"', ' ', sprintf('%vd', '1.22.333'), "\n";
use Data::Dumper;
$Data::Dumper::Sortkeys = $Data::Dumper::Terse = $Data::Dumper::Indent = 1;
print Data::Dumper::Dumper({ a => [1, 'x'], b => undef });
