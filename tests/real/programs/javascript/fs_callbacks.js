// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const order = [];
// Two chains of callbacks, either of which may be done first: told when both are.
let chains = 2, result;
const done = () => {
	if (--chains === 0)
		console.log(...result, order);
};
fs.mkdir('q', (e) => {
	if (e)
		throw e;
	let left = 40;
	for (let i = 0; i < 40; i++)
		fs.writeFile(`q/${i}`, 'x'.repeat(i), (err) => {
			if (err)
				throw err;
			if (--left === 0)
				fs.readdir('q', (err2, names) => {
					let sum = 0, todo = names.length;
					for (const n of names)
						fs.stat(`q/${n}`, (err3, st) => {
							sum += st.size;
							if (--todo === 0) {
								result = [names.length, sum];
								done();
							}
						});
				});
		});
});
fs.readFile('absent', (e) => console.log(e.code));
const out = fs.createWriteStream('big');
for (let i = 0; i < 3000; i++)
	out.write(`line ${i}\n`);
out.end(() => {
	let n = 0;
	fs.createReadStream('big', { highWaterMark: 1000 }).on('data', (c) => { n += c.length; }).on('end', () => {
		order.push(n);
		done();
	});
});
