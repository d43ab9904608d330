import type { Reason } from '../../venue/rejection.ts';
import type { Refusal } from '../../wire/call.ts';

const REJECTIONS: Readonly<Record<Reason, readonly [code: string, words: string]>> = {
  'reduce-only': [
    '51169',
    "Order failed because you don't have any positions in this direction for this contract to reduce or close.",
  ],
  'wrong-position-side': ['51000', 'Parameter posSide  error'],
  funds: ['51008', 'Order failed. Insufficient USDT margin in account.'],
  'would-take': ['51280', 'The post-only order would have been filled at once.'],
  unfillable: ['51000', 'The fill-or-kill order could not be filled.'],
  'unknown-order': ['51400', 'Cancellation failed as the order has been filled, canceled or does not exist.'],
  'same-client-id': ['51016', 'Client order ID already exists.'],
  'size-step': ['51121', 'Order quantity must be a multiple of the lot size.'],
  'size-too-small': ['51020', 'Your order should meet or exceed the minimum order amount.'],
  'size-too-large': ['51202', 'The quantity of the market order exceeds the maximum.'],
  'cost-too-small': ['51020', 'Your order should meet or exceed the minimum order amount.'],
  'bad-request': ['51000', 'Parameter error'],
};

const REFUSALS: Readonly<Record<Refusal, readonly [status: number, code: string, words: string]>> = {
  'unknown-key': [401, '50111', 'Invalid OK-ACCESS-KEY'],
  'bad-signature': [401, '50113', 'Invalid Sign'],
  'not-permitted': [401, '50120', "This API key doesn't have permission to use this function"],
  clock: [401, '50102', 'Timestamp request expired'],
  'too-many-requests': [429, '50011', 'Too Many Requests'],
  banned: [429, '50011', 'Too Many Requests'],
  busy: [503, '50013', 'Systems are busy. Please try again later.'],
  maintenance: [503, '50001', 'Service temporarily unavailable. Try again later.'],
  'unknown-outcome': [
    400,
    '50004',
    'API endpoint request timeout (does not mean that the request was successful or failed, please check the request result).',
  ],
};

/** The code and words for one order of a batch that is refused. */
export const sayRejection = (reason: Reason): readonly [code: string, words: string] => REJECTIONS[reason];

/** Status, code and words for a request that is refused as a whole. */
export function sayRefusal(why: Refusal | Reason): readonly [status: number, code: string, words: string] {
  if (why in REFUSALS) return REFUSALS[why as Refusal];
  const [code, words] = REJECTIONS[why as Reason];
  // The look-up of an order has a code of its own.
  return [200, why === 'unknown-order' ? '51603' : code, words];
}

/** Whether it is an order that is refused, and not the request. */
export const isRejection = (why: Refusal | Reason): why is Reason => why in REJECTIONS;
