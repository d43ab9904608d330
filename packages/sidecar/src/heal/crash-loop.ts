/** So many boots that nobody asked for, within {@link LOOP_WITHIN_MS}, are a crash loop. */
export const LOOP_BOOTS = 3;
/** In milliseconds. */
export const LOOP_WITHIN_MS = 600_000;

/** Boots that nobody asked for. */
export interface Crashes {
  /** When each of the recent ones came, in elapsed milliseconds. */
  readonly at: readonly number[];
  /** They are a crash loop; over when none of them is recent. */
  readonly loop: boolean;
}

export const NO_CRASHES: Crashes = { at: [], loop: false };

/** Forgets the old ones, and adds one where `crashed` says that it came just now. */
export function countCrashes(before: Crashes, crashed: boolean, at: number): Crashes {
  const recent = before.at.filter((time) => at - time < LOOP_WITHIN_MS);
  const now = crashed ? [...recent, at] : recent;
  if (now.length === before.at.length && !crashed) return before;
  return { at: now, loop: now.length >= LOOP_BOOTS || (before.loop && now.length > 0) };
}
