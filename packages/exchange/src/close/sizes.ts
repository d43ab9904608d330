import { Big } from 'big.js';
import type { Limits } from '../account/account.ts';

/** The most orders that one holding is closed with in one go. */
const PIECES_AT_MOST = 50;

/**
 * The order sizes that together close `amount`, as far as a market takes such sizes. Each is a whole number of steps,
 * at least the minimum and at most the maximum, or `cap` where that is less. Together they are never more than
 * `amount`; what they leave is below the minimum, or below one step. Empty where the whole is.
 */
export function piecesOf(amount: string, limits: Limits, cap: string | null = null): string[] {
  const step = positive(limits.step) ?? smallestStep(amount);
  const inSteps = (size: Big, rounding: 0 | 3): Big => size.div(step).round(0, rounding);
  const whole = inSteps(new Big(amount), 0);
  const min = inSteps(positive(limits.min) ?? step, 3);
  if (whole.lt(min)) return [];
  const max = [limits.max, cap]
    .map((limit) => positive(limit))
    .filter((limit) => limit !== null)
    .map((limit) => inSteps(limit, 0))
    .reduce<Big>((least, limit) => (limit.lt(least) ? limit : least), whole);
  // A maximum below the minimum is no maximum that an order could keep to.
  const most = max.lt(min) ? min : max;
  const count = whole.div(most).round(0, 3);
  if (count.gt(PIECES_AT_MOST)) return Array.from({ length: PIECES_AT_MOST }, () => text(most, step));
  const pieces = Number(count);
  if (whole.lt(min.times(count))) {
    // Evenly they would be too small: all but one at the most, and the rest is too small for any order.
    return Array.from({ length: pieces - 1 }, () => text(most, step));
  }
  const each = whole.div(count).round(0, 0);
  const larger = Number(whole.minus(each.times(count)));
  return Array.from({ length: pieces }, (_, index) => text(index < larger ? each.plus(1) : each, step));
}

/** Half of a size, in whole steps and at least the minimum: what is tried when the whole was refused. */
export function halved(size: string, limits: Limits): string {
  const step = positive(limits.step) ?? smallestStep(size);
  const half = new Big(size).div(2).div(step).round(0, 0).times(step);
  const min = positive(limits.min) ?? step;
  return (half.lt(min) ? min : half).toFixed();
}

const text = (steps: Big, step: Big): string => steps.times(step).toFixed();

function positive(text: string | null): Big | null {
  if (text === null) return null;
  const value = new Big(text);
  return value.gt(0) ? value : null;
}

/** Where a market names no step: as fine as the amount itself. */
function smallestStep(amount: string): Big {
  const decimals = new Big(amount).toFixed().split('.')[1]?.length ?? 0;
  return new Big(10).pow(-decimals);
}
