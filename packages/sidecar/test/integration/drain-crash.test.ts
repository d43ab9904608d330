import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Receipt } from '../../src/drain/receipts.ts';
import { type BotProcess, type RemoteBot, startBotProcess } from '../support/bot-process.ts';
import { freePort, type Running, startSidecar, until } from '../support/processes.ts';
import type { BotScript } from '../support/scripted-bot.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

let bots: BotProcess;
let folder: string;
let count = 0;
beforeAll(() => {
  bots = startBotProcess();
  folder = mkdtempSync(join(tmpdir(), 'botwarden-crash-'));
});
afterAll(async () => {
  await bots?.end();
  rmSync(folder, { recursive: true, force: true });
});

function newLog(): string {
  count += 1;
  return join(folder, `case-${count}`, 'drains.jsonl');
}

const environment = (bot: RemoteBot, log: string): Record<string, string> => ({
  BOT_URL: bot.url,
  BOT_MODELS_PATH: '',
  PROBE_INTERVAL: '200ms',
  CLOSE_TIMEOUT: '600ms',
  DRAIN_TIMEOUT: '8s',
  DRAIN_LOG: log,
});

async function guarded(
  script: BotScript,
  log = newLog(),
): Promise<{ bot: RemoteBot; sidecar: Running; log: string }> {
  const bot = await bots.start(script);
  const sidecar = await startSidecar(environment(bot, log));
  await ready(sidecar);
  return { bot, sidecar, log };
}

const ready = (sidecar: Running): Promise<unknown> =>
  until('the bot is ready', async () => (await fetch(`${sidecar.url}/readyz`)).status === 200);

const receiptsIn = (log: string): Receipt[] =>
  readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Receipt);

const health = async (sidecar: Running): Promise<{ drain: { unfinished: boolean } }> =>
  (await (await fetch(`${sidecar.url}/healthz`)).json()) as { drain: { unfinished: boolean } };

describe('a sidecar that is killed in the middle of a drain', () => {
  // Each step that a drain goes through, by the line that says so.
  const steps: readonly (readonly [string, BotScript, string])[] = [
    ['before the first call is answered', { close: [{ do: 'hang' }] }, 'drain.close'],
    ['after the call failed', { close: [{ do: 'status', status: 503 }] }, 'drain.close_failed'],
    ['after the call was refused', { close: [{ do: 'status', status: 401 }] }, 'drain.close_refused'],
    ['after the call was answered', { positions: [{ do: 'hang' }] }, 'drain.close_answered'],
    ['while something is left', { close: [{ do: 'close-some', count: 1 }] }, 'drain.positions'],
    [
      'while positions cannot be read',
      { positions: [{ do: 'status', status: 500 }] },
      'drain.positions_unreadable',
    ],
    ['when the budget is spent', { close: [{ do: 'status', status: 500 }] }, 'drain.out_of_time'],
  ];

  it.concurrent.each(steps)('%s: the next one tells the truth', async (_, script, event) => {
    const { bot, sidecar, log } = await guarded(script);
    let next: Running | undefined;
    try {
      sidecar.child.kill('SIGTERM');
      await until(event, () => sidecar.output().includes(`"${event}"`));
      sidecar.child.kill('SIGKILL');
      await sidecar.exited;
      const left = receiptsIn(log);
      // Either the drain had no end, and that is said; or it had one just before, and there is nothing to say.
      const ended = left.at(-1)?.state !== 'started';
      expect(left[0]?.state).toBe('started');

      next = await startSidecar(environment(bot, log));
      expect((await health(next)).drain.unfinished).toBe(!ended);
      expect(next.output().includes('"return.unfinished"')).toBe(!ended);
      if (!ended) expect(next.output()).toContain(left[0]?.drain_id);

      // Shown until the next drain.
      next.child.kill('SIGTERM');
      await until('the next drain runs', () => next?.output().includes('"drain.close"'));
      expect((await health(next)).drain.unfinished).toBe(false);
    } finally {
      await sidecar.end();
      await next?.end();
    }
  });

  it('after a drain that ended: nothing is unfinished', async () => {
    const { bot, sidecar, log } = await guarded({});
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    const next = await startSidecar(environment(bot, log));
    expect((await health(next)).drain.unfinished).toBe(false);
    await next.end();
  });
});

describe('a sidecar that comes back to a boot that was drained', () => {
  it('by its own end, asks for one restart of the bot', async () => {
    const { bot, sidecar, log } = await guarded({});
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    const next = await startSidecar(environment(bot, log));
    try {
      const live = async (): Promise<number> => (await fetch(`${next.url}/livez`)).status;
      await until('it asks for a restart', async () => (await live()) === 503);
      await bot.down();
      await bot.up();
      await until('the next boot is left alone', async () => (await live()) === 200);
    } finally {
      await next.end();
    }
  });

  it('and that is gone by now, does not take the receipts of an earlier process for the present', async () => {
    const { bot, sidecar, log } = await guarded({});
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    await bot.down();
    // This one never saw the bot: another boot may have come and gone.
    const next = await startSidecar(environment(bot, log));
    next.child.kill('SIGTERM');
    expect(await next.exited).toBe(3);
    expect(receiptsIn(log).at(-1)?.state).toBe('not_flat');
  });
});

describe('a signal that comes before the sidecar listens', () => {
  // Node itself takes some time before the program's first line; when that runs cannot be seen from outside.
  it('is answered by a drain, or ends a program that has not begun: it said nothing, and asked the bot nothing', async () => {
    let early = 0;
    for (let delay = 20; delay <= 1_000 && early < 3; delay += 20) {
      const { code, drained, begun, wasListening } = await signalAfter(delay);
      if (wasListening) break;
      if (drained) early += 1;
      else expect(begun).toBe(false);
      expect(code).toBe(drained ? 0 : null);
    }
    expect(early).toBeGreaterThan(0);
  });
});

async function signalAfter(
  ms: number,
): Promise<{ code: number | null; drained: boolean; begun: boolean; wasListening: boolean }> {
  const bot = await bots.start({});
  const log = newLog();
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env.PATH ?? '',
      HOST: '127.0.0.1',
      PORT: String(await freePort()),
      ...environment(bot, log),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  await new Promise((resolve) => setTimeout(resolve, ms));
  const wasListening = output.includes('"listening"');
  child.kill('SIGTERM');
  const code = await exited;
  const drained = output.includes('"drain.started"');
  if (drained) {
    expect(receiptsIn(log).map(({ state }) => state)).toEqual(['started', 'flat']);
    expect(await bot.look()).toMatchObject({ open: 0, pending: 0, halted: true });
    expect(await bot.closeCalls()).toHaveLength(1);
  }
  const begun = output !== '' || (await bot.look()).seen.length > 0;
  return { code, drained, begun, wasListening };
}

describe('a drain log that cannot be written', () => {
  it('does not hold up the drain, and the log keeps the receipt', async () => {
    count += 1;
    const blocked = join(folder, `case-${count}`);
    mkdirSync(blocked);
    writeFileSync(join(blocked, 'file'), '');
    const { bot, sidecar } = await guarded({}, join(blocked, 'file', 'drains.jsonl'));
    expect(sidecar.output()).toContain('"receipts.unwritable"');
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    expect(await bot.look()).toMatchObject({ open: 0, pending: 0 });
    expect(sidecar.output()).toContain('"drain.receipt_lost"');
    expect(sidecar.output()).toContain('"state":"flat"');
  });
});
