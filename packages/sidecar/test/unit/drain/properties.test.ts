import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createDrainer } from '../../../src/drain/drain.ts';
import type { Receipt, ReceiptLog } from '../../../src/drain/receipts.ts';
import {
  type CloseBehaviour,
  type Mishap,
  type ReadBehaviour,
  type Script,
  type SimulatedBot,
  simulateBot,
} from '../../support/simulated-bot.ts';

const DRAIN_TIMEOUT = 8_000;
const RESERVE = 2_000;
/** Sequences per run; more with PROPERTY_RUNS. */
const RUNS = Number(process.env.PROPERTY_RUNS ?? 3_000);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const closeBehaviour = fc.constantFrom<CloseBehaviour>(
  'closes',
  'closes one',
  'accepts, closes later',
  'closes, then the connection breaks',
  'says nothing of counts',
  '503',
  '429 for a while',
  '401',
  'malformed',
  'hangs',
  'hangs and ignores its signal',
);
const readBehaviour = fc.oneof(
  { weight: 6, arbitrary: fc.constant<ReadBehaviour>('answers') },
  {
    weight: 2,
    arbitrary: fc.constantFrom<ReadBehaviour>('500', 'malformed', 'hangs', 'hangs and ignores its signal'),
  },
);
const mishap: fc.Arbitrary<Mishap> = fc.record({
  atMs: fc.integer({ min: 0, max: DRAIN_TIMEOUT }),
  what: fc.constantFrom('restarts', 'dies', 'opens a position', 'places an order', 'fills an order'),
});
const scriptOf = (tells: boolean): fc.Arbitrary<Script> =>
  fc
    .record({
      open: fc.integer({ min: 0, max: 3 }),
      pending: fc.integer({ min: 0, max: 2 }),
      latencyMs: fc.constantFrom(1, 20, 120),
      tells: fc.constant(tells),
      hasHealth: tells ? fc.constant(true) : fc.boolean(),
      closes: fc.array(
        tells ? fc.oneof(closeBehaviour, fc.constant<CloseBehaviour>('lies')) : closeBehaviour,
        {
          minLength: 1,
          maxLength: 6,
        },
      ),
      reads: fc.array(readBehaviour, { minLength: 1, maxLength: 12 }),
      mishaps: fc.array(mishap, { maxLength: 5 }),
      // A bot that does not say which boot it is gives itself away by being gone for longer than a pause between reads.
      downMs: tells ? fc.constantFrom(1, 30, 600, 3_000) : fc.constantFrom(900, 3_000),
    })
    .map((script) => ({
      ...script,
      // Only what it says of itself shows that a bot lied about halting, or restarted between two reads.
      healthFails: !script.closes.includes('lies') && script.downMs >= 600,
    }));

interface Surroundings {
  readonly proof: 'none' | 'true' | 'late' | 'fails' | 'hangs';
  readonly paper: 'kept' | 'lost' | 'hangs';
  readonly alerting: 'delivers' | 'fails' | 'hangs';
  readonly emergency: 'none' | 'answers' | 'fails' | 'hangs';
  readonly drainedBefore: boolean;
  /** Second signals, and SIGQUIT. */
  readonly signals: readonly { readonly atMs: number; readonly quit: boolean }[];
  readonly jitter: number;
}

