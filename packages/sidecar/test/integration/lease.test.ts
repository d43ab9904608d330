import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Receipt } from '../../src/drain/receipts.ts';
import { type BotProcess, type RemoteBot, startBotProcess } from '../support/bot-process.ts';
import { askLease, type Gate, holdLease } from '../support/gate.ts';
import { type Running, startSidecar, until } from '../support/processes.ts';
import type { BotScript } from '../support/scripted-bot.ts';

// One stop, one identity: which boot of the bot is meant, who is told, and what outlives it.

const TOKEN = 'the-token-of-the-drain';

let bots: BotProcess;
const open: { end: () => unknown }[] = [];
beforeAll(() => {
  bots = startBotProcess();
});
afterAll(() => bots.end());
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.end();
});

type Sidecar = Running & { readonly receipts: string };

async function start(env: Record<string, string> = {}): Promise<Sidecar> {
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-lease-'));
  open.push({ end: () => rmSync(folder, { recursive: true, force: true }) });
  const sidecar = await startSidecar({
    DRAIN_LOG: join(folder, 'drains.jsonl'),
    BOT_URL: 'http://127.0.0.1:9',
    BOT_MODELS_PATH: '',
    PROBE_INTERVAL: '200ms',
    PROBE_TIMEOUT: '1s',
    FAILURE_THRESHOLD: '2',
    STARTUP_GRACE: '30s',
    CLOSE_TIMEOUT: '600ms',
    DRAIN_TIMEOUT: '8s',
    DRAIN_TOKEN: TOKEN,
    ...env,
  });
  open.push(sidecar);
  return sidecar;
}

/** A sidecar that has seen its bot, and the gate of that bot. */
async function world(
  script: BotScript = {},
  env: Record<string, string> = {},
): Promise<{ bot: RemoteBot; sidecar: Sidecar; gate: Gate }> {
  const bot = await bots.start(script);
  const sidecar = await start({ BOT_URL: bot.url, ...env });
  await until('the bot was seen', async () => (await get(sidecar, '/readyz')).status === 200);
  return { bot, sidecar, gate: await lease(sidecar, 'boot-A') };
}

async function lease(sidecar: Running, boot: string): Promise<Gate> {
  const gate = await holdLease(sidecar.url, TOKEN, boot);
  open.push(gate);
  return gate;
}

