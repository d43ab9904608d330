import type { Trade } from './trades.ts';

/** What was asked for a trade in this drain. Times are elapsed milliseconds. */
export interface Asked {
  readonly what: 'exit' | 'cancel';
  /** An exit was asked for, now or earlier. */
  readonly exited: boolean;
  /** When it was answered, one way or the other; null while the call runs. */
  readonly answeredAt: number | null;
  /** The connection broke before the answer came: the call may still run inside freqtrade. */
  readonly lost: boolean;
}

/** What is to be done for a trade now. */
export type Next = 'exit' | 'cancel' | 'wait';

/** The next try for a trade that freqtrade did not close, in milliseconds. */
const AGAIN_MS = 3_000;
/** A call whose connection broke is taken for ended after so long, in milliseconds. */
const LOST_MS = 30_000;

/**
 * What is to be done for an open trade at `at`.
 *
 * `/forceexit` for a trade whose exit order was filled a moment ago sells it a second time, so a trade with an exit
 * order open is never asked to exit. A market order fills by itself, and so does the order that our own exit became; an
 * order of the strategy, which waits for its price, is cancelled first.
 */
export function nextFor(trade: Trade, asked: Asked | undefined, at: number): Next {
  if (asked !== undefined) {
    if (asked.answeredAt === null) return 'wait';
    const idleMs = at - asked.answeredAt;
    if (asked.lost && idleMs < LOST_MS) return 'wait';
    if (trade.exits.every(({ market, forced }) => market || (forced && asked.exited))) {
      if (trade.exits.length > 0) return 'wait';
      return asked.what === 'exit' && idleMs < AGAIN_MS ? 'wait' : 'exit';
    }
    return asked.what === 'cancel' && idleMs < AGAIN_MS ? 'wait' : 'cancel';
  }
  if (trade.exits.length === 0) return 'exit';
  return trade.exits.every(({ market }) => market) ? 'wait' : 'cancel';
}
