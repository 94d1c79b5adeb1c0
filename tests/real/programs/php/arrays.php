<?php
// SPDX-License-Identifier: Apache-2.0
$words = explode(' ', 'the quick brown fox jumps over the lazy dog');
$count = array_count_values($words);
ksort($count);
print_r($count);
usort($words, fn ($a, $b) => [strlen($a), $a] <=> [strlen($b), $b]);
echo implode(',', $words), "\n";
var_dump(array_map(null, [1, 2], ['a', 'b']) === [[1, 'a'], [2, 'b']], array_filter([0, 1, '', 'x']), array_slice([1, 2, 3, 4], 1, 2), array_unique([1, '1', 2]));
['a' => $a, 'b' => [, $b]] = ['a' => 1, 'b' => [2, 3]];
echo "$a $b ", array_sum(range(1, 100)), ' ', implode(',', array_merge([1], [...[2, 3]])), "\n";
$big = [];
for ($i = 0; $i < 300000; $i++) {
	$big["k$i"] = $i * 2;
}
echo count($big), ' ', $big['k777'], ' ', array_sum($big), "\n";
$h = new SplMinHeap();
foreach ([5, 1, 3] as $x) {
	$h->insert($x);
}
$q = new SplObjectStorage();
$q->attach(new stdClass());
echo $h->extract(), ' ', count($q), ' ', (new ArrayObject([1, 2]))->count(), "\n";
printf("%05.1f|%'*10s|%-10s|%u|%c|%o|%X|%e\n", 3.14159, 'right', 'left', 3, 65, 8, 255, 12345.678);
echo ucwords('hello world'), ' ', similar_text('World', 'Word'), ' ', levenshtein('kitten', 'sitting'), ' ', soundex('Robert'), ' ', metaphone('Thompson'), ' ', number_format(1234567.891, 2), ' ', wordwrap('long text here', 6, "|", true), "\n";
mt_srand(42);
echo mt_rand(1, 100), ' ', mt_rand(1, 100), ' ', strlen(random_bytes(8)), ' ', random_int(5, 5), "\n";
preg_match_all('/(?<k>\w+)=(?<v>\d+)/', 'a=1 b=22', $m, PREG_SET_ORDER);
echo count($m), $m[1]['v'], ' ', preg_replace_callback('/\d+/', fn ($x) => $x[0] * 2, 'a1b22'), ' ', implode('|', preg_split('/[\s,]+/', 'a, b  c')), "\n";
echo serialize(['a' => [1, true, null, 1.5]]), ' ', unserialize('a:1:{i:0;s:1:"x";}')[0], ' ', var_export([1, 'a' => false], true), "\n";
