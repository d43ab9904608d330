import { describe, expect, it } from 'vitest';
import { get } from '../support/processes.ts';
import { type Guarded, guard } from './support/guarded.ts';

const TWO = ['BTC/USDT', 'ETH/USDT'];
/** A grace that a test can wait for, and a bound of the tick that does so, too. */
const QUICK = { STARTUP_GRACE: '12s', TICK_MAX_AGE: '8s', PROBE_TIMEOUT: '1500ms' };

interface Health {
  readonly status: string;
  readonly notes?: readonly string[];
  readonly output?: string;
  readonly checks: Readonly<Record<string, readonly { readonly status: string; readonly output?: string }[]>>;
}

const ready = async ({ sidecar }: Guarded): Promise<boolean> =>
  (await fetch(`${sidecar.url}/readyz`)).status === 200;
const live = async ({ sidecar }: Guarded): Promise<boolean> =>
  (await fetch(`${sidecar.url}/livez`)).status === 200;
const health = async ({ sidecar }: Guarded): Promise<Health> =>
  (await get(`${sidecar.url}/healthz`)).body as unknown as Health;
const outputOf = async (bot: Guarded, probe: string): Promise<string> =>
  (await health(bot)).checks[probe]?.[0]?.output ?? '';
const isReady = (bot: Guarded): Promise<true> =>
  bot
    .until('it is ready', () => ready(bot), 60_000)
    .catch(async (error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(await health(bot))}`);
    });

/** Watches for so long that a restart is neither asked for nor the bot called ready. */
async function watch(bot: Guarded, ms: number, wanted: { ready?: boolean; live: boolean }): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    expect({
      live: await live(bot),
      ...(wanted.ready === undefined ? {} : { ready: await ready(bot) }),
    }).toEqual(wanted);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

describe.concurrent('the health of freqtrade', () => {
  it('is good while it trades, and no call of the watching is refused', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await isReady(bot);
    await bot.freqtrade.opened(2);
    await watch(bot, 8_000, { ready: true, live: true });
    await bot.until('its positions', async () => {
      const { body } = await get(`${bot.sidecar.url}/healthz`);
      return (body.positions as { open_positions: number } | null)?.open_positions === 2;
    });
    expect(bot.freqtrade.output()).not.toContain('API Error');
  });

  it('is not good before its worker has run once, and is a restart when that does not come', async () => {
    await using bot = await guard({ script: { hangs: 'populate_indicators' } }, QUICK);
    await watch(bot, 8_000, { ready: false, live: true });
    await bot.until('a restart is asked for', async () => !(await live(bot)), 30_000);
    expect((await get(`${bot.sidecar.url}/livez`)).body).toMatchObject({
      because: expect.stringContaining('has not run once since the bot started'),
    });
  });

  it('is not good while it starts', async () => {
    await using bot = await guard({ script: { hangs: 'fetch_tickers' } });
    await watch(bot, 5_000, { ready: false, live: true });
    bot.freqtrade.play({ hangs: 'nothing' });
    await isReady(bot);
  });

  it('is judged by the tick while it is paused', async () => {
    await using bot = await guard({ script: {} }, QUICK);
    await isReady(bot);
    await bot.freqtrade.call('POST', '/pause');
    await bot.freqtrade.iterated(2);
    expect(await ready(bot)).toBe(true);
    bot.freqtrade.play({ hangs: 'populate_indicators' });
    await bot.until('a restart is asked for', async () => !(await live(bot)), 40_000);
    expect(await ready(bot)).toBe(false);
  });

  it('is bad where it was stopped with open trades, and that is never a restart', async () => {
    await using bot = await guard({ script: { enter: TWO } }, QUICK);
    await bot.freqtrade.opened(2);
    await isReady(bot);
    await bot.freqtrade.call('POST', '/stop');
    await bot.until('it is not ready', async () => !(await ready(bot)));
    expect(await outputOf(bot, 'tick:age')).toMatch(/stopped with 2 open trades that nobody manages/);
    await watch(bot, 12_000, { ready: false, live: true });
    // It refuses to count while it is stopped, and must not be asked again and again.
    expect(bot.freqtrade.output().split('API Error').length).toBeLessThan(4);
    await bot.freqtrade.call('POST', '/start');
    await isReady(bot);
  });

  it('is bad where it stopped itself by an error, and tells which', async () => {
    await using bot = await guard({ script: { enter: TWO } }, QUICK);
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ enter: [], breaks: true });
    await bot.freqtrade.said('OperationalException. Stopping trader');
    await bot.until('it is not ready', async () => !(await ready(bot)));
    await bot.until('why', async () =>
      /stopped by an error \(.*binance answered what nobody expected/.test(await outputOf(bot, 'tick:age')),
    );
    await watch(bot, 10_000, { ready: false, live: true });
  });

  it('is bad with a wrong password, which is told and never a restart', async () => {
    await using bot = await guard({}, { ...QUICK, BOT_PASSWORD: 'wrong-password', STARTUP_GRACE: '1s' });
    await bot.until('why', async () =>
      /GET \/api\/v1\/ping answers/.test(await outputOf(bot, 'api:responseTime')),
    );
    await watch(bot, 5_000, { ready: false, live: true });
    expect(await outputOf(bot, 'api:responseTime')).toContain('BOT_USERNAME and BOT_PASSWORD');
    expect(bot.sidecar.output()).not.toContain('wrong-password');
  });

  it('survives an outage of the exchange, however old its tick', async () => {
    await using bot = await guard({ script: { enter: TWO } }, QUICK);
    await bot.freqtrade.opened(2);
    await isReady(bot);
    // Every call takes 10 s, and fails.
    bot.freqtrade.play({ enter: [], down: true, delay_ms: 10_000 });
    await bot.until(
      'an old tick',
      async () => /trouble with its exchange.*timed out/.test(await outputOf(bot, 'api:responseTime')),
      60_000,
    );
    await watch(bot, 20_000, { live: true });
    bot.freqtrade.play({ down: false, delay_ms: 0 });
    await isReady(bot);
  });

  it('survives that its configuration is read anew', async () => {
    await using bot = await guard({ script: { enter: TWO } }, QUICK);
    await isReady(bot);
    bot.freqtrade.play({ hangs: 'fetch_tickers' });
    await bot.freqtrade.call('POST', '/reload_config');
    await bot.until('it is not ready', async () => !(await ready(bot)));
    await watch(bot, 6_000, { ready: false, live: true });
    bot.freqtrade.play({ hangs: 'nothing' });
    await isReady(bot);
  });

  it('is no restart where it is stopped from the start', async () => {
    await using bot = await guard({ initialState: 'stopped' }, QUICK);
    await watch(bot, 16_000, { live: true });
    expect(await ready(bot)).toBe(true);
    expect(await outputOf(bot, 'api:responseTime')).toContain(
      'freqtrade is stopped: it trades again after /start',
    );
  });

  it('is a restart where it hangs for good', async () => {
    await using bot = await guard({}, QUICK);
    await isReady(bot);
    bot.freqtrade.suspend();
    await bot.until('a restart is asked for', async () => !(await live(bot)), 30_000);
  });

  it('has its FreqAI models, once they are trained', async () => {
    await using bot = await guard(
      { freqai: true, script: { waves: true } },
      { EXPECTED_MODELS: 'BTC/USDT, ETH/USDT', STARTUP_GRACE: '120s' },
    );
    await bot.until('it looks for models', async () =>
      /BTC\/USDT|not loaded/.test(await outputOf(bot, 'models:loaded')),
    );
    expect(await ready(bot)).toBe(false);
    await bot.freqtrade.said('Total time spent training pairlist');
    // It looks at each candle once, so that the next one would be the first with a model.
    await bot.freqtrade.kill();
    await bot.freqtrade.start();
    await isReady(bot);
    expect((await health(bot)).checks['models:loaded']?.[0]?.status).toBe('pass');
  });

  it('is not good with a model that it never had, and that is no restart', async () => {
    await using bot = await guard({}, { ...QUICK, EXPECTED_MODELS: 'BTC/USDT' });
    await bot.until('why', async () => /BTC\/USDT; it has none/.test(await outputOf(bot, 'models:loaded')));
    await watch(bot, 14_000, { ready: false, live: true });
  });
});
