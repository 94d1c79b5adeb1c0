// SPDX-License-Identifier: Apache-2.0
'use strict';
const { EventEmitter, once, on } = require('events');
const { AsyncLocalStorage, createHook, executionAsyncId } = require('async_hooks');
const e = new EventEmitter();
e.once('a', (...x) => console.log('once', x));
e.on('a', () => console.log('always'));
e.prependListener('a', () => console.log('first'));
console.log(e.emit('a', 1, 2), e.emit('a'), e.emit('none'), e.listenerCount('a'));
try {
	e.emit('error', new Error('unhandled'));
} catch (x) {
	console.log(x.message);
}
const store = new AsyncLocalStorage();
let inits = 0;
const hook = createHook({ init() { inits++; } }).enable();
(async () => {
	setImmediate(() => e.emit('later', 42));
	console.log(await once(e, 'later'));
	const got = await Promise.all([1, 2, 3].map((i) => store.run(i, async () => {
		await new Promise((ok) => setTimeout(ok, 3 - i));
		return store.getStore();
	})));
	console.log(got, store.getStore(), executionAsyncId() > 0);
	hook.disable();
	console.log(inits > 3);
	setImmediate(() => [1, 2].forEach((v) => e.emit('n', v)));
	for await (const [v] of on(e, 'n')) {
		console.log('n', v);
		if (v === 2)
			break;
	}
	const t = new EventTarget();
	t.addEventListener('x', (ev) => console.log(ev.type, ev.detail === undefined));
	t.dispatchEvent(new Event('x'));
	process.on('SIGUSR2', () => { console.log('signal'); clearInterval(keep); });
	const keep = setInterval(() => {}, 1000);
	process.kill(process.pid, 'SIGUSR2');
})();
process.on('exit', (c) => console.log('exit', c));
