import { Big } from 'big.js';
import ccxt, { type Exchange } from 'ccxt';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { instrument, type PaperExchange, startPaperExchange } from '../../src/index.ts';
import { CLIENTS } from '../support/clients.ts';

let paper: PaperExchange;
beforeAll(async () => {
  paper = await startPaperExchange();
});
afterAll(() => paper.close());
beforeEach(() => paper.reset());

const BTC = 'BTC/USDT:USDT';

describe.each(CLIENTS)('$name, asked by ccxt as it is', ({ connect, contract }) => {
  const size = (btc: number): number => btc / contract;
  const client = (): Exchange => connect(paper);

  it('fills a market order, and shows the position with its side and size', async () => {
    const exchange = client();
    await exchange.createOrder(BTC, 'market', 'sell', size(0.5));
    const [position, ...others] = await exchange.fetchPositions();
    expect(others).toEqual([]);
    expect(position).toMatchObject({ symbol: BTC, side: 'short', contracts: size(0.5), entryPrice: 60_000 });
    expect(paper.book().positions).toEqual([{ instrument: BTC, side: 'short', size: '0.5' }]);
  });

  it('rests a limit order until the price reaches it, and then fills it', async () => {
    const exchange = client();
    const { id } = await exchange.createOrder(BTC, 'limit', 'buy', size(0.2), 59_000);
    expect(await exchange.fetchOpenOrders()).toMatchObject([{ id, symbol: BTC, side: 'buy', price: 59_000 }]);
    paper.setPrice(BTC, 58_900);
    expect(await exchange.fetchOpenOrders()).toEqual([]);
    expect(paper.book().positions).toEqual([{ instrument: BTC, side: 'long', size: '0.2' }]);
  });

  it('keeps orders with a trigger apart from the others, and sets them off', async () => {
    const exchange = client();
    await exchange.createOrder(BTC, 'market', 'sell', size(0.2), undefined, { triggerPrice: 59_000 });
    expect(await exchange.fetchOpenOrders()).toEqual([]);
    expect(await exchange.fetchOpenOrders(undefined, undefined, undefined, { trigger: true })).toMatchObject([
      { symbol: BTC, side: 'sell', triggerPrice: 59_000 },
    ]);
    paper.setPrice(BTC, 58_000);
    expect(paper.book()).toMatchObject({ positions: [{ side: 'short', size: '0.2' }], orders: [] });
  });

  it('closes by an order that only reduces, never beyond nothing, and then refuses another', async () => {
    const exchange = client();
    await exchange.createOrder(BTC, 'market', 'buy', size(0.3));
    await exchange.createOrder(BTC, 'market', 'sell', size(0.4), undefined, { reduceOnly: true });
    expect(paper.book().positions).toEqual([]);
    await expect(
      exchange.createOrder(BTC, 'market', 'sell', size(0.4), undefined, { reduceOnly: true }),
    ).rejects.toBeInstanceOf(ccxt.ExchangeError);
  });

  it('holds a long and a short at once for a hedged account, each closed by its own side', async () => {
    paper.venue.account('main').hedged = true;
    const exchange = client();
    await exchange.createOrder(BTC, 'market', 'buy', size(0.3), undefined, { hedged: true });
    await exchange.createOrder(BTC, 'market', 'sell', size(0.1), undefined, { hedged: true });
    expect(await exchange.fetchPositions()).toMatchObject([
      { side: 'long', contracts: size(0.3), hedged: true },
      { side: 'short', contracts: size(0.1), hedged: true },
    ]);
    await expect(exchange.createOrder(BTC, 'market', 'buy', size(0.1))).rejects.toThrow();
    await exchange.createOrder(BTC, 'market', 'sell', size(0.3), undefined, {
      hedged: true,
      reduceOnly: true,
    });
    expect(paper.book().positions).toEqual([{ instrument: BTC, side: 'short', size: '0.1' }]);
  });

  it('cancels an order by its id, and knows no such order after that', async () => {
    const exchange = client();
    const { id } = await exchange.createOrder(BTC, 'limit', 'buy', size(0.2), 59_000);
    await exchange.cancelOrder(String(id), BTC);
    expect(paper.book().orders).toEqual([]);
    await expect(exchange.cancelOrder(String(id), BTC)).rejects.toBeInstanceOf(ccxt.OrderNotFound);
  });

  it('finds an order by the id that the client gave it', async () => {
    const exchange = client();
    await exchange.createOrder(BTC, 'market', 'buy', size(0.2), undefined, { clientOrderId: 'mine1' });
    const order = await exchange.fetchOrder('', BTC, { clientOrderId: 'mine1' });
    expect(order).toMatchObject({ status: 'closed', filled: size(0.2) });
  });

  it('refuses a wrong signature, and a key that may only read', async () => {
    const wrong = connect(paper, { apiKey: 'paper-key-0123456789abcdef', secret: 'wrong' });
    await expect(wrong.fetchPositions()).rejects.toBeInstanceOf(ccxt.AuthenticationError);
    paper.keys.add({
      key: 'reader',
      secret: 'reads',
      passphrase: 'paper-passphrase',
      account: 'main',
      may: 'read',
    });
    const reader = connect(paper, { apiKey: 'reader', secret: 'reads' });
    expect(await reader.fetchPositions()).toEqual([]);
    await expect(reader.createOrder(BTC, 'market', 'buy', size(0.2))).rejects.toBeInstanceOf(
      ccxt.ExchangeError,
    );
    expect(paper.book().positions).toEqual([]);
  });

  it('refuses a request whose clock is too far off', async () => {
    paper.setClock(-120_000);
    await expect(client().fetchPositions()).rejects.toBeInstanceOf(ccxt.InvalidNonce);
  });

  it('refuses sizes that are not traded', async () => {
    const exchange = client();
    await exchange.loadMarkets();
    const { limits } = exchange.market(BTC);
    expect(limits.amount?.min).toBeGreaterThan(0);
    const tooMuch = size(200);
    await expect(exchange.createOrder(BTC, 'market', 'buy', tooMuch)).rejects.toThrow();
    await expect(
      exchange.createOrder(BTC, 'market', 'buy', (limits.amount?.min ?? 0) / 10),
    ).rejects.toThrow();
    expect(paper.book().positions).toEqual([]);
  });

  it('does what a fault says, once, and is itself again', async () => {
    const exchange = client();
    await exchange.loadMarkets();
    paper.faults.add({ call: 'positions', does: { status: 503, body: 'down' } });
    await expect(exchange.fetchPositions()).rejects.toBeInstanceOf(ccxt.ExchangeNotAvailable);
    expect(await exchange.fetchPositions()).toEqual([]);
  });

  it('fills only as much as the market is deep', async () => {
    const exchange = client();
    paper.venue.setDepth(instrument(BTC), new Big('0.1'));
    await exchange.createOrder(BTC, 'market', 'buy', size(0.5));
    expect(paper.book().positions).toEqual([{ instrument: BTC, side: 'long', size: '0.1' }]);
  });
});
