/** An order that rests at the exchange, or waits there for its trigger. */
export interface OpenOrder {
  readonly id: string;
  /** As ccxt names it, such as `BTC/USDT:USDT`. */
  readonly symbol: string;
  readonly side: 'buy' | 'sell' | null;
  readonly type: string | null;
  /** What is not filled yet; contracts where the market has them. Null where the exchange does not say. */
  readonly amount: number | null;
  readonly price: number | null;
  readonly triggerPrice: number | null;
  /** Which of the exchange's lists it stands in: what a call for it must carry. */
  readonly list: Parameters;
}

/** What a call carries beyond ccxt's own arguments. */
export type Parameters = Readonly<Record<string, string | number | boolean>>;

/** Something that is held. */
export interface Holding {
  /** As ccxt names it. */
  readonly symbol: string;
  /** `contract`: swaps and futures. `margin`: coins bought or sold on credit. `spot`: coins. */
  readonly kind: 'contract' | 'margin' | 'spot';
  /** Null where the exchange does not say. */
  readonly side: 'long' | 'short' | null;
  /** A decimal above zero: contracts, or coins of the base. */
  readonly amount: string;
  /** What one contract is: coins of the base, or of the quote for an inverse contract. Null for coins. */
  readonly contractSize: number | null;
  /** Held in hedge mode, where a long and a short stand side by side. */
  readonly hedged: boolean;
  readonly isolated: boolean;
  /** What one unit of the base is worth in the quote. Null where nobody says. */
  readonly price: number | null;
  readonly entryPrice: number | null;
}

/** What an account holds and has ordered, from one look. */
export interface Reading {
  readonly orders: readonly OpenOrder[];
  readonly holdings: readonly Holding[];
  /** When the look began. */
  readonly at: Date;
}

/** In which sizes a market takes orders. Decimals; null where there is no such limit. */
export interface Limits {
  readonly step: string | null;
  readonly min: string | null;
  /** The most that one market order may have. */
  readonly max: string | null;
  /** The least that an order may be worth, in the quote. */
  readonly minCost: string | null;
}

/** An order that closes something. */
export interface CloseOrder {
  readonly holding: Holding;
  readonly amount: string;
  /** The id that the exchange is given for it. */
  readonly clientOrderId: string;
}

/** What keys may do: `trade`, `read` alone, or `unknown` where the exchange did not say. */
export type Rights = 'trade' | 'read' | 'unknown';

/**
 * An account at an exchange. A call that does not succeed rejects with an ExchangeError and nothing else, and is over
 * when its signal aborts: what has not been sent by then is never sent.
 */
export interface Account {
  /** Everything in scope, orders first: one that fills meanwhile is then seen as a holding. */
  readonly read: (signal: AbortSignal) => Promise<Reading>;
  /** Null for a market that is not known. */
  readonly limits: (holding: Pick<Holding, 'symbol'>) => Limits | null;
  /** Cancels orders of one symbol and one list. */
  readonly cancel: (orders: readonly OpenOrder[], signal: AbortSignal) => Promise<void>;
  /** Sends one order. */
  readonly close: (order: CloseOrder, signal: AbortSignal) => Promise<void>;
  /** Whether the exchange knows an order by the id that it was given. */
  readonly knows: (holding: Holding, clientOrderId: string, signal: AbortSignal) => Promise<boolean>;
  /** Tries what the keys may do, without trading. */
  readonly rights: (signal: AbortSignal) => Promise<Rights>;
  /** Asks the exchange to cancel every order in `ms` milliseconds unless asked again. */
  readonly cancelAfter: (ms: number, signal: AbortSignal) => Promise<void>;
}
