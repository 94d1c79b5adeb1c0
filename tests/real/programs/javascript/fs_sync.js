// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const path = require('path');
fs.mkdirSync('d/e/f', { recursive: true });
fs.writeFileSync('d/a.txt', 'hello\n');
fs.appendFileSync('d/a.txt', 'wörld\n');
console.log(JSON.stringify(fs.readFileSync('d/a.txt', 'utf8')), fs.statSync('d/a.txt').size);
fs.copyFileSync('d/a.txt', 'd/e/b.txt');
fs.renameSync('d/e/b.txt', 'd/e/f/c.txt');
fs.symlinkSync('../a.txt', 'd/e/link');
console.log(fs.readlinkSync('d/e/link'), fs.readFileSync('d/e/link', 'latin1').length, path.basename(fs.realpathSync('d/e/link')));
console.log(fs.readdirSync('d', { withFileTypes: true }).map((x) => [x.name, x.isDirectory()]).sort());
const fd = fs.openSync('d/x.bin', 'w+', 0o640);
fs.writeSync(fd, Buffer.from([1, 2, 3, 4]), 0, 4, 100);
fs.ftruncateSync(fd, 103);
fs.fsyncSync(fd);
const b = Buffer.alloc(8);
console.log(fs.readSync(fd, b, 0, 8, 99), b, fs.fstatSync(fd).size);
fs.closeSync(fd);
fs.chmodSync('d/x.bin', 0o600);
fs.utimesSync('d/x.bin', 1e9, 1e9);
console.log((fs.statSync('d/x.bin').mode & 0o777).toString(8), fs.statSync('d/x.bin').mtimeMs, fs.existsSync('no'));
fs.accessSync('d', fs.constants.R_OK | fs.constants.W_OK);
try {
	fs.readFileSync('missing');
} catch (e) {
	console.log(e.code, e.errno, e.syscall);
}
console.log(fs.mkdtempSync('tmp-').length, fs.opendirSync('d').readSync() !== null);
fs.cpSync('d', 'copy', { recursive: true });
fs.rmSync('d', { recursive: true });
console.log(fs.readdirSync('copy').sort());
