import type { Account, Holding } from '../account/account.ts';
import { ExchangeError, type ExchangeErrorCode } from '../account/errors.ts';
import { clientOrderId } from './order-id.ts';
import { halved } from './sizes.ts';

/** Sends the orders that close holdings, each under an id of its own. */
export interface Sender {
  /** Sends the orders for one holding, until one is refused. Rejects with an ExchangeError. Gives how many were taken. */
  readonly send: (holding: Holding, amounts: readonly string[], signal: AbortSignal) => Promise<number>;
  /** Sizes above these were refused, by symbol. */
  readonly caps: ReadonlyMap<string, string>;
}

/** After these it is not known whether the exchange has the order. */
const DOUBTFUL: ReadonlySet<ExchangeErrorCode> = new Set([
  'EXCHANGE_TIMEOUT',
  'EXCHANGE_UNREACHABLE',
  'EXCHANGE_UNAVAILABLE',
  'EXCHANGE_MAINTENANCE',
  'EXCHANGE_CANCELLED',
  'EXCHANGE_FAILED',
]);

/** How many orders of one key a holding had before a restart, at most. */
const SENT_BEFORE_AT_MOST = 100;

/**
 * So long an order may be on its way before the exchange does it, in milliseconds. After that it is too old: requests
 * are signed with their time.
 */
const ON_ITS_WAY_MS = 10_000;

/**
 * The sender of one key. An order that closes a contract may only reduce it, so that one too many does no harm. An order
 * for coins has no such bound. Before one is sent, those that may have been sent under the same key are looked up, also
 * after a restart, and what may still be on its way is waited for.
 *
 * @param since when this process began, in milliseconds on `performance.now`
 */
export function createSender(account: Account, key: string, since: number): Sender {
  /** The number of the next order, by holding; absent while nobody knows what an earlier process sent. */
  const numbers = new Map<string, number>();
  /** Orders of which nobody knows whether the exchange has them, by holding: when that was. */
  const doubts = new Map<string, number>();
  const caps = new Map<string, string>();

  /** False where the account must be read again first: what was read may be older than what is known by now. */
  async function maySend(holding: Holding, name: string, signal: AbortSignal): Promise<boolean> {
    const doubtedAt = numbers.has(name) ? doubts.get(name) : since;
    if (doubtedAt === undefined) return true;
    const first = numbers.get(name) ?? 0;
    let number = first;
    while (
      number < first + SENT_BEFORE_AT_MOST &&
      (await account.knows(holding, clientOrderId(key, holding, number), signal))
    ) {
      number += 1;
    }
    const isOver = number > first || performance.now() - doubtedAt > ON_ITS_WAY_MS;
    if (!isOver) return false;
    numbers.set(name, number);
    doubts.delete(name);
    return number === first;
  }

  async function sendOne(holding: Holding, name: string, amount: string, signal: AbortSignal): Promise<void> {
    const isReducing = holding.kind === 'contract';
    const number = numbers.get(name) ?? 0;
    try {
      await account.close({ holding, amount, clientOrderId: clientOrderId(key, holding, number) }, signal);
      numbers.set(name, number + 1);
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      if (isReducing || error.code === 'EXCHANGE_DUPLICATE') numbers.set(name, number + 1);
      if (isReducing && error.code === 'EXCHANGE_DUPLICATE' && number < SENT_BEFORE_AT_MOST) {
        return sendOne(holding, name, amount, signal);
      }
      if (!isReducing && DOUBTFUL.has(error.code)) doubts.set(name, performance.now());
      if (error.code === 'EXCHANGE_REJECTED') {
        const limits = account.limits(holding);
        if (limits !== null) caps.set(holding.symbol, halved(amount, limits));
      }
      throw error;
    }
  }

  return {
    caps,
    async send(holding, amounts, signal) {
      const name = `${holding.kind} ${holding.symbol} ${holding.side}`;
      if (holding.kind !== 'contract' && !(await maySend(holding, name, signal))) return 0;
      let taken = 0;
      for (const amount of amounts) {
        if (signal.aborted)
          throw new ExchangeError('EXCHANGE_CANCELLED', 'closing: given up, as time was up');
        await sendOne(holding, name, amount, signal);
        taken += 1;
      }
      return taken;
    },
  };
}