async function get(sidecar: Running, path: string) {
  const response = await fetch(sidecar.url + path);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function send(sidecar: Running, method: string, path: string, body?: unknown, token = TOKEN) {
  const response = await fetch(sidecar.url + path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> & Receipt };
}

const receiptsOf = (sidecar: Sidecar): Receipt[] =>
  readFileSync(sidecar.receipts, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Receipt);

/** What the sidecar keeps beside its receipts; empty where there is nothing yet. */
function fileBeside(sidecar: Sidecar, name: string): string {
  try {
    return readFileSync(join(dirname(sidecar.receipts), name), 'utf8');
  } catch {
    return '';
  }
}

const drainOf = (gate: Gate, more: object = {}) => ({
  boot: gate.boot,
  drain_id: 'key-of-the-gate',
  ...more,
});

describe('the lease', () => {
  it('is off without a token in the configuration, and refused with a wrong one', async () => {
    const off = await start({ DRAIN_TOKEN: '' });
    expect((await askLease(off.url, { 'botwarden-boot': 'a' })).status).toBe(403);
    const on = await start();
    const headers = { 'botwarden-boot': 'a', authorization: 'Bearer wrong' };
    expect((await askLease(on.url, headers)).status).toBe(401);
    expect((await get(on, '/livez')).body).toMatchObject({ live: true, boot: null });
  });

  it('answers at once without Prefer, and names the boot that asked as the current one', async () => {
    const sidecar = await start();
    const gate = await lease(sidecar, 'boot-A');
    expect(gate.told[0]).toMatchObject({
      status: 200,
      body: { live: true, boot: 'boot-A', drained: null, hold: false },
    });
    expect((await get(sidecar, '/livez')).body).toMatchObject({ boot: 'boot-A' });
  });

  it('waits as long as the gate prefers when there is nothing to tell', async () => {
    const sidecar = await start();
    const headers = { 'botwarden-boot': 'boot-A', authorization: `Bearer ${TOKEN}`, prefer: 'wait=1' };
    const began = performance.now();
    expect((await askLease(sidecar.url, headers)).status).toBe(200);
    expect(performance.now() - began).toBeGreaterThan(950);
  });

  it('tells a drain of this boot the moment it has ended, before the sidecar goes', async () => {
    const { sidecar, gate } = await world();
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    const [, ended] = receiptsOf(sidecar);
    expect(ended).toMatchObject({ state: 'flat', boot: 'boot-A', proof: ['bot'] });
    const news = gate.told.find(({ body }) => body.drained !== null);
    expect(news?.body.drained).toEqual({ boot: 'boot-A', drain_id: ended?.drain_id, state: 'flat' });
  });

  it('tells a drain that failed, too', async () => {
    const { sidecar, gate } = await world(
      { close: [{ do: 'status', status: 403 }] },
      { DRAIN_TIMEOUT: '7s' },
    );
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(3);
    expect(gate.told.find(({ body }) => body.drained?.state === 'not_flat')).toBeDefined();
  });

  it('does not hold up the exit for a gate that does not listen', async () => {
    const { sidecar, gate } = await world();
    gate.end();
    const call = askLease(sidecar.url, { 'botwarden-boot': 'boot-A', authorization: `Bearer ${TOKEN}` });
    await call;
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
  });

  it('of two gates that ask at once, stands with the one that was there first', async () => {
    const sidecar = await start();
    const first = await lease(sidecar, 'boot-A');
    const second = await lease(sidecar, 'boot-B');
    expect(second.told[0]?.body.boot).toBe('boot-A');
    first.end();
    await second.hears('that it is the current one', ({ body }) => body.boot === 'boot-B');
  });

  it('goes to a new boot at once when the connection of the old one is gone', async () => {
    const sidecar = await start();
    const first = await lease(sidecar, 'boot-A');
    first.end();
    await until(
      'the connection is seen to be gone',
      async () => {
        const { body } = await askLease(sidecar.url, {
          'botwarden-boot': 'boot-B',
          authorization: `Bearer ${TOKEN}`,
        });
        return body.boot === 'boot-B';
      },
      2_000,
    );
  });
});

describe('POST /drain by a gate', () => {
  it('drains its boot under its key, and sets no hold', async () => {
    const { bot, sidecar, gate } = await world();
    const { status, body } = await send(sidecar, 'POST', '/drain', drainOf(gate, { reason: 'SIGTERM' }));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      state: 'flat',
      boot: 'boot-A',
      drain_id: 'key-of-the-gate',
      proof: ['bot'],
    });
    expect((await bot.closeCalls()).map(({ key }) => key)).toEqual(['key-of-the-gate']);
    expect((await get(sidecar, '/hold')).body).toEqual({ hold: false });
  });

  it('does nothing for a boot that is not the current one', async () => {
    const { bot, sidecar } = await world();
    const { status, body } = await send(sidecar, 'POST', '/drain', { boot: 'boot-Z' });
    expect([status, (body.error as unknown as { code: string }).code]).toEqual([409, 'WRONG_BOOT']);
    expect(await bot.closeCalls()).toEqual([]);
  });

  it.each([
    ['no JSON', '{"boot":'],
    ['a boot that is no name', { boot: 'a b' }],
    ['a key that no header can carry', { drain_id: 'a\nb' }],
    ['a list', '[]'],
  ])('with %s is refused, and nothing is done', async (_, body) => {
    const { bot, sidecar } = await world();
    expect((await send(sidecar, 'POST', '/drain', body)).status).toBe(400);
    expect(await bot.closeCalls()).toEqual([]);
  });

  it('does not go over to the boot that follows when the caller has gone', async () => {
    const { bot, sidecar, gate } = await world({
      close: [{ do: 'go-away', closeFirst: true, downMs: 1_500 }, { do: 'ok' }],
    });
    void send(sidecar, 'POST', '/drain', drainOf(gate)).catch(() => undefined);
    await until('the bot was called', async () => (await bot.closeCalls()).length > 0);
    gate.end();
    await lease(sidecar, 'boot-B');
    const ended = await until('the drain ends', () =>
      receiptsOf(sidecar).find(({ state }) => state === 'not_flat'),
    );
    expect(ended).toMatchObject({ boot: 'boot-A', reason: expect.stringContaining('boot of the bot has') });
    await until('the new boot answers', async () => (await bot.look()).boot === 2);
    await until('and is ready', async () => (await get(sidecar, '/readyz')).status === 200);
    expect(await bot.closeCalls()).toHaveLength(1);
    expect((await bot.look()).halted).toBe(false);
  });

  it('never hears that there is nothing to do, as the caller is alive', async () => {
    const { bot, sidecar, gate } = await world({}, { DRAIN_TIMEOUT: '6s' });
    expect((await send(sidecar, 'POST', '/drain', drainOf(gate))).body.state).toBe('flat');
    await bot.down();
    expect((await send(sidecar, 'POST', '/drain', drainOf(gate))).body.state).toBe('not_flat');
  });

  it('is given the whole budget of a SIGTERM that joins it', async () => {
    const { bot, sidecar, gate } = await world({ close: [{ do: 'status', status: 503 }] });
    void send(sidecar, 'POST', '/drain', drainOf(gate)).catch(() => undefined);
    await until('two close calls', async () => (await bot.closeCalls()).length > 1);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const signalledAt = Date.now();
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(3);
    const ended = receiptsOf(sidecar).at(-1);
    expect(ended?.drain_id).toBe('key-of-the-gate');
    // 8 s less the 5 s kept back, from the signal on.
    expect(Date.parse(ended?.at ?? '') - signalledAt).toBeGreaterThanOrEqual(2_900);
  });
});

