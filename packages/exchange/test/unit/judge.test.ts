import { Big } from 'big.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Holding, Limits } from '../../src/account/account.ts';
import { isFlat, judge } from '../../src/close/judge.ts';
import { plan } from '../../src/close/plan.ts';
import { holding, LIMITS, openOrder, reading } from '../support/samples.ts';

const known = () => LIMITS;

describe('what counts as open', () => {
  it.each<[string, Partial<Holding>, Limits | null, 'open' | 'dust']>([
    ['a position', {}, LIMITS, 'open'],
    ['a position that an order takes exactly', { amount: '0.001' }, LIMITS, 'open'],
    ['a position below the minimum', { amount: '0.0009' }, LIMITS, 'dust'],
    [
      'a position below the minimum worth, as an order that reduces may be',
      { amount: '0.001', price: 1 },
      LIMITS,
      'open',
    ],
    ['coins below the minimum worth', { kind: 'spot', amount: '0.001', price: 1 }, LIMITS, 'dust'],
    [
      'coins on credit below the minimum worth',
      { kind: 'margin', amount: '0.001', price: 1 },
      LIMITS,
      'dust',
    ],
    ['coins whose worth nobody says', { kind: 'spot', amount: '0.001', price: null }, LIMITS, 'open'],
    ['a position in a market that is not known', {}, null, 'open'],
    [
      'a little in a market without limits',
      { amount: '0.00000001' },
      { step: null, min: null, max: null, minCost: null },
      'open',
    ],
    ['a position whose side nobody says', { side: null }, LIMITS, 'open'],
  ])('%s', (_, more, limits, expected) => {
    const judged = judge(reading([holding(more)]), null, () => limits);
    expect(judged.open).toHaveLength(expected === 'open' ? 1 : 0);
    expect(judged.dust).toHaveLength(expected === 'dust' ? 1 : 0);
    expect(isFlat(judged)).toBe(expected === 'dust');
  });

  it('is only what is named, where symbols are; the rest is counted apart', () => {
    const all = reading(
      [holding(), holding({ symbol: 'ETH/USDT:USDT' })],
      [openOrder(), openOrder({ symbol: 'ETH/USDT:USDT', id: '2' })],
    );
    const judged = judge(all, new Set(['ETH/USDT:USDT']), known);
    expect(judged.open.map(({ symbol }) => symbol)).toEqual(['ETH/USDT:USDT']);
    expect(judged.orders.map(({ id }) => id)).toEqual(['2']);
    expect(judged.outside).toBe(2);
  });

  it('is not nothing while an order pends', () => {
    expect(isFlat(judge(reading([], [openOrder()]), null, known))).toBe(false);
    expect(isFlat(judge(reading([]), null, known))).toBe(true);
  });
});

describe('the plan', () => {
  it('cancels together what one call can cancel: one symbol, one list', () => {
    const orders = [
      openOrder({ id: '1' }),
      openOrder({ id: '2' }),
      openOrder({ id: '3', list: { trigger: true } }),
      openOrder({ id: '4', symbol: 'ETH/USDT:USDT' }),
    ];
    const { cancels } = plan(judge(reading([], orders), null, known), known, new Map());
    expect(cancels.map((group) => group.map(({ id }) => id))).toEqual([['1', '2'], ['3'], ['4']]);
  });

  it('says what it cannot close, and why, and closes the rest', () => {
    const holdings = [
      holding({ side: null }),
      holding({ symbol: 'NEW/USDT:USDT' }),
      holding({ symbol: 'ETH/USDT:USDT' }),
    ];
    const limits = ({ symbol }: { symbol: string }) => (symbol.startsWith('NEW') ? null : LIMITS);
    const { closes, stuck } = plan(judge(reading(holdings), null, limits), limits, new Map());
    expect(closes.map(({ holding: { symbol } }) => symbol)).toEqual(['ETH/USDT:USDT']);
    expect(stuck.map(({ why }) => why)).toEqual([
      'the exchange does not say whether it is long or short',
      'this market is not in the list of markets',
    ]);
  });

  it('tries smaller orders where a size was refused', () => {
    const { closes } = plan(
      judge(reading([holding({ amount: '1' })]), null, known),
      known,
      new Map([['BTC/USDT:USDT', '0.25']]),
    );
    expect(closes[0]?.amounts).toEqual(['0.25', '0.25', '0.25', '0.25']);
  });

  const anyHolding = fc
    .record({
      symbol: fc.constantFrom('BTC/USDT:USDT', 'ETH/USDT:USDT', 'NEW/USDT:USDT', 'BTC/USDT'),
      kind: fc.constantFrom('contract', 'margin', 'spot') as fc.Arbitrary<Holding['kind']>,
      side: fc.constantFrom('long', 'short', null) as fc.Arbitrary<Holding['side']>,
      units: fc.integer({ min: 1, max: 1_000_000 }),
      price: fc.option(fc.integer({ min: 1, max: 100_000 })),
    })
    .map(({ units, ...more }) => holding({ ...more, amount: new Big(units).div(10_000).toFixed() }));
  const anyOrder = fc
    .record({ id: fc.uuid(), trigger: fc.boolean() })
    .map(({ id, trigger }) => openOrder({ id, list: trigger ? { trigger } : {} }));
  const limitsOf = ({ symbol }: { readonly symbol: string }): Limits | null =>
    symbol.startsWith('NEW') ? null : LIMITS;

  it('whatever is read: everything open is closed or said to be stuck, once, and no order goes beyond what is held', () => {
    fc.assert(
      fc.property(fc.array(anyHolding), fc.array(anyOrder), (holdings, orders) => {
        const judged = judge(reading(holdings, orders), null, limitsOf);
        expect([...judged.open, ...judged.dust]).toHaveLength(holdings.length);
        const { cancels, closes, stuck } = plan(judged, limitsOf, new Map());
        expect(cancels.flat()).toHaveLength(orders.length);
        expect([...closes, ...stuck].map((one) => one.holding)).toEqual(
          expect.arrayContaining([...judged.open]),
        );
        expect(closes.length + stuck.length).toBe(judged.open.length);
        for (const { holding: held, amounts } of closes) {
          expect(amounts.length).toBeGreaterThan(0);
          const sum = amounts.reduce((total, amount) => total.plus(amount), new Big(0));
          expect(sum.lte(held.amount)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
