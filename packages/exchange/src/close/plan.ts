import type { Account, Holding, OpenOrder } from '../account/account.ts';
import type { Judged } from './judge.ts';
import { piecesOf } from './sizes.ts';

/** What is to be sent. */
export interface Plan {
  /** By symbol and list, as they are cancelled together. */
  readonly cancels: readonly (readonly OpenOrder[])[];
  readonly closes: readonly { readonly holding: Holding; readonly amounts: readonly string[] }[];
  /** What cannot be closed from here, and why. */
  readonly stuck: readonly { readonly holding: Holding; readonly why: string }[];
}

/**
 * What must be sent to have nothing open. Pure.
 *
 * @param caps sizes that were refused as too large are not tried again, by symbol
 */
export function plan(judged: Judged, limitsOf: Account['limits'], caps: ReadonlyMap<string, string>): Plan {
  const closes: { holding: Holding; amounts: string[] }[] = [];
  const stuck: { holding: Holding; why: string }[] = [];
  for (const holding of judged.open) {
    const limits = limitsOf(holding);
    if (holding.side === null)
      stuck.push({ holding, why: 'the exchange does not say whether it is long or short' });
    else if (limits === null) stuck.push({ holding, why: 'this market is not in the list of markets' });
    else
      closes.push({ holding, amounts: piecesOf(holding.amount, limits, caps.get(holding.symbol) ?? null) });
  }
  return { cancels: grouped(judged.orders), closes, stuck };
}

function grouped(orders: readonly OpenOrder[]): OpenOrder[][] {
  const groups = new Map<string, OpenOrder[]>();
  for (const order of orders) {
    const key = `${order.symbol} ${JSON.stringify(order.list)}`;
    groups.set(key, [...(groups.get(key) ?? []), order]);
  }
  return [...groups.values()];
}
