// SPDX-License-Identifier: Apache-2.0
'use strict';
const os = require('os');
console.log(os.EOL === '\n', os.platform(), os.type(), os.arch(), os.endianness(), os.homedir() === process.env.HOME);
console.log(os.cpus().length > 0, os.totalmem() > os.freemem(), os.uptime() > 0, os.loadavg().length, os.hostname().length > 0);
console.log(os.tmpdir() === process.env.TMPDIR, os.userInfo().uid === process.getuid(), typeof os.release(), os.constants.signals.SIGKILL);
console.log(Object.keys(process.env).sort().join(), process.title.length > 0, process.execPath.endsWith('node'), process.umask().toString(8));
console.log(process.memoryUsage().rss > 1e6, process.hrtime.bigint() > 0n, process.cpuUsage().user >= 0, process.resourceUsage().maxRSS > 0);
console.log(process.pid > 0, process.ppid >= 0, process.uptime() > 0, process.getgroups().length >= 0, process.cwd().length > 1);
const { performance, PerformanceObserver } = require('perf_hooks');
const obs = new PerformanceObserver((l) => { console.log(l.getEntries().map((e) => e.name)); obs.disconnect(); });
obs.observe({ entryTypes: ['measure'] });
performance.mark('a');
performance.mark('b');
performance.measure('a to b', 'a', 'b');
console.log(performance.now() > 0, performance.getEntriesByType('mark').map((m) => m.name), os.getPriority());
require('v8').setFlagsFromString('--stack-size=500');
console.log(require('v8').getHeapStatistics().total_heap_size > 0, require('v8').deserialize(require('v8').serialize({ a: 1 })));
