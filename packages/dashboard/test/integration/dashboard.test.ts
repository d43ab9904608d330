import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type LocalPostgres, startLocalPostgres } from '@botwarden/local-postgres';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { MIGRATIONS } from '../../src/history/migrations.ts';
import {
  misbehave,
  type Running,
  startBot,
  startDashboard,
  startSidecar,
  until,
} from '../support/processes.ts';
import { receipt as sample } from '../unit/sample.ts';

const TOKEN = 'token-of-the-drain';
const badReceipt = sample('d1', { state: 'not_flat', open: 2 });

interface Told {
  name: string;
  verdict: { kind: string; word: string; because: string[] };
  in_touch: boolean;
  checks: Array<{ name: string; state: string }>;
  drains: Array<{ drain_id: string; outcome: string; acknowledged: boolean; proof: string[] }>;
  positions: { open: Array<{ symbol: string | null }> | null } | null;
  hold: { since: string; reason: string } | null;
  timeline: Array<{ text: string; at: string }>;
}

const bot = async (dashboard: Running, name = 'btc'): Promise<Told> =>
  (await (await fetch(`${dashboard.url}/api/bots/${name}`)).json()) as Told;
const becomes = (dashboard: Running, word: string, name = 'btc'): Promise<unknown> =>
  until(`${name} is ${word}`, async () => (await bot(dashboard, name)).verdict.word === word);
const ended = async (running: Running): Promise<number | null> => {
  running.child.kill('SIGTERM');
  return running.exited;
};

async function serving(listener: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

async function dashboardFor(env: Record<string, string>): Promise<Running> {
  const dashboard = await startDashboard(env);
  onTestFinished(() => dashboard.end());
  return dashboard;
}

/** Reads server-sent events until `enough` says so; gives what came. */
async function events(
  url: string,
  enough: (text: string) => boolean,
  headers: Record<string, string> = {},
): Promise<string> {
  const cut = new AbortController();
  const response = await fetch(url, {
    headers,
    signal: AbortSignal.any([cut.signal, AbortSignal.timeout(15_000)]),
  });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (enough(text)) break;
  }
  cut.abort();
  return text;
}

