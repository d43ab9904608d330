import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LocalPostgres, startLocalPostgres } from '@botwarden/local-postgres';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Receipt } from '../../src/drain/receipts.ts';
import { type BotProcess, type RemoteBot, startBotProcess } from '../support/bot-process.ts';
import { holdLease } from '../support/gate.ts';
import { type Running, startSidecar, until } from '../support/processes.ts';
import type { Answer, BotScript } from '../support/scripted-bot.ts';

// Every fault that can be built, against the program itself and a bot in another process. What holds for all of them
// is in `drainAndCheck`; a case only says what is special about it.

const TOKEN = 's3cret-of-the-bot';
const DRAIN_TOKEN = 's3cret-of-the-drain';
/** Of the budget 5 s are kept back: this leaves 3 s to close. */
const BUDGET_MS = 8_000;
/** What starting signal handlers, ending sockets and exiting may take on a busy machine, beyond the budget. */
const EXIT_MS = 1_500;

interface World {
  readonly bot: RemoteBot;
  readonly sidecar: Running;
  /** Takes the emergency call and the alerts. */
  readonly helper: RemoteBot;
  readonly post: (query?: string) => Promise<{ status: number; body: Receipt }>;
  readonly signal: (name: NodeJS.Signals) => void;
}

interface Case {
  readonly bot?: BotScript;
  readonly env?: Readonly<Record<string, string>>;
  /** How `/emergency` and `/alert` are answered. */
  readonly emergency?: readonly Answer[];
  readonly alerts?: readonly Answer[];
  /** Default: one SIGTERM. */
  readonly act?: (world: World) => Promise<void> | void;
  readonly code: 0 | 3;
  readonly state: Receipt['state'];
  /** Close calls that the bot saw: so many, or from the first to the second. */
  readonly calls: number | readonly [number, number];
  /** What the last receipt says is open and pending. */
  readonly left?: readonly [number | null, number | null];
  readonly check?: (end: Ending) => Promise<void> | void;
}

interface Ending extends World {
  readonly receipts: readonly Receipt[];
  readonly last: Receipt;
  readonly tookMs: number;
  readonly output: string;
}

let bots: BotProcess;
let postgres: LocalPostgres;
let folder: string;
let count = 0;

