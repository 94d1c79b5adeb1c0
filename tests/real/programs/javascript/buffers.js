// SPDX-License-Identifier: Apache-2.0
'use strict';
const b = Buffer.from('héllo wörld €');
console.log(b.toString('hex'), b.toString('base64'), b.length, Buffer.byteLength('€'));
console.log(b.indexOf('w'), b.subarray(0, 3), Buffer.compare(Buffer.from('a'), Buffer.from('b')), b.swap16 !== undefined);
const w = Buffer.alloc(24);
w.writeDoubleBE(Math.PI, 0);
w.writeBigUInt64LE(2n ** 63n, 8);
w.writeInt32LE(-2, 16);
console.log(w.toString('hex'), w.readDoubleBE(0), w.readBigInt64LE(8), w.readUInt16BE(16));
const dv = new DataView(new ArrayBuffer(8));
dv.setFloat32(0, 1.5);
console.log(dv.getUint32(0).toString(16), new TextDecoder('utf-16le').decode(Buffer.from('hi', 'utf16le')), new TextEncoder().encode('ü'));
console.log(Buffer.concat([Buffer.from([1]), Buffer.alloc(2, 'a')]).toJSON(), structuredClone(new Map([[1, { a: [2] }]])));
const big = Buffer.alloc(64 << 20, 1);
let s = 0;
for (let i = 0; i < big.length; i += 4096)
	s += big[i];
console.log(s, new Float64Array(3).fill(0.1).reduce((x, y) => x + y), 0.1 + 0.2, 2n ** 100n, (123.456).toFixed(1));
try {
	Buffer.alloc(10).readInt32LE(8);
} catch (e) {
	console.log(e.code);
}
