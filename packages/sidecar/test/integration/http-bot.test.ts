import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stoppedListener } from '../../../probes/test/integration/stopped-listener.ts';
import { type Bot, BotError, type CloseRequest } from '../../src/bot/bot.ts';
import { createHttpBot } from '../../src/bot/http.ts';
import { createRehearsal } from '../../src/bot/rehearsal.ts';
import { type BotProcess, type RemoteBot, startBotProcess } from '../support/bot-process.ts';
import { freePort, until } from '../support/processes.ts';
import type { Answer, BotScript } from '../support/scripted-bot.ts';

const REQUEST: CloseRequest = {
  drainId: '6f1c1c0e-9df4-4a6c-8a3c-1f3f0a0f9f10',
  reason: 'SIGTERM',
  deadline: new Date('2026-01-31T12:00:00Z'),
};
const TOKEN = 's3cret-of-the-bot';

let bots: BotProcess;
beforeAll(() => {
  bots = startBotProcess();
});
afterAll(() => bots.end());

async function withBot(
  script: BotScript,
  test: (bot: Bot, remote: RemoteBot) => Promise<void>,
): Promise<void> {
  const remote = await bots.start(script);
  const bot = createHttpBot({ url: remote.url, token: TOKEN });
  try {
    await test(bot, remote);
  } finally {
    await bot.dispose();
  }
}

const readPositions = (bot: Bot, ms: number): Promise<unknown> =>
  bot.positions?.(within(ms)) ?? Promise.reject(new Error('it has no positions'));
const readHealth = (bot: Bot, ms: number): Promise<unknown> =>
  bot.health?.(within(ms)) ?? Promise.reject(new Error('it has no health'));
const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);
const failure = async (call: Promise<unknown>): Promise<BotError> => {
  const error = await call.then(
    (answer) => new Error(`expected a failure, got ${JSON.stringify(answer)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof BotError)) throw error;
  return error;
};

describe('answers that are no answer', () => {
  const cases: readonly (readonly [string, Answer, string])[] = [
    ['never answers', { do: 'hang' }, 'BOT_TIMEOUT'],
    ['sends headers, and then nothing', { do: 'headers-then-nothing' }, 'BOT_TIMEOUT'],
    ['sends a byte a second', { do: 'byte-a-second' }, 'BOT_TIMEOUT'],
    ['resets the connection', { do: 'reset' }, 'BOT_RESET'],
    ['resets it in the middle of the body', { do: 'half-then-reset' }, 'BOT_RESET'],
    ['does not speak HTTP', { do: 'not-http' }, 'BOT_MALFORMED'],
    ['sends 100 MB', { do: 'huge' }, 'BOT_TOO_LARGE'],
    ['redirects', { do: 'status', status: 307, headers: { location: '/positions' } }, 'BOT_REDIRECT'],
    ['sends a page', { do: 'body', text: '<html>hello</html>', type: 'text/html' }, 'BOT_MALFORMED'],
    ['sends an empty body', { do: 'body', text: '' }, 'BOT_MALFORMED'],
    ['sends half of a JSON', { do: 'body', text: '{"open_positions":0,' }, 'BOT_MALFORMED'],
    ['sends another shape', { do: 'json', json: { positions: [] } }, 'BOT_MALFORMED'],
    ['leaves out the pending orders', { do: 'json', json: { open_positions: [] } }, 'BOT_MALFORMED'],
    [
      'sends null for a list',
      { do: 'json', json: { open_positions: null, pending_orders: 0 } },
      'BOT_MALFORMED',
    ],
    ['counts below zero', { do: 'json', json: { open_positions: -1, pending_orders: 0 } }, 'BOT_MALFORMED'],
    ['counts in text', { do: 'json', json: { open_positions: '0', pending_orders: 0 } }, 'BOT_MALFORMED'],
    [
      'counts in fractions',
      { do: 'json', json: { open_positions: 0.5, pending_orders: 0 } },
      'BOT_MALFORMED',
    ],
    ['sends a list of lists', { do: 'json', json: [[], []] }, 'BOT_MALFORMED'],
    ['answers 204', { do: 'status', status: 204, json: {} }, 'BOT_STATUS'],
    ['answers 500', { do: 'status', status: 500 }, 'BOT_STATUS'],
    ['answers 401', { do: 'status', status: 401 }, 'BOT_UNAUTHORISED'],
    ['answers 403', { do: 'status', status: 403 }, 'BOT_UNAUTHORISED'],
  ];

  it.each(cases)('a bot that %s fails a read and a close call alike', async (_, answer, code) => {
    await withBot({ positions: [answer], close: [answer] }, async (bot, remote) => {
      const began = performance.now();
      const close = await failure(bot.close(REQUEST, within(400)));
      const read = await failure(readPositions(bot, 400));
      expect([close.code, read.code]).toEqual([code, code]);
      // Cut off at 400 ms each; the rest is what a busy machine may take.
      expect(performance.now() - began).toBeLessThan(5_000);
      // Cut off for real: the other side sees the connection end.
      await until('no connection is left', async () => (await remote.look()).connections === 0, 3_000);
    });
  });

  it('a bot that nobody can reach is refused, and gone', async () => {
    const bot = createHttpBot({ url: `http://127.0.0.1:${await freePort()}` });
    const error = await failure(bot.close(REQUEST, within(2_000)));
    expect([error.code, error.gone, error.retryable]).toEqual(['BOT_REFUSED', true, true]);
    await bot.dispose();
  });

  it.skipIf(process.platform !== 'linux')(
    'a bot that does not even accept is given up in time, and so is its socket',
    async () => {
      const stopped = await stoppedListener();
      const bot = createHttpBot({ url: `http://127.0.0.1:${stopped.port}` });
      try {
        const sockets = () => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP'));
        const before = sockets();
        const began = performance.now();
        expect(await failure(bot.close(REQUEST, within(300)))).toMatchObject({
          code: 'BOT_TIMEOUT',
          waitedFor: 'connection',
        });
        // Well before the 5 s after which a connection is given up by itself.
        expect(performance.now() - began).toBeLessThan(3_000);
        await until('no socket is left', () => sockets().length === before.length, 1_000);
      } finally {
        stopped.end();
        await bot.dispose();
      }
    },
  );

  it('a bot that takes the connection and does not answer is told from one that does not', async () => {
    await withBot({ health: [{ do: 'hang' }] }, async (bot) => {
      expect(await failure(readHealth(bot, 300))).toMatchObject({ code: 'BOT_TIMEOUT', waitedFor: 'answer' });
    });
  });

  it('both address families refused is still refused', async () => {
    const bot = createHttpBot({ url: `http://localhost:${await freePort()}` });
    expect((await failure(bot.close(REQUEST, within(2_000)))).code).toBe('BOT_REFUSED');
    await bot.dispose();
  });

  it('a name that does not resolve is not found, and gone', async () => {
    const bot = createHttpBot({ url: 'http://no-such-bot.invalid:8000' });
    const error = await failure(bot.close(REQUEST, within(10_000)));
    expect([error.code, error.gone]).toEqual(['BOT_NOT_FOUND', true]);
    await bot.dispose();
  });

  it('tells a time-out from being given up', async () => {
    await withBot({ close: [{ do: 'hang' }] }, async (bot) => {
      const controller = new AbortController();
      const call = failure(bot.close(REQUEST, controller.signal));
      controller.abort();
      expect((await call).code).toBe('BOT_CANCELLED');
    });
  });

  it('follows no redirect: the place it points to is never called', async () => {
    const decoy = await bots.start({});
    const headers = { location: `${decoy.url}/close-positions` };
    await withBot({ close: [{ do: 'status', status: 308, headers }] }, async (bot) => {
      const error = await failure(bot.close(REQUEST, within(1_000)));
      expect([error.code, error.retryable]).toEqual(['BOT_REDIRECT', true]);
      expect((await decoy.look()).seen).toEqual([]);
    });
  });
});

