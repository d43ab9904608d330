/** The first wait, in milliseconds; it doubles with each further failure. */
const FIRST_MS = 250;
/** No wait is longer, so that a bot that recovers is noticed soon. */
const LONGEST_MS = 5_000;
/** No wait is shorter, so that a bot that refuses at once is not hammered. */
const SHORTEST_MS = 100;

/**
 * How long to wait after the failed attempt with this number (from 1), in milliseconds: exponential, with jitter of up
 * to as much again, and never more than half of the time that is left. A wait that slept through the end of the budget
 * would leave a bot open that has been well again for seconds.
 */
export function backOff(attempt: number, leftMs: number, random: () => number = Math.random): number {
  const growing = Math.min(FIRST_MS * 2 ** (attempt - 1) * (1 + random()), LONGEST_MS);
  return Math.round(Math.max(SHORTEST_MS, Math.min(growing, leftMs / 2)));
}
