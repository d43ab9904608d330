import { describe, expect, it } from 'vitest';
import {
  begin,
  type DrainEffect,
  type DrainEvent,
  type DrainRules,
  type DrainState,
  exitCodeOf,
  type Outside,
  type Reading,
  reportable,
  step,
  type Vanished,
} from '../../../src/drain/machine.ts';

const RULES: DrainRules = {
  readsPositions: true,
  outside: [],
  readEveryMs: 250,
  closeAgainAfterMs: 1_000,
};
const NONE = { open: 0, pending: 0 };
const SOME = { open: 2, pending: 1 };

interface Setting {
  readonly rules?: Partial<DrainRules>;
  readonly boot?: string | null;
  readonly instance?: string | null;
  readonly bound?: boolean;
  readonly drainedFlat?: boolean;
  readonly bootEnded?: boolean;
  readonly vanished?: Vanished | null;
}
/** This boot was drained flat before, and its gate has gone. */
const OVER: Setting = { boot: 'A', drainedFlat: true, bootEnded: true };
const SQL: Setting = { rules: { outside: ['sql'] } };
const EXCHANGE: Setting = { rules: { outside: ['exchange'] } };

/** Events without the epoch of a read or the round of a proof, which are the current ones unless a case says otherwise. */
type Happening =
  | DrainEvent
  | ({ readonly type: 'look'; readonly at: number } & Partial<Reading>)
  | { readonly type: 'says'; readonly at: number; readonly source: Outside; readonly value: number }
  | { readonly type: 'fails'; readonly source: Outside; readonly why: string };

const look = (at: number, seen: Partial<Reading> = {}): Happening => ({ type: 'look', at, ...seen });
const zero = (at: number, seen: Partial<Reading> = {}): Happening => look(at, { counts: NONE, ...seen });
const some = (at: number, seen: Partial<Reading> = {}): Happening => look(at, { counts: SOME, ...seen });
const failed = (more: Partial<DrainEvent & { type: 'attempt-failed' }> = {}): DrainEvent => ({
  type: 'attempt-failed',
  why: '503',
  final: false,
  gone: false,
  lostTouch: false,
  ...more,
});
const GONE = failed({ why: 'refused', gone: true, lostTouch: true });
const FINAL = failed({ why: '401', final: true });
const answered = (at: number, counts: typeof NONE | null = NONE, done = true): DrainEvent => ({
  type: 'close-answered',
  at,
  counts,
  done,
});
const STARTED: DrainEvent = { type: 'attempt-started' };
const says = (value: number, at = 280, source: Outside = 'sql'): Happening => ({
  type: 'says',
  at,
  source,
  value,
});
const PROVEN = says(0);
const JOINED: DrainEvent = { type: 'signal-joined', at: 300, boot: null };
const began = (boot: string, at = 300): DrainEvent => ({ type: 'boot-began', at, boot });
const ended = (boot: string): DrainEvent => ({ type: 'boot-ended', boot });
const VANISHED: Vanished = { boot: 'z', open: 2, nowOpen: 0 };
const HALTED = { trading: 'halted' } as const;
const DEADLINE: DrainEvent = { type: 'deadline' };

function run(events: readonly Happening[], { rules = {}, ...known }: Setting = {}) {
  const beginning = {
    boot: null,
    instance: 'a',
    bound: false,
    drainedFlat: false,
    bootEnded: false,
    vanished: null,
    ...known,
    at: 0,
  };
  let [state, effects] = begin({ ...RULES, ...rules }, beginning);
  for (const event of events) [state, effects] = step(state, concrete(event, state));
  return { state, effects };
}

function concrete(event: Happening, state: DrainState): DrainEvent {
  const { round } = state;
  if (event.type === 'says') return { ...event, type: 'proved', round };
  if (event.type === 'fails') return { ...event, type: 'proof-failed', round };
  if (event.type !== 'look') return event;
  return {
    counts: null,
    instance: 'a',
    boot: null,
    trading: null,
    lostTouch: false,
    gone: false,
    tookMs: 2,
    ...event,
    type: 'read',
    epoch: state.epoch,
  };
}