describe('a dashboard with a database of its own, over a real sidecar and a real bot', () => {
  let postgres: LocalPostgres;
  let trader: Running;
  let sidecar: Running;
  let env: Record<string, string>;

  beforeAll(async () => {
    [postgres, trader] = await Promise.all([startLocalPostgres(), startBot()]);
    sidecar = await startSidecar({
      BOT_URL: trader.url,
      DRAIN_TOKEN: TOKEN,
      DRAIN_TIMEOUT: '7s',
      CLOSE_TIMEOUT: '1s',
    });
    env = { SIDECARS: `btc=${sidecar.url}`, DATABASE_URL: postgres.url, DRAIN_TOKEN: TOKEN };
  }, 60_000);
  afterAll(async () => {
    await sidecar?.end();
    await trader?.end();
    await postgres?.remove();
  });

  it('remembers across a restart what happened, and what was acknowledged', async () => {
    const first = await dashboardFor(env);
    await becomes(first, 'Healthy');
    await misbehave(trader, 'fail-close');
    // For one boot, as a gate asks: a drain that a person asks for would stand, and begin again.
    const { instance } = (await (await fetch(`${trader.url}/health`)).json()) as { instance: string };
    await fetch(`${sidecar.url}/drain`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ boot: instance }),
    });
    const bad = await until('the drain is known', async () =>
      (await bot(first)).drains.find(({ outcome }) => outcome === 'not_flat'),
    );
    const page = async (running: Running): Promise<string> => (await fetch(running.url)).text();
    expect(await page(first)).toContain('class="alarm"');
    const timeline = (await bot(first)).timeline.map(({ text }) => text);
    expect(timeline).toContainEqual(expect.stringContaining('Drain ended not flat'));
    expect(await ended(first)).toBe(0);

    const second = await dashboardFor(env);
    await until('the past is back', async () => {
      const texts = (await bot(second)).timeline.map(({ text }) => text);
      return timeline.every((text) => texts.includes(text));
    });
    expect(await page(second)).toContain('class="alarm"');
    // A later drain that ends flat does not remove it. A person asks for this one, so that the bot is on hold.
    await misbehave(trader, 'none');
    await fetch(`${sidecar.url}/drain`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } });
    await until('it is flat now', async () => (await bot(second)).drains[0]?.outcome === 'flat');
    expect(await page(second)).toContain('class="alarm"');
    expect((await personally(second, 'acknowledge')).status).toBe(303);
    expect(await page(second)).not.toContain('class="alarm"');
    expect(await ended(second)).toBe(0);

    const third = await dashboardFor(env);
    await until('the acknowledgement is back', async () =>
      (await bot(third)).drains.some(
        ({ drain_id, acknowledged }) => drain_id === bad.drain_id && acknowledged,
      ),
    );
    expect(await page(third)).not.toContain('class="alarm"');
    expect((await bot(third)).drains[0]?.proof).toEqual(['bot']);
    // It is the sidecar that keeps it: one without a history knows it as well.
    const without = await dashboardFor({ ...env, DATABASE_URL: '' });
    await until('its drains are known', async () => (await bot(without)).drains.length > 0);
    expect(await page(without)).not.toContain('class="alarm"');
  }, 120_000);

  it('loses nothing but history while its database is down, and keeps it again afterwards', async () => {
    const dashboard = await dashboardFor(env);
    await becomes(dashboard, 'On hold');
    await postgres.stop();
    try {
      await until('the dashboard has noticed', () => dashboard.output().includes('history.down'));
      const began = performance.now();
      const answers = await Promise.all(Array.from({ length: 50 }, () => fetch(dashboard.url)));
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
      expect((await fetch(`${dashboard.url}/readyz`)).status).toBe(200);
      expect((await fetch(`${dashboard.url}/livez`)).status).toBe(200);
      const health = (await (await fetch(`${dashboard.url}/healthz`)).json()) as {
        status: string;
        checks: object;
      };
      expect(health.status).toBe('warn');
      expect(JSON.stringify(health)).not.toContain('hunter2');
      // A minute of waiting for a database would be far more than this.
      expect(performance.now() - began).toBeLessThan(20_000);
    } finally {
      await postgres.start();
    }
    await until('history is kept again', () => dashboard.output().includes('history.back'), 30_000);
    expect(dashboard.output()).not.toContain('hunter2');
    expect(await ended(dashboard)).toBe(0);
  }, 90_000);

  it('goes on with the database of an earlier version, and shows again what was acknowledged there alone', async () => {
    const client = new pg.Client(postgres.url);
    await client.connect();
    onTestFinished(() => client.end());
    await client.query('CREATE DATABASE earlier');
    const url = new URL(postgres.url);
    url.pathname = '/earlier';
    const earlier = new pg.Client(url.href);
    await earlier.connect();
    await earlier.query(`CREATE SCHEMA botwarden_dashboard;
      CREATE TABLE botwarden_dashboard.migrations (number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
      ${MIGRATIONS[0]}
      INSERT INTO botwarden_dashboard.migrations (number) VALUES (1);
      INSERT INTO botwarden_dashboard.acknowledgements VALUES ('btc', 'd1', now());`);
    const { boot: _boot, proof: _proof, ...receipt } = badReceipt;
    await earlier.query(
      'INSERT INTO botwarden_dashboard.drains (bot, drain_id, receipt) VALUES ($1, $2, $3)',
      ['btc', 'd1', JSON.stringify(receipt)],
    );
    const dashboard = await dashboardFor({ SIDECARS: 'btc=http://127.0.0.1:9', DATABASE_URL: url.href });
    await until('the drain is back', async () => (await bot(dashboard)).drains.length === 1);
    expect((await bot(dashboard)).drains[0]).toMatchObject({
      outcome: 'not_flat',
      acknowledged: false,
      proof: [],
    });
    expect(await (await fetch(dashboard.url)).text()).toContain('class="alarm"');
    expect(await ended(dashboard)).toBe(0);

    // What the sidecar told before this process began counts, also while it cannot be asked.
    await earlier.query('INSERT INTO botwarden_dashboard.looked VALUES ($1, $2)', ['btc', new Date(5000)]);
    await earlier.end();
    const again = await dashboardFor({ SIDECARS: 'btc=http://127.0.0.1:9', DATABASE_URL: url.href });
    await until('the drain is back', async () => (await bot(again)).drains.length === 1);
    expect((await bot(again)).drains[0]?.acknowledged).toBe(true);
    expect(await (await fetch(again.url)).text()).not.toContain('class="alarm"');
    expect(await ended(again)).toBe(0);
  }, 60_000);

  it('deletes what is too old', async () => {
    const client = new pg.Client(postgres.url);
    await client.connect();
    onTestFinished(() => client.end());
    await client.query(
      `INSERT INTO botwarden_dashboard.events SELECT 'btc', 'old-' || n, now() - interval '9 days', 'boot', '', 'good', 'old' FROM generate_series(1, 12000) AS n`,
    );
    const dashboard = await dashboardFor(env);
    const count = async (): Promise<number> =>
      Number(
        (await client.query(`SELECT count(*) FROM botwarden_dashboard.events WHERE text = 'old'`)).rows[0]
          ?.count,
      );
    await until('they are gone', async () => (await count()) === 0);
    expect(await ended(dashboard)).toBe(0);
  }, 60_000);

  it('drains only for whoever gives the token and then confirms, once', async () => {
    const dashboard = await dashboardFor(env);
    const before = await sidecarSays('/drain');
    expect((await form(dashboard, 'drain/confirm', { ticket: 'made-up' })).status).toBe(403);
    expect((await form(dashboard, 'drain/confirm', { ticket: TOKEN })).status).toBe(403);
    expect((await form(dashboard, 'drain', { token: '' })).status).toBe(403);
    const ticket = await ticketFor(dashboard, 'drain');
    expect((await sidecarSays('/drain')).drain_id).toBe(before.drain_id);
    // A yes to one thing is no yes to another.
    expect((await form(dashboard, 'lift/confirm', { ticket })).status).toBe(403);
    expect((await form(dashboard, 'drain/confirm', { ticket })).status).toBe(403);
    const another = await ticketFor(dashboard, 'drain');
    expect((await form(dashboard, 'drain/confirm', { ticket: another })).status).toBe(303);
    expect((await form(dashboard, 'drain/confirm', { ticket: another })).status).toBe(403);
    expect((await sidecarSays('/drain')).drain_id).not.toBe(before.drain_id);
    expect(dashboard.output()).not.toContain(TOKEN);
  }, 60_000);

  it('lets in the right token after any number of wrong ones', async () => {
    const dashboard = await dashboardFor(env);
    for (let n = 0; n < 8; n += 1)
      expect((await form(dashboard, 'lift', { token: `wrong-${n}` })).status).toBe(403);
    expect((await form(dashboard, 'lift', { token: TOKEN })).status).toBe(200);
  });

  it('lifts the hold for whoever gives the token and then confirms', async () => {
    const dashboard = await dashboardFor(env);
    await until('the hold is shown', async () => (await bot(dashboard)).hold !== null);
    expect(await (await fetch(dashboard.url)).text()).toContain('Lift the hold…');
    expect((await sidecarSays('/hold')).hold).toBe(true);
    expect((await personally(dashboard, 'lift')).status).toBe(303);
    expect((await sidecarSays('/hold')).hold).toBe(false);
    await until('it is gone from the page', async () => (await bot(dashboard)).hold === null);
  });

  const sidecarSays = async (path: string): Promise<Record<string, unknown>> =>
    (await (await fetch(sidecar.url + path)).json()) as Record<string, unknown>;
});

