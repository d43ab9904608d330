import { median, middleHalf } from './statistics.ts';

/** One measured number, beside what it must reach. */
export interface Figure {
  /** What was measured. */
  readonly what: string;
  /** Null where it was not measured; `note` then says why. */
  readonly value: number | null;
  /** `ms`, `MB`, `%`; empty for a ratio or a count. */
  readonly unit: string;
  /** Where the middle half of the rounds lies. */
  readonly spread?: readonly [number, number];
  readonly target?: Target;
  /** What a reader should know of it. */
  readonly note?: string;
}

/** What a figure must reach. */
export type Target = { readonly atMost: number } | { readonly atLeast: number };

/** What one part of the bench measured. */
export interface Measured {
  readonly figures: readonly Figure[];
  /** More rows than the figures have, for a reader: the first row is the head. */
  readonly table?: readonly (readonly string[])[];
}

/** A figure whose value is the median of its rounds. */
export function figureOf(
  what: string,
  unit: string,
  rounds: readonly number[],
  more: Pick<Figure, 'target' | 'note'> = {},
): Figure {
  return { what, unit, value: median(rounds), spread: middleHalf(rounds), ...more };
}

/** A figure that cannot be measured here. */
export function notMeasured(what: string, note: string, target?: Target): Figure {
  return { what, unit: '', value: null, note, ...(target === undefined ? {} : { target }) };
}

/** Whether a figure reaches what it must; null where nothing was measured or nothing is asked of it. */
export function reached({ value, target }: Figure): boolean | null {
  if (value === null || target === undefined) return null;
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast;
}
