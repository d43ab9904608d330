import { createMonitor, probe } from '@botwarden/probes';
import { createFakeClock } from '@botwarden/probes/testing';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Receipt } from '../../src/drain/receipts.ts';
import { receiptsInMemory } from '../../src/drain/receipts.ts';
import { createGuard, type Guard } from '../../src/guard.ts';
import { createKnownModels } from '../../src/watch/known-models.ts';
import type { OpenNow } from '../../src/watch/open-now.ts';
import { createTickLimit } from '../../src/watch/tick-limit.ts';

// Whatever is kept is made anew as well each time it is asked for, and has to be the same.
let compared = 0;
vi.mock('../../src/watch/remade.ts', async (original) => {
  const { remade } = await original<typeof import('../../src/watch/remade.ts')>();
  return {
    remade: ((inputs, make) => {
      const kept = remade(inputs, make);
      return () => {
        const given = kept();
        const values = Object.entries(inputs).map(([name, read]) => [name, read()]);
        compared += 1;
        expect(given).toEqual(make(Object.fromEntries(values)));
        return given;
      };
    }) satisfies typeof remade,
  };
});

type Listener = (...values: never[]) => void;

/** Something that the guard listens to. */
function source() {
  const listeners = new Set<Listener>();
  return {
    on: (_event: string, listener: Listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell: (...values: unknown[]) => {
      for (const listener of listeners) (listener as (...all: unknown[]) => void)(...values);
    },
  };
}

function receipt(state: Receipt['state'], at: number, boot: string): Receipt {
  const iso = new Date(at).toISOString();
  return {
    ...{ drain_id: `drain-${at}-${state}`, trigger: 'http', state, at: iso, started_at: iso, duration_ms: 1 },
    ...{
      bot_instance: boot,
      boot,
      proof: [],
      attempts: 1,
      open_positions: 0,
      pending_orders: 0,
      reason: 'a test',
    },
  };
}

/** A guard among parts that a test changes by hand. */
function guarded(maxPerHour = 5) {
  const fake = createFakeClock();
  const clock = { now: fake.now, elapsed: fake.monotonic };
  const bot = { instance: 'one', trading: 'running', api: 'ok', models: 'ok', database: 'ok' };
  const [drains, holds, leased] = [source(), source(), source()];
  let drain: { drain_id: string } | null = null;
  let hold: { since: string; reason: string } | null = null;
  let holder: string | null = null;
  let vanished: { boot: string; open: number; nowOpen: number } | null = null;
  let [problem, undelivered, stateProblem]: [string | null, number, string | null] = [null, 0, null];
  let openNow: OpenNow | null = null;
  const fails = (what: string, code: string): void => {
    if (what !== 'ok') throw Object.assign(new Error(`it is ${what}`), { code });
  };
  const monitor = createMonitor({
    interval: 1000,
    timeout: 500,
    spread: 0,
    failureThreshold: 2,
    clock: fake,
    probes: [
      probe('api', async () => {
        fails(bot.api, bot.api === 'gone' ? 'BOT_REFUSED' : 'BOT_TIMEOUT');
        return {
          details: { instance: bot.instance, trading: bot.trading, database: null, last_tick_at: null },
        };
      }),
      probe('models', async () => fails(bot.models, 'MODELS_NOT_LOADED')),
      { probe: probe('close-path', async () => fails(bot.database, 'BOT_REFUSED')), critical: false },
    ],
  });
  const receipts = receiptsInMemory([receipt('started', fake.now() - 1000, 'zero')]);
  const guard = createGuard({
    botName: 'bot',
    monitor,
    failureThreshold: 2,
    drainer: { current: () => drain, on: drains.on } as never,
    receipts: { ...receipts, problem: () => problem },
    leases: { holder: () => holder, last: () => holder, on: leased.on } as never,
    hold: { current: () => hold, known: Promise.resolve(), on: holds.on } as never,
    vanished: {
      concern: () => (vanished === null ? null : `${vanished.boot} lost positions`),
      current: () => vanished,
    },
    rules: { startupGraceMs: 2000, cooldownMs: 3000, maxPerHour },
    tickLimit: createTickLimit('auto', clock.elapsed),
    knownModels: createKnownModels(),
    memory: { load: async () => ({ value: null, problem: null }), save: () => undefined } as never,
    stateProblems: () => (stateProblem === null ? [] : [stateProblem]),
    openNow: () => openNow,
    alert: () => undefined,
    alertState: () => ({
      undelivered,
      problem: undelivered === 0 ? null : `${undelivered} are not delivered`,
    }),
    atTheCap: () => undefined,
    defects: { tell: () => undefined, guard: (_where, work) => work(), count: () => 0 },
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: () => undefined,
    } as never,
    clock,
  });
  const flip = <T>(now: T | null, other: T): T | null => (now === null ? other : null);
  const events: Record<string, () => unknown> = {
    second: () => fake.advance(1000),
    moment: () => fake.advance(130),
    suspended: () => fake.suspend(3000),
    'a second without a timer': () => fake.suspend(1000),
    'a long fault': async () => {
      bot.api = 'hung';
      await fake.advance(5000);
    },
    recovery: async () => {
      bot.api = 'ok';
      await fake.advance(1000);
    },
    'the wall clock is set': () => fake.jump(-60_000),
    'api ok': () => (bot.api = 'ok'),
    'api hangs': () => (bot.api = 'hung'),
    'api gone': () => (bot.api = 'gone'),
    models: () => (bot.models = bot.models === 'ok' ? 'missing' : 'ok'),
    'close path': () => (bot.database = bot.database === 'ok' ? 'down' : 'ok'),
    'next boot': () => (bot.instance = bot.instance === 'one' ? 'two' : 'one'),
    halted: () => (bot.trading = bot.trading === 'running' ? 'halted' : 'running'),
    'trading is not told': () => (bot.trading = null as never),
    drain: () => {
      drain = flip(drain, { drain_id: `drain-${fake.now()}` });
      if (drain !== null) drains.tell(drain);
    },
    'a drain that nobody tells of': () => (drain = flip(drain, { drain_id: 'silent' })),
    receipt: () => receipts.append(receipt('flat', fake.now(), bot.instance)),
    'bad receipt': () => receipts.append(receipt('not_flat', fake.now(), bot.instance)),
    'bad receipt, and acknowledged': () => {
      receipts.append(receipt('not_flat', fake.now(), bot.instance));
      ask(guard);
      return receipts.acknowledge(new Date(fake.now()).toISOString());
    },
    acknowledged: () => receipts.acknowledge(new Date(fake.now()).toISOString()),
    hold: () => {
      hold = flip(hold, { since: 'then', reason: 'a person' });
      holds.tell(hold);
    },
    'a hold that nobody tells of': () => (hold = flip(hold, { since: 'then', reason: 'silent' })),
    'a lease that nobody tells of': () => (holder = flip(holder, bot.instance)),
    lease: () => {
      holder = flip(holder, bot.instance);
      leased.tell(bot.instance);
    },
    vanished: () => (vanished = flip(vanished, { boot: 'one', open: 2, nowOpen: 0 })),
    disk: () => (problem = flip(problem, 'the disk is full')),
    state: () => (stateProblem = flip(stateProblem, 'heal.json cannot be written')),
    alert: () => (undelivered = (undelivered + 1) % 3),
    positions: () =>
      (openNow = flip(openNow, {
        open_positions: 1,
        pending_orders: 0,
        open: null,
        pending: null,
        at: 'now',
      })),
    pause: () => monitor.pause({ until: new Date(fake.now() + 1500) }),
    resume: () => monitor.resume(),
    'lift what is latched': () => guard.acknowledge(),
  };
  return { guard, monitor, fake, events };
}