describe('a boot that was drained flat and has ended', () => {
  it('needs nothing when its gate said which boot it was', async () => {
    const { bot, sidecar, gate } = await world();
    expect((await send(sidecar, 'POST', '/drain', drainOf(gate))).body.state).toBe('flat');
    await bot.down();
    gate.end();
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    expect(receiptsOf(sidecar).at(-1)).toMatchObject({ state: 'nothing_to_do', boot: 'boot-A' });
    expect(await bot.closeCalls()).toHaveLength(1);
  });

  it('is not what is asked for when another boot came, traded and died between two probes', async () => {
    const { bot, sidecar, gate } = await world({}, { PROBE_INTERVAL: '60s', DRAIN_TIMEOUT: '6s' });
    expect((await send(sidecar, 'POST', '/drain', drainOf(gate))).body.state).toBe('flat');
    await bot.down();
    gate.end();
    const next = await lease(sidecar, 'boot-B');
    next.end();
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(3);
    expect(receiptsOf(sidecar).at(-1)).toMatchObject({ state: 'not_flat', boot: 'boot-B' });
  });
});

describe("a person's drain", () => {
  it('sets a hold that gates and bots are told of, and that outlives the sidecar', async () => {
    const { bot, sidecar, gate } = await world();
    expect((await send(sidecar, 'POST', '/drain', { reason: 'the exchange is down' })).status).toBe(200);
    await gate.hears('the hold', ({ body }) => body.hold);
    expect((await get(sidecar, '/hold')).body).toMatchObject({ hold: true, reason: 'the exchange is down' });
    const health = await get(sidecar, '/healthz');
    expect(health.body).toMatchObject({ status: 'warn' });
    expect(JSON.stringify(health.body.notes)).toContain('on hold since');
    await until('it is on disk', () => fileBeside(sidecar, 'hold.json').includes('exchange is down'));
    sidecar.child.kill('SIGKILL');
    await sidecar.exited;
    const next = await startSidecar({ BOT_URL: bot.url, DRAIN_TOKEN: TOKEN, DRAIN_LOG: sidecar.receipts });
    open.push(next);
    const again = await holdLease(next.url, TOKEN, 'boot-C');
    open.push(again);
    expect(again.told[0]?.body.hold).toBe(true);
  });

  it('drains a boot again that trades although the hold stands', async () => {
    const { bot, sidecar } = await world();
    await send(sidecar, 'POST', '/drain');
    await bot.down();
    await bot.up();
    await until('the new boot is halted', async () => (await bot.look()).halted);
    await until('the receipt says why', () =>
      receiptsOf(sidecar).some(({ state, reason }) => state === 'started' && /^on hold since/.test(reason)),
    );
  });

  it('is lifted with the token, and with nothing else', async () => {
    const { sidecar, gate } = await world();
    await send(sidecar, 'POST', '/drain');
    expect((await send(sidecar, 'DELETE', '/hold', undefined, 'wrong')).status).toBe(401);
    expect((await get(sidecar, '/hold')).body.hold).toBe(true);
    expect((await send(sidecar, 'DELETE', '/hold')).body).toEqual({ hold: false, lifted: true });
    expect((await get(sidecar, '/hold')).body).toEqual({ hold: false });
    expect((await send(sidecar, 'DELETE', '/hold')).body).toEqual({ hold: false, lifted: false });
    // A bot that is halted trades again only after a restart.
    await gate.hears('that it is to restart', ({ status, body }) => status === 503 && body.boot === 'boot-A');
  });
});

