import { describe, expect, it } from 'vitest';
import type { Facts } from '../../../src/heal/facts.ts';
import {
  acknowledge,
  beginHealing,
  type HealRules,
  type HealState,
  heal,
  UNHEEDED_AFTER_MS,
  VERDICT_STANDS_MS,
} from '../../../src/heal/heal.ts';

const RULES: HealRules = { startupGraceMs: 120_000, cooldownMs: 60_000, maxPerHour: 5 };
const HEALTHY: Facts = {
  api: 'answers',
  instance: 'boot-1',
  lease: null,
  ready: true,
  halted: false,
  loopHangs: null,
  modelsMissing: false,
  databaseLost: false,
  database: 'up',
  held: false,
  drained: false,
  heeded: true,
};
const ILL: Facts = { ...HEALTHY, ready: false };
const STALE: Facts = { ...ILL, loopHangs: 'old' };
const GONE: Facts = { ...ILL, api: 'gone', instance: null };
const HUNG: Facts = { ...ILL, api: 'silent', instance: null };
const SECOND: Facts = { ...HEALTHY, instance: 'boot-2' };
const nth = (n: number): Facts => ({ ...HEALTHY, instance: `boot-${n}` });
/** The same, with the lease held by the gate of a boot. */
const leased = (facts: Facts, lease: string): Facts => ({ ...facts, lease });

type Looks = ReadonlyArray<readonly [second: number, facts: Facts]>;

/** Plays looks, each at its second, and tells at which of them a verdict stood. */
function play(looks: Looks, rules = RULES, from = beginHealing(0)) {
  let state: HealState = from;
  const standing: number[] = [];
  let verdicts = 0;
  for (const [second, facts] of looks) {
    const before = state.verdict;
    state = heal(state, facts, second * 1000, rules);
    if (state.verdict !== null) standing.push(second);
    if (state.verdict !== null && before === null) verdicts += 1;
  }
  return { state, standing, verdicts };
}
/** One look each second, from one to the other. */
const every = (from: number, to: number, facts: Facts): Array<readonly [number, Facts]> =>
  Array.from({ length: to - from + 1 }, (_, n) => [from + n, facts] as const);

describe('a bot that was ready and then fails', () => {
  it.each([
    ['its API answers that it is ill', { ...HUNG, api: 'fails' }, 'api'],
    ['its API does not answer', HUNG, 'api'],
    ['its last tick is too old', STALE, 'tick'],
    ['its loop has not run once', { ...ILL, loopHangs: 'began' }, 'tick'],
    ['its models are gone', { ...ILL, modelsMissing: true }, 'models'],
    ['it says its database is lost while the database works', { ...ILL, databaseLost: true }, 'database'],
  ] as const)('is to be restarted when %s', (_what, facts, reason) => {
    const { state } = play([
      [0, HEALTHY],
      [10, facts],
    ]);
    expect(state.verdict).toMatchObject({ reason, boot: 'boot-1' });
  });

  it.each([
    ['nothing is wrong but readiness', ILL],
    ['nothing is known', { ...ILL, api: 'unknown', instance: null }],
    ['a drain, a hold or maintenance stands', { ...HUNG, held: true }],
    ['it answers, in a way that no restart can mend', { ...HUNG, api: 'refuses' }],
    ['its host name does not resolve', { ...GONE, api: 'unnamed' }],
    ['its database is down', { ...HUNG, database: 'down' }],
    ['its database is down and its loop waits for it', { ...STALE, database: 'down' }],
  ] as const)('is left alone for hours when %s', (_what, facts) => {
    const looks: Looks = [[0, HEALTHY], ...every(10, 7_200, facts)];
    expect(play(looks).standing).toEqual([]);
  });

  it('is left alone when it is gone, as the next boot may be loading', () => {
    expect(play([[0, HEALTHY], ...every(10, 129, GONE)]).standing).toEqual([]);
  });
});

describe('a database that was down', () => {
  const down = { ...HUNG, database: 'down' } as const;

  it('leaves the bot the time of a cool-down to connect again', () => {
    const looks: Looks = [[0, HEALTHY], ...every(10, 100, down), ...every(101, 200, HUNG)];
    expect(play(looks).standing[0]).toBe(101 + 60);
  });

  it('counts for nothing where it was never seen up: its address may be wrong', () => {
    const never = { ...HEALTHY, database: 'down' } as const;
    expect(
      play([
        [0, never],
        [10, down],
      ]).standing,
    ).toEqual([10]);
  });
});

