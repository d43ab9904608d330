import { readFileSync } from 'node:fs';
import { type LocalPostgres, startLocalPostgres } from '@botwarden/local-postgres';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { get, misbehave, type Running, startBot, startSidecar, until } from '../support/processes.ts';

/** Short, so that a test need not wait; the proportions are those of the defaults. */
const TIMES = {
  PROBE_INTERVAL: '300ms',
  PROBE_TIMEOUT: '250ms',
  FAILURE_THRESHOLD: '3',
  TICK_MAX_AGE: '1s',
  STARTUP_GRACE: '2s',
  HEAL_COOLDOWN: '5s',
};
/** Threshold times interval, plus the time-out, plus what a busy machine may take to notice. */
const NOTICED_MS = 3 * 300 + 250 + 2000;

const status = async (running: Running, path: string): Promise<number> =>
  (await get(running.url + path)).status;
const becomes = (running: Running, path: string, wanted: number, ms: number) =>
  until(`${path} answers ${wanted}`, async () => (await status(running, path)) === wanted, ms);

describe('a sidecar beside the reference bot and a real Postgres', () => {
  let postgres: LocalPostgres;
  let bot: Running;
  let sidecar: Running;

  beforeAll(async () => {
    postgres = await startLocalPostgres({ flags: ['-c', 'shared_preload_libraries=pg_stat_statements'] });
    bot = await startBot();
    sidecar = await startSidecar({
      ...TIMES,
      BOT_URL: bot.url,
      DATABASE_URL: postgres.url,
      EXPECTED_MODELS: 'signal',
    });
    await becomes(sidecar, '/readyz', 200, 10_000);
  });
  afterAll(async () => {
    await sidecar?.end();
    await bot?.end();
    await postgres?.remove();
  });

  it('adds not one query to the database for a thousand readers', async () => {
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    try {
      await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
      const calls = async (): Promise<number> => {
        const { rows } = await client.query(
          `SELECT coalesce(sum(calls), 0)::int AS calls FROM pg_stat_statements WHERE query LIKE '%pg_is_in_recovery%' AND query NOT LIKE '%pg_stat_statements%'`,
        );
        return (rows[0] as { calls: number }).calls;
      };
      const before = await calls();
      const began = performance.now();
      for (let batch = 0; batch < 20; batch += 1) {
        const answers = await Promise.all(Array.from({ length: 50 }, () => status(sidecar, '/healthz')));
        expect(new Set(answers)).toEqual(new Set([200]));
      }
      const elapsed = performance.now() - began;
      // What the schedule alone asks in that time, and one more on either side.
      expect((await calls()) - before).toBeLessThanOrEqual(Math.ceil(elapsed / 300) + 2);
    } finally {
      await client.end();
    }
  });

  it('is not ready while the database is down, asks for no restart, and is ready again by itself', async () => {
    await postgres.stop();
    try {
      await becomes(sidecar, '/readyz', 503, NOTICED_MS);
      expect(await status(sidecar, '/livez')).toBe(200);
      const { body } = await get(`${sidecar.url}/healthz`);
      expect(body).toMatchObject({
        status: 'fail',
        checks: { 'database:responseTime': [{ status: 'fail' }] },
      });
      expect(JSON.stringify(body)).not.toMatch(/hunter2|trader/);
    } finally {
      await postgres.start();
    }
    await becomes(sidecar, '/readyz', 200, 10_000);
    expect(sidecar.output()).not.toContain('heal.verdict');
  });

  it('is not ready while the model is unloaded, and says which one is missing', async () => {
    await misbehave(bot, 'unload-model');
    await becomes(sidecar, '/readyz', 503, NOTICED_MS);
    const { body } = await get(`${sidecar.url}/healthz`);
    expect(body).toMatchObject({
      checks: { 'models:loaded': [{ code: 'MODELS_NOT_LOADED', output: expect.stringContaining('signal') }] },
    });
    await misbehave(bot, 'none');
    await becomes(sidecar, '/readyz', 200, 10_000);
  });
});

