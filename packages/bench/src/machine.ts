import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

/** The machine, and how busy it was before the first measurement. */
export interface Machine {
  readonly at: string;
  readonly node: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  /** Processes that wanted a core in the last minute. */
  readonly load: number;
}

/** Looks at this machine. */
export function machine(): Machine {
  return {
    at: new Date().toISOString(),
    node: process.version,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e9),
    load: loadavg()[0] ?? Number.NaN,
  };
}

/** Resident memory of a process, in megabytes. Linux only. */
export function residentMb(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kb) / 1024;
}

/** Time that the threads of a process had on a core, in milliseconds. Linux only. */
export function coreMs(pid: number): number {
  // From the scheduler, in nanoseconds; what `stat` tells has steps of ten milliseconds.
  const threads = readdirSync(`/proc/${pid}/task`);
  const onCore = (thread: string): number =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return threads.reduce((sum, thread) => sum + onCore(thread), 0) / 1e6;
}
