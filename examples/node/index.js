// SPDX-License-Identifier: Apache-2.0
// Runs untrusted programs under sgrun from Node. No dependencies. It speaks the contract of docs/embedding.md,
// version 1, and uses nothing else of sgrun. Types: index.d.ts.
'use strict';
const { spawn } = require('node:child_process');
const { EventEmitter } = require('node:events');

const CONTRACT = 1;
const MAX_RECORDS = 10000; // of audit mode a program gets as many as it likes
const OPTIONS = { language: '--lang', policy: '--policy', mode: '--mode', require: '--require', tier: '--tier',
  user: '--user', cwd: '--chdir' };
const LIMITS = { wallTime: '--wall-time', cpuTime: '--cpu-time', memory: '--memory', pids: '--pids', cpus: '--cpus',
  output: '--output', fileSize: '--file-size', openFiles: '--open-files', stack: '--stack' };

/** Nothing ran, or nobody can tell how it ended: sgrun is missing, refused, or failed. */
class SandgateError extends Error {}

function commandLine(argv, how) {
  // Descriptors 3 and 4 are the pipes that start() makes.
  const line = ['--verdicts', 'fd:3', '--cancel-fd', '4'];
  for (const [name, option] of Object.entries(OPTIONS))
    if (how[name] !== undefined) line.push(option, String(how[name]));
  for (const [name, value] of Object.entries(how.env ?? {})) line.push('--env', `${name}=${value}`);
  for (const [name, value] of Object.entries(how.limits ?? {})) {
    if (!LIMITS[name]) throw new TypeError(`unknown limit ${name}: expected one of ${Object.keys(LIMITS).join(', ')}`);
    line.push(LIMITS[name], String(value));
  }
  return [...line, ...(how.options ?? []), '--', ...argv];
}

/** One sandbox. Emits 'record' for each line of the verdict stream, 'violation' for those that deny something. */
class Run extends EventEmitter {
  constructor(sgrun, argv, how) {
    super();
    this.records = [];
    this.truncated = false;
    this.omitted = 0;
    const max = how.maxOutput ?? 64 << 20;
    const child = spawn(sgrun, commandLine(argv, how), { stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
      detached: true, cwd: how.from });
    this.child = child;
    let out, err;
    this.finished = new Promise((resolve, reject) => {
      child.on('error', (e) => reject(new SandgateError(`cannot start ${sgrun}: ${e.message}`)));
      child.on('close', (code, signal) => {
        this.cancel();
        try {
          if (this.failure) throw this.failure;
          resolve(this.result(signal ? 137 : code, out(), err()));
        } catch (e) {
          reject(e);
        }
      });
    });
    this.finished.catch(() => {}); // whoever awaits it gets the error all the same
    // Out of descriptors: node has made no streams, and the error comes by its event.
    if (!child.stdio) return;
    const collect = (stream) => {
      const parts = [];
      let size = 0;
      stream.on('data', (data) => {
        size += data.length;
        if (size > max) {
          // What nobody will read must not fill this process's memory.
          this.truncated = true;
          this.cancel();
        } else parts.push(data);
      });
      return () => Buffer.concat(parts);
    };
    out = collect(child.stdout);
    err = collect(child.stderr);
    let rest = '';
    child.stdio[3].setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) this.take(JSON.parse(line));
    });
    // A program need not read its input, and a sandbox may be gone before it is written.
    for (const stream of [child.stdin, child.stdio[4]]) stream.on('error', () => {});
    child.stdin.end(how.stdin ?? '');
  }

  take(record) {
    if (record.type === 'start' && record.version !== CONTRACT) {
      this.failure = new SandgateError(`sgrun speaks version ${record.version} of the contract, not ${CONTRACT}`);
      this.cancel();
      return;
    }
    if (this.records.length < MAX_RECORDS || record.type === 'exit') this.records.push(record);
    else this.omitted++;
    this.emit('record', record);
    if (record.type.endsWith('_violation')) this.emit('violation', record);
  }

  result(status, stdout, stderr) {
    const exit = this.records.at(-1);
    if (exit?.type !== 'exit') {
      // What stands on standard error is the program's once there is one, and no reason.
      if (exit) throw new SandgateError(`sgrun ended with status ${status} before it said how the program ended`);
      throw new SandgateError(stderr.toString().trim().slice(-500) || `sgrun ended with status ${status}`);
    }
    return {
      status, stdout, stderr, records: this.records, exit,
      start: this.records.find((r) => r.type === 'start') ?? null,
      verdict: exit.verdict,
      ok: exit.verdict === 'ok' && exit.exit_code === 0,
      exitCode: exit.exit_code ?? null,
      signal: exit.signal ?? null,
      limit: exit.limit ?? null,
      violation: exit.violation,
      cancelled: exit.cancelled ?? false,
      complete: exit.integrity === 'complete',
      truncated: this.truncated,
      omitted: this.omitted,
    };
  }

  /** Kills the sandbox: closes the descriptor that keeps it alive. Dying does the same. */
  cancel() {
    this.child.stdio?.[4].destroy();
  }

  /** Asks the program to end (SIGTERM). A second time, sgrun kills the sandbox. */
  terminate() {
    this.child.kill('SIGTERM');
  }
}

