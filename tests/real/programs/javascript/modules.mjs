// SPDX-License-Identifier: Apache-2.0
import { createRequire } from 'node:module';
import fs, { writeFileSync } from 'node:fs';
import process, { argv } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

writeFileSync('m1.mjs', 'export const v = 1; export default class A { hi() { return "hi"; } }\nexport let live = 0; export const bump = () => ++live;\n');
writeFileSync('m2.cjs', 'module.exports = { c: 3, file: typeof __filename };\n');
writeFileSync('data.json', '{"j": [1, 2]}');
const here = pathToFileURL(`${process.cwd()}/`);
const m1 = await import(new URL('m1.mjs', here));
console.log(m1.v, new m1.default().hi(), m1.bump(), m1.live, Object.keys(m1).sort());
const require = createRequire(new URL('x.js', here));
console.log(require('./m2.cjs'), require('./data.json').j, require.resolve('./m2.cjs').endsWith('m2.cjs'));
console.log(typeof import.meta.url, fileURLToPath(import.meta.url).endsWith('modules.mjs'), argv.length);
await import('./no-such-module.mjs').catch((e) => console.log(e.code));
console.log((await import('data:text/javascript,export default 7')).default, fs === (await import('fs')).default);
await Promise.reject(new Error('x')).catch(() => console.log('caught'));
