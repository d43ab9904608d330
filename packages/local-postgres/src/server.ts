import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRoot, loadEmbeddedPostgres } from './readable.ts';

/** Options of {@link startLocalPostgres}. */
export interface LocalPostgresOptions {
  /** The superuser. Default `trader`. */
  readonly user?: string;
  /** Its password. Default `hunter2-of-the-test`, which tests look for where it must not be. */
  readonly password?: string;
  /** Flags of the server, such as `-c`, `max_connections=12`. Default none. */
  readonly flags?: readonly string[];
}

/** A server that {@link startLocalPostgres} started. */
export interface LocalPostgres {
  /** With user and password; its database `postgres`. */
  readonly url: string;
  readonly port: number;
  /** Ends the server at once, its clients with it. The data stays. */
  readonly stop: () => Promise<void>;
  /** Starts a stopped server again, on the same data and port. */
  readonly start: () => Promise<void>;
  /** Ends the server, if it runs, and removes its data. */
  readonly remove: () => Promise<void>;
}

/**
 * Starts a server of its own, with its data in a temporary folder, on a free port of 127.0.0.1.
 *
 * @throws {Error} when it cannot be started.
 */
export async function startLocalPostgres(options: LocalPostgresOptions = {}): Promise<LocalPostgres> {
  const { user = 'trader', password = 'hunter2-of-the-test', flags = [] } = options;
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-postgres-'));
  chmodSync(folder, 0o755);
  const port = await freePort();
  const EmbeddedPostgres = await loadEmbeddedPostgres(folder);
  const said: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user,
    password,
    persistent: true,
    createPostgresUser: isRoot,
    initdbFlags: ['--no-sync', '--encoding=UTF8'],
    postgresFlags: ['-c', 'fsync=off', ...flags],
    onLog: (text) => said.push(text),
    onError: (error) => said.push(String(error)),
  });
  const start = () =>
    server.start().catch((error: unknown) => {
      throw new Error(`Postgres did not start. It said:\n${said.slice(-20).join('')}`, { cause: error });
    });
  await server.initialise();
  await start();
  return {
    url: `postgres://${user}:${password}@127.0.0.1:${port}/postgres`,
    port,
    stop: () => server.stop(),
    start,
    async remove() {
      await server.stop().catch(() => undefined);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port of 127.0.0.1 is free');
  return address.port;
}