const types = (effects: readonly DrainEffect[]): string => effects.map((effect) => effect.type).join(' ');

// One way into each phase.
const PHASES = {
  closing: { events: [STARTED] },
  watching: { events: [STARTED, answered(10)] },
  refused: { events: [STARTED, FINAL, some(20)] },
  outside: { events: [STARTED, ended('A')], boot: 'A', bound: true, rules: { outside: ['exchange'] } },
  failing: { events: [STARTED, DEADLINE] },
  ended: { events: [STARTED, answered(10), zero(20), zero(270)] },
} as const;

const EVENTS: Readonly<Record<string, Happening>> = {
  'attempt-started': STARTED,
  'attempt-failed': failed(),
  'attempt-failed for good': FINAL,
  'close-answered': answered(300),
  'read: something open': some(300),
  'read: nothing open': zero(300),
  'read: unreadable': look(300),
  'read: another boot': zero(300, { instance: 'b' }),
  'the exchange says 0': says(0, 300, 'exchange'),
  'the exchange says 2': says(2, 300, 'exchange'),
  'the exchange fails': { type: 'fails', source: 'exchange', why: 'no connection' },
  'another boot begins': began('B'),
  'this boot ends': ended('A'),
  'a signal joins': JOINED,
  deadline: DEADLINE,
  'alarm-ended': { type: 'alarm-ended' },
  abandoned: { type: 'abandoned', why: 'SIGQUIT' },
};

// phase, event, phase after it, effects. What is not listed changes nothing.
const TRANSITIONS: readonly (readonly [keyof typeof PHASES, string, DrainState['phase'], string])[] = [
  ['closing', 'attempt-started', 'closing', 'stop-reading'],
  ['closing', 'attempt-failed', 'closing', 'read'],
  ['closing', 'attempt-failed for good', 'refused', 'read'],
  ['closing', 'close-answered', 'watching', 'read'],
  ['closing', 'read: something open', 'closing', 'read'],
  ['closing', 'read: nothing open', 'closing', 'read'],
  ['closing', 'read: unreadable', 'closing', 'read'],
  ['closing', 'read: another boot', 'closing', 'read'],
  ['closing', 'another boot begins', 'closing', ''],
  ['closing', 'a signal joins', 'closing', ''],
  ['closing', 'deadline', 'failing', 'stop-closing stop-reading stop-proving alarm'],
  ['closing', 'abandoned', 'ended', 'stop-closing stop-reading stop-proving end'],

  ['watching', 'attempt-started', 'closing', 'stop-reading'],
  ['watching', 'attempt-failed', 'watching', 'read'],
  ['watching', 'attempt-failed for good', 'refused', 'read'],
  ['watching', 'close-answered', 'watching', 'read'],
  ['watching', 'read: something open', 'watching', 'read'],
  ['watching', 'read: nothing open', 'watching', 'read'],
  ['watching', 'read: unreadable', 'watching', 'read'],
  ['watching', 'read: another boot', 'closing', 'stop-reading stop-closing close'],
  ['watching', 'another boot begins', 'closing', 'stop-reading stop-closing close'],
  ['watching', 'a signal joins', 'watching', ''],
  ['watching', 'deadline', 'failing', 'stop-closing stop-reading stop-proving alarm'],
  ['watching', 'abandoned', 'ended', 'stop-closing stop-reading stop-proving end'],

  ['refused', 'attempt-started', 'closing', 'stop-reading'],
  ['refused', 'attempt-failed', 'refused', 'read'],
  ['refused', 'attempt-failed for good', 'refused', 'read'],
  ['refused', 'close-answered', 'watching', 'read'],
  ['refused', 'read: something open', 'refused', 'read'],
  ['refused', 'read: nothing open', 'refused', 'read'],
  ['refused', 'read: unreadable', 'refused', 'read'],
  ['refused', 'read: another boot', 'closing', 'stop-reading stop-closing close'],
  ['refused', 'another boot begins', 'refused', ''],
  ['refused', 'a signal joins', 'refused', ''],
  ['refused', 'deadline', 'failing', 'stop-closing stop-reading stop-proving alarm'],
  ['refused', 'abandoned', 'ended', 'stop-closing stop-reading stop-proving end'],

  ['outside', 'the exchange says 0', 'outside', 'stop-proving prove'],
  ['outside', 'the exchange says 2', 'outside', 'stop-proving prove'],
  ['outside', 'the exchange fails', 'outside', 'stop-proving prove'],
  ['outside', 'a signal joins', 'outside', ''],
  ['outside', 'deadline', 'failing', 'stop-closing stop-reading stop-proving alarm'],
  ['outside', 'abandoned', 'ended', 'stop-closing stop-reading stop-proving end'],

  ['failing', 'alarm-ended', 'ended', 'stop-closing stop-reading stop-proving end'],
  ['failing', 'abandoned', 'ended', 'stop-closing stop-reading stop-proving end'],
];

