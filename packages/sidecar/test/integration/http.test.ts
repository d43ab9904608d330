import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  freePort,
  get,
  MAIN,
  misbehave,
  type Running,
  startBot,
  startSidecar,
  until,
} from '../support/processes.ts';

const TOKEN = 'the-drain-token-of-this-test';
const READS = ['/livez', '/readyz', '/startupz', '/healthz', '/ping', '/metrics', '/drain', '/drains'];

const post = (running: Running, path: string, token?: string) =>
  fetch(running.url + path, {
    method: 'POST',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });

async function guarded(
  env: Record<string, string> = {},
): Promise<{ bot: Running; sidecar: Running; end: () => Promise<void> }> {
  const bot = await startBot();
  const sidecar = await startSidecar({
    BOT_URL: bot.url,
    PROBE_INTERVAL: '200ms',
    DRAIN_TIMEOUT: '10s',
    ...env,
  });
  await until('the bot is ready', async () => (await get(`${sidecar.url}/readyz`)).status === 200);
  return {
    bot,
    sidecar,
    async end() {
      await sidecar.end();
      await bot.end();
    },
  };
}

describe('the calls of the sidecar', () => {
  let world: Awaited<ReturnType<typeof guarded>>;
  beforeAll(async () => {
    world = await guarded({ DRAIN_TOKEN: TOKEN, BOT_NAME: 'btc' });
  });
  afterAll(() => world?.end());

  it.each(READS)('%s answers HEAD as it answers GET, without the body, and is never cached', async (path) => {
    const url = world.sidecar.url + path;
    const [asGet, asHead] = [await fetch(url), await fetch(url, { method: 'HEAD' })];
    expect(asHead.status).toBe(asGet.status);
    expect(await asHead.text()).toBe('');
    for (const answer of [asGet, asHead]) expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(asHead.headers.get('content-type')).toBe(asGet.headers.get('content-type'));
  });

  it.each(READS)('%s is the same with a query string and with a slash at the end', async (path) => {
    const statuses = await Promise.all(
      [path, `${path}?x=1`, `${path}/`, `${path}/?x=1&wait=false`].map(
        async (each) => (await fetch(world.sidecar.url + each)).status,
      ),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it.each(READS)('%s refuses other methods with 405, and says which it takes', async (path) => {
    const methods =
      path === '/drain'
        ? ['PUT', 'DELETE', 'PATCH', 'OPTIONS']
        : ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
    for (const method of methods) {
      const answer = await fetch(world.sidecar.url + path, { method });
      expect([method, answer.status]).toEqual([method, 405]);
      expect(answer.headers.get('allow')).toBe(path === '/drain' ? 'GET, HEAD, POST' : 'GET, HEAD');
      expect(await answer.json()).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } });
    }
  });

  it('tells of an unknown path in JSON, with 404', async () => {
    const { status, body } = await get(`${world.sidecar.url}/nothing/here?token=secret-of-a-query`);
    expect(status).toBe(404);
    expect(body).toMatchObject({ error: { code: 'NOT_FOUND' } });
    expect(JSON.stringify(body)).not.toContain('secret-of-a-query');
  });

  it('answers a request that is not HTTP, and one with a broken path, without falling over', async () => {
    const answer = await fetch(`${world.sidecar.url}/%E0%A4%A`);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect((await get(`${world.sidecar.url}/ping`)).status).toBe(200);
  });

  it('shows the health of the bot as health+json, with a key for each probe', async () => {
    const answer = await fetch(`${world.sidecar.url}/healthz`);
    expect(answer.headers.get('content-type')).toMatch(/^application\/health\+json/);
    const body = (await answer.json()) as {
      checks: Record<string, unknown>;
      bot: unknown;
      positions: unknown;
    };
    expect(Object.keys(body.checks).sort()).toEqual([
      'api:responseTime',
      'close-path:responseTime',
      'models:loaded',
      'tick:age',
    ]);
    expect(body.bot).toMatchObject({ trading: 'running', instance: expect.any(String) });
  });

  it('tells what is open, with symbol, side and size', async () => {
    const positions = async () => (await get(`${world.sidecar.url}/healthz`)).body.positions;
    await until('a position is open', async () => JSON.stringify(await positions()).includes('symbol'));
    expect(await positions()).toMatchObject({
      open: expect.arrayContaining([
        { symbol: expect.any(String), side: expect.any(String), size: expect.stringMatching(/^[\d.]+$/) },
      ]),
      pending: expect.any(Array),
    });
  });

  it('has every metric of the contract', async () => {
    const text = await (await fetch(`${world.sidecar.url}/metrics`)).text();
    for (const name of [
      'botwarden_probe_up{probe="api",bot="btc"} 1',
      'botwarden_probe_duration_seconds_count{bot="btc",probe="api"}',
      'botwarden_probe_runs_total{probe="api",outcome="pass",bot="btc"}',
      'botwarden_probe_last_success_timestamp_seconds{probe="api",bot="btc"}',
      'botwarden_ready{bot="btc"} 1',
      'botwarden_live{bot="btc"} 1',
      'botwarden_restart_pending{bot="btc"} 0',
      'botwarden_heals_total{bot="btc"} 0',
      'botwarden_boots_total{asked="true",bot="btc"} 0',
      'botwarden_boots_total{asked="false",bot="btc"} 0',
      'botwarden_lease_held{bot="btc"} 0',
      'botwarden_hold{bot="btc"} 0',
      'botwarden_vanished_positions{bot="btc"} 0',
      'botwarden_alerts_undelivered{bot="btc"} 0',
      'botwarden_defects_total{bot="btc"} 0',
      'botwarden_person_needed{reason="drain",bot="btc"} 0',
      'botwarden_person_needed{reason="vanished_positions",bot="btc"} 0',
      'botwarden_person_needed{reason="restarts",bot="btc"} 0',
      'botwarden_drain_active{bot="btc"} 0',
      'botwarden_drains_total{outcome="flat",bot="btc"} 0',
      'botwarden_drain_duration_seconds_count{bot="btc"} 0',
      'botwarden_open_positions{bot="btc"} ',
      'botwarden_build_info{version="0.1.0",bot="btc"} 1',
    ]) {
      expect(text).toContain(name);
    }
  });

  it.each([
    ['no token', undefined],
    ['a wrong token', 'wrong'],
    ['the beginning of the token', TOKEN.slice(0, -1)],
    ['more than the token', `${TOKEN}x`],
  ])('does nothing on POST /drain with %s', async (_what, token) => {
    const answer = await post(world.sidecar, '/drain', token);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect((await get(`${world.sidecar.url}/drains`)).body).toEqual({ drains: [] });
  });
});

