import { describe, expect, it } from 'vitest';
import { ITEMS_SHOWN, openItems } from '../../../src/watch/open-item.ts';

const nothing = { symbol: null, side: null, size: null };

describe('an open position or order', () => {
  it.each([
    [
      'as the reference bot tells it',
      {
        id: 'p1',
        symbol: 'BTC/USDT',
        side: 'long',
        quantity: 0.25,
        price: 60_000,
        at: '2026-01-31T12:00:00Z',
      },
      { symbol: 'BTC/USDT', side: 'long', size: '0.25' },
    ],
    [
      'as ccxt tells a position',
      { symbol: 'ETH/USDT:USDT', side: 'short', contracts: 3, entryPrice: 2500 },
      { symbol: 'ETH/USDT:USDT', side: 'short', size: '3' },
    ],
    [
      'as ccxt tells an order',
      { symbol: 'ETH/USDT', side: 'sell', amount: '0.50000000', price: null },
      { symbol: 'ETH/USDT', side: 'sell', size: '0.50000000' },
    ],
    [
      'as freqtrade tells a trade',
      { trade_id: 3, pair: 'XRP/USDT', is_short: false, amount: 120 },
      { symbol: 'XRP/USDT', side: 'long', size: '120' },
    ],
    [
      'as freqtrade tells an order',
      { pair: 'XRP/USDT', ft_order_side: 'buy', amount: 120 },
      { symbol: 'XRP/USDT', side: 'buy', size: '120' },
    ],
    ['that is only a symbol', 'BTC/USDT', { ...nothing, symbol: 'BTC/USDT' }],
    [
      'with an empty field, and another name for it',
      { symbol: ' ', pair: 'A/B' },
      { ...nothing, symbol: 'A/B' },
    ],
    ['with fields of other types', { symbol: { a: 1 }, side: ['buy'], size: true }, nothing],
    ['with a size that is no number', { size: Number.NaN }, nothing],
    ['with nothing that is known', { foo: 'bar' }, nothing],
    ['that inherits a field', Object.create({ symbol: 'BTC/USDT' }), nothing],
    ['that is null', null, nothing],
    ['that is a number', 7, nothing],
  ])('%s', (_, sent, shown) => {
    expect(openItems([sent])).toEqual([shown]);
  });

  it('is one short line, whatever the bot sends', () => {
    const [item] =
      openItems([{ symbol: 'BTC\u0000\n\u202E/US\u001b[31mDT', side: '\u009b', size: 'x'.repeat(5000) }]) ??
      [];
    expect(item?.symbol).toBe('BTC /US [31mDT');
    expect(item?.side).toBeNull();
    expect(item?.size).toHaveLength(60);
    // Half of a character is none.
    expect(openItems([`${'x'.repeat(58)}😀😀`])?.[0]?.symbol).toBe(`${'x'.repeat(58)}…`);
  });

  it('shows no credential', () => {
    const items = openItems(
      [{ symbol: 'the-secret-of-the-bot', side: 'api_key=abc123def' }],
      ['the-secret-of-the-bot'],
    );
    expect(JSON.stringify(items)).not.toMatch(/the-secret-of-the-bot|abc123def/);
  });
});

it('of many items the first are shown, and of a count none', () => {
  expect(openItems(Array.from({ length: 500 }, (_, n) => `S${n}`))).toHaveLength(ITEMS_SHOWN);
  expect(openItems(null)).toBeNull();
  expect(openItems([])).toEqual([]);
});
