import { type Misdeed, type PaperExchange, startPaperExchange } from '@botwarden/paper-exchange';
import { Big } from 'big.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BTC, DIALECTS, ETH } from '../support/dialects.ts';
import { NOTHING, order as place } from '../support/exchange.ts';
import { type Service, startService } from '../support/service.ts';

let paper: PaperExchange;
beforeAll(async () => {
  paper = await startPaperExchange();
});
afterAll(() => paper.close());

describe.each(DIALECTS)('at $name', ({ id }) => {
  // Its symbols are named, so that the exchange's rate limit leaves room for many looks.
  const env = { EXCHANGE_SYMBOLS: `${BTC},${ETH}` };
  let service: Service;
  beforeAll(async () => {
    service = await startService(paper, id, { env });
  });
  afterAll(() => service.end());
  afterEach(() => paper.reset());

  const rowWithoutSize =
    id === 'okx'
      ? '{"code":"0","msg":"","data":[{"instId":"BTC-USDT-SWAP","posSide":"net","avgPx":"60000"}]}'
      : '[{"symbol":"BTCUSDT","positionSide":"BOTH","entryPrice":"60000","notional":"1"}]';
  // A row that ccxt passes over without a word.
  const rowNotUnderstood =
    id === 'okx'
      ? '{"code":"0","msg":"","data":{}}'
      : '[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"0.5","notional":"30000"}]';

  const LIES: [string, Misdeed, string][] = [
    ['an empty object', { say: '{}' }, 'EXCHANGE_'],
    ['an empty body', { say: '' }, 'EXCHANGE_'],
    ['null', { say: 'null' }, 'EXCHANGE_'],
    ['half of a body', { say: '[{"symbol":"BTCUS' }, 'EXCHANGE_'],
    ['a page of a proxy', { say: '<html>all is well</html>' }, 'EXCHANGE_'],
    [
      'the page of a proxy with status 502',
      { status: 502, body: '<html>bad gateway</html>' },
      'EXCHANGE_UNAVAILABLE',
    ],
    ['another object', { say: '{"code":"0","msg":"","data":null}' }, 'EXCHANGE_'],
    ['a connection that breaks in the middle', { reset: 'half' }, 'EXCHANGE_UNREACHABLE'],
    ['a connection that breaks', { reset: 'after' }, 'EXCHANGE_UNREACHABLE'],
    ['silence', { silent: 0 }, 'EXCHANGE_TIMEOUT'],
    ['an overloaded exchange', { refuse: 'busy' }, 'EXCHANGE_'],
    ['maintenance', { refuse: 'maintenance' }, 'EXCHANGE_'],
    ['keys that are no longer accepted', { refuse: 'unknown-key' }, 'EXCHANGE_KEYS'],
    ['a redirect', { status: 302, headers: { location: '/elsewhere' } }, 'EXCHANGE_UNREACHABLE'],
  ];

  describe.each(['positions', 'orders', 'trigger-orders'] as const)('when the call for %s gets', (call) => {
    it.each(LIES)('%s: 503 with a code, and never nothing open', async (_, does, code) => {
      place(paper, BTC, 'buy', '0.5');
      paper.faults.add({ call, times: null, does });
      const { status, body } = await service.get('/positions');
      expect(status).toBe(503);
      expect(body.error.code).toContain(code);
      expect(body.error.message.length).toBeGreaterThan(20);
      expect(body).not.toHaveProperty('open_positions');
    });
  });

  it.each([
    ['without a size', rowWithoutSize],
    ['that is not understood', rowNotUnderstood],
  ])('a row %s makes the answer unreadable, and never nothing open', async (_, say) => {
    place(paper, BTC, 'buy', '0.5');
    paper.faults.add({ call: 'positions', times: null, does: { say } });
    const { status, body } = await service.get('/positions');
    expect(status).toBe(503);
    expect(body.error.code).toBe('EXCHANGE_UNREADABLE');
  });

  it('a close that can see nothing says so, and not that nothing is left', async () => {
    place(paper, BTC, 'buy', '0.5');
    paper.faults.add({ call: 'positions', times: null, does: { say: '{}' } });
    const { status, body } = await service.close({}, { within: 1_500 });
    expect(status).toBe(503);
    expect(body.error.code).toMatch(/^EXCHANGE_/);
  });

  const PASSING: [string, 'place' | 'cancel' | 'positions' | 'orders', Misdeed][] = [
    ['a closing order is refused, as there is less to reduce', 'place', { refuse: 'reduce-only' }],
    ['a closing order is refused for another reason', 'place', { refuse: 'size-too-large' }],
    ['a closing order meets an overloaded exchange', 'place', { refuse: 'busy' }],
    ['nobody knows what became of a closing order', 'place', { refuse: 'unknown-outcome' }],
    ['a closing order is done and its answer lost', 'place', { reset: 'after' }],
    ['a closing order is lost', 'place', { reset: 'before' }],
    ['a closing order is done in silence', 'place', { silent: 0 }],
    ['a closing order is done only after it was given up', 'place', { silent: 2_500 }],
    ['the exchange is closed for maintenance', 'place', { refuse: 'maintenance' }],
    ['a read breaks in the middle', 'positions', { reset: 'half' }],
    ['a read is unreadable', 'orders', { say: '{}' }],
    ['the clock is off', 'positions', { refuse: 'clock' }],
    ['the clock is off for an order', 'place', { refuse: 'clock' }],
  ];

  it.each(PASSING)('closes everything although once %s', async (_, call, does) => {
    place(paper, BTC, 'buy', '0.5');
    place(paper, ETH, 'sell', 2);
    place(paper, BTC, 'buy', '0.1', { price: 50_000 });
    paper.faults.add({ call, does });
    const { status, body } = await service.close();
    expect(status).toBe(200);
    expect(body).toMatchObject({ open_positions: [], pending_orders: [] });
    expect(paper.book()).toEqual(NOTHING);
  });

  it('closes everything although cancelling failed once', async () => {
    place(paper, BTC, 'buy', '0.1', { price: 50_000 });
    paper.faults.add({ call: id === 'okx' ? 'cancel' : 'cancel-all', does: { refuse: 'busy' } });
    expect((await service.close()).body).toMatchObject({ pending_orders: [] });
    expect(paper.book()).toEqual(NOTHING);
  });

  it('compares clocks again where the exchange’s clock jumps', async () => {
    place(paper, BTC, 'buy', '0.5');
    paper.setClock(90_000);
    expect((await service.close()).body).toMatchObject({ open_positions: [] });
    expect(paper.book()).toEqual(NOTHING);
  });

  it('leaves the exchange alone for as long as it asks, and then goes on', async () => {
    place(paper, BTC, 'buy', '0.5');
    paper.faults.add({
      call: 'place',
      does: { refuse: 'too-many-requests', headers: { 'retry-after': '2' } },
    });
    const { body } = await service.close();
    expect(body).toMatchObject({ open_positions: [] });
    const calls = paper.calls.of();
    const refused = calls.findIndex(({ call }) => call === 'place');
    const [before, next] = [calls[refused], calls[refused + 1]];
    // A second of the machine's clock may be a little shorter than one of the exchange's.
    expect((next?.at ?? 0) - (before?.at ?? 0)).toBeGreaterThanOrEqual(1_900);
  });

  it('makes no call while it is locked out, and says for how long', async () => {
    paper.faults.add({ call: 'positions', does: { refuse: 'banned', headers: { 'retry-after': '3' } } });
    const first = await service.get('/positions');
    expect(first.status).toBe(503);
    expect(first.body.error.code).toBe('EXCHANGE_RATE_LIMITED');
    expect(Number(first.headers.get('retry-after'))).toBe(3);
    paper.calls.clear();
    const second = await service.get('/positions');
    expect(second.status).toBe(503);
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(paper.calls.of()).toEqual([]);
    await expect.poll(async () => (await service.get('/positions')).status, { timeout: 10_000 }).toBe(200);
  });
});

