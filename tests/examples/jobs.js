// SPDX-License-Identifier: Apache-2.0
// node jobs.js CLIENT SGRUN JOBS.json: runs every job through the worker client, two at a time, and prints one JSON
// line each, in order. What is compared with what is run.py's business.
'use strict';
const fs = require('node:fs');
const [client, sgrun, file] = process.argv.slice(2);
const { Executor, Sandgate } = require(client);

const executor = new Executor({ sandgate: new Sandgate({ sgrun }) });
const heard = new Map();
executor.on('violation', (record, job) => heard.set(job, record));

async function main() {
  const jobs = JSON.parse(fs.readFileSync(file, 'utf8'));
  const lines = await Promise.all(jobs.map(async ({ name, ...job }) => {
    try {
      const r = await executor.execute(job);
      return { name, status: r.status, verdict: r.verdict, exit_code: r.exitCode, signal: r.signal, complete: r.complete,
        stdout: r.stdout.toString('base64'), stderr: r.stderr.toString(), violation: r.violation,
        heard: heard.get(job) ?? null, records: r.records };
    } catch (e) {
      return { name, error: `${e.constructor.name}: ${e.message}` };
    }
  }));
  for (const line of lines) console.log(JSON.stringify(line));
}

main();
