import { Big } from 'big.js';
import type { OrderRequest } from '../../venue/account.ts';
import { INSTRUMENTS, type Instrument } from '../../venue/instruments.ts';
import { Rejection } from '../../venue/rejection.ts';

/** What an instrument is called at Binance, and in which sizes it is traded. */
export interface Rules {
  readonly instrument: Instrument;
  readonly symbol: string;
  readonly step: string;
  readonly min: string;
  readonly max: string;
  /** The most that one market order may have. */
  readonly maxMarket: string;
  /** The least that an order may be worth; orders that reduce a swap are free of it. */
  readonly minCost: string;
  /** Only the inverse swap has another one than 1. */
  readonly contractSize: number;
}

const SIZES: Readonly<Record<string, readonly [step: string, maxMarket: string]>> = {
  BTC: ['0.001', '120'],
  ETH: ['0.001', '2000'],
  SOL: ['1', '5000'],
};

/** Every instrument, as Binance trades it. */
export const RULES: readonly Rules[] = INSTRUMENTS.map((instrument) => {
  const { base, quote, kind } = instrument;
  const [swapStep = '1', maxMarket = '1000'] = SIZES[base] ?? [];
  const step = kind === 'inverse' ? '1' : kind === 'spot' ? '0.00001' : swapStep;
  return {
    instrument,
    symbol: kind === 'inverse' ? `${base}${quote}_PERP` : `${base}${quote}`,
    step,
    min: step,
    max: kind === 'inverse' ? '1000000' : '100000',
    maxMarket: kind === 'inverse' ? '60000' : maxMarket,
    minCost: '5',
    contractSize: kind === 'inverse' ? 100 : 1,
  };
});

/** The rules of a symbol among the instruments of these kinds. */
export function rulesOf(symbol: string | null, ...kinds: Instrument['kind'][]): Rules {
  const found = RULES.find((one) => one.symbol === symbol && kinds.includes(one.instrument.kind));
  if (found === undefined) throw new Rejection('bad-request');
  return found;
}

/** The rules of an instrument. */
export function rulesFor(instrument: Instrument): Rules {
  const found = RULES.find((one) => one.instrument === instrument);
  if (found === undefined) throw new TypeError(`${instrument.name} has no rules`);
  return found;
}

/** @throws {Rejection} where an order has a size that is not traded */
export function checkSize(rules: Rules, order: OrderRequest, price: Big): void {
  if (!order.size.mod(rules.step).eq(0)) throw new Rejection('size-step');
  if (order.size.lt(rules.min)) throw new Rejection('size-too-small');
  if (order.size.gt(order.type === 'market' ? rules.maxMarket : rules.max))
    throw new Rejection('size-too-large');
  const cost = order.size.times(order.price ?? price);
  if (rules.instrument.kind !== 'inverse' && order.reduceOnly !== true && cost.lt(rules.minCost)) {
    // In hedge mode an order that closes says so by its side.
    const { positionSide = 'both', side } = order;
    const closes = positionSide !== 'both' && (positionSide === 'long') !== (side === 'buy');
    if (!closes) throw new Rejection('cost-too-small');
  }
}

/** The filters of `exchangeInfo`. */
export function filtersOf(rules: Rules): object[] {
  const tick = new Big(10).pow(-rules.instrument.decimals).toFixed();
  return [
    { filterType: 'PRICE_FILTER', minPrice: tick, maxPrice: '10000000', tickSize: tick },
    { filterType: 'LOT_SIZE', minQty: rules.min, maxQty: rules.max, stepSize: rules.step },
    {
      filterType: 'MARKET_LOT_SIZE',
      minQty: rules.instrument.kind === 'spot' ? '0.00000000' : rules.min,
      maxQty: rules.maxMarket,
      stepSize: rules.instrument.kind === 'spot' ? '0.00000000' : rules.step,
    },
    { filterType: 'MAX_NUM_ORDERS', limit: 200, maxNumOrders: 200 },
    ...(rules.instrument.kind === 'spot'
      ? [
          {
            filterType: 'NOTIONAL',
            minNotional: rules.minCost,
            applyMinToMarket: true,
            maxNotional: '9000000',
          },
        ]
      : rules.instrument.kind === 'linear'
        ? [{ filterType: 'MIN_NOTIONAL', notional: rules.minCost }]
        : []),
    { filterType: 'PERCENT_PRICE', multiplierUp: '1.0500', multiplierDown: '0.9500', multiplierDecimal: '4' },
  ];
}
