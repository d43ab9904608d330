import { Big } from 'big.js';
import { readBook } from './book.ts';
import type { Fault } from './faults.ts';
import type { Key } from './keys.ts';
import type { PaperExchange } from './paper-exchange.ts';
import type { OrderRequest } from './venue/account.ts';
import { INSTRUMENTS, instrument } from './venue/instruments.ts';
import { Rejection } from './venue/rejection.ts';
import type { Answer, WireRequest } from './wire/call.ts';

type Body = Readonly<Record<string, unknown>>;

/**
 * What tests and demos steer the exchange with, under `/paper/`. It asks for no token: this exchange has no money, and
 * is published nowhere.
 */
export function createControl(
  exchange: Omit<PaperExchange, 'url' | 'close'>,
): (request: WireRequest) => Answer | undefined {
  const calls: Readonly<Record<string, (body: Body) => unknown>> = {
    'GET /paper/ping': () => ({ ping: 'pong' }),
    'GET /paper/book': () => readBook(exchange.venue),
    'GET /paper/prices': () =>
      Object.fromEntries(INSTRUMENTS.map((one) => [one.name, exchange.venue.price(one).toFixed()])),
    'GET /paper/calls': () => exchange.calls.of(),
    'GET /paper/countdowns': () => exchange.venue.countdowns,
    'POST /paper/faults': (body) => exchange.faults.add(body as unknown as Fault),
    'DELETE /paper/faults': () => exchange.faults.clear(),
    'POST /paper/price': ({ instrument: name, price }) => exchange.setPrice(String(name), String(price)),
    'POST /paper/depth': ({ instrument: name, depth }) =>
      exchange.venue.setDepth(instrument(String(name)), depth == null ? undefined : new Big(String(depth))),
    'POST /paper/clock': ({ ahead_ms: aheadMs }) => exchange.setClock(Number(aheadMs)),
    'POST /paper/hedged': ({ account, hedged }) => {
      exchange.venue.account(String(account ?? 'main')).hedged = hedged === true;
    },
    'POST /paper/keys': (body) => exchange.keys.add(body as unknown as Key),
    'POST /paper/orders': ({ account, ...order }) => {
      const { id } = exchange.venue.place(exchange.venue.account(String(account ?? 'main')), orderIn(order));
      return { id };
    },
    'POST /paper/reset': () => exchange.reset(),
  };
  return (request) => {
    if (!request.path.startsWith('/paper/')) return undefined;
    const call = calls[`${request.method} ${request.path}`];
    if (call === undefined) return said(404, `there is no ${request.method} ${request.path}`);
    try {
      const body = request.body === '' ? {} : (JSON.parse(request.body) as Body);
      return { status: 200, body: call(body) ?? { ok: true } };
    } catch (error) {
      if (error instanceof Rejection) return said(409, `rejected: ${error.reason}`);
      return said(400, error instanceof Error ? error.message : 'not understood');
    }
  };
}

const said = (status: number, message: string): Answer => ({ status, body: { error: { message } } });

const NUMBERS = ['size', 'price', 'trigger'] as const;

function orderIn(body: Body): OrderRequest {
  const numbers = Object.fromEntries(
    NUMBERS.filter((name) => body[name] != null).map((name) => [name, new Big(String(body[name]))]),
  );
  return {
    type: body.price == null ? 'market' : 'limit',
    ...(body as object),
    ...numbers,
    instrument: instrument(String(body.instrument)),
  } as unknown as OrderRequest;
}