describe('a bot that is frozen in the middle', () => {
  it('is first not ready, then to be restarted, and a new boot is left alone at once', async () => {
    const bot = await startBot();
    const sidecar = await startSidecar({ ...TIMES, BOT_URL: bot.url });
    let next: Running | undefined;
    try {
      await becomes(sidecar, '/readyz', 200, 10_000);
      expect(await status(sidecar, '/startupz')).toBe(200);
      bot.child.kill('SIGSTOP');
      await becomes(sidecar, '/readyz', 503, NOTICED_MS);
      await becomes(sidecar, '/livez', 503, NOTICED_MS);
      expect(sidecar.output()).toContain('heal.verdict');
      await bot.end();
      await becomes(sidecar, '/livez', 200, 5000);
      next = await startBot({ PORT: new URL(bot.url).port });
      await becomes(sidecar, '/readyz', 200, 10_000);
      expect(await status(sidecar, '/livez')).toBe(200);
      expect(await (await fetch(`${sidecar.url}/metrics`)).text()).toContain(
        'botwarden_heals_total{bot="bot"} 1',
      );
    } finally {
      await sidecar.end();
      await bot.end();
      await next?.end();
    }
  });

  it('is to be restarted too when only its trading loop hangs', async () => {
    const bot = await startBot();
    const sidecar = await startSidecar({ ...TIMES, BOT_URL: bot.url });
    try {
      await becomes(sidecar, '/readyz', 200, 10_000);
      await misbehave(bot, 'stop-ticking');
      await becomes(sidecar, '/livez', 503, NOTICED_MS + 1000);
      expect((await get(`${sidecar.url}/livez`)).body.because).toMatch(/trading loop hangs/);
    } finally {
      await sidecar.end();
      await bot.end();
    }
  });
});

describe('a new boot of the bot', () => {
  it('is not ready while it loads, nor restarted for it, however fast it took the place of the last one', async () => {
    // The models are asked so seldom that only what the new boot itself says can make it unready.
    const times = { ...TIMES, STARTUP_GRACE: '60s', PROBE_INTERVAL: '1s', TICK_MAX_AGE: '60s' };
    const bot = await startBot();
    const sidecar = await startSidecar({ ...times, BOT_URL: bot.url });
    let next: Running | undefined;
    const instance = async () =>
      ((await get(`${sidecar.url}/healthz`)).body.bot as { instance: string | null }).instance;
    try {
      await becomes(sidecar, '/readyz', 200, 10_000);
      const first = await instance();
      await bot.end();
      next = await startBot({ PORT: new URL(bot.url).port, MODEL_LOAD_SECONDS: '8' });
      await until('the new boot is seen', async () => {
        const seen = await instance();
        return seen !== null && seen !== first;
      });
      const began = performance.now();
      await until('the new boot is ready', async () => {
        const ready = await status(sidecar, '/readyz');
        const { models } = (await get(`${next?.url}/models`)).body as { models: { loaded: boolean }[] };
        if (ready === 200 && !models.every(({ loaded }) => loaded)) throw new Error('ready without a model');
        return ready === 200;
      });
      // Past the threshold, so that the models were seen missing.
      expect(performance.now() - began).toBeGreaterThan(4000);
      expect(sidecar.output()).not.toContain('heal.verdict');
    } finally {
      await sidecar.end();
      await bot.end();
      await next?.end();
    }
  });

  it('has its close path tried at once: a wrong token is seen long before the minute is over', async () => {
    const bot = await startBot({ BOT_TOKEN: 'the-token-of-the-bot' });
    const sidecar = await startSidecar({ ...TIMES, BOT_URL: bot.url, BOT_TOKEN: 'the-token-of-the-bot' });
    const closePath = async (wanted: string): Promise<boolean> => {
      const { body } = await get(`${sidecar.url}/healthz`);
      const checks = body.checks as Record<string, { state: string }[] | undefined> | undefined;
      return checks?.['close-path:responseTime']?.[0]?.state === wanted;
    };
    let next: Running | undefined;
    try {
      await until('the close path is rehearsed', () => closePath('pass'), 10_000);
      await bot.end();
      next = await startBot({ PORT: new URL(bot.url).port, BOT_TOKEN: 'another-token' });
      await until('the new boot refuses the rehearsal', () => closePath('fail'), 10_000);
    } finally {
      await sidecar.end();
      await bot.end();
      await next?.end();
    }
  });
});

