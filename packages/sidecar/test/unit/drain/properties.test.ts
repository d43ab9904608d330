import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createDrainer, type DrainView } from '../../../src/drain/drain.ts';
import { type Receipt, type ReceiptLog, receiptsInMemory } from '../../../src/drain/receipts.ts';
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
/** What timers that round up to whole milliseconds add. */
const ROUNDING_MS = 10;
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
      // A gate vouches for each boot, whatever the bot says of itself.
      gateLetsGoMs: fc.constantFrom(null, 1, 300, 3_000),
      halted: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    })
    .map((script) => ({
      ...script,
      // Only what it says of itself shows that a bot lied about halting, or restarted between two reads.
      healthFails: !script.closes.includes('lies') && script.downMs >= 600,
    }));

type Joiner = 'signal' | 'quit' | 'person' | 'gate';

interface Surroundings {
  readonly proof: 'none' | 'true' | 'late' | 'fails' | 'hangs' | 'exchange' | 'exchange, late';
  readonly paper: 'kept' | 'lost' | 'hangs';
  readonly alerting: 'delivers' | 'fails' | 'hangs';
  readonly emergency: 'none' | 'answers' | 'fails' | 'hangs';
  /** What starts it: a signal, a person, or the gate of the first boot. */
  readonly by: 'signal' | 'person' | 'gate';
  /** Who comes while it runs: signals, SIGQUIT, persons, and the gate of the boot that runs then. */
  readonly joiners: readonly { readonly atMs: number; readonly who: Joiner }[];
  readonly jitter: number;
}

const surroundings: fc.Arbitrary<Surroundings> = fc.record({
  proof: fc.constantFrom('none', 'none', 'true', 'late', 'fails', 'hangs', 'exchange', 'exchange, late'),
  paper: fc.constantFrom('kept', 'kept', 'kept', 'lost', 'hangs'),
  alerting: fc.constantFrom('delivers', 'fails', 'hangs'),
  emergency: fc.constantFrom('none', 'answers', 'fails', 'hangs'),
  by: fc.constantFrom('signal', 'signal', 'person', 'gate'),
  joiners: fc.array(
    fc.record({
      atMs: fc.integer({ min: 1, max: DRAIN_TIMEOUT }),
      who: fc.constantFrom<Joiner>('signal', 'signal', 'quit', 'person', 'gate', 'gate'),
    }),
    { maxLength: 4 },
  ),
  jitter: fc.double({ min: 0, max: 0.99, noNaN: true }),
});

/** One drain that ended, and the truth about the bot at that moment. */
interface Ended {
  readonly view: DrainView;
  readonly at: number;
  readonly flat: boolean;
  readonly nothingOpen: boolean;
  /** The gate's name of the boot that ran last. */
  readonly boot: string;
}

interface Answered {
  readonly who: Joiner;
  readonly askedAt: number;
  answeredAt: number;
}

interface Course {
  /** When whoever asked got the last receipt; Infinity for never. */
  readonly answers: readonly Answered[];
  readonly ended: readonly Ended[];
  readonly world: SimulatedBot;
  readonly kept: readonly Receipt[];
  readonly said: readonly string[];
}

const gateOf = (world: SimulatedBot): string => world.instance().replace('boot', 'gate');

