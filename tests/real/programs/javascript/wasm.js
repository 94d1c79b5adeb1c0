// SPDX-License-Identifier: Apache-2.0
'use strict';
// (func $fac (param i64) (result i64)) and a memory of one page, assembled by hand.
const code = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 6, 1, 0x60, 1, 0x7e, 1, 0x7e, 3, 2, 1, 0, 5, 3, 1, 0, 1,
	7, 13, 2, 3, 0x66, 0x61, 0x63, 0, 0, 3, 0x6d, 0x65, 0x6d, 2, 0, 10, 23, 1, 21, 0, 0x20, 0, 0x50, 4, 0x7e, 0x42, 1,
	5, 0x20, 0, 0x20, 0, 0x42, 1, 0x7d, 0x10, 0, 0x7e, 0x0b, 0x0b]);
(async () => {
	console.log(WebAssembly.validate(code));
	const { instance } = await WebAssembly.instantiate(code);
	console.log(instance.exports.fac(20n));
	let s = 0n;
	for (let i = 0; i < 20000; i++)
		s += instance.exports.fac(BigInt(i % 20));
	console.log(s);
	const mem = instance.exports.mem;
	new Uint8Array(mem.buffer)[5] = 9;
	console.log(mem.grow(3), mem.buffer.byteLength, new Uint8Array(mem.buffer)[5]);
	try {
		instance.exports.fac(100000000n);
	} catch (e) {
		console.log(e.constructor.name);
	}
	await WebAssembly.compile(new Uint8Array([1, 2, 3])).catch((e) => console.log(e.name));
})();
