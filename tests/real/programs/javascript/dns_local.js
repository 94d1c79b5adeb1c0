// SPDX-License-Identifier: Apache-2.0
'use strict';
const dns = require('dns');
dns.lookup('127.0.0.1', (e, a, f) => {
	console.log('numeric', e, a, f);
	dns.lookup('localhost', { family: 4 }, (e2, a2) => {
		console.log('localhost', e2, a2);
		dns.lookupService('127.0.0.1', 80, (e3, host, service) => console.log(e3, host, service));
	});
});
console.log(require('net').isIP('::1'), require('net').isIPv4('1.2.3'));
