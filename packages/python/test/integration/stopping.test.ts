import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'vitest';
import { changed, deaf, mortal, patient, startGate, until } from './gate-process.ts';
import { type Answer, scriptedServer, silence } from './scripted-server.ts';
import { drained, receipt, scriptedSidecar } from './scripted-sidecar.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const flat = { status: 200, body: '{"open_positions":[],"pending_orders":[]}' };
const closed = { status: 200, body: '{"open_positions":0,"pending_orders":0}' };

/** A promise, and what resolves it. */
const signalled = () => Promise.withResolvers<void>();

describe.concurrent('a stop is held back', () => {
  test.for(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const)(
    '%s, until the sidecar has proven this boot flat',
    async (signal, { expect }) => {
      const events: string[] = [];
      await using sidecar = await scriptedSidecar({
        'POST /drain': async (response, { body }) => {
          events.push('drain asked');
          await sleep(300);
          events.push('drain answered');
          response.end(receipt('flat', JSON.parse(body).boot));
        },
      });
      using gate = startGate(patient, { SIDECAR_URL: sidecar.url, DRAIN_TOKEN: 'drain-secret' }, { events });
      await gate.until('bot: up');
      gate.kill(signal);
      expect(await gate.exit, gate.log()).toBe(0);
      expect(events).toEqual(['bot: up', 'drain asked', 'drain answered', 'bot: TERM']);
      const [drain] = sidecar.drains();
      expect(drain?.headers.authorization).toBe('Bearer drain-secret');
      const sent = JSON.parse(drain?.body ?? '');
      expect(sent).toEqual({
        boot: sidecar.boot(),
        drain_id: sent.drain_id,
        reason: expect.stringContaining(signal),
      });
      expect(sent.drain_id).toMatch(uuid);
      expect(gate.log()).toMatch(
        /: flat\. The bot gets SIGTERM\. \(the sidecar proved it, drain drain-of-the-sidecar\.\)/,
      );
      expect(gate.processes()).toEqual([]);
    },
  );

  test('and the bot keeps its exit status', async ({ expect }) => {
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat') });
    using gate = startGate("trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done", {
      SIDECAR_URL: sidecar.url,
    });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(9);
  });

  test('a bot that dies of SIGTERM is 143', async ({ expect }) => {
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat') });
    using gate = startGate('echo up; exec sleep 60', { SIDECAR_URL: sidecar.url });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(143);
  });

  test('a bot that ignores SIGTERM gets SIGKILL after KILL_AFTER, and so does what it forked', async ({
    expect,
  }) => {
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat') });
    using gate = startGate(`(trap '' TERM; while :; do sleep 0.06; done) & ${deaf}`, {
      SIDECAR_URL: sidecar.url,
      KILL_AFTER: '300ms',
    });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(137);
    expect(gate.log()).toMatch(/was still there 0\.3s after SIGTERM; it got SIGKILL/);
    expect(gate.events).toEqual(['bot: up', 'bot: TERM']);
    await until('all have gone', () => gate.processes().length === 0);
  });

  test('more signals change nothing and ask for no second drain', async ({ expect }) => {
    const answer = signalled();
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat', answer.promise) });
    sidecar.set('GET /drain', (response) =>
      response.end(
        JSON.stringify({ state: 'started', phase: 'closing', boot: sidecar.boot(), drain_id: 'x' }),
      ),
    );
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    await until('the drain was asked for', () => sidecar.drains().length === 1);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM'] as const) {
      const told = gate.log().split('already stopping').length;
      gate.kill(signal);
      await until('the signal was seen', () => gate.log().split('already stopping').length > told);
    }
    expect(gate.events).toEqual(['bot: up']);
    answer.resolve();
    expect(await gate.exit, gate.log()).toBe(0);
    expect(sidecar.drains().length).toBe(1);
    expect(gate.events).toEqual(['bot: up', 'bot: TERM']);
  });

  test('also when the signal comes while the gate starts: what was started is drained', async ({
    expect,
  }) => {
    for (const delay of [0, 5, 10, 15, 20, 25, 30, 40, 50, 70, 100, 150]) {
      const events: string[] = [];
      await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat') }, ({ call }) =>
        events.push(call),
      );
      using gate = startGate('echo up; exec sleep 60', { SIDECAR_URL: sidecar.url }, { events });
      await sleep(delay);
      gate.kill('SIGTERM');
      const status = await gate.exit;
      expect(['SIGTERM', 143], gate.log()).toContain(status);
      expect(events.includes('POST /drain') || !events.includes('bot: up')).toBe(true);
      expect(gate.processes()).toEqual([]);
    }
  });

  test('and one that is forwarded before the bot has run a line is not lost', async ({ expect }) => {
    const slow = changed(
      'import time',
      'become_bot = gate.Gate._become_bot',
      'def slowly(*arguments): time.sleep(1); become_bot(*arguments)',
      'gate.Gate._become_bot = slowly',
    );
    using gate = startGate(patient, { GATE_TIMEOUT: '100ms', KILL_AFTER: '10s' }, { gate: slow });
    await until('the bot is being started', () => gate.processes().length === 2);
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(143);
    expect(gate.events).toEqual([]);
  });

  test('a stop during the first ask starts the bot halted, and drains it: an earlier boot left what it left', async ({
    expect,
  }) => {
    const asked = signalled();
    await using sidecar = await scriptedSidecar({
      'GET /livez': () => asked.resolve(),
      'POST /drain': drained('flat'),
    });
    using gate = startGate(`echo hold=$BOTWARDEN_HOLD; ${patient}`, { SIDECAR_URL: sidecar.url });
    await asked.promise;
    gate.kill('SIGTERM');
    const status = await gate.exit;
    expect(gate.log()).toMatch(/the bot starts halted/);
    expect(sidecar.drains().length, gate.log()).toBe(1);
    // It may get SIGTERM before it has run a line.
    expect([0, 143]).toContain(status);
    if (gate.events.length > 0) expect(gate.events[0]).toBe('bot: hold=true');
  });

  test('for as long as the sidecar is busy draining, and nothing is closed twice', async ({ expect }) => {
    const answer = signalled();
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat', answer.promise) });
    sidecar.set('GET /drain', (response) =>
      response.end(
        JSON.stringify({ state: 'started', phase: 'closing', boot: sidecar.boot(), drain_id: 'x' }),
      ),
    );
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, BOT_URL: bot.url, GATE_TIMEOUT: '60s' });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    await until('it looked many times', () => sidecar.calls('GET /drain').length >= 7, 30_000);
    expect(bot.seen).toEqual([]);
    expect(gate.events).toEqual(['bot: up']);
    answer.resolve();
    expect(await gate.exit, gate.log()).toBe(0);
    expect(bot.seen).toEqual([]);
    expect(sidecar.drains().length).toBe(1);
  });

  test('but no longer than GATE_TIMEOUT, and then it says that positions may be open', async ({ expect }) => {
    await using sidecar = await scriptedSidecar({
      'POST /drain': silence,
      'POST /close-positions': silence,
      'GET /positions': silence,
    });
    using gate = startGate(deaf, {
      SIDECAR_URL: sidecar.url,
      BOT_URL: sidecar.url,
      GATE_TIMEOUT: '5s',
      KILL_AFTER: '500ms',
    });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(137);
    expect(gate.log()).toMatch(
      /NOT FLAT: not proven within 5s\. POSITIONS MAY BE OPEN\. The bot gets SIGTERM/,
    );
    expect(gate.events).toEqual(['bot: up', 'bot: TERM']);
    expect(sidecar.calls('POST /close-positions').length).toBe(1);
    expect(gate.processes()).toEqual([]);
  });

  test('a verdict that comes meanwhile changes nothing', async ({ expect }) => {
    const answer = signalled();
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat', answer.promise) });
    sidecar.set('GET /drain', (response) =>
      response.end(
        JSON.stringify({ state: 'started', phase: 'closing', boot: sidecar.boot(), drain_id: 'x' }),
      ),
    );
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.until('bot: up');
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    gate.kill('SIGTERM');
    await until('the drain was asked for', () => sidecar.drains().length === 1);
    sidecar.tell({ live: false });
    await until('the lease has brought it', () => sidecar.calls('GET /livez').length === 3);
    await until('it looked once more', () => sidecar.calls('GET /drain').length >= 2);
    expect(gate.events).toEqual(['bot: up']);
    answer.resolve();
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).not.toContain('asks for a restart');
  });

  test('calls never go through a proxy that the bot uses for its exchange', async ({ expect }) => {
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat') });
    using gate = startGate(patient, {
      SIDECAR_URL: sidecar.url,
      http_proxy: 'http://127.0.0.1:9',
      ALL_PROXY: 'http://127.0.0.1:9',
    });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/: flat\./);
  });
});

