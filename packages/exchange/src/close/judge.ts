import { Big } from 'big.js';
import type { Account, Holding, OpenOrder, Reading } from '../account/account.ts';
import { piecesOf } from './sizes.ts';

/** What is open, as it counts. */
export interface Judged {
  readonly orders: readonly OpenOrder[];
  /** What must be closed before anybody may say flat. */
  readonly open: readonly Holding[];
  /** What is too small for any order: told, and not counted as open. */
  readonly dust: readonly Holding[];
  /** How much there is of symbols that are nobody's business here. */
  readonly outside: number;
  readonly at: Date;
}

/**
 * Sorts what was read. Pure.
 *
 * @param symbols the symbols that count; null: all
 */
export function judge(
  reading: Reading,
  symbols: ReadonlySet<string> | null,
  limits: Account['limits'],
): Judged {
  const counts = ({ symbol }: { readonly symbol: string }): boolean =>
    symbols === null || symbols.has(symbol);
  const holdings = reading.holdings.filter(counts);
  const orders = reading.orders.filter(counts);
  return {
    orders,
    open: holdings.filter((holding) => !isDust(holding, limits)),
    dust: holdings.filter((holding) => isDust(holding, limits)),
    outside: reading.holdings.length - holdings.length + reading.orders.length - orders.length,
    at: reading.at,
  };
}

/** True where nothing is open and nothing pends. */
export function isFlat({ open, orders }: Judged): boolean {
  return open.length === 0 && orders.length === 0;
}

/** Whether no order could close it. What is not known never makes dust. */
function isDust(holding: Holding, limitsOf: Account['limits']): boolean {
  const limits = limitsOf(holding);
  if (limits === null) return false;
  if (limits.step === null && limits.min === null && limits.minCost === null) return false;
  if (piecesOf(holding.amount, limits).length === 0) return true;
  // An order that reduces a contract may be worth as little as it likes; one for coins may not.
  if (holding.kind === 'contract' || limits.minCost === null || holding.price === null) return false;
  return new Big(holding.amount).times(holding.price).lt(limits.minCost);
}
