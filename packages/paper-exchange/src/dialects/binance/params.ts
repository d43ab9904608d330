import { Big } from 'big.js';
import type { OrderRequest, PositionSide } from '../../venue/account.ts';
import type { Instrument } from '../../venue/instruments.ts';
import { Rejection } from '../../venue/rejection.ts';
import type { WireRequest } from '../../wire/call.ts';

/** What a request says, in its query or as a form. */
export function paramsOf({ search, body }: WireRequest): URLSearchParams {
  return new URLSearchParams([search, body].filter((part) => part !== '').join('&'));
}

/** A number in a request. */
export function numberIn(params: URLSearchParams, name: string): Big | undefined {
  const text = params.get(name);
  if (text === null) return undefined;
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Rejection('bad-request');
  return new Big(text);
}

const POSITION_SIDES: Readonly<Record<string, PositionSide>> = { BOTH: 'both', LONG: 'long', SHORT: 'short' };

/** The order that a request asks for. */
export function orderIn(params: URLSearchParams, instrument: Instrument): OrderRequest {
  const type = params.get('type') ?? '';
  const side = params.get('side');
  const size = numberIn(params, 'quantity');
  if ((side !== 'BUY' && side !== 'SELL') || size === undefined) throw new Rejection('bad-request');
  const isLimit = ['LIMIT', 'STOP', 'TAKE_PROFIT', 'LIMIT_MAKER'].includes(type);
  const price = numberIn(params, 'price');
  if (isLimit && price === undefined) throw new Rejection('bad-request');
  const trigger = numberIn(params, 'triggerPrice') ?? numberIn(params, 'stopPrice');
  const clientId = params.get('newClientOrderId') ?? params.get('clientAlgoId');
  const inForce = params.get('timeInForce');
  return {
    instrument,
    type: isLimit ? 'limit' : 'market',
    side: side === 'BUY' ? 'buy' : 'sell',
    size,
    ...(isLimit && price !== undefined ? { price } : {}),
    ...(trigger === undefined ? {} : { trigger }),
    ...(clientId === null ? {} : { clientId }),
    reduceOnly: params.get('reduceOnly') === 'true',
    positionSide: POSITION_SIDES[params.get('positionSide') ?? 'BOTH'] ?? 'both',
    timeInForce:
      inForce === 'GTX' || type === 'LIMIT_MAKER'
        ? 'post-only'
        : inForce === 'IOC'
          ? 'ioc'
          : inForce === 'FOK'
            ? 'fok'
            : 'gtc',
  };
}
