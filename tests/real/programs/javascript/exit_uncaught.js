// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=1
'use strict';
console.log('before');
process.on('exit', (c) => console.log('exit', c));
setTimeout(() => { throw new TypeError('not caught'); }, 1);
setTimeout(() => console.log('never'), 1000);