describe.concurrent('the news that this boot is drained already, taken over the lease,', () => {
  test('lets the next stop through at once, although the sidecar has gone', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    await using sidecar = await scriptedSidecar({ 'POST /drain': 503 });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, BOT_URL: bot.url });
    await gate.until('bot: up');
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    sidecar.tellDrained('flat');
    await until('the lease has brought it', () => sidecar.calls('GET /livez').length === 3);
    sidecar.set('GET /livez', (response) => response.socket?.resetAndDestroy());
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(
      /flat\. The bot gets SIGTERM\. \(the sidecar said so over the lease, drain drain-before/,
    );
    expect(sidecar.drains()).toEqual([]);
    expect(bot.seen).toEqual([]);
  });

  test('ends a stop that is held back while its own drain is not answered', async ({ expect }) => {
    await using sidecar = await scriptedSidecar({ 'POST /drain': silence });
    sidecar.set('GET /drain', (response) =>
      response.end(
        JSON.stringify({ state: 'started', phase: 'closing', boot: sidecar.boot(), drain_id: 'x' }),
      ),
    );
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, GATE_TIMEOUT: '60s' });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    await until('the drain was asked for', () => sidecar.drains().length === 1);
    sidecar.tellDrained('flat');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/said so over the lease/);
  });

  test.for<[string, string, string | undefined]>([
    ['not flat', 'not_flat', undefined],
    ['abandoned', 'abandoned', undefined],
    ['nothing to do', 'nothing_to_do', undefined],
    ['flat, for another boot', 'flat', 'another-boot'],
  ])('counts for nothing when it says: %s', async ([, state, boot], { expect }) => {
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat') });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.until('bot: up');
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    sidecar.tellDrained(state, boot);
    await until('the lease has brought it', () => sidecar.calls('GET /livez').length === 3);
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(sidecar.drains().length).toBe(1);
    expect(gate.log()).toMatch(/the sidecar proved it/);
  });

  test('is taken back by a later drain that did not get there', async ({ expect }) => {
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat') });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url });
    await gate.until('bot: up');
    for (const [state, asks] of [
      ['flat', 2],
      ['not_flat', 3],
    ] as const) {
      await until('the lease waits', () => sidecar.calls('GET /livez').length === asks);
      sidecar.tellDrained(state);
    }
    await until('the lease has brought both', () => sidecar.calls('GET /livez').length === 4);
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(sidecar.drains().length).toBe(1);
  });
});

