import { Big } from 'big.js';
import { Account, type Order, type OrderRequest, type PositionSide } from './account.ts';
import { INSTRUMENTS, type Instrument } from './instruments.ts';
import { Rejection } from './rejection.ts';

const ZERO = new Big(0);
const LEVERAGE = 10;
/** Orders that have ended are kept for look-ups; the oldest go first. */
const ENDED_KEPT = 2_000;

/** Options of {@link Venue}. */
export interface VenueOptions {
  /** Milliseconds since 1970, as the exchange has them. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * The exchange itself, without a wire: prices, accounts, orders, and what becomes of them. There is one price per
 * instrument and no spread. A market order fills at it; a limit order fills when the price has reached it.
 */
export class Venue {
  readonly now: () => number;
  readonly #accounts = new Map<string, Account>();
  readonly #prices = new Map<string, Big>(INSTRUMENTS.map(({ name, price }) => [name, new Big(price)]));
  readonly #depths = new Map<string, Big>();
  readonly #countdowns = new Map<string, NodeJS.Timeout>();
  #lastId = 1_000_000;

  constructor({ now = Date.now }: VenueOptions = {}) {
    this.now = now;
  }

  get accounts(): readonly Account[] {
    return [...this.#accounts.values()];
  }

  /** The account of that name, which is made when it is asked for first. */
  account(name: string): Account {
    const known = this.#accounts.get(name) ?? new Account(name);
    this.#accounts.set(name, known);
    return known;
  }

  price({ name }: Instrument): Big {
    return this.#prices.get(name) ?? ZERO;
  }

  /** Moves a price, fills what it has reached, and sets off what waited for it. */
  setPrice(instrument: Instrument, price: Big): void {
    const before = this.price(instrument);
    this.#prices.set(instrument.name, price);
    for (const account of this.#accounts.values()) {
      for (const order of account.openOrders) {
        if (order.instrument !== instrument) continue;
        if (order.state === 'waiting') {
          const { trigger = ZERO } = order;
          const crossed = before.lt(trigger) ? price.gte(trigger) : price.lte(trigger);
          if (crossed) this.#setOff(account, order);
        } else if (order.price !== undefined && reaches(order, price)) {
          this.#execute(account, order);
        }
      }
    }
  }

  /** How much one order that takes can get at most; undefined: everything. */
  setDepth({ name }: Instrument, depth: Big | undefined): void {
    if (depth === undefined) this.#depths.delete(name);
    else this.#depths.set(name, depth);
  }

  /**
   * Accepts an order, and fills it as far as it goes.
   *
   * @throws {Rejection}
   */
  place(account: Account, request: OrderRequest): Order {
    const { instrument, clientId } = request;
    const positionSide = request.positionSide ?? 'both';
    if (instrument.kind !== 'spot' && (positionSide === 'both') === account.hedged) {
      throw new Rejection('wrong-position-side');
    }
    if (clientId !== undefined && account.openOrders.some((order) => order.clientId === clientId)) {
      throw new Rejection('same-client-id');
    }
    if (request.size.lte(0)) throw new Rejection('bad-request');
    const id = String(++this.#lastId);
    const at = this.now();
    const order: Order = {
      ...request,
      positionSide,
      id,
      clientId: clientId ?? `paper-${id}`,
      state: request.trigger === undefined ? 'open' : 'waiting',
      filled: ZERO,
      averagePrice: ZERO,
      placedAt: at,
      updatedAt: at,
    };
    const reducible = this.#reducible(account, order);
    if (order.trigger === undefined) {
      if (reducible?.eq(0)) throw new Rejection('reduce-only');
      if (!this.#affordable(account, order, reducible)) throw new Rejection('funds');
      const takes = order.type === 'market' || reaches(order, this.price(instrument));
      if (takes && order.timeInForce === 'post-only') throw new Rejection('would-take');
      const depth = this.#depths.get(instrument.name);
      if (order.timeInForce === 'fok' && (!takes || depth?.lt(order.size) === true)) {
        throw new Rejection('unfillable');
      }
      if (takes) return this.#execute(account, order);
      if (order.timeInForce === 'ioc') return this.#keep(account, { ...order, state: 'expired' });
    }
    return this.#keep(account, order);
  }

  /** @throws {Rejection} for an order that is not open */
  cancel(account: Account, order: Order | undefined): Order {
    const now = order === undefined ? undefined : account.orders.get(order.id);
    if (now === undefined || (now.state !== 'open' && now.state !== 'waiting')) {
      throw new Rejection('unknown-order');
    }
    return this.#keep(account, { ...now, state: 'cancelled', updatedAt: this.now() });
  }

  /** The newest order with that id, or that client's id. */
  find(account: Account, by: { readonly id?: string | undefined; readonly clientId?: string | undefined }) {
    if (by.id !== undefined) return account.orders.get(by.id);
    return [...account.orders.values()].reverse().find(({ clientId }) => clientId === by.clientId);
  }

  /** Cancels what `which` is true of, in `ms` milliseconds; asked again under the same name, it begins anew. 0 ends it. */
  cancelAfter(account: Account, name: string, ms: number, which: (order: Order) => boolean): void {
    const key = `${account.name} ${name}`;
    clearTimeout(this.#countdowns.get(key));
    this.#countdowns.delete(key);
    if (ms <= 0) return;
    const timer = setTimeout(() => {
      this.#countdowns.delete(key);
      for (const order of account.openOrders.filter(which)) this.cancel(account, order);
    }, ms);
    timer.unref();
    this.#countdowns.set(key, timer);
  }

  /** The countdowns that run. */
  get countdowns(): readonly string[] {
    return [...this.#countdowns.keys()];
  }

  /** Ends the countdowns. */
  close(): void {
    for (const timer of this.#countdowns.values()) clearTimeout(timer);
    this.#countdowns.clear();
  }

  /** How much of the position a reducing order may still close; null for an order that need not reduce. */
  #reducible(account: Account, order: Order): Big | null {
    if (order.instrument.kind === 'spot') return null;
    const { positionSide = 'both', side } = order;
    const size = account.position(order.instrument, positionSide)?.size ?? ZERO;
    // In hedge mode selling the long and buying the short reduce, whatever the flag says.
    const closes =
      positionSide === 'both' ? order.reduceOnly === true : (positionSide === 'long') !== (side === 'buy');
    if (!closes) return null;
    const opposite = side === 'sell' ? size.gt(0) : size.lt(0);
    return opposite ? size.abs() : ZERO;
  }

  #affordable(account: Account, order: Order, reducible: Big | null): boolean {
    const { instrument, side, size, margin } = order;
    const price = order.price ?? this.price(instrument);
    if (instrument.kind === 'spot') {
      const wallet = margin === true ? 'margin' : 'spot';
      const coin = side === 'sell' ? instrument.base : instrument.quote;
      const needed = side === 'sell' ? size : size.times(price);
      return account.coins(wallet, coin).owned.minus(account.locked(wallet, coin)).gte(needed);
    }
    if (instrument.kind === 'inverse' || reducible !== null) return true;
    const held = account.position(instrument, order.positionSide ?? 'both')?.size ?? ZERO;
    const after = held.plus(signed(side, size)).abs();
    if (after.lte(held.abs())) return true;
    return account.coins('swap', 'USDT').owned.times(LEVERAGE).gte(after.times(price));
  }

  /** What a triggered order becomes: a market order, or one that rests until its own price. */
  #setOff(account: Account, order: Order): void {
    const open: Order = { ...order, state: 'open' };
    if (open.type === 'market' || reaches(open, this.price(open.instrument))) this.#execute(account, open);
    else this.#keep(account, open);
  }

  /** Fills an open order at its price, or at the market's, as deep as that is. */
  #execute(account: Account, given: Order): Order {
    const { instrument } = given;
    const market = this.price(instrument);
    // A resting order is filled at its own price, one that takes at the market's.
    const price = given.state === 'open' && account.orders.has(given.id) ? (given.price ?? market) : market;
    const left = given.size.minus(given.filled);
    const reducible = this.#reducible(account, given);
    const depth = this.#depths.get(instrument.name);
    const fill = [left, reducible, depth].reduce<Big>(
      (least, limit) => (limit === null || limit === undefined || limit.gte(least) ? least : limit),
      left,
    );
    if (fill.gt(0)) this.#settle(account, given, fill, price);
    const filled = given.filled.plus(fill);
    const spent = given.averagePrice.times(given.filled).plus(price.times(fill));
    const isWhole = filled.gte(given.size);
    const goesOn =
      given.type === 'limit' && given.timeInForce !== 'ioc' && (reducible === null || reducible.gt(fill));
    return this.#keep(account, {
      ...given,
      filled,
      averagePrice: filled.eq(0) ? ZERO : spent.div(filled),
      state: isWhole ? 'filled' : goesOn ? 'open' : 'expired',
      updatedAt: this.now(),
    });
  }

