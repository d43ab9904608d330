import { Big } from 'big.js';
import type { Account, Order, Position } from '../../venue/account.ts';
import { Rejection } from '../../venue/rejection.ts';
import type { Venue } from '../../venue/venue.ts';
import type { Route } from '../../wire/call.ts';
import { type Handler, ok, type Scene } from '../dialect.ts';
import { numberIn, orderIn, paramsOf } from './params.ts';
import { checkSize, filtersOf, RULES, type Rules, rulesFor, rulesOf } from './rules.ts';

// The calls of USDⓈ-M futures (fapi) and, with other numbers in them, of COIN-M futures (dapi).

type Kind = 'linear' | 'inverse';

const STATES = {
  waiting: 'NEW',
  open: 'NEW',
  filled: 'FILLED',
  cancelled: 'CANCELED',
  expired: 'EXPIRED',
} as const;

/** The calls of one kind of futures, by method and path. */
export function futures(kind: Kind): Readonly<Record<string, Handler>> {
  const prefix = kind === 'linear' ? '/fapi' : '/dapi';
  const handlers: Record<string, Handler> = {};
  const on = (
    where: string,
    call: Route['call'],
    needs: Route['needs'],
    answer: (scene: Scene, params: URLSearchParams) => unknown,
  ): void => {
    const [method = '', path = ''] = where.split(' ');
    handlers[`${method} ${prefix}${path}`] = {
      call,
      needs,
      answer: (scene) => ok(answer(scene, paramsOf(scene.request))),
    };
  };
  const mine = ({ instrument }: { instrument: Order['instrument'] }): boolean => instrument.kind === kind;
  const named = (params: URLSearchParams): Rules => rulesOf(params.get('symbol'), kind);
  const asked = (params: URLSearchParams) => (order: Order) =>
    mine(order) && (!params.has('symbol') || order.instrument === named(params).instrument);

  on('GET /v1/ping', 'time', 'public', () => ({}));
  on('GET /v1/time', 'time', 'public', ({ venue }) => ({ serverTime: venue.now() }));
  on('GET /v1/exchangeInfo', 'instruments', 'public', ({ venue }) => ({
    timezone: 'UTC',
    serverTime: venue.now(),
    rateLimits: [
      { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: 2400 },
      { rateLimitType: 'ORDERS', interval: 'MINUTE', intervalNum: 1, limit: 1200 },
    ],
    exchangeFilters: [],
    symbols: RULES.filter(({ instrument }) => instrument.kind === kind).map(symbolInfo),
  }));
  on('GET /v1/ticker/price', 'ticker', 'public', ({ venue }, params) => {
    const all = RULES.filter(({ instrument }) => instrument.kind === kind).map(({ symbol, instrument }) => ({
      symbol,
      price: venue.price(instrument).toFixed(),
      time: venue.now(),
    }));
    return params.has('symbol') ? all.find(({ symbol }) => symbol === named(params).symbol) : all;
  });
  on('GET /v1/ticker/24hr', 'ticker', 'public', ({ venue }, params) => ticker(venue, named(params)));
  on('GET /v1/ticker/bookTicker', 'ticker', 'public', ({ venue }, params) => {
    const price = venue.price(named(params).instrument).toFixed();
    return {
      symbol: named(params).symbol,
      bidPrice: price,
      bidQty: '100',
      askPrice: price,
      askQty: '100',
      time: venue.now(),
    };
  });
  on('GET /v1/depth', 'depth', 'public', ({ venue }, params) => {
    const price = venue.price(named(params).instrument).toFixed();
    return {
      lastUpdateId: venue.now(),
      E: venue.now(),
      T: venue.now(),
      bids: [[price, '100']],
      asks: [[price, '100']],
    };
  });
  on('GET /v1/klines', 'candles', 'public', (scene, params) => klines(scene, named(params), params));

  on('GET /v1/leverageBracket', 'brackets', 'read', () => brackets(kind));
  on('GET /v2/leverageBracket', 'brackets', 'read', () => brackets(kind));
  on('GET /v1/positionSide/dual', 'position-mode', 'read', ({ account }) => ({
    dualSidePosition: account.hedged,
  }));
  on('POST /v1/positionSide/dual', 'position-mode', 'trade', ({ account }, params) => {
    account.hedged = params.get('dualSidePosition') === 'true';
    return { code: 200, msg: 'success' };
  });
  on('POST /v1/leverage', 'leverage', 'trade', (_, params) => ({
    symbol: named(params).symbol,
    leverage: Number(params.get('leverage')),
    maxNotionalValue: '1000000',
  }));
  for (const version of ['v1', 'v2']) {
    on(`GET /${version}/positionRisk`, 'positions', 'read', ({ venue, account }, params) =>
      everyPosition(venue, account, kind)
        .filter(({ rules }) => !params.has('symbol') || rules === named(params))
        .map((row) => ({
          ...row.risk,
          leverage: '10',
          marginType: 'cross',
          isolated: false,
          isAutoAddMargin: 'false',
        })),
    );
  }
  on('GET /v3/positionRisk', 'positions', 'read', ({ venue, account }, params) =>
    everyPosition(venue, account, kind)
      .filter(({ rules }) => !params.has('symbol') || rules === named(params))
      // The third version leaves out what has neither a position nor an order.
      .filter(
        ({ rules, held }) =>
          held || account.openOrders.some(({ instrument }) => instrument === rules.instrument),
      )
      .map((row) => row.risk),
  );
  for (const version of ['v2', 'v3']) {
    on(`GET /${version}/account`, 'account', 'read', ({ venue, account }) => ({
      canTrade: true,
      multiAssetsMargin: false,
      totalWalletBalance: account.coins('swap', 'USDT').owned.toFixed(8),
      availableBalance: account.coins('swap', 'USDT').owned.toFixed(8),
      assets: [...account.wallet('swap')].map(([asset, { owned }]) => ({
        asset,
        walletBalance: owned.toFixed(8),
        marginBalance: owned.toFixed(8),
        availableBalance: owned.toFixed(8),
        crossWalletBalance: owned.toFixed(8),
        initialMargin: '0.00000000',
        unrealizedProfit: '0.00000000',
      })),
      positions: everyPosition(venue, account, kind)
        .filter(({ held }) => held)
        .map((row) => row.risk),
    }));
  }

  on('GET /v1/openOrders', 'orders', 'read', ({ account }, params) =>
    account.openOrders.filter((order) => order.trigger === undefined && asked(params)(order)).map(orderRow),
  );
  on('GET /v1/order', 'order', 'read', ({ venue, account }, params) => {
    const order = venue.find(account, wanted(params));
    if (order === undefined) throw new Rejection('unknown-order');
    return orderRow(order);
  });
  on('POST /v1/order', 'place', 'trade', ({ venue, account }, params) => {
    const rules = named(params);
    const order = orderIn(params, rules.instrument);
    // In hedge mode the side says it all, and this flag is an error.
    if (account.hedged && params.has('reduceOnly')) throw new Rejection('bad-request');
    checkSize(rules, order, venue.price(rules.instrument));
    return orderRow(venue.place(account, order));
  });
  on('DELETE /v1/order', 'cancel', 'trade', ({ venue, account }, params) =>
    orderRow(venue.cancel(account, venue.find(account, wanted(params)))),
  );
  on('DELETE /v1/allOpenOrders', 'cancel-all', 'trade', ({ venue, account }, params) => {
    const { instrument } = named(params);
    for (const order of account.openOrders) {
      if (order.instrument === instrument && order.trigger === undefined) venue.cancel(account, order);
    }
    return { code: 200, msg: 'The operation of cancel all open order is done.' };
  });
  on('POST /v1/countdownCancelAll', 'cancel-after', 'trade', ({ venue, account }, params) => {
    const { instrument } = named(params);
    const ms = Number(numberIn(params, 'countdownTime') ?? 0);
    venue.cancelAfter(
      account,
      instrument.name,
      ms,
      (order) => order.instrument === instrument && order.trigger === undefined,
    );
    return { symbol: named(params).symbol, countdownTime: String(ms) };
  });

  on('GET /v1/openAlgoOrders', 'trigger-orders', 'read', ({ account }, params) =>
    account.openOrders.filter((order) => order.trigger !== undefined && asked(params)(order)).map(algoRow),
  );
  on('POST /v1/algoOrder', 'place-trigger', 'trade', ({ venue, account }, params) => {
    const rules = named(params);
    const order = orderIn(params, rules.instrument);
    if (order.trigger === undefined) throw new Rejection('bad-request');
    checkSize(rules, order, venue.price(rules.instrument));
    return algoRow(venue.place(account, order));
  });
  on('DELETE /v1/algoOrder', 'cancel-trigger', 'trade', ({ venue, account }, params) => {
    const id = params.get('algoId') ?? undefined;
    const clientId = params.get('clientAlgoId') ?? undefined;
    const order = venue.cancel(account, venue.find(account, { id, clientId }));
    return { algoId: Number(order.id), clientAlgoId: order.clientId, code: '200', msg: 'success' };
  });
  on('DELETE /v1/algoOpenOrders', 'cancel-all-trigger', 'trade', ({ venue, account }, params) => {
    const { instrument } = named(params);
    for (const order of account.openOrders) {
      if (order.instrument === instrument && order.trigger !== undefined) venue.cancel(account, order);
    }
    return { code: 200, msg: 'The operation of cancel all open order is done.' };
  });
  return handlers;
}