async function drainOnce(script: Script, around: Surroundings): Promise<Course> {
  vi.spyOn(Math, 'random').mockReturnValue(around.jitter);
  const world = simulateBot(script);
  const kept: Receipt[] = [];
  const said: string[] = [];
  const say = (fields: Readonly<Record<string, unknown>>): void => void said.push(String(fields.event));
  const never = new Promise<never>(() => undefined);
  // An earlier drain left the first boot flat, and only that one.
  const before = (world.flat() ? { state: 'flat' } : undefined) as Receipt | undefined;
  const receipts: ReceiptLog = {
    ...receiptsInMemory(),
    append: async (receipt) => {
      kept.push(receipt);
      if (around.paper === 'lost') throw new Error('read-only file system');
      if (around.paper === 'hangs') await never;
    },
    lastOf: (boot) =>
      kept.findLast((receipt) => receipt.boot === boot) ?? (boot === 'gate-1' ? before : undefined),
  };
  const act = async (how: string): Promise<void> => {
    if (how === 'hangs') await never;
    if (how === 'fails') throw new Error('no');
  };
  const { proof } = around;
  const flatCheck = async (): Promise<number> => {
    await act(proof);
    const truth = world.nothingOpen() ? 0 : 1;
    if (proof === 'late' || proof === 'exchange, late')
      await new Promise((resolve) => setTimeout(resolve, 600));
    return truth;
  };
  const drainer = createDrainer({
    bot: world.bot,
    leases: world.leases,
    receipts,
    log: { info: say, warn: say, error: say },
    drainTimeoutMs: DRAIN_TIMEOUT,
    closeTimeoutMs: 1_000,
    readTimeoutMs: 500,
    reserveMs: RESERVE,
    clock: { now: () => Date.now(), elapsed: () => performance.now() },
    currentInstance: () => (script.tells ? world.instance() : null),
    lastTraded: world.lastTraded,
    alert: () => act(around.alerting),
    ...(around.emergency === 'none' ? {} : { emergency: () => act(around.emergency) }),
    ...(proof === 'none'
      ? {}
      : { flatChecks: { [proof.startsWith('exchange') ? 'exchange' : 'sql']: flatCheck } }),
  });

  const answers: Answered[] = [];
  const ended: Ended[] = [];
  // The end is decided when the state changes, before the receipt is written: the truth is taken then.
  drainer.on('change', (view) => {
    if (view.phase !== 'ended' || ended.some((one) => one.view.drain_id === view.drain_id)) return;
    ended.push({
      view,
      at: performance.now(),
      flat: world.flat(),
      nothingOpen: world.nothingOpen(),
      boot: gateOf(world),
    });
  });
  const ask = (who: Joiner): void => {
    if (who === 'quit') {
      void drainer.abandon('SIGQUIT');
      return;
    }
    const answer: Answered = { who, askedAt: performance.now(), answeredAt: Number.POSITIVE_INFINITY };
    answers.push(answer);
    // Only a gate that runs can ask.
    const boot = who === 'gate' ? world.leases.holder() : null;
    const request = boot === null ? {} : { boot };
    void drainer.drain(who === 'signal' ? 'SIGTERM' : 'http', request).then(() => {
      answer.answeredAt = performance.now();
    });
  };
  ask(around.by);
  for (const { atMs, who } of around.joiners) setTimeout(() => ask(who), atMs);
  // Long past every deadline: whatever still moves shows itself.
  await vi.advanceTimersByTimeAsync(4 * DRAIN_TIMEOUT + 4_000);
  world.stop();
  vi.clearAllTimers();
  return { answers, ended, world, kept, said };
}

function holds({ answers, ended, world, kept, said }: Course): void {
  // Never silence.
  expect(ended.length).toBeGreaterThan(0);
  expect(said.filter((event) => event === 'drain.ended')).toHaveLength(ended.length);
  for (const { view, flat, nothingOpen, boot, at } of ended) {
    const lines = kept.filter(({ drain_id }) => drain_id === view.drain_id);
    const receipt = lines.at(-1);
    expect(lines.map(({ state }) => state)).toEqual(['started', receipt?.state]);
    if (receipt?.state === 'flat' || receipt?.state === 'nothing_to_do') {
      // Never flat with something open, nor of a boot that runs and may open again.
      // Of a boot that has ended the exchange alone can speak; the one that follows is another matter.
      const byExchangeAlone = receipt.state === 'flat' && !receipt.proof.includes('bot');
      const byAnother = [...world.openedBy].some((opener) => opener !== receipt.boot);
      expect(byExchangeAlone ? nothingOpen || byAnother : flat).toBe(true);
      expect([receipt.open_positions, receipt.pending_orders]).toEqual([0, 0]);
      // Never of another boot than the one that is named.
      if (receipt.boot !== null && receipt.proof.includes('bot')) expect(receipt.boot).toBe(boot);
    }
    // Never a close call after the end; one key for all of them.
    const calls = world.closeCalls.filter(({ key }) => key === view.drain_id);
    expect(calls.filter((call) => call.at > at)).toEqual([]);
    expect(receipt?.attempts).toBe(calls.length);
  }
  // A signal is answered within DRAIN_TIMEOUT, as far as timers round. A caller also waits for the drains of other boots
  // that come first, and for the whole budget that a signal gives.
  for (const { who, askedAt, answeredAt } of answers) {
    const drains = who === 'signal' ? 1 : ended.length + 1;
    expect(answeredAt - askedAt).toBeLessThanOrEqual(drains * DRAIN_TIMEOUT + ROUNDING_MS);
  }
}

async function check(tells: boolean, runs: number): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(scriptOf(tells), surroundings, async (script, around) => {
      const course = await drainOnce(script, around);
      holds(course);
      const state = course.kept.at(-1)?.state ?? 'silence';
      outcomes[state] = (outcomes[state] ?? 0) + 1;
    }),
    { numRuns: runs },
  );
  return outcomes;
}

it('keeps its promises whatever a bot does that says which boot it is and whether it trades', async () => {
  const outcomes = await check(true, RUNS);
  // A run that never gets to flat, or always does, would prove nothing.
  expect(outcomes.flat).toBeGreaterThan(RUNS / 20);
  expect(outcomes.not_flat).toBeGreaterThan(RUNS / 20);
}, 300_000);

it('keeps its promises with a bot that says neither', async () => {
  const outcomes = await check(false, Math.ceil(RUNS / 2));
  expect(outcomes.flat).toBeGreaterThan(RUNS / 40);
  expect(outcomes.not_flat).toBeGreaterThan(RUNS / 40);
}, 300_000);
