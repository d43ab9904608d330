import { Big } from 'big.js';
import type { Balances, Exchange, MarketInterface, Order, Position } from 'ccxt';
import type { Holding, Limits, OpenOrder, Parameters } from './account.ts';
import { unreadable } from './evidence.ts';

// What ccxt says, in our own words. What it leaves out is null, and never a zero.

/** @throws {ExchangeError} `EXCHANGE_UNREADABLE` */
export function openOrder(order: Order, list: Parameters): OpenOrder {
  if (typeof order.id !== 'string' || typeof order.symbol !== 'string') {
    throw unreadable('reading open orders', 'an order without an id or a symbol');
  }
  const { side } = order;
  return {
    id: order.id,
    symbol: order.symbol,
    side: side === 'buy' || side === 'sell' ? side : null,
    type: order.type ?? null,
    amount: order.remaining ?? order.amount ?? null,
    price: order.price ?? null,
    triggerPrice: order.triggerPrice ?? null,
    list,
  };
}

/**
 * What a position is; null for one that is closed.
 *
 * @throws {ExchangeError} `EXCHANGE_UNREADABLE` where it has no size
 */
export function contractHolding(position: Position): Holding | null {
  const { symbol, contracts, side, hedged, marginMode, contractSize } = position;
  if (typeof contracts !== 'number' || !Number.isFinite(contracts) || typeof symbol !== 'string') {
    throw unreadable('reading positions', 'a position without a size');
  }
  if (contracts === 0) return null;
  return {
    symbol,
    kind: 'contract',
    side: side === 'long' || side === 'short' ? side : null,
    amount: new Big(contracts).abs().toFixed(),
    contractSize: contractSize ?? null,
    hedged: hedged === true,
    isolated: marginMode === 'isolated',
    price: position.markPrice ?? null,
    entryPrice: position.entryPrice ?? null,
  };
}

/** Coins of a market's base, less what is owed of them; null where there are none. */
export function coinHolding(
  market: MarketInterface,
  balances: Balances,
  kind: 'margin' | 'spot',
): Holding | null {
  const coins = balances[market.base] as { total?: number; debt?: number } | undefined;
  const net = new Big(coins?.total ?? 0).minus(coins?.debt ?? 0);
  if (net.eq(0)) return null;
  return {
    symbol: market.symbol,
    kind,
    side: net.gt(0) ? 'long' : 'short',
    amount: net.abs().toFixed(),
    contractSize: null,
    hedged: false,
    isolated: false,
    price: null,
    entryPrice: null,
  };
}

/** The sizes that a market takes as market orders. */
export function limitsOf({ precisionMode }: Exchange, { limits, precision }: MarketInterface): Limits {
  // What ccxt's types leave out: some markets have limits of their own for market orders.
  const { amount, market, cost } = limits as Record<string, { min?: number; max?: number } | undefined>;
  const above = [amount?.min, market?.min].filter((one) => one !== undefined && one > 0) as number[];
  const below = [amount?.max, market?.max].filter((one) => one !== undefined && one > 0) as number[];
  return {
    step: stepOf(precision.amount, precisionMode),
    min: decimal(above.length === 0 ? undefined : Math.max(...above)),
    max: decimal(below.length === 0 ? undefined : Math.min(...below)),
    minCost: decimal(cost?.min),
  };
}

/** ccxt's mark for exchanges whose precision is a number of decimals, and not the size of a step. */
const DECIMAL_PLACES = 2;

function stepOf(precision: number | undefined, mode: number | undefined): string | null {
  if (precision === undefined) return null;
  return mode === DECIMAL_PLACES ? new Big(10).pow(-precision).toFixed() : decimal(precision);
}

const decimal = (value: number | undefined): string | null =>
  value === undefined || !Number.isFinite(value) ? null : new Big(value).toFixed();