const wanted = (params: URLSearchParams) => ({
  id: params.get('orderId') ?? undefined,
  clientId: params.get('origClientOrderId') ?? undefined,
});

function symbolInfo(rules: Rules): object {
  const { instrument, symbol } = rules;
  const isInverse = instrument.kind === 'inverse';
  const decimals = Math.max(0, (rules.step.split('.')[1] ?? '').length);
  return {
    symbol,
    pair: `${instrument.base}${instrument.quote}`,
    contractType: 'PERPETUAL',
    deliveryDate: 4_133_404_800_000,
    onboardDate: 1_569_398_400_000,
    ...(isInverse ? { contractStatus: 'TRADING', contractSize: rules.contractSize } : { status: 'TRADING' }),
    maintMarginPercent: '2.5000',
    requiredMarginPercent: '5.0000',
    baseAsset: instrument.base,
    quoteAsset: instrument.quote,
    marginAsset: isInverse ? instrument.base : instrument.quote,
    pricePrecision: instrument.decimals,
    quantityPrecision: decimals,
    baseAssetPrecision: 8,
    quotePrecision: 8,
    underlyingType: 'COIN',
    underlyingSubType: ['PoW'],
    triggerProtect: '0.0500',
    liquidationFee: '0.012500',
    marketTakeBound: '0.05',
    filters: filtersOf(rules),
    orderTypes: [
      'LIMIT',
      'MARKET',
      'STOP',
      'STOP_MARKET',
      'TAKE_PROFIT',
      'TAKE_PROFIT_MARKET',
      'TRAILING_STOP_MARKET',
    ],
    timeInForce: ['GTC', 'IOC', 'FOK', 'GTX', 'GTD'],
  };
}

