import ccxt from 'ccxt';
import { describe, expect, it } from 'vitest';
import { classify, type LastAnswer } from '../../src/account/classify.ts';
import { waysOf } from '../../src/account/ways.ts';

const { codes } = waysOf('okx');
const said = (status: number, text = '{}', retryAfterMs: number | null = null): LastAnswer => ({
  status,
  text,
  retryAfterMs,
});

describe('what went wrong', () => {
  it.each([
    ['no connection', new ccxt.NetworkError('x'), null, 'EXCHANGE_UNREACHABLE'],
    ['no answer in time', new ccxt.RequestTimeout('x'), null, 'EXCHANGE_TIMEOUT'],
    ['overloaded', new ccxt.OperationFailed('x'), said(503), 'EXCHANGE_UNAVAILABLE'],
    ['failing', new ccxt.ExchangeNotAvailable('x'), said(502), 'EXCHANGE_UNAVAILABLE'],
    ['maintenance', new ccxt.OnMaintenance('x'), said(503), 'EXCHANGE_MAINTENANCE'],
    ['too many calls', new ccxt.RateLimitExceeded('x'), said(429), 'EXCHANGE_RATE_LIMITED'],
    ['locked out', new ccxt.DDoSProtection('x'), said(418), 'EXCHANGE_RATE_LIMITED'],
    ['locked out, in whatever words', new Error('x'), said(418), 'EXCHANGE_RATE_LIMITED'],
    ['wrong keys', new ccxt.AuthenticationError('x'), said(401), 'EXCHANGE_KEYS'],
    ['keys that may not', new ccxt.PermissionDenied('x'), said(401), 'EXCHANGE_READ_ONLY'],
    ['clocks', new ccxt.InvalidNonce('x'), said(400), 'EXCHANGE_CLOCK'],
    ['no money', new ccxt.InsufficientFunds('x'), said(400), 'EXCHANGE_FUNDS'],
    ['no such order', new ccxt.OrderNotFound('x'), said(400), 'EXCHANGE_UNKNOWN_ORDER'],
    ['a refused order', new ccxt.InvalidOrder('x'), said(400), 'EXCHANGE_REJECTED'],
    ['no such call', new ccxt.NotSupported('x'), null, 'EXCHANGE_UNSUPPORTED'],
    ['a defect', new TypeError('x is not a function'), null, 'EXCHANGE_FAILED'],
    [
      'a number that ccxt does not know',
      new ccxt.ExchangeError('x'),
      said(200, '{"code":"1","data":[{"sCode":"51169"}]}'),
      'EXCHANGE_REDUCE_ONLY',
    ],
    [
      'a key that may not trade, by its number',
      new ccxt.ExchangeError('x'),
      said(401, '{"code":"50120"}'),
      'EXCHANGE_READ_ONLY',
    ],
  ])('%s', (_, error, answer, code) => {
    expect(classify(error, 'closing', answer, codes).code).toBe(code);
  });

  it('is told with the call, in our words, with the exchange’s numbers and none of its words', () => {
    const error = new ccxt.InvalidOrder(
      'okx {"code":"51008","msg":"key=abc secret=def"} https://x/?signature=1',
    );
    const { message } = classify(error, 'closing', said(400, '{"code":"51008","msg":"key=abc"}'), codes);
    expect(message).toBe('closing: the exchange refused (status 400, error 51008)');
  });

  it('keeps for how long the exchange wants to be left alone', () => {
    expect(classify(new ccxt.DDoSProtection('x'), 'closing', said(429, '', 3_000), codes).retryAfterMs).toBe(
      3_000,
    );
  });
});
