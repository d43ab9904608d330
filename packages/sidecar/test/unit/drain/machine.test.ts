import { describe, expect, it } from 'vitest';
import {
  begin,
  type DrainEffect,
  type DrainEvent,
  type DrainRules,
  type DrainState,
  exitCodeOf,
  type Reading,
  reportable,
  step,
} from '../../../src/drain/machine.ts';

const RULES: DrainRules = {
  readsPositions: true,
  hasProof: false,
  readEveryMs: 250,
  closeAgainAfterMs: 1_000,
};
const NONE = { open: 0, pending: 0 };
const SOME = { open: 2, pending: 1 };

interface Setting {
  readonly rules?: Partial<DrainRules>;
  readonly instance?: string | null;
  readonly alreadyFlat?: boolean;
}

/** Events without the epoch of a read, which is always the current one unless a case says otherwise. */
type Happening = DrainEvent | ({ readonly type: 'look'; readonly at: number } & Partial<Reading>);

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
const PROVEN: DrainEvent = { type: 'proved', at: 280, value: 0 };
const DEADLINE: DrainEvent = { type: 'deadline' };

function run(
  events: readonly Happening[],
  { rules = {}, instance = 'a', alreadyFlat = false }: Setting = {},
) {
  let [state, effects] = begin({ ...RULES, ...rules }, { instance, alreadyFlat, at: 0 });
  for (const event of events) [state, effects] = step(state, concrete(event, state));
  return { state, effects };
}

function concrete(event: Happening, state: DrainState): DrainEvent {
  if (event.type !== 'look') return event;
  return {
    counts: null,
    instance: 'a',
    trading: null,
    lostTouch: false,
    gone: false,
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
  proving: { events: [STARTED, answered(10), zero(20), zero(270)], rules: { hasProof: true } },
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
  'proved: 0': { type: 'proved', at: 300, value: 0 },
  'proved: 2': { type: 'proved', at: 300, value: 2 },
  'proof-failed': { type: 'proof-failed', why: 'no connection' },
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
  ['closing', 'deadline', 'failing', 'stop-closing stop-reading alarm'],
  ['closing', 'abandoned', 'ended', 'stop-closing stop-reading end'],

  ['watching', 'attempt-started', 'closing', 'stop-reading'],
  ['watching', 'attempt-failed', 'watching', 'read'],
  ['watching', 'attempt-failed for good', 'refused', 'read'],
  ['watching', 'close-answered', 'watching', 'read'],
  ['watching', 'read: something open', 'watching', 'read'],
  ['watching', 'read: nothing open', 'watching', 'read'],
  ['watching', 'read: unreadable', 'watching', 'read'],
  ['watching', 'read: another boot', 'closing', 'stop-reading stop-closing close'],
  ['watching', 'deadline', 'failing', 'stop-closing stop-reading alarm'],
  ['watching', 'abandoned', 'ended', 'stop-closing stop-reading end'],

  ['refused', 'attempt-started', 'closing', 'stop-reading'],
  ['refused', 'attempt-failed', 'refused', 'read'],
  ['refused', 'attempt-failed for good', 'refused', 'read'],
  ['refused', 'close-answered', 'watching', 'read'],
  ['refused', 'read: something open', 'refused', 'read'],
  ['refused', 'read: nothing open', 'refused', 'read'],
  ['refused', 'read: unreadable', 'refused', 'read'],
  ['refused', 'read: another boot', 'closing', 'stop-reading stop-closing close'],
  ['refused', 'deadline', 'failing', 'stop-closing stop-reading alarm'],
  ['refused', 'abandoned', 'ended', 'stop-closing stop-reading end'],

  ['proving', 'attempt-started', 'closing', 'stop-reading'],
  ['proving', 'attempt-failed', 'proving', 'read'],
  ['proving', 'attempt-failed for good', 'refused', 'read'],
  ['proving', 'close-answered', 'watching', 'read'],
  ['proving', 'proved: 0', 'watching', 'read'],
  ['proving', 'proved: 2', 'watching', 'read'],
  ['proving', 'proof-failed', 'watching', 'read'],
  ['proving', 'deadline', 'failing', 'stop-closing stop-reading alarm'],
  ['proving', 'abandoned', 'ended', 'stop-closing stop-reading end'],

  ['failing', 'alarm-ended', 'ended', 'stop-closing stop-reading end'],
  ['failing', 'abandoned', 'ended', 'stop-closing stop-reading end'],
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
  ['gone, and its boot was drained flat before', [STARTED, GONE], { alreadyFlat: true }, 'nothing_to_do'],
  [
    'gone after it answered, and its boot was drained flat before',
    [STARTED, answered(10), look(20, { gone: true, lostTouch: true })],
    { alreadyFlat: true },
    'nothing_to_do',
  ],
  ['gone, and never drained', [STARTED, GONE], {}, null],
  ['a time-out of a boot that was drained flat', [STARTED, failed()], { alreadyFlat: true }, null],
  [
    'drained flat before, but something is open now, and then it is gone',
    [STARTED, failed(), some(20), STARTED, GONE],
    { alreadyFlat: true },
    null,
  ],
  [
    'gone and drained flat, with a proof to come',
    [STARTED, GONE],
    { alreadyFlat: true, rules: { hasProof: true } },
    null,
  ],
  [
    'gone and drained flat, proven',
    [STARTED, GONE, { type: 'proved', at: 20, value: 0 }],
    { alreadyFlat: true, rules: { hasProof: true } },
    'nothing_to_do',
  ],
  [
    'gone and drained flat, contradicted',
    [STARTED, GONE, { type: 'proved', at: 20, value: 1 }, STARTED, GONE],
    { alreadyFlat: true, rules: { hasProof: true } },
    null,
  ],
  [
    'proven, and one more read of nothing',
    [STARTED, answered(10), zero(20), zero(270), PROVEN, zero(290)],
    { rules: { hasProof: true } },
    'flat',
  ],
  [
    'proven, and another boot at the read after it',
    [STARTED, answered(10), zero(20), zero(270), PROVEN, zero(290, { instance: 'b' })],
    { rules: { hasProof: true } },
    null,
  ],
  [
    'proven, and unreadable after it',
    [STARTED, answered(10), zero(20), zero(270), PROVEN, look(290), zero(540), zero(790)],
    { rules: { hasProof: true } },
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
    const proof = (at: number): Happening => ({ type: 'proved', at, value: 1 });
    const rules = { hasProof: true };
    expect(again([STARTED, answered(10), zero(20), zero(270), proof(280)], { rules })).toBeUndefined();
    expect(again([STARTED, answered(10), zero(20), zero(270), proof(1_010)], { rules })).toEqual({
      type: 'close',
      afterMs: 0,
    });
  });

  it('not because positions cannot be read', () => {
    expect(again([STARTED, answered(10), look(5_000)])).toBeUndefined();
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
