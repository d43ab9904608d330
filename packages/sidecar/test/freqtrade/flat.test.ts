import { describe, expect, it } from 'vitest';
import { guard } from './support/guarded.ts';
import { wrongs } from './support/ledger.ts';

const TWO = ['BTC/USDT', 'ETH/USDT'];
const FOUR = [...TWO, 'SOL/USDT', 'XRP/USDT'];

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
    expect(bot.freqtrade.ledger().orders.filter(({ side }) => side === 'sell')).toHaveLength(4);
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
    await using bot = await guard({ script: { enter: [...TWO, 'SOL/USDT'] } }, { DRAIN_TIMEOUT: '20s' });
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
});
