import type { Parameters } from './account.ts';
import type { Market, Ways } from './ways.ts';

/** The calls that together tell everything in scope, each once. */
export interface Looks {
  readonly orders: readonly Parameters[];
  readonly positions: readonly Parameters[];
  readonly balances: readonly Parameters[];
}

/** The calls for several kinds of markets. Pure. */
export function looksFor(ways: Ways, markets: readonly Market[]): Looks {
  const all = markets.map((market) => ways.markets[market]).filter((way) => way !== undefined);
  return {
    orders: unique(all.flatMap(({ orders }) => orders)),
    positions: unique(all.flatMap(({ positions }) => positions)),
    balances: unique(all.map(({ balance }) => balance).filter((one) => one !== undefined)),
  };
}

const unique = (list: readonly Parameters[]): Parameters[] => [
  ...new Map(list.map((one) => [JSON.stringify(one), one])).values(),
];