describe('coins on credit, where an order too many would open something', () => {
  const env = { EXCHANGE_MARKETS: 'margin', EXCHANGE_SYMBOLS: 'BTC/USDT' };
  let service: Service;
  afterEach(async () => {
    await service.end();
    paper.reset();
  });
  const owe = (btc: string): void =>
    paper.venue.account('main').setCoins('margin', 'BTC', { owned: new Big(0), borrowed: new Big(btc) });

  it('an order that is done only after it was given up is not sent a second time', async () => {
    owe('0.3');
    service = await startService(paper, 'binance', { env });
    paper.faults.add({ call: 'place', does: { silent: 3_500 } });
    const { body } = await service.close({}, { within: 40_000 });
    expect(body).toMatchObject({ open_positions: [] });
    expect(paper.book()).toEqual(NOTHING);
    expect(paper.calls.of('place')).toHaveLength(1);
  });

  it('an order that was lost is sent again, once it cannot be on its way any more', async () => {
    owe('0.3');
    service = await startService(paper, 'binance', { env });
    paper.faults.add({ call: 'place', does: { reset: 'before' } });
    const { body } = await service.close({}, { within: 40_000 });
    expect(body).toMatchObject({ open_positions: [] });
    expect(paper.book()).toEqual(NOTHING);
    const [first, second] = paper.calls.of('place');
    const idOf = (said = ''): string => new URLSearchParams(said).get('newClientOrderId') ?? 'none';
    expect(idOf(second?.said)).toBe(idOf(first?.said));
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(9_000);
  });

  it('what was sent before a restart is known again, and not sent a second time', async () => {
    owe('0.3');
    service = await startService(paper, 'binance', { env });
    paper.faults.add({ call: 'place', does: { silent: 4_000 } });
    const lost = service.close({}, { key: 'one-drain', within: 40_000 }).catch(() => undefined);
    await expect.poll(() => paper.calls.of('place').length, { timeout: 20_000 }).toBe(1);
    service.child.kill('SIGKILL');
    await lost;
    service = await startService(paper, 'binance', { env });
    const { body } = await service.close({}, { key: 'one-drain', within: 40_000 });
    expect(body).toMatchObject({ open_positions: [] });
    expect(paper.book()).toEqual(NOTHING);
    expect(paper.calls.of('place')).toHaveLength(1);
  });
});
