import { describe, expect, it } from 'vitest';
import { looksFor } from '../../src/account/looks.ts';
import { waysOf } from '../../src/account/ways.ts';
import { clientOrderId } from '../../src/close/order-id.ts';
import { readCloseRequest } from '../../src/http/close-request.ts';
import { isTickFresh } from '../../src/switch/freshness.ts';
import { holding } from '../support/samples.ts';

describe('the id of an order', () => {
  const id = clientOrderId('drain', holding(), 0);

  it('is the same again, so that it is known after a restart', () => {
    expect(clientOrderId('drain', holding({ amount: '7', price: 1 }), 0)).toBe(id);
  });

  it('differs by key, holding and number', () => {
    const others = [
      clientOrderId('another', holding(), 0),
      clientOrderId('drain', holding(), 1),
      clientOrderId('drain', holding({ side: 'short' }), 0),
      clientOrderId('drain', holding({ symbol: 'ETH/USDT:USDT' }), 0),
    ];
    expect(new Set([id, ...others]).size).toBe(5);
  });

  it('is one that exchanges take', () => {
    expect(id).toMatch(/^[a-zA-Z0-9]{30}$/);
  });
});

describe('the request to close', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');

  it.each([
    ['nothing', undefined, { deadline: now + 60_000, dryRun: false, reason: '' }],
    ['a deadline', { deadline: '2026-01-31T12:00:30Z' }, { deadline: now + 30_000 }],
    ['a deadline in another zone', { deadline: '2026-01-31T13:00:30+01:00' }, { deadline: now + 30_000 }],
    ['a deadline of tomorrow', { deadline: '2026-02-01T12:00:00Z' }, { deadline: now + 600_000 }],
    ['a rehearsal', { dry_run: true }, { dryRun: true }],
    ['an id in the body', { drain_id: 'a' }, { key: 'a' }],
    ['Python’s None', { drain_id: null, reason: null, deadline: null, dry_run: null }, { dryRun: false }],
  ])('reads %s', (_, body, expected) => {
    expect(readCloseRequest(body, undefined, now)).toMatchObject(expected);
  });

  it('takes the key of the header before the one of the body', () => {
    expect(readCloseRequest({ drain_id: 'a' }, 'b', now)).toMatchObject({ key: 'b' });
  });

  it.each([[{ deadline: '12:00' }], [{ deadline: 3 }], [{ dry_run: 'true' }], [[]], ['text']])(
    'refuses %j with what was expected',
    (body) => {
      expect(readCloseRequest(body, undefined, now)).toMatch(/expected/);
    },
  );
});

describe('a tick is fresh', () => {
  it('where the sidecar says pass', () => {
    expect(isTickFresh({ status: 'fail', checks: { 'tick:age': [{ status: 'pass' }] } })).toBe(true);
  });

  it.each([
    [null],
    ['pass'],
    [{}],
    [{ status: 'pass' }],
    [{ status: 'pass', checks: {} }],
    [{ checks: { 'tick:age': [] } }],
    [{ checks: { 'tick:age': { status: 'pass' } } }],
    [{ checks: { 'tick:age': [{ status: 'fail' }] } }],
    [{ checks: { 'tick:age': [{ status: 'warn' }] } }],
  ])('and not with %j', (body) => {
    expect(isTickFresh(body)).toBe(false);
  });
});

describe('what is asked', () => {
  it('is each call once, however many markets it tells of', () => {
    const { positions, orders, balances } = looksFor(waysOf('okx'), ['linear', 'inverse', 'spot']);
    expect(positions).toEqual([{}]);
    expect(orders).toHaveLength(6);
    expect(balances).toEqual([{ type: 'trading' }]);
  });

  it('is both lists of orders at Binance, for every kind of contract', () => {
    const { orders } = looksFor(waysOf('binance'), ['linear', 'inverse']);
    expect(orders.filter(({ trigger }) => trigger === true)).toHaveLength(2);
    expect(orders.filter(({ trigger }) => trigger !== true)).toHaveLength(2);
  });
});
