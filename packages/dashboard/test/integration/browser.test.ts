import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type LocalPostgres, startLocalPostgres } from '@botwarden/local-postgres';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tool } from '../../../../vitest.tools.ts';
import { launch } from '../support/chromium.ts';
import { misbehave, type Running, startBot, startDashboard, startSidecar } from '../support/processes.ts';

const TOKEN = 'token-of-the-drain';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Where pictures go, for whoever wants to look; none are taken otherwise. */
const PICTURES = process.env.SCREENSHOTS;
const NOTICED = { timeout: 20_000 };

const LOOKS = [
  { name: 'desktop-light', viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  { name: 'desktop-dark', viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  { name: 'phone-light', viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  { name: 'phone-dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
] as const;

const chromium = tool('chromium');
const why = chromium === undefined ? ' (skipped: no chromium; apt-get install chromium)' : '';

describe.skipIf(chromium === undefined)(`the page in a browser, over real processes${why}`, () => {
  let browser: Browser;
  let postgres: LocalPostgres;
  let bot: Running;
  let sidecar: Running;
  let dashboard: Running;
  const pages = new Map<string, Page>();
  const troubles: string[] = [];

  const sidecarEnv = (): Record<string, string> => ({
    BOT_URL: bot.url,
    DATABASE_URL: postgres.url,
    EXPECTED_MODELS: 'signal',
    FAILURE_THRESHOLD: '2',
    TICK_MAX_AGE: '2s',
    STARTUP_GRACE: '2s',
    HEAL_COOLDOWN: '1s',
    HEAL_MAX_PER_HOUR: '60',
    DRAIN_TOKEN: TOKEN,
    DRAIN_TIMEOUT: '12s',
    CLOSE_TIMEOUT: '6s',
  });
  const dashboardEnv = (): Record<string, string> => ({
    SIDECARS: `btc=${sidecar.url}`,
    DATABASE_URL: postgres.url,
    DRAIN_TOKEN: TOKEN,
  });
  const one = (): Page => {
    const page = pages.get('desktop-light');
    if (page === undefined) throw new Error('no page');
    return page;
  };
  const verdict = (page: Page) => page.locator('.bot .verdict strong');
  const everywhere = (look: (page: Page) => Promise<void>): Promise<unknown> =>
    Promise.all([...pages.values()].map(look));
  const shows = (word: string | RegExp): Promise<unknown> =>
    everywhere(async (page) => {
      await verdict(page).filter({ hasText: word }).waitFor(NOTICED);
    });

  /** Looks at all four pages as they are: nothing that axe-core knows of is wrong with them. */
  async function inspect(state: string): Promise<void> {
    for (const [look, page] of pages) {
      if (PICTURES !== undefined) {
        mkdirSync(PICTURES, { recursive: true });
        await page.screenshot({ path: join(PICTURES, `${state}-${look}.png`), fullPage: true });
      }
      expect(await violationsOf(page), `${state} on ${look}`).toEqual([]);
      const wide = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(wide, `${state} on ${look} is wider than its window`).toBeLessThanOrEqual(0);
    }
    expect(troubles).toEqual([]);
  }

  async function open(look: (typeof LOOKS)[number]): Promise<void> {
    const { name, ...options } = look;
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on('pageerror', (error) => troubles.push(`${name}: ${error.message}`));
    page.on('console', (message) => {
      if (
        message.type() === 'error' &&
        !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|40[13]/.test(message.text())
      )
        troubles.push(`${name}: ${message.text()}`);
    });
    await page.goto(dashboard.url);
    // Brought in by the debugger, and so not against the page's own policy.
    await page.evaluate(AXE);
    pages.set(name, page);
  }

  beforeAll(async () => {
    if (chromium === undefined) return;
    [browser, postgres, bot] = await Promise.all([launch(chromium), startLocalPostgres(), startBot()]);
    sidecar = await startSidecar(sidecarEnv());
    dashboard = await startDashboard(dashboardEnv());
    for (const look of LOOKS) await open(look);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await dashboard?.end();
    await sidecar?.end();
    await bot?.end();
    await postgres?.remove();
  });

  async function anotherBoot(): Promise<void> {
    await bot.end();
    bot = await startBot({ PORT: new URL(bot.url).port });
    await shows('Healthy');
  }

  /** Does what `link` leads to, as the person at the first page: the token, and then yes. */
  async function personally(link: string, yes: string): Promise<void> {
    const page = one();
    await page.getByRole('link', { name: link }).click();
    await page.evaluate(AXE);
    expect(await violationsOf(page), `the page behind ${link}`).toEqual([]);
    await page.getByLabel('The drain token of btc').fill(TOKEN);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.evaluate(AXE);
    expect(await violationsOf(page), `the question behind ${link}`).toEqual([]);
    await page.getByRole('button', { name: yes }).click();
    await page.getByText('Live.').waitFor(NOTICED);
    await page.goto(dashboard.url);
    await page.evaluate(AXE);
  }

  it('says that a healthy bot is healthy, in words', async () => {
    await shows('Healthy');
    await one().locator('time', { hasText: 'just now' }).first().waitFor(NOTICED);
    for (const name of ['api', 'database', 'models', 'tick', 'close-path'])
      expect(await one().locator('.check', { hasText: name }).locator('.badge').first().textContent()).toBe(
        'OK',
      );
    expect(await one().title()).toBe('all healthy – Botwarden');
    await inspect('healthy');
  });

  it('can be used with the keyboard alone', async () => {
    const page = one();
    const reached: string[] = [];
    for (let n = 0; n < 6; n += 1) {
      await page.keyboard.press('Tab');
      reached.push(String(await focused(page)));
    }
    expect(reached).toEqual(expect.arrayContaining(['Botwarden', 'btc', 'Drain now…']));
    // What comes meanwhile does not take the focus away.
    const link = page.getByRole('link', { name: 'Drain now…' });
    await link.focus();
    const before = await page.locator('.check .took').first().textContent();
    await expect.poll(() => page.locator('.check .took').first().textContent(), NOTICED).not.toBe(before);
    expect(await focused(page)).toBe('Drain now…');
  });

  it('says that the database is down, and since when', async () => {
    await postgres.stop();
    await shows('Failing');
    const check = one().locator('.check', { hasText: 'database' }).first();
    await check.locator('.badge', { hasText: 'Failing' }).waitFor(NOTICED);
    expect(await check.locator('.error').textContent()).toContain('DATABASE_UNREACHABLE');
    expect(await check.locator('.state').textContent()).toMatch(/for \d+ s/);
    await inspect('database-stopped');
    await postgres.start();
    await shows('Healthy');
    expect(await check.locator('.error.past').textContent()).toContain('Last error');
  });

  it('says that a model is not loaded', async () => {
    await misbehave(bot, 'unload-model');
    await shows(/Restart asked for|Failing/);
    await one()
      .locator('.check', { hasText: 'models' })
      .locator('.badge', { hasText: 'Failing' })
      .waitFor(NOTICED);
    await inspect('model-unloaded');
    await misbehave(bot, 'none');
    await anotherBoot();
  });

  it('says that the bot hangs, and that a restart is asked for', async () => {
    await misbehave(bot, 'hang');
    await shows('Restart asked for');
    await inspect('bot-hung');
    await anotherBoot();
    const timeline = one().locator('.timeline');
    await timeline.getByText('The bot was restarted').first().waitFor(NOTICED);
  });

  it('drains when the token is right and it was confirmed, and shows each step', async () => {
    await misbehave(bot, 'slow-close', 4);
    const page = one();
    await page.getByRole('link', { name: 'Drain now…' }).click();
    await page.evaluate(AXE);
    expect(await violationsOf(page), 'the page that asks').toEqual([]);
    await page.getByLabel('The drain token of btc').fill('not the token');
    await page.getByText('It also sets a hold').waitFor(NOTICED);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('alert').getByText('That is not the token.').waitFor(NOTICED);
    await page.getByLabel('The drain token of btc').fill(TOKEN);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { name: 'Close everything at btc?' }).waitFor(NOTICED);
    expect(await page.content()).not.toContain(TOKEN);
    expect((await fetchDrain(sidecar)).state).toBe('none');
    await page.getByRole('button', { name: 'Yes, drain btc now' }).click();
    await shows('Draining');
    await page.evaluate(AXE);
    await page.locator('.running').getByText('Close call 1 is being sent').waitFor(NOTICED);
    await inspect('drain-running');
    await shows('On hold');
    await page.locator('.drains .badge', { hasText: 'Flat' }).waitFor(NOTICED);
    await page.locator('.drains').getByText('Proved flat by the bot.').waitFor(NOTICED);
    await page.locator('.hold').getByText('Reason: POST /drain.').waitFor(NOTICED);
    expect(await page.locator('.steps').textContent()).toContain('Drain flat');
    await inspect('drain-flat');
  });

  it('lifts the hold, with the token and after a second question', async () => {
    await personally('Lift the hold…', 'Yes, lift the hold of btc');
    await everywhere((page) => page.locator('.hold').waitFor({ state: 'detached', ...NOTICED }));
    // A bot that is halted is restarted, so that it trades again.
    await shows('Restart asked for');
    await anotherBoot();
    const { timeline } = (await (await fetch(`${dashboard.url}/api/bots/btc`)).json()) as {
      timeline: { text: string }[];
    };
    expect(timeline.map(({ text }) => text)).toContain('The hold was lifted');
  });

  it('keeps a drain that ended not flat on top, until it is acknowledged', async () => {
    await misbehave(bot, 'fail-close');
    await fetch(`${sidecar.url}/drain`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } });
    const alarm = (page: Page) => page.locator('.alarm');
    await everywhere((page) => alarm(page).getByText('ended NOT FLAT').waitFor(NOTICED));
    expect(await one().title()).toBe('NOT FLAT – Botwarden');
    // On hold it is drained again, which now ends flat. The alarm of the one before stays.
    await misbehave(bot, 'none');
    await everywhere((page) =>
      page
        .locator('.drains .badge', { hasText: /^\s*Flat/ })
        .nth(1)
        .waitFor({ timeout: 60_000 }),
    );
    await shows('On hold');
    await inspect('drain-not-flat');
    await personally('I have looked at the exchange…', 'Yes, I have looked at the exchange');
    await everywhere((page) => alarm(page).waitFor({ state: 'detached', ...NOTICED }));
    await one().locator('.drains').getByText('Acknowledged').waitFor(NOTICED);
    await personally('Lift the hold…', 'Yes, lift the hold of btc');
    await shows('Restart asked for');
    await anotherBoot();
  }, 120_000);

  it('never shows the last green of a sidecar that is gone', async () => {
    const env = { ...sidecarEnv(), PORT: new URL(sidecar.url).port };
    await sidecar.end();
    await shows('Out of touch');
    await everywhere((page) => page.getByText('What follows is what it said then.').waitFor(NOTICED));
    expect(await one().locator('.check .badge.good, .verdict.good, .sum .good').count()).toBe(0);
    await inspect('sidecar-gone');
    sidecar = await startSidecar(env);
    await shows('Healthy');
  });

  it('says that it lost its own server, and for how long, and comes back by itself', async () => {
    const env = { ...dashboardEnv(), PORT: new URL(dashboard.url).port };
    await dashboard.end();
    await everywhere((page) =>
      page.getByText(/Lost touch with this page's server: last heard \d+ s ago/).waitFor(NOTICED),
    );
    expect(await one().locator('.verdict .was').first().isVisible()).toBe(true);
    const colour = await one().evaluate(COLOUR);
    await inspect('server-gone');
    dashboard = await startDashboard(env);
    await everywhere(async (page) => {
      await page.getByText('Live.').waitFor({ timeout: 40_000 });
    });
    await shows('Healthy');
    expect(await one().locator('.verdict .was').first().isVisible()).toBe(false);
    const fresh = await one().evaluate(COLOUR);
    expect(fresh).not.toBe(colour);
  }, 90_000);
});

/** The colour of the verdict, as it is shown. */
const COLOUR = "getComputedStyle(document.querySelector('.bot .verdict')).color";

/** What axe-core, which the page has been given, finds wrong with it. */
const violationsOf = (page: Page): Promise<unknown> =>
  // As a text: it runs in the page, which has other globals than this process.
  page.evaluate(
    `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]))`,
  );

const focused = (page: Page): Promise<unknown> => page.evaluate('document.activeElement.textContent');

describe.skipIf(chromium === undefined)(`a page about many bots, one of them hostile${why}`, () => {
  it('shows each as a card, and hostile words as text', async () => {
    if (chromium === undefined) return;
    const evil = `<script>document.title='owned'</script><img src=x onerror="document.title='owned'">`;
    const server = createServer((request, response) => {
      const what = request.url?.split('/').at(-1);
      const ill = request.url?.startsWith('/3/') === true;
      const word = ill ? evil : 'api';
      const check = {
        componentId: word,
        status: ill ? 'fail' : 'pass',
        state: ill ? 'fail' : 'pass',
        critical: true,
        output: word,
      };
      const health = {
        status: ill ? 'fail' : 'pass',
        checks: { [`${word}:responseTime`]: [check] },
        bot: { instance: word, trading: 'running' },
        positions: { open_positions: 2, pending_orders: 1 },
      };
      const drains = {
        drains: ill ? [{ drain_id: evil, trigger: evil, state: 'not_flat', reason: evil }] : [],
      };
      response.end(
        JSON.stringify(what === 'healthz' ? health : what === 'drains' ? drains : { state: 'none' }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const names = Array.from(
      { length: 12 },
      (_, n) => `bot-${n}=${n === 5 ? 'http://127.0.0.1:9' : `${base}/${n}`}`,
    );
    const dashboard = await startDashboard({ SIDECARS: names.join(',') });
    const browser = await launch(chromium);
    try {
      for (const { name, ...options } of LOOKS) {
        const page = await (await browser.newContext(options)).newPage();
        page.on('dialog', () => expect.unreachable('something ran that is not ours'));
        await page.goto(dashboard.url);
        await page.locator('.sum', { hasText: '10 of 12 bots healthy' }).waitFor(NOTICED);
        expect(await page.locator('article.card').count()).toBe(12);
        expect(await page.locator('#bot-bot-3').textContent()).toContain('<script>');
        expect(await page.locator('main script, main img').count()).toBe(0);
        await page.evaluate(AXE);
        expect(await violationsOf(page), name).toEqual([]);
        if (PICTURES !== undefined)
          await page.screenshot({ path: join(PICTURES, `many-${name}.png`), fullPage: true });
        await page.getByRole('heading', { name: 'bot-3', exact: true }).getByRole('link').click();
        await page.locator('.bots.alone .check').waitFor(NOTICED);
        await page.getByText('Live.').waitFor(NOTICED);
        expect(await page.title()).not.toBe('owned');
      }
    } finally {
      await browser.close();
      await dashboard.end();
      server.closeAllConnections();
      server.close();
    }
  }, 90_000);
});

describe.skipIf(chromium === undefined)(`a page about a bot that needs a person${why}`, () => {
  it('shows what vanished, the hold, what is open and what was not delivered, each with what to do', async () => {
    if (chromium === undefined) return;
    const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
    const check = (name: string, ms: number) => ({
      [`${name}:responseTime`]: [
        {
          componentId: name,
          status: 'pass',
          state: 'pass',
          critical: true,
          observedValue: ms,
          observedUnit: 'ms',
          since: ago(50),
          time: ago(0),
        },
      ],
    });
    const drain = {
      drain_id: '5f0c9a52-8b1e-4d0f-9a55-6a3c1d2e7f90',
      trigger: 'SIGTERM',
      at: ago(38),
      started_at: ago(39),
      duration_ms: 4200,
      boot: 'boot-7',
      bot_instance: 'boot-7',
      attempts: 2,
    };
    const healthz = {
      status: 'warn',
      notes: [
        'nobody carries out restarts: no gate holds the lease and nobody asks /livez; start the bot under hold-until-flat with DRAIN_TOKEN',
      ],
      checks: { ...check('api', 4), ...check('database', 2), ...check('models', 3) },
      bot: { name: 'btc-perp', instance: 'boot-9', trading: 'halted', last_tick_at: ago(0.05) },
      positions: {
        open_positions: 2,
        pending_orders: 1,
        open: [
          { symbol: 'BTC/USDT', side: 'long', size: '0.25' },
          { symbol: 'ETH/USDT', side: 'short', size: '1.5' },
        ],
        pending: [{ symbol: 'BTC/USDT', side: 'sell', size: '0.25' }],
        at: ago(0.05),
      },
      hold: { since: ago(12), reason: 'fees changed, look before it trades' },
      vanished: { boot: 'boot-8', open: 3, now_open: 1 },
      acknowledged_at: ago(60),
      alerts: { undelivered: 2 },
      heal: { live: true, reason: null, heals_last_hour: 2, capped: true, boot: 'boot-9', boots_unasked: 3 },
    };
    const drains = [
      {
        ...drain,
        state: 'not_flat',
        open_positions: 2,
        pending_orders: 0,
        reason: 'the bot refuses to close: 403',
      },
      {
        ...drain,
        drain_id: '0b9d1c7e-2f64-4f0a-8a2b-3e5d6c7b8a91',
        at: ago(119),
        started_at: ago(120),
        boot: 'boot-6',
        bot_instance: 'boot-6',
        attempts: 1,
        state: 'flat',
        proof: ['bot', 'sql', 'exchange'],
        open_positions: 0,
        pending_orders: 0,
        reason: 'two reads in a row show nothing open and nothing pending',
      },
    ];
    const server = createServer((request, response) => {
      const body =
        request.url === '/healthz' ? healthz : request.url === '/drains' ? { drains } : { state: 'none' };
      response.end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const dashboard = await startDashboard({
      SIDECARS: `btc=http://127.0.0.1:${port}`,
      DRAIN_TOKEN: TOKEN,
    });
    const browser = await launch(chromium);
    try {
      for (const { name, ...options } of LOOKS) {
        const page = await (await browser.newContext(options)).newPage();
        await page.goto(dashboard.url);
        await page.getByText('Live.').waitFor(NOTICED);
        const alarm = page.locator('.alarm');
        await alarm
          .getByText(/2 positions vanished: boot boot-8 ended with 3 open, the next boot reports 1/)
          .waitFor(NOTICED);
        await alarm.getByText(/ended NOT FLAT: 2 open positions and 0 pending orders left/).waitFor(NOTICED);
        await alarm.getByText(/HEAL_MAX_PER_HOUR/).waitFor(NOTICED);
        expect(await alarm.getByRole('link', { name: 'I have looked at the exchange…' }).count()).toBe(1);
        await page.locator('.hold').getByText('Reason: fees changed').waitFor(NOTICED);
        expect(await page.locator('table.open tbody tr').allTextContents()).toEqual([
          'PositionBTC/USDTlong0.25',
          'PositionETH/USDTshort1.5',
          'OrderBTC/USDTsell0.25',
        ]);
        await page.getByText('2 alerts of this bot were not delivered').waitFor(NOTICED);
        await page.getByText('nobody carries out restarts').waitFor(NOTICED);
        await page.getByText('3 in the last 10 minutes').waitFor(NOTICED);
        await page.locator('.facts').getByText('btc-perp').waitFor(NOTICED);
        await page
          .locator('.drains')
          .getByText('Proved flat by the bot, the database and the exchange.')
          .waitFor(NOTICED);
        await page.evaluate(AXE);
        expect(await violationsOf(page), name).toEqual([]);
        const wide = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        expect(wide, `${name} is wider than its window`).toBeLessThanOrEqual(0);
        if (PICTURES !== undefined) {
          mkdirSync(PICTURES, { recursive: true });
          await page.screenshot({ path: join(PICTURES, `person-${name}.png`), fullPage: true });
        }
      }
    } finally {
      await browser.close();
      await dashboard.end();
      server.closeAllConnections();
      server.close();
    }
  }, 90_000);
});

async function fetchDrain(sidecar: Running): Promise<{ state: string }> {
  return (await (await fetch(`${sidecar.url}/drain`)).json()) as { state: string };
}
