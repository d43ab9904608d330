import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Bot, BotError } from '../../src/bot/bot.ts';
import { createFreqtradeBot } from '../../src/bot/freqtrade.ts';
import { createRehearsal } from '../../src/bot/rehearsal.ts';
import type { Receipt } from '../../src/drain/receipts.ts';
import {
  type FreqtradeServer,
  type FreqtradeState,
  PASSWORD,
  startFreqtrade,
  USERNAME,
} from '../support/freqtrade-server.ts';
import { startSidecar, until } from '../support/processes.ts';

let server: FreqtradeServer;
let bot: Bot;
let clock = Date.now();
afterEach(async () => {
  await bot?.dispose();
  await server?.close();
});

async function start(state: Partial<FreqtradeState> = {}, password = PASSWORD): Promise<void> {
  server = await startFreqtrade(state);
  clock = Date.now();
  bot = createFreqtradeBot({ url: server.url, username: USERNAME, password, now: () => clock });
}

const soon = (): AbortSignal => AbortSignal.timeout(2_000);
const request = () => ({ drainId: 'd', reason: 'SIGTERM', deadline: new Date(clock + 60_000) });
const calls = (): string[] => server.seen.map(({ call }) => call);
const positions = async () => {
  const { open, pending } = (await bot.positions?.(soon())) ?? { open: Number.NaN, pending: Number.NaN };
  return [open, pending];
};
const failure = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);

describe('its health', () => {
  it('is of one boot, with the tick of the trading loop', async () => {
    await start({ lastProcess: 1_769_860_900 });
    expect(await bot.health?.(soon())).toEqual({
      status: 'ok',
      instance: 'freqtrade-1769860800',
      trading: 'running',
      lastTickAt: new Date('2026-01-31T12:01:40Z'),
      database: null,
      dryRun: true,
    });
  });

  it.each([
    [{ state: 'paused' }, 'halted'],
    [{ state: 'stopped' }, 'halted'],
    [{ state: 'running', maxOpenTrades: 0 }, 'halted'],
    [{ state: 'running', maxOpenTrades: -1 }, 'running'],
  ] as const)('with %j is %s', async (state, trading) => {
    await start(state);
    expect((await bot.health?.(soon()))?.trading).toBe(trading);
  });

  it('has no tick before the first one, and no boot in old versions', async () => {
    await start({ lastProcess: 0, startup: null });
    expect(await bot.health?.(soon())).toMatchObject({ lastTickAt: null, instance: null });
  });

  it('needs no models', async () => {
    await start();
    expect(bot.models).toBeUndefined();
  });

  it('says when something else listens there', async () => {
    await start();
    const other = createFreqtradeBot({
      url: `${server.url}/elsewhere`,
      username: USERNAME,
      password: PASSWORD,
    });
    expect(await failure(other.health?.(soon()) ?? Promise.resolve())).toMatchObject({ code: 'BOT_STATUS' });
    await other.dispose();
  });
});

describe('its positions', () => {
  it('are its trades and their open orders', async () => {
    await start();
    expect(await positions()).toEqual([2, 1]);
    expect(calls()).toEqual(['GET /status']);
  });

  it('are not believed to be none before the count says so', async () => {
    await start({ statusFails: true });
    expect(await positions()).toEqual([2, 0]);
    expect(calls()).toEqual(['GET /status', 'GET /count']);
  });

  it('are none when both say so', async () => {
    await start({ trades: [] });
    expect(await positions()).toEqual([0, 0]);
  });

  it('are unknown while the count cannot be had', async () => {
    await start({ trades: [], state: 'stopped' });
    expect(await failure(positions())).toMatchObject({ code: 'BOT_STATUS', status: 502 });
  });

  it('spend few counts outside a drain, and fresh ones in it', async () => {
    await start({ trades: [] });
    for (let n = 0; n < 4; n += 1) await positions();
    expect(calls().filter((call) => call === 'GET /count')).toHaveLength(1);
    await bot.close(request(), soon());
    await positions();
    await positions();
    expect(calls().filter((call) => call === 'GET /count')).toHaveLength(3);
  });
});

