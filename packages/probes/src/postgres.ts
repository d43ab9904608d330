import { connect as connectSocket } from 'node:net';
import pg from 'pg';
import { type Duration, durationOption } from './duration.ts';
import { ProbeError, ProbeOptionError } from './errors.ts';
import { assertProbeName, type Observation, type Probe } from './probe.ts';
import { redact } from './redact.ts';

/** How a {@link PostgresSession} connects. */
export interface PostgresSessionOptions {
  /** `postgres://user:password@host:port/database`. Never shown. */
  connectionString: string;
  /** The server itself ends a statement that takes longer. Default 2 s. */
  statementTimeout?: Duration;
  /** What the server calls the connection, in `pg_stat_activity`. Default `botwarden`. */
  applicationName?: string;
}

/**
 * One connection of its own, made when it is first needed, kept, and made anew when it broke. Never borrowed from an
 * application's pool: that would report the pool, not the database.
 */
export interface PostgresSession {
  /**
   * Runs one statement, one at a time. When `signal` aborts, the backend is told to cancel and the socket is destroyed.
   *
   * @throws {ProbeError} `DATABASE_UNREACHABLE`, or the reason of the signal.
   */
  query(sql: string, signal: AbortSignal): Promise<Array<Record<string, unknown>>>;
  /** Ends the connection. */
  close(): Promise<void>;
}

/** Options of {@link postgresProbe}. */
export interface PostgresProbeOptions extends PostgresSessionOptions {
  /** Unique within a monitor. */
  name: string;
  /** What is asked. Default `SELECT pg_is_in_recovery() AS in_recovery`. */
  query?: string;
  /** Judges the rows of a `query` of your own: throws or returns false to fail. Default: any answer passes. */
  rows?: (rows: Array<Record<string, unknown>>) => boolean | Observation;
  /** Whether a server in recovery, which takes no writes, passes the default query. Default false. */
  allowStandby?: boolean;
}

const DEFAULT_QUERY = 'SELECT pg_is_in_recovery() AS in_recovery';

/**
 * Asks a Postgres over one dedicated connection, with a time limit on the server as well.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function postgresProbe(options: PostgresProbeOptions): Probe {
  assertProbeName(options.name);
  const { query = DEFAULT_QUERY, allowStandby = false } = options;
  const session = createPostgresSession(options);
  const judge = options.rows ?? (options.query === undefined ? expectPrimary(allowStandby) : () => true);
  return {
    name: options.name,
    componentType: 'datastore',
    async run(signal) {
      const verdict = judge(await session.query(query, signal));
      if (verdict === false) {
        throw new ProbeError(
          'DATABASE_UNEXPECTED_ANSWER',
          'the database answered with rows that were not accepted',
        );
      }
      return verdict === true ? undefined : verdict;
    },
    close: () => session.close(),
  };
}

function expectPrimary(allowStandby: boolean): (rows: Array<Record<string, unknown>>) => boolean {
  return ([row]) => {
    if (row?.in_recovery === true && !allowStandby) {
      throw new ProbeError(
        'DATABASE_UNEXPECTED_ANSWER',
        'the server is in recovery and takes no writes; expected a primary',
      );
    }
    return typeof row?.in_recovery === 'boolean';
  };
}

/**
 * Opens nothing yet; the first query connects.
 *
 * @throws {ProbeOptionError} when the connection string is no Postgres URL.
 */
export function createPostgresSession(options: PostgresSessionOptions): PostgresSession {
  const url = URL.parse(options.connectionString);
  if (url === null || (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:')) {
    // The value itself is not quoted: it may hold a password.
    throw new ProbeOptionError(
      'connectionString',
      'a URL such as postgres://user:password@host:5432/database',
      'a text that is none',
    );
  }
  const statementTimeoutMs = durationOption('statementTimeout', options.statementTimeout ?? 2000, 1);
  const target = `${url.hostname}:${url.port || '5432'}`;
  const settings: pg.ClientConfig = {
    connectionString: options.connectionString,
    application_name: options.applicationName ?? 'botwarden',
    statement_timeout: Math.round(statementTimeoutMs),
    keepAlive: true,
  };
  let kept: pg.Client | undefined;
  let closed = false;
  let queue: Promise<unknown> = Promise.resolve();

  const discard = (client: pg.Client): void => {
    if (kept === client) kept = undefined;
    streamOf(client).destroy();
  };

  const connect = async (signal: AbortSignal): Promise<pg.Client> => {
    if (kept !== undefined) return kept;
    const client = new pg.Client(settings);
    // Without a listener, a server that goes away would end this whole process.
    client.on('error', () => discard(client));
    client.on('end', () => {
      if (kept === client) kept = undefined;
    });
    const onAbort = (): void => discard(client);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await client.connect();
    } catch (error) {
      discard(client);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    if (signal.aborted || closed) {
      discard(client);
      throw signal.reason ?? new ProbeError('PROBE_CLOSED', 'the connection was closed');
    }
    kept = client;
    return client;
  };

  const ask = async (sql: string, signal: AbortSignal): Promise<Array<Record<string, unknown>>> => {
    signal.throwIfAborted();
    try {
      const client = await connect(signal);
      const onAbort = (): void => {
        cancelBackend(client);
        discard(client);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        const result = await client.query<Record<string, unknown>>(sql);
        return result.rows;
      } catch (error) {
        // After an error nothing is known of the connection; the next run proves a new one.
        discard(client);
        throw error;
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof ProbeError) throw error;
      throw unreachable(target, error);
    }
  };

  return {
    query(sql, signal) {
      const next = queue.then(() => ask(sql, signal));
      queue = next.catch(() => undefined);
      return next;
    },
    async close() {
      closed = true;
      const client = kept;
      kept = undefined;
      if (client === undefined) return;
      // A polite end where the server answers, a destroyed socket where it does not.
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, 500);
      await Promise.race([client.end().catch(() => undefined), late]);
      clearTimeout(timer);
      streamOf(client).destroy();
    },
  };
}

interface ClientInternals {
  connection: { stream: { destroy(): void } };
  processID: number | null;
  secretKey: number | null;
}

/** The driver has no way to let go of a connection that hangs; its socket is what it is documented to wrap. */
function streamOf(client: pg.Client): { destroy(): void } {
  return (client as unknown as ClientInternals).connection.stream;
}

/**
 * Asks the server to cancel what the backend of `client` is doing: a CancelRequest on a connection of its own, as in
 * the PostgreSQL frontend/backend protocol. Without it a backend that waits for a lock would be left behind until the
 * server's own time limit.
 */
function cancelBackend(client: pg.Client): void {
  const { processID, secretKey } = client as unknown as ClientInternals;
  if (processID === null || secretKey === null) return;
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80_877_102, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  const socket = client.host.startsWith('/')
    ? connectSocket(`${client.host}/.s.PGSQL.${client.port}`)
    : connectSocket(client.port, client.host);
  socket.setTimeout(1000, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.end(request);
}

function unreachable(target: string, error: unknown): ProbeError {
  const code = (error as { code?: unknown } | null)?.code;
  // The code says why without quoting what the driver may quote: SQLSTATE from the server, errno from the network.
  const why = typeof code === 'string' ? ` (${code})` : '';
  return new ProbeError('DATABASE_UNREACHABLE', `no answer from the database at ${redact(target)}${why}`, {
    cause: error,
  });
}