/**
 * How sgrun is called. `defaults` hold for every run: what a run says goes before them, each limit and each variable by
 * itself.
 */
class Sandgate {
  constructor({ sgrun = 'sgrun', sgctl = 'sgctl', socket, ...defaults } = {}) {
    Object.assign(this, { sgrun, sgctl, socket, defaults, registered: new Map() });
  }

  start(argv, how = {}) {
    const both = { ...this.defaults };
    for (const [name, value] of Object.entries(how)) if (value !== undefined) both[name] = value;
    for (const name of ['env', 'limits']) both[name] = { ...this.defaults[name], ...how[name] };
    return new Run(this.sgrun, argv, both);
  }

  run(argv, how = {}) {
    return this.start(argv, how).finished;
  }

  /**
   * Puts the container or cgroup of a process that runs already under a policy, and says what came of it. Needs the
   * daemon, sgd, and root.
   */
  async register(pid, language, containerId, { mode = 'enforce' } = {}) {
    const line = ['attach', '--pid', String(pid), '--lang', language, '--mode', mode];
    if (containerId) line.push('--container-id', containerId);
    const { sandbox } = await this.control(line);
    this.registered.set(pid, sandbox.id);
    return sandbox;
  }

  /** Takes it out again. */
  async unregister(pid) {
    const id = this.registered.get(pid);
    if (!id) throw new SandgateError(`process ${pid} was not registered here`);
    await this.control(['detach', id]);
    this.registered.delete(pid);
  }

  control(line) {
    const options = ['--json', ...(this.socket ? ['--socket', this.socket] : [])];
    return new Promise((resolve, reject) => {
      const child = spawn(this.sgctl, [...options, ...line], { stdio: ['ignore', 'pipe', 'pipe'] });
      let out = '', err = '';
      child.stdout.on('data', (d) => { out += d; });
      child.stderr.on('data', (d) => { err += d; });
      child.on('error', (e) => reject(new SandgateError(`cannot start ${this.sgctl}: ${e.message}`)));
      child.on('close', (code) => code === 0 ? resolve(JSON.parse(out))
        : reject(new SandgateError(`${this.sgctl} ${line[0]}: ${err.trim() || `status ${code}`}`)));
    });
  }
}

/**
 * The executor of an engine's worker: takes jobs, runs at most `concurrency` of them at a time, each under the policy
 * of its language, and kills on a violation (`killOnViolation: false` only records). Emits 'violation' with the job.
 */
class Executor extends EventEmitter {
  constructor({ enabled = true, policyPath, killOnViolation = true, concurrency = 2, sandgate = new Sandgate() } = {}) {
    super();
    Object.assign(this, { enabled, policyPath, killOnViolation, concurrency, sandgate });
    this.running = new Map();
    this.waiting = [];
  }

  execute(job) {
    // An engine that is told to do without a sandbox must not find out later that it ran without one.
    if (!this.enabled) return Promise.reject(new SandgateError('the sandbox is disabled: nothing is run'));
    return new Promise((resolve, reject) => {
      this.waiting.push({ job, resolve, reject });
      this.next();
    });
  }

  next() {
    while (this.running.size < this.concurrency && this.waiting.length) {
      // The key is this one execution: the same job may run more than once at a time.
      const entry = this.waiting.shift();
      const { job, resolve, reject } = entry;
      const { argv, ...how } = job;
      let run;
      try {
        run = this.sandgate.start(argv, { policy: this.policyPath, mode: this.killOnViolation ? 'enforce' : 'audit', ...how });
      } catch (e) {
        reject(e);
        continue;
      }
      this.running.set(entry, run);
      run.on('violation', (record) => this.emit('violation', record, job));
      run.finished.then(resolve, reject).finally(() => {
        this.running.delete(entry);
        this.next();
      });
    }
  }

  /** Cancels one job, or all of them; those that wait are refused. */
  cancel(job) {
    this.waiting = this.waiting.filter((w) => {
      if (job && w.job !== job) return true;
      w.reject(new SandgateError('cancelled before it was started'));
      return false;
    });
    for (const [entry, run] of this.running) if (!job || entry.job === job) run.cancel();
  }
}

module.exports = { CONTRACT, Executor, Run, Sandgate, SandgateError };
