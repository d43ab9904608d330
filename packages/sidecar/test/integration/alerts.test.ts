import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Alert, alertsFile } from '../../src/alerts/alert.ts';
import { type Alerts, createAlerts } from '../../src/alerts/alerts.ts';
import { systemClock } from '../../src/clock.ts';
import { openStateFolder } from '../../src/state/state-folder.ts';
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
let folder: string;

beforeEach(async () => {
  taken = [];
  answers = [204];
  said = [];
  folder = mkdtempSync(join(tmpdir(), 'botwarden-alerts-'));
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
  rmSync(folder, { recursive: true, force: true });
});

function start(more: Partial<Parameters<typeof createAlerts>[0]> = {}): Alerts {
  const say = (fields: Readonly<Record<string, unknown>>, sentence: string): void =>
    void said.push(`${JSON.stringify(fields)} ${sentence}`);
  alerts = createAlerts({
    botName: 'btc',
    file: openStateFolder(folder).file('alerts.json', alertsFile),
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
      text: '[botwarden btc] The bot is gone.',
      content: '[botwarden btc] The bot is gone.',
      botwarden: {
        bot: 'btc',
        event: 'probe.changed',
        severity: 'warning',
        at: expect.any(String),
        probe: 'api',
      },
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
    '[botwarden btc] down 50 (happened 50 more times, the latest of which is this one)',
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
  expect(taken.map(({ text }) => text)).toEqual(['[botwarden btc] about slow', '[botwarden btc] NOT FLAT']);
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
    '[botwarden btc] first',
    '[botwarden btc] second (happened once more)',
  ]);
  answers = ['hang'];
  void alerts.send(alert('b'));
  expect(await alerts.flush(100)).toBe(false);
});

describe('a critical alert', () => {
  const critical = (text: string, more: Partial<Alert> = {}) =>
    alert('drain', text, { severity: 'critical', ...more });
  const onDisk = (): string => {
    const path = join(folder, 'alerts.json');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  /** The sidecar is killed: nothing of it is left but its files. */
  const killed = async (): Promise<void> => {
    await alerts.dispose();
    await until('the file is written', () => onDisk().includes('"alerts"'));
  };

  it('is on disk until it is delivered', async () => {
    answers = ['hang', 204];
    start({ timeoutMs: 1_000 });
    const sent = alerts.send(critical('NOT FLAT'));
    await until('it is on disk', () => taken.length === 1 && onDisk().includes('NOT FLAT'));
    expect(await sent).toBe('delivered');
    await until('it is gone from there', () => !onDisk().includes('NOT FLAT'));
    expect(alerts.state()).toEqual({ undelivered: 0, problem: null });
  }, 20_000);

  it('that nobody took is tried again until somebody does, and says that it is late', async () => {
    answers = [503];
    start({ retries: 0, againMs: 200 });
    expect(await alerts.send(critical('NOT FLAT'))).toBe('failed');
    expect(alerts.state()).toEqual({
      undelivered: 1,
      problem: expect.stringMatching(/^1 alert is not delivered \(the webhook: answered 503\)/),
    });
    await until('it was tried again', () => taken.length >= 3);
    answers = [204];
    await until('it is delivered', () => alerts.state().undelivered === 0);
    expect(taken.at(-1)?.text).toMatch(
      /^\[botwarden btc\] NOT FLAT \(of 20.*it could not be delivered before\)$/,
    );
  }, 20_000);

  it('does not wait for its next try when another one was delivered', async () => {
    answers = [503, 204];
    start({ retries: 0, againMs: 3_600_000 });
    await alerts.send(critical('NOT FLAT'));
    await alerts.send(alert('other'));
    await until('both are delivered', () => alerts.state().undelivered === 0);
    expect(taken.at(-1)?.text).toMatch(/NOT FLAT/);
  });

  it('that nobody took is sent after a restart of the sidecar', async () => {
    answers = [503];
    start({ retries: 0 });
    await alerts.send(critical('NOT FLAT', { fields: { open_positions: 3 } }));
    await killed();
    answers = [204];
    taken = [];
    start();
    await until('it is delivered', () => taken.length === 1);
    expect(taken[0]?.text).toMatch(/NOT FLAT \(of 20/);
    expect(taken[0]?.botwarden).toMatchObject({ open_positions: 3, severity: 'critical' });
    await until('it is gone from the disk', () => !onDisk().includes('NOT FLAT'));
  });

  it('is sent after a restart, too, when it waited for a summary', async () => {
    start();
    await alerts.send(critical('first'));
    expect(await alerts.send(critical('second'))).toBe('gathered');
    await until('it is on disk', () => onDisk().includes('second'));
    await alerts.dispose();
    start();
    await until('it is delivered', () => taken.some(({ text }) => text.includes('second')));
  });

  it('is given up when it is a day old', async () => {
    const at = new Date(Date.now() - 25 * 3_600_000).toISOString();
    const old = { key: 'drain', event: 'drain.not_flat', text: 'yesterday', fields: {}, at };
    writeFileSync(join(folder, 'alerts.json'), JSON.stringify({ alerts: [old] }));
    start();
    await until('it is given up', () => said.join().includes('alert.given_up'));
    expect(taken).toEqual([]);
    await until('it is gone from the disk', () => !onDisk().includes('yesterday'));
  });

  it('stands on disk without secrets', async () => {
    answers = [503];
    start({ retries: 0, secrets: ['hunter2 & co'] });
    await alerts.send(critical('it said hunter2 & co'));
    await until('it is on disk', () => onDisk().includes('it said ***'));
    expect(onDisk()).not.toContain('hunter2');
  });

  it('that the webhook refuses does not keep the others waiting', async () => {
    answers = [503];
    start({ retries: 0, againMs: 100 });
    await alerts.send(critical('first', { key: 'a' }));
    await alerts.send(critical('second', { key: 'b' }));
    answers = [400, 204];
    await until('the second is delivered', () => alerts.state().undelivered <= 1);
    await until('both are', () => alerts.state().undelivered === 0);
  });
});

it('counts others that were given up, until one is delivered again', async () => {
  answers = [503];
  start({ retries: 0 });
  await alerts.send(alert('a'));
  expect(alerts.state().undelivered).toBe(1);
  answers = [204];
  await alerts.send(alert('b'));
  expect(alerts.state()).toEqual({ undelivered: 0, problem: null });
});

it('tells no secret, wherever it hides', async () => {
  start({ secrets: ['hunter2 & co'] });
  const fields = { deep: [{ reason: 'password hunter2 & co', url: 'http://x:hunter2%20%26%20co@y' }] };
  await alerts.send(alert('a', 'it said hunter2 & co', { fields }));
  expect(JSON.stringify(taken)).not.toContain('hunter2');
  expect(taken[0]?.text).toBe('[botwarden btc] it said ***');
});

it('fits into what Discord takes', async () => {
  await start().send(alert('a', 'x'.repeat(10_000)));
  expect(taken[0]?.content.length).toBeLessThanOrEqual(2_000);
});