function ticker(venue: Venue, { symbol, instrument }: Rules): object {
  const price = venue.price(instrument).toFixed();
  const now = venue.now();
  return {
    symbol,
    priceChange: '0',
    priceChangePercent: '0',
    weightedAvgPrice: price,
    lastPrice: price,
    lastQty: '1',
    openPrice: price,
    highPrice: price,
    lowPrice: price,
    volume: '1000',
    quoteVolume: '1000',
    openTime: now - 86_400_000,
    closeTime: now,
    firstId: 1,
    lastId: 2,
    count: 2,
  };
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function klines({ venue, history }: Scene, { instrument }: Rules, params: URLSearchParams): unknown[] {
  const [, count = '1', unit = 'm'] = /^(\d+)([smhd])$/.exec(params.get('interval') ?? '1m') ?? [];
  const intervalMs = Number(count) * (UNITS[unit] ?? 60_000);
  const limit = Math.min(1_500, Number(params.get('limit') ?? 500));
  return history
    .candles(instrument, intervalMs, limit, venue.now())
    .map(({ at, open, high, low, close }) => [
      at,
      open.toFixed(),
      high.toFixed(),
      low.toFixed(),
      close.toFixed(),
      '1000',
      at + intervalMs - 1,
      '1000',
      10,
      '500',
      '500',
      '0',
    ]);
}

function brackets(kind: Kind): object[] {
  return RULES.filter(({ instrument }) => instrument.kind === kind).map(({ symbol }) => ({
    symbol,
    brackets: [
      {
        bracket: 1,
        initialLeverage: 125,
        notionalCap: 50_000,
        notionalFloor: 0,
        qtyCap: 50_000,
        qtyFloor: 0,
        maintMarginRatio: 0.004,
        cum: 0,
      },
    ],
  }));
}

/** A row for every instrument and side, held or not. */
function everyPosition(
  venue: Venue,
  account: Account,
  kind: Kind,
): { rules: Rules; held: boolean; risk: object }[] {
  return RULES.filter(({ instrument }) => instrument.kind === kind).flatMap((rules) =>
    (account.hedged ? (['long', 'short'] as const) : (['both'] as const)).map((side) => {
      const position = account.position(rules.instrument, side);
      return { rules, held: position !== undefined, risk: riskRow(venue, rules, side, position) };
    }),
  );
}

function riskRow(venue: Venue, rules: Rules, side: Position['side'], position: Position | undefined): object {
  const { instrument } = rules;
  const price = venue.price(instrument);
  const size = position?.size ?? new Big(0);
  const entry = position?.entryPrice ?? new Big(0);
  const isInverse = instrument.kind === 'inverse';
  const notional = isInverse ? size.times(rules.contractSize).div(price) : size.times(price);
  const margin = notional.abs().div(10).toFixed(8);
  return {
    symbol: rules.symbol,
    positionSide: side.toUpperCase(),
    positionAmt: size.toFixed(),
    entryPrice: entry.toFixed(8),
    breakEvenPrice: entry.toFixed(8),
    markPrice: price.toFixed(8),
    unRealizedProfit: isInverse ? '0' : size.times(price.minus(entry)).toFixed(8),
    liquidationPrice: '0',
    isolatedMargin: '0',
    [isInverse ? 'notionalValue' : 'notional']: notional.toFixed(8),
    marginAsset: isInverse ? instrument.base : instrument.quote,
    isolatedWallet: '0',
    initialMargin: margin,
    maintMargin: margin,
    positionInitialMargin: margin,
    openOrderInitialMargin: '0',
    adl: 2,
    bidNotional: '0',
    askNotional: '0',
    updateTime: position?.updatedAt ?? 0,
  };
}

function orderRow(order: Order): object {
  const { instrument, price, trigger } = order;
  const isPartial = order.state === 'open' && order.filled.gt(0);
  return {
    orderId: Number(order.id),
    symbol: rulesFor(instrument).symbol,
    status: isPartial ? 'PARTIALLY_FILLED' : STATES[order.state],
    clientOrderId: order.clientId,
    price: (price ?? new Big(0)).toFixed(),
    avgPrice: order.averagePrice.toFixed(8),
    origQty: order.size.toFixed(),
    executedQty: order.filled.toFixed(),
    cumQty: order.filled.toFixed(),
    cumQuote: order.filled.times(order.averagePrice).toFixed(8),
    timeInForce: order.timeInForce === 'post-only' ? 'GTX' : (order.timeInForce ?? 'gtc').toUpperCase(),
    type: order.type.toUpperCase(),
    origType: order.type.toUpperCase(),
    reduceOnly: order.reduceOnly === true,
    closePosition: false,
    side: order.side.toUpperCase(),
    positionSide: (order.positionSide ?? 'both').toUpperCase(),
    stopPrice: (trigger ?? new Big(0)).toFixed(),
    workingType: 'CONTRACT_PRICE',
    priceProtect: false,
    priceMatch: 'NONE',
    selfTradePreventionMode: 'NONE',
    goodTillDate: 0,
    time: order.placedAt,
    updateTime: order.updatedAt,
  };
}

function algoRow(order: Order): object {
  return {
    algoId: Number(order.id),
    clientAlgoId: order.clientId,
    algoType: 'CONDITIONAL',
    orderType: order.type === 'limit' ? 'STOP' : 'STOP_MARKET',
    symbol: rulesFor(order.instrument).symbol,
    side: order.side.toUpperCase(),
    positionSide: (order.positionSide ?? 'both').toUpperCase(),
    timeInForce: 'GTC',
    quantity: order.size.toFixed(),
    algoStatus: order.state === 'waiting' ? 'NEW' : STATES[order.state],
    triggerPrice: (order.trigger ?? new Big(0)).toFixed(),
    price: (order.price ?? new Big(0)).toFixed(),
    icebergQuantity: null,
    selfTradePreventionMode: 'NONE',
    workingType: 'CONTRACT_PRICE',
    priceMatch: 'NONE',
    closePosition: false,
    priceProtect: false,
    reduceOnly: order.reduceOnly === true,
    createTime: order.placedAt,
    updateTime: order.updatedAt,
    triggerTime: 0,
    goodTillDate: 0,
  };
}