describe('every transition', () => {
  for (const [phase, { events, ...setting }] of Object.entries(PHASES)) {
    for (const [name, event] of Object.entries(EVENTS)) {
      const known = TRANSITIONS.find(([from, by]) => from === phase && by === name);
      const title = known === undefined ? 'changes nothing' : `leads to ${known[2]}, with: ${known[3]}`;
      it(`${phase}, ${name}: ${title}`, () => {
        const before = run(events, setting);
        expect(before.state.phase).toBe(phase);
        const [after, effects] = step(before.state, concrete(event, before.state));
        if (known === undefined) {
          expect(after).toBe(before.state);
          expect(effects).toEqual([]);
        } else {
          expect([after.phase, types(effects)]).toEqual([known[2], known[3]]);
        }
      });
    }
  }

  it('lists no transition that is not tried', () => {
    for (const [phase, event] of TRANSITIONS)
      expect([phase in PHASES, event in EVENTS]).toEqual([true, true]);
  });
});

// What leads to which outcome. `null`: not over yet.
const STORIES: readonly (readonly [string, readonly Happening[], Setting, DrainState['outcome'] | null])[] = [
  ['two reads of nothing after an answer', [STARTED, answered(10), zero(20), zero(270)], {}, 'flat'],
  ['one read of nothing is not enough', [STARTED, answered(10), zero(20)], {}, null],
  [
    'nothing, unreadable, nothing is not two in a row',
    [STARTED, answered(10), zero(20), look(270), zero(520)],
    {},
    null,
  ],
  [
    'nothing, something, nothing is not two in a row',
    [STARTED, answered(10), zero(20), some(270), zero(520)],
    {},
    null,
  ],
  [
    'pending orders alone are not flat',
    [
      STARTED,
      answered(10),
      look(20, { counts: { open: 0, pending: 1 } }),
      look(270, { counts: { open: 0, pending: 1 } }),
    ],
    {},
    null,
  ],
  ['an answer that nothing is left is not enough', [STARTED, answered(10, NONE)], {}, null],
  [
    'reads from before the answer do not count',
    [STARTED, failed(), zero(5), STARTED, answered(10), zero(20)],
    {},
    null,
  ],
  [
    'reads of a halted bot from before a further call do not count',
    [STARTED, failed(), zero(5, { trading: 'halted' }), STARTED, answered(10), zero(20)],
    {},
    null,
  ],
  [
    'a bot that was never asked and never halted is not flat',
    [STARTED, failed(), zero(20), zero(270)],
    {},
    null,
  ],
  [
    'a bot that trades on after its answer is not flat',
    [STARTED, answered(10), zero(20, { trading: 'running' }), zero(270, { trading: 'running' })],
    {},
    null,
  ],
  [
    'a halted bot with nothing open is flat, whatever became of the answer',
    [STARTED, failed(), zero(20, { trading: 'halted' }), zero(270, { trading: 'halted' })],
    {},
    'flat',
  ],
  [
    'a refused call on a halted bot with nothing open is flat',
    [STARTED, FINAL, zero(20, { trading: 'halted' }), zero(270, { trading: 'halted' })],
    {},
    'flat',
  ],
  [
    'a refused call on a bot that is not known to be halted is not flat',
    [STARTED, FINAL, zero(20), zero(270), DEADLINE, { type: 'alarm-ended' }],
    {},
    'not_flat',
  ],
  [
    'another boot between the reads',
    [STARTED, answered(10), zero(20), zero(270, { instance: 'b' }), zero(520, { instance: 'b' })],
    {},
    null,
  ],
  [
    'another boot, asked and read twice',
    [
      STARTED,
      answered(10),
      zero(20),
      zero(270, { instance: 'b' }),
      STARTED,
      answered(300),
      zero(310, { instance: 'b' }),
      zero(560, { instance: 'b' }),
    ],
    {},
    'flat',
  ],
  [
    'a broken connection, and the same boot again',
    [STARTED, answered(10), look(20, { lostTouch: true }), zero(270), zero(520)],
    {},
    'flat',
  ],
  [
    'a broken connection, and a boot that does not say which it is',
    [
      STARTED,
      answered(10),
      look(20, { lostTouch: true }),
      zero(270, { instance: null }),
      zero(520, { instance: null }),
    ],
    {},
    null,
  ],
  [
    'a bot that never says which boot it is, and whose connection holds',
    [STARTED, answered(10), zero(20, { instance: null }), zero(270, { instance: null })],
    { instance: null },
    'flat',
  ],
  ['gone, and its boot was drained flat before', [STARTED, GONE], OVER, 'nothing_to_do'],
  [
    'gone after it answered, and its boot was drained flat before',
    [STARTED, answered(10), look(20, { gone: true, lostTouch: true })],
    OVER,
    'nothing_to_do',
  ],
  ['gone, and never drained', [STARTED, GONE], {}, null],
  ['a time-out of a boot that was drained flat', [STARTED, failed()], OVER, null],
  [
    'drained flat before, but something is open now, and then it is gone',
    [STARTED, failed(), some(20), STARTED, GONE],
    OVER,
    null,
  ],
  ['gone and drained flat, with a proof to come', [STARTED, GONE], { ...OVER, ...SQL }, null],
  ['gone and drained flat, proven', [STARTED, GONE, says(0, 20)], { ...OVER, ...SQL }, 'nothing_to_do'],
  [
    'gone and drained flat, contradicted',
    [STARTED, GONE, says(1, 20), STARTED, GONE],
    { ...OVER, ...SQL },
    null,
  ],
  [
    'proven, and one more read of nothing',
    [STARTED, answered(10), zero(20), zero(270), PROVEN, zero(290)],
    SQL,
    'flat',
  ],
  [
    'proven, and another boot at the read after it',
    [STARTED, answered(10), zero(20), zero(270), PROVEN, zero(290, { instance: 'b' })],
    SQL,
    null,
  ],
  [
    'proven, and unreadable after it',
    [STARTED, answered(10), zero(20), zero(270), PROVEN, look(290), zero(540), zero(790)],
    SQL,
    null,
  ],
  [
    'without positions, an answer that nothing is left',
    [STARTED, answered(10)],
    { rules: { readsPositions: false } },
    'flat',
  ],
  [
    'without positions, an acceptance',
    [STARTED, answered(10, NONE, false)],
    { rules: { readsPositions: false } },
    null,
  ],
  [
    'without positions, an answer that something is left',
    [STARTED, answered(10, SOME)],
    { rules: { readsPositions: false } },
    null,
  ],
  [
    'without positions, an answer without counts',
    [STARTED, answered(10, null)],
    { rules: { readsPositions: false } },
    null,
  ],
  [
    'without positions, refused',
    [STARTED, FINAL, { type: 'alarm-ended' }],
    { rules: { readsPositions: false } },
    'not_flat',
  ],
  [
    'a 202 and nothing open is a promise: flat only when the bot says that it is halted',
    [STARTED, answered(10, NONE, false), zero(20), zero(270)],
    {},
    null,
  ],
  [
    'a 202, and the bot says that it is halted',
    [STARTED, answered(10, NONE, false), zero(20, HALTED), zero(270, HALTED)],
    {},
    'flat',
  ],
  [
    'a 202, and a second close call answered with 200',
    [STARTED, answered(10, NONE, false), zero(1_020), STARTED, answered(1_030), zero(1_040), zero(1_290)],
    {},
    'flat',
  ],
  [
    'a boot that nobody names and that was not looked at for longer than three reads may be another one',
    [STARTED, answered(10), zero(20, { instance: null }), zero(1_100, { instance: null })],
    { instance: null },
    null,
  ],
  [
    'a boot that its gate names is the same one, however long nobody looked',
    [
      STARTED,
      answered(10),
      zero(20, { instance: null, boot: 'A' }),
      zero(9_000, { instance: null, boot: 'A' }),
    ],
    { instance: null, boot: 'A' },
    'flat',
  ],
  [
    'another boot takes the lease between the reads, though the bot names neither',
    [
      STARTED,
      answered(10),
      zero(20, { instance: null, boot: 'A' }),
      began('B'),
      zero(520, { instance: null, boot: 'B' }),
      zero(770, { instance: null, boot: 'B' }),
    ],
    { instance: null, boot: 'A' },
    null,
  ],
  [
    'another boot takes the lease while the close call is under way: its answer may be that of the boot before',
    [STARTED, began('B', 5), zero(20, { boot: 'B' }), zero(270, { boot: 'B' })],
    { boot: 'A' },
    null,
  ],
  [
    'a restart during a slow proof, of a bot that does not say which boot it is',
    [
      STARTED,
      answered(10),
      zero(20, { instance: null }),
      zero(270, { instance: null }),
      look(500, { instance: null, lostTouch: true }),
      zero(700, { instance: null }),
      says(0, 900),
      zero(910, { instance: null }),
      zero(1_160, { instance: null }),
    ],
    { ...SQL, instance: null },
    null,
  ],
  [
    'one of two proofs is not enough',
    [STARTED, answered(10), zero(20), zero(270), says(0, 280), zero(290), zero(540)],
    { rules: { outside: ['sql', 'exchange'] } },
    null,
  ],
  [
    'both proofs, and one more read',
    [STARTED, answered(10), zero(20), zero(270), says(0, 280), says(0, 285, 'exchange'), zero(290)],
    { rules: { outside: ['sql', 'exchange'] } },
    'flat',
  ],
  [
    'something opens after one proof was given: it is asked for again',
    [STARTED, answered(10), zero(20), zero(270), PROVEN, some(290), zero(540), zero(790)],
    SQL,
    null,
  ],
  [
    'its gate is still there: a boot that was drained flat is not over',
    [STARTED, GONE],
    { ...OVER, bootEnded: false },
    null,
  ],
  [
    'a caller that is itself alive never hears that there is nothing to do',
    [STARTED, GONE],
    { ...OVER, bound: true },
    null,
  ],
  [
    'its gate goes after it was found gone',
    [STARTED, GONE, ended('A'), STARTED, GONE],
    { ...OVER, bootEnded: false },
    'nothing_to_do',
  ],
  ['another boot begins after that', [STARTED, failed(), began('B', 5), STARTED, GONE], OVER, null],
  [
    'the boot of the caller ends, and nothing but the bot could prove flat',
    [STARTED, answered(10), zero(20), ended('A'), { type: 'alarm-ended' }],
    { boot: 'A', bound: true },
    'not_flat',
  ],
  [
    'the boot of the caller ends: the database of the bot is no proof without the bot',
    [STARTED, answered(10), zero(20), ended('A'), { type: 'alarm-ended' }],
    { boot: 'A', bound: true, ...SQL },
    'not_flat',
  ],
  [
    'the boot of the caller ends, and the exchange shows nothing, twice',
    [STARTED, answered(10), ended('A'), says(0, 300, 'exchange'), says(0, 600, 'exchange')],
    { boot: 'A', bound: true, ...EXCHANGE },
    'flat',
  ],
  [
    'the boot of the caller ends, and the exchange shows nothing, something, nothing',
    [
      STARTED,
      answered(10),
      ended('A'),
      says(0, 300, 'exchange'),
      says(1, 600, 'exchange'),
      says(0, 900, 'exchange'),
    ],
    { boot: 'A', bound: true, ...EXCHANGE },
    null,
  ],
  [
    'the drain of a caller does not go over to the boot that follows',
    [STARTED, answered(10), zero(20), zero(270, { instance: 'b' }), { type: 'alarm-ended' }],
    { boot: 'A', bound: true },
    'not_flat',
  ],
  [
    'a signal joins the drain of a caller: it does go over to the boot that follows',
    [
      STARTED,
      answered(10),
      JOINED,
      began('B'),
      STARTED,
      answered(1_400),
      zero(1_410, { boot: 'B' }),
      zero(1_660, { boot: 'B' }),
    ],
    { boot: 'A', bound: true },
    'flat',
  ],
  [
    'the boot has ended, nothing answers, and the exchange shows nothing, twice',
    [STARTED, GONE, says(0, 300, 'exchange'), says(0, 600, 'exchange')],
    { boot: 'A', bootEnded: true, ...EXCHANGE },
    'flat',
  ],
  [
    'the boot has ended, and another begins while the exchange is asked',
    [STARTED, GONE, says(0, 300, 'exchange'), began('B', 500), says(0, 600, 'exchange')],
    { boot: 'A', bootEnded: true, ...EXCHANGE },
    null,
  ],
  [
    'nothing answers, but its gate is still there: the exchange alone proves nothing',
    [STARTED, GONE, says(0, 300, 'exchange'), says(0, 600, 'exchange')],
    { boot: 'A', ...EXCHANGE },
    null,
  ],
  [
    'a signal joins the drain of a boot that has ended, and another boot runs',
    [STARTED, ended('A'), { ...JOINED, boot: 'B' }, says(0, 400, 'exchange'), says(0, 600, 'exchange')],
    { boot: 'A', bound: true, ...EXCHANGE },
    null,
  ],
  [
    'positions vanished between two boots, and nothing but the bot could prove flat',
    [STARTED, answered(10), zero(20), zero(270), { type: 'alarm-ended' }],
    { vanished: VANISHED },
    'not_flat',
  ],
  [
    'positions vanished between two boots, and a proof from outside says 0',
    [STARTED, answered(10), zero(20), zero(270), PROVEN, zero(290)],
    { vanished: VANISHED, ...SQL },
    'flat',
  ],
  [
    'positions vanished, and are seen again',
    [STARTED, failed(), some(5), STARTED, answered(10), zero(20), zero(270)],
    { vanished: VANISHED },
    'flat',
  ],
  ['out of time', [STARTED, DEADLINE, { type: 'alarm-ended' }], {}, 'not_flat'],
  ['abandoned', [STARTED, { type: 'abandoned', why: 'SIGQUIT' }], {}, 'abandoned'],
];

