import { expect, test } from 'vitest';
import {
  aggregate,
  initialState,
  isHealthy,
  judge,
  type Member,
  type ProbeState,
  type RunResult,
  record,
  type Status,
} from '../../src/status.ts';

const STALE_AFTER = 10_000;

/** Results a second apart: `p`ass, `w`arn, `f`ail; `.` is a second without one. */
function after(results: string, failure: number, success: number): ProbeState {
  let state = initialState(0);
  [...results].forEach((letter, second) => {
    if (letter === '.') return;
    const outcome: RunResult['outcome'] = letter === 'f' ? 'fail' : letter === 'w' ? 'warn' : 'pass';
    const at = second * 1000;
    state = record(
      state,
      { outcome, at, endedAt: at, durationMs: 0 },
      { failure, success, staleAfterMs: STALE_AFTER },
    );
  });
  return state;
}

test.each([
  // results, failure threshold, success threshold, status
  ['', 3, 1, 'unknown'],
  ['p', 3, 1, 'pass'],
  ['w', 3, 1, 'warn'],
  ['f', 3, 1, 'unknown'],
  ['ff', 3, 1, 'unknown'],
  ['fff', 3, 1, 'fail'],
  ['f', 1, 1, 'fail'],
  ['p', 3, 2, 'unknown'],
  ['pp', 3, 2, 'pass'],
  ['pfp', 3, 2, 'unknown'],
  ['pff', 3, 1, 'pass'],
  ['pfff', 3, 1, 'fail'],
  ['pffpff', 3, 1, 'pass'],
  ['wff', 3, 1, 'warn'],
  ['pw', 3, 5, 'unknown'],
  ['pppppw', 3, 5, 'warn'],
  ['fffp', 3, 1, 'pass'],
  ['fffp', 3, 2, 'fail'],
  ['fffpfp', 3, 2, 'fail'],
  ['fffpp', 3, 2, 'pass'],
  ['fffpw', 3, 2, 'warn'],
  // a gap longer than a result is worth: what came before proves nothing
  ['p.........p', 3, 2, 'pass'],
  ['p..........p', 3, 2, 'fail'],
  ['pp.........p', 3, 2, 'pass'],
  ['pp..........p', 3, 2, 'fail'],
  ['pp..........pp', 3, 2, 'pass'],
  ['p..............f', 3, 1, 'fail'],
  ['p..............p', 3, 1, 'pass'],
] as const)('after %j with thresholds %d and %d a probe is %s', (results, failure, success, status) => {
  expect(after(results, failure, success).status).toBe(status);
});

test('a failure after a gap does not make a probe that had passed long ago healthy again', () => {
  const long = after('p...........', 3, 1);
  expect(judge(long, 60_000, STALE_AFTER, false)).toMatchObject({ status: 'fail', stale: true });
  const failed = record(
    long,
    { outcome: 'fail', at: 60_000, endedAt: 60_000, durationMs: 1 },
    { failure: 3, success: 1, staleAfterMs: STALE_AFTER },
  );
  expect(judge(failed, 60_001, STALE_AFTER, false)).toMatchObject({ status: 'fail', stale: false });
});

test('the last success and the last failure outlive each other', () => {
  const state = after('pfp', 3, 1);
  expect(state.lastFailure).toMatchObject({ outcome: 'fail', at: 1000 });
  expect(state.lastSuccessAt).toBe(2000);
  expect(after('pff', 3, 1)).toMatchObject({ lastSuccessAt: 0, failures: 2, successes: 0 });
});

test.each([
  // age, paused, status, stale
  [0, false, 'pass', false],
  [STALE_AFTER, false, 'pass', false],
  [STALE_AFTER + 1, false, 'fail', true],
  [-5000, false, 'pass', false],
  [0, true, 'paused', false],
  [STALE_AFTER + 1, true, 'paused', false],
] as const)('a pass read at age %d (paused: %s) is %s', (age, paused, status, stale) => {
  expect(judge(after('p', 3, 1), age, STALE_AFTER, paused)).toMatchObject({ status, stale });
});

test('before the first result a probe is unknown however long it takes, and never stale', () => {
  expect(judge(initialState(0), 3_600_000, STALE_AFTER, false)).toEqual({ status: 'unknown', stale: false });
});

const critical = (status: Status): Member => ({ status, critical: true });
const minor = (status: Status): Member => ({ status, critical: false });

test.each<[Member[], Status]>([
  [[], 'pass'],
  [[critical('pass'), critical('pass')], 'pass'],
  [[critical('pass'), critical('warn')], 'warn'],
  [[critical('pass'), critical('fail')], 'fail'],
  [[critical('unknown'), critical('pass')], 'unknown'],
  [[critical('unknown'), critical('fail')], 'fail'],
  [[critical('paused'), critical('pass')], 'paused'],
  [[critical('paused'), critical('unknown')], 'unknown'],
  [[critical('paused'), critical('fail')], 'fail'],
  [[critical('warn'), critical('paused')], 'paused'],
  [[critical('pass'), minor('fail')], 'warn'],
  [[critical('pass'), minor('unknown')], 'warn'],
  [[critical('pass'), minor('paused')], 'warn'],
  [[critical('unknown'), minor('fail')], 'unknown'],
  [[minor('pass')], 'pass'],
  [[minor('fail')], 'warn'],
])('the whole of %j is %s', (members, status) => {
  expect(aggregate(members)).toBe(status);
});

test.each<[Status, boolean]>([
  ['pass', true],
  ['warn', true],
  ['fail', false],
  ['unknown', false],
  ['paused', false],
])('%s is healthy: %s', (status, healthy) => {
  expect(isHealthy(status)).toBe(healthy);
});
