import { expect, it } from 'vitest';
import { backOff } from '../../../src/drain/back-off.ts';

const PLENTY = 55_000;

it.each<[what: string, attempt: number, leftMs: number, random: number, wait: number]>([
  ['a quarter of a second after the first failure', 1, PLENTY, 0, 250],
  ['doubled after the second', 2, PLENTY, 0, 500],
  ['and after the third', 3, PLENTY, 0, 1_000],
  ['with as much again for jitter', 2, PLENTY, 0.5, 750],
  ['five seconds at most', 6, PLENTY, 0.99, 5_000],
  ['however many failed', 2_000, PLENTY, 0, 5_000],
  ['half of what is left, when that is less', 3, 2_000, 0.9, 1_000],
  ['a tenth of a second at least', 9, 120, 0, 100],
  ['also when nothing is left', 9, 0, 0, 100],
])('waits %s', (_, attempt, leftMs, random, wait) => {
  expect(backOff(attempt, leftMs, () => random)).toBe(wait);
});

it('leaves room for another attempt, however the jitter falls', () => {
  let left = 3_000;
  let attempts = 1;
  for (; left > 500; attempts += 1) left -= backOff(attempts, left, () => 0.999);
  expect(left).toBeGreaterThanOrEqual(250);
  expect(attempts).toBeGreaterThanOrEqual(4);
});
