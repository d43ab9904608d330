import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'vitest';
import { patient, startGate, until } from './gate-process.ts';
import { LOOPBACK, LOOPBACK_6, nameServer, type Question, reply } from './scripted-names.ts';
import { scriptedServer } from './scripted-server.ts';
import { drained, scriptedSidecar } from './scripted-sidecar.ts';

/** Knows these names, and no other. */
const knows =
  (...names: string[]) =>
  (question: Question): Buffer =>
    names.includes(question.name)
      ? reply(question, 0, question.type === 'A' ? [LOOPBACK] : [])
      : reply(question, 3);

const closed = { status: 200, body: '{"open_positions":0,"pending_orders":0}' };
const flat = { status: 200, body: '{"open_positions":[],"pending_orders":[]}' };

describe.concurrent('the name of the sidecar', () => {
  test('is asked for, and the sidecar is reached', async ({ expect }) => {
    using names = await nameServer(knows('sidecar'));
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat') });
    using gate = startGate(patient, { SIDECAR_URL: `http://sidecar:${sidecar.port}` }, names.way);
    await gate.until('bot: up');
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/the sidecar proved it/);
    expect(sidecar.drains()[0]?.headers.host).toBe(`sidecar:${sidecar.port}`);
    expect(names.asked.slice(0, 2).sort()).toEqual(['sidecar A', 'sidecar AAAA']);
  });

  test('is looked for in the domains of resolv.conf, in the order that ndots asks for', async ({
    expect,
  }) => {
    using names = await nameServer(knows('sidecar.bots.svc.cluster.local'), {
      resolv: 'search bots.svc.cluster.local svc.cluster.local\noptions ndots:5 timeout:1\n',
    });
    await using sidecar = await scriptedSidecar();
    using gate = startGate(patient, { SIDECAR_URL: `http://sidecar:${sidecar.port}` }, names.way);
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    expect(new Set(names.asked)).toEqual(
      new Set(['sidecar.bots.svc.cluster.local A', 'sidecar.bots.svc.cluster.local AAAA']),
    );
    using other = startGate(patient, { SIDECAR_URL: `http://sidecar.svc:${sidecar.port}` }, names.way);
    await until('it has gone through all', () => names.asked.includes('sidecar.svc A'));
    const order = names.asked.filter((asked) => asked.startsWith('sidecar.svc') && asked.endsWith(' A'));
    expect(order.slice(0, 3)).toEqual([
      'sidecar.svc.bots.svc.cluster.local A',
      'sidecar.svc.svc.cluster.local A',
      'sidecar.svc A',
    ]);
    expect([gate.running(), other.running()]).toEqual([true, true]);
  });

  test('is taken from /etc/hosts without asking anybody', async ({ expect }) => {
    using names = await nameServer(() => null, {
      hosts: '127.0.0.1 localhost\n127.0.0.1\tother Sidecar # here\n',
    });
    await using sidecar = await scriptedSidecar();
    using gate = startGate(patient, { SIDECAR_URL: `http://sidecar:${sidecar.port}` }, names.way);
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    expect(names.asked).toEqual([]);
    expect(gate.running()).toBe(true);
  });

  test('may have an address of IPv6 alone', async ({ expect }) => {
    let reached = 0;
    const server = createServer((_, response) => {
      reached += 1;
      response.end('{"live":true,"boot":null,"drained":null,"hold":false}');
    });
    await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
    using names = await nameServer((question) =>
      reply(question, 0, question.type === 'AAAA' ? [LOOPBACK_6] : []),
    );
    const { port } = server.address() as AddressInfo;
    using gate = startGate(patient, { SIDECAR_URL: `http://sidecar:${port}` }, names.way);
    await until('it has been reached', () => reached > 0);
    expect(gate.running()).toBe(true);
    server.close();
  });

  test('has several addresses: one that refuses is followed by the next', async ({ expect }) => {
    using names = await nameServer((question) =>
      reply(question, 0, question.type === 'A' ? [[127, 0, 0, 2], LOOPBACK] : []),
    );
    await using sidecar = await scriptedSidecar();
    using gate = startGate(patient, { SIDECAR_URL: `http://sidecar:${sidecar.port}` }, names.way);
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    expect(gate.running()).toBe(true);
  });

  test('is asked for again when the first question is lost, and forged or broken replies are none', async ({
    expect,
  }) => {
    let count = 0;
    using names = await nameServer((question) => {
      count += 1;
      if (count <= 2) return null;
      const real = knows('sidecar')(question);
      const forged = Buffer.from(reply(question, 0, [[127, 0, 0, 9]]));
      forged[0] = (forged[0] ?? 0) ^ 0xff;
      const another = Buffer.from(reply(question, 0, [[127, 0, 0, 9]]));
      another[13] = 'x'.charCodeAt(0);
      return [
        [0, forged],
        [0, another],
        [0, Buffer.from('no reply at all')],
        [0, real.subarray(0, 9)],
        [10, real],
      ];
    });
    await using sidecar = await scriptedSidecar();
    using gate = startGate(patient, { SIDECAR_URL: `http://sidecar:${sidecar.port}` }, names.way);
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    expect(gate.running()).toBe(true);
  });
});

describe.concurrent('a name server that', () => {
  test('is silent keeps the bot waiting for a second, and a stop for three', async ({ expect }) => {
    using names = await nameServer(() => null);
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    using gate = startGate(
      patient,
      { SIDECAR_URL: 'http://sidecar:9400', BOT_URL: bot.url, GATE_TIMEOUT: '60s' },
      names.way,
    );
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/: flat\. .*the bot closed/);
  });

  test('does not know the name keeps nobody waiting', async ({ expect }) => {
    using names = await nameServer(knows());
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    using gate = startGate(patient, { SIDECAR_URL: 'http://sidecar:9400', BOT_URL: bot.url }, names.way);
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/the name sidecar does not resolve\).*: flat\./s);
  });

  test.for<[string, (question: Question) => Buffer | null]>([
    ['falls silent', () => null],
    ['forgets the name', (question) => reply(question, 3)],
    ['fails', (question) => reply(question, 2)],
    ['is empty', (question) => reply(question, 0)],
  ])(
    '%s later does not part the gate from a sidecar that it has reached before',
    async ([, answer], { expect }) => {
      using names = await nameServer(knows('sidecar'));
      await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat') });
      using gate = startGate(
        patient,
        { SIDECAR_URL: `http://sidecar:${sidecar.port}`, GATE_TIMEOUT: '60s' },
        names.way,
      );
      await gate.until('bot: up');
      await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
      names.set(answer);
      const before = names.asked.length;
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(0);
      expect(names.asked.length).toBeGreaterThan(before);
      expect(gate.log()).toMatch(/the sidecar proved it/);
    },
  );

  test('answers late is still understood', async ({ expect }) => {
    using names = await nameServer((question) => [[1_500, knows('sidecar')(question)]]);
    await using sidecar = await scriptedSidecar();
    using gate = startGate(patient, { SIDECAR_URL: `http://sidecar:${sidecar.port}` }, names.way);
    await gate.until('bot: up');
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    expect(gate.running()).toBe(true);
  });
});
