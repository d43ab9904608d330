import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Key, Keys } from '../../keys.ts';
import type { Reason } from '../../venue/rejection.ts';
import type { Refusal, WireRequest } from '../../wire/call.ts';
import type { Dialect, Handler } from '../dialect.ts';
import { futures } from './futures.ts';
import { paramsOf } from './params.ts';
import { spot } from './spot.ts';

const HANDLERS: Readonly<Record<string, Handler>> = {
  ...futures('linear'),
  ...futures('inverse'),
  ...spot(),
};

/** How far ahead of the exchange's clock a request may be, in milliseconds. */
const AHEAD_MS = 1_000;
const RECV_WINDOW_MS = 5_000;

/** Binance: USDⓈ-M and COIN-M futures, spot, cross margin. */
export const binance: Dialect = {
  name: 'binance',
  handler: ({ method, path }) => HANDLERS[`${method} ${path}`],
  authenticate,
  refuse: (why, request) => {
    const isFutures = request.path.startsWith('/fapi') || request.path.startsWith('/dapi');
    const [status, code, msg] = errorOf(why, isFutures, request);
    return { status, body: { code, msg } };
  },
};

function authenticate(request: WireRequest, keys: Keys, now: number): Key | Refusal {
  const key = keys.get(request.headers['x-mbx-apikey']);
  if (key === undefined) return 'unknown-key';
  const signed = [request.search, request.body]
    .filter((part) => part !== '')
    .join('')
    .replace(/&?signature=[^&]*/, '');
  const params = paramsOf(request);
  const expected = createHmac('sha256', key.secret).update(signed).digest();
  const given = Buffer.from(params.get('signature') ?? '', 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'bad-signature';
  const timestamp = Number(params.get('timestamp'));
  const window = Number(params.get('recvWindow') ?? RECV_WINDOW_MS);
  if (!(timestamp < now + AHEAD_MS && now - timestamp <= window)) return 'clock';
  return key;
}

type Words = readonly [status: number, code: number, msg: string];

function errorOf(why: Refusal | Reason, isFutures: boolean, { path, method }: WireRequest): Words {
  const ERRORS: Readonly<Record<Refusal | Reason, Words>> = {
    'unknown-key': [401, -2015, 'Invalid API-key, IP, or permissions for action.'],
    'not-permitted': [401, -2015, 'Invalid API-key, IP, or permissions for action.'],
    'bad-signature': [400, -1022, 'Signature for this request is not valid.'],
    clock: [400, -1021, 'Timestamp for this request is outside of the recvWindow.'],
    'too-many-requests': [
      429,
      -1003,
      'Too many requests; current limit is 2400 requests per minute. Please use the websocket for live updates to avoid polling the API.',
    ],
    banned: [
      418,
      -1003,
      'Way too many requests; IP banned until 1999999999999. Please use the websocket for live updates to avoid bans.',
    ],
    busy: [
      503,
      -1008,
      'Server is currently overloaded with other requests. Please try again in a few minutes.',
    ],
    maintenance: [503, -1016, 'This service is no longer available.'],
    'unknown-outcome': [
      503,
      -1007,
      'Timeout waiting for response from backend server. Send status unknown; execution status unknown.',
    ],
    'reduce-only': [400, -2022, 'ReduceOnly Order is rejected.'],
    'wrong-position-side': [400, -4061, "Order's position side does not match user's setting."],
    funds: isFutures
      ? [400, -2019, 'Margin is insufficient.']
      : [400, -2010, 'Account has insufficient balance for requested action.'],
    'would-take': [
      400,
      -5022,
      'Due to the order could not be executed as maker, the Post Only order will be rejected.',
    ],
    unfillable: [
      400,
      -5021,
      'Due to the order could not be filled immediately, the FOK order has been rejected.',
    ],
    'unknown-order':
      method === 'GET' ? [400, -2013, 'Order does not exist.'] : [400, -2011, 'Unknown order sent.'],
    'same-client-id': isFutures
      ? [400, -4116, 'ClientOrderId is duplicated.']
      : [400, -2010, 'Duplicate order sent.'],
    'size-step': isFutures
      ? [400, -1111, 'Precision is over the maximum defined for this asset.']
      : [400, -1013, 'Filter failure: LOT_SIZE'],
    'size-too-small': isFutures
      ? [400, -4003, 'Quantity less than or equal to zero.']
      : [400, -1013, 'Filter failure: LOT_SIZE'],
    'size-too-large': isFutures
      ? [400, -4005, 'Quantity greater than max quantity.']
      : [400, -1013, 'Filter failure: MARKET_LOT_SIZE'],
    'cost-too-small': isFutures
      ? [400, -4164, "Order's notional must be no smaller than 5 (unless you choose reduce only)."]
      : [400, -1013, 'Filter failure: NOTIONAL'],
    'bad-request': [400, -1102, `Mandatory parameter was not sent, was empty/null, or malformed: ${path}.`],
  };
  return ERRORS[why];
}