const ask = (guard: Guard): void => {
  guard.live();
  guard.ready();
  guard.health();
};

describe('what the guard answers', () => {
  it('is at any moment what would be made of its parts then, whatever happened before', async () => {
    const names = Object.keys(guarded().events);
    const event = fc.oneof(
      { weight: 2, arbitrary: fc.constantFrom('second', 'moment', 'a long fault', 'recovery', 'drain') },
      { weight: 3, arbitrary: fc.constantFrom(...names) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, 5),
        fc.array(event, { minLength: 5, maxLength: 40 }),
        async (cap, happens) => {
          const { guard, monitor, fake, events } = guarded(cap);
          await fake.flush();
          monitor.start();
          ask(guard);
          for (const name of happens) {
            await events[name]?.();
            ask(guard);
          }
          guard.close();
          await monitor.close();
        },
      ),
      { numRuns: 500 },
    );
    expect(compared).toBeGreaterThan(10_000);
  }, 120_000);

  it('is the same object until it is another answer', async () => {
    const { guard, monitor, fake } = guarded();
    await fake.flush();
    monitor.start();
    await fake.advance(0);
    const [live, ready, health] = [guard.live(), guard.ready(), guard.health()];
    expect(ready.ready).toBe(true);
    fake.suspend(500);
    expect([guard.live(), guard.ready(), guard.health()]).toEqual([live, ready, health]);
    expect(guard.ready()).toBe(ready);
    expect(guard.health()).toBe(health);
    // The result is too old: no timer has to fire for that.
    fake.suspend(2500);
    expect(guard.ready().ready).toBe(false);
    expect(guard.health().status).toBe('fail');
    guard.close();
    await monitor.close();
  });
});