const form = (dashboard: Running, path: string, fields: Record<string, string>): Promise<Response> =>
  fetch(`${dashboard.url}/bots/btc/${path}`, {
    method: 'POST',
    body: new URLSearchParams(fields),
    redirect: 'manual',
  });
async function ticketFor(dashboard: Running, action: string): Promise<string> {
  const asked = await form(dashboard, action, { token: TOKEN });
  expect(asked.status).toBe(200);
  return /name="ticket" value="([^"]+)"/.exec(await asked.text())?.[1] ?? '';
}
/** Answers both questions of an action. */
async function personally(dashboard: Running, action: string): Promise<Response> {
  return form(dashboard, `${action}/confirm`, { ticket: await ticketFor(dashboard, action) });
}

describe('access', () => {
  it('is on loopback alone unless told otherwise', async () => {
    const dashboard = await dashboardFor({ SIDECARS: 'btc=http://127.0.0.1:9' });
    expect(dashboard.output()).toContain('"host":"127.0.0.1"');
  });

  it('needs user and password, or the token, when they are configured; but for the questions of an orchestrator', async () => {
    const { url } = await dashboardFor({
      SIDECARS: 'btc=http://127.0.0.1:9',
      DASHBOARD_USER: 'eve',
      DASHBOARD_PASSWORD: 'correct horse',
      DASHBOARD_TOKEN: 'token-of-scripts',
    });
    const status = async (path: string, authorization?: string): Promise<number> =>
      (await fetch(url + path, authorization === undefined ? {} : { headers: { authorization } })).status;
    const basic = `Basic ${Buffer.from('eve:correct horse').toString('base64')}`;
    for (const path of ['/', '/bots/btc', '/api/bots', '/metrics', '/events', '/assets/page.js', '/nothing'])
      expect(await status(path), path).toBe(401);
    expect(await status('/livez')).toBe(200);
    expect((await (await fetch(`${url}/healthz`)).json()) as object).toEqual({ status: expect.any(String) });
    expect(await status('/', basic)).toBe(200);
    expect(await status('/api/bots', 'Bearer token-of-scripts')).toBe(200);
    expect(await status('/api/bots', 'Bearer token-of-script')).toBe(401);
    const health = await fetch(`${url}/healthz`, { headers: { authorization: basic } });
    expect(await health.json()).toHaveProperty('checks');
  });

  it('is refused to the name of a stranger, and to the page of a stranger', async () => {
    const dashboard = await dashboardFor({ SIDECARS: 'btc=http://127.0.0.1:9' });
    const { request } = await import('node:http');
    const asked = (
      headers: Record<string, string>,
      method = 'GET',
      path = '/',
    ): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request(dashboard.url + path, { method, headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    expect(await asked({ host: 'evil.example.com' })).toBe(421);
    const told = await new Promise<string>((resolve, reject) => {
      const headers = { host: 'evil.example.com' };
      request(`${dashboard.url}/healthz`, { headers }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve(text));
      })
        .on('error', reject)
        .end();
    });
    expect(JSON.parse(told)).not.toHaveProperty('checks');
    expect(await (await fetch(`${dashboard.url}/healthz`)).json()).toHaveProperty('checks');
    const path = '/bots/nobody/acknowledge';
    expect(await asked({ 'sec-fetch-site': 'cross-site' }, 'POST', path)).toBe(403);
    expect(await asked({ origin: 'http://evil.example.com' }, 'POST', path)).toBe(403);
    expect(await asked({ 'sec-fetch-site': 'same-origin' }, 'POST', path)).toBe(404);
  });

  it('has headers that keep a page to itself', async () => {
    const { url } = await dashboardFor({ SIDECARS: 'btc=http://127.0.0.1:9' });
    const { headers } = await fetch(url);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-powered-by')).toBeNull();
  });
});

