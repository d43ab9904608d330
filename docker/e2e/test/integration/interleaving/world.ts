import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, until } from '../../../../../packages/service/test/support/processes.ts';

const ROOT = new URL('../../../../../', import.meta.url).pathname;
const GATE = join(ROOT, 'packages/python/src/botwarden/gate.py');
const SIDECAR = join(ROOT, 'packages/sidecar/src/main.ts');
const BOT = new URL('./bot.py', import.meta.url).pathname;
const TOKEN = 'the-token-of-the-drain';

/** How the bot behaves; see bot.py. */
export interface Behaviour {
  readonly trades?: boolean;
  readonly hangs?: boolean;
  readonly close?: string;
  readonly close_takes?: number;
  readonly positions_status?: number;
  readonly says_nothing?: boolean;
  readonly tick_age?: number;
  readonly forgets?: boolean;
  readonly remembers?: string;
  readonly ignores_sigterm?: boolean;
  readonly dies?: boolean;
}

/** A call as the bot saw it; `start` and `up` are its own. */
export interface BotCall {
  readonly boot: string;
  readonly path: string;
  readonly key?: string | null;
  readonly hold?: string | null;
}

export interface Receipt {
  readonly drain_id: string;
  readonly trigger: string;
  readonly state: string;
  readonly boot: string | null;
  readonly proof: readonly string[];
  readonly reason: string;
}

/** One process, what it said, and how it ended: the exit code, or 128 and the signal as a shell has it. */
export interface Process {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exited: Promise<number>;
}

/** The container of the bot: the gate as its first process, and Docker's `restart: unless-stopped`. */
export interface Container {
  /** The gate that runs now, or ran last. */
  readonly gate: () => Process;
  /** `docker stop`: SIGTERM, then SIGKILL when the grace period is over. Resolves with the exit code. */
  readonly stop: (graceMs?: number) => Promise<number>;
  readonly starts: () => number;
}

/** Gate, sidecar and bot as real processes, and the exchange, which is a file. */
export interface World {
  readonly sidecar: () => Process;
  readonly startSidecar: (more?: Record<string, string>) => Promise<Process>;
  readonly startBot: (more?: Record<string, string>) => Promise<Container>;
  readonly behave: (how: Behaviour) => void;
  /** What is open at the exchange. */
  readonly book: () => { readonly open_positions: number; readonly pending_orders: number };
  readonly setBook: (open: number, pending: number) => void;
  readonly calls: () => readonly BotCall[];
  readonly closeCalls: () => readonly BotCall[];
  readonly receipts: () => readonly Receipt[];
  readonly alerts: () => readonly string[];
  readonly get: (path: string) => Promise<{ status: number; body: Record<string, unknown> }>;
  readonly send: (method: string, path: string, body?: object) => Promise<Response>;
  readonly ready: () => Promise<unknown>;
  readonly end: () => Promise<void>;
}

const SHORT = {
  PROBE_INTERVAL: '200ms',
  PROBE_TIMEOUT: '500ms',
  FAILURE_THRESHOLD: '2',
  STARTUP_GRACE: '5s',
  HEAL_COOLDOWN: '2s',
  TICK_MAX_AGE: '5s',
  CLOSE_TIMEOUT: '1s',
  DRAIN_TIMEOUT: '9s',
};

