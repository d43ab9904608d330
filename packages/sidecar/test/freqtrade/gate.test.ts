import { describe, expect, it } from 'vitest';
import { wrongs } from './support/ledger.ts';
import { type Freqtrade, type Settings, startFreqtrade } from './support/program.ts';

// The gate alone, as where the sidecar is gone: it closes freqtrade through freqtrade's own API.

const TWO = ['BTC/USDT', 'ETH/USDT'];
const sells = (freqtrade: Freqtrade): number =>
  freqtrade.ledger().orders.filter(({ side }) => side === 'sell').length;

async function gated(settings: Settings = {}): Promise<Freqtrade & AsyncDisposable> {
  const freqtrade = await startFreqtrade({ gate: {}, ...settings });
  await freqtrade.answers();
  return { ...freqtrade, [Symbol.asyncDispose]: () => freqtrade.end() };
}

describe.concurrent('the gate alone', () => {
  it('holds a stop back until two open trades are closed, each once', async () => {
    await using freqtrade = await gated({ script: { enter: TWO } });
    await freqtrade.opened(2);
    // What freqtrade says to an interrupt.
    expect(await freqtrade.terminate(), freqtrade.output()).toBe(130);
    expect(freqtrade.output()).toMatch(/flat\. The bot gets SIGTERM/);
    expect(wrongs(freqtrade.ledger())).toEqual([]);
    expect(freqtrade.output()).not.toContain('SuperSecret');
  });

  it('sells each trade once, where exits take long, come back open and fill later', async () => {
    await using freqtrade = await gated({ script: { enter: [...TWO, 'SOL/USDT'] } });
    await freqtrade.opened(3);
    freqtrade.play({
      enter: [],
      hangs: 'populate_indicators',
      orders: { '* sell': { takes_ms: 4_000, fills_after_ms: 500 } },
    });
    await freqtrade.stalled();
    setTimeout(() => freqtrade.play({ hangs: 'nothing' }), 15_000);
    expect(await freqtrade.terminate(), freqtrade.output()).toBe(130);
    expect(freqtrade.output()).toContain('flat. The bot gets SIGTERM');
    expect(wrongs(freqtrade.ledger())).toEqual([]);
    expect(sells(freqtrade)).toBe(3);
  });

  it('waits for the entry loop that is under way', async () => {
    await using freqtrade = await gated();
    await freqtrade.iterated(1);
    freqtrade.play({
      enter: TWO,
      orders: { 'BTC/USDT buy': { takes_ms: 3_000, refused: 'no' }, 'ETH/USDT buy': { takes_ms: 8_000 } },
    });
    await freqtrade.said('about create a new trade for BTC/USDT');
    expect(await freqtrade.terminate(), freqtrade.output()).toBe(130);
    expect(freqtrade.ledger().trades).toHaveLength(1);
    expect(wrongs(freqtrade.ledger())).toEqual([]);
  });

  it('is not flat before a freqtrade that starts has finished its start', async () => {
    await using freqtrade = await gated({ script: { enter: TWO, hangs: 'fetch_tickers' } });
    setTimeout(() => freqtrade.play({ hangs: 'nothing' }), 10_000);
    expect(await freqtrade.terminate(), freqtrade.output()).toBe(130);
    expect(freqtrade.output()).toContain('flat. The bot gets SIGTERM');
    expect(wrongs(freqtrade.ledger())).toEqual([]);
  });

  it('cancels an exit that waits for its price, and sells once', async () => {
    await using freqtrade = await gated({ script: { enter: ['BTC/USDT'], order_types: { exit: 'limit' } } });
    await freqtrade.opened(1);
    freqtrade.play({ enter: [], leave: ['BTC/USDT'], exit_price: 101 });
    while (!freqtrade.ledger().orders.some(({ type }) => type === 'limit')) await freqtrade.iterated(1);
    expect(await freqtrade.terminate(), freqtrade.output()).toBe(130);
    expect(wrongs(freqtrade.ledger())).toEqual([]);
  });

  it('closes the others where one trade cannot be exited, and says at its deadline which', async () => {
    await using freqtrade = await gated({ script: { enter: TWO }, gate: { GATE_TIMEOUT: '12s' } });
    await freqtrade.opened(2);
    freqtrade.play({ enter: [], orders: { 'BTC/USDT sell': { refused: 'Filter failure: NOTIONAL' } } });
    await freqtrade.terminate();
    expect(freqtrade.output()).toMatch(
      /NOT FLAT: not proven within 12s.*trade 1 \(BTC\/USDT\).*Filter failure: NOTIONAL/,
    );
    expect(wrongs(freqtrade.ledger())).toEqual(['trade 1 (BTC/USDT) is open', 'trade 1: bought 1, sold 0']);
  });

  it('closes a freqtrade that was stopped', async () => {
    await using freqtrade = await gated({ script: { enter: TWO } });
    await freqtrade.opened(2);
    await freqtrade.call('POST', '/stop');
    await freqtrade.said('Changing state from RUNNING to: STOPPED');
    expect(await freqtrade.terminate(), freqtrade.output()).toBe(130);
    expect(wrongs(freqtrade.ledger())).toEqual([]);
  });
});