describe('which failures a retry can mend', () => {
  it.each([
    [400, true],
    [401, false],
    [403, false],
    [404, false],
    [405, false],
    [408, true],
    [409, true],
    [425, true],
    [429, true],
    [500, true],
    [502, true],
    [503, true],
    [504, true],
  ])('%i: %s', async (status, retryable) => {
    await withBot({ close: [{ do: 'status', status }] }, async (bot) => {
      expect((await failure(bot.close(REQUEST, within(1_000)))).retryable).toBe(retryable);
    });
  });

  it('tells how long the bot wants to be left alone, in seconds', async () => {
    const answer: Answer = { do: 'status', status: 429, headers: { 'retry-after': '7' } };
    await withBot({ close: [answer] }, async (bot) => {
      expect((await failure(bot.close(REQUEST, within(1_000)))).retryAfterMs).toBe(7_000);
    });
  });

  it('and as a date', async () => {
    await withBot({ close: [{ do: 'retry-at', inMs: 30_000 }] }, async (bot) => {
      const { retryAfterMs } = await failure(bot.close(REQUEST, within(1_000)));
      expect(retryAfterMs).toBeGreaterThan(27_000);
      expect(retryAfterMs).toBeLessThanOrEqual(30_000);
    });
  });

  it.each(['soon', '-5', '', '1.5'])('and not from nonsense like %j', async (text) => {
    const answer: Answer = { do: 'status', status: 429, headers: { 'retry-after': text } };
    await withBot({ close: [answer] }, async (bot) => {
      expect((await failure(bot.close(REQUEST, within(1_000)))).retryAfterMs).toBeNull();
    });
  });
});

