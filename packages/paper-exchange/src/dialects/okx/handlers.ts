import { Big } from 'big.js';
import type { Account, Order, OrderRequest, Position, PositionSide } from '../../venue/account.ts';
import { Rejection } from '../../venue/rejection.ts';
import { sideOf, type Venue } from '../../venue/venue.ts';
import type { Answer, Route } from '../../wire/call.ts';
import { type Handler, ok, type Scene } from '../dialect.ts';
import { sayRejection } from './errors.ts';
import { checkSize, instrumentRow, RULES, rulesFor, rulesOf, toContracts, toVenue } from './rules.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The calls of OKX, version 5, by method and path. */
export function handlers(): Readonly<Record<string, Handler>> {
  const all: Record<string, Handler> = {};
  const on = (
    where: string,
    call: Route['call'],
    needs: Route['needs'],
    answer: (scene: Scene, query: URLSearchParams) => readonly unknown[] | Answer,
  ): void => {
    const [method = '', path = ''] = where.split(' ');
    all[`${method} /api/v5${path}`] = {
      call,
      needs,
      answer(scene) {
        const said = answer(scene, new URLSearchParams(scene.request.search));
        return 'status' in said ? said : ok({ code: '0', msg: '', data: said });
      },
    };
  };

  on('GET /public/time', 'time', 'public', ({ venue }) => [{ ts: String(venue.now()) }]);
  on('GET /public/instruments', 'instruments', 'public', (_, query) =>
    RULES.filter(({ instType }) => instType === query.get('instType')).map(instrumentRow),
  );
  on('GET /market/ticker', 'ticker', 'public', ({ venue }, query) => {
    const { instId, instType, instrument } = rulesOf(query.get('instId'));
    const last = venue.price(instrument).toFixed();
    return [
      {
        instType,
        instId,
        last,
        lastSz: '1',
        askPx: last,
        askSz: '100',
        bidPx: last,
        bidSz: '100',
        ts: String(venue.now()),
      },
    ];
  });
  on('GET /market/candles', 'candles', 'public', ({ venue, history }, query) => {
    const { instrument } = rulesOf(query.get('instId'));
    const limit = Math.min(300, Number(query.get('limit') ?? 100));
    return history
      .candles(instrument, 60_000, limit, venue.now())
      .reverse()
      .map(({ at, open, high, low, close }) =>
        [String(at), open, high, low, close]
          .map((one) => (one instanceof Big ? one.toFixed() : one))
          .concat('1', '1', '1', '1'),
      );
  });
  on('GET /asset/currencies', 'currencies', 'read', () => []);
  on('GET /account/config', 'account', 'read', ({ account }) => [
    {
      acctLv: '2',
      autoLoan: false,
      ctIsoMode: 'automatic',
      level: 'Lv1',
      posMode: account.hedged ? 'long_short_mode' : 'net_mode',
      uid: '44705892343619584',
      perm: 'read_only,trade',
    },
  ]);
  on('POST /account/set-position-mode', 'position-mode', 'trade', ({ account, request }) => {
    const [fields = {}] = items(request.body);
    account.hedged = fields.posMode === 'long_short_mode';
    return [{ posMode: String(fields.posMode) }];
  });
  on('GET /account/balance', 'balance', 'read', ({ venue, account }) => [
    {
      totalEq: account.coins('swap', 'USDT').owned.toFixed(8),
      uTime: String(venue.now()),
      details: [...account.wallet('spot')].map(([ccy, { owned }]) => ({
        ccy,
        cashBal: owned.toFixed(8),
        eq: owned.toFixed(8),
        availBal: owned.minus(account.locked('spot', ccy)).toFixed(8),
        availEq: '',
        frozenBal: account.locked('spot', ccy).toFixed(8),
        ordFrozen: account.locked('spot', ccy).toFixed(8),
        uTime: String(venue.now()),
      })),
    },
  ]);
  on('GET /account/positions', 'positions', 'read', ({ venue, account }, query) =>
    account.positions
      .map((position) => positionRow(venue, position))
      .filter(
        ({ instId }) => !query.has('instId') || (query.get('instId') ?? '').split(',').includes(instId),
      ),
  );

  on('GET /trade/orders-pending', 'orders', 'read', ({ account }, query) =>
    pending(account, query, false).map(orderRow),
  );
  on('GET /trade/orders-algo-pending', 'trigger-orders', 'read', ({ account }, query) => {
    // One call for each kind of such orders; here there are only the plain ones.
    const kinds = (query.get('ordType') ?? '').split(',');
    if (kinds[0] === '') throw new Rejection('bad-request');
    return kinds.includes('trigger') ? pending(account, query, true).map(algoRow) : [];
  });
  on('GET /trade/order', 'order', 'read', ({ venue, account }, query) => {
    const order = venue.find(account, {
      id: query.get('ordId') ?? undefined,
      clientId: query.get('clOrdId') ?? undefined,
    });
    if (order === undefined) throw new Rejection('unknown-order');
    return [orderRow(order)];
  });
  for (const path of ['/trade/order', '/trade/batch-orders']) {
    on(`POST ${path}`, 'place', 'trade', ({ venue, account, request }) =>
      each(request.body, (fields) => {
        const order = place(venue, account, fields);
        return {
          ordId: order.id,
          clOrdId: order.clientId,
          tag: '',
          ts: String(venue.now()),
          sCode: '0',
          sMsg: '',
        };
      }),
    );
  }
  for (const path of ['/trade/cancel-order', '/trade/cancel-batch-orders']) {
    on(`POST ${path}`, 'cancel', 'trade', ({ venue, account, request }) =>
      each(request.body, (fields) => {
        const order = venue.cancel(
          account,
          venue.find(account, { id: text(fields.ordId), clientId: text(fields.clOrdId) }),
        );
        return { ordId: order.id, clOrdId: order.clientId, sCode: '0', sMsg: '' };
      }),
    );
  }
  on('POST /trade/order-algo', 'place-trigger', 'trade', ({ venue, account, request }) =>
    each(request.body, (fields) => {
      const trigger = text(fields.triggerPx) ?? text(fields.slTriggerPx) ?? text(fields.tpTriggerPx);
      if (trigger === undefined) throw new Rejection('bad-request');
      const { id, clientId } = place(venue, account, fields, new Big(trigger));
      return { algoId: id, clOrdId: clientId, sCode: '0', sMsg: '' };
    }),
  );
  on('POST /trade/cancel-algos', 'cancel-trigger', 'trade', ({ venue, account, request }) =>
    each(request.body, (fields) => {
      const { id } = venue.cancel(account, venue.find(account, { id: text(fields.algoId) }));
      return { algoId: id, sCode: '0', sMsg: '' };
    }),
  );
  on('POST /trade/cancel-all-after', 'cancel-after', 'trade', ({ venue, account, request }) => {
    const [fields = {}] = items(request.body);
    const seconds = Number(fields.timeOut);
    if (seconds !== 0 && !(seconds >= 10 && seconds <= 120)) throw new Rejection('bad-request');
    venue.cancelAfter(account, 'all', seconds * 1_000, (order) => order.trigger === undefined);
    return [
      {
        triggerTime: String(seconds === 0 ? 0 : venue.now() + seconds * 1_000),
        tag: '',
        ts: String(venue.now()),
      },
    ];
  });
  return all;
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined;

/** The objects in a body: one, or a list. */
function items(body: string): Fields[] {
  try {
    return [JSON.parse(body) as Fields].flat();
  } catch {
    throw new Rejection('bad-request');
  }
}

/** Does each of a batch by itself: one that is refused does not keep the others back. */
function each(body: string, act: (fields: Fields) => object): Answer {
  const results = items(body).map((fields) => {
    try {
      return { done: true, row: act(fields) };
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      const [sCode, sMsg] = sayRejection(error.reason);
      return {
        done: false,
        row: { ordId: '', algoId: '', clOrdId: text(fields.clOrdId) ?? '', tag: '', sCode, sMsg },
      };
    }
  });
  const done = results.filter((result) => result.done).length;
  const code = done === results.length ? '0' : done === 0 ? '1' : '2';
  return ok({
    code,
    msg: code === '0' ? '' : code === '1' ? 'All operations failed' : 'Bulk operation partially succeeded.',
    data: results.map(({ row }) => row),
  });
}

function place(venue: Venue, account: Account, fields: Fields, trigger?: Big): Order {
  const rules = rulesOf(fields.instId);
  const size = text(fields.sz);
  const side = fields.side;
  if (size === undefined || (side !== 'buy' && side !== 'sell')) throw new Rejection('bad-request');
  const contracts = new Big(size);
  const px = text(fields.px) ?? (fields.orderPx === '-1' ? undefined : text(fields.orderPx));
  const type = px === undefined ? 'market' : 'limit';
  checkSize(rules, contracts, type);
  const positionSide = (text(fields.posSide) ?? 'net') as PositionSide | 'net';
  const clientId = text(fields.clOrdId);
  // Unlike others, this exchange remembers the ids of orders that have ended.
  if (clientId !== undefined && venue.find(account, { clientId }) !== undefined)
    throw new Rejection('same-client-id');
  const request: OrderRequest = {
    instrument: rules.instrument,
    type,
    side,
    size: toVenue(rules, contracts),
    ...(px === undefined ? {} : { price: new Big(px) }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(trigger === undefined ? {} : { trigger }),
    reduceOnly: fields.reduceOnly === true || fields.reduceOnly === 'true',
    positionSide: positionSide === 'net' ? 'both' : positionSide,
    timeInForce:
      fields.ordType === 'post_only'
        ? 'post-only'
        : fields.ordType === 'ioc'
          ? 'ioc'
          : fields.ordType === 'fok'
            ? 'fok'
            : 'gtc',
  };
  return venue.place(account, request);
}

function pending(account: Account, query: URLSearchParams, triggered: boolean): Order[] {
  const limit = Math.min(100, Number(query.get('limit') ?? 100));
  return account.openOrders
    .filter(({ trigger }) => (trigger !== undefined) === triggered)
    .filter(({ instrument }) => !query.has('instId') || rulesFor(instrument).instId === query.get('instId'))
    .reverse()
    .slice(0, limit);
}

function positionRow(venue: Venue, position: Position) {
  const rules = rulesFor(position.instrument);
  const price = venue.price(position.instrument);
  const contracts = toContracts(rules, position.size);
  const isInverse = position.instrument.kind === 'inverse';
  return {
    adl: '1',
    availPos: contracts.abs().toFixed(),
    avgPx: position.entryPrice.toFixed(),
    cTime: String(position.updatedAt),
    ccy: isInverse ? position.instrument.base : position.instrument.quote,
    imr: '1',
    instId: rules.instId,
    instType: rules.instType,
    interest: '',
    last: price.toFixed(),
    lever: '10',
    liab: '',
    liabCcy: '',
    liqPx: '',
    margin: '',
    markPx: price.toFixed(),
    mgnMode: 'cross',
    mgnRatio: '100',
    mmr: '0.5',
    notionalUsd: (isInverse ? position.size.times(rules.contractValue) : position.size.times(price))
      .abs()
      .toFixed(4),
    // One-way: below zero is short. Hedged: the side says it.
    pos: (position.side === 'both' ? contracts : contracts.abs()).toFixed(),
    posCcy: '',
    posId: '307173036051017730',
    posSide: position.side === 'both' ? 'net' : sideOf(position.size, position.side),
    tradeId: '1',
    uTime: String(position.updatedAt),
    upl: isInverse ? '0' : position.size.times(price.minus(position.entryPrice)).toFixed(8),
    uplRatio: '0',
  };
}

const STATES = {
  waiting: 'live',
  open: 'live',
  filled: 'filled',
  cancelled: 'canceled',
  expired: 'canceled',
} as const;

function orderRow(order: Order) {
  const rules = rulesFor(order.instrument);
  return {
    accFillSz: toContracts(rules, order.filled).toFixed(),
    avgPx: order.filled.eq(0) ? '' : order.averagePrice.toFixed(),
    cTime: String(order.placedAt),
    category: 'normal',
    ccy: '',
    clOrdId: order.clientId,
    fee: '0',
    feeCcy: order.instrument.quote,
    fillPx: '',
    fillSz: '0',
    fillTime: '',
    instId: rules.instId,
    instType: rules.instType,
    lever: '10',
    ordId: order.id,
    ordType: order.timeInForce === 'post-only' ? 'post_only' : order.type,
    pnl: '0',
    posSide: order.positionSide === 'both' ? 'net' : order.positionSide,
    px: order.price?.toFixed() ?? '',
    reduceOnly: String(order.reduceOnly === true),
    side: order.side,
    state: order.state === 'open' && order.filled.gt(0) ? 'partially_filled' : STATES[order.state],
    sz: toContracts(rules, order.size).toFixed(),
    tag: '',
    tdMode: rules.instType === 'SPOT' ? 'cash' : 'cross',
    tgtCcy: '',
    tradeId: '',
    uTime: String(order.updatedAt),
  };
}

function algoRow(order: Order) {
  const { fillPx: _, ordId, ordType: __, px, ...row } = orderRow(order);
  return {
    ...row,
    algoId: ordId,
    ordId: '',
    ordType: 'trigger',
    ordPx: px === '' ? '-1' : px,
    triggerPx: order.trigger?.toFixed() ?? '',
    triggerPxType: 'last',
    state: 'live',
  };
}
