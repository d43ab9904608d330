import type { Clock } from '../clock.ts';
import type { EventLog } from '../event-log.ts';
import type { Drainer } from './drain.ts';
import type { Hold } from './hold.ts';

/** What is known of the bot that runs now. */
export interface RunningBot {
  /** As its gate names it, or else as the bot does; null where neither does. */
  readonly boot: string | null;
  /** What it says; null where it does not say. */
  readonly trading: 'running' | 'halted' | null;
}

/** What the keeper of a hold works with. */
export interface HoldKeeperOptions {
  readonly hold: Pick<Hold, 'current'>;
  readonly drainer: Pick<Drainer, 'drain' | 'current' | 'last'>;
  readonly log: EventLog;
  readonly clock: Pick<Clock, 'elapsed' | 'now'>;
}

/** A bot that trades on under a hold is drained again no more often than this, in milliseconds. */
export const HOLD_AGAIN_MS = 30_000;

/** What a bot said of its trading may be this old: until then after a drain it may be from before it, in milliseconds. */
const SETTLE_MS = 5_000;

/** Whether a bot that runs under a hold has to be drained again. Pure. */
export function tradesUnderHold(bot: RunningBot, halted: { readonly boot: string | null } | null): boolean {
  if (bot.trading !== null) return bot.trading === 'running';
  // One that does not say is halted if it is the boot that was drained under this hold.
  return halted === null || bot.boot !== halted.boot;
}

/**
 * Keeps a hold: a boot that begins while the hold stands, and trades all the same, is drained again. Call `look` each
 * time the bot has answered.
 */
export function createHoldKeeper({ hold, drainer, log, clock }: HoldKeeperOptions): {
  readonly look: (bot: RunningBot) => void;
} {
  let halted: { readonly boot: string | null } | null = null;
  let drainedAt = Number.NEGATIVE_INFINITY;
  return {
    look(bot) {
      const standing = hold.current();
      if (standing === null) {
        halted = null;
        return;
      }
      if (drainer.current() !== null || clock.elapsed() - drainedAt < HOLD_AGAIN_MS) return;
      if (clock.now() - Date.parse(drainer.last()?.at ?? '') < SETTLE_MS) return;
      if (!tradesUnderHold(bot, halted)) return;
      drainedAt = clock.elapsed();
      log.warn(
        { event: 'hold.drains_again', boot: bot.boot },
        `The bot trades although it is on hold since ${standing.since}: it is drained again.`,
      );
      void drainer.drain('http', { reason: `on hold since ${standing.since}` }).then(({ state }) => {
        if (state === 'flat') halted = { boot: bot.boot };
      });
    },
  };
}
