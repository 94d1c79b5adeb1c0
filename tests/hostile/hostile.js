// SPDX-License-Identifier: Apache-2.0
'use strict';
// hostile.js NAME [key=value ...]: one attack in JavaScript, reported as hostile.c reports (TRY, EFFECT, ERRNO).
// raw:NAME makes the attack of that name of the C programs: lib= is loaded as a native object and attacks meanwhile.

const fs = require('fs');
const os = require('os');

const T = {};
for (const word of process.argv.slice(3))
	T[word.slice(0, word.indexOf('='))] = word.slice(word.indexOf('=') + 1);
const victim = Number(T.victim || 0);
const name = process.argv[2];

function end(code, ...words) {
	fs.writeSync(1, words.join(' ') + '\n');
	process.exit(code);
}
const effect = () => end(10, 'EFFECT');
const refused = (e) => end(20, 'ERRNO', (e && ((e.info && e.info.code) || e.code || e.message)) || 'unknown');
const setup = (why) => end(30, 'SETUP', why);

// A connection that the other side refuses was made: its packet left this process.
function connecting(e) {
	if (e.code === 'ECONNREFUSED' || e.code === 'ENETUNREACH' || e.code === 'EADDRNOTAVAIL')
		effect();
	refused(e);
}

function child(c) {
	c.on('error', refused);
	c.on('exit', (code) => (code === 0 ? effect() : setup('child exit ' + code)));
}

const attacks = {
	'net-connect': () => require('net').connect(1, '127.0.0.1').on('error', connecting).on('connect', effect),
	'net-connect6': () => require('net').connect(1, '::1').on('error', connecting).on('connect', effect),
	'net-listen': () => require('net').createServer().on('error', refused).listen(0, '127.0.0.1', effect),
	'unix-listen': () => require('net').createServer().on('error', refused).listen(T.dir + '/js.sock', effect),
	'unix-connect': () => require('net').connect(T.dir + '/none.sock')
		.on('error', (e) => (e.code === 'ENOENT' ? effect() : refused(e))).on('connect', effect),
	'dgram': () => require('dgram').createSocket('udp4').on('error', refused).bind(0, '127.0.0.1', effect),
	'dns-resolve': () => {
		const dns = require('dns');
		dns.setServers(['127.0.0.1:1']);
		dns.resolve4('sandgate.invalid', (e) => (e && e.code === 'ECONNREFUSED' ? effect() : refused(e)));
	},
	'http-get': () => require('http').get('http://127.0.0.1:1/').on('error', connecting).on('response', effect),
	'http-server': () => require('http').createServer().on('error', refused).listen(0, '127.0.0.1', effect),
	'fetch': () => fetch('http://127.0.0.1:65001/').then(effect, (e) => connecting(e.cause || e)),
	'inspector': () => {
		require('inspector').open(0, '127.0.0.1');
		return require('inspector').url() ? effect() : refused({code: 'EACCES'});
	},
	'spawn': () => child(require('child_process').spawn('/bin/true')),
	'exec-shell': () => require('child_process').exec('exit 0', (e) => (e ? refused(e) : effect())),
	'exec-sync': () => { require('child_process').execFileSync('/bin/true'); effect(); },
	'fork': () => child(require('child_process').fork(__filename, ['child-exit'])),
	'child-exit': () => process.exit(0),
	'cluster': () => {
		const cluster = require('cluster');
		cluster.setupPrimary({exec: __filename, args: ['child-exit'], silent: true});
		child(cluster.fork());
	},
	'spawn-detached': () => child(require('child_process').spawn('/bin/true', {detached: true, stdio: 'ignore'})),
	'kill-victim': () => { process.kill(victim, 'SIGUSR1'); effect(); },
	'kill-group': () => { process.kill(-victim, 'SIGUSR1'); effect(); },
	'kill-parent': () => { process.kill(process.ppid, 0); effect(); },
	'priority-victim': () => { os.setPriority(victim, 19); effect(); },
	'setuid': () => { process.setuid(process.getuid()); effect(); },
	'setgid': () => { process.setgid(process.getgid()); effect(); },
	'setgroups': () => { process.setgroups([65534]); effect(); },
	'initgroups': () => { process.initgroups('nobody', 65534); effect(); },
	'worker-net': () => {
		const {Worker} = require('worker_threads');
		new Worker(`const net = require('net'); const {parentPort} = require('worker_threads');
			net.createServer().on('error', (e) => parentPort.postMessage(e.code))
				.listen(0, '127.0.0.1', () => parentPort.postMessage('EFFECT'));`, {eval: true})
			.on('error', refused).on('message', (m) => (m === 'EFFECT' ? effect() : refused({code: m})));
	},
	'worker-spawn': () => {
		const {Worker} = require('worker_threads');
		new Worker(`const {parentPort} = require('worker_threads');
			require('child_process').spawn('/bin/true').on('error', (e) => parentPort.postMessage(e.code))
				.on('exit', () => parentPort.postMessage('EFFECT'));`, {eval: true})
			.on('error', refused).on('message', (m) => (m === 'EFFECT' ? effect() : refused({code: m})));
	},
	'exit-handler': () => {
		process.on('exit', () => {
			try {
				require('child_process').execFileSync('/bin/true');
			} catch (e) {
				refused(e);
			}
			effect();
		});
	},
	'swallow-errors': () => {
		for (let i = 0; i < 20; i++) {
			try {
				process.kill(victim, 'SIGUSR1');
				effect();
			} catch (e) {
				if (i === 19)
					refused(e);
			}
		}
	},
};

function raw(what) {
	process.env.HOSTILE = [what, ...process.argv.slice(3)].join(' ');
	try {
		process.dlopen({exports: {}}, T.lib);
	} catch (e) {
		setup(String(e.message).slice(0, 100));
	}
}

if (name.startsWith('raw:')) {
	raw(name.slice(4));
} else {
	if (name !== 'child-exit')
		fs.writeSync(1, 'TRY ' + name + '\n');
	try {
		attacks[name]();
	} catch (e) {
		refused(e);
	}
}
