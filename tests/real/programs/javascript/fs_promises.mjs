// SPDX-License-Identifier: Apache-2.0
import { open, mkdir, readdir, rm, writeFile, readFile, stat, rename, lstat, symlink, truncate } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

await mkdir('a/b', { recursive: true });
await Promise.all([...Array(10).keys()].map((i) => writeFile(join('a/b', `f${i}`), `${i}\n`.repeat(i + 1))));
let total = 0;
for (const n of (await readdir('a/b')).sort())
	total += (await stat(join('a/b', n))).size;
console.log(total);
const fh = await open('a/log', 'a+');
await fh.write('one\n');
await fh.appendFile('two\nthree\n');
await fh.sync();
const { bytesRead } = await fh.read(Buffer.alloc(64), 0, 64, 0);
console.log(bytesRead, (await fh.stat()).isFile());
await fh.close();
for await (const line of createInterface({ input: createReadStream('a/log') }))
	console.log('line', line);
await rename('a/log', 'a/log2');
await symlink('log2', 'a/s');
await truncate('a/log2', 5);
console.log((await lstat('a/s')).isSymbolicLink(), await readFile('a/s', 'utf8'));
await rm('a', { recursive: true, force: true });
console.log(await readdir('a').catch((e) => e.code));
