// SPDX-License-Identifier: Apache-2.0
import { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';

/** Version of the contract in docs/embedding.md. */
export const CONTRACT: 1;

export type Verdict = 'ok' | 'violation' | 'time_limit' | 'memory_limit' | 'output_limit' | 'signal' | 'error';

/** One line of the verdict stream; docs/stream.md says what each type carries. */
export interface StreamRecord {
  timestamp: number;
  level: 'info' | 'warning' | 'error';
  type: 'start' | 'syscall_violation' | 'lsm_violation' | 'audit' | 'limit' | 'lost' | 'phase' | 'exit';
  sandbox: string;
  cgroup_id: number;
  language: string;
  [field: string]: unknown;
}

export interface Violation extends StreamRecord {
  pid: number;
  uid: number;
  comm: string;
  syscall: string;
  syscall_nr: number;
  args: number[];
  decoded: { [argument: string]: string };
  layer: string;
  rule: { list: string; text: string; file: string; line: number; column: number } | null;
  action: 'kill' | 'errno' | 'audit';
  prevented: boolean;
  hint: string | null;
}

/** As sgrun takes them: '10s', '64M', 16. */
export interface Limits {
  wallTime?: string | number;
  cpuTime?: string | number;
  memory?: string | number;
  pids?: number;
  cpus?: string | number;
  output?: string | number;
  fileSize?: string | number;
  openFiles?: number;
  stack?: string | number;
}

export interface How {
  language?: string;
  policy?: string;
  mode?: 'enforce' | 'audit';
  require?: 'lsm' | 'bpf' | 'unprivileged';
  tier?: 'auto' | 'lsm' | 'bpf' | 'unprivileged';
  user?: string | number;
  /** Where the program starts. */
  cwd?: string;
  /** Where sgrun itself starts. */
  from?: string;
  env?: { [name: string]: string };
  limits?: Limits;
  stdin?: string | Uint8Array;
  /** Bytes of each output that are kept; a program that writes more is cancelled. Default 64 MiB. */
  maxOutput?: number;
  options?: string[];
}

export interface Result {
  verdict: Verdict;
  ok: boolean;
  /** sgrun's own exit status. */
  status: number;
  exitCode: number | null;
  signal: number | null;
  limit: string | null;
  violation: Violation | null;
  cancelled: boolean;
  /** false: records were lost, and `exit.reasons` says why. */
  complete: boolean;
  truncated: boolean;
  stdout: Buffer;
  stderr: Buffer;
  /** The first 10,000, and `exit`. */
  records: StreamRecord[];
  /** How many more there were: every one was emitted. */
  omitted: number;
  start: StreamRecord | null;
  exit: StreamRecord;
}

/** What sgd says of a cgroup that was put under a policy; `sgctl show` says the same. */
export interface Attached {
  id: string;
  state: string;
  language: string;
  mode: 'enforce' | 'audit';
  cgroup: string;
  cgroup_id: number;
  tasks: number;
  container_id?: string;
  [field: string]: unknown;
}

export class SandgateError extends Error {}

export class Run extends EventEmitter {
  readonly child: ChildProcess;
  readonly records: StreamRecord[];
  readonly finished: Promise<Result>;
  cancel(): void;
  terminate(): void;
  on(event: 'record', listener: (record: StreamRecord) => void): this;
  on(event: 'violation', listener: (record: Violation) => void): this;
}

export class Sandgate {
  constructor(defaults?: How & { sgrun?: string; sgctl?: string; socket?: string });
  start(argv: string[], how?: How): Run;
  run(argv: string[], how?: How): Promise<Result>;
  register(pid: number, language: string, containerId?: string, how?: { mode?: 'enforce' | 'audit' }): Promise<Attached>;
  unregister(pid: number): Promise<void>;
}

export interface Job extends How {
  argv: string[];
}

export interface EbpfConfig {
  enabled?: boolean;
  policyPath?: string;
  killOnViolation?: boolean;
  concurrency?: number;
  sandgate?: Sandgate;
}

export class Executor extends EventEmitter {
  constructor(config?: EbpfConfig);
  execute(job: Job): Promise<Result>;
  cancel(job?: Job): void;
  on(event: 'violation', listener: (record: Violation, job: Job) => void): this;
}