describe('what is sent and read', () => {
  it('sends key, token and body as the contract says', async () => {
    await withBot({}, async (bot, remote) => {
      expect(await bot.close(REQUEST, within(1_000))).toEqual({
        done: true,
        left: { open: 0, pending: 0, detail: { open: null, pending: null } },
      });
      expect(await remote.closeCalls()).toMatchObject([
        {
          method: 'POST',
          key: REQUEST.drainId,
          authorization: `Bearer ${TOKEN}`,
          body: { drain_id: REQUEST.drainId, reason: 'SIGTERM', deadline: '2026-01-31T12:00:00.000Z' },
        },
      ]);
    });
  });

  it('takes lists and counts, and keeps what the lists held', async () => {
    await withBot({ open: 2, pending: 0, lists: 'BTC/USDT' }, async (bot) => {
      expect(await bot.positions?.(within(1_000))).toEqual({
        open: 2,
        pending: 0,
        detail: {
          open: [
            { id: 0, symbol: 'BTC/USDT' },
            { id: 1, symbol: 'BTC/USDT' },
          ],
          pending: [],
        },
      });
    });
  });

  it('takes 202 for accepted, not done', async () => {
    await withBot({ close: [{ do: 'accept', afterMs: 10 }] }, async (bot) => {
      expect(await bot.close(REQUEST, within(1_000))).toMatchObject({
        done: false,
        left: { open: 2, pending: 1 },
      });
    });
  });

  it('reads the health of a bot that says little', async () => {
    await withBot(
      { health: [{ do: 'json', json: { status: 'ok', extra: [1], database: null } }] },
      async (bot) => {
        expect(await bot.health?.(within(1_000))).toEqual({
          status: 'ok',
          instance: null,
          trading: null,
          lastTickAt: null,
          database: null,
          dryRun: false,
        });
      },
    );
  });

  it.each([
    ['a tick without a time zone', { last_tick_at: '2026-01-31T12:00:00' }, 'last_tick_at'],
    ['a tick that is a number', { last_tick_at: 1_769_860_800 }, 'last_tick_at'],
    ['a trading state of its own', { trading: 'paused' }, 'trading'],
    ['no status', { status: undefined }, 'status'],
  ])('does not take %s for health, and says which field', async (_, fields, name) => {
    await withBot({ health: [{ do: 'json', json: { status: 'ok', ...fields } }] }, async (bot) => {
      const error = await failure(readHealth(bot, 1_000));
      expect(error.code).toBe('BOT_MALFORMED');
      expect(error.message).toContain(name);
    });
  });

  it('tells no secret, even one that the bot repeats', async () => {
    await withBot({ token: 'another' }, async (bot) => {
      const error = await failure(bot.close(REQUEST, within(1_000)));
      expect(error.message).toContain('wrong token');
      expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(TOKEN);
    });
  });

  it('sends a user in the URL as Basic credentials, and never shows them', async () => {
    const remote = await bots.start({
      close: [{ do: 'status', status: 401, json: { error: 'no hunter2 here' } }],
    });
    const bot = createHttpBot({ url: remote.url.replace('//', '//trader:hunter2@') });
    const error = await failure(bot.close(REQUEST, within(1_000)));
    const [call] = await remote.closeCalls();
    expect(call?.authorization).toBe(`Basic ${Buffer.from('trader:hunter2').toString('base64')}`);
    expect(error.message).toContain('401');
    expect(error.message).not.toContain('hunter2');
    await bot.dispose();
  });

  it('refuses a close path that is switched off, and paths without their slash', () => {
    expect(() => createHttpBot({ url: 'http://bot:8000', paths: { close: '' } })).toThrow(TypeError);
    expect(() => createHttpBot({ url: 'http://bot:8000', paths: { health: 'health' } })).toThrow(TypeError);
    expect(() => createHttpBot({ url: 'bot:8000' })).toThrow(TypeError);
  });

  it('has no read whose path is switched off', () => {
    const bot = createHttpBot({ url: 'http://bot:8000', paths: { health: '', models: '', positions: '' } });
    expect([bot.health, bot.models, bot.positions]).toEqual([undefined, undefined, undefined]);
  });
});

describe('the rehearsal', () => {
  it('tells what a drain would close, and closes nothing', async () => {
    await withBot({ dryRun: true, token: TOKEN }, async (bot, remote) => {
      expect(await createRehearsal(bot)(within(1_000))).toEqual({
        rehearsed: true,
        open: 2,
        pending: 1,
        note: null,
      });
      expect(await remote.look()).toMatchObject({ open: 2, pending: 1, halted: false });
    });
  });

  it('finds wrong credentials long before they are needed', async () => {
    await withBot({ dryRun: true, token: 'another' }, async (bot) => {
      expect((await failure(createRehearsal(bot)(within(1_000)))).code).toBe('BOT_UNAUTHORISED');
    });
  });

  it.each([
    ['does not announce dry_run', {}],
    ['announces that it does not know it', { dryRun: false }],
    ['announces it as text', { health: [{ do: 'json', json: { status: 'ok', dry_run: 'true' } }] }],
    ['cannot be asked', { health: [{ do: 'status', status: 500 }] }],
  ] as const)('never makes the close call to a bot that %s', async (_, script) => {
    await withBot(script, async (bot, remote) => {
      const outcome = await createRehearsal(bot)(within(1_000)).catch((error: BotError) => error);
      if (!(outcome instanceof BotError)) expect(outcome).toMatchObject({ rehearsed: false, open: null });
      const { seen, open } = await remote.look();
      expect([seen.filter((call) => call.method !== 'GET'), open]).toEqual([[], 2]);
    });
  });
});