beforeAll(async () => {
  bots = startBotProcess();
  folder = mkdtempSync(join(tmpdir(), 'botwarden-matrix-'));
  postgres = await startLocalPostgres();
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query('CREATE TABLE still_open (id int); INSERT INTO still_open VALUES (1)');
  await client.end();
});
afterAll(async () => {
  await bots?.end();
  await postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function drainAndCheck(given: Case): Promise<void> {
  count += 1;
  const log = given.env?.DRAIN_LOG ?? join(folder, `case-${count}`, 'drains.jsonl');
  const bot = await bots.start({ token: TOKEN, ...given.bot });
  const helper = await bots.start({
    paths: { close: '/emergency', health: '/alert' },
    close: given.emergency ?? [],
    health: given.alerts ?? [],
  });
  const sidecar = await startSidecar({
    BOT_URL: bot.url,
    BOT_TOKEN: TOKEN,
    BOT_MODELS_PATH: '',
    PROBE_INTERVAL: '60s',
    CLOSE_TIMEOUT: '600ms',
    DRAIN_TIMEOUT: `${BUDGET_MS}ms`,
    DRAIN_TOKEN,
    DRAIN_LOG: log,
    EMERGENCY_CLOSE_URL: `${helper.url}/emergency`,
    ALERT_WEBHOOK_URL: `${helper.url}/alert`,
    ...given.env,
  });
  try {
    if (given.bot?.absent !== true && given.env?.BOT_HEALTH_PATH !== '') {
      const healthPath = given.env?.BOT_HEALTH_PATH ?? '/health';
      await until('the sidecar has seen the bot', async () =>
        (await bot.look()).seen.some(({ path }) => path === healthPath),
      );
      await until('and knows it', async () => {
        const health = await (await fetch(`${sidecar.url}/healthz`)).text();
        return !health.includes(
          '"componentId":"api","componentType":"component","status":"fail","state":"unknown"',
        );
      });
    }
    const world: World = {
      bot,
      sidecar,
      helper,
      signal: (name) => void sidecar.child.kill(name),
      post: async (query = '') => {
        const headers = { authorization: `Bearer ${DRAIN_TOKEN}` };
        const response = await fetch(`${sidecar.url}/drain${query}`, { method: 'POST', headers });
        return { status: response.status, body: (await response.json()) as Receipt };
      },
    };
    const before = Date.now();
    await (given.act ?? ((all: World) => all.signal('SIGTERM')))(world);
    const code = await sidecar.exited;
    const exitedAt = Date.now();

    const receipts = readReceipts(log);
    const last = receipts.at(-1);
    const output = sidecar.output();
    if (last === undefined) throw new Error(`no receipt was left; the sidecar said:\n${output}`);
    // No case ends in silence: exit code, receipt and log agree.
    expect({ code, state: last.state }, output).toEqual({ code: given.code, state: given.state });
    const lines = receipts.filter(({ drain_id }) => drain_id === last.drain_id);
    expect(lines.map(({ state }) => state)).toEqual(['started', given.state]);
    expect(output).toContain('"drain.ended"');
    // None runs past DRAIN_TIMEOUT.
    const budget = durationOf(given.env?.DRAIN_TIMEOUT) ?? BUDGET_MS;
    expect(last.duration_ms).toBeLessThanOrEqual(budget);
    const started = Math.max(before, Date.parse(last.started_at));
    expect(exitedAt - started).toBeLessThanOrEqual(budget + EXIT_MS);
    // One idempotency key, told by the receipt; no close call after the end.
    const all = await bot.closeCalls();
    const calls = all.filter(({ key }) => key === last.drain_id);
    for (const call of all) expect(call.key).toBe(call.body?.drain_id);
    for (const call of all) expect(receipts.map(({ drain_id }) => drain_id)).toContain(call.key);
    const [least, most] = typeof given.calls === 'number' ? [given.calls, given.calls] : given.calls;
    expect(calls.length, output).toBeGreaterThanOrEqual(least);
    expect(calls.length, output).toBeLessThanOrEqual(most);
    for (const { at } of calls) expect(at).toBeLessThanOrEqual(Date.parse(last.at));
    // None says flat when something is open.
    const truth = await bot.look();
    if (last.state === 'flat') {
      expect([truth.open, truth.pending]).toEqual([0, 0]);
      expect([last.open_positions, last.pending_orders]).toEqual([0, 0]);
    }
    if (given.left !== undefined) expect([last.open_positions, last.pending_orders]).toEqual(given.left);
    // Nothing secret is told to anyone.
    for (const secret of [TOKEN, DRAIN_TOKEN]) expect(output).not.toContain(secret);
    await given.check?.({ ...world, receipts, last, output, tookMs: exitedAt - started });
  } finally {
    await sidecar.end();
  }
}

function readReceipts(path: string): Receipt[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Receipt];
      } catch {
        return [];
      }
    });
}

const durationOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number.parseInt(text, 10) * (text.endsWith('ms') ? 1 : 1_000);

const status = (code: number, headers: Record<string, string> = {}): Answer => ({
  do: 'status',
  status: code,
  headers,
});
const OK: Answer = { do: 'ok' };
const HANG: Answer = { do: 'hang' };
const emergencies = async ({ helper }: World) =>
  (await helper.look()).seen.filter(({ path }) => path === '/emergency');
const alertsOf = async ({ helper }: World) =>
  (await helper.look()).seen.filter(({ path }) => path === '/alert').map(({ body }) => body ?? {});

