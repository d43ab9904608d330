import { Big } from 'big.js';
import type { Order } from '../../venue/account.ts';
import { Rejection } from '../../venue/rejection.ts';
import type { Route } from '../../wire/call.ts';
import { type Handler, ok, type Scene } from '../dialect.ts';
import { klines } from './futures.ts';
import { orderIn, paramsOf } from './params.ts';
import { checkSize, filtersOf, RULES, type Rules, rulesFor, rulesOf } from './rules.ts';

// The calls of spot (api) and of cross margin (sapi). Both trade the same instruments, out of two wallets.

const STATES = {
  waiting: 'NEW',
  open: 'NEW',
  filled: 'FILLED',
  cancelled: 'CANCELED',
  expired: 'EXPIRED',
} as const;

/** The calls by method and path. */
export function spot(): Readonly<Record<string, Handler>> {
  const handlers: Record<string, Handler> = {};
  const on = (
    where: string,
    call: Route['call'],
    needs: Route['needs'],
    answer: (scene: Scene, params: URLSearchParams) => unknown,
  ): void => {
    handlers[where] = { call, needs, answer: (scene) => ok(answer(scene, paramsOf(scene.request))) };
  };
  const named = (params: URLSearchParams): Rules => rulesOf(params.get('symbol'), 'spot');
  const wanted = (params: URLSearchParams) => ({
    id: params.get('orderId') ?? undefined,
    clientId: params.get('origClientOrderId') ?? undefined,
  });

  on('GET /api/v3/ping', 'time', 'public', () => ({}));
  on('GET /api/v3/time', 'time', 'public', ({ venue }) => ({ serverTime: venue.now() }));
  on('GET /api/v3/exchangeInfo', 'instruments', 'public', ({ venue }) => ({
    timezone: 'UTC',
    serverTime: venue.now(),
    rateLimits: [],
    exchangeFilters: [],
    symbols: RULES.filter(({ instrument }) => instrument.kind === 'spot').map(symbolInfo),
  }));
  on('GET /api/v3/ticker/24hr', 'ticker', 'public', ({ venue }, params) => {
    const { symbol, instrument } = named(params);
    const price = venue.price(instrument).toFixed();
    const now = venue.now();
    return {
      symbol,
      lastPrice: price,
      bidPrice: price,
      askPrice: price,
      openTime: now - 86_400_000,
      closeTime: now,
    };
  });
  on('GET /api/v3/klines', 'candles', 'public', (scene, params) => klines(scene, named(params), params));
  on('GET /sapi/v1/capital/config/getall', 'currencies', 'read', () => []);
  for (const path of ['/sapi/v1/margin/allPairs', '/sapi/v1/margin/isolated/allPairs']) {
    on(`GET ${path}`, 'currencies', 'read', () => []);
  }
  on('GET /api/v3/account', 'balance', 'read', ({ venue, account }) => ({
    makerCommission: 10,
    takerCommission: 10,
    canTrade: true,
    canWithdraw: false,
    canDeposit: true,
    accountType: 'SPOT',
    updateTime: venue.now(),
    balances: [...account.wallet('spot')].map(([asset, { owned }]) => {
      const locked = account.locked('spot', asset);
      return { asset, free: owned.minus(locked).toFixed(8), locked: locked.toFixed(8) };
    }),
    permissions: ['SPOT'],
  }));
  on('GET /sapi/v1/margin/account', 'balance', 'read', ({ account }) => ({
    borrowEnabled: true,
    tradeEnabled: true,
    marginLevel: '11.64405625',
    userAssets: [...account.wallet('margin')].map(([asset, { owned, borrowed }]) => {
      const locked = account.locked('margin', asset);
      return {
        asset,
        borrowed: borrowed.toFixed(8),
        free: owned.minus(locked).toFixed(8),
        interest: '0.00000000',
        locked: locked.toFixed(8),
        netAsset: owned.minus(borrowed).toFixed(8),
      };
    }),
  }));

  for (const [path, margin] of [
    ['/api/v3', false],
    ['/sapi/v1/margin', true],
  ] as const) {
    const mine = (order: Order): boolean =>
      order.instrument.kind === 'spot' && (order.margin === true) === margin;
    on(`GET ${path}/openOrders`, 'orders', 'read', ({ account }, params) =>
      account.openOrders
        .filter(
          (order) => mine(order) && (!params.has('symbol') || order.instrument === named(params).instrument),
        )
        .map(orderRow),
    );
    on(`GET ${path}/order`, 'order', 'read', ({ venue, account }, params) => {
      const order = venue.find(account, wanted(params));
      if (order === undefined || !mine(order)) throw new Rejection('unknown-order');
      return orderRow(order);
    });
    on(`POST ${path}/order`, 'place', 'trade', ({ venue, account }, params) => {
      const rules = named(params);
      const order = { ...orderIn(params, rules.instrument), reduceOnly: false, margin };
      checkSize(rules, order, venue.price(rules.instrument));
      return orderRow(venue.place(account, order));
    });
    on(`DELETE ${path}/order`, 'cancel', 'trade', ({ venue, account }, params) =>
      orderRow(venue.cancel(account, venue.find(account, wanted(params)))),
    );
    on(`DELETE ${path}/openOrders`, 'cancel-all', 'trade', ({ venue, account }, params) => {
      const found = account.openOrders.filter(
        (order) => mine(order) && order.instrument === named(params).instrument,
      );
      // Unlike the futures, spot says no where there is nothing to cancel.
      if (found.length === 0) throw new Rejection('unknown-order');
      return found.map((order) => orderRow(venue.cancel(account, order)));
    });
  }
  return handlers;
}

function symbolInfo(rules: Rules): object {
  const { base, quote, decimals } = rules.instrument;
  return {
    symbol: rules.symbol,
    status: 'TRADING',
    baseAsset: base,
    baseAssetPrecision: 8,
    quoteAsset: quote,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    pricePrecision: decimals,
    orderTypes: [
      'LIMIT',
      'LIMIT_MAKER',
      'MARKET',
      'STOP_LOSS',
      'STOP_LOSS_LIMIT',
      'TAKE_PROFIT',
      'TAKE_PROFIT_LIMIT',
    ],
    icebergAllowed: true,
    ocoAllowed: true,
    quoteOrderQtyMarketAllowed: true,
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: true,
    filters: filtersOf(rules),
    permissions: [],
    permissionSets: [['SPOT', 'MARGIN']],
  };
}

function orderRow(order: Order): object {
  return {
    symbol: rulesFor(order.instrument).symbol,
    orderId: Number(order.id),
    orderListId: -1,
    clientOrderId: order.clientId,
    transactTime: order.updatedAt,
    price: (order.price ?? new Big(0)).toFixed(8),
    origQty: order.size.toFixed(8),
    executedQty: order.filled.toFixed(8),
    cummulativeQuoteQty: order.filled.times(order.averagePrice).toFixed(8),
    status: order.state === 'open' && order.filled.gt(0) ? 'PARTIALLY_FILLED' : STATES[order.state],
    timeInForce: 'GTC',
    type: order.type.toUpperCase(),
    side: order.side.toUpperCase(),
    stopPrice: '0.00000000',
    time: order.placedAt,
    updateTime: order.updatedAt,
    isWorking: true,
    selfTradePreventionMode: 'NONE',
    fills: [],
  };
}
