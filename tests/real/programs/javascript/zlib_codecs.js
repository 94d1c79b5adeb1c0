// SPDX-License-Identifier: Apache-2.0
'use strict';
const zlib = require('zlib');
const { promisify } = require('util');
const data = Buffer.from(Array.from({ length: 4000 }, (_, i) => `entry ${i % 97};`).join(''));
for (const [c, d] of [['gzipSync', 'gunzipSync'], ['deflateSync', 'inflateSync'], ['deflateRawSync', 'inflateRawSync'],
	['brotliCompressSync', 'brotliDecompressSync']]) {
	const z = zlib[c](data);
	console.log(c, zlib[d](z).equals(data), z.length < data.length / 4);
}
(async () => {
	const many = await Promise.all([...Array(12).keys()].map((i) => promisify(zlib.gzip)(data.subarray(i * 100), { level: 9 })));
	const back = await Promise.all(many.map((z) => promisify(zlib.gunzip)(z)));
	console.log(back.map((b) => b.length).join());
	await promisify(zlib.gunzip)(Buffer.from('not gzip')).catch((e) => console.log(e.code));
	const parts = [];
	const gz = zlib.createGzip();
	const un = gz.pipe(zlib.createGunzip());
	un.on('data', (c) => parts.push(c));
	un.on('end', () => console.log(Buffer.concat(parts).equals(data)));
	for (let i = 0; i < data.length; i += 777)
		gz.write(data.subarray(i, i + 777));
	gz.end();
})();