describe('POST /drain', () => {
  it('is off without a configured token, whatever is sent', async () => {
    const world = await guarded();
    try {
      expect((await post(world.sidecar, '/drain', TOKEN)).status).toBe(403);
      expect((await post(world.sidecar, '/drain')).status).toBe(403);
      expect((await get(`${world.sidecar.url}/drains`)).body).toEqual({ drains: [] });
    } finally {
      await world.end();
    }
  });

  it('is not carried out for a caller who gave up while the sidecar was frozen', async () => {
    const world = await guarded({ DRAIN_TOKEN: TOKEN });
    try {
      world.sidecar.child.kill('SIGSTOP');
      const headers = { authorization: `Bearer ${TOKEN}` };
      const signal = AbortSignal.timeout(500);
      await expect(
        fetch(`${world.sidecar.url}/drain`, { method: 'POST', headers, signal }),
      ).rejects.toThrow();
      world.sidecar.child.kill('SIGCONT');
      await until('it is told', () => world.sidecar.output().includes('drain.caller_gone'));
      expect((await get(`${world.sidecar.url}/drains`)).body).toEqual({ drains: [] });
      expect((await get(`${world.bot.url}/health`)).body).toMatchObject({ trading: 'running' });
      expect((await post(world.sidecar, '/drain', TOKEN)).status).toBe(200);
    } finally {
      await world.end();
    }
  });

  it('answers with the receipt when the bot is flat; the sidecar goes on, and warns that the bot is on hold', async () => {
    const world = await guarded({ DRAIN_TOKEN: TOKEN });
    try {
      const answer = await post(world.sidecar, '/drain', TOKEN);
      expect(answer.status).toBe(200);
      const receipt = (await answer.json()) as { drain_id: string };
      expect(receipt).toMatchObject({ state: 'flat', trigger: 'http', open_positions: 0, pending_orders: 0 });
      const { body } = await get(`${world.sidecar.url}/drains`);
      expect(
        (body.drains as Array<{ state: string; drain_id: string }>).map(({ state, drain_id }) => [
          state,
          drain_id,
        ]),
      ).toEqual([
        ['flat', receipt.drain_id],
        ['started', receipt.drain_id],
      ]);
      await until('the health says that the bot is on hold', async () => {
        const health = await get(`${world.sidecar.url}/healthz`);
        return (
          health.status === 200 &&
          health.body.status === 'warn' &&
          JSON.stringify(health.body.notes).includes('on hold since')
        );
      });
      expect((await get(`${world.sidecar.url}/livez`)).status).toBe(200);
      const metrics = await (await fetch(`${world.sidecar.url}/metrics`)).text();
      expect(metrics).toContain('botwarden_drains_total{outcome="flat",bot="bot"} 1\n');
      expect(metrics).toContain('botwarden_drain_duration_seconds_count{bot="bot"} 1\n');
    } finally {
      await world.end();
    }
  });

  it('answers 202 at once when not asked to wait, joins the drain that runs, and shows it while it does', async () => {
    const world = await guarded({ DRAIN_TOKEN: TOKEN });
    try {
      await misbehave(world.bot, 'fail-close');
      const first = await post(world.sidecar, '/drain?wait=false', TOKEN);
      expect(first.status).toBe(202);
      const { drain_id } = (await first.json()) as { drain_id: string };
      const joined = post(world.sidecar, '/drain', TOKEN);
      expect((await get(`${world.sidecar.url}/drain`)).body).toMatchObject({ drain_id, state: 'started' });
      expect((await get(`${world.sidecar.url}/readyz`)).status).toBe(503);
      expect((await get(`${world.sidecar.url}/livez`)).status).toBe(200);
      await misbehave(world.bot, 'none');
      const answer = await joined;
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ drain_id, state: 'flat' });
    } finally {
      await world.end();
    }
  });

  it('answers 503 with what is still open when time runs out', async () => {
    const world = await guarded({ DRAIN_TOKEN: TOKEN, DRAIN_TIMEOUT: '7s' });
    try {
      await misbehave(world.bot, 'fail-close');
      const answer = await post(world.sidecar, '/drain', TOKEN);
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({ state: 'not_flat', trigger: 'http' });
      const health = await get(`${world.sidecar.url}/healthz`);
      expect(JSON.stringify(health.body.notes)).toContain('the last drain ended not_flat');
    } finally {
      await world.end();
    }
  });

  it('is joined by SIGTERM, whose exit code is the outcome of that drain', async () => {
    const world = await guarded({ DRAIN_TOKEN: TOKEN, DRAIN_TIMEOUT: '7s' });
    try {
      await misbehave(world.bot, 'fail-close');
      await post(world.sidecar, '/drain?wait=false', TOKEN);
      world.sidecar.child.kill('SIGTERM');
      expect(await world.sidecar.exited).toBe(3);
      expect(world.sidecar.output().match(/"drain.ended"/g)).toHaveLength(1);
    } finally {
      await world.end();
    }
  });
});

