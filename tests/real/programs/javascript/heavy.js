// SPDX-License-Identifier: Apache-2.0
'use strict';
// Enough garbage and hot code for the collector's helper threads and the optimising compiler.
let keep = [];
for (let r = 0; r < 60; r++) {
	keep = [];
	for (let i = 0; i < 20000; i++)
		keep.push({ i, s: `item ${i}`, a: [i, i + 1] });
}
console.log(keep.length, keep[777].s);
function mandel(w) {
	let n = 0;
	for (let y = 0; y < w; y++)
		for (let x = 0; x < w; x++) {
			let a = 0, b = 0, k = 0;
			for (; k < 200 && a * a + b * b < 4; k++)
				[a, b] = [a * a - b * b + 3 * x / w - 2, 2 * a * b + 2 * y / w - 1];
			n += k;
		}
	return n;
}
console.log(mandel(200));
const sieve = new Uint8Array(1e6);
let primes = 0;
for (let i = 2; i < 1e6; i++)
	if (!sieve[i]) {
		primes++;
		for (let j = i * 2; j < 1e6; j += i)
			sieve[j] = 1;
	}
console.log(primes, [...new Set([3, 1, 3])], Object.fromEntries([['a', 1]]));
function deep(n) { return n ? 1 + deep(n - 1) : 0; }
try {
	deep(1e7);
} catch (e) {
	console.log(e.name);
}
console.log([5, 1, 4].sort().map((x) => x ** 2), JSON.parse('{"a":[1,{"b":null}]}').a[1], new WeakRef({}).deref() !== undefined);
