import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'vitest';
import { deaf, patient, startGate, until } from './gate-process.ts';
import { type Answer, frozenServer, half, reset, scriptedServer, silence } from './scripted-server.ts';
import { drained, scriptedSidecar } from './scripted-sidecar.ts';

const refused = 'http://127.0.0.1:9';

describe.concurrent('when the sidecar asks for a restart of this boot', () => {
  test.for([
    ['leaves with 0', patient],
    ['leaves with 3', "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done"],
    ['ignores SIGTERM', deaf],
  ] as const)('a bot that %s is ended, and the gate exits with 75', async ([, bot], { expect }) => {
    await using sidecar = await scriptedSidecar();
    using gate = startGate(bot, { SIDECAR_URL: sidecar.url, KILL_AFTER: '1s' });
    await gate.until('bot: up');
    sidecar.tell({ live: false, because: 'api has failed 3 times' });
    expect(await gate.exit, gate.log()).toBe(75);
    expect(gate.log()).toMatch(/asks for a restart of the bot \(503 from \/livez\): api has failed 3 times/);
    expect(sidecar.drains()).toEqual([]);
    expect(gate.processes()).toEqual([]);
  });

  test('it is told of it over the lease that waits, and not by asking again', async ({ expect }) => {
    await using sidecar = await scriptedSidecar();
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.until('bot: up');
    await until('it waits', () => sidecar.calls('GET /livez').length === 2);
    expect(sidecar.calls('GET /livez')[1]?.headers.prefer).toBe('wait=20');
    sidecar.tell({ live: false });
    expect(await gate.exit, gate.log()).toBe(75);
    expect(sidecar.calls('GET /livez').length).toBeLessThanOrEqual(3);
  });

  test('a bot that has to be killed takes what it forked with it', async ({ expect }) => {
    await using sidecar = await scriptedSidecar();
    const forks = "trap '' TERM; (while :; do sleep 0.06; done) & echo up; while :; do sleep 0.05; done";
    using gate = startGate(forks, { SIDECAR_URL: sidecar.url, KILL_AFTER: '300ms' });
    await gate.until('bot: up');
    sidecar.tell({ live: false });
    expect(await gate.exit, gate.log()).toBe(75);
    await until('all have gone', () => gate.processes().length === 0);
  });

  test('also where the sidecar gives no lease (403): it is then asked like by anyone', async ({ expect }) => {
    let verdict = { live: true, boot: '' };
    await using sidecar = await scriptedSidecar({
      'GET /livez': (response, { headers }) => {
        if (headers['botwarden-boot'] !== undefined)
          response.writeHead(403).end('{"error":{"code":"DRAIN_OFF"}}');
        else response.writeHead(verdict.live ? 200 : 503).end(JSON.stringify(verdict));
      },
    });
    using gate = startGate(`echo $BOTWARDEN_BOOT; ${patient}`, { SIDECAR_URL: sidecar.url });
    await gate.until('bot: up');
    const boot = gate.events[0]?.slice('bot: '.length) ?? '';
    verdict = { live: false, boot };
    expect(await gate.exit, gate.log()).toBe(75);
    expect(gate.log()).toMatch(/gives no lease \(403: it has no DRAIN_TOKEN\)/);
  });
});

/** A sidecar of one answer to /livez, whatever is asked. */
const always = (status: number, body: string | ((boot: string) => object)): Record<string, Answer> => ({
  'GET /livez': (response, { headers }) =>
    response
      .writeHead(status)
      .end(typeof body === 'string' ? body : JSON.stringify(body(String(headers['botwarden-boot'])))),
});

