import type { Holding, Limits, OpenOrder, Reading } from '../../src/account/account.ts';

/** A long of half a coin. */
export function holding(more: Partial<Holding> = {}): Holding {
  return {
    symbol: 'BTC/USDT:USDT',
    kind: 'contract',
    side: 'long',
    amount: '0.5',
    contractSize: 1,
    hedged: false,
    isolated: false,
    price: 60_000,
    entryPrice: 60_000,
    ...more,
  };
}

/** A limit order to buy. */
export function openOrder(more: Partial<OpenOrder> = {}): OpenOrder {
  return {
    id: '1',
    symbol: 'BTC/USDT:USDT',
    side: 'buy',
    type: 'limit',
    amount: 0.1,
    price: 50_000,
    triggerPrice: null,
    list: {},
    ...more,
  };
}

export const reading = (holdings: Holding[], orders: OpenOrder[] = []): Reading => ({
  at: new Date(0),
  holdings,
  orders,
});

export const LIMITS: Limits = { step: '0.001', min: '0.001', max: '120', minCost: '5' };
