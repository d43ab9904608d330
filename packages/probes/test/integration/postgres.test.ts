import { once } from 'node:events';
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  type EmbeddedPostgresClass,
  freePort,
  isRoot,
  loadEmbeddedPostgres,
} from '@botwarden/local-postgres';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createMonitor, type Lookup } from '../../src/index.ts';
import { createPostgresSession, postgresProbe } from '../../src/postgres.ts';
import { checkOnce, expectReleased, heldResources } from './watch.ts';

const PASSWORD = 'correct-horse-battery';
let EmbeddedPostgres: EmbeddedPostgresClass;
let server: InstanceType<EmbeddedPostgresClass>;
let folder: string;
let port: number;
let admin: pg.Client;

const url = (user = 'trader', password = PASSWORD, at = port) =>
  `postgres://${user}:${password}@127.0.0.1:${at}/postgres`;
const database = (options: Partial<Parameters<typeof postgresProbe>[0]> = {}) =>
  postgresProbe({ name: 'database', connectionString: url(), ...options });

const WITHIN = { timeout: 15_000, interval: 50 };

const postmaster = async (): Promise<number> =>
  Number((await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0]);

const expectServerGone = () => vi.waitFor(async () => expect(await hasPidFile()).toBe(false), WITHIN);

function hasPidFile(): Promise<boolean> {
  return readFile(join(folder, 'data', 'postmaster.pid')).then(
    () => true,
    () => false,
  );
}

async function stop(): Promise<void> {
  await admin.end();
  process.kill(await postmaster(), 'SIGINT');
  await expectServerGone();
}

/** Starts the stopped server again; as a standby it has no primary, and so stays in recovery. */
async function restart({ standby = false, flags = [] as string[] } = {}): Promise<void> {
  const signalFile = join(folder, 'data', 'standby.signal');
  if (standby) {
    await writeFile(signalFile, '');
    const { uid, gid } = await stat(join(folder, 'data'));
    await chown(signalFile, uid, gid);
  } else await rm(signalFile, { force: true });
  server = describeServer(flags);
  // It waits for words that a standby never says.
  const started = server.start();
  started.catch(() => {});
  if (standby) return;
  await started;
  await connectAdmin();
}