/** Starts nothing yet; ends everything that it started. */
export async function createWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-interleaving-'));
  const [botPort, sidecarPort] = [await freePort(), await freePort()];
  const file = (name: string): string => join(folder, name);
  const read = (name: string): string => {
    try {
      return readFileSync(file(name), 'utf8');
    } catch {
      return '';
    }
  };
  const lines = <T>(name: string): T[] =>
    read(name)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as T);
  // The bot reads it at any moment: never half of it.
  const replace = (name: string, content: object): void => {
    writeFileSync(file(`${name}.part`), JSON.stringify(content));
    renameSync(file(`${name}.part`), file(name));
  };
  replace('book.json', { open_positions: 2, pending_orders: 1 });
  replace('behave.json', {});
  const started: Process[] = [];
  const heard: string[] = [];
  let over = false;
  const webhook = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      heard.push((JSON.parse(text) as { text: string }).text);
      response.end();
    });
  });
  await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
  const webhookUrl = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`;
  const sidecarUrl = `http://127.0.0.1:${sidecarPort}`;
  let sidecar: Process | undefined;

  function start(command: string, args: string[], env: Record<string, string>): Process {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const exited = new Promise<number>((resolve) =>
      child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143))),
    );
    const one = { child, output: () => text, exited };
    started.push(one);
    return one;
  }

  async function startSidecar(more: Record<string, string> = {}): Promise<Process> {
    const running = start(process.execPath, [SIDECAR], {
      ...SHORT,
      HOST: '127.0.0.1',
      PORT: String(sidecarPort),
      BOT_URL: `http://127.0.0.1:${botPort}`,
      BOT_MODELS_PATH: '',
      DRAIN_TOKEN: TOKEN,
      DRAIN_LOG: file('drains.jsonl'),
      ALERT_WEBHOOK_URL: webhookUrl,
      ...more,
    });
    sidecar = running;
    await until('the sidecar listens', () => {
      const { exitCode } = running.child;
      if (exitCode !== null) throw new Error(`the sidecar ended with ${exitCode}:\n${running.output()}`);
      return running.output().includes('"listening"');
    });
    return running;
  }

  async function startBot(more: Record<string, string> = {}): Promise<Container> {
    let starts = 0;
    let stopped = false;
    const run = (): Process => {
      starts += 1;
      const gate = start('python3', [GATE, 'python3', BOT], {
        SIDECAR_URL: sidecarUrl,
        BOT_URL: `http://127.0.0.1:${botPort}`,
        PORT: String(botPort),
        DRAIN_TOKEN: TOKEN,
        GATE_TIMEOUT: '14s',
        KILL_AFTER: '1s',
        BOOK: file('book.json'),
        BEHAVE: file('behave.json'),
        CALLS: file('calls.jsonl'),
        ...more,
      });
      void gate.exited.then(async () => {
        if (stopped || over) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
        if (!stopped && !over) current = run();
      });
      return gate;
    };
    let current = run();
    await until('the bot is up', () => lines<BotCall>('calls.jsonl').some(({ path }) => path === 'up'));
    return {
      gate: () => current,
      starts: () => starts,
      async stop(graceMs = 25_000) {
        stopped = true;
        const gate = current;
        gate.child.kill('SIGTERM');
        const timer = setTimeout(() => gate.child.kill('SIGKILL'), graceMs);
        const code = await gate.exited;
        clearTimeout(timer);
        return code;
      },
    };
  }

  const get = async (path: string) => {
    const response = await fetch(sidecarUrl + path);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  return {
    sidecar: () => sidecar as Process,
    startSidecar,
    startBot,
    behave: (how) => replace('behave.json', how),
    book: () => JSON.parse(read('book.json')) as { open_positions: number; pending_orders: number },
    setBook: (open, pending) => replace('book.json', { open_positions: open, pending_orders: pending }),
    calls: () => lines<BotCall>('calls.jsonl'),
    closeCalls: () => lines<BotCall>('calls.jsonl').filter(({ path }) => path === '/close-positions'),
    receipts: () => lines<Receipt>('drains.jsonl'),
    alerts: () => heard,
    get,
    send: (method, path, body) =>
      fetch(sidecarUrl + path, {
        method,
        headers: { authorization: `Bearer ${TOKEN}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    ready: () =>
      until('the bot is ready and its gate holds the lease', async () => {
        const answer = await get('/readyz').catch(() => null);
        if (answer?.status !== 200) return false;
        return (await get('/livez')).body.boot !== null;
      }),
    async end() {
      over = true;
      for (const { child } of started) {
        child.kill('SIGCONT');
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      }
      await Promise.all(started.map(({ exited }) => exited));
      // A bot runs in a session of its own: where its gate was killed it is still there.
      for (const pid of lines<{ pid?: number }>('calls.jsonl').flatMap((call) => call.pid ?? [])) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone already.
        }
      }
      webhook.closeAllConnections();
      webhook.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
