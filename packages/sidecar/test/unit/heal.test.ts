import { describe, expect, it } from 'vitest';
import {
  beginHealing,
  type Facts,
  type HealRules,
  type HealState,
  heal,
  VERDICT_STANDS_MS,
} from '../../src/heal/heal.ts';

const RULES: HealRules = { startupGraceMs: 120_000, cooldownMs: 60_000, maxPerHour: 5 };
const HEALTHY: Facts = {
  api: 'answers',
  instance: 'boot-1',
  ready: true,
  tickStale: false,
  modelsMissing: false,
  databaseLost: false,
  held: false,
};
const ILL = { ...HEALTHY, ready: false };
const GONE: Facts = { ...ILL, api: 'gone', instance: null };
const HUNG: Facts = { ...ILL, api: 'fails', instance: null };
const SECOND: Facts = { ...HEALTHY, instance: 'boot-2' };

/** Plays looks, each at its second, and tells at which of them a verdict stood. */
function play(looks: ReadonlyArray<[second: number, facts: Facts]>, rules = RULES, from = beginHealing(0)) {
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

describe('a bot that was ready and then fails', () => {
  it.each([
    ['its API does not answer as it should', HUNG, 'api'],
    ['its last tick is too old', { ...ILL, tickStale: true }, 'tick'],
    ['its models are gone', { ...ILL, modelsMissing: true }, 'models'],
    ['it says its database is lost while the database works', { ...ILL, databaseLost: true }, 'database'],
  ] as const)('is to be restarted when %s', (_what, facts, reason) => {
    const { state } = play([
      [0, HEALTHY],
      [10, facts],
    ]);
    expect(state.verdict).toMatchObject({ reason, instance: 'boot-1' });
  });

  it.each([
    ['nothing is wrong but readiness, as with a database that is really down', ILL],
    ['nothing is known', { ...ILL, api: 'unknown', instance: null }],
    ['a drain or maintenance holds everything', { ...HUNG, held: true }],
    ['it is gone, and the next boot may be loading', GONE],
  ] as const)('is left alone when %s', (_what, facts) => {
    expect(
      play([
        [0, HEALTHY],
        [10, facts],
        [60, facts],
      ]).standing,
    ).toEqual([]);
  });
});

describe('a bot that starts', () => {
  it('is left alone for STARTUP_GRACE, and not a second longer', () => {
    const loading = { ...ILL, modelsMissing: true };
    expect(
      play([
        [0, loading],
        [60, loading],
        [119, loading],
      ]).standing,
    ).toEqual([]);
    expect(
      play([
        [0, loading],
        [119, loading],
        [120, loading],
      ]).standing,
    ).toEqual([120]);
  });

  it('has its grace from the moment the last boot went, which is not begun anew while nothing answers', () => {
    const looks: Array<[number, Facts]> = [[0, HEALTHY]];
    for (let second = 10; second <= 140; second += 5) looks.push([second, GONE]);
    expect(play(looks).standing[0]).toBe(130);
  });

  it('has a whole grace from its first answer, however long nothing answered before', () => {
    const loading = { ...ILL, instance: 'boot-2', modelsMissing: true };
    const { standing } = play([
      [0, HEALTHY],
      [10, GONE],
      [100, loading],
      [150, loading],
      [219, loading],
      [220, loading],
    ]);
    expect(standing).toEqual([220]);
  });

  it('is not taken for ready by what is still known of the boot before', () => {
    const loading = { ...ILL, instance: 'boot-2', modelsMissing: true };
    const { standing, state } = play([
      [0, HEALTHY],
      [10, SECOND],
      [30, loading],
      [129, loading],
    ]);
    expect(standing).toEqual([]);
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
    const loading = { ...ILL, instance: null, modelsMissing: true };
    expect(
      play([
        [0, nameless],
        [10, GONE],
        [20, loading],
        [100, loading],
      ]).standing,
    ).toEqual([]);
  });
});

describe('a verdict', () => {
  it.each([
    ['another boot answers', SECOND],
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

  it('does not stand for ever when nobody heeds it', () => {
    const end = 10 + VERDICT_STANDS_MS / 1000;
    const { standing } = play([
      [0, HEALTHY],
      [10, HUNG],
      [end - 1, HUNG],
      [end, HUNG],
      [end + 1, HUNG],
    ]);
    expect(standing).toEqual([10, end - 1]);
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
    const hungAgain = { ...ILL, instance: 'boot-2', tickStale: true };
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

describe('the cap', () => {
  const hourOfTrouble = (minutes: number): Array<[number, Facts]> =>
    Array.from({ length: minutes }, (_, minute): Array<[number, Facts]> => {
      const boot = { ...HEALTHY, instance: `boot-${minute}` };
      return [
        [minute * 300, boot],
        [minute * 300 + 1, boot],
        [minute * 300 + 100, { ...HUNG }],
      ];
    }).flat();

  it('ends the restarts, says why, and asks for a person', () => {
    const { state, verdicts } = play(hourOfTrouble(8));
    expect(verdicts).toBe(5);
    expect(state.verdict).toBeNull();
    expect(state.capped).toMatch(/5 restarts in the last hour did not help/);
  });

  it('is lifted when an hour has passed', () => {
    const { verdicts } = play([...hourOfTrouble(6), [3701, HUNG]]);
    expect(verdicts).toBe(6);
  });

  it('of nought means that nothing is ever restarted', () => {
    const { standing, state } = play(
      [
        [0, HEALTHY],
        [10, HUNG],
      ],
      { ...RULES, maxPerHour: 0 },
    );
    expect(standing).toEqual([]);
    expect(state.capped).not.toBeNull();
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
    expect(
      play(
        [
          [1, SECOND],
          [2, SECOND],
        ],
        RULES,
        left,
      ).standing,
    ).toEqual([]);
  });
});
