import { ProbeOptionError } from './errors.ts';

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;

/** A time span: milliseconds as a number, or a text such as `250ms`, `5s`, `2m`, `1h`. */
export type Duration = number | string;

/** Longest span that a timer can wait for, in milliseconds (about 24.8 days). */
export const MAX_DURATION_MS = 2 ** 31 - 1;

/** The milliseconds of a text such as `250ms`, `5s`, `2m`, `1h`; undefined when it is not one. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text.trim());
  const factor = UNITS[match?.[2] ?? ''];
  if (match === null || factor === undefined) return undefined;
  const ms = Number(match[1]) * factor;
  return ms <= MAX_DURATION_MS ? ms : undefined;
}

/**
 * The milliseconds of an option.
 *
 * @throws {ProbeOptionError} when it is no duration, or shorter than `min` milliseconds.
 */
export function durationOption(option: string, value: Duration, min: number): number {
  const ms = typeof value === 'string' ? parseDuration(value) : value;
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < min || ms > MAX_DURATION_MS) {
    throw new ProbeOptionError(option, `a duration of at least ${min} ms, such as 250ms, 5s or 2m`, value);
  }
  return ms;
}
