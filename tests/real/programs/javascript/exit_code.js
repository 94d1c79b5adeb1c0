// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=5
'use strict';
process.on('exit', (c) => console.log('exit handler', c));
process.on('beforeExit', () => console.log('before exit'));
process.exitCode = 5;
console.log('running');
