// SPDX-License-Identifier: Apache-2.0
// node contract.js CLIENT SGRUN TEST: one promise of docs/embedding.md, through the Node client. Prints "ok" or throws.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const { spawn } = require('node:child_process');
const [client, sgrun, name, ...rest] = process.argv.slice(2);
const { Executor, Sandgate, SandgateError } = require(client);
const sandgate = new Sandgate({ sgrun, tier: process.env.TIER });
const SLEEP = ['/usr/bin/python3', '-c', 'import time; print("up", flush=True); time.sleep(600)'];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
// The program's first words and the start record come by different ways: either may be first.
const up = async (run) => {
  await new Promise((resolve) => run.child.stdout.once('data', resolve));
  while (!run.records.length) await pause(5);
};
const alive = (pid) => { try { process.kill(pid, 0); return true; } catch { return false; } };

const tests = {
  async stdin() {
    const r = await sandgate.run(['/usr/bin/python3', '-c', 'print(input()[::-1])'], { stdin: 'abc\n' });
    assert.equal(r.stdout.toString(), 'cba\n');
    assert.ok(r.ok && r.complete && r.start.pid > 0);
  },
  async big_stdin_unread() {
    const r = await sandgate.run(['/usr/bin/python3', '-c', 'pass'], { stdin: Buffer.alloc(8 << 20) });
    assert.ok(r.ok);
  },
  async limit() {
    const r = await sandgate.run(SLEEP, { limits: { wallTime: '300ms' } });
    assert.equal(r.verdict, 'time_limit');
    assert.equal(r.limit, 'wall_time');
    assert.equal(r.status, 124);
  },
  async unknown_limit() {
    assert.throws(() => sandgate.start(SLEEP, { limits: { walltime: 1 } }), /unknown limit walltime/);
  },
  async cancel() {
    const run = sandgate.start(SLEEP);
    await up(run);
    run.cancel();
    const r = await run.finished;
    assert.equal(r.verdict, 'signal');
    assert.equal(r.signal, 9);
    assert.ok(r.cancelled);
  },
  async terminate() {
    const run = sandgate.start(SLEEP);
    await up(run);
    run.terminate();
    const r = await run.finished;
    assert.equal(r.signal, 15);
    assert.ok(!r.cancelled);
  },
  async parent_dies() {
    const parent = spawn(process.execPath, [__filename, client, sgrun, 'parent'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
    assert.ok(alive(pid));
    parent.kill('SIGKILL');
    for (let i = 0; i < 100 && alive(pid); i++) await new Promise((r) => setTimeout(r, 50));
    assert.ok(!alive(pid), 'the sandboxed program lives on');
  },
  async parent() {
    const run = sandgate.start(SLEEP);
    await up(run);
    console.log(run.records[0].pid);
    await run.finished;
  },
  async max_output() {
    const r = await sandgate.run(['/usr/bin/python3', '-c', 'while True: print("x" * 4096)'], { maxOutput: 100000 });
    assert.ok(r.cancelled && r.truncated && r.stdout.length <= 100000);
  },
  async records_without_end() {
    const code = 'import ctypes, time\nc = ctypes.CDLL(None)\nfor i in range(15000): c.setuid(1), i % 200 or time.sleep(0.02)';
    const run = sandgate.start(['/usr/bin/python3', '-c', code], { mode: 'audit' });
    let heard = 0;
    run.on('record', () => { heard++; });
    const r = await run.finished;
    assert.deepEqual([r.verdict, r.records.length, r.records.length + r.omitted], ['ok', 10001, heard]);
  },
  async defaults() {
    const strict = new Sandgate({ sgrun, tier: process.env.TIER, limits: { wallTime: '300ms' }, env: { A: '1' } });
    const program = ['/usr/bin/python3', '-c', 'import os; print(os.environ["A"], os.environ["B"])'];
    const r = await strict.run(program, { limits: { wallTime: '20s', pids: 7 }, env: { B: '2' } });
    assert.equal(r.stdout.toString(), '1 2\n');
    assert.deepEqual([r.start.limits.wall_time_ms, r.start.limits.pids], [20000, 7]);
    assert.equal((await strict.run(['/bin/sleep', '5'], { language: 'c', limits: { pids: 7 } })).limit, 'wall_time');
    // The executor has no policy of its own: the default stays.
    const executor = new Executor({ sandgate: new Sandgate({ sgrun, policy: '/nonexistent/policy' }) });
    assert.match((await executor.execute({ argv: ['/bin/true'], language: 'c' })).exit.error, /nonexistent.policy/);
  },
  async sgrun_killed() {
    const code = 'import sys, time; print("all is well", file=sys.stderr); print("up", flush=True); time.sleep(600)';
    const run = sandgate.start(['/usr/bin/python3', '-uc', code]);
    await up(run);
    run.child.kill('SIGKILL');
    await assert.rejects(run.finished, /sgrun ended with status 137 before it said/);
  },
  async no_descriptors() {
    const open = [];
    try { for (;;) open.push(fs.openSync('/dev/null')); } catch (e) { assert.equal(e.code, 'EMFILE'); }
    try {
      await assert.rejects(new Executor({ sandgate }).execute({ argv: ['/bin/true'] }), /cannot start .*EMFILE/);
    } finally {
      for (const fd of open) fs.closeSync(fd);
    }
    assert.ok((await sandgate.run(['/bin/true'], { language: 'c' })).ok);
  },
  async no_sgrun() {
    await assert.rejects(new Sandgate({ sgrun: '/nonexistent/sgrun' }).run(['true']), SandgateError);
  },
  async refused() {
    const wrong = await sandgate.run(['/bin/true'], { language: 'python', options: ['--no-such-option'] });
    assert.deepEqual([wrong.verdict, wrong.status], ['error', 125]);
    assert.match(wrong.records.at(-1).error, /no-such-option/);
    const r = await sandgate.run(['/nonexistent/program'], { language: 'python' });
    assert.equal(r.verdict, 'error');
    assert.equal(r.status, 127);
  },
  async kill_on_violation() {
    const argv = ['/usr/bin/python3', '-c', 'import os; os.execv("/bin/echo", ["echo", "done"])'];
    const seen = [];
    for (const killOnViolation of [true, false]) {
      const executor = new Executor({ sandgate, killOnViolation });
      executor.on('violation', (record, job) => seen.push([record.syscall, record.action, job.argv === argv]));
      const r = await executor.execute({ argv });
      assert.equal(r.verdict, killOnViolation ? 'violation' : 'ok');
      assert.equal(r.stdout.toString(), killOnViolation ? '' : 'done\n');
    }
    assert.deepEqual(seen[0], ['execve', 'kill', true]);
    assert.ok(seen.some((s) => s[0] === 'execve' && s[1] === 'audit'));
  },
  async disabled() {
    await assert.rejects(new Executor({ enabled: false, sandgate }).execute({ argv: ['/bin/true'] }), /disabled/);
  },
  async cancel_waiting() {
    const executor = new Executor({ sandgate, concurrency: 1 });
    const first = executor.execute({ argv: SLEEP }), second = executor.execute({ argv: SLEEP });
    await up([...executor.running.values()][0]);
    executor.cancel();
    await assert.rejects(second, /before it was started/);
    assert.ok((await first).cancelled);
  },
  async same_job() {
    const executor = new Executor({ sandgate, concurrency: 2 }), job = { argv: SLEEP };
    const started = [1, 2, 3].map(() => executor.execute(job));
    const runs = [...executor.running.values()];
    assert.equal(runs.length, 2);
    executor.cancel(job);
    assert.deepEqual((await Promise.allSettled(started)).map((s) => s.value?.cancelled ?? s.reason.message),
      [true, true, 'cancelled before it was started']);
  },
  async no_sgctl() {
    await assert.rejects(new Sandgate({ sgctl: '/nonexistent/sgctl' }).register(1, 'python', 'abc'), SandgateError);
  },
  // With a daemon: a process that runs already is registered, breaks its policy, and is gone.
  async register() {
    const [sgctl, socket, pid] = rest;
    const s = new Sandgate({ sgctl, socket });
    await assert.rejects(s.unregister(Number(pid)), /was not registered here/);
    const sandbox = await s.register(Number(pid), 'python', 'container-1');
    assert.equal(sandbox.language, 'python');
    assert.equal(sandbox.container_id, 'container-1');
    assert.ok(sandbox.tasks >= 1);
    await s.unregister(Number(pid));
    await s.register(Number(pid), 'python', 'container-1');
    process.kill(Number(pid), 'SIGUSR1');
    for (let i = 0; i < 100 && alive(Number(pid)); i++) await new Promise((r) => setTimeout(r, 50));
    assert.ok(!alive(Number(pid)), 'the violation did not end it');
    assert.equal((await s.control(['show', '--container-id', 'container-1'])).sandbox.violation.syscall, 'setuid');
  },
};

if (name === 'list') console.log(Object.keys(tests).filter((t) => !['parent', 'register'].includes(t)).join('\n'));
else tests[name]().then(() => name === 'parent' || console.log('ok'));
