import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { instrument, type PaperExchange, startPaperExchange } from '@botwarden/paper-exchange';
import { Big } from 'big.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BTC, ETH } from '../support/dialects.ts';
import { NOTHING, order } from '../support/exchange.ts';
import { type Service, startService } from '../support/service.ts';

let paper: PaperExchange;
let service: Service | undefined;
beforeAll(async () => {
  paper = await startPaperExchange();
});
afterAll(() => paper.close());
afterEach(async () => {
  await service?.end();
  service = undefined;
  paper.reset();
});

describe('start and end', () => {
  it('answers before the exchange does, says that nothing is known, and is ready when it is', async () => {
    paper.faults.add({ times: null, does: { refuse: 'maintenance' } });
    service = await startService(paper, 'okx', { until: 'listening' });
    expect((await service.get('/positions')).status).toBe(503);
    const { status, body } = await service.get('/health');
    expect(status).toBe(503);
    expect(body.status).toBe('starting');
    paper.faults.clear();
    await expect.poll(async () => (await service?.get('/health'))?.status, { timeout: 10_000 }).toBe(200);
  });

  it('tells at the start what it looks at, and that a close closes all of it', async () => {
    service = await startService(paper, 'okx', { env: { EXCHANGE_SYMBOLS: BTC } });
    expect(service.output()).toContain(`linear, ${BTC}`);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends at %s with 0', async (signal) => {
    service = await startService(paper, 'okx');
    service.child.kill(signal);
    expect(await service.exited).toBe(0);
  });

  it('at SIGTERM ends the close that is under way first, and answers who asked for it', async () => {
    order(paper, BTC, 'buy', '0.5');
    paper.venue.setDepth(instrument(BTC), new Big('0.1'));
    service = await startService(paper, 'binanceusdm', { env: { EXCHANGE_SYMBOLS: BTC } });
    paper.faults.add({ call: 'place', does: { delay: 500 } });
    const closing = service.close();
    await expect.poll(() => paper.calls.of('place').length).toBeGreaterThan(0);
    service.child.kill('SIGTERM');
    expect((await closing).body).toMatchObject({ open_positions: [] });
    expect(await service.exited).toBe(0);
    expect(paper.book()).toEqual(NOTHING);
  });

  it('killed in the middle of a close and started again, the same key finishes it', async () => {
    order(paper, BTC, 'buy', '0.5');
    paper.venue.setDepth(instrument(BTC), new Big('0.02'));
    service = await startService(paper, 'okx');
    const lost = service.close({}, { key: 'one' }).catch(() => undefined);
    await expect.poll(() => paper.calls.of('place').length, { timeout: 10_000 }).toBeGreaterThan(1);
    service.child.kill('SIGKILL');
    await lost;
    expect(paper.book().positions).toHaveLength(1);
    paper.venue.setDepth(instrument(BTC), undefined);
    service = await startService(paper, 'okx');
    expect((await service.close({}, { key: 'one' })).body).toMatchObject({ open_positions: [] });
    expect(paper.book()).toEqual(NOTHING);
  });
});

describe('the cancel-all-after timer', () => {
  let sidecar: Server | undefined;
  let status = 'pass';
  async function startSidecar(): Promise<string> {
    status = 'pass';
    sidecar = createServer((_request, response) => {
      // Something else is wrong with the bot; its trading loop turns all the same.
      response.writeHead(503, { 'content-type': 'application/health+json' });
      response.end(JSON.stringify({ status: 'fail', checks: { 'tick:age': [{ status }] } }));
    });
    await new Promise<void>((resolve) => sidecar?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(sidecar.address() as AddressInfo).port}`;
  }
  afterEach(() => {
    sidecar?.closeAllConnections();
    sidecar?.close();
    sidecar = undefined;
  });

  it.each([
    ['binanceusdm', { EXCHANGE_SYMBOLS: `${BTC},${ETH}` }],
    ['okx', {}],
  ])(
    'at %s it is renewed while the tick is fresh; then the orders go, and no position does',
    async (id, env) => {
      order(paper, BTC, 'buy', '0.5');
      order(paper, BTC, 'buy', '0.1', { price: 50_000 });
      service = await startService(paper, id, {
        env: { ...env, EXCHANGE_CANCEL_AFTER: '10s', SIDECAR_URL: await startSidecar() },
      });
      await expect.poll(() => paper.calls.of('cancel-after').length, { timeout: 15_000 }).toBeGreaterThan(2);
      expect(service.output()).toContain('It closes no position');
      expect(paper.book().orders).toHaveLength(1);
      status = 'fail';
      await expect.poll(() => paper.book().orders.length, { timeout: 20_000 }).toBe(0);
      expect(service.output()).toContain('does not say that the bot');
      expect(paper.book().positions).toHaveLength(1);
    },
  );

  it('a sidecar that is not there is no fresh tick', async () => {
    const url = await startSidecar();
    sidecar?.close();
    service = await startService(paper, 'okx', { env: { EXCHANGE_CANCEL_AFTER: '10s', SIDECAR_URL: url } });
    await expect.poll(() => service?.output(), { timeout: 10_000 }).toContain('switch.stale');
    expect(paper.calls.of('cancel-after')).toEqual([]);
  });

  it('is off unless it is asked for', async () => {
    service = await startService(paper, 'okx', { env: { SIDECAR_URL: await startSidecar() } });
    await service.close();
    expect(paper.calls.of('cancel-after')).toEqual([]);
  });
});