describe('how a drain ends', () => {
  it.each(STORIES)('%s: %4$s', (_, events, setting, outcome) => {
    expect(run(events, setting).state.outcome).toBe(outcome);
  });
});

describe('a close call is made again', () => {
  const again = (events: readonly Happening[], setting: Setting = {}) =>
    run(events, setting).effects.find((effect) => effect.type === 'close');

  it('when something is left and nothing closed for a while', () => {
    expect(again([STARTED, answered(10, SOME), some(1_009)])).toBeUndefined();
    expect(again([STARTED, answered(10, SOME), some(1_010)])).toEqual({ type: 'close', afterMs: 0 });
  });

  it('not while positions are closing', () => {
    const closing = look(900, { counts: { open: 1, pending: 0 } });
    expect(
      again([STARTED, answered(10, SOME), closing, look(1_500, { counts: { open: 1, pending: 0 } })]),
    ).toBeUndefined();
  });

  it('when the bot says that it is trading', () => {
    expect(again([STARTED, answered(10), zero(1_010, { trading: 'running' })])).toEqual({
      type: 'close',
      afterMs: 0,
    });
  });

  it('to another boot, but not faster than to the same one', () => {
    expect(again([STARTED, answered(10), zero(310, { instance: 'b' })])).toEqual({
      type: 'close',
      afterMs: 700,
    });
    expect(again([STARTED, answered(10), zero(5_000, { instance: 'b' })])).toEqual({
      type: 'close',
      afterMs: 0,
    });
  });

  it('not to another boot that says it is halted', () => {
    expect(again([STARTED, answered(10), zero(5_000, { instance: 'b', trading: 'halted' })])).toBeUndefined();
  });

  it('when the proof keeps contradicting the bot', () => {
    const proof = (at: number): Happening => says(1, at);
    expect(again([STARTED, answered(10), zero(20), zero(270), proof(280)], SQL)).toBeUndefined();
    expect(again([STARTED, answered(10), zero(20), zero(270), proof(1_010)], SQL)).toEqual({
      type: 'close',
      afterMs: 0,
    });
  });

  it('not because positions cannot be read', () => {
    expect(again([STARTED, answered(10), look(5_000)])).toBeUndefined();
  });

  it('where it says that what it shows does not count, as after it was let trade on', () => {
    expect(again([STARTED, answered(10, null), look(1_009, { unsettled: true })])).toBeUndefined();
    expect(again([STARTED, answered(10, null), look(1_010, { unsettled: true })])).toEqual({
      type: 'close',
      afterMs: 0,
    });
  });
});

