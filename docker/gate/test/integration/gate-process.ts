import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The program under test. */
export const gatePath = fileURLToPath(new URL('../../hold-until-flat', import.meta.url));

/** A shell to run the gate with, and a PATH on which `sh` is that shell too. */
export interface Shell {
  name: string;
  argv: readonly string[];
  path: string;
}

/** Waits for a condition, at most `limit` milliseconds. */
export async function until(what: string, condition: () => boolean, limit = 20_000): Promise<void> {
  const end = Date.now() + limit;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${limit} ms in vain until ${what}`);
    await sleep(10);
  }
}

/** Every process that still carries this mark in its environment, as `pid command`. */
function marked(mark: string): { pid: number; command: string }[] {
  if (process.platform !== 'linux') return [];
  const found = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (!readFileSync(`/proc/${entry}/environ`, 'latin1').includes(mark)) continue;
      // A zombie waits for whoever takes the container's first place; it runs nothing.
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${entry}/status`, 'latin1'))) continue;
      const command = readFileSync(`/proc/${entry}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      found.push({ pid: Number(entry), command });
    } catch {
      // It ended while it was being looked at.
    }
  }
  return found;
}

/** The gate as a real process around a bot, which is a line of shell. */
export function startGate(
  shell: Shell,
  bot: string | readonly string[],
  env: Record<string, string>,
  events: string[] = [],
) {
  const mark = `GATE_TEST=${randomUUID()}`;
  const [program = '', ...before] = shell.argv;
  const command = typeof bot === 'string' ? ['sh', '-c', bot] : bot;
  const child = spawn(program, [...before, gatePath, ...command], {
    env: {
      PATH: shell.path,
      GATE_TEST: mark.slice('GATE_TEST='.length),
      SIDECAR_URL: '',
      GATE_TIMEOUT: '10s',
      KILL_AFTER: '2s',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter(Boolean)) events.push(`bot: ${line}`);
  });
  const exit = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  return {
    events,
    exit,
    log: () => log,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    running: () => child.exitCode === null && child.signalCode === null,
    /** The processes of this gate that run now, itself included; not what a bot of these tests sleeps with. */
    processes: () => marked(mark).filter(({ command }) => command !== 'sleep 0.05'),
    until: (event: string) =>
      until(`${event}; so far: ${events.join(', ')}\n${log}`, () => events.includes(event)),
    [Symbol.dispose]() {
      for (const { pid } of marked(mark)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It is gone already.
        }
      }
    },
  };
}
