import { describe, expect, it } from 'vitest';
import { drainsOf, isAlarming } from '../../src/watch/drains.ts';
import { receipt } from './sample.ts';

const quiet = { current: null, active: false, unfinished: false };
const started = (id: string) => receipt(id, { state: 'started', open: null, pending: null });
const view = (id: string, state: 'started' | 'flat') => ({
  ...receipt(id, { state }),
  remainingMs: 1000,
  steps: [],
});

describe('a drain', () => {
  it.each([
    [
      'has ended as its last receipt says',
      [receipt('a', { state: 'not_flat' }), started('a')],
      quiet,
      ['not_flat'],
    ],
    ['runs while its sidecar says so', [started('a')], { ...quiet, active: true }, ['running']],
    ['runs while nobody says that it was cut off', [started('a')], quiet, ['running']],
    ['was cut off when the sidecar says so', [started('a')], { ...quiet, unfinished: true }, ['cut_off']],
    ['was cut off when another began after it', [started('b'), started('a')], quiet, ['running', 'cut_off']],
    [
      'is told by its view before the receipts tell of it',
      [receipt('a')],
      { ...quiet, current: view('b', 'started') },
      ['running', 'flat'],
    ],
    [
      'runs while its view has time left, whatever the health said before',
      [started('a')],
      { ...quiet, unfinished: true, current: view('a', 'started') },
      ['running'],
    ],
    [
      'has ended when its view says so before the receipts do',
      [started('a')],
      { ...quiet, current: view('a', 'flat') },
      ['flat'],
    ],
  ] as const)('%s', (_, receipts, facts, outcomes) => {
    expect(drainsOf({ receipts, ...facts }).map(({ outcome }) => outcome)).toEqual(outcomes);
  });

  it.each([
    ['flat', false],
    ['nothing_to_do', false],
    ['running', false],
    ['not_flat', true],
    ['abandoned', true],
    ['cut_off', true],
    ['unknown', true],
  ] as const)('that ended %s alarms: %s', (outcome, alarming) => {
    expect(isAlarming(outcome)).toBe(alarming);
  });
});