describe('a bot that starts', () => {
  const loading = { ...ILL, modelsMissing: true };

  it('is left alone for STARTUP_GRACE, and not a second longer', () => {
    expect(play(every(0, 119, loading)).standing).toEqual([]);
    expect(play(every(0, 120, loading)).standing).toEqual([120]);
  });

  it('has its grace from the moment the last boot went, which is not begun anew while nothing answers', () => {
    const looks: Array<readonly [number, Facts]> = [[0, HEALTHY]];
    for (let second = 10; second <= 140; second += 5) looks.push([second, GONE]);
    expect(play(looks).standing[0]).toBe(130);
  });

  it('has a whole grace from its first answer, however long nothing answered before', () => {
    const second = { ...loading, instance: 'boot-2' };
    const { standing } = play([
      [0, HEALTHY],
      [10, GONE],
      [100, second],
      [150, second],
      [219, second],
      [220, second],
    ]);
    expect(standing).toEqual([220]);
  });

  it('has a whole grace from its first answer, too, when its gate was there long before', () => {
    const second = leased({ ...loading, instance: 'boot-2' }, 'boot-2');
    const { standing } = play([
      [0, leased(HEALTHY, 'boot-1')],
      [10, leased(GONE, 'boot-2')],
      [100, second],
      [219, second],
      [220, second],
    ]);
    expect(standing).toEqual([220]);
  });

  it('is not taken for ready by what is still known of the boot before', () => {
    const second = { ...loading, instance: 'boot-2' };
    const { standing, state } = play([
      [0, HEALTHY],
      [10, SECOND],
      [30, second],
      [129, second],
    ]);
    expect(standing).toEqual([]);
    expect(state.reached).toBe(false);
  });

  it('is not taken for ready by it either when its gate tells of it first', () => {
    const { state } = play([
      [0, leased(HEALTHY, 'boot-1')],
      [10, leased({ ...HEALTHY, api: 'unknown' }, 'boot-2')],
      [11, leased({ ...HEALTHY, api: 'unknown' }, 'boot-2')],
    ]);
    expect(state.reached).toBe(false);
  });

  it('that was ready once is no longer starting', () => {
    expect(
      play([
        [0, ILL],
        [5, HEALTHY],
        [20, HUNG],
      ]).standing,
    ).toEqual([20]);
  });

  it('and does not say which boot it is, is told from the last by having been gone', () => {
    const nameless = { ...HEALTHY, instance: null };
    const next = { ...loading, instance: null };
    expect(
      play([
        [0, nameless],
        [10, GONE],
        [20, next],
        [100, next],
      ]).standing,
    ).toEqual([]);
  });

  it('is not another boot when its API was away for a moment', () => {
    const { state } = play([
      [0, HEALTHY],
      [10, GONE],
      [20, HEALTHY],
    ]);
    expect(state.boots).toEqual({ asked: 0, unasked: 0 });
    expect(state.reached).toBe(true);
  });
});

describe('a verdict', () => {
  it.each([
    ['another boot answers', SECOND],
    ['the gate of another boot takes the lease', leased(HUNG, 'boot-2')],
    ['the bot is seen gone', GONE],
    ['the bot is ready again by itself', HEALTHY],
    ['a drain begins', { ...HUNG, held: true }],
  ] as const)('no longer stands when %s', (_what, facts) => {
    const { standing } = play([
      [0, HEALTHY],
      [10, HUNG],
      [11, HUNG],
      [12, facts],
      [13, facts],
    ]);
    expect(standing).toEqual([10, 11]);
  });

  it('names the boot as its gate does', () => {
    const { state } = play([
      [0, leased({ ...HEALTHY, instance: 'its own name' }, 'boot-1')],
      [10, leased(HUNG, 'boot-1')],
    ]);
    expect(state.verdict?.boot).toBe('boot-1');
  });

  it('does not stand for ever when nobody heeds it', () => {
    const end = 10 + VERDICT_STANDS_MS / 1000;
    expect(play([[0, HEALTHY], ...every(10, end + 1, HUNG)]).standing.at(-1)).toBe(end - 1);
  });

  it('is followed by a cool-down in which there is no other, and by another if that did not help', () => {
    const end = 10 + VERDICT_STANDS_MS / 1000;
    const { standing, verdicts } = play([
      [0, HEALTHY],
      [10, HUNG],
      [end, HUNG],
      [end + 59, HUNG],
      [end + 60, HUNG],
    ]);
    expect(standing).toEqual([10, end + 60]);
    expect(verdicts).toBe(2);
  });

  it('does not meet the next boot, which hangs in its turn only after the cool-down', () => {
    const hungAgain = { ...STALE, instance: 'boot-2' };
    const { standing } = play([
      [0, HEALTHY],
      [10, HUNG],
      [12, SECOND],
      [13, SECOND],
      [30, hungAgain],
      [71, hungAgain],
      [72, hungAgain],
    ]);
    expect(standing).toEqual([10, 72]);
  });
});

