import { PAPER_KEY, type PaperExchange, startPaperExchange } from '@botwarden/paper-exchange';
import { freePort, listening, start } from '@botwarden/service/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BTC, DIALECTS } from '../support/dialects.ts';
import { order } from '../support/exchange.ts';
import { type Service, startService, TOKEN } from '../support/service.ts';

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

const READER = {
  key: 'reads-0123456789abcdef',
  secret: 'secret-of-the-reader',
  passphrase: PAPER_KEY.passphrase,
};

/** Every form in which a key could get out. */
const FORMS = [PAPER_KEY.key, PAPER_KEY.secret, PAPER_KEY.passphrase, TOKEN].flatMap((secret) => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('hex'),
]);

function expectNoKey(...texts: string[]): void {
  for (const text of texts) {
    for (const form of FORMS) expect(text).not.toContain(form);
    expect(text).not.toMatch(/signature|OK-ACCESS-SIGN|ok-access-sign/i);
  }
}

describe.each(DIALECTS)('keys at $name', ({ id }) => {
  it('that may trade are told so at the start', async () => {
    service = await startService(paper, id);
    await expect.poll(() => service?.output(), { timeout: 10_000 }).toContain('may read and trade');
    expect((await service.get('/health')).body.exchange.keys_may).toBe('trade');
    expect(paper.book()).toMatchObject({ positions: [], orders: [] });
  });

  it('that may only read prove what is open, are told so at the start, and close nothing', async () => {
    paper.keys.add({ ...READER, account: 'main', may: 'read' });
    order(paper, BTC, 'buy', '0.5');
    service = await startService(paper, id, { key: READER });
    await expect.poll(() => service?.output(), { timeout: 10_000 }).toContain('may only read');
    expect((await service.get('/positions')).body.open_positions).toMatchObject([{ symbol: BTC }]);
    for (const body of [{}, { dry_run: true }]) {
      const closed = await service.close(body);
      expect(closed.status).toBe(403);
      expect(closed.body.error.code).toBe('EXCHANGE_READ_ONLY');
    }
    expect(paper.book().positions).toHaveLength(1);
    expect(paper.calls.of('place')).toEqual([]);
  });

  it('that were given more rights meanwhile close without a restart', async () => {
    paper.keys.add({ ...READER, account: 'main', may: 'read' });
    order(paper, BTC, 'buy', '0.5');
    service = await startService(paper, id, { key: READER });
    expect((await service.close()).status).toBe(403);
    paper.keys.add({ ...READER, account: 'main', may: 'trade' });
    expect((await service.close()).body).toMatchObject({ open_positions: [] });
  });

  it('that are wrong are told, and nothing is open is never said', async () => {
    service = await startService(paper, id, {
      key: { key: 'nobody-knows-this-key', secret: 'nor-its-secret', passphrase: 'nor-this' },
      until: 'listening',
    });
    const { status, body } = await service.get('/positions');
    expect(status).toBe(503);
    expect(body.error.code).toBe('EXCHANGE_KEYS');
    expect((await service.get('/health')).status).toBe(503);
    expect((await service.close()).status).toBe(403);
    expect(service.output()).toContain('does not accept the keys');
  });

  it('see only the account that they are for', async () => {
    paper.keys.add({ ...READER, account: 'another', may: 'trade' });
    order(paper, BTC, 'buy', '0.5');
    service = await startService(paper, id, { key: READER });
    expect((await service.close()).body).toMatchObject({ open_positions: [], closing_orders: 0 });
    expect(paper.book('main').positions).toHaveLength(1);
  });

  it('stand in no log, answer or error, also where the exchange repeats everything that it was sent', async () => {
    order(paper, BTC, 'buy', '0.5');
    service = await startService(paper, id, { env: { LOG_LEVEL: 'debug' } });
    for (const status of [400, 401, 429, 503]) {
      for (const call of ['positions', 'place'] as const) {
        paper.faults.add({ call, does: { echo: status } });
        const { body } =
          call === 'place' ? await service.close({}, { within: 1_500 }) : await service.get('/positions');
        expectNoKey(JSON.stringify(body));
        order(paper, BTC, 'buy', '0.5');
      }
    }
    // Nor where the connection is what fails, and the address of the call is in the error.
    paper.faults.add({ call: 'positions', does: { reset: 'before' } });
    expectNoKey(JSON.stringify((await service.get('/positions')).body));
    const health = await service.get('/health');
    expectNoKey(JSON.stringify(health.body), service.output());
  });
});

describe('keys', () => {
  it('are read from files alone: in a variable they are refused, and not repeated', async () => {
    const port = await freePort();
    const running = start('node', ['src/main.ts'], {
      cwd: new URL('../..', import.meta.url).pathname,
      url: `http://127.0.0.1:${port}`,
      env: {
        EXCHANGE_ID: 'okx',
        EXCHANGE_KEY: PAPER_KEY.key,
        EXCHANGE_SECRET: PAPER_KEY.secret,
        EXCHANGE_TOKEN: TOKEN,
      },
    });
    await listening(running);
    expect(await running.exited).toBe(2);
    expect(running.output()).toContain('EXCHANGE_KEY: expected nothing: keys are read from files only');
    expect(running.output()).toContain('EXCHANGE_SECRET');
    expectNoKey(running.output().replaceAll('EXCHANGE_', ''));
  });
});
