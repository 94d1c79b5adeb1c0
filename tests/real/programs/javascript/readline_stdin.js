// SPDX-License-Identifier: Apache-2.0
// sg-real: stdin="3 4\n10 -2\nnot numbers\n7 7"
'use strict';
const readline = require('readline');
const rl = readline.createInterface({ input: process.stdin });
let sum = 0;
rl.on('line', (l) => {
	const [a, b] = l.split(' ').map(Number);
	if (Number.isNaN(a))
		console.log('skipped', JSON.stringify(l));
	else
		console.log(`${a} + ${b} = ${a + b}`, sum += a + b);
});
rl.on('close', () => console.log('total', sum, Boolean(process.stdin.isTTY)));