describe('a restart counts under the cap when a boot followed the verdict', () => {
  it.each<[string, Looks, number]>([
    ['another boot answered', [[12, SECOND]], 1],
    ['the lease of another boot was taken', [[12, leased(HUNG, 'boot-2')]], 1],
    [
      'the API went, and another boot came back',
      [
        [12, GONE],
        [40, SECOND],
      ],
      1,
    ],
    ['the bot was ready again by itself', [[12, HEALTHY]], 0],
    ['nobody heeded it', [...every(11, 80, HUNG)], 0],
    [
      'the same boot came back after its API was away',
      [
        [12, GONE],
        [40, HEALTHY],
      ],
      0,
    ],
    [
      'it was stopped meanwhile, and started hours later',
      [
        [12, GONE],
        [4_000, SECOND],
      ],
      0,
    ],
  ])('%s', (_what, looks, heals) => {
    const { state } = play([[0, HEALTHY], [10, HUNG], ...looks]);
    expect(state.heals).toHaveLength(heals);
  });

  it('the API of a bot that does not name its boots went and came back', () => {
    const nameless = { ...HEALTHY, instance: null };
    const { state } = play([
      [0, nameless],
      [10, HUNG],
      [12, GONE],
      [20, nameless],
    ]);
    expect(state.heals).toEqual([20_000]);
  });

  it('a boot is counted once, however many signs of it there are', () => {
    const { state } = play([
      [0, leased(HEALTHY, 'boot-1')],
      [10, leased(HUNG, 'boot-1')],
      [12, GONE],
      [13, leased(GONE, 'boot-2')],
      [20, leased(SECOND, 'boot-2')],
      [25, leased(SECOND, 'boot-2')],
    ]);
    expect([state.heals.length, state.boots]).toEqual([1, { asked: 1, unasked: 0 }]);
  });
});

describe('a bot that is stopped on purpose', () => {
  const stopped: Looks = [
    [0, leased(HEALTHY, 'boot-1')],
    // The drain of the stop, and then nothing: neither gate nor API.
    [10, { ...leased(HEALTHY, 'boot-1'), held: true, drained: true }],
    ...every(12, 1_200, { ...GONE, drained: true }),
  ];

  it('is not to be restarted, however long it is away', () => {
    expect(play(stopped).standing).toEqual([]);
  });

  it('nor when its address no longer refuses, but swallows what is sent there', () => {
    const swallowed = every(12, 1_200, { ...HUNG, drained: true });
    expect(play([...stopped.slice(0, 2), ...swallowed]).standing).toEqual([]);
  });

  it('is healed when it was started again and hangs then, and has used up nothing', () => {
    const { standing, state } = play([
      ...stopped,
      [1_201, leased(GONE, 'boot-2')],
      [1_210, leased(SECOND, 'boot-2')],
      [1_220, leased(SECOND, 'boot-2')],
      [1_300, leased(HUNG, 'boot-2')],
    ]);
    expect(standing).toEqual([1_300]);
    expect(state.heals).toEqual([]);
  });

  it('is told from one whose API has died while its gate holds the lease', () => {
    const { standing } = play([[0, leased(HEALTHY, 'boot-1')], ...every(10, 131, leased(GONE, 'boot-1'))]);
    expect(standing[0]).toBe(130);
  });
});