describe('positions that vanish between two boots', () => {
  /** A boot with two open positions ends by itself, and the next one reports none. */
  async function vanish(env: Record<string, string> = {}) {
    const { bot, sidecar, gate } = await world({}, { DRAIN_TIMEOUT: '7s', ...env });
    await until('the positions of this boot were read', () => {
      const memory = fileBeside(sidecar, 'vanished.json');
      return memory.includes('"boot-A"') && memory.includes('"open":2');
    });
    await bot.down();
    gate.end();
    const { url } = bot;
    const next = await bots.start({ open: 0, pending: 0, port: Number(new URL(url).port) });
    const gateB = await lease(sidecar, 'boot-B');
    return { bot: next, sidecar, gate: gateB };
  }
  const notes = async (sidecar: Running) => JSON.stringify((await get(sidecar, '/healthz')).body.notes ?? []);
  const told = (sidecar: Running) =>
    until('it is told', () => sidecar.output().includes('"positions.vanished"'));

  it('are an alarm with both numbers, and a drain that the bot alone cannot prove flat', async () => {
    const { sidecar } = await vanish();
    await told(sidecar);
    expect(await notes(sidecar)).toMatch(/boot boot-A of the bot ended with 2 open, the next one reports 0/);
    expect((await get(sidecar, '/healthz')).body.vanished).toEqual({ boot: 'boot-A', open: 2, now_open: 0 });
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(3);
    expect(receiptsOf(sidecar).at(-1)).toMatchObject({
      state: 'not_flat',
      boot: 'boot-B',
      reason: expect.stringContaining('without a close in between'),
    });
  });

  it('are over when a person acknowledges them', async () => {
    const { sidecar } = await vanish();
    await told(sidecar);
    expect((await send(sidecar, 'POST', '/acknowledge', undefined, 'wrong')).status).toBe(401);
    const { body } = await send(sidecar, 'POST', '/acknowledge');
    expect(body).toEqual({ acknowledged: ['vanished_positions'] });
    expect(await notes(sidecar)).not.toContain('vanished');
    expect((await get(sidecar, '/healthz')).body.vanished).toBeNull();
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
  });

  it('are answered for by FLAT_CHECK_URL', async () => {
    const exchange = await bots.start({ open: 0, pending: 0 });
    const { sidecar } = await vanish({ FLAT_CHECK_URL: `${exchange.url}/positions` });
    await told(sidecar);
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    expect(receiptsOf(sidecar).at(-1)).toMatchObject({ state: 'flat', proof: ['bot', 'exchange'] });
  });
});