describe('PROBES_FILE', () => {
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-probes-file-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (text: string): string => {
    const path = join(folder, 'probes.yaml');
    writeFileSync(path, text);
    return path;
  };

  it('adds probes that count for readiness, under their own names', async () => {
    const exchange = await startBot();
    const PROBES_FILE = file(
      `probes:\n  - name: exchange\n    type: http\n    url: \${EXCHANGE}/health\n    interval: 200ms\n    failureThreshold: 1\n`,
    );
    const world = await guarded({ PROBES_FILE, EXCHANGE: exchange.url });
    try {
      const { body } = await get(`${world.sidecar.url}/healthz`);
      expect(body).toMatchObject({ checks: { 'exchange:responseTime': [{ status: 'pass' }] } });
      await exchange.end();
      await until(
        'the sidecar is not ready',
        async () => (await get(`${world.sidecar.url}/readyz`)).status === 503,
      );
      expect((await get(`${world.sidecar.url}/livez`)).status).toBe(200);
    } finally {
      await world.end();
      await exchange.end();
    }
  });

  it('with mistakes is refused at the start, with line and column of each', async () => {
    const PROBES_FILE = file(
      'probes:\n  - name: api\n    type: tcp\n    host: x\n    port: many\n  - type: http\n',
    );
    const sidecar = await startSidecar({ BOT_URL: 'http://127.0.0.1:1', PROBES_FILE });
    expect(await sidecar.exited).toBe(2);
    expect(sidecar.output()).toMatch(/PROBES_FILE: .*probes\.yaml:5:\d+: probes\[0\]\.port/);
    expect(sidecar.output()).toMatch(/PROBES_FILE: .*probes\.yaml:6:\d+: /);
  });

  it('may not take the name of a probe that the sidecar has itself', async () => {
    const PROBES_FILE = file('probes:\n  - name: api\n    type: tcp\n    host: localhost\n    port: 1\n');
    const sidecar = await startSidecar({ BOT_URL: 'http://127.0.0.1:1', PROBES_FILE });
    expect(await sidecar.exited).toBe(2);
    expect(sidecar.output()).toContain('another name than api');
  });
});

