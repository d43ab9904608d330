import { describe, expect, it } from 'vitest';
import { ExchangeError } from '../../src/account/errors.ts';
import { checkNothingLost, rowsIn } from '../../src/account/evidence.ts';

const unreadable = (act: () => unknown): void => {
  expect(act).toThrow(ExchangeError);
  try {
    act();
  } catch (error) {
    expect((error as ExchangeError).code).toBe('EXCHANGE_UNREADABLE');
  }
};

describe('an answer that may prove that nothing is open', () => {
  it.each([
    ['an empty list', '[]', 0],
    ['a list in an envelope', '{"code":"0","msg":"","data":[]}', 0],
    ['a list further down', '{"retCode":0,"result":{"list":[{"size":"1"}],"nextPageCursor":""}}', 1],
    ['rows', '[{"positionAmt":"0.5"},{"positionAmt":"0"}]', 2],
  ])('%s', (_, text, rows) => {
    expect(rowsIn(text, 'reading positions')).toHaveLength(rows);
  });

  it.each([
    ['nothing at all', ''],
    ['null', 'null'],
    ['a number', '0'],
    ['an empty object', '{}'],
    ['an envelope without a list', '{"code":"0","data":null}'],
    ['an envelope with an object', '{"code":"0","data":{}}'],
    ['half of it', '[{"positionAmt":'],
    ['a page', '<html></html>'],
  ])('is not %s', (_, text) => {
    unreadable(() => rowsIn(text, 'reading positions'));
  });
});

describe('rows that are not understood', () => {
  it.each([
    [
      'that say that there is nothing',
      [{ positionAmt: '0.000' }, { pos: '0' }, { size: 0 }, { position: { szi: '0.0' } }],
    ],
    ['that all were', [{ pos: '1' }]],
  ])('may be those %s', (_, rows) => {
    expect(() => checkNothingLost(rows, 1, 'reading positions')).not.toThrow();
  });

  it.each([
    ['that have an amount', [{ positionAmt: '0.5' }, { positionAmt: '1' }]],
    ['whose amount is below zero', [{ positionAmt: '-0.5' }, { positionAmt: '1' }]],
    ['without any amount', [{ symbol: 'BTCUSDT' }, { symbol: 'ETHUSDT' }]],
    ['that are no objects', ['BTCUSDT', 'ETHUSDT']],
    ['with an empty amount', [{ pos: '' }, { pos: '' }]],
  ])('may not be those %s', (_, rows) => {
    unreadable(() => checkNothingLost(rows, 1, 'reading positions'));
  });
});
