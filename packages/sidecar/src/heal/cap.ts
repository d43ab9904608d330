const HOUR_MS = 3_600_000;

/** The restarts that still count. Times are elapsed milliseconds. */
export function withinTheHour(heals: readonly number[], at: number): readonly number[] {
  return heals.filter((time) => at - time < HOUR_MS);
}

/** Why no restart may be asked for although one is needed, as half a sentence; null when one may. */
export function capOf(heals: readonly number[], maxPerHour: number): string | null {
  if (maxPerHour === 0) return 'HEAL_MAX_PER_HOUR is 0, so that nothing is ever restarted';
  if (heals.length < maxPerHour) return null;
  const count = `${heals.length} restart${heals.length === 1 ? '' : 's'}`;
  return `${count} in the last hour did not help`;
}
