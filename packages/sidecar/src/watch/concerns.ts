import type { Receipt } from '../drain/receipts.ts';
import type { BotSelf } from './facts.ts';

/** What is remembered of drains, as far as a person should be told of it. */
export interface DrainMemory {
  /** A drain that an earlier process began and never ended. */
  readonly unfinished: Receipt | undefined;
  /** The newest receipt. */
  readonly last: Receipt | undefined;
  /** The newest receipt about the boot of the bot that runs now. */
  readonly ofThisBoot: Receipt | undefined;
  /** Why receipts cannot be written. */
  readonly problem: string | null;
}

/** What does not make the bot unready, and yet should be looked at; one sentence each. Pure. */
export function concerns(memory: DrainMemory, bot: BotSelf): string[] {
  const { unfinished, last, ofThisBoot, problem } = memory;
  const found: string[] = [];
  if (unfinished !== undefined) {
    found.push(
      `the drain that began at ${unfinished.started_at} (${unfinished.trigger}) was cut off and never ended: positions may be open, look at the exchange`,
    );
  }
  if (last !== undefined && (last.state === 'not_flat' || last.state === 'abandoned')) {
    found.push(
      `the last drain ended ${last.state} at ${last.at}: ${count(last.open_positions, 'open position')}, ` +
        `${count(last.pending_orders, 'pending order')} (${last.reason})`,
    );
  }
  if (bot.trading === 'halted' || (bot.trading === null && ofThisBoot?.state === 'flat')) {
    found.push('the bot is halted and trades again only after a restart');
  }
  if (problem !== null) found.push(problem);
  return found;
}

function count(value: number | null, noun: string): string {
  return value === null ? `an unknown number of ${noun}s` : `${value} ${noun}${value === 1 ? '' : 's'}`;
}