describe('server-sent events', () => {
  const healthy = {
    status: 'pass',
    checks: {
      'api:responseTime': [
        { componentId: 'api', status: 'pass', state: 'pass', observedValue: 3, observedUnit: 'ms' },
      ],
    },
    bot: { instance: 'boot-1' },
  };
  const answering =
    (document: () => object): RequestListener =>
    (request, response) => {
      const body =
        request.url === '/healthz'
          ? document()
          : request.url === '/drains'
            ? { drains: [] }
            : { state: 'none' };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    };

  it('are bounded in number, and a place that is left is free again', async () => {
    const { url } = await dashboardFor({ SIDECARS: 'btc=http://127.0.0.1:9', MAX_PAGES: '3' });
    const cut = new AbortController();
    const open = await Promise.all([1, 2, 3].map(() => fetch(`${url}/events`, { signal: cut.signal })));
    expect(open.map(({ status }) => status)).toEqual([200, 200, 200]);
    const refused = await fetch(`${url}/events`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('10');
    cut.abort();
    await until('a place is free', async () => {
      const again = new AbortController();
      const { status } = await fetch(`${url}/events`, { signal: again.signal });
      again.abort();
      return status === 200;
    });
  });

  it('bring what changed, and after a break only what was missed', async () => {
    let word = 'first';
    const sidecar = await serving(answering(() => ({ ...healthy, bot: { instance: word } })));
    const dashboard = await dashboardFor({
      SIDECARS: `btc=${sidecar.url}`,
      PROBE_INTERVAL: '100ms',
      PROBE_TIMEOUT: '90ms',
    });
    await becomes(dashboard, 'Healthy');
    const first = await events(`${dashboard.url}/events`, (text) => {
      word = 'second';
      return text.includes('second');
    });
    expect(first).toContain('event: clock');
    const position = [...first.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? '';
    word = 'third';
    await until('the third boot is seen', async () =>
      (await bot(dashboard)).timeline.some(({ text }) => text.includes('third')),
    );
    const missed = await events(`${dashboard.url}/events`, (text) => text.includes('third'), {
      'last-event-id': position,
    });
    expect(missed).not.toContain('"id":"attention"');
    const everything = await events(`${dashboard.url}/events`, (text) => text.includes('third'), {
      'last-event-id': 'another-7',
    });
    expect(everything).toContain('"id":"attention"');
  });

  it('end when the dashboard stops, which then exits with 0', async () => {
    const dashboard = await dashboardFor({ SIDECARS: 'btc=http://127.0.0.1:9' });
    const stream = events(`${dashboard.url}/events`, () => false);
    await until('the page is open', async () =>
      (await (await fetch(`${dashboard.url}/metrics`)).text()).includes('botwarden_dashboard_open_pages 1'),
    );
    expect(await ended(dashboard)).toBe(0);
    expect(await stream).toContain('event: clock');
  });
});

describe('a sidecar whose list of drains cannot be read', () => {
  const sidecarWith =
    (drain: object): RequestListener =>
    (request, response) => {
      const checks = { 'api:responseTime': [{ componentId: 'api', status: 'pass', state: 'pass' }] };
      if (request.url === '/drains') response.statusCode = 500;
      const body = request.url === '/healthz' ? { status: 'pass', checks } : drain;
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    };
  const watching = (url: string) =>
    dashboardFor({ SIDECARS: `btc=${url}`, PROBE_INTERVAL: '100ms', PROBE_TIMEOUT: '90ms' });

  it('is not healthy, and a drain that ended not flat is told all the same', async () => {
    const drain = { drain_id: 'd1', state: 'not_flat', open_positions: 3, pending_orders: 0 };
    const { url } = await serving(sidecarWith(drain));
    const dashboard = await watching(url);
    await becomes(dashboard, 'Needs a look');
    await until('the drain is told', async () => (await bot(dashboard)).drains.length === 1);
    const { verdict, drains } = await bot(dashboard);
    expect(verdict.because[0]).toContain('its drains cannot be read');
    expect(drains).toMatchObject([{ drain_id: 'd1', outcome: 'not_flat' }]);
    const page = await (await fetch(dashboard.url)).text();
    expect(page).toContain('positions may be open');
    expect(page).toContain('Not known:');
  });
});

describe('a sidecar that is older than the dashboard', () => {
  it('is named as the reason where it does not know a call', async () => {
    const { url } = await serving((request, response) => {
      if (request.method !== 'GET') response.statusCode = 404;
      const body =
        request.url === '/healthz' ? { status: 'pass', checks: {} } : { drains: [], state: 'none' };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    });
    const dashboard = await dashboardFor({ SIDECARS: `btc=${url}`, DRAIN_TOKEN: TOKEN });
    const answer = await personally(dashboard, 'acknowledge');
    expect(answer.status).toBe(502);
    expect(await answer.text()).toContain('it is older than this dashboard, update it');
  });
});

describe('a hostile sidecar', () => {
  const good =
    (document: object): RequestListener =>
    (_request, response) =>
      void response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
  const cases: ReadonlyArray<readonly [string, RequestListener]> = [
    [
      'answers with a gigabyte',
      (_request, response) => {
        response.setHeader('content-type', 'application/json').write('{"status":"');
        const more = (): void => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        };
        response.on('drain', more);
        more();
      },
    ],
    ['never ends its answer', (_request, response) => void response.write('{"status":')],
    ['never begins it', () => undefined],
    ['hangs up', (request) => void request.socket.destroy()],
    ['answers with something else', (_request, response) => void response.end('<h1>hello</h1>')],
    ['answers with deep nesting', (_request, response) => void response.end('['.repeat(200_000))],
    ['answers with wrong types', good({ status: 1, checks: 'x', drains: { a: 1 } })],
    [
      'redirects',
      (_request, response) => void response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
    ],
    [
      'has a prototype in its answer',
      (_request, response) => void response.end('{"__proto__":{"status":"pass"},"constructor":1}'),
    ],
  ];

  it('harms neither the server nor the others, and is never healthy', async () => {
    const names = cases.map((_, n) => `evil-${n}`);
    const evil = await Promise.all(cases.map(([, listener]) => serving(listener)));
    const kind = await serving((request, response) => {
      const body =
        request.url === '/healthz'
          ? { status: 'pass', checks: { 'api:x': [{ componentId: 'api', status: 'pass', state: 'pass' }] } }
          : request.url === '/drains'
            ? { drains: [] }
            : { state: 'none' };
      response.end(JSON.stringify(body));
    });
    const dashboard = await dashboardFor({
      PROBE_INTERVAL: '100ms',
      PROBE_TIMEOUT: '90ms',
      SIDECARS: [`kind=${kind.url}`, ...evil.map(({ url }, n) => `${names[n]}=${url}`)].join(','),
    });
    await becomes(dashboard, 'Healthy', 'kind');
    for (const [n, name] of names.entries()) {
      await until(
        `the one that ${cases[n]?.[0]} is out of touch`,
        async () => (await bot(dashboard, name)).verdict.kind === 'out-of-touch',
      );
    }
    // Kept, what came meanwhile would be more than twice of this.
    const memory = async (): Promise<number> =>
      Number(
        /^process_resident_memory_bytes (\d+)/m.exec(
          await (await fetch(`${dashboard.url}/metrics`)).text(),
        )?.[1],
      );
    const runs = async (): Promise<number> =>
      Number(
        /botwarden_probe_runs_total\{probe="evil-0",outcome="fail"\} (\d+)/.exec(
          await (await fetch(`${dashboard.url}/metrics`)).text(),
        )?.[1] ?? 0,
      );
    await until('three hundred answers of each', async () => (await runs()) >= 300, 90_000);
    expect(await memory()).toBeLessThan(400 * 1024 * 1024);
    await becomes(dashboard, 'Healthy', 'kind');
    expect((await fetch(dashboard.url)).status).toBe(200);
    expect(await ended(dashboard)).toBe(0);
  }, 150_000);
});

describe('the program', () => {
  it('lists every problem of its configuration at once and exits with 2', async () => {
    const dashboard = await dashboardFor({ SIDECARS: 'x', PROBE_INTERVAL: 'often', PORT: '0' });
    expect(await dashboard.exited).toBe(2);
    expect(dashboard.output()).toMatch(/2 problems[\s\S]*SIDECARS[\s\S]*PROBE_INTERVAL/);
  });
  it('says so and exits with 1 when its port is taken', async () => {
    const { url } = await serving(() => undefined);
    const dashboard = await dashboardFor({ SIDECARS: 'btc=http://127.0.0.1:9', PORT: new URL(url).port });
    expect(await dashboard.exited).toBe(1);
    expect(dashboard.output()).toContain('already taken');
  });
});