describe('what is reported as open', () => {
  it.each([
    ['nothing known at first', [STARTED], null],
    ['what was last read', [STARTED, failed(), some(10)], SOME],
    ['what was open when it could last be read', [STARTED, failed(), some(10), look(260)], SOME],
    ['no zero from a read that is not the last', [STARTED, answered(5), zero(10), look(260)], null],
    ['what the answer said, where nothing was read', [STARTED, answered(5, SOME)], SOME],
  ] as const)('%s', (_, events, counts) => {
    expect(reportable(run(events).state)).toEqual(counts);
  });
});

describe('the reason and the proof of the receipt', () => {
  it('is the contradiction of a proof, not the weaker sentence of a later read', () => {
    const events = [STARTED, answered(10), zero(20), zero(270), says(2), zero(530), look(780), DEADLINE];
    expect(run(events, SQL).state.reason).toMatch(/FLAT_CHECK_SQL says 2, not 0$/);
  });

  it('names what vanished', () => {
    const { state } = run([STARTED, answered(10), zero(20), zero(270)], { vanished: VANISHED });
    expect(state.reason).toMatch(/boot z ended with 2 open position\(s\) and the next one reports 0/);
  });

  it.each([
    ['the bot', [], {}, ['bot']],
    ['the bot and the database', [PROVEN, zero(290)], SQL, ['bot', 'sql']],
    ['the bot and the exchange', [says(0, 280, 'exchange'), zero(290)], EXCHANGE, ['bot', 'exchange']],
  ] as const)('names who said so: %s', (_, more, setting, proof) => {
    const { state } = run([STARTED, answered(10), zero(20), zero(270), ...more], setting);
    expect([state.outcome, state.proof]).toEqual(['flat', proof]);
  });
});

it('raises one early alarm when the call is refused, with what is open', () => {
  const { state, effects } = run([STARTED, FINAL, some(10)]);
  expect(effects[0]).toEqual({ type: 'alarm', early: true });
  const [, later] = step(state, concrete(some(260), state));
  expect(types(later)).toBe('read');
});

it('ignores a read of an earlier stretch', () => {
  const { state } = run([STARTED, answered(10)]);
  const stale = { ...concrete(zero(20), state), epoch: state.epoch - 1 } as DrainEvent;
  expect(step(state, stale)).toEqual([state, []]);
});

it.each([
  ['flat', 0],
  ['nothing_to_do', 0],
  ['not_flat', 3],
  ['abandoned', 3],
] as const)('%s is exit code %i', (outcome, code) => {
  expect(exitCodeOf(outcome)).toBe(code);
});
