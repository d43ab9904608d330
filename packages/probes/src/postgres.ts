import { connect as connectSocket, Socket } from 'node:net';
import pg from 'pg';
import { type Duration, durationOption } from './duration.ts';
import { ProbeError, ProbeOptionError } from './errors.ts';
import type { Lookup } from './lookup.ts';
import { assertProbeName, type Observation, type Probe } from './probe.ts';
import { redact } from './redact.ts';

/** How a {@link PostgresSession} connects. */
export interface PostgresSessionOptions {
  /** `postgres://user:password@host:port/database`. Never shown. */
  connectionString: string;
  /**
   * The server itself ends a statement that takes longer. 0 sends no such limit, for a pooler such as PgBouncer that
   * refuses it. Default 2 s.
   */
  statementTimeout?: Duration;
  /** What the server calls the connection, in `pg_stat_activity`. Default `botwarden`. */
  applicationName?: string;
  /** Finds the address of the host. Default: as Node does by itself, in its shared threads. */
  lookup?: Lookup;
}

/**
 * One connection of its own, made when it is first needed, kept, and made anew when it broke. Never borrowed from an
 * application's pool: that would report the pool, not the database.
 */
export interface PostgresSession {
  /**
   * Runs one statement, one at a time. When `signal` aborts, the caller is answered at once, the backend is told to
   * cancel, and the socket is destroyed when it said that it did, or after a second. The next statement waits for that,
   * so that the database never has two of them at once.
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
  /** Judges the rows of a `query` of your own: returns true or an observation to pass, false or a throw to fail. Default: any answer passes. */
  rows?: (rows: Array<Record<string, unknown>>) => boolean | Observation;
  /** Whether a server in recovery, which takes no writes, passes the default query. Default false. */
  allowStandby?: boolean;
}

/** How long a backend has to stop what was cancelled, before its socket is destroyed all the same. */
const CANCEL_LIMIT_MS = 1000;

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
      const verdict: unknown = judge(await session.query(query, signal));
      if (verdict === true) return undefined;
      // Only a clear yes passes: a function that forgot its `return` must not.
      if (typeof verdict !== 'object' || verdict === null) {
        throw new ProbeError(
          'DATABASE_UNEXPECTED_ANSWER',
          'the database answered with rows that were not accepted',
        );
      }
      return verdict as Observation;
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
  return new Session(options);
}