describe('SIGTERM', () => {
  it('closes every position, proves it, leaves a receipt and exits with 0', async () => {
    const bot = await startBot({ BOT_TOKEN: 'the-token-of-the-bot' });
    const sidecar = await startSidecar({ ...TIMES, BOT_URL: bot.url, BOT_TOKEN: 'the-token-of-the-bot' });
    try {
      await becomes(sidecar, '/readyz', 200, 10_000);
      await until('the bot holds a position and an order', async () => {
        const { body } = await get(`${bot.url}/positions`);
        return (body.open_positions as unknown[]).length > 0 && (body.pending_orders as unknown[]).length > 0;
      });
      const file = sidecar.receipts;
      let lines: string[] = [];
      sidecar.child.kill('SIGTERM');
      await until('the receipt is written', () => {
        try {
          lines = readFileSync(file, 'utf8').trim().split('\n');
        } catch {
          return false;
        }
        return lines.length === 2;
      });
      expect(await sidecar.exited).toBe(0);
      const [started, ended] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(started).toMatchObject({ state: 'started', trigger: 'SIGTERM', attempts: 0 });
      expect(ended).toMatchObject({
        state: 'flat',
        drain_id: started?.drain_id,
        open_positions: 0,
        pending_orders: 0,
        attempts: 1,
      });
      const { body } = await get(`${bot.url}/positions`);
      expect(body).toMatchObject({ open_positions: [], pending_orders: [] });
      expect(sidecar.output()).not.toContain('the-token-of-the-bot');
    } finally {
      await sidecar.end();
      await bot.end();
    }
  });

  it('exits with 3 and says what is still open when the bot cannot close', async () => {
    const bot = await startBot();
    const sidecar = await startSidecar({ ...TIMES, BOT_URL: bot.url, DRAIN_TIMEOUT: '7s' });
    try {
      await becomes(sidecar, '/readyz', 200, 10_000);
      await misbehave(bot, 'fail-close');
      sidecar.child.kill('SIGTERM');
      expect(await sidecar.exited).toBe(3);
      const ended = JSON.parse(
        sidecar
          .output()
          .trim()
          .split('\n')
          .findLast((line) => line.includes('"drain.ended"')) ?? '{}',
      );
      expect(ended).toMatchObject({ state: 'not_flat' });
      expect(ended.open_positions + ended.pending_orders).toBeGreaterThan(0);
    } finally {
      await sidecar.end();
      await bot.end();
    }
  });

  it('exits with 3 within the budget when the bot does not answer at all', async () => {
    const bot = await startBot();
    const sidecar = await startSidecar({ ...TIMES, BOT_URL: bot.url, DRAIN_TIMEOUT: '7s' });
    try {
      await becomes(sidecar, '/readyz', 200, 10_000);
      bot.child.kill('SIGSTOP');
      const began = performance.now();
      sidecar.child.kill('SIGTERM');
      await becomes(sidecar, '/readyz', 503, 2000);
      expect(await status(sidecar, '/livez')).toBe(200);
      expect(await sidecar.exited).toBe(3);
      expect(performance.now() - began).toBeLessThan(7000);
      expect(sidecar.output()).toContain('"state":"not_flat"');
    } finally {
      await sidecar.end();
      await bot.end();
    }
  });
});