describe.concurrent('a boot that ends unproven is told, aloud and to the sidecar:', () => {
  /** The first call of the drain is never answered, the one that tells is. */
  const telling: Record<string, Answer> = { 'POST /drain': silence, 'POST /drain?wait=false': 202 };

  test('a bot that dies while its stop is held back', async ({ expect }) => {
    await using sidecar = await scriptedSidecar(telling);
    using gate = startGate(mortal, {
      SIDECAR_URL: sidecar.url,
      DRAIN_TOKEN: 'drain-secret',
      GATE_TIMEOUT: '60s',
    });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    await until('the drain was asked for', () => sidecar.drains().length === 1);
    gate.kill('SIGUSR1');
    expect(await gate.exit, gate.log()).toBe(4);
    expect(gate.log()).toMatch(/NOT FLAT: the bot died while its stop was held back\. POSITIONS MAY BE OPEN/);
    const [told, ...more] = sidecar.calls('POST /drain?wait=false');
    expect(more).toEqual([]);
    expect(told?.headers.authorization).toBe('Bearer drain-secret');
    const { drain_id: id } = JSON.parse(sidecar.drains()[0]?.body ?? '');
    expect(JSON.parse(told?.body ?? '')).toEqual({
      boot: sidecar.boot(),
      drain_id: id,
      reason: 'the bot died while its stop was held back',
    });
    expect(gate.events).toEqual(['bot: up']);
    expect(gate.processes()).toEqual([]);
  });

  test('and a sidecar that does not take it holds the gate up for two seconds at most', async ({
    expect,
  }) => {
    await using sidecar = await scriptedSidecar({
      'POST /drain': silence,
      'POST /drain?wait=false': silence,
    });
    using gate = startGate(mortal, { SIDECAR_URL: sidecar.url, GATE_TIMEOUT: '60s' });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    await until('the drain was asked for', () => sidecar.drains().length === 1);
    gate.kill('SIGUSR1');
    expect(await gate.exit, gate.log()).toBe(4);
    expect(sidecar.calls('POST /drain?wait=false').length).toBe(1);
  });

  test('unless the sidecar proves flat after all', async ({ expect }) => {
    const proof = signalled();
    await using sidecar = await scriptedSidecar({
      'POST /drain': drained('flat', proof.promise),
      'POST /drain?wait=false': () => proof.resolve(),
    });
    using gate = startGate(mortal, { SIDECAR_URL: sidecar.url, GATE_TIMEOUT: '60s' });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    await until('the drain was asked for', () => sidecar.drains().length === 1);
    gate.kill('SIGUSR1');
    expect(await gate.exit, gate.log()).toBe(4);
    expect(gate.log()).toMatch(/NOT FLAT.*flat after all\. \(the sidecar proved it/s);
  });

  test('not a bot that was known to be drained', async ({ expect }) => {
    await using sidecar = await scriptedSidecar({ ...telling });
    using gate = startGate("trap '' TERM; trap 'exit 4' USR1; echo up; while :; do sleep 0.05; done", {
      SIDECAR_URL: sidecar.url,
      KILL_AFTER: '20s',
    });
    await gate.until('bot: up');
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    sidecar.tellDrained('flat');
    await until('the lease has brought it', () => sidecar.calls('GET /livez').length === 3);
    gate.kill('SIGTERM');
    await gate.says(/: flat\./);
    gate.kill('SIGUSR1');
    expect(await gate.exit, gate.log()).toBe(4);
    expect(gate.log()).not.toContain('NOT FLAT');
    expect(sidecar.calls('POST /drain?wait=false')).toEqual([]);
  });

  test('a stop that comes while the bot is being restarted', async ({ expect }) => {
    await using sidecar = await scriptedSidecar(telling);
    using gate = startGate(deaf, { SIDECAR_URL: sidecar.url, KILL_AFTER: '2s' });
    await gate.until('bot: up');
    sidecar.tell({ live: false });
    await gate.until('bot: TERM');
    gate.kill('SIGTERM');
    gate.kill('SIGINT');
    expect(await gate.exit, gate.log()).toBe(75);
    expect(gate.log()).toMatch(
      /NOT FLAT: SIG(TERM|INT) came while the bot was being restarted\. POSITIONS MAY BE OPEN/,
    );
    expect(gate.log().match(/NOT FLAT/g)?.length).toBe(1);
    expect(sidecar.calls('POST /drain?wait=false').length).toBe(1);
    expect(JSON.parse(sidecar.calls('POST /drain?wait=false')[0]?.body ?? '').drain_id).toMatch(uuid);
    expect(sidecar.drains()).toEqual([]);
  });

  test('not when the bot that is being restarted was known to be drained', async ({ expect }) => {
    await using sidecar = await scriptedSidecar(telling);
    using gate = startGate(deaf, { SIDECAR_URL: sidecar.url, KILL_AFTER: '1s' });
    await gate.until('bot: up');
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    sidecar.tell({ live: false, drained: { boot: sidecar.boot(), drain_id: 'before', state: 'flat' } });
    await gate.until('bot: TERM');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(75);
    expect(gate.log()).not.toContain('NOT FLAT');
    expect(sidecar.calls('POST /drain?wait=false')).toEqual([]);
  });
});