class Session implements PostgresSession {
  readonly #settings: pg.ClientConfig;
  readonly #lookup: Lookup | undefined;
  /** The server's place, for messages. */
  readonly #target: string;
  #client: pg.Client | undefined;
  #cancels = new Set<Promise<void>>();
  #last: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(options: PostgresSessionOptions) {
    const { connectionString, applicationName = 'botwarden' } = options;
    const statementTimeoutMs = durationOption('statementTimeout', options.statementTimeout ?? 2000, 0);
    const url = URL.parse(connectionString);
    this.#lookup = options.lookup;
    this.#target = `${url?.hostname}:${url?.port || '5432'}`;
    const settings: pg.ClientConfig = {
      connectionString,
      application_name: applicationName,
      keepAlive: true,
      ...(statementTimeoutMs === 0 ? {} : { statement_timeout: Math.ceil(statementTimeoutMs) }),
    };
    const read =
      url === null || !/^postgres(ql)?:$/.test(url.protocol) ? undefined : readFiles(url, settings);
    if (read === undefined) {
      // The value itself is not quoted: it may hold a password.
      throw new ProbeOptionError(
        'connectionString',
        'a URL such as postgres://user:password@host:5432/database, and files that can be read where it names some',
        'a text that cannot be used',
      );
    }
    this.#settings = read;
  }

  query(sql: string, signal: AbortSignal): Promise<Array<Record<string, unknown>>> {
    const before = this.#last;
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const asked = before.then(() => this.#ask(sql, ended));
    this.#last = asked.catch(() => undefined);
    // One that still waits for its turn is let go at once, too.
    return orAborted(asked, ended);
  }

  async close(): Promise<void> {
    this.#closing.abort(new ProbeError('PROBE_CLOSED', 'the connection was closed'));
    await this.#last;
    const client = this.#client;
    if (client !== undefined) {
      // A polite end where the server answers, a destroyed socket where it does not.
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, 500);
      await Promise.race([client.end().catch(() => undefined), late]);
      clearTimeout(timer);
      this.#discard(client);
    }
    await Promise.all(this.#cancels);
  }

  async #ask(sql: string, signal: AbortSignal): Promise<Array<Record<string, unknown>>> {
    try {
      await orAborted(Promise.all(this.#cancels), signal);
      const client = this.#client ?? (await this.#connect(signal));
      const answer = client.query<Record<string, unknown>>(sql);
      try {
        return (await orAborted(answer, signal)).rows;
      } catch (error) {
        // After an error nothing is known of the connection; the next run proves a new one.
        if (signal.aborted) this.#cancel(client, answer);
        else this.#discard(client);
        throw error;
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw unreachable(this.#target, error);
    }
  }

  async #connect(signal: AbortSignal): Promise<pg.Client> {
    const lookup = this.#lookup;
    const client = new pg.Client({
      ...this.#settings,
      ...(lookup === undefined ? {} : { stream: () => postgresSocket(lookup, signal) }),
    });
    // Without a listener, a server that goes away would end this whole process.
    client.on('error', () => this.#discard(client));
    client.on('end', () => this.#discard(client));
    try {
      await orAborted(client.connect(), signal);
    } catch (error) {
      this.#discard(client);
      throw error;
    }
    this.#client = client;
    return client;
  }

  #discard(client: pg.Client): void {
    if (this.#client === client) this.#client = undefined;
    internalsOf(client).connection.stream.destroy();
  }

  /** Keeps the socket until the backend answers that it stopped: only then has it let go of what it waited for. */
  #cancel(client: pg.Client, answer: Promise<unknown>): void {
    this.#client = undefined;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CANCEL_LIMIT_MS);
    const stopped = Promise.all([cancelBackend(client), answer.catch(() => undefined)]);
    const cancelled = Promise.race([stopped, late]).then(() => {
      clearTimeout(timer);
      this.#discard(client);
      this.#cancels.delete(cancelled);
    });
    this.#cancels.add(cancelled);
  }
}

/**
 * For the option `stream` of a client of your own: the socket of one connection, whose host name is found by `lookup`
 * until `signal` aborts.
 */
export function postgresSocket(lookup: Lookup, signal: AbortSignal): Socket {
  return new LookupSocket(lookup, signal);
}

/** The socket of one connection, whose host name is found by `lookup`. */
class LookupSocket extends Socket {
  readonly #lookup: Lookup;
  readonly #signal: AbortSignal;

  constructor(lookup: Lookup, signal: AbortSignal) {
    super();
    this.#lookup = lookup;
    this.#signal = signal;
  }

  /** As the driver calls it: with a port and a host, or with the path of a socket in the file system. */
  override connect(...target: unknown[]): this {
    const [port, host] = target;
    if (typeof port !== 'number' || typeof host !== 'string')
      return Reflect.apply(super.connect, this, target) as this;
    return super.connect({ port, host, lookup: this.#lookup(this.#signal) });
  }
}

/** What names a file in a connection string, and what only has a meaning together with one. */
const FILE_PARAMETERS = ['sslcert', 'sslkey', 'sslrootcert', 'sslmode'];

/**
 * The settings with what the certificate files of the URL hold in place of their names: the driver would read them again
 * at each connection, and a disk that hangs would hold up the whole process. Undefined where the URL cannot be used.
 */
function readFiles(url: URL, settings: pg.ClientConfig): pg.ClientConfig | undefined {
  try {
    // Opens nothing, but reads the whole string: a malformed escape or a certificate file that is not there throws.
    const { ssl } = internalsOf(new pg.Client(settings));
    if (typeof ssl !== 'object') return settings;
    const without = new URL(url);
    for (const name of FILE_PARAMETERS) without.searchParams.delete(name);
    return { ...settings, connectionString: without.href, ssl };
  } catch {
    return undefined;
  }
}

/** The outcome of `work`, or the reason of `signal` if that comes first; `work` itself goes on. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  return promise;
}

interface ClientInternals {
  connection: { stream: { destroy(): void; remoteAddress?: string } };
  ssl: boolean | NonNullable<pg.ClientConfig['ssl']>;
  processID: number | null;
  secretKey: number | null;
}

/** The driver has no way to let go of a connection that hangs, nor to cancel a query; these are what it is made of. */
function internalsOf(client: pg.Client): ClientInternals {
  return client as unknown as ClientInternals;
}

/**
 * Asks the server to cancel what the backend of `client` is doing: a CancelRequest on a connection of its own, as in
 * the PostgreSQL frontend/backend protocol. Without it a backend that waits for a lock would be left behind until the
 * server's own time limit. Ends when the server has closed that connection, or after {@link CANCEL_LIMIT_MS}.
 */
function cancelBackend(client: pg.Client): Promise<void> {
  const { processID, secretKey } = internalsOf(client);
  if (processID === null || secretKey === null) return Promise.resolve();
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80_877_102, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  const { promise, resolve } = Promise.withResolvers<void>();
  // The address that the connection has, and so no name is asked for.
  const { remoteAddress: host = client.host } = internalsOf(client).connection.stream;
  const socket = connectSocket(
    client.host.startsWith('/')
      ? { path: `${client.host}/.s.PGSQL.${client.port}` }
      : { host, port: client.port },
  );
  socket.unref();
  socket.setTimeout(CANCEL_LIMIT_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('close', () => resolve());
  socket.resume();
  socket.end(request);
  return promise;
}

function unreachable(target: string, error: unknown): ProbeError {
  const code = (error as { code?: unknown } | null)?.code;
  // The code says why without quoting what the driver may quote: SQLSTATE from the server, errno from the network.
  const why = typeof code === 'string' ? ` (${code})` : '';
  return new ProbeError('DATABASE_UNREACHABLE', `no answer from the database at ${redact(target)}${why}`, {
    cause: error,
  });
}