describe('a sidecar that cannot be what it should', () => {
  it('exits with 2 and every problem when its configuration is bad', async () => {
    const sidecar = await startSidecar({ BOT_URL: 'bot:8000', PROBE_TIMEOUT: 'soon' });
    expect(await sidecar.exited).toBe(2);
    expect(sidecar.output()).toMatch(/2 problems:\n {2}BOT_URL: .*\n {2}PROBE_TIMEOUT: /);
  });

  it('exits with 1 and one clear sentence when its port is taken', async () => {
    const first = await startSidecar({ BOT_URL: 'http://127.0.0.1:1' });
    try {
      const second = await startSidecar({ BOT_URL: 'http://127.0.0.1:1', PORT: new URL(first.url).port });
      expect(await second.exited).toBe(1);
      expect(second.output()).toContain('the port is already taken');
    } finally {
      await first.end();
    }
  });

  it('exits so too when it has a connection to a database by then', async () => {
    const database = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(database, 'listening');
    const { port } = database.address() as AddressInfo;
    const first = await startSidecar({ BOT_URL: 'http://127.0.0.1:1' });
    try {
      const second = await startSidecar({
        BOT_URL: 'http://127.0.0.1:1',
        PORT: new URL(first.url).port,
        DATABASE_URL: `postgres://bot@127.0.0.1:${port}/bot`,
        FLAT_CHECK_SQL: 'SELECT 0',
      });
      expect(await second.exited).toBe(1);
    } finally {
      await first.end();
      database.close();
    }
  });

  it('exits with 2 and a sentence when its database URL names a certificate that is not there', async () => {
    const sidecar = await startSidecar({
      BOT_URL: 'http://127.0.0.1:1',
      DATABASE_URL: 'postgres://bot:hunter2@127.0.0.1/bot?sslrootcert=/nowhere/ca.pem',
    });
    expect(await sidecar.exited).toBe(2);
    expect(sidecar.output()).toContain('DATABASE_URL: expected a URL whose certificate files can be read');
    expect(sidecar.output()).not.toContain('hunter2');
  });
});

describe('a sidecar that does not watch the health of the bot', () => {
  it('says that the boot was ready once its other probes pass', async () => {
    const world = await guarded({ BOT_HEALTH_PATH: '' });
    try {
      await until('it has started', async () => (await get(`${world.sidecar.url}/startupz`)).status === 200);
      expect((await get(`${world.sidecar.url}/livez`)).status).toBe(200);
    } finally {
      await world.end();
    }
  });
});

describe('a sidecar that cannot write its log', () => {
  it('drains all the same, and exits with what became of it', async () => {
    const bot = await startBot();
    const folder = mkdtempSync(join(tmpdir(), 'botwarden-full-'));
    const [port, full] = [await freePort(), openSync('/dev/full', 'w')];
    const url = `http://127.0.0.1:${port}`;
    const child = spawn(process.execPath, [MAIN], {
      env: {
        PATH: process.env.PATH,
        BOT_URL: bot.url,
        PORT: String(port),
        DRAIN_LOG: join(folder, 'drains.jsonl'),
      },
      stdio: ['ignore', full, 'ignore'],
    });
    const exited = once(child, 'exit');
    try {
      await until('it answers', () =>
        fetch(`${url}/ping`).then(
          ({ ok }) => ok,
          () => false,
        ),
      );
      child.kill('SIGTERM');
      expect((await exited)[0]).toBe(0);
      expect(readFileSync(join(folder, 'drains.jsonl'), 'utf8')).toContain('"state":"flat"');
    } finally {
      child.kill('SIGKILL');
      await bot.end();
      closeSync(full);
      rmSync(folder, { recursive: true });
    }
  });
});