function describeServer(flags: string[] = []): InstanceType<EmbeddedPostgresClass> {
  return new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'admin',
    password: PASSWORD,
    persistent: true,
    createPostgresUser: isRoot,
    postgresFlags: ['-c', 'max_connections=12', '-c', 'fsync=off', ...flags],
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
  EmbeddedPostgres = await loadEmbeddedPostgres(folder);
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

  test('is found by the lookup that it is given, and cancelled without another one', async () => {
    const names: string[] = [];
    const lookup: Lookup = () => (name, _options, callback) => {
      names.push(name);
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    };
    const connectionString = url().replace('127.0.0.1', 'db.invalid');
    const session = createPostgresSession({ connectionString, lookup });
    cleanups.push(() => session.close());
    expect(await session.query('SELECT 1 AS one', AbortSignal.timeout(5_000))).toEqual([{ one: 1 }]);
    const slow = session.query('SELECT pg_sleep(60)', AbortSignal.timeout(300));
    await expect(slow).rejects.toMatchObject({ name: 'TimeoutError' });
    await expectNoBackend();
    expect(names).toEqual(['db.invalid']);
  });

  test('that is looked up for ever ends with its run, and the lookup with it', async () => {
    let aborted = false;
    const lookup: Lookup = (signal) => () => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
    };
    const connectionString = url().replace('127.0.0.1', 'db.invalid');
    expect(await checkOnce(database({ connectionString, lookup }))).toMatchObject({ code: 'PROBE_TIMEOUT' });
    expect(aborted).toBe(true);
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
          await setTimeout(20);
        }
        return seen;
      }),
    );
    while (runs.length < 20) {
      most = Math.max(most, await waiting());
      await setTimeout(5);
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

  test('is not asked again before its backend has stopped, though the cancellation takes long', async () => {
    await holdLock();
    const at = await slowCancellations(400);
    const session = createPostgresSession({ connectionString: url('trader', PASSWORD, at) });
    cleanups.unshift(() => session.close());
    const ask = (within: number) =>
      session.query('SELECT * FROM held', AbortSignal.timeout(within)).catch((error) => error.name as string);
    expect(await ask(200)).toBe('TimeoutError');
    const asked = ask(1500);
    const seen: number[] = [];
    const settled = asked.then(() => true);
    while (!(await Promise.race([settled, waiting().then((n) => seen.push(n) < 0)])));
    expect(await asked).toBe('TimeoutError');
    expect(Math.max(...seen)).toBe(1);
    // The first is long gone by then.
    expect(seen.at(-1)).toBe(1);
  });

  test('that cannot be cancelled keeps the next question waiting for a second, not for ever', async () => {
    await holdLock();
    const at = await slowCancellations(60_000);
    const session = createPostgresSession({ connectionString: url('trader', PASSWORD, at) });
    cleanups.unshift(() => session.close());
    await expect(session.query('SELECT * FROM held', AbortSignal.timeout(200))).rejects.toThrow();
    expect(await session.query('SELECT 1 AS one', AbortSignal.timeout(5000))).toEqual([{ one: 1 }]);
  });

  /** The port of a way to the server on which a CancelRequest is held up for so long. */
  async function slowCancellations(delayMs: number): Promise<number> {
    const ended = new AbortController();
    const proxy = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', async (first) => {
        if (first.length === 16 && first.readInt32BE(4) === 80_877_102)
          await setTimeout(delayMs, undefined, { signal: ended.signal }).catch(() => {});
        const upstream = connect(port, '127.0.0.1');
        upstream.on('error', () => socket.destroy());
        upstream.on('close', () => socket.destroy());
        socket.on('close', () => upstream.destroy());
        upstream.write(first);
        socket.pipe(upstream).pipe(socket);
      });
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    cleanups.push(() => {
      ended.abort();
      proxy.close();
    });
    return (proxy.address() as AddressInfo).port;
  }

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

  test('shutting down while others are still connected fails and says so', async () => {
    const stays = new pg.Client({ connectionString: url('admin') });
    stays.on('error', () => {});
    await stays.connect();
    // A smart shutdown: no one new is let in until everyone has left.
    process.kill(await postmaster(), 'SIGTERM');
    await vi.waitFor(async () => {
      const view = await checkOnce(database());
      expect(view).toMatchObject({ status: 'fail', code: 'DATABASE_UNREACHABLE' });
      expect(view.output).toMatch(/57P03.*shutting down/);
    });
    await Promise.all([stays.end(), admin.end()]);
    await expectServerGone();
    await restart();
  });

  test('starting, and lets no one in yet, fails and says so', async () => {
    await stop();
    // A standby that waits for its primary and serves no one is the longest start there is.
    await restart({ standby: true, flags: ['-c', 'hot_standby=off'] });
    await vi.waitFor(async () => {
      const view = await checkOnce(database());
      expect(view).toMatchObject({ status: 'fail', code: 'DATABASE_UNREACHABLE' });
      expect(view.output).toContain('57P03');
    }, WITHIN);
    await stop();
    await restart();
  });

  test('in recovery fails, unless a standby will do', async () => {
    await stop();
    await restart({ standby: true });
    await vi.waitFor(async () => {
      const view = await checkOnce(database());
      expect(view).toMatchObject({ status: 'fail', code: 'DATABASE_UNEXPECTED_ANSWER' });
      expect(view.output).toContain('in recovery');
    }, WITHIN);
    expect(await checkOnce(database({ allowStandby: true }))).toMatchObject({ status: 'pass' });
    await stop();
    await restart();
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

    process.kill(await postmaster(), 'SIGQUIT');
    await vi.waitFor(() => expect(monitor.probe('database')?.status).toBe('fail'), WITHIN);
    expect(monitor.probe('database')?.code).toMatch(/DATABASE_UNREACHABLE|PROBE_TIMEOUT/);
    await expectServerGone();
    await restart();
    await vi.waitFor(() => expect(monitor.probe('database')?.status).toBe('pass'), WITHIN);
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

test('certificate files are read once, and not at each connection', async () => {
  const file = join(folder, 'root.pem');
  await writeFile(file, 'nobody reads what is in it');
  const session = createPostgresSession({
    connectionString: `${url()}?sslmode=verify-full&sslrootcert=${file}`,
  });
  cleanups.push(() => session.close());
  await rm(file);
  // The server has no TLS: what counts is that it was asked.
  const asked = session.query('SELECT 1', AbortSignal.timeout(5_000));
  await expect(asked).rejects.toThrow(/^no answer from the database at 127\.0\.0\.1:\d+$/);
});
