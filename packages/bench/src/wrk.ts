import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { tool } from '../../../vitest.tools.ts';

/** What one run of wrk saw. */
export interface Load {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Below which 99 of 100 answers came, in milliseconds. */
  readonly p99Ms: number;
  /** Requests that were not answered with 2xx or 3xx, or not at all. */
  readonly failed: number;
}

/** Connections that are kept open. */
export const CONNECTIONS = 16;

/**
 * Asks as fast as answers come, for some seconds, from one thread of another process.
 *
 * @throws {Error} when wrk is not on this machine.
 */
export async function load(
  port: number,
  path: string,
  seconds: number,
  connections = CONNECTIONS,
): Promise<Load> {
  const wrk = tool('wrk');
  if (wrk === undefined) {
    throw new Error('expected the program wrk on the PATH; install it, on Debian with: apt-get install wrk');
  }
  const { stdout } = await promisify(execFile)(wrk, [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--latency',
    `http://127.0.0.1:${port}${path}`,
  ]);
  return parse(stdout);
}

/** Reads what wrk prints. */
export function parse(text: string): Load {
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
  const [, requests, time, unit] = /(\d+) requests in ([\d.]+)(ms|s|m)/.exec(text) ?? [];
  const seconds = Number(time) * ({ ms: 0.001, s: 1, m: 60 }[unit ?? 's'] ?? 1);
  const [, p99, p99Unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  if (requests === undefined || p99 === undefined) throw new Error(`expected a summary of wrk, got ${text}`);
  const errors =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  return {
    requests: Number(requests),
    requestsPerSecond: Number(requests) / seconds,
    p99Ms: Number(p99) * ({ us: 0.001, ms: 1, s: 1000 }[p99Unit ?? 'ms'] ?? 1),
    failed: number(/Non-2xx or 3xx responses: (\d+)/) + errors.reduce((sum, count) => sum + Number(count), 0),
  };
}
