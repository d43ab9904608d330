/** The cool-down never grows beyond this, in milliseconds, unless HEAL_COOLDOWN itself is longer. */
export const COOLDOWN_MAX_MS = 3_600_000;

/**
 * How long no other restart is asked for, in milliseconds. It doubles with each restart in a row after which the bot
 * did not become ready: `fruitless` counts them, the one that was just made included.
 */
export function cooldownOf(cooldownMs: number, fruitless: number): number {
  const doubled = cooldownMs * 2 ** Math.min(Math.max(fruitless - 1, 0), 30);
  return Math.min(doubled, Math.max(COOLDOWN_MAX_MS, cooldownMs));
}
