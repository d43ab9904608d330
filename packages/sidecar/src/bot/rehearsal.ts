import { randomUUID } from 'node:crypto';
import type { Bot } from './bot.ts';

/** What a rehearsal of the close call found. */
export interface Rehearsal {
  /** False: the bot does not announce `dry_run`, so the close call was not made. */
  readonly rehearsed: boolean;
  /** What a drain would close now; null where it was not rehearsed. */
  readonly open: number | null;
  readonly pending: number | null;
  /** Why it was not rehearsed, and what to do. */
  readonly note: string | null;
}

/** How often the close path is rehearsed, in milliseconds, unless said otherwise. */
export const REHEARSE_EVERY_MS = 60_000;

/**
 * The `close-path` probe: is the close call there, are the credentials right, and what would it close?
 *
 * A bot that does not know `dry_run` takes a rehearsal for the real thing, and sells. Whether it knows cannot be
 * learned from the close call itself, nor from `OPTIONS` or `HEAD` on its path: what a handler does with a method
 * is up to it. So the bot says so where nothing can close: `"dry_run": true` in `GET /health`, asked for anew before
 * every rehearsal, since the next boot may be another version. Without it the close call is never made, and the probe
 * says "not rehearsed".
 *
 * Rejects with a BotError: what a drain would run into.
 */
export function createRehearsal(bot: Bot): (signal: AbortSignal) => Promise<Rehearsal> {
  return async (signal) => {
    if (bot.health === undefined)
      return notRehearsed('BOT_HEALTH_PATH is switched off, where the bot would announce dry_run');
    const health = await bot.health(signal);
    if (!health.dryRun) {
      return notRehearsed(
        'the bot does not announce "dry_run": true in GET /health, so its close call is not tried',
      );
    }
    const answer = await bot.rehearse(
      { drainId: randomUUID(), reason: 'rehearsal', deadline: new Date(Date.now() + REHEARSE_EVERY_MS) },
      signal,
    );
    return {
      rehearsed: true,
      open: answer.left?.open ?? null,
      pending: answer.left?.pending ?? null,
      note: null,
    };
  };
}

function notRehearsed(note: string): Rehearsal {
  return { rehearsed: false, open: null, pending: null, note };
}
