import { Big } from 'big.js';
import type { Instrument } from './instruments.ts';

/** One-way accounts hold one position per instrument (`both`), hedged ones a long and a short. */
export type PositionSide = 'both' | 'long' | 'short';

/** What an account holds of a swap. */
export interface Position {
  readonly instrument: Instrument;
  readonly side: PositionSide;
  /** Below zero is short. Never zero. */
  readonly size: Big;
  readonly entryPrice: Big;
  readonly updatedAt: number;
}

/** What somebody asks to be traded. */
export interface OrderRequest {
  readonly instrument: Instrument;
  readonly type: 'market' | 'limit';
  readonly side: 'buy' | 'sell';
  readonly size: Big;
  readonly price?: Big;
  readonly reduceOnly?: boolean;
  readonly positionSide?: PositionSide;
  readonly timeInForce?: 'gtc' | 'ioc' | 'fok' | 'post-only';
  /** Waits until the price has reached this. */
  readonly trigger?: Big;
  readonly clientId?: string;
  /** Traded in the margin wallet, with what it owes paid back from what comes in. */
  readonly margin?: boolean;
}

/**
 * `waiting` for its trigger · `open` in the book · `filled` · `cancelled` by somebody · `expired` unfilled or in part.
 */
export type OrderState = 'waiting' | 'open' | 'filled' | 'cancelled' | 'expired';

/** An order that was accepted. */
export interface Order extends OrderRequest {
  readonly id: string;
  readonly clientId: string;
  readonly state: OrderState;
  readonly filled: Big;
  readonly averagePrice: Big;
  readonly placedAt: number;
  readonly updatedAt: number;
}

/** Coins of one kind in one wallet. */
export interface Coins {
  readonly owned: Big;
  readonly borrowed: Big;
}

/** The wallets of an account. Swaps are paid from the wallet `swap`. */
export type WalletName = 'spot' | 'swap' | 'margin';

const NOTHING: Coins = { owned: new Big(0), borrowed: new Big(0) };

/** One account: what it holds, what it has asked for. Only the venue changes it. */
export class Account {
  readonly name: string;
  /** Whether it may be long and short in one instrument at once. */
  hedged = false;
  readonly orders = new Map<string, Order>();
  readonly #positions = new Map<string, Position>();
  readonly #wallets: Readonly<Record<WalletName, Map<string, Coins>>> = {
    spot: new Map(),
    swap: new Map(),
    margin: new Map(),
  };

  constructor(name: string) {
    this.name = name;
    this.credit('swap', 'USDT', new Big(1_000_000));
    this.credit('spot', 'USDT', new Big(1_000_000));
    this.credit('margin', 'USDT', new Big(1_000_000));
  }

  get positions(): readonly Position[] {
    return [...this.#positions.values()];
  }

  /** What is resting or waits for its trigger. */
  get openOrders(): readonly Order[] {
    return [...this.orders.values()].filter(({ state }) => state === 'open' || state === 'waiting');
  }

  position(instrument: Instrument, side: PositionSide): Position | undefined {
    return this.#positions.get(`${instrument.name} ${side}`);
  }

  hold(position: Position): void {
    const key = `${position.instrument.name} ${position.side}`;
    if (position.size.eq(0)) this.#positions.delete(key);
    else this.#positions.set(key, position);
  }

  coins(wallet: WalletName, coin: string): Coins {
    return this.#wallets[wallet].get(coin) ?? NOTHING;
  }

  wallet(name: WalletName): ReadonlyMap<string, Coins> {
    return this.#wallets[name];
  }

  setCoins(wallet: WalletName, coin: string, coins: Coins): void {
    this.#wallets[wallet].set(coin, coins);
  }

  /** Adds coins; below zero takes them. In the margin wallet what comes in pays back what is owed. */
  credit(wallet: WalletName, coin: string, amount: Big): void {
    const { owned, borrowed } = this.coins(wallet, coin);
    const after = owned.plus(amount);
    const repaid = after.gt(0) && borrowed.gt(0) ? (after.lt(borrowed) ? after : borrowed) : new Big(0);
    this.setCoins(wallet, coin, { owned: after.minus(repaid), borrowed: borrowed.minus(repaid) });
  }

  /** Coins that resting spot orders have set aside. */
  locked(wallet: WalletName, coin: string): Big {
    return this.openOrders
      .filter(
        (order) => order.instrument.kind === 'spot' && (order.margin === true) === (wallet === 'margin'),
      )
      .reduce((sum, order) => {
        const left = order.size.minus(order.filled);
        if (order.side === 'sell') return order.instrument.base === coin ? sum.plus(left) : sum;
        return order.instrument.quote === coin ? sum.plus(left.times(order.price ?? 0)) : sum;
      }, new Big(0));
  }
}