describe.concurrent('the bot is left alone by', () => {
  test.for<[string, Record<string, Answer>]>([
    [
      'a 503 for another boot',
      always(503, () => ({ live: false, boot: 'another', drained: null, hold: false })),
    ],
    ['a 503 for no boot', always(503, () => ({ live: false, boot: null, drained: null, hold: false }))],
    [
      'a 503 that says that it lives',
      always(503, (boot) => ({ live: true, boot, drained: null, hold: false })),
    ],
    [
      'a 200 that says that it does not',
      always(200, (boot) => ({ live: false, boot, drained: null, hold: false })),
    ],
    ['a 503 with a text', always(503, 'down for maintenance')],
    ['a 503 whose names stand twice', always(503, '{"live":false,"live":false,"boot":"x"}')],
    [
      'a 503 with half a body',
      {
        'GET /livez': (response) => {
          response.writeHead(503, { 'content-length': 99 }).write('{"live":false');
          setTimeout(() => response.socket?.destroy(), 20);
        },
      },
    ],
    ['a 500', always(500, (boot) => ({ live: false, boot }))],
    ['a 404', always(404, '')],
    [
      'a 401 and then a 503 for no boot',
      {
        'GET /livez': (response, { headers }) =>
          response.writeHead(headers['botwarden-boot'] === undefined ? 503 : 401).end('{"live":false}'),
      },
    ],
    ['a 429', always(429, '')],
    ['a 302', { 'GET /livez': (response) => response.writeHead(302, { location: '/elsewhere' }).end() }],
    ['what is not HTTP', { 'GET /livez': (response) => response.socket?.end('503 503\r\n\r\n') }],
    ['half an answer', { 'GET /livez': half }],
    ['a reset', { 'GET /livez': reset }],
    ['silence', { 'GET /livez': silence }],
    [
      'an answer without end',
      {
        'GET /livez': (response) => {
          response.writeHead(503);
          const timer = setInterval(() => response.write(' '.repeat(65_536)), 1);
          response.once('close', () => clearInterval(timer));
        },
      },
    ],
  ])('%s', async ([, script], { expect }) => {
    await using sidecar = await scriptedSidecar({
      ...script,
      'GET /elsewhere': 503,
      'POST /drain': drained('flat'),
    });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.until('bot: up');
    await until('it was asked again and again', () => sidecar.calls('GET /livez').length >= 3, 30_000);
    expect(gate.running()).toBe(true);
    expect(gate.events).toEqual(['bot: up']);
    expect(sidecar.calls('GET /elsewhere')).toEqual([]);
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.processes()).toEqual([]);
  });

  test('a sidecar that is not there, however long, and that is said once', async ({ expect }) => {
    using gate = startGate(patient, { SIDECAR_URL: refused });
    await gate.says(
      'the sidecar does not say whether the bot lives (connection refused). The bot is left alone.',
    );
    expect(gate.running()).toBe(true);
    expect(gate.events).toEqual(['bot: up']);
  });

  test('a name that does not exist', async ({ expect }) => {
    using gate = startGate(patient, { SIDECAR_URL: 'http://no-such-host.invalid:9400' });
    await gate.says(/The bot is left alone/);
    expect(gate.running()).toBe(true);
    expect(gate.log()).toMatch(/no-such-host\.invalid does not resolve/);
  });

  test('a frozen sidecar', async ({ expect }) => {
    await using sidecar = await frozenServer();
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.says(/no answer within 5s\). The bot is left alone/);
    expect(gate.running()).toBe(true);
    expect(gate.events).toEqual(['bot: up']);
  });
});

describe.concurrent('the lease', () => {
  test('is asked for at once, and held by asking again whenever it was answered', async ({ expect }) => {
    await using sidecar = await scriptedSidecar();
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, DRAIN_TOKEN: 'drain-secret' });
    await gate.until('bot: up');
    for (let count = 2; count < 6; count += 1) {
      await until('it asked again', () => sidecar.calls('GET /livez').length === count);
      sidecar.tell({ hold: count % 2 === 0 });
    }
    const asks = sidecar.calls('GET /livez');
    expect(asks.slice(0, 5).map(({ headers }) => headers.prefer)).toEqual([
      undefined,
      ...Array(4).fill('wait=20'),
    ]);
    for (const { headers } of asks) {
      expect(headers['botwarden-boot']).toBe(sidecar.boot());
      expect(headers.authorization).toBe('Bearer drain-secret');
    }
    expect(sidecar.boots.length).toBe(1);
  });

  test('goes on with a sidecar that was away, and says so', async ({ expect }) => {
    await using sidecar = await scriptedSidecar({ 'GET /livez': reset });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.says(/The bot is left alone/);
    sidecar.set('GET /livez', (response, { headers }) =>
      response.end(
        JSON.stringify({ live: true, boot: headers['botwarden-boot'], drained: null, hold: false }),
      ),
    );
    await gate.says('the sidecar answers again');
    expect(gate.events).toEqual(['bot: up']);
  });

  test('does not ask a sidecar that knows no waiting without a pause', async ({ expect }) => {
    await using sidecar = await scriptedSidecar(
      always(200, (boot) => ({ live: true, boot, drained: null, hold: false })),
    );
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.until('bot: up');
    await until('three asks', () => sidecar.calls('GET /livez').length >= 3);
    const before = sidecar.calls('GET /livez').length;
    await sleep(1_000); // Half of the pause, so at most one more is right.
    expect(sidecar.calls('GET /livez').length).toBeLessThanOrEqual(before + 1);
  });

  test('says that the sidecar takes another boot for the current one', async ({ expect }) => {
    await using sidecar = await scriptedSidecar();
    sidecar.tell({ boot: 'of-another-container' });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.says(/takes another boot \(of-another-container\) for the current one/);
    expect(gate.running()).toBe(true);
  });

  test('is tried again with a sidecar that comes back after it had no token', async ({ expect }) => {
    let token = false;
    await using sidecar = await scriptedServer({
      'GET /livez': (response, { headers }) => {
        const asking = headers['botwarden-boot'];
        if (!token && asking !== undefined) response.writeHead(403).end('{}');
        else if (asking === undefined && token) response.socket?.resetAndDestroy();
        else response.end(JSON.stringify({ live: true, boot: asking ?? null, drained: null, hold: false }));
      },
    });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.until('bot: up');
    await until('it asks like anyone', () =>
      sidecar.calls('GET /livez').some(({ headers }) => headers['botwarden-boot'] === undefined),
    );
    token = true; // And the old connection breaks, as in a restart.
    const before = sidecar.calls('GET /livez').length;
    await until('it asks for a lease', () =>
      sidecar
        .calls('GET /livez')
        .slice(before)
        .some(({ headers }) => headers['botwarden-boot'] !== undefined && headers.prefer !== undefined),
    );
    expect(gate.running()).toBe(true);
  });
});
