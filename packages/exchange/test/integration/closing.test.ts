import { instrument, type PaperExchange, startPaperExchange } from '@botwarden/paper-exchange';
import { Big } from 'big.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BTC, DIALECTS, ETH, SOL } from '../support/dialects.ts';
import { NOTHING, type Ordered, order as place } from '../support/exchange.ts';
import { type Service, type ServiceOptions, startService } from '../support/service.ts';

let paper: PaperExchange;
const services: Service[] = [];
beforeAll(async () => {
  paper = await startPaperExchange();
});
afterAll(() => paper.close());
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.end()));
  paper.reset();
});

async function serve(id: string, options?: ServiceOptions): Promise<Service> {
  const service = await startService(paper, id, options);
  services.push(service);
  return service;
}

const order = (symbol: string, side: 'buy' | 'sell', size: number | string, more?: Ordered): void =>
  place(paper, symbol, side, size, more);

describe.each(DIALECTS)('at $name', ({ id, btc }) => {
  it('tells what is open: symbol, side and size in coins, and what pends', async () => {
    order(BTC, 'buy', '0.5');
    order(ETH, 'sell', 2);
    order(BTC, 'buy', '0.1', { price: 50_000 });
    order(BTC, 'sell', '0.5', { trigger: 55_000, reduceOnly: true });
    const service = await serve(id);
    const { status, body } = await service.get('/positions');
    expect(status).toBe(200);
    expect(body.open_positions).toMatchObject([
      { symbol: BTC, side: 'long', size: 0.5, contracts: 0.5 / btc, contract_size: btc, entry_price: 60_000 },
      { symbol: ETH, side: 'short', size: 2 },
    ]);
    expect(body.pending_orders).toMatchObject([
      { symbol: BTC, side: 'buy', price: 50_000 },
      { symbol: BTC, side: 'sell', trigger_price: 55_000 },
    ]);
    expect(body.dust).toEqual([]);
  });

  it('cancels every order, also those that wait for a trigger, and closes every position', async () => {
    order(BTC, 'buy', '0.5');
    order(ETH, 'sell', 2);
    order(BTC, 'buy', '0.1', { price: 50_000 });
    order(SOL, 'sell', 3, { price: 200 });
    order(BTC, 'sell', '0.5', { trigger: 55_000 });
    const service = await serve(id);
    const { status, body } = await service.close();
    expect(status).toBe(200);
    expect(body).toMatchObject({ open_positions: [], pending_orders: [], problems: [], closing_orders: 2 });
    expect(paper.book()).toEqual(NOTHING);
  });

  it('closes only by orders that cannot open anything, each with an id of the drain', async () => {
    order(BTC, 'buy', '0.5');
    const service = await serve(id);
    await service.close({}, { key: 'drain-1' });
    const [placed, ...others] = paper.calls.of('place');
    expect(others).toEqual([]);
    expect(placed?.said).toMatch(/reduceOnly["=:]+true/);
    expect(placed?.said).toMatch(/(newClientOrderId=|"clOrdId":")bw[0-9a-f]{28}/);
  });

  it('closes a long and a short of the same symbol in hedge mode', async () => {
    paper.venue.account('main').hedged = true;
    order(BTC, 'buy', '0.5', { positionSide: 'long' });
    order(BTC, 'sell', '0.2', { positionSide: 'short' });
    const service = await serve(id);
    expect((await service.get('/positions')).body.open_positions).toMatchObject([
      { side: 'long', size: 0.5, hedged: true },
      { side: 'short', size: 0.2, hedged: true },
    ]);
    expect((await service.close()).body).toMatchObject({ open_positions: [], pending_orders: [] });
    expect(paper.book()).toEqual(NOTHING);
  });

  it('closes in several orders what is too large for one', async () => {
    paper.venue.account('main').setCoins('swap', 'USDT', { owned: new Big(1e9), borrowed: new Big(0) });
    order(BTC, 'buy', 250);
    const service = await serve(id);
    expect((await service.close()).body).toMatchObject({ open_positions: [], problems: [] });
    expect(paper.book()).toEqual(NOTHING);
    expect(paper.calls.of('place').length).toBeGreaterThan(1);
  });

  it('goes on after partial fills until nothing is left', async () => {
    order(BTC, 'buy', '0.5');
    paper.venue.setDepth(instrument(BTC), new Big('0.2'));
    const service = await serve(id);
    expect((await service.close()).body).toMatchObject({ open_positions: [], problems: [] });
    expect(paper.book()).toEqual(NOTHING);
    expect(paper.calls.of('place')).toHaveLength(3);
  });

  it('says what is left at the deadline, and then sends nothing any more', async () => {
    order(BTC, 'buy', '0.5');
    paper.venue.setDepth(instrument(BTC), new Big('0.001'));
    const service = await serve(id);
    const { status, body } = await service.close({}, { within: 1_500 });
    expect(status).toBe(200);
    expect(body.open_positions).toMatchObject([{ symbol: BTC, side: 'long' }]);
    const after = paper.calls.of('place').length;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(paper.calls.of('place')).toHaveLength(after);
  });

  it('says in a dry run what it would do, and does nothing', async () => {
    order(BTC, 'buy', '0.5');
    order(BTC, 'buy', '0.1', { price: 50_000 });
    const service = await serve(id);
    const before = paper.book();
    const { status, body } = await service.close({ dry_run: true });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      dry_run: true,
      open_positions: [{ symbol: BTC }],
      pending_orders: [{ symbol: BTC }],
      would_send: [{ symbol: BTC, side: 'sell', amounts: [0.5 / btc] }],
    });
    expect(paper.book()).toEqual(before);
  });

  it('touches only the symbols that are named, and says that there is more', async () => {
    order(BTC, 'buy', '0.5');
    order(ETH, 'buy', 1);
    order(ETH, 'buy', 1, { price: 2_000 });
    const service = await serve(id, { env: { EXCHANGE_SYMBOLS: BTC } });
    const { body } = await service.close();
    expect(body).toMatchObject({ open_positions: [], pending_orders: [] });
    expect(body.outside_scope).toBeGreaterThanOrEqual(1);
    expect(paper.book()).toMatchObject({ positions: [{ instrument: ETH }], orders: [{ instrument: ETH }] });
  });

  it('tells what is too small for any order as dust, and does not count it as open', async () => {
    order(SOL, 'buy', '0.05');
    order(BTC, 'buy', '0.5');
    const service = await serve(id);
    const { body } = await service.close();
    expect(body.open_positions).toEqual([]);
    expect(body.dust).toMatchObject([{ symbol: SOL, side: 'long', size: 0.05 }]);
    expect(body.problems).toEqual([]);
    expect(paper.book().positions).toEqual([{ instrument: SOL, side: 'long', size: '0.05' }]);
  });

  it('closes what can be closed where one symbol cannot, and says which and why', async () => {
    order(BTC, 'buy', '0.5');
    order(ETH, 'buy', 1);
    const service = await serve(id);
    const where = id === 'okx' ? 'ETH-USDT-SWAP' : 'symbol=ETHUSDT';
    paper.faults.add({ call: 'place', where, times: null, does: { refuse: 'funds' } });
    const { body } = await service.close({}, { within: 2_500 });
    expect(body.open_positions).toMatchObject([{ symbol: ETH }]);
    expect(body.problems).toMatchObject([{ symbol: ETH, code: 'EXCHANGE_FUNDS' }]);
    expect(paper.book().positions).toMatchObject([{ instrument: ETH }]);
  });

  it('closes coins of the symbols that are named, and never the rest of the wallet', async () => {
    order('BTC/USDT', 'buy', '0.5');
    order('ETH/USDT', 'buy', 1);
    order('BTC/USDT', 'sell', '0.2', { price: 70_000 });
    const service = await serve(id === 'okx' ? 'okx' : 'binance', {
      env: { EXCHANGE_MARKETS: 'spot', EXCHANGE_SYMBOLS: 'BTC/USDT' },
    });
    const { body: before } = await service.get('/positions');
    expect(before.open_positions).toMatchObject([
      { symbol: 'BTC/USDT', kind: 'spot', side: 'long', size: 0.5 },
    ]);
    const { body } = await service.close();
    expect(body).toMatchObject({ open_positions: [], pending_orders: [], problems: [] });
    expect(paper.book().coins).toEqual({ 'spot ETH': '1' });
  });

  it('leaves coins that are worth less than an order must be, and calls them dust', async () => {
    order('BTC/USDT', 'buy', id === 'okx' ? '0.000009' : '0.00005');
    const service = await serve(id === 'okx' ? 'okx' : 'binance', {
      env: { EXCHANGE_MARKETS: 'spot', EXCHANGE_SYMBOLS: 'BTC/USDT' },
    });
    const { body } = await service.close();
    expect(body).toMatchObject({
      open_positions: [],
      problems: [],
      dust: [{ symbol: 'BTC/USDT', kind: 'spot' }],
    });
  });
});

describe('inverse contracts', () => {
  it.each([
    ['binancecoinm', 'inverse'],
    ['okx', 'linear,inverse'],
  ])('are read and closed at %s', async (id, markets) => {
    order('BTC/USD:BTC', 'sell', 7);
    order('BTC/USD:BTC', 'buy', 1, { price: 50_000 });
    const service = await serve(id, { env: { EXCHANGE_MARKETS: markets } });
    expect((await service.get('/positions')).body.open_positions).toMatchObject([
      { symbol: 'BTC/USD:BTC', side: 'short', contracts: 7, contract_size: 100, size: 700 },
    ]);
    expect((await service.close()).body).toMatchObject({
      open_positions: [],
      pending_orders: [],
      problems: [],
    });
    expect(paper.book()).toEqual(NOTHING);
  });
});

describe('coins on credit, at Binance', () => {
  const env = { EXCHANGE_MARKETS: 'margin', EXCHANGE_SYMBOLS: 'BTC/USDT' };

  it('buys back what is owed, and pays it back', async () => {
    const account = paper.venue.account('main');
    account.setCoins('margin', 'BTC', { owned: new Big(0), borrowed: new Big('0.3') });
    const service = await serve('binance', { env });
    expect((await service.get('/positions')).body.open_positions).toMatchObject([
      { symbol: 'BTC/USDT', kind: 'margin', side: 'short', size: 0.3 },
    ]);
    expect((await service.close()).body).toMatchObject({ open_positions: [], problems: [] });
    expect(paper.book().coins).toEqual({});
    expect(paper.calls.of('place')[0]?.said).toContain('sideEffectType=AUTO_REPAY');
  });

  it('sells what was bought on credit', async () => {
    const account = paper.venue.account('main');
    account.setCoins('margin', 'BTC', { owned: new Big('0.3'), borrowed: new Big(0) });
    account.setCoins('margin', 'USDT', { owned: new Big(0), borrowed: new Big(9_000) });
    const service = await serve('binance', { env });
    expect((await service.close()).body).toMatchObject({ open_positions: [], problems: [] });
    expect(paper.book().coins).toEqual({});
    expect(account.coins('margin', 'USDT').borrowed.toFixed()).toBe('0');
  });
});
