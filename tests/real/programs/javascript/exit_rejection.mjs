// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=1
console.log('start');
process.on('exit', (c) => console.log('exit', c));
await Promise.reject(new Error('top level'));
