import { Big } from 'big.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Limits } from '../../src/account/account.ts';
import { halved, piecesOf } from '../../src/close/sizes.ts';

const limits = (step: string | null, min: string | null, max: string | null): Limits => ({
  step,
  min,
  max,
  minCost: null,
});

describe('the sizes that close a holding', () => {
  it.each([
    ['one order where the market takes it', '0.5', limits('0.001', '0.001', '120'), ['0.5']],
    [
      'several of the same size where one would be too large',
      '250',
      limits('0.001', '0.001', '120'),
      ['83.334', '83.333', '83.333'],
    ],
    ['what is finer than a step is left', '0.12345', limits('0.001', '0.001', null), ['0.123']],
    ['nothing where the whole is below the minimum', '0.0009', limits('0.001', '0.001', null), []],
    ['nothing where the minimum is more than a step', '0.05', limits('0.01', '0.1', null), []],
    ['never a last piece below the minimum', '8', limits('1', '4', '6'), ['4', '4']],
    ['what no order could have is left', '7', limits('1', '4', '6'), ['6']],
    ['a market without limits', '0.123456789', limits(null, null, null), ['0.123456789']],
    ['a number with an exponent', '1e-7', limits('0.00000001', '0.00000001', null), ['0.0000001']],
    ['a zero for a limit is none', '3', limits('1', '0', '0'), ['3']],
    ['a maximum below the minimum is none', '3', limits('1', '2', '1'), ['2']],
  ] as const)('%s', (_, amount, given, expected) => {
    expect(piecesOf(amount, given)).toEqual(expected);
  });

  it('a cap makes them smaller', () => {
    expect(piecesOf('10', limits('1', '1', '8'), '5')).toEqual(['5', '5']);
  });

  it('no more than fifty at once', () => {
    expect(piecesOf('1000', limits('1', '1', '1'))).toHaveLength(50);
  });

  const decimal = fc
    .tuple(fc.integer({ min: 1, max: 5_000_000 }), fc.integer({ min: 0, max: 8 }))
    .map(([units, decimals]) => new Big(units).times(new Big(10).pow(-decimals)).toFixed());
  const anyLimits = fc.record({
    step: fc.option(fc.constantFrom('1', '0.1', '0.01', '0.001', '0.00000001', '5', '0.05')),
    min: fc.option(decimal),
    max: fc.option(decimal),
    minCost: fc.constant(null),
  });

  it('whatever the limits: never more than there is, each size one that the market takes, and what is left too small', () => {
    fc.assert(
      fc.property(decimal, anyLimits, (amount, given) => {
        const pieces = piecesOf(amount, given).map((piece) => new Big(piece));
        const sum = pieces.reduce((total, piece) => total.plus(piece), new Big(0));
        expect(sum.lte(amount)).toBe(true);
        const step = given.step;
        const min = given.min;
        const takesAny = min === null || given.max === null || new Big(given.max).gte(min);
        for (const piece of pieces) {
          expect(piece.gt(0)).toBe(true);
          if (step !== null) expect(piece.mod(step).eq(0)).toBe(true);
          if (min !== null) expect(piece.gte(min)).toBe(true);
          const fits = given.max === null || piece.lte(given.max);
          // A maximum that leaves no whole step at or above the minimum cannot be kept to.
          const least = leastSize(step, min);
          if (takesAny && given.max !== null && new Big(given.max).gte(least)) expect(fits).toBe(true);
        }
        if (pieces.length < 50) {
          const least = leastSize(step, min, amount);
          expect(new Big(amount).minus(sum).lt(least)).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('half of a refused size is a size that the market takes, and smaller unless it is the smallest', () => {
    expect(halved('10', limits('1', '1', null))).toBe('5');
    expect(halved('3', limits('1', '2', null))).toBe('2');
    expect(halved('0.001', limits('0.001', '0.001', null))).toBe('0.001');
  });
});

/** The smallest size that a market takes: whole steps, at least the minimum. */
function leastSize(step: string | null, min: string | null, amount = '1'): Big {
  const decimals = new Big(amount).toFixed().split('.')[1]?.length ?? 0;
  const unit = step === null ? new Big(10).pow(-decimals) : new Big(step);
  const steps = min === null ? new Big(1) : new Big(min).div(unit).round(0, 3);
  return unit.times(steps.lt(1) ? 1 : steps);
}
