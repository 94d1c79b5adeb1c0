// SPDX-License-Identifier: Apache-2.0
// sg-real: args="--name=x -v --num 3 rest one"
'use strict';
const util = require('util');
const { values, positionals } = util.parseArgs({ allowPositionals: true, options: { name: { type: 'string' },
	verbose: { type: 'boolean', short: 'v' }, num: { type: 'string' } } });
console.log(values.name, values.verbose, values.num, positionals);
console.log(util.inspect({ a: [1, { b: new Map([['k', new Set([1])]]) }], f() {}, [Symbol('s')]: 1n }, { depth: 5, breakLength: 60 }));
console.log(util.format('%s %d %j %o', 's', 4.5, { x: 1 }, [1]), util.isDeepStrictEqual([1, { a: 2 }], [1, { a: 2 }]));
util.promisify((x, cb) => cb(null, x + 1))(1).then((r) => console.log('promisified', r));
console.log(util.types.isProxy(new Proxy({}, {})), util.inspect(new Proxy([1], {})));
console.table([{ a: 1, b: 'x' }, { a: 2, b: 'y' }]);
console.group('g');
console.log('indented');
console.groupEnd();
console.error('to stderr');
const url = new URL('https://user@example.org:8080/p/a?q=1&r=%C3%A9#h');
console.log(url.searchParams.get('r'), url.port, require('path').relative('/a/b', '/a/c/d'), require('querystring').parse('a=1&a=2').a);
console.log(require('url').format({ host: 'h', protocol: 'ftp' }), encodeURIComponent('ü/ '), require('assert').ok(true));
const vm = require('vm');
console.log(vm.runInNewContext('x + y', { x: 40, y: 2 }), new vm.Script('1+1').runInThisContext());
