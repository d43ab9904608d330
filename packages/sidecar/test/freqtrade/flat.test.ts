import { describe, expect, it } from 'vitest';
import { guard } from './support/guarded.ts';
import { wrongs } from './support/ledger.ts';
import type { Freqtrade } from './support/program.ts';

const TWO = ['BTC/USDT', 'ETH/USDT'];
const FOUR = [...TWO, 'SOL/USDT', 'XRP/USDT'];

/** Where flat never comes, nobody need wait for it for long. */
const SHORT = { DRAIN_TIMEOUT: '20s' };
const sells = (freqtrade: Freqtrade): number =>
  freqtrade.ledger().orders.filter(({ side }) => side === 'sell').length;

describe.concurrent('a stop, judged by freqtrade’s own tables,', () => {
  it('closes two open trades, each once', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await bot.freqtrade.opened(2);
    const { code, receipt, output } = await bot.stop();
    expect({ code, state: receipt.state }, output).toEqual({ code: 0, state: 'flat' });
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
    expect(output).not.toContain('SuperSecret1!');
  });

  it('sells each of four trades once, where the exits take longer than an attempt, come back open and fill later', async () => {
    await using bot = await guard({ script: { enter: FOUR } });
    await bot.freqtrade.opened(4);
    // The worker is busy meanwhile, so that it does not see by itself that they were filled.
    bot.freqtrade.play({
      enter: [],
      hangs: 'populate_indicators',
      orders: { '* sell': { takes_ms: 3_000, fills_after_ms: 500 } },
    });
    await bot.freqtrade.stalled();
    const stopped = bot.stop();
    setTimeout(() => bot.freqtrade.play({ hangs: 'nothing' }), 18_000);
    const { code, output } = await stopped;
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
    expect(sells(bot.freqtrade)).toBe(4);
  });

  it('waits for the entry loop that is under way, and closes what that still opens', async () => {
    await using bot = await guard();
    await bot.freqtrade.iterated(1);
    // The worker reads its state once, and then turns to one pair after the other.
    bot.freqtrade.play({
      enter: TWO,
      orders: { 'BTC/USDT buy': { takes_ms: 3_000, refused: 'no' }, 'ETH/USDT buy': { takes_ms: 8_000 } },
    });
    await bot.freqtrade.said('about create a new trade for BTC/USDT');
    const { code, output } = await bot.stop();
    expect(code, output).toBe(0);
    await bot.freqtrade.iterated(2);
    expect(bot.freqtrade.ledger().trades).toHaveLength(1);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('is not flat before a freqtrade that starts has finished its start', async () => {
    await using bot = await guard({ script: { enter: TWO, hangs: 'fetch_tickers' } });
    const stopped = bot.stop();
    setTimeout(() => bot.freqtrade.play({ hangs: 'nothing' }), 12_000);
    const { code, output } = await stopped;
    expect(code, output).toBe(0);
    await bot.freqtrade.iterated(2);
    expect((await bot.freqtrade.call('GET', '/show_config')).body).toMatchObject({ state: 'paused' });
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('closes the others where one trade cannot be exited, and says which and why in freqtrade’s words', async () => {
    await using bot = await guard({ script: { enter: [...TWO, 'SOL/USDT'] } }, SHORT);
    await bot.freqtrade.opened(3);
    bot.freqtrade.play({ enter: [], orders: { 'BTC/USDT sell': { refused: 'Filter failure: NOTIONAL' } } });
    const { code, receipt, output } = await bot.stop();
    expect(code, output).toBe(3);
    expect(receipt).toMatchObject({ state: 'not_flat', open_positions: 1, pending_orders: 0 });
    expect(receipt.reason).toMatch(/trade 1 \(BTC\/USDT\).*Filter failure: NOTIONAL/);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([
      'trade 1 (BTC/USDT) is open',
      'trade 1: bought 1, sold 0',
    ]);
  });

  it('tells what a strategy refuses in confirm_trade_exit, which freqtrade answers with 200', async () => {
    await using bot = await guard({ script: { enter: TWO } }, SHORT);
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ enter: [], refuses_exit: ['ETH/USDT'] });
    const { code, receipt, output } = await bot.stop();
    expect(code, output).toBe(3);
    expect(receipt.reason).toMatch(/trade 2 \(ETH\/USDT\).*there is none.*User denied exit for ETH\/USDT/);
    expect(receipt).toMatchObject({ open_positions: 1, pending_orders: 0 });
    expect(wrongs(bot.freqtrade.ledger())).toContain('trade 2 (ETH/USDT) is open');
  });

  it('cancels an entry that was not filled', async () => {
    await using bot = await guard({
      script: { enter: ['BTC/USDT'], orders: { '* buy': { fills_after_ms: null } } },
    });
    await bot.until('an open order', () => bot.freqtrade.ledger().orders.length === 1, 60_000);
    const { code, output } = await bot.stop();
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
    expect(bot.freqtrade.ledger().trades).toEqual([]);
  });

  it('waits for an exit that is filled late, and asks for no other', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ enter: [], orders: { '* sell': { fills_after_ms: 10_000 } } });
    const { code, output } = await bot.stop();
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
    expect(sells(bot.freqtrade)).toBe(2);
  });

  it('says what is open where an exit is never filled, and has asked for it once', async () => {
    await using bot = await guard({ script: { enter: ['BTC/USDT'] } }, SHORT);
    await bot.freqtrade.opened(1);
    bot.freqtrade.play({ enter: [], orders: { '* sell': { fills_after_ms: null } } });
    const { code, receipt, output } = await bot.stop();
    expect(code, output).toBe(3);
    expect(receipt).toMatchObject({ state: 'not_flat', open_positions: 1, pending_orders: 1 });
    expect(sells(bot.freqtrade)).toBe(1);
  });

  it('cancels an exit of the strategy that waits for its price, and sells once, at the market', async () => {
    await using bot = await guard({ script: { enter: ['BTC/USDT'], order_types: { exit: 'limit' } } });
    await bot.freqtrade.opened(1);
    bot.freqtrade.play({ enter: [], leave: ['BTC/USDT'], exit_price: 101 });
    await bot.until('a limit order', () =>
      bot.freqtrade.ledger().orders.some(({ type }) => type === 'limit'),
    );
    const { code, output } = await bot.stop();
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
    expect(bot.freqtrade.ledger().orders.map(({ side, type, status }) => [side, type, status])).toEqual([
      ['buy', 'market', 'closed'],
      ['sell', 'limit', 'canceled'],
      ['sell', 'market', 'closed'],
    ]);
  });

  it('sells once where the exit of the strategy was filled, and freqtrade has not seen it yet', async () => {
    await using bot = await guard({ script: { enter: ['BTC/USDT'], order_types: { exit: 'limit' } } });
    await bot.freqtrade.opened(1);
    bot.freqtrade.play({ enter: [], leave: ['BTC/USDT'], orders: { '* sell': { fills_after_ms: null } } });
    await bot.until('a limit order', () =>
      bot.freqtrade.ledger().orders.some(({ type }) => type === 'limit'),
    );
    bot.freqtrade.play({ leave: [], hangs: 'populate_indicators' });
    await bot.freqtrade.stalled();
    bot.freqtrade.play({ orders: { '* sell': { fills_after_ms: 0 } } });
    const stopped = bot.stop();
    setTimeout(() => bot.freqtrade.play({ hangs: 'nothing' }), 5_000);
    const { code, output } = await stopped;
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
    expect(sells(bot.freqtrade)).toBe(1);
  });

  it('takes stop-losses on the exchange back', async () => {
    await using bot = await guard({
      script: { enter: TWO, order_types: { stoploss: 'limit', stoploss_on_exchange: true } },
    });
    await bot.until(
      'two stop-loss orders',
      () =>
        bot.freqtrade.ledger().orders.filter(({ side, open }) => side === 'stoploss' && open).length === 2,
      60_000,
    );
    const { code, output } = await bot.stop();
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('closes a position that is being added to', async () => {
    await using bot = await guard({ script: { enter: ['BTC/USDT'], adjust: 0 } });
    await bot.freqtrade.opened(1);
    bot.freqtrade.play({ enter: [], adjust: 50, orders: { '* buy': { takes_ms: 3_000 } } });
    await bot.freqtrade.stalled();
    const { code, output } = await bot.stop();
    expect(code, output).toBe(0);
    await bot.freqtrade.iterated(2);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('is flat at once where nothing is open', async () => {
    await using bot = await guard();
    await bot.freqtrade.iterated(1);
    const { code, receipt, output } = await bot.stop();
    expect({ code, state: receipt.state }, output).toEqual({ code: 0, state: 'flat' });
  });

  it('is not told flat by a worker that hangs, though everything was sold', async () => {
    await using bot = await guard({ script: { enter: TWO } }, SHORT);
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ enter: [], hangs: 'populate_indicators' });
    await bot.freqtrade.stalled();
    const { code, receipt, output } = await bot.stop();
    expect(code, output).toBe(3);
    expect(receipt.reason).toMatch(/has not ended an iteration since entries were stopped/);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });
});