describe('the cool-down', () => {
  /** Boots that each hang before they were ready, one after the other; gives when a verdict began. */
  function verdictsOf(readyAfterAll: boolean): number[] {
    let state = heal(beginHealing(0), HEALTHY, 0, { ...RULES, maxPerHour: 60 });
    const began: number[] = [];
    let boot = 1;
    for (let second = 10; second < 7_000; second += 1) {
      const before = state.verdict;
      const ill = { ...STALE, instance: `boot-${boot}` };
      state = heal(state, ill, second * 1000, { ...RULES, startupGraceMs: 0, maxPerHour: 60 });
      if (state.verdict === null || before !== null) continue;
      began.push(second);
      boot += 1;
      state = heal(state, { ...nth(boot), ready: false }, (second + 1) * 1000, RULES);
      if (readyAfterAll) state = heal(state, nth(boot), (second + 2) * 1000, RULES);
    }
    return began;
  }
  const gaps = (times: number[]): number[] => times.slice(1).map((time, n) => time - (times[n] ?? 0));

  it('doubles with each restart that did not lead to ready, up to an hour', () => {
    expect(gaps(verdictsOf(false)).slice(0, 5)).toEqual([61, 121, 241, 481, 961]);
  });

  it('stays as it is while each restart leads to ready', () => {
    expect(new Set(gaps(verdictsOf(true)))).toEqual(new Set([61]));
  });
});

describe('the cap', () => {
  /** A boot every five minutes, each of which is ready and then hangs. */
  const troubled = (boots: number): Looks =>
    Array.from({ length: boots }, (_, n): Looks => {
      const boot = nth(n);
      return [
        [n * 300, boot],
        [n * 300 + 1, boot],
        [n * 300 + 100, HUNG],
      ];
    }).flat();

  it('ends the restarts, says why, and asks for a person', () => {
    const { state, verdicts } = play(troubled(6));
    expect(verdicts).toBe(5);
    expect(state.verdict).toBeNull();
    expect(state.capped).toMatch(/5 restarts in the last hour did not help/);
  });

  it('is not lifted by the hour alone', () => {
    const { verdicts, state } = play([...troubled(6), ...every(1_700, 9_000, HUNG)]);
    expect(verdicts).toBe(5);
    expect(state.capped).not.toBeNull();
  });

  it('is lifted when the bot was ready once, and counts on within the hour', () => {
    const { state } = play([...troubled(6), [1_700, nth(9)], [1_701, nth(9)]]);
    expect(state.capped).toBeNull();
    expect(play([[1_800, HUNG]], RULES, state).state.capped).not.toBeNull();
    expect(play([[9_000, HUNG]], RULES, state).verdicts).toBe(1);
  });

  it('is not lifted by a bot that is ready because it is halted, as after the drain at the cap', () => {
    const halted = { ...nth(9), halted: true };
    const { state } = play([...troubled(6), [1_700, halted], [1_701, halted], [9_000, halted]]);
    expect(state.capped).not.toBeNull();
    expect(play([[9_001, nth(9)]], RULES, state).state.capped).toBeNull();
  });

  it('is lifted when a person says so, and then all begins anew', () => {
    const { state } = play(troubled(6));
    const lifted = acknowledge(state);
    expect(lifted.capped).toBeNull();
    expect(play([[1_700, HUNG]], RULES, lifted).verdicts).toBe(1);
  });

  it('of nought means that nothing is ever restarted, and that nothing has to be lifted', () => {
    const never = { ...RULES, maxPerHour: 0 };
    const looks: Looks = [
      [0, HEALTHY],
      [10, HUNG],
    ];
    expect(play(looks, never).standing).toEqual([]);
    expect(play(looks, never).state.capped).toMatch(/HEAL_MAX_PER_HOUR is 0/);
    expect(play([...looks, [20, ILL]], never).state.capped).toBeNull();
  });
});

describe('a restart is pending', () => {
  const looks: Looks = [[0, HEALTHY], ...every(10, 300, HUNG)];

  it('from the verdict on, over cool-downs, until a boot follows', () => {
    for (const end of [10, 54, 60, 114, 120, 300]) {
      const until = looks.filter(([second]) => second <= end);
      expect(play(until).state.pending).toBe(true);
    }
    expect(play([...looks, [301, SECOND]]).state.pending).toBe(false);
  });

  it('no longer when it is not needed any more', () => {
    expect(play([...looks, [301, HEALTHY], [302, HEALTHY]]).state.pending).toBe(false);
    expect(play([...looks, [301, { ...HUNG, held: true }]]).state.pending).toBe(false);
  });
});

