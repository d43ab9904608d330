import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pythonEnvironment } from '../../../../vitest.python.ts';

const folder = path.join(import.meta.dirname, '../..');

/** The program under test: one file. */
export const gatePath = path.join(folder, 'src/botwarden/gate.py');

/** The interpreter that runs it. */
export const python = await pythonEnvironment(path.join(folder, 'test/requirements.txt'));

/** Waits for a condition, at most `limit` milliseconds. */
export async function until(what: string, condition: () => boolean, limit = 20_000): Promise<void> {
  const end = Date.now() + limit;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${limit} ms in vain until ${what}`);
    await sleep(10);
  }
}

/** Every process that still carries this mark in its environment. */
function marked(mark: string): { pid: number; command: string; session: number; sleeps: boolean }[] {
  if (process.platform !== 'linux') return [];
  const found = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (!readFileSync(`/proc/${entry}/environ`, 'latin1').includes(mark)) continue;
      const command = readFileSync(`/proc/${entry}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // A zombie waits for whoever takes the container's first place; it runs nothing.
      if (state === 'Z') continue;
      found.push({ pid: Number(entry), command, session: Number(session), sleeps: state === 'S' });
    } catch {
      // It ended while it was being looked at.
    }
  }
  return found;
}

/** How the gate is started, where that is not the usual way. */
export interface Way {
  /** The whole command line up to the bot's; by default the file, by an interpreter that looks at nothing else. */
  readonly gate?: readonly string[];
  /** What came from the bot, and whatever the test adds. */
  readonly events?: string[];
  /** Whether standard error is read; without a reader it fills. Default true. */
  readonly read?: boolean;
  /** Whether it leads a process group of its own, which can be signalled as a terminal does it. Default false. */
  readonly detached?: boolean;
}

/** A way to start the gate with some Python before it, which knows it as `gate` and may change it. */
export const changed = (...lines: string[]): string[] => [
  python,
  '-IS',
  '-c',
  [
    'import sys',
    `sys.path.insert(0, ${JSON.stringify(path.dirname(gatePath))})`,
    'import gate',
    ...lines,
    'sys.exit(gate.main())',
  ].join('\n'),
];

/** The gate as a real process around a bot, which is a line of shell or a command. */
export function startGate(bot: string | readonly string[], env: Record<string, string> = {}, way: Way = {}) {
  const { gate = [python, '-IS', gatePath], events = [], read = true, detached = false } = way;
  const mark = `GATE_TEST=${randomUUID()}`;
  const [program = '', ...before] = gate;
  const command = typeof bot === 'string' ? ['sh', '-c', bot] : bot;
  const child = spawn(program, [...before, ...command], {
    env: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      GATE_TEST: mark.slice('GATE_TEST='.length),
      SIDECAR_URL: '',
      GATE_TIMEOUT: '15s',
      KILL_AFTER: '2s',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached,
  });
  let log = '';
  const listen = () =>
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  if (read) listen();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter(Boolean)) events.push(`bot: ${line}`);
  });
  const exit = once(child, read ? 'close' : 'exit').then(
    ([code, signal]) => (code ?? signal) as number | string,
  );
  return {
    events,
    exit,
    pid: child.pid ?? 0,
    log: () => log,
    /** Reads standard error from now on. */
    listen,
    /** Closes the reader's end of standard error. */
    stopReading: () => child.stderr.destroy(),
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    running: () => child.exitCode === null && child.signalCode === null,
    /** The processes of this gate that run now, itself included; not what a bot of these tests sleeps with. */
    processes: () => marked(mark).filter(({ command: line }) => line !== 'sleep 0.05'),
    until: (event: string) =>
      until(`${event}; so far: ${events.join(', ')}\n${log}`, () => events.includes(event)),
    says: (text: string | RegExp) =>
      until(`it said ${text}; so far: ${log}`, () =>
        typeof text === 'string' ? log.includes(text) : text.test(log),
      ),
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

/** A bot that ends on SIGTERM. */
export const patient = "trap 'echo TERM; exit 0' TERM; echo up; while :; do sleep 0.05; done";
/** A bot that does not. */
export const deaf = "trap 'echo TERM' TERM; echo up; while :; do sleep 0.05; done";
/** A bot that can be made to die with 4. */
export const mortal = "trap 'exit 4' USR1; trap 'echo TERM' TERM; echo up; while :; do sleep 0.05; done";