describe('FLAT_CHECK_URL', () => {
  it('that shows something open is not flat, whatever the bot says', async () => {
    const exchange = await bots.start({ open: 1, pending: 0 });
    const { sidecar } = await world({}, { FLAT_CHECK_URL: `${exchange.url}/positions`, DRAIN_TIMEOUT: '7s' });
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(3);
    expect(receiptsOf(sidecar).at(-1)?.reason).toContain('FLAT_CHECK_URL says 1, not 0');
  });

  it('that cannot be read proves nothing', async () => {
    const { sidecar } = await world(
      {},
      { FLAT_CHECK_URL: 'http://127.0.0.1:1/positions', DRAIN_TIMEOUT: '7s' },
    );
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(3);
  });

  it('gets its token', async () => {
    const exchange = await bots.start({ open: 0, pending: 0 });
    const { sidecar } = await world(
      {},
      { FLAT_CHECK_URL: `${exchange.url}/positions`, FLAT_CHECK_TOKEN: 'the-token-of-the-exchange' },
    );
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    const [call] = (await exchange.look()).seen.filter(({ path }) => path === '/positions');
    expect(call?.authorization).toBe('Bearer the-token-of-the-exchange');
    expect(sidecar.output()).not.toContain('the-token-of-the-exchange');
  });
});

describe('what ended badly', () => {
  it('waits for a person, who acknowledges it', async () => {
    const { sidecar } = await world({ close: [{ do: 'status', status: 403 }] }, { DRAIN_TIMEOUT: '6s' });
    // A gate's drain sets no hold, under which a bot that trades on is drained again.
    expect((await send(sidecar, 'POST', '/drain', { boot: 'boot-A' })).status).toBe(503);
    expect(JSON.stringify((await get(sidecar, '/healthz')).body.notes)).toContain('ended not_flat');
    expect((await get(sidecar, '/healthz')).body.acknowledged_at).toBeNull();
    expect((await send(sidecar, 'POST', '/acknowledge')).body).toEqual({ acknowledged: ['drain'] });
    expect(JSON.stringify((await get(sidecar, '/healthz')).body.notes ?? [])).not.toContain('ended not_flat');
    expect((await send(sidecar, 'POST', '/acknowledge')).body).toEqual({ acknowledged: [] });
    const lookedAt = (await get(sidecar, '/healthz')).body.acknowledged_at;
    expect(Date.parse(String(lookedAt))).toBeGreaterThanOrEqual(
      Date.parse(receiptsOf(sidecar).at(-1)?.at ?? ''),
    );
    // The sidecar that comes next knows it, too.
    await until('it is on disk', () => fileBeside(sidecar, 'acknowledged.json').includes(String(lookedAt)));
    sidecar.child.kill('SIGKILL');
    await sidecar.exited;
    const next = await start({ DRAIN_LOG: sidecar.receipts });
    const told = async () => JSON.stringify((await get(next, '/healthz')).body.notes ?? []);
    await until('it is known', async () => !(await told()).includes('ended not_flat'), 5_000);
    expect((await get(next, '/healthz')).body.acknowledged_at).toBe(lookedAt);
  });

  it('cannot be acknowledged before it has ended', async () => {
    const { sidecar } = await world({ close: [{ do: 'hang' }] }, { DRAIN_TIMEOUT: '20s' });
    await send(sidecar, 'POST', '/drain?wait=false');
    const running = async () => (await get(sidecar, '/drain')).body.attempts === 1;
    await until('a close call was sent', running);
    expect((await send(sidecar, 'POST', '/acknowledge')).body).toEqual({ acknowledged: [] });
    await until('it is on disk', () => fileBeside(sidecar, 'acknowledged.json').includes('at'));
    sidecar.child.kill('SIGKILL');
    await sidecar.exited;
    const next = await start({ DRAIN_LOG: sidecar.receipts });
    const known = async () => (await get(next, '/healthz')).body;
    await until('what was acknowledged is known', async () => (await known()).acknowledged_at !== null);
    expect(JSON.stringify((await known()).notes)).toContain('was cut off and never ended');
  });
});
