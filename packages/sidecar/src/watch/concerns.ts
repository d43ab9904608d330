import type { StandingHold } from '../drain/hold.ts';
import type { Receipt } from '../drain/receipts.ts';
import type { BotSelf } from './facts.ts';

/** What is remembered of drains, as far as a person should be told of it. */
export interface DrainMemory {
  /** A drain that an earlier process began and never ended. */
  readonly unfinished: Receipt | undefined;
  /** The newest receipt, where it tells of a drain that ended badly and that nobody has acknowledged. */
  readonly worrying: Receipt | undefined;
  /** Positions that vanished between two boots, as a sentence. */
  readonly vanished: string | null;
  /** A person's drain that stands. */
  readonly hold: StandingHold | null;
  /** The newest receipt about the boot of the bot that runs now. */
  readonly ofThisBoot: Receipt | undefined;
  /** Why receipts cannot be written. */
  readonly problem: string | null;
}

/** What else a person should know of. */
export interface Standing {
  /** Boots within ten minutes that nobody asked for; null while that is no crash loop. */
  readonly crashLoop: number | null;
  /** A restart was asked for, and nobody is there to carry it out. */
  readonly unheeded: boolean;
  /** Why alerts are not delivered, as a sentence; null when they are. */
  readonly alerts: string | null;
  /** Why what must be remembered is not on disk, one sentence for each file. */
  readonly state: readonly string[];
}

/** What does not make the bot unready, and yet should be looked at; one sentence each. Pure. */
export function concerns(memory: DrainMemory, bot: BotSelf, standing: Standing): string[] {
  const { unfinished, worrying, vanished, hold, ofThisBoot, problem } = memory;
  const found: string[] = [];
  if (unfinished !== undefined) {
    found.push(
      `the drain that began at ${unfinished.started_at} (${unfinished.trigger}) was cut off and never ended: positions may be open, look at the exchange`,
    );
  }
  if (worrying !== undefined) {
    const { state, at, open_positions, pending_orders, reason } = worrying;
    found.push(
      `the last drain ended ${state} at ${at}: ${count(open_positions, 'open position')}, ` +
        `${count(pending_orders, 'pending order')} (${reason})`,
    );
  }
  if (vanished !== null) found.push(vanished);
  if (hold !== null) {
    found.push(
      `on hold since ${hold.since} (${hold.reason}): nothing trades until the hold is lifted (DELETE /hold)`,
    );
  } else if (bot.trading === 'halted' || (bot.trading === null && ofThisBoot?.state === 'flat')) {
    found.push('the bot is halted: it opens nothing until it is restarted, or told to go on');
  }
  if (standing.unheeded) {
    found.push(
      'nobody carries out restarts: no gate holds the lease and nobody asks /livez; start the bot under hold-until-flat with DRAIN_TOKEN',
    );
  }
  if (standing.crashLoop !== null) {
    found.push(
      `the bot is in a crash loop: ${standing.crashLoop} starts within ten minutes that nobody asked for; look at its log`,
    );
  }
  if (problem !== null) found.push(problem);
  if (standing.alerts !== null) found.push(standing.alerts);
  found.push(...standing.state);
  return found;
}

function count(value: number | null, noun: string): string {
  return value === null ? `an unknown number of ${noun}s` : `${value} ${noun}${value === 1 ? '' : 's'}`;
}
