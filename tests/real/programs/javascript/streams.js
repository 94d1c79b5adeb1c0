// SPDX-License-Identifier: Apache-2.0
'use strict';
const { Readable, Transform, Writable, PassThrough, Duplex, pipeline, finished } = require('stream');
const { pipeline: pipe } = require('stream/promises');
const { TransformStream } = require('stream/web');
class Lines extends Transform {
	constructor() {
		super({ readableObjectMode: true });
		this.rest = '';
	}
	_transform(chunk, enc, done) {
		const parts = (this.rest + chunk).split('\n');
		this.rest = parts.pop();
		parts.forEach((p) => this.push(p));
		done();
	}
	_flush(done) {
		if (this.rest)
			this.push(this.rest);
		done();
	}
}
(async () => {
	const seen = [];
	await pipe(Readable.from(['ab\ncd', 'ef\n', 'gh']), new Lines(),
		new Writable({ objectMode: true, highWaterMark: 1, write(o, e, cb) { seen.push(o); setImmediate(cb); } }));
	console.log(seen);
	await new Promise((ok) => pipeline(Readable.from([1, 2]), new Transform({ objectMode: true,
		transform(c, e, cb) { cb(new Error(`refused ${c}`)); } }), new PassThrough({ objectMode: true }), (e) => { console.log(e.message); ok(); }));
	const p = new PassThrough();
	finished(p, () => console.log('finished'));
	p.end('bye');
	for await (const c of p)
		console.log(String(c));
	const t = new TransformStream({ transform(c, ctl) { ctl.enqueue(c * 2); } });
	const w = t.writable.getWriter();
	w.write(21);
	w.close();
	for await (const v of t.readable)
		console.log(v);
	console.log(Duplex.from((async function* () { yield 'd'; })()).readable, process.stdout.writable);
	for (let i = 0; i < 3000; i++)
		process.stdout.write(`${i} ${'.'.repeat(30)}\n`);
})();
