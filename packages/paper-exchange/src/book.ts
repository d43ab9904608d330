import { sideOf, type Venue } from './venue/venue.ts';

/** What one account has, by the exchange's own truth. Sizes as texts, in the instrument's own unit. */
export interface AccountBook {
  readonly positions: readonly {
    readonly instrument: string;
    readonly side: 'long' | 'short';
    readonly size: string;
  }[];
  readonly orders: readonly {
    readonly id: string;
    readonly clientId: string;
    readonly instrument: string;
    readonly side: 'buy' | 'sell';
    readonly type: 'market' | 'limit';
    readonly left: string;
    readonly trigger: string | null;
  }[];
  /** Coins that are no money, by wallet and coin, such as `spot BTC`; what is owed is below zero. */
  readonly coins: Readonly<Record<string, string>>;
}

/** What everybody has, by account. This is the judge of every test: no dialect and no fault touches it. */
export function readBook(venue: Venue): Record<string, AccountBook> {
  return Object.fromEntries(
    venue.accounts.map((account) => {
      const coins = (['spot', 'margin'] as const).flatMap((wallet) =>
        [...account.wallet(wallet)]
          .filter(([coin, { owned, borrowed }]) => coin !== 'USDT' && !owned.minus(borrowed).eq(0))
          .map(([coin, { owned, borrowed }]) => [`${wallet} ${coin}`, owned.minus(borrowed).toFixed()]),
      );
      return [
        account.name,
        {
          positions: account.positions.map(({ instrument, side, size }) => ({
            instrument: instrument.name,
            side: sideOf(size, side),
            size: size.abs().toFixed(),
          })),
          orders: account.openOrders.map((order) => ({
            id: order.id,
            clientId: order.clientId,
            instrument: order.instrument.name,
            side: order.side,
            type: order.type,
            left: order.size.minus(order.filled).toFixed(),
            trigger: order.trigger?.toFixed() ?? null,
          })),
          coins: Object.fromEntries(coins),
        },
      ];
    }),
  );
}
