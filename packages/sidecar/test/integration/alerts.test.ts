import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Alert, type Alerts, createAlerts } from '../../src/alerts.ts';
import { systemClock } from '../../src/clock.ts';
import { until } from '../support/processes.ts';

interface Taken {
  readonly text: string;
  readonly content: string;
  readonly botwarden: Readonly<Record<string, unknown>>;
}

let server: Server;
let url: string;
let taken: Taken[];
/** How the webhook answers, in order; the last one stays. `hang` never answers. */
let answers: (number | 'hang')[];
let alerts: Alerts;
let said: string[];

beforeEach(async () => {
  taken = [];
  answers = [204];
  said = [];
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      taken.push(JSON.parse(text) as Taken);
      const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? 204;
      if (answer !== 'hang') response.writeHead(answer, { location: '/elsewhere' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=s3cret-key`;
});
afterEach(async () => {
  await alerts?.dispose();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function start(more: Partial<Parameters<typeof createAlerts>[0]> = {}): Alerts {
  const say = (fields: Readonly<Record<string, unknown>>, sentence: string): void =>
    void said.push(`${JSON.stringify(fields)} ${sentence}`);
  alerts = createAlerts({
    url,
    log: { info: say, warn: say, error: say },
    clock: systemClock,
    timeoutMs: 300,
    ...more,
  });
  return alerts;
}

const alert = (key: string, text = `about ${key}`, more: Partial<Alert> = {}): Alert => ({
  key,
  event: 'probe.changed',
  severity: 'warning',
  text,
  ...more,
});

it('sends text for Slack, content for Discord, and the facts', async () => {
  expect(await start().send(alert('a', 'The bot is gone.', { fields: { probe: 'api' } }))).toBe('delivered');
  expect(taken).toEqual([
    {
      text: '[botwarden] The bot is gone.',
      content: '[botwarden] The bot is gone.',
      botwarden: { event: 'probe.changed', severity: 'warning', at: expect.any(String), probe: 'api' },
    },
  ]);
});

it('is off without a URL', async () => {
  start({ url: undefined });
  expect([await alerts.send(alert('a')), await alerts.flush(10)]).toEqual(['off', true]);
});

it('tries again after failures and time-outs', async () => {
  answers = [500, 'hang', 429, 204];
  expect(await start().send(alert('a'))).toBe('delivered');
  expect(taken).toHaveLength(4);
}, 20_000);

it('gives up where the webhook will never want it, and says so without its URL', async () => {
  answers = [404];
  expect(await start().send(alert('a'))).toBe('failed');
  expect(taken).toHaveLength(1);
  expect(said.join()).toContain('alert.failed');
  expect(said.join()).not.toContain('s3cret-key');
});

it('follows no redirect', async () => {
  answers = [307];
  expect(await start({ retries: 0 }).send(alert('a'))).toBe('failed');
  expect(taken).toHaveLength(1);
});

it('does not flood: a flapping probe is told once, and then summed up', async () => {
  start({ quietMs: 400 });
  expect(await alerts.send(alert('probe.api', 'down 0'))).toBe('delivered');
  for (let n = 1; n <= 50; n += 1)
    expect(await alerts.send(alert('probe.api', `down ${n}`))).toBe('gathered');
  expect(await alerts.send(alert('probe.database'))).toBe('delivered');
  await until('the summary', () => taken.length === 3);
  expect(taken[2]?.text).toBe(
    '[botwarden] down 50 (happened 50 more times, the latest of which is this one)',
  );
  // And quiet again after it.
  expect(await alerts.send(alert('probe.api'))).toBe('gathered');
});

it('does not let what is urgent wait behind a webhook in its retries', async () => {
  answers = ['hang', 204];
  start({ timeoutMs: 2_000 });
  const first = alerts.send(alert('slow'));
  await until('the first try', () => taken.length === 1);
  expect(await alerts.send(alert('drain', 'NOT FLAT', { urgent: true }))).toBe('delivered');
  expect(taken.map(({ text }) => text)).toEqual(['[botwarden] about slow', '[botwarden] NOT FLAT']);
  expect(await first).toBe('delivered');
}, 20_000);

it('keeps a bounded number waiting, and drops the oldest', async () => {
  answers = ['hang'];
  start({ capacity: 3, timeoutMs: 5_000 });
  const sent = Array.from({ length: 6 }, (_, n) => alerts.send(alert(`key-${n}`)));
  expect(await Promise.all(sent.slice(1, 3))).toEqual(['dropped', 'dropped']);
});

it('flushes what waits and what is gathered, but no longer than it may', async () => {
  start();
  void alerts.send(alert('a', 'first'));
  void alerts.send(alert('a', 'second'));
  expect(await alerts.flush(2_000)).toBe(true);
  expect(taken.map(({ text }) => text)).toEqual([
    '[botwarden] first',
    '[botwarden] second (happened once more)',
  ]);
  answers = ['hang'];
  void alerts.send(alert('b'));
  expect(await alerts.flush(100)).toBe(false);
});

it('tells no secret, wherever it hides', async () => {
  start({ secrets: ['hunter2 & co'] });
  const fields = { deep: [{ reason: 'password hunter2 & co', url: 'http://x:hunter2%20%26%20co@y' }] };
  await alerts.send(alert('a', 'it said hunter2 & co', { fields }));
  expect(JSON.stringify(taken)).not.toContain('hunter2');
  expect(taken[0]?.text).toBe('[botwarden] it said ***');
});

it('fits into what Discord takes', async () => {
  await start().send(alert('a', 'x'.repeat(10_000)));
  expect(taken[0]?.content.length).toBeLessThanOrEqual(2_000);
});
