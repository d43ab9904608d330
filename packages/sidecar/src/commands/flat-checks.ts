import { createPostgresSession } from '@botwarden/probes/postgres';
import { lookup } from '@botwarden/service/lookup';
import { type Config, RESERVE_MS } from '../config/config.ts';
import { createExchangeCheck } from '../drain/exchange-check.ts';
import { oneNumber } from '../drain/flat-check.ts';
import type { Outside } from '../drain/machine.ts';
import type { FlatCheck } from '../drain/run.ts';

/** How often the connection of FLAT_CHECK_SQL is looked after, in milliseconds. */
const KEEP_CONNECTED_MS = 5_000;

/** The proofs from outside that are configured. */
export function createFlatChecks(config: Config): Partial<Record<Outside, FlatCheck>> {
  const sql = sqlCheck(config);
  const { flatCheckUrl: url, flatCheckToken: token } = config.drain;
  return {
    ...(sql === undefined ? {} : { sql }),
    ...(url === undefined ? {} : { exchange: createExchangeCheck({ url, token }) }),
  };
}

/** FLAT_CHECK_SQL, over a connection of its own. */
function sqlCheck({ databaseUrl, drain }: Config): FlatCheck | undefined {
  const sql = drain.flatCheckSql;
  if (sql === undefined || databaseUrl === undefined) return undefined;
  const session = createPostgresSession({
    lookup,
    connectionString: databaseUrl,
    statementTimeout: RESERVE_MS,
    applicationName: 'botwarden-flat-check',
  });
  // A database that is being shut down, as with the whole host, lets in no one new: the connection is there before it
  // is needed.
  const connect = (): void =>
    void session.query('SELECT 1', AbortSignal.timeout(RESERVE_MS)).catch(() => undefined);
  connect();
  setInterval(connect, KEEP_CONNECTED_MS).unref();
  return async (signal) => oneNumber(await session.query(sql, signal));
}
