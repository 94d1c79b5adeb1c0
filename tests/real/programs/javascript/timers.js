// SPDX-License-Identifier: Apache-2.0
'use strict';
const { setTimeout: sleep, setInterval: every } = require('timers/promises');
const log = [];
setTimeout(() => log.push('later'), 500);
setTimeout(() => log.push('soon'), 1);
setImmediate(() => log.push('immediate'));
process.nextTick(() => log.push('tick'));
queueMicrotask(() => log.push('micro'));
const cancelled = setTimeout(() => log.push('never'), 5);
clearTimeout(cancelled);
let n = 0;
const iv = setInterval(() => { if (++n === 3) clearInterval(iv); }, 2);
(async () => {
	do
		await sleep(60);
	while (log.length < 5 || n < 3); // a slow processor may need several rounds
	console.log(log.slice(0, 2), log.includes('immediate'), log.indexOf('soon') < log.indexOf('later'), log.length, n);
	let k = 0;
	for await (const v of every(1, 'v')) {
		if (++k === 4) {
			console.log(k, v);
			break;
		}
	}
	const ac = new AbortController();
	setTimeout(() => ac.abort(), 2);
	await sleep(60000, null, { signal: ac.signal }).catch((e) => console.log(e.name));
	const t = setTimeout(() => {}, 1e6);
	t.unref();
	console.log(t.hasRef());
})();