const flat = (calls: Case['calls'], more: Partial<Case> = {}): Case => ({
  code: 0,
  state: 'flat',
  calls,
  ...more,
});
const notFlat = (calls: Case['calls'], more: Partial<Case> = {}): Case => ({
  code: 3,
  state: 'not_flat',
  calls,
  check: calledForHelp,
  ...more,
});

/** What must follow every failure: the emergency call, and an alert. */
async function calledForHelp(end: Ending): Promise<void> {
  const call = (await emergencies(end)).find(({ key }) => key === end.last.drain_id);
  expect(call).toMatchObject({
    method: 'POST',
    key: end.last.drain_id,
    body: { drain_id: end.last.drain_id },
  });
  expect(await alertsOf(end)).toContainEqual(
    expect.objectContaining({
      text: expect.stringContaining('NOT FLAT'),
      content: expect.stringContaining('NOT FLAT'),
      botwarden: expect.objectContaining({ event: 'drain.not_flat', drain_id: end.last.drain_id }),
    }),
  );
}

const once = (answer: Answer): BotScript => ({ close: [answer, OK] });
const always = (answer: Answer): BotScript => ({ close: [answer] });
const MANY: readonly [number, number] = [2, 20];

const CASES: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  'a bot that does as it should': {
    'on SIGTERM': flat(1),
    'on SIGINT': flat(1, {
      act: ({ signal }) => signal('SIGINT'),
      check: ({ last }) => expect(last.trigger).toBe('SIGINT'),
    }),
    'with nothing open, which is halted all the same': flat(1, {
      bot: { open: 0, pending: 0 },
      check: async ({ bot }) => expect((await bot.look()).halted).toBe(true),
    }),
    'with pending orders only': flat(1, { bot: { open: 0, pending: 3 } }),
    'that tells lists': flat(1, { bot: { lists: 'BTC/USDT' } }),
    'that does not say which boot it is': flat(1, {
      bot: { instance: null },
      check: ({ last }) => expect(last.bot_instance).toBeNull(),
    }),
    'whose health is switched off': flat(1, { env: { BOT_HEALTH_PATH: '' } }),
    'that has other paths': flat(1, {
      bot: { paths: { close: '/flatten', positions: '/book', health: '/up' } },
      env: { BOT_CLOSE_PATH: '/flatten', BOT_POSITIONS_PATH: '/book', BOT_HEALTH_PATH: '/up' },
    }),
    'that needs a moment to answer': flat(1, { bot: { close: [{ do: 'slow', ms: 400, answer: OK }] } }),
    'that accepts and closes later': flat(1, { bot: { close: [{ do: 'accept', afterMs: 500 }] } }),
    'without positions to read': flat(1, { env: { BOT_POSITIONS_PATH: '' } }),
    'without positions to read, that accepts first': flat(2, {
      bot: { close: [{ do: 'accept', afterMs: 100 }, OK] },
      env: { BOT_POSITIONS_PATH: '' },
    }),
    'without positions to read, that leaves some first': flat(2, {
      bot: { close: [{ do: 'close-some', count: 1 }, OK] },
      env: { BOT_POSITIONS_PATH: '' },
    }),
    'tells what it did in alerts': flat(1, {
      check: async (end) => {
        const events = (await alertsOf(end)).map(({ botwarden }) => (botwarden as { event: string }).event);
        expect(events).toEqual(expect.arrayContaining(['drain.started', 'drain.flat']));
        expect(await emergencies(end)).toEqual([]);
      },
    }),
  },

  'a close call that fails once': {
    ...Object.fromEntries(
      [400, 408, 409, 425, 429, 500, 502, 503, 504].map((code) => [
        `with ${code}`,
        flat(2, { bot: once(status(code)) }),
      ]),
    ),
    'with 429 and Retry-After in seconds, which is kept to': flat(2, {
      bot: once(status(429, { 'retry-after': '1' })),
      check: async ({ bot }) => {
        const [first, second] = await bot.closeCalls();
        expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(990);
      },
    }),
    'with 429 and Retry-After as a date': flat(2, { bot: once({ do: 'retry-at', inMs: 1_500 }) }),
    'with a Retry-After of an hour, which is not waited for': flat(2, {
      bot: once(status(503, { 'retry-after': '3600' })),
      env: { CLOSE_TIMEOUT: '1500ms' },
    }),
    'with one, where an attempt may take all of the budget': flat(2, {
      bot: once(status(503, { 'retry-after': '3600' })),
      env: { CLOSE_TIMEOUT: '3s' },
    }),
    'by never answering': flat(2, { bot: once(HANG) }),
    'by headers and then nothing': flat(2, { bot: once({ do: 'headers-then-nothing' }) }),
    'by a byte a second': flat(2, { bot: once({ do: 'byte-a-second' }) }),
    'by a reset': flat(2, { bot: once({ do: 'reset' }) }),
    'by a reset in the middle of the body': flat(2, { bot: once({ do: 'half-then-reset' }) }),
    'by something that is not HTTP': flat(2, { bot: once({ do: 'not-http' }) }),
    'by an empty body': flat(2, { bot: once({ do: 'body', text: '' }) }),
    'by a body that is not JSON': flat(2, { bot: once({ do: 'body', text: 'done!' }) }),
    'by another shape': flat(2, { bot: once({ do: 'json', json: { ok: true } }) }),
    'by 100 MB': flat(2, { bot: once({ do: 'huge' }) }),
    'by a redirect': flat(2, { bot: once(status(307, { location: '/health' })) }),
    'after it closed everything, by a reset': flat([1, 2], {
      bot: once({ do: 'close-then', answer: { do: 'reset' } }),
    }),
    'after it closed everything, by never answering': flat([1, 2], {
      bot: once({ do: 'close-then', answer: HANG }),
    }),
    'five times over': flat([6, 7], {
      bot: { close: [status(503), status(503), { do: 'reset' }, status(500), status(502), OK] },
      env: { DRAIN_TIMEOUT: '20s' },
    }),
  },

  'a close call that always fails': {
    'with 500': notFlat(MANY, { bot: always(status(500)), left: [2, 1] }),
    'by never answering': notFlat(MANY, { bot: always(HANG), left: [2, 1] }),
    'by resets': notFlat(MANY, { bot: always({ do: 'reset' }), left: [2, 1] }),
    'by another shape': notFlat(MANY, { bot: always({ do: 'json', json: { closed: true } }), left: [2, 1] }),
    'by a redirect to where it would work': notFlat(MANY, {
      bot: always(status(308, { location: '/health' })),
      left: [2, 1],
    }),
    'with a Retry-After of an hour, which holds after one more try': notFlat(2, {
      bot: always(status(429, { 'retry-after': '3600' })),
      left: [2, 1],
    }),
    'though it closes everything, and says that it is halted': flat([1, 5], {
      bot: always({ do: 'close-then', answer: status(500) }),
    }),
    'though it closes everything, and does not say that it is halted': notFlat(MANY, {
      bot: { ...always({ do: 'close-then', answer: status(500) }), instance: null },
      left: [0, 0],
    }),
    'since nobody is there, and never was': notFlat(0, { bot: { absent: true }, left: [null, null] }),
    'until the bot comes back': flat([1, 3], {
      bot: { absent: true },
      act: async ({ signal, bot, sidecar }) => {
        signal('SIGTERM');
        await until('a close call failed', () => sidecar.output().includes('"drain.close_failed"'));
        await bot.up();
      },
    }),
  },

  'a close call that no retry can mend': {
    ...Object.fromEntries(
      [401, 403, 404, 405].map((code) => [
        `with ${code}`,
        notFlat(1, {
          bot: always(status(code)),
          left: [2, 1],
          check: async (end) => {
            await calledForHelp(end);
            const [call] = await emergencies(end);
            expect(call?.body).toMatchObject({ open_positions: 2, pending_orders: 1 });
            // At once, and not when the budget is spent.
            expect((call?.at ?? 0) - Date.parse(end.last.started_at)).toBeLessThan(2_500);
            const reads = (await end.bot.look()).seen.filter(({ path }) => path === '/positions');
            expect(reads.length).toBeGreaterThan(4);
          },
        }),
      ]),
    ),
    'since the token is wrong': notFlat(1, { bot: { token: 'another' }, left: [2, 1] }),
    'since the path is wrong': notFlat(0, { env: { BOT_CLOSE_PATH: '/nothing-here' }, left: [2, 1] }),
    'on a bot that a person halted and closed': flat(1, {
      bot: { open: 0, pending: 0, close: [{ do: 'close-then', answer: status(401) }] },
    }),
    'on a bot with nothing open that may open again': notFlat(1, {
      bot: { open: 0, pending: 0, close: [status(403)] },
      left: [0, 0],
    }),
    'without positions to read': notFlat(1, {
      bot: always(status(401)),
      env: { BOT_POSITIONS_PATH: '' },
      left: [null, null],
      check: async (end) => {
        await calledForHelp(end);
        expect(end.tookMs).toBeLessThan(4_000);
      },
    }),
  },

  'an answer that is not the truth, or not all of it': {
    'leaves one, and takes the rest at the second call': flat(2, {
      bot: { close: [{ do: 'close-some', count: 1 }, OK] },
    }),
    'closes one at a time': flat(3, {
      bot: { open: 3, pending: 0, close: [{ do: 'close-some', count: 1 }] },
      env: { DRAIN_TIMEOUT: '10s' },
    }),
    'never closes the last one': notFlat(MANY, {
      bot: {
        close: [
          { do: 'close-some', count: 2 },
          { do: 'close-some', count: 0 },
        ],
      },
      left: [1, 0],
    }),
    'says that nothing is left, and does nothing': notFlat(MANY, {
      bot: always({ do: 'lie' }),
      left: [2, 1],
    }),
    'says so once': flat(2, { bot: once({ do: 'lie' }) }),
    'says so with nothing open, and trades on': notFlat(MANY, {
      bot: { open: 0, pending: 0, close: [{ do: 'lie' }] },
      left: [0, 0],
    }),
    'opens again, since it was not halted': notFlat(MANY, {
      bot: { open: 0, pending: 0, close: [{ do: 'lie' }], opensAfterClose: 1 },
      left: [1, 0],
    }),
    'accepts, and closes nothing': notFlat(MANY, {
      bot: always({ do: 'accept', afterMs: 60_000 }),
      left: [2, 1],
    }),
    'without positions to read, only ever accepts': notFlat(MANY, {
      bot: always({ do: 'accept', afterMs: 60_000 }),
      env: { BOT_POSITIONS_PATH: '' },
      left: [2, 1],
    }),
  },

  'positions that cannot be read': {
    'once, with 500': flat(1, { bot: { positions: [status(500), OK] } }),
    'between two good reads': flat(1, { bot: { positions: [OK, status(503), OK] } }),
    'once, by a reset': flat(1, { bot: { positions: [{ do: 'reset' }, OK] } }),
    'once, by a reset, on a bot that does not say which boot it is': flat(2, {
      bot: { instance: null, positions: [{ do: 'reset' }, OK] },
    }),
    'ever, with 500': notFlat(1, { bot: { positions: [status(500)] }, left: [null, null] }),
    'ever, with 401': notFlat(1, { bot: { positions: [status(401)] }, left: [null, null] }),
    'ever, by never answering': notFlat(1, { bot: { positions: [HANG] }, left: [null, null] }),
    'ever, by a body that is not JSON': notFlat(1, {
      bot: { positions: [{ do: 'body', text: '[]' }] },
      left: [null, null],
    }),
    'ever, since a list is missing': notFlat(1, {
      bot: { positions: [{ do: 'json', json: { open_positions: [] } }] },
      left: [null, null],
    }),
    'ever, by a redirect': notFlat(1, {
      bot: { positions: [status(302, { location: '/health' })] },
      left: [null, null],
    }),
    'after a partial close': notFlat(MANY, {
      bot: { close: [{ do: 'close-some', count: 1 }], positions: [status(500)] },
    }),
    'but health can not: that stands in nobody’s way': flat(1, { bot: { health: [OK, status(500)] } }),
  },

  'a bot that restarts': {
    'in the middle of the close call': flat(2, {
      bot: { close: [{ do: 'go-away', downMs: 400 }, OK] },
      check: ({ last, output }) => {
        expect(last.bot_instance).toMatch(/-2$/);
        expect(output).toContain('"drain.bot_restarted"');
      },
    }),
    'after it closed everything: the new boot is asked as well': flat(2, {
      bot: { close: [{ do: 'go-away', closeFirst: true, downMs: 400 }, OK] },
      check: async ({ bot }) => expect(await bot.look()).toMatchObject({ boot: 2, halted: true }),
    }),
    'between the two reads': flat(2, {
      bot: { positions: [OK, { do: 'go-away', downMs: 300 }, OK] },
      check: ({ last }) => expect(last.bot_instance).toMatch(/-2$/),
    }),
    'between the two reads, and does not say so': flat(2, {
      bot: { instance: null, positions: [OK, { do: 'go-away', downMs: 300 }, OK] },
    }),
    'never: it dies after it closed everything, unproven': notFlat([1, 2], {
      bot: { close: [{ do: 'go-away', closeFirst: true }] },
      left: [null, null],
    }),
    'never: it dies after it was seen with something open': notFlat([1, 2], {
      bot: { close: [{ do: 'close-some', count: 1 }], positions: [OK, { do: 'go-away' }] },
      left: [2, 0],
    }),
  },

  'a bot that was drained before': {
    'and is gone, as its gate says: nothing to do': {
      code: 0,
      state: 'nothing_to_do',
      calls: [0, 20],
      act: async ({ post, bot, signal, sidecar }) => {
        const gate = await holdLease(sidecar.url, DRAIN_TOKEN, 'boot-A');
        expect(await post()).toMatchObject({ status: 200, body: { state: 'flat', trigger: 'http' } });
        await bot.down();
        gate.end();
        signal('SIGTERM');
      },
    },
    'and is gone, but no gate said which boot that was': notFlat([0, 20], {
      act: async ({ post, bot, signal }) => {
        expect(await post()).toMatchObject({ status: 200, body: { state: 'flat', trigger: 'http' } });
        await bot.down();
        signal('SIGTERM');
      },
      left: [null, null],
    }),
    'and still answers: it is drained again': flat(1, {
      act: async ({ post, signal }) => {
        await post();
        signal('SIGTERM');
      },
    }),
    'but not flat, and is gone': notFlat([0, 1], {
      bot: always({ do: 'lie' }),
      act: async ({ post, bot, signal }) => {
        expect(await post()).toMatchObject({ status: 503, body: { state: 'not_flat' } });
        await bot.down();
        signal('SIGTERM');
      },
      left: [null, null],
    }),
  },

  'signals and calls': {
    'a second SIGTERM changes nothing': flat(1, {
      bot: { close: [{ do: 'slow', ms: 500, answer: OK }] },
      act: async ({ signal, sidecar }) => {
        signal('SIGTERM');
        await until('the drain runs', () => sidecar.output().includes('"drain.close"'));
        signal('SIGTERM');
        await until('it is noted', () => sidecar.output().includes('"drain.joined"'));
      },
    }),
    'ten signals of both kinds change nothing': flat(1, {
      bot: { close: [{ do: 'slow', ms: 500, answer: OK }] },
      act: async ({ signal, sidecar }) => {
        for (let n = 0; n < 10; n += 1) {
          signal(n % 2 === 0 ? 'SIGTERM' : 'SIGINT');
          await until('the drain runs', () => sidecar.output().includes('"drain.close"'));
        }
      },
    }),
    'a POST joins the drain of a signal': flat(1, {
      bot: { close: [{ do: 'slow', ms: 500, answer: OK }] },
      act: async ({ signal, sidecar, post }) => {
        signal('SIGTERM');
        await until('the drain runs', () => sidecar.output().includes('"drain.close"'));
        expect(await post()).toMatchObject({ status: 200, body: { state: 'flat', trigger: 'SIGTERM' } });
      },
    }),
    'a signal joins the drain of a POST': flat(1, {
      bot: { close: [{ do: 'slow', ms: 500, answer: OK }] },
      act: async ({ signal, sidecar, post }) => {
        const answer = post();
        await until('the drain runs', () => sidecar.output().includes('"drain.close"'));
        signal('SIGTERM');
        expect(await answer).toMatchObject({ status: 200, body: { state: 'flat', trigger: 'http' } });
      },
      check: ({ last }) => expect(last.trigger).toBe('http'),
    }),
    'it answers to the last moment: not ready, but to be left alone': flat(1, {
      bot: { close: [{ do: 'slow', ms: 500, answer: OK }] },
      act: async ({ signal, sidecar }) => {
        signal('SIGTERM');
        await until('the drain runs', () => sidecar.output().includes('"drain.close"'));
        const ask = async (path: string) => (await fetch(sidecar.url + path)).status;
        expect([await ask('/readyz'), await ask('/livez'), await ask('/ping')]).toEqual([503, 200, 200]);
        const view = (await (await fetch(`${sidecar.url}/drain`)).json()) as Receipt;
        expect(view).toMatchObject({ trigger: 'SIGTERM', attempts: 1 });
      },
    }),
    'SIGQUIT abandons at once': {
      code: 3,
      state: 'abandoned',
      calls: 1,
      bot: always(HANG),
      act: async ({ signal, bot }) => {
        signal('SIGTERM');
        await until('the bot was called', async () => (await bot.closeCalls()).length > 0);
        signal('SIGQUIT');
      },
      check: ({ tookMs }) => expect(tookMs).toBeLessThan(3_000),
    },
  },

  'the second proof': {
    'says 0': flat(1, { env: { FLAT_CHECK_SQL: 'SELECT 0' } }),
    'says 0 with decimals': flat(1, { env: { FLAT_CHECK_SQL: 'SELECT 0::numeric(20, 8)' } }),
    'says a fraction': notFlat(MANY, { env: { FLAT_CHECK_SQL: 'SELECT 0.00000001' } }),
    'says 1': notFlat(MANY, { env: { FLAT_CHECK_SQL: 'SELECT 1' } }),
    fails: notFlat(1, { env: { FLAT_CHECK_SQL: 'SELECT count(*) FROM no_such_table' } }),
    'never answers': notFlat(1, { env: { FLAT_CHECK_SQL: 'SELECT count(*) FROM pg_sleep(60)' } }),
    'is not a number': notFlat(1, { env: { FLAT_CHECK_SQL: "SELECT 'none'" } }),
    'has no database': notFlat(1, {
      env: { FLAT_CHECK_SQL: 'SELECT 0', DATABASE_URL: 'postgres://trader:secret@127.0.0.1:1/none' },
    }),
    'says 0 after a while': flat([1, 5], {
      env: { FLAT_CHECK_SQL: 'SELECT count(*) FROM still_open' },
      act: async ({ signal, sidecar }) => {
        signal('SIGTERM');
        await until('it was asked', () => sidecar.output().includes('"drain.not_proven"'));
        const client = new pg.Client({ connectionString: postgres.url });
        await client.connect();
        await client.query('DELETE FROM still_open');
        await client.end();
      },
    }),
  },

  'what stands around it': {
    'an emergency endpoint that fails once': notFlat(MANY, {
      bot: always(status(500)),
      emergency: [status(500), OK],
      check: async (end) => {
        await calledForHelp(end);
        expect(await emergencies(end)).toHaveLength(2);
        expect(end.output).toContain('"drain.emergency_answered"');
      },
    }),
    'an emergency endpoint that never answers': notFlat(MANY, {
      bot: always(status(500)),
      emergency: [HANG],
      check: ({ output }) => expect(output).toContain('"drain.emergency_failed"'),
    }),
    'an emergency endpoint that redirects': notFlat(MANY, {
      bot: always(status(500)),
      emergency: [status(307, { location: '/elsewhere' })],
      check: async (end) => {
        expect((await end.helper.look()).seen.filter(({ path }) => path === '/elsewhere')).toEqual([]);
      },
    }),
    'no emergency endpoint': notFlat(MANY, {
      bot: always(status(500)),
      env: { EMERGENCY_CLOSE_URL: 'http://127.0.0.1:1/' },
      check: ({ output }) => expect(output).toContain('"drain.emergency_failed"'),
    }),
    'a webhook that never answers': notFlat(MANY, {
      bot: always(status(500)),
      alerts: [HANG],
      check: () => undefined,
    }),
    'a webhook that never answers, and a drain that goes well': flat(1, {
      alerts: [HANG],
      check: ({ tookMs }) => expect(tookMs).toBeLessThan(4_000),
    }),
    'a bot that quotes credentials in its error, and an emergency endpoint whose address is one': notFlat(1, {
      bot: always({
        do: 'status',
        status: 403,
        json: { error: 'no connection to postgres://bot:hunter22@db/bot' },
      }),
      emergency: [status(500)],
      check: ({ output, receipts }) => {
        const told = output + JSON.stringify(receipts);
        expect(told).toContain('no connection to');
        expect(told).not.toContain('hunter22');
        expect(told).not.toContain('/emergency');
      },
    }),
    'a webhook that refuses': flat(1, { alerts: [status(404)] }),
    'a webhook that hangs, and every signal again after the end': flat(1, {
      alerts: [HANG],
      act: async ({ sidecar, signal }) => {
        signal('SIGTERM');
        await until('the drain has ended', () => sidecar.output().includes('"drain.ended"'));
        for (const name of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) signal(name);
      },
      check: ({ receipts }) => expect(receipts.map(({ state }) => state)).toEqual(['started', 'flat']),
    }),
    'a drain log whose last line is torn': flat(1, {
      env: { DRAIN_LOG: 'torn' },
      check: ({ receipts }) =>
        expect(receipts.map(({ state }) => state)).toEqual(['flat', 'started', 'flat']),
    }),
  },
};