  #settle(account: Account, order: Order, fill: Big, price: Big): void {
    const { instrument, side, margin } = order;
    if (instrument.kind === 'spot') {
      const wallet = margin === true ? 'margin' : 'spot';
      const cost = fill.times(price);
      account.credit(wallet, instrument.base, signed(side, fill));
      account.credit(wallet, instrument.quote, signed(side === 'buy' ? 'sell' : 'buy', cost));
      return;
    }
    const positionSide = order.positionSide ?? 'both';
    const held = account.position(instrument, positionSide);
    const before = held?.size ?? ZERO;
    const entry = held?.entryPrice ?? price;
    const change = signed(side, fill);
    const size = before.plus(change);
    const grows = before.times(change).gte(0);
    const flips = before.times(size).lt(0);
    if (!grows && instrument.kind === 'linear') {
      const closed = flips ? before : change.times(-1);
      account.credit('swap', instrument.quote, closed.times(price.minus(entry)));
    }
    const entryPrice = grows
      ? before.times(entry).plus(change.times(price)).div(size)
      : flips
        ? price
        : entry;
    account.hold({ instrument, side: positionSide, size, entryPrice, updatedAt: this.now() });
    // With its position gone, an order that may only reduce has nothing to do.
    if (size.eq(0)) {
      for (const other of account.openOrders) {
        const same = other.instrument === instrument && other.positionSide === positionSide;
        if (same && other.id !== order.id && other.reduceOnly === true) {
          this.#keep(account, { ...other, state: 'expired', updatedAt: this.now() });
        }
      }
    }
  }

  #keep(account: Account, order: Order): Order {
    account.orders.set(order.id, order);
    for (const [id, { state }] of account.orders) {
      if (account.orders.size <= ENDED_KEPT) break;
      if (state !== 'open' && state !== 'waiting') account.orders.delete(id);
    }
    return order;
  }
}

/** The position side of a holding on an account, by its sign. */
export function sideOf(size: Big, side: PositionSide): 'long' | 'short' {
  if (side !== 'both') return side;
  return size.gt(0) ? 'long' : 'short';
}

const signed = (side: 'buy' | 'sell', size: Big): Big => (side === 'buy' ? size : size.times(-1));

const reaches = (order: OrderRequest, price: Big): boolean =>
  order.price !== undefined && (order.side === 'buy' ? price.lte(order.price) : price.gte(order.price));
