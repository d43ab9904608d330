import { type LocalPostgres, startLocalPostgres } from '@botwarden/local-postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bot, BotHealth } from '../../src/bot/bot.ts';
import { botProbes } from '../../src/watch/bot-probes.ts';
import { createKnownModels } from '../../src/watch/known-models.ts';
import { createTickLimit } from '../../src/watch/tick-limit.ts';

let postgres: LocalPostgres;
beforeAll(async () => {
  postgres = await startLocalPostgres();
});
afterAll(() => postgres?.remove());

const NOW = Date.parse('2026-01-31T12:00:00.000Z');
const OLD: BotHealth = {
  status: 'ok',
  instance: 'boot-1',
  trading: null,
  database: null,
  lastTickAt: new Date(NOW - 3_600_000),
  dryRun: false,
};

function tickOf(answer: Partial<BotHealth>, drained: boolean): Promise<unknown> {
  const bot = { health: async () => ({ ...OLD, ...answer }) } as unknown as Bot;
  const probes = botProbes({
    bot,
    expectedModels: 'any',
    knownModels: createKnownModels(),
    tickLimit: createTickLimit(60_000, () => 0),
    timeoutMs: 1_000,
    startupGraceMs: 120_000,
    drained: () => drained,
    now: () => NOW,
  });
  const tick = probes.find(({ name }) => name === 'tick');
  return Promise.resolve(tick?.run(AbortSignal.timeout(1_000)));
}

it.each<[what: string, answer: Partial<BotHealth>, drained: boolean, judged: boolean]>([
  ['a bot that trades', { trading: 'running' }, false, true],
  ['a bot that says it trades, whatever became of a drain', { trading: 'running' }, true, true],
  ['a bot that does not say whether it trades', {}, false, true],
  ['a bot that does not say so, and was drained flat', {}, true, false],
  ['a bot that is halted', { trading: 'halted' }, false, false],
  ['a bot that names no boot, of which nothing is known', { instance: null }, true, true],
])('an old tick of %s', async (_, answer, drained, judged) => {
  if (judged) await expect(tickOf(answer, drained)).rejects.toMatchObject({ code: 'TICK_STALE' });
  else expect(await tickOf(answer, drained)).toMatchObject({ details: { judged: false } });
});

it.each<[what: string, answer: Partial<BotHealth>, code: string]>([
  ['a loop that has not run once', { starting: true, lastTickAt: null }, 'BOT_STARTING'],
  ['a fault that no restart mends', { fault: 'it stopped with an error' }, 'BOT_FAULT'],
  ['a halted bot that goes on ticking', { trading: 'halted', ticksWhileHalted: true }, 'TICK_STALE'],
])('%s is told by the tick', async (_, answer, code) => {
  await expect(tickOf(answer, false)).rejects.toMatchObject({ code });
});

it('a loop that has not run once is hung after the grace, counted from when it was first seen so', async () => {
  let now = NOW;
  let answer: Partial<BotHealth> = {};
  const [, tick] = botProbes({
    bot: { health: async () => ({ ...OLD, lastTickAt: new Date(now), ...answer }) } as unknown as Bot,
    expectedModels: 'any',
    knownModels: createKnownModels(),
    tickLimit: createTickLimit(60_000, () => 0),
    timeoutMs: 1_000,
    startupGraceMs: 120_000,
    drained: () => false,
    now: () => now,
  });
  const look = async (afterMs: number, starting: boolean) => {
    now += afterMs;
    answer = { starting };
    const run = Promise.resolve(tick?.run(AbortSignal.timeout(1_000)));
    return run.then(
      () => 'ticks',
      ({ code }: { code: string }) => code,
    );
  };
  expect(await look(0, true)).toBe('BOT_STARTING');
  expect(await look(119_999, true)).toBe('BOT_STARTING');
  expect(await look(1, true)).toBe('BOT_NEVER_TICKED');
  expect(await look(1_000, false)).toBe('ticks');
  expect(await look(3_600_000, true)).toBe('BOT_STARTING');
});

describe('models', () => {
  const known = createKnownModels();
  const look = (expectedModels: readonly string[], ...reported: [name: string, loaded: boolean][]) => {
    const bot = {
      adapter: 'http',
      models: async () => reported.map(([name, loaded]) => ({ name, loaded, version: null, loadedAt: null })),
    } as unknown as Bot;
    const probes = botProbes({
      bot,
      expectedModels,
      knownModels: known,
      tickLimit: createTickLimit(60_000, () => 0),
      timeoutMs: 1_000,
      startupGraceMs: 120_000,
      drained: () => false,
      now: () => NOW,
    });
    return Promise.resolve(probes[0]?.run(AbortSignal.timeout(1_000)));
  };

  it('of a name that this bot never had are a mistake of the configuration', async () => {
    await expect(look(['signl'], ['signal', true])).rejects.toMatchObject({
      code: 'MODELS_UNKNOWN',
      message: expect.stringMatching(/never had: signl; it has signal; correct EXPECTED_MODELS/),
    });
  });

  it('of a name that it has and has not loaded are the affair of the bot', async () => {
    await expect(look(['signal'], ['signal', false])).rejects.toMatchObject({ code: 'MODELS_NOT_LOADED' });
    await expect(look(['signal', 'signl'], ['signal', false])).rejects.toMatchObject({
      code: 'MODELS_NOT_LOADED',
    });
  });

  it('that it had once and no longer lists are so, too', async () => {
    await expect(look(['signal'])).rejects.toMatchObject({ code: 'MODELS_NOT_LOADED' });
  });
});

it('a database that the bot has lost is seen also while the next answer of the bot is on its way', async () => {
  let answers = 0;
  const health = async () => {
    answers += 1;
    if (answers > 1) await new Promise(() => undefined);
    return { ...OLD, database: 'disconnected' as const };
  };
  const probes = botProbes({
    bot: { health } as unknown as Bot,
    expectedModels: 'any',
    knownModels: createKnownModels(),
    tickLimit: createTickLimit(60_000, () => 0),
    timeoutMs: 2_000,
    startupGraceMs: 120_000,
    databaseUrl: postgres.url,
    drained: () => false,
    now: () => NOW,
  });
  const run = (name: string) =>
    Promise.resolve(probes.find((one) => one.name === name)?.run(AbortSignal.timeout(5_000)));
  try {
    await run('api');
    void run('api');
    await expect(run('database')).rejects.toMatchObject({ code: 'BOT_DATABASE_DISCONNECTED' });
  } finally {
    for (const { close } of probes) await close?.();
  }
});