const EARLIER: Receipt = {
  drain_id: '0c2a1f0e-0000-4000-8000-000000000000',
  trigger: 'SIGTERM',
  state: 'flat',
  at: '2026-01-31T12:00:03.000Z',
  started_at: '2026-01-31T12:00:00.000Z',
  duration_ms: 3_000,
  boot: null,
  proof: [],
  bot_instance: 'long-gone',
  attempts: 1,
  open_positions: 0,
  pending_orders: 0,
  reason: 'two reads in a row showed nothing open and nothing pending',
};

for (const [group, cases] of Object.entries(CASES)) {
  describe.concurrent(group, () => {
    it.each(Object.entries(cases))('%s', { timeout: 60_000 }, async (_, given) => {
      const env: Record<string, string> = { ...given.env };
      if (env.FLAT_CHECK_SQL !== undefined) env.DATABASE_URL ??= postgres.url;
      if (env.DRAIN_LOG === 'torn') {
        const torn = join(folder, `torn-${count}`);
        mkdirSync(torn);
        env.DRAIN_LOG = join(torn, 'drains.jsonl');
        writeFileSync(env.DRAIN_LOG, `${JSON.stringify(EARLIER)}\n${JSON.stringify(EARLIER).slice(0, 70)}`);
      }
      await drainAndCheck({ ...given, env });
    });
  });
}

it('has sixty cases and more', () => {
  expect(Object.values(CASES).flatMap((cases) => Object.keys(cases)).length).toBeGreaterThanOrEqual(60);
});
