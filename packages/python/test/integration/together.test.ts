import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'vitest';
import { freePort, listening, start, until } from '../../../service/test/support/processes.ts';
import { python, startGate } from './gate-process.ts';

// The gate, the real sidecar and the reference bot, each a process of its own. A row does something to them, and says
// with which status the gate ends, what it says, which receipts there are, and how many drains the bot saw.

const TOKEN = 'drain-token-of-the-tests';
const top = path.join(import.meta.dirname, '../../../..');

/** The sidecar, from its sources. `env` has its PORT. */
async function startSidecar(env: Record<string, string>) {
  const running = start(process.execPath, [path.join(top, 'packages/sidecar/src/main.ts')], {
    cwd: top,
    env: { HOST: '127.0.0.1', ...env },
    url: `http://127.0.0.1:${env.PORT}`,
  });
  await listening(running);
  return { ...running, env };
}

/** The parsed body of a GET, and its status. */
async function get(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

interface Row {
  /** What becomes of the three. */
  readonly act: (world: World) => Promise<unknown> | unknown;
  /** The bot's environment and the gate's. */
  readonly bot?: Record<string, string>;
  /** The sidecar's; null: there is none. */
  readonly sidecar?: Record<string, string> | null;
  /** What the bot is made to do once it trades. */
  readonly misbehave?: readonly string[];
  /** How the gate ends. Default 0. */
  readonly code?: number;
  /** What it says. */
  readonly says: RegExp;
  /** What it must not say. */
  readonly never?: RegExp;
  /** How the last drain of the sidecar ended; null: it had none. Undefined: that does not matter. */
  readonly receipt?: string | null;
  /** How many drains the bot closed something for. Default 1; null: that does not matter. */
  readonly drains?: number | null;
}

interface World {
  readonly gate: ReturnType<typeof startGate>;
  readonly sidecar: Awaited<ReturnType<typeof startSidecar>>;
  readonly bot: string;
  readonly misbehave: (mode: string) => Promise<unknown>;
  /** Waits until the sidecar is closing. */
  readonly closing: () => Promise<unknown>;
  /** Asks the sidecar to drain, as a person does. */
  readonly drain: () => Promise<Response>;
}

/** Its answer to the drain and the news over the lease come at the same moment. */
const flat = /: flat\. The bot gets SIGTERM\. \(the sidecar (proved it|said so over the lease)/;
const alone = /: flat\. The bot gets SIGTERM\. \(the bot closed, and twice nothing was open\.\)/;
const notFlat = /NOT FLAT: not proven within \d+s\. POSITIONS MAY BE OPEN\. The bot gets SIGTERM/;
/** Of the sidecar's budget five seconds are kept back: this leaves it three to close, and the gate four more. */
const short = { bot: { GATE_TIMEOUT: '12s' }, sidecar: { DRAIN_TIMEOUT: '8s', CLOSE_TIMEOUT: '2s' } };
const quickToHeal = {
  PROBE_INTERVAL: '200ms',
  PROBE_TIMEOUT: '500ms',
  FAILURE_THRESHOLD: '2',
  STARTUP_GRACE: '2s',
};

const term = ({ gate }: World) => gate.kill('SIGTERM');

const refusedFirst = async (world: World) => {
  await world.gate.says(/gives no lease/);
  term(world);
};

const rows: Record<string, Row> = {
  'docker stop': { act: term, says: flat, receipt: 'flat' },
  'docker stop, twice, and SIGQUIT': {
    act: async ({ gate }) => {
      gate.kill('SIGTERM');
      await gate.says(/stop asked for/);
      gate.kill('SIGTERM');
      gate.kill('SIGQUIT');
    },
    bot: { MISBEHAVE: 'slow-close:1' },
    says: flat,
    receipt: 'flat',
  },
  'docker stop while the bot loads its model': {
    bot: { MODEL_LOAD_SECONDS: '600' },
    act: term,
    says: flat,
    receipt: 'flat',
    drains: 0,
  },
  'compose stop: the sidecar first': {
    act: async (world) => {
      world.sidecar.child.kill('SIGTERM');
      await world.sidecar.exited;
      term(world);
    },
    says: /: flat\. The bot gets SIGTERM\. \(the sidecar said so over the lease/,
    never: /its own API/,
  },
  'the engine goes down: both at once': {
    act: (world) => {
      world.sidecar.child.kill('SIGTERM');
      term(world);
    },
    says: /: flat\. The bot gets SIGTERM/,
  },
  'docker stop, and the sidecar is stopped in the middle': {
    bot: { MISBEHAVE: 'slow-close:1' },
    act: async (world) => {
      term(world);
      await world.closing();
      world.sidecar.child.kill('SIGTERM');
    },
    says: /: flat\. The bot gets SIGTERM/,
    never: /its own API/,
  },
  'the sidecar is killed first': {
    act: async (world) => {
      world.sidecar.child.kill('SIGKILL');
      await world.sidecar.exited;
      term(world);
    },
    says: alone,
  },
  'the sidecar is killed in the middle of the drain, and the bot sees one id': {
    bot: { MISBEHAVE: 'slow-close:3' },
    act: async (world) => {
      term(world);
      await world.closing();
      world.sidecar.child.kill('SIGKILL');
    },
    says: alone,
  },
  'the sidecar is frozen': {
    act: (world) => {
      world.sidecar.child.kill('SIGSTOP');
      term(world);
    },
    says: /no sign of a drain for 3s.*: flat\. The bot gets SIGTERM\. \(the bot closed/s,
  },
  'the sidecar freezes in the middle of the drain, and the bot sees one id': {
    bot: { MISBEHAVE: 'slow-close:2' },
    act: async (world) => {
      term(world);
      await world.closing();
      world.sidecar.child.kill('SIGSTOP');
    },
    says: /no sign of a drain for 3s.*: flat\. The bot gets SIGTERM\. \(the bot closed/s,
  },
  'the sidecar is frozen and thaws while the gate closes': {
    bot: { MISBEHAVE: 'slow-close:2' },
    act: async (world) => {
      world.sidecar.child.kill('SIGSTOP');
      term(world);
      await world.gate.says(/no sign of a drain/);
      world.sidecar.child.kill('SIGCONT');
    },
    says: /: flat\. The bot gets SIGTERM/,
  },
  'the sidecar was frozen for a while, long before': {
    act: async (world) => {
      world.sidecar.child.kill('SIGSTOP');
      await sleep(4_000);
      world.sidecar.child.kill('SIGCONT');
      await held(world.sidecar.url);
      term(world);
    },
    says: flat,
    receipt: 'flat',
  },
  'the sidecar was killed and is back': {
    act: async (world) => {
      world.sidecar.child.kill('SIGKILL');
      await world.sidecar.exited;
      const again = await startSidecar(world.sidecar.env);
      try {
        await held(again.url);
        term(world);
        await world.gate.exit;
      } finally {
        await again.end();
      }
    },
    says: flat,
  },
  'there is no sidecar': { sidecar: null, act: term, says: alone },
  'the sidecar has no DRAIN_TOKEN': {
    sidecar: { DRAIN_TOKEN: '' },
    act: refusedFirst,
    says: /gives no lease \(403: .*refuses to drain \(403\).*: flat\. The bot gets SIGTERM\. \(the bot closed/s,
    receipt: null,
  },
  'the sidecar has another DRAIN_TOKEN': {
    sidecar: { DRAIN_TOKEN: 'another' },
    act: refusedFirst,
    says: /gives no lease \(401: .*refuses to drain \(401\).*: flat\. The bot gets SIGTERM\. \(the bot closed/s,
    receipt: null,
  },
  'another boot holds the lease': {
    act: async (world) => {
      const gone = new AbortController();
      const { DRAIN_LOG: _, ...env } = world.sidecar.env;
      const sidecar = await startSidecar({ ...env, PORT: String(await freePort()) });
      try {
        const headers = { 'botwarden-boot': 'another', authorization: `Bearer ${TOKEN}`, prefer: 'wait=20' };
        fetch(`${sidecar.url}/livez`, { headers, signal: gone.signal }).catch(() => {});
        await until('it has the lease', async () => (await metric(sidecar.url, 'lease_held')) === 1);
        using gate = startGate([python, '-c', 'import time; time.sleep(600)'], {
          SIDECAR_URL: sidecar.url,
          BOT_URL: world.bot,
          DRAIN_TOKEN: TOKEN,
        });
        await gate.says(/takes another boot \(another\) for the current one/);
        gate.kill('SIGTERM');
        if ((await gate.exit) !== 143) throw new Error(gate.log());
        if (!/refuses to drain \(409\).*: flat\..*the bot closed/s.test(gate.log()))
          throw new Error(gate.log());
      } finally {
        gone.abort();
        await sidecar.end();
      }
      term(world);
    },
    says: /: flat\. The bot gets SIGTERM/,
    drains: 1,
  },
  'a person drained it before': {
    act: async (world) => {
      const { status } = await world.drain();
      if (status !== 200) throw new Error(`the drain of a person was answered with ${status}`);
      await sleep(300);
      term(world);
    },
    says: /: flat\. The bot gets SIGTERM\. \(the sidecar said so over the lease/,
  },
  'a person’s drain is under way': {
    bot: { MISBEHAVE: 'slow-close:1' },
    act: async (world) => {
      void world.drain().catch(() => {});
      await world.closing();
      term(world);
    },
    says: /: flat\. The bot gets SIGTERM/,
    never: /its own API/,
    receipt: 'flat',
  },
  'a bot that closes slowly': {
    bot: { MISBEHAVE: 'slow-close:6', GATE_TIMEOUT: '60s' },
    act: term,
    says: flat,
    never: /its own API/,
    receipt: 'flat',
  },
  'a bot that closes one position for each call': {
    misbehave: ['partial-close'],
    bot: { GATE_TIMEOUT: '60s' },
    act: term,
    says: flat,
    receipt: 'flat',
  },
  'a bot that ignores SIGTERM': {
    misbehave: ['ignore-sigterm'],
    act: term,
    code: 137,
    says: /: flat\..*it got SIGKILL/s,
    receipt: 'flat',
  },
  'a bot that refuses to close': {
    ...short,
    misbehave: ['refuse-close'],
    act: term,
    says: notFlat,
    receipt: 'not_flat',
    drains: 0,
  },
  'a bot that fails to close': {
    ...short,
    misbehave: ['fail-close'],
    act: term,
    says: notFlat,
    receipt: 'not_flat',
    drains: 0,
  },
  'a bot that says that it closed, and did not': {
    ...short,
    misbehave: ['lie-close'],
    act: term,
    says: notFlat,
    receipt: 'not_flat',
    drains: 0,
  },
  'a bot that hangs': {
    ...short,
    misbehave: ['hang'],
    act: term,
    says: notFlat,
    receipt: 'not_flat',
    drains: 0,
  },
  'a bot that hangs, and a sidecar that is frozen': {
    ...short,
    misbehave: ['hang'],
    act: (world) => {
      world.sidecar.child.kill('SIGSTOP');
      term(world);
    },
    says: notFlat,
    drains: 0,
  },
  'a bot that dies while it is being closed': {
    bot: { MISBEHAVE: 'slow-close:20' },
    act: async (world) => {
      term(world);
      await world.closing();
      await world.misbehave('crash').catch(() => {});
    },
    code: 1,
    says: /NOT FLAT: the bot died while its stop was held back\. POSITIONS MAY BE OPEN/,
    drains: 0,
  },
  'a bot that hangs is restarted': {
    sidecar: quickToHeal,
    misbehave: ['hang'],
    act: () => {},
    code: 75,
    says: /asks for a restart of the bot \(503 from \/livez\)/,
    never: /FLAT/,
    receipt: null,
    drains: 0,
  },
  'a bot that lost its model and ignores SIGTERM is restarted': {
    sidecar: quickToHeal,
    misbehave: ['ignore-sigterm', 'unload-model'],
    act: () => {},
    code: 75,
    says: /asks for a restart of the bot.*it got SIGKILL/s,
    receipt: null,
    drains: 0,
  },
  'a stop that comes while the bot is being restarted': {
    sidecar: quickToHeal,
    misbehave: ['ignore-sigterm', 'unload-model'],
    act: async (world) => {
      await world.gate.says(/asks for a restart/);
      term(world);
    },
    code: 75,
    says: /NOT FLAT: SIGTERM came while the bot was being restarted/,
    drains: null,
  },
  'a second proof says that something is open': {
    ...short,
    sidecar: { ...short.sidecar, FLAT_CHECK_URL: 'open' },
    act: term,
    says: /NOT FLAT: the bot shows nothing open, but the sidecar says: .*FLAT_CHECK_URL says 1, not 0/,
    receipt: 'not_flat',
  },
  'Ctrl-C of the terminal reaches the gate alone': {
    bot: { MISBEHAVE: 'slow-close:1' },
    act: ({ gate }) => process.kill(-gate.pid, 'SIGINT'),
    says: /SIGINT: stop asked for.*: flat\. The bot gets SIGTERM/s,
    receipt: 'flat',
  },
};

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^botwarden_${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

const held = (url: string) =>
  until(
    'the gate holds the lease',
    async () => (await metric(url, 'lease_held').catch(() => 0)) === 1,
    40_000,
  );

/** Something that answers as the exchange does: there is one position left. */
async function stillOpen() {
  const server = createServer((_, response) => response.end('{"open_positions":1,"pending_orders":0}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

describe.concurrent('gate, sidecar and bot together:', () => {
  test.for(Object.entries(rows))('%s', { timeout: 120_000 }, async ([, row], { expect }) => {
    const [botPort, sidecarPort] = [await freePort(), await freePort()];
    const bot = `http://127.0.0.1:${botPort}`;
    const exchange = row.sidecar?.FLAT_CHECK_URL === 'open' ? await stillOpen() : undefined;
    const folder = mkdtempSync(path.join(tmpdir(), 'gate-together-'));
    const env = {
      PORT: String(sidecarPort),
      DRAIN_LOG: path.join(folder, 'drains.jsonl'),
      BOT_URL: bot,
      DRAIN_TOKEN: TOKEN,
      EXPECTED_MODELS: 'signal',
      PROBE_INTERVAL: '500ms',
      ...row.sidecar,
      ...(exchange && { FLAT_CHECK_URL: exchange.url }),
    };
    const sidecarUrl = row.sidecar === null ? '' : `http://127.0.0.1:${sidecarPort}`;
    using gate = startGate(
      [python, '-m', 'bot'],
      {
        PYTHONPATH: path.join(top, 'docker/bot'),
        PYTHONDONTWRITEBYTECODE: '1',
        HOST: '127.0.0.1',
        PORT: String(botPort),
        BOT_TICK_INTERVAL: '0.05',
        ALLOW_MISBEHAVIOUR: '1',
        SIDECAR_URL: sidecarUrl,
        BOT_URL: bot,
        DRAIN_TOKEN: TOKEN,
        GATE_TIMEOUT: '40s',
        ...row.bot,
      },
      { detached: true },
    );
    const sidecar = await startSidecar(env);
    try {
      const events = () => gate.events.map((line) => parse(line.slice('bot: '.length)));
      await until('the bot listens', () => gate.events.some((line) => line.includes('"listening"')));
      if (row.bot?.MODEL_LOAD_SECONDS === undefined)
        await until('the bot has opened something', async () => {
          const { body } = await get(`${bot}/positions`);
          return (
            (body.open_positions as unknown[]).length > 0 && (body.pending_orders as unknown[]).length > 0
          );
        });
      if (row.sidecar !== null && row.sidecar?.DRAIN_TOKEN === undefined) await held(sidecar.url);
      if (row.sidecar !== null && row.bot?.MODEL_LOAD_SECONDS === undefined)
        await until('it is ready', async () => (await get(`${sidecar.url}/readyz`)).status === 200);
      const misbehave = async (mode: string) =>
        fetch(`${bot}/misbehave`, { method: 'POST', body: JSON.stringify({ mode }) });
      for (const mode of row.misbehave ?? []) await misbehave(mode);
      await row.act({
        gate,
        sidecar,
        bot,
        misbehave,
        closing: () =>
          until(
            'the sidecar is closing',
            async () => (await get(`${sidecar.url}/drain`)).body.phase === 'closing',
          ),
        drain: () =>
          fetch(`${sidecar.url}/drain`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } }),
      });
      const code = await gate.exit;
      const told = `${gate.log()}\n${sidecar.output().slice(-3000)}`;
      expect(code, told).toBe(row.code ?? 0);
      expect(gate.log(), told).toMatch(row.says);
      if (row.never) expect(gate.log()).not.toMatch(row.never);
      expect(gate.processes()).toEqual([]);
      const boot = events().find(({ event }) => event === 'listening')?.instance;
      const ids = new Set(
        events()
          .filter(({ event }) => event === 'position_closed' || event === 'order_cancelled')
          .map(({ reason }) => /^close-positions (.*)$/.exec(String(reason))?.[1])
          .filter(Boolean),
      );
      if (row.drains !== null) expect([...ids], told).toHaveLength(row.drains ?? 1);
      if (row.receipt !== undefined) {
        const newest = () => readReceipts(env.DRAIN_LOG).at(-1)?.state ?? null;
        // The gate is told before it is on disk: what is told never waits for a disk.
        await until(`the newest receipt says ${row.receipt}: ${told}`, () => newest() === row.receipt);
        const receipts = readReceipts(env.DRAIN_LOG);
        for (const receipt of receipts) expect(receipt.boot).toBe(boot);
        if (row.receipt === 'flat')
          expect(receipts.at(-1)).toMatchObject({ open_positions: 0, pending_orders: 0 });
      }
    } finally {
      sidecar.child.kill('SIGCONT');
      await sidecar.end();
      exchange?.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** The receipts on disk. */
function readReceipts(file: string): Record<string, unknown>[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(parse);
  } catch {
    return [];
  }
}

function parse(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}
