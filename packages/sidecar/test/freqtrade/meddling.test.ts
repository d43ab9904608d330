import { describe, expect, it } from 'vitest';
import { startSidecar } from '../support/processes.ts';
import { DRAIN_TOKEN, guard } from './support/guarded.ts';
import { wrongs } from './support/ledger.ts';
import { PASSWORD, USERNAME } from './support/program.ts';
import { startProxy } from './support/proxy.ts';

const TWO = ['BTC/USDT', 'ETH/USDT'];

// What else happens to a freqtrade while it is being closed.

describe.concurrent('a stop', () => {
  it('starts a freqtrade that was stopped, to close what it left open', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await bot.freqtrade.opened(2);
    await bot.freqtrade.call('POST', '/stop');
    await bot.freqtrade.said('Changing state from RUNNING to: STOPPED');
    const { code, output } = await bot.stop();
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('closes trades of an earlier run that a freqtrade with initial_state stopped does not look after', async () => {
    await using bot = await guard({ script: { enter: TWO }, initialState: 'running' });
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ enter: [] });
    await bot.freqtrade.kill();
    await bot.freqtrade.start({ initialState: 'stopped' });
    await bot.freqtrade.said('Changing state to: STOPPED');
    const { code, output } = await bot.stop();
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('sells what is open where freqtrade stops itself by an error, again and again', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ enter: [], breaks: true });
    await bot.freqtrade.said('OperationalException. Stopping trader');
    bot.freqtrade.play({ breaks: false });
    const { code, output } = await bot.stop();
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('is not flat where freqtrade is killed in the middle and does not come back', async () => {
    await using bot = await guard({ script: { enter: TWO } }, { DRAIN_TIMEOUT: '15s' });
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ enter: [], orders: { '* sell': { takes_ms: 5_000 } } });
    const stopped = bot.stop();
    setTimeout(() => void bot.freqtrade.kill(), 2_000);
    const { code, receipt, output } = await stopped;
    expect(code, output).toBe(3);
    expect(receipt.state).toBe('not_flat');
    expect(receipt.open_positions).not.toBe(0);
    expect(receipt.reason).toContain('connection refused');
  });

  it('goes on where freqtrade is killed in the middle and comes back', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ orders: { '* sell': { takes_ms: 5_000 } } });
    const stopped = bot.stop();
    setTimeout(async () => {
      await bot.freqtrade.kill();
      bot.freqtrade.play({ orders: {} });
      await bot.freqtrade.start();
    }, 2_000);
    const { code, output } = await stopped;
    expect(code, output).toBe(0);
    await bot.freqtrade.iterated(2);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('goes on where somebody starts freqtrade again in the middle', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ orders: { '* sell': { fills_after_ms: 3_000 } } });
    const stopped = bot.stop();
    await bot.freqtrade.said('Changing state from RUNNING to: PAUSED');
    await bot.freqtrade.call('POST', '/start');
    const { code, output } = await stopped;
    expect(code, output).toBe(0);
    await bot.freqtrade.iterated(2);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('goes on where somebody has its configuration read anew in the middle', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ orders: { '* sell': { fills_after_ms: 3_000 } } });
    const stopped = bot.stop();
    await bot.freqtrade.said('Changing state from RUNNING to: PAUSED');
    await bot.freqtrade.call('POST', '/reload_config');
    const { code, output } = await stopped;
    expect(code, output).toBe(0);
    await bot.freqtrade.iterated(2);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('sells once where somebody has just asked for an exit, over Telegram or the API', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({
      enter: [],
      hangs: 'populate_indicators',
      orders: { '* sell': { takes_ms: 4_000, fills_after_ms: 500 } },
    });
    await bot.freqtrade.stalled();
    const theirs = bot.freqtrade.call('POST', '/forceexit', { tradeid: '1', ordertype: 'market' });
    await bot.freqtrade.said('confirm_trade_exit of BTC/USDT');
    const stopped = bot.stop();
    setTimeout(() => bot.freqtrade.play({ hangs: 'nothing' }), 10_000);
    const { code, output } = await stopped;
    await theirs;
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('sells once where the sidecar before was killed, and its exit still runs', async () => {
    await using bot = await guard({ script: { enter: ['BTC/USDT'] } });
    await bot.freqtrade.opened(1);
    bot.freqtrade.play({
      enter: [],
      hangs: 'populate_indicators',
      orders: { '* sell': { takes_ms: 6_000, fills_after_ms: 500 } },
    });
    await bot.freqtrade.stalled();
    bot.sidecar.child.kill('SIGTERM');
    await bot.freqtrade.said('confirm_trade_exit of BTC/USDT');
    bot.sidecar.child.kill('SIGKILL');
    const second = await startSidecar({
      BOT_ADAPTER: 'freqtrade',
      BOT_URL: bot.freqtrade.url,
      BOT_USERNAME: USERNAME,
      BOT_PASSWORD: PASSWORD,
    });
    second.child.kill('SIGTERM');
    setTimeout(() => bot.freqtrade.play({ hangs: 'nothing' }), 10_000);
    expect(await second.exited, second.output()).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('waits for the exchange to come back', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await bot.freqtrade.opened(2);
    bot.freqtrade.play({ enter: [], down: true });
    const stopped = bot.stop();
    setTimeout(() => bot.freqtrade.play({ down: false }), 6_000);
    const { code, output } = await stopped;
    expect(code, output).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('leaves a call alone for as long as it was told to, and is flat all the same', async () => {
    const bot = await guard({ script: { enter: TWO } });
    await using _ = bot;
    await bot.freqtrade.opened(2);
    const limited = new Set(['GET /count', 'GET /status', 'POST /forceexit']);
    await using proxy = await startProxy(bot.freqtrade.url, (call, earlier) =>
      limited.has(call) && earlier === 1 ? { limit: 4 } : 'pass',
    );
    const sidecar = await startSidecar({
      BOT_ADAPTER: 'freqtrade',
      BOT_URL: proxy.url,
      BOT_USERNAME: USERNAME,
      BOT_PASSWORD: PASSWORD,
    });
    bot.freqtrade.play({ enter: [] });
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited, sidecar.output()).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
    for (const call of limited) {
      const [refused, next] = proxy.seen.filter((other) => other.call === call).slice(1);
      expect([call, refused?.status]).toEqual([call, 429]);
      if (next !== undefined) expect(next.at - (refused?.at ?? 0)).toBeGreaterThan(3_900);
    }
  });

  it('sells once where the connection breaks in the middle of an exit', async () => {
    const bot = await guard({ script: { enter: TWO } });
    await using _ = bot;
    await bot.freqtrade.opened(2);
    await using proxy = await startProxy(bot.freqtrade.url, (call, earlier) =>
      call === 'POST /forceexit' && earlier === 0 ? 'cut' : 'pass',
    );
    const sidecar = await startSidecar({
      BOT_ADAPTER: 'freqtrade',
      BOT_URL: proxy.url,
      BOT_USERNAME: USERNAME,
      BOT_PASSWORD: PASSWORD,
    });
    bot.freqtrade.play({ enter: [], orders: { '* sell': { takes_ms: 3_000, fills_after_ms: 200 } } });
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited, sidecar.output()).toBe(0);
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });

  it('that a person asks for over HTTP leaves freqtrade paused, and running', async () => {
    await using bot = await guard({ script: { enter: TWO } });
    await bot.freqtrade.opened(2);
    const answer = await fetch(`${bot.sidecar.url}/drain`, {
      method: 'POST',
      headers: { authorization: `Bearer ${DRAIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'maintenance' }),
    });
    expect(await answer.json()).toMatchObject({ state: 'flat', open_positions: 0 });
    await bot.freqtrade.iterated(2);
    expect((await bot.freqtrade.call('GET', '/show_config')).body).toMatchObject({ state: 'paused' });
    expect(wrongs(bot.freqtrade.ledger())).toEqual([]);
  });
});