describe('nobody carries out verdicts', () => {
  const alone = { ...HUNG, heeded: false };
  const after = 10 + UNHEEDED_AFTER_MS / 1000;

  it('is said when one has stood for a while and nobody was there to see it', () => {
    expect(play([[0, HEALTHY], ...every(10, after - 1, alone)]).state.unheeded).toBe(false);
    expect(play([[0, HEALTHY], ...every(10, after, alone)]).state.unheeded).toBe(true);
  });

  it('is said on when the verdict is over, until somebody comes', () => {
    const looks: Looks = [[0, HEALTHY], ...every(10, 100, alone)];
    expect(play(looks).state.unheeded).toBe(true);
    expect(play([...looks, [101, HUNG]]).state.unheeded).toBe(false);
    expect(play([...looks, [101, { ...SECOND, heeded: false }]]).state.unheeded).toBe(false);
  });

  it('is not said without a verdict', () => {
    expect(play(every(0, 100, { ...HEALTHY, heeded: false })).state.unheeded).toBe(false);
  });
});

describe('a crash loop', () => {
  const crashing = (at: readonly number[], facts: Partial<Facts> = {}): Looks => [
    [0, nth(0)],
    ...at.map((second, n) => [second, { ...nth(n + 1), ...facts }] as const),
  ];

  it('is three boots within ten minutes that nobody asked for', () => {
    expect(play(crashing([60, 120])).state.crashes.loop).toBe(false);
    expect(play(crashing([60, 120, 180])).state.crashes.loop).toBe(true);
    expect(play(crashing([60, 120, 700])).state.crashes.loop).toBe(false);
  });

  it('is over when ten minutes have passed without one', () => {
    const looks = crashing([60, 120, 180]);
    expect(play([...looks, [779, nth(3)]]).state.crashes.loop).toBe(true);
    expect(play([...looks, [781, nth(3)]]).state.crashes.loop).toBe(false);
  });

  it('is none where there was a drain before each boot', () => {
    const { state } = play(crashing([60, 120, 180], { drained: true }));
    expect([state.crashes.loop, state.boots]).toEqual([false, { asked: 3, unasked: 0 }]);
  });

  it('is none where there was a verdict before each boot', () => {
    const looks = [1, 2, 3].flatMap(
      (n): Looks => [
        [n * 100, { ...STALE, instance: `boot-${n - 1}` }],
        [n * 100 + 1, nth(n)],
        [n * 100 + 2, nth(n)],
      ],
    );
    const { state } = play([[0, nth(0)], [1, nth(0)], ...looks]);
    expect([state.crashes.loop, state.boots]).toEqual([false, { asked: 3, unasked: 0 }]);
  });
});

describe('a boot that an earlier sidecar left halted', () => {
  const left = { ...beginHealing(0), halted: 'boot-1' };

  it('is restarted once, at once, although it looks well', () => {
    const { standing, state, verdicts } = play(
      [
        [1, HEALTHY],
        [2, HEALTHY],
        [4, SECOND],
        [100, SECOND],
      ],
      RULES,
      left,
    );
    expect(standing).toEqual([1, 2]);
    expect(verdicts).toBe(1);
    expect(state.halted).toBeNull();
  });

  it('is forgotten when another boot answers', () => {
    const looks: Looks = [
      [1, SECOND],
      [2, SECOND],
    ];
    expect(play(looks, RULES, left).standing).toEqual([]);
  });

  it('may be known by the name that its gate gives it alone', () => {
    const unnamed = { ...HEALTHY, instance: null };
    const byGate = { ...beginHealing(0), halted: 'gate-1' };
    const looks = (lease: string): Looks => [
      [1, { ...unnamed, lease }],
      [2, { ...unnamed, lease }],
    ];
    expect(play(looks('gate-1'), RULES, byGate).standing).toEqual([1, 2]);
    expect(play(looks('gate-2'), RULES, byGate).standing).toEqual([]);
  });
});
