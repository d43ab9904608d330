import { instrument, type OrderRequest, type PaperExchange } from '@botwarden/paper-exchange';
import { Big } from 'big.js';

/** An order, with numbers where they are easier to read. */
export type Ordered = Partial<Omit<OrderRequest, 'instrument' | 'size' | 'price' | 'trigger'>> & {
  readonly price?: number;
  readonly trigger?: number;
};

/** Places an order at the exchange behind everybody's back. */
export function order(
  paper: PaperExchange,
  symbol: string,
  side: 'buy' | 'sell',
  size: number | string,
  { price, trigger, ...more }: Ordered = {},
): void {
  paper.venue.place(paper.venue.account('main'), {
    instrument: instrument(symbol),
    type: price === undefined ? 'market' : 'limit',
    side,
    size: new Big(size),
    ...(price === undefined ? {} : { price: new Big(price) }),
    ...(trigger === undefined ? {} : { trigger: new Big(trigger) }),
    ...more,
  });
}

/** A book in which nothing is open. */
export const NOTHING = { positions: [], orders: [], coins: {} };