describe('closing it', () => {
  it('stops entries, and then exits everything at the market', async () => {
    await start();
    expect(await bot.close(request(), soon())).toEqual({ done: false, left: null });
    expect(calls()).toEqual(['POST /stopentry', 'POST /forceexit']);
    expect(server.now.state).toBe('paused');
  });

  it('never stops the trader, which would refuse the exits', async () => {
    await start();
    await bot.close(request(), soon());
    expect(calls()).not.toContain('POST /stop');
  });

  it('exits also where the stop of entries hangs, and then keeps its distance', async () => {
    await start({ hangs: ['/stopentry'] });
    const error = await failure(bot.close(request(), AbortSignal.timeout(10_000)));
    expect(error).toBeInstanceOf(BotError);
    expect((error as BotError).retryAfterMs).toBeGreaterThan(10_000);
    expect(calls()).toEqual(['POST /stopentry', 'POST /forceexit']);
    await until('the exits', () => server.now.trades.length === 0);
  });

  it('exits also where entries could not be stopped, and is then not done', async () => {
    await start({ limits: { '/stopentry': 0 } });
    const error = await failure(bot.close(request(), soon()));
    expect(error).toMatchObject({ code: 'BOT_STATUS', status: 429, retryable: true });
    expect(calls()).toEqual(['POST /stopentry', 'POST /forceexit']);
    await until('the exits', () => server.now.trades.length === 0);
  });

  it('keeps its distance after every answer, so that the limit is never reached', async () => {
    await start({ state: 'stopped', old: true });
    const error = (await failure(bot.close(request(), soon()))) as BotError;
    expect([error.status, error.retryAfterMs]).toEqual([502, 15_000]);
    expect(bot.pace.closeAgainAfterMs).toBeGreaterThanOrEqual(12_000);
    // 60 s / 20 statuses, and some left over for others.
    expect(bot.pace.readEveryMs).toBeGreaterThan(3_000);
  });

  it('tells wrong credentials from everything else', async () => {
    await start({}, 'wrong-password');
    const error = (await failure(bot.close(request(), soon()))) as BotError;
    expect([error.code, error.retryable]).toEqual(['BOT_UNAUTHORISED', false]);
    expect(error.message).not.toContain('wrong-password');
  });

  it('is never locked out by a token that ends: it uses none', async () => {
    await start();
    await bot.close(request(), soon());
    await positions();
    expect(calls().some((call) => call.includes('token'))).toBe(false);
    const expired = await fetch(`${server.url}/api/v1/status`, { headers: { authorization: 'Bearer old' } });
    expect(expired.status).toBe(401);
  });

  it('is rehearsed by reading alone', async () => {
    await start();
    expect(await createRehearsal(bot)(soon())).toEqual({ rehearsed: true, open: 2, pending: 1, note: null });
    expect(calls().every((call) => call.startsWith('GET '))).toBe(true);
  });

  it('rejects with BotErrors only, also when given up', async () => {
    await start();
    const controller = new AbortController();
    const call = failure(bot.close(request(), controller.signal));
    controller.abort();
    expect(await call).toBeInstanceOf(BotError);
  });
});

describe.concurrent('a drain of it by the program itself', () => {
  it.each([
    ['closes what fills slowly', { fillMs: 2_000 }, 0, 'flat', 1],
    ['tries again where an exit failed in silence', { exitsPerCall: 1 }, 0, 'flat', 2],
    ['works with versions that go on running', { old: true }, 0, 'flat', 1],
    ['is not deceived by an empty status', { statusFails: true, exitsPerCall: 0 }, 3, 'not_flat', 2],
  ] as const)('%s', { timeout: 60_000 }, async (_, state, code, outcome, exits) => {
    const served = await startFreqtrade(state);
    const folder = await mkdtemp(join(tmpdir(), 'botwarden-freqtrade-'));
    const sidecar = await startSidecar({
      BOT_ADAPTER: 'freqtrade',
      BOT_URL: served.url,
      BOT_USERNAME: USERNAME,
      BOT_PASSWORD: PASSWORD,
      DRAIN_TIMEOUT: '35s',
      DRAIN_LOG: join(folder, 'drains.jsonl'),
    });
    try {
      await until('the bot is ready', async () => (await fetch(`${sidecar.url}/readyz`)).status === 200);
      sidecar.child.kill('SIGTERM');
      expect(await sidecar.exited, sidecar.output()).toBe(code);
      const lines = readFileSync(join(folder, 'drains.jsonl'), 'utf8').trim().split('\n');
      expect(lines.map((line) => (JSON.parse(line) as Receipt).state)).toEqual(['started', outcome]);
      expect(served.seen.filter(({ call }) => call === 'POST /forceexit')).toHaveLength(exits);
      expect(served.seen.filter(({ status }) => status === 429)).toEqual([]);
      if (code === 0) expect(served.now.trades).toEqual([]);
      expect(sidecar.output()).not.toContain(PASSWORD);
    } finally {
      await sidecar.end();
      await served.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
