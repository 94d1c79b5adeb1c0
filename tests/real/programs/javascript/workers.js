// SPDX-License-Identifier: Apache-2.0
'use strict';
const { Worker, isMainThread, parentPort, workerData, MessageChannel, threadId } = require('worker_threads');
if (!isMainThread) {
	let s = 0;
	for (let i = 0; i < workerData.n; i++)
		s += i;
	const shared = new Int32Array(workerData.shared);
	for (let i = 0; i < 1000; i++)
		Atomics.add(shared, 0, 1);
	parentPort.once('message', ({ port }) => {
		port.postMessage({ from: workerData.id, s });
		port.close();
	});
	parentPort.postMessage({ ready: threadId > 0 });
} else {
	const shared = new SharedArrayBuffer(8);
	const one = (id) => new Promise((resolve, reject) => {
		const w = new Worker(__filename, { workerData: { id, n: 1000 * (id + 1), shared } });
		let answer, code;
		const done = () => answer && code !== undefined && resolve({ code, answer });
		w.once('message', (m) => {
			const { port1, port2 } = new MessageChannel();
			port1.on('message', (a) => { answer = { ...a, ...m }; port1.close(); done(); });
			w.postMessage({ port: port2 }, [port2]);
		});
		w.on('error', reject);
		w.on('exit', (c) => { code = c; done(); });
	});
	Promise.all([0, 1, 2].map(one)).then((r) => {
		console.log(JSON.stringify(r), new Int32Array(shared)[0]);
		const bad = new Worker('throw new Error("in a worker")', { eval: true });
		bad.on('error', (e) => console.log('error:', e.message));
		bad.on('exit', (c) => console.log('exit', c));
	});
}
