import { instrument, type PaperExchange, startPaperExchange } from '@botwarden/paper-exchange';
import { Big } from 'big.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BTC, ETH } from '../support/dialects.ts';
import { NOTHING, order } from '../support/exchange.ts';
import { type Service, startService } from '../support/service.ts';

let paper: PaperExchange;
let service: Service;
beforeAll(async () => {
  paper = await startPaperExchange();
  service = await startService(paper, 'binanceusdm', { env: { EXCHANGE_SYMBOLS: `${BTC},${ETH}` } });
});
afterAll(async () => {
  await service.end();
  await paper.close();
});
afterEach(() => paper.reset());

describe('the calls', () => {
  it('GET /ping answers whatever the exchange does', async () => {
    const { status, body } = await service.get('/ping', null);
    expect(status).toBe(200);
    expect(body.ping).toBe('pong');
  });

  it('GET /health speaks a bot’s contract, and tells its scope to those who carry the token', async () => {
    const open = await service.get('/health', null);
    expect(open.body).toMatchObject({ status: 'ok', trading: 'halted', dry_run: true });
    expect(open.body.instance).toMatch(/^[0-9a-f-]{36}$/);
    expect(open.body).not.toHaveProperty('exchange');
    const { body } = await service.get('/health');
    expect(body.exchange).toMatchObject({ id: 'binanceusdm', markets: ['linear'], symbols: [BTC, ETH] });
  });

  it('GET /health fails while the exchange cannot be read, and passes again', async () => {
    paper.faults.add({ call: 'positions', times: 1, does: { refuse: 'busy' } });
    await service.get('/positions');
    const { status, body } = await service.get('/health');
    expect(status).toBe(503);
    expect(body).toMatchObject({ status: 'unreadable', error: { code: 'EXCHANGE_UNAVAILABLE' } });
    await service.get('/positions');
    expect((await service.get('/health')).status).toBe(200);
  });

  it.each([
    ['no token', null],
    ['another token', 'another-token-of-somebody'],
  ])('positions and closing are refused with %s, and nothing is done', async (_, token) => {
    order(paper, BTC, 'buy', '0.5');
    const read = await service.get('/positions', token);
    const closed = await service.close({}, { token });
    for (const { status, body, headers } of [read, closed]) {
      expect(status).toBe(401);
      expect(body.error.code).toBe('UNAUTHORISED');
      expect(headers.get('www-authenticate')).toContain('Bearer');
    }
    expect(paper.book().positions).toHaveLength(1);
  });

  it.each([
    ['DELETE', '/positions', 405],
    ['GET', '/close-positions', 405],
    ['POST', '/health', 405],
    ['GET', '/elsewhere', 404],
  ])('%s %s is %i as JSON', async (method, path, status) => {
    const response = await fetch(`${service.url}${path}`, { method });
    expect(response.status).toBe(status);
    expect(await response.json()).toHaveProperty('error.code');
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  it.each([[{ deadline: 'tomorrow' }], [{ deadline: 5 }], [{ dry_run: 'yes' }], [{ drain_id: 7 }]])(
    'a close with %j is refused, and nothing is done',
    async (body) => {
      order(paper, BTC, 'buy', '0.5');
      const closed = await service.close(body);
      expect(closed.status).toBe(400);
      expect(closed.body.error.message).toContain('expected');
      expect(paper.book().positions).toHaveLength(1);
    },
  );

  it('a close whose deadline has passed does nothing: what is open now may be another bot’s', async () => {
    order(paper, BTC, 'buy', '0.5');
    const closed = await service.close({}, { within: -1 });
    expect(closed.status).toBe(409);
    expect(closed.body.error.code).toBe('DEADLINE_PASSED');
    expect(paper.book().positions).toHaveLength(1);
  });

  it('a body that is no JSON is refused', async () => {
    const response = await fetch(`${service.url}/close-positions`, {
      method: 'POST',
      headers: { authorization: 'Bearer a-token-for-the-tests', 'content-type': 'application/json' },
      body: '{"drain_id":',
    });
    expect(response.status).toBe(400);
  });
});

describe('several at once', () => {
  it('two closes under one key are one: both hear how it ended, and nothing is sent twice', async () => {
    order(paper, BTC, 'buy', '0.5');
    paper.faults.add({ call: 'place', does: { delay: 500 } });
    const both = await Promise.all([service.close({}, { key: 'one' }), service.close({}, { key: 'one' })]);
    for (const { body } of both) expect(body).toMatchObject({ open_positions: [], pending_orders: [] });
    expect(paper.calls.of('place')).toHaveLength(1);
  });

  it('a caller that gives up does not end the close, and the next attempt joins it', async () => {
    order(paper, BTC, 'buy', '0.5');
    paper.venue.setDepth(instrument(BTC), new Big('0.05'));
    await service.close({}, { key: 'one', signal: AbortSignal.timeout(150) }).catch(() => undefined);
    const { body } = await service.close({}, { key: 'one' });
    expect(body).toMatchObject({ open_positions: [] });
    expect(paper.book()).toEqual(NOTHING);
    expect(paper.calls.of('place')).toHaveLength(10);
  });

  it('a caller hears what is left at its own deadline while another, with a later one, goes on', async () => {
    order(paper, BTC, 'buy', '0.5');
    paper.faults.add({ call: 'place', does: { delay: 1_500 } });
    const long = service.close({}, { key: 'one', within: 20_000 });
    const short = await service.close({}, { key: 'one', within: 400 });
    expect(short.status).toBe(200);
    expect(short.body.open_positions).toHaveLength(1);
    expect((await long).body).toMatchObject({ open_positions: [] });
  });

  it('the same key closes what came after it had ended: it is never a way to leave something open', async () => {
    order(paper, BTC, 'buy', '0.5');
    await service.close({}, { key: 'one' });
    order(paper, BTC, 'buy', '0.1');
    expect((await service.close({}, { key: 'one' })).body).toMatchObject({ open_positions: [] });
    expect(paper.book()).toEqual(NOTHING);
  });

  it('a hundred readers cost the exchange two looks at most', async () => {
    order(paper, BTC, 'buy', '0.5');
    paper.calls.clear();
    const replies = await Promise.all(Array.from({ length: 100 }, () => service.get('/positions')));
    for (const { body } of replies) expect(body.open_positions).toHaveLength(1);
    expect(paper.calls.of('positions').length).toBeLessThanOrEqual(3);
  });

  it('a reader sees what was done before it asked', async () => {
    paper.faults.add({ call: 'orders', does: { delay: 400 } });
    const early = service.get('/positions');
    order(paper, BTC, 'buy', '0.5');
    const late = await service.get('/positions');
    expect(late.body.open_positions).toHaveLength(1);
    await early;
  });

  it('an order that fills between the two looks of one read is seen as a position', async () => {
    order(paper, BTC, 'buy', '0.1', { price: 59_000 });
    paper.faults.add({ call: 'positions', does: { delay: 300 } });
    const reading = service.get('/positions');
    await expect.poll(() => paper.calls.of('positions').length).toBe(1);
    paper.setPrice(BTC, 58_000);
    const { body } = await reading;
    expect(body.open_positions.length + body.pending_orders.length).toBeGreaterThan(0);
  });
});