const surroundings: fc.Arbitrary<Surroundings> = fc.record({
  proof: fc.constantFrom('none', 'none', 'true', 'late', 'fails', 'hangs'),
  paper: fc.constantFrom('kept', 'kept', 'kept', 'lost', 'hangs'),
  alerting: fc.constantFrom('delivers', 'fails', 'hangs'),
  emergency: fc.constantFrom('none', 'answers', 'fails', 'hangs'),
  drainedBefore: fc.boolean(),
  signals: fc.array(
    fc.record({
      atMs: fc.integer({ min: 1, max: DRAIN_TIMEOUT }),
      quit: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
    { maxLength: 3 },
  ),
  jitter: fc.double({ min: 0, max: 0.99, noNaN: true }),
});

interface Course {
  readonly receipt: Receipt | null;
  readonly tookMs: number;
  /** The truth about the bot at the moment of the last receipt. */
  readonly flatThen: boolean;
  readonly world: SimulatedBot;
  readonly endedAt: number;
  readonly kept: readonly Receipt[];
  readonly said: readonly string[];
}

async function drainOnce(script: Script, around: Surroundings): Promise<Course> {
  vi.spyOn(Math, 'random').mockReturnValue(around.jitter);
  const world = simulateBot(script);
  const kept: Receipt[] = [];
  const said: string[] = [];
  const say = (fields: Readonly<Record<string, unknown>>): void => void said.push(String(fields.event));
  const never = new Promise<never>(() => undefined);
  const before = { state: around.drainedBefore && world.flat() ? 'flat' : 'not_flat' } as Receipt;
  const receipts: ReceiptLog = {
    append: async (receipt) => {
      kept.push(receipt);
      if (around.paper === 'lost') throw new Error('read-only file system');
      if (around.paper === 'hangs') await never;
    },
    newest: () => kept,
    last: () => kept.at(-1),
    lastOf: () => before,
    unfinished: () => undefined,
    problem: () => null,
  };
  const act = async (how: string): Promise<void> => {
    if (how === 'hangs') await never;
    if (how === 'fails') throw new Error('no');
  };
  const { proof } = around;
  const drainer = createDrainer({
    bot: world.bot,
    receipts,
    log: { info: say, warn: say, error: say },
    drainTimeoutMs: DRAIN_TIMEOUT,
    closeTimeoutMs: 1_000,
    readTimeoutMs: 500,
    reserveMs: RESERVE,
    clock: { now: () => Date.now(), elapsed: () => performance.now() },
    currentInstance: () => (script.tells ? world.instance() : null),
    alert: () => act(around.alerting),
    ...(around.emergency === 'none' ? {} : { emergency: () => act(around.emergency) }),
    ...(proof === 'none'
      ? {}
      : {
          flatCheck: async () => {
            await act(proof);
            const truth = world.flat() ? 0 : 1;
            if (proof === 'late') await new Promise((resolve) => setTimeout(resolve, 600));
            return truth;
          },
        }),
  });

  let receipt: Receipt | null = null;
  let endedAt = Number.POSITIVE_INFINITY;
  let flatThen: boolean | null = null;
  const startedAt = performance.now();
  void drainer.drain('SIGTERM').then((last) => {
    receipt = last;
    endedAt = performance.now();
  });
  for (const { atMs, quit } of around.signals) {
    setTimeout(() => {
      if (receipt !== null) return;
      void (quit ? drainer.abandon('SIGQUIT') : drainer.drain('SIGINT'));
    }, atMs);
  }
  // The end is decided when the state changes, before the paper is written: the truth is taken then.
  drainer.on('change', (view) => {
    if (view.phase === 'ended') flatThen ??= world.flat();
  });
  // Long past every deadline: whatever still moves shows itself.
  await vi.advanceTimersByTimeAsync(DRAIN_TIMEOUT + 4_000);
  world.stop();
  vi.clearAllTimers();
  return { receipt, tookMs: endedAt - startedAt, flatThen: flatThen ?? false, world, endedAt, kept, said };
}

function holds({ receipt, tookMs, flatThen, world, endedAt, kept, said }: Course): void {
  // Never silence.
  if (receipt === null) throw new Error('the drain ended in silence');
  expect(kept.map((line) => line.state)).toEqual(['started', receipt.state]);
  expect(said.filter((event) => event === 'drain.ended')).toHaveLength(1);
  // Never flat with something open.
  if (receipt.state === 'flat') expect(flatThen).toBe(true);
  if (receipt.state === 'flat') expect([receipt.open_positions, receipt.pending_orders]).toEqual([0, 0]);
  // Never past DRAIN_TIMEOUT.
  expect(tookMs).toBeLessThanOrEqual(DRAIN_TIMEOUT);
  // Never a close call after the end; never two at once that the drain started knowingly; one key.
  expect(world.closeCalls.filter((call) => call.at > endedAt)).toEqual([]);
  expect(new Set(world.closeCalls.map((call) => call.key)).size).toBeLessThanOrEqual(1);
  expect(receipt.attempts).toBe(world.closeCalls.length);
}

async function check(tells: boolean, runs: number): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(scriptOf(tells), surroundings, async (script, around) => {
      const course = await drainOnce(script, around);
      holds(course);
      const state = course.receipt?.state ?? 'silence';
      outcomes[state] = (outcomes[state] ?? 0) + 1;
    }),
    { numRuns: runs },
  );
  return outcomes;
}

it('keeps its four promises whatever a bot does that says which boot it is and whether it trades', async () => {
  const outcomes = await check(true, RUNS);
  // A run that never gets to flat, or always does, would prove nothing.
  expect(outcomes.flat).toBeGreaterThan(RUNS / 20);
  expect(outcomes.not_flat).toBeGreaterThan(RUNS / 20);
}, 300_000);

it('keeps its four promises with a bot that says neither', async () => {
  const outcomes = await check(false, Math.ceil(RUNS / 2));
  expect(outcomes.flat).toBeGreaterThan(RUNS / 40);
  expect(outcomes.not_flat).toBeGreaterThan(RUNS / 40);
}, 300_000);
