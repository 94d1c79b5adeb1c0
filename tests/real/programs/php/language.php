<?php
// SPDX-License-Identifier: Apache-2.0
declare(strict_types=1);

interface HasArea
{
	public function area(): float;
}

enum Suit: string
{
	case Hearts = 'H';
	case Spades = 'S';

	public function label(): string
	{
		return ucfirst(strtolower($this->name));
	}
}

trait Loud
{
	public function shout(): string
	{
		return strtoupper($this->name) . '!';
	}
}

final class Square implements HasArea, JsonSerializable, IteratorAggregate, Countable
{
	use Loud;

	public function __construct(public readonly string $name, private float $side)
	{
	}

	public function area(): float
	{
		return $this->side ** 2;
	}

	public function jsonSerialize(): array
	{
		return ['name' => $this->name, 'area' => $this->area()];
	}

	public function getIterator(): Generator
	{
		yield 'side' => $this->side;
		yield from ['a' => 1, 'b' => 2];
	}

	public function count(): int
	{
		return 3;
	}

	public function __destruct()
	{
		echo "destroyed {$this->name}\n";
	}
}

$s = new Square('sq', 2.5);
echo json_encode([$s, Suit::from('S'), 1.0, null, "ü\u{1F600}"], JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE), ' ', $s->shout(), ' ', count($s), "\n";
foreach ($s as $k => $v) {
	echo "$k=$v ";
}
echo Suit::tryFrom('X')?->label() ?? 'none', ' ', Suit::Hearts->label(), "\n";
try {
	$s->name = 'x';
} catch (Error $e) {
	echo get_class($e), ': ', $e->getMessage(), "\n";
}
unset($s);
$gen = (function () {
	$got = yield 1;
	echo "got $got\n";
	return 99;
})();
echo $gen->current(), ' ', $gen->send('x') ?? 'null', ' ', $gen->getReturn(), "\n";
$fiber = new Fiber(function (int $x): string {
	$y = Fiber::suspend($x * 2);
	return "fiber $y";
});
echo $fiber->start(21), ' ';
$fiber->resume('end');
echo $fiber->getReturn(), "\n";
echo match (true) {
	1 > 2 => 'a',
	default => 'default',
}, ' ', (fn (...$n) => array_sum($n))(1, 2, 3), ' ', str_contains(haystack: 'abc', needle: 'b') ? 'y' : 'n', ' ', intdiv(7, 2), ' ', 7 % 3, ' ', PHP_INT_MAX + 1, "\n";
try {
	intdiv(1, 0);
} catch (DivisionByZeroError $e) {
	echo $e->getMessage(), "\n";
} finally {
	echo "finally\n";
}
function deep(int $n): int
{
	return $n === 0 ? 0 : 1 + deep($n - 1);
}
echo deep(50000), ' ', memory_get_usage() > 0 ? 'memory' : '', ' ', gc_collect_cycles() >= 0, "\n";
