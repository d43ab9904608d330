import { setTimeout as delay } from 'node:timers/promises';
import { describeError } from '@botwarden/probes';
import { postgresSocket } from '@botwarden/probes/postgres';
import type { Log } from '@botwarden/service/log';
import { lookup } from '@botwarden/service/lookup';
import pg from 'pg';
import type { Receipt } from '../watch/answers.ts';
import type { TimelineEvent } from '../watch/changes.ts';
import {
  ALARMS_KEPT,
  DAY_CELLS,
  DAY_SPAN_MS,
  HOUR_CELLS,
  HOUR_SPAN_MS,
  type Keepsake,
  type Looked,
  type Minute,
  type Past,
} from './history.ts';
import { MIGRATIONS, SCHEMA } from './migrations.ts';

/** Options of {@link createStore}. */
export interface StoreOptions {
  /** `postgres://…`; never shown. */
  readonly connectionString: string;
  /** What is older is deleted, in milliseconds. */
  readonly maxAgeMs: number;
  readonly secrets: readonly string[];
  readonly log: Log;
  /** Given what an earlier process kept, once, as soon as the database answers. */
  readonly onPast: (past: Past) => void;
}

/** Keeps history in Postgres, behind the back of every request: nothing that is called here waits. */
export interface Store {
  /** Takes it to be written soon. Never throws; when the database is down for long, the oldest minutes are lost first. */
  readonly keep: (keepsake: Keepsake) => void;
  /** How many were lost because the database was down. */
  readonly lost: () => number;
  /** Writes what is left, within `limitMs`, and ends the connection. */
  readonly close: (limitMs: number) => Promise<void>;
}

/** Waiting to be written: at most this many. Half an hour of twenty bots. */
const QUEUE_LIMIT = 5_000;
const BATCH = 500;
const WRITE_EVERY_MS = 1_000;
const RETRY_MS = 5_000;
const PRUNE_EVERY_MS = 3_600_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** Held by whoever migrates; any number that nothing else of this program uses. */
const MIGRATION_LOCK = 4_091_500;

/** Positions may be open after it, and nobody has looked at the exchange since. */
const ENDED_BADLY = `(receipt->>'state' NOT IN ('flat', 'nothing_to_do') AND NOT EXISTS
  (SELECT FROM ${SCHEMA}.looked AS l WHERE l.bot = drains.bot
      AND l.at >= to_timestamp((receipt->>'at')::float8 / 1000)))`;

/** Begins at once to connect, and goes on trying for as long as it takes. */
export function createStore(options: StoreOptions): Store {
  const { connectionString, maxAgeMs, secrets, log, onPast } = options;
  const queue: Keepsake[] = [];
  const stopping = new AbortController();
  let client: pg.Client | undefined;
  let recalled = false;
  let prunedAt = Number.NEGATIVE_INFINITY;
  let lost = 0;
  let down = false;

  const connect = async (): Promise<pg.Client> => {
    if (client !== undefined) return client;
    const fresh = new pg.Client({
      connectionString,
      application_name: 'botwarden-dashboard',
      connectionTimeoutMillis: RETRY_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      // The server's limit does not help against a network that swallows its answer.
      query_timeout: STATEMENT_TIMEOUT_MS + 2_000,
      keepAlive: true,
      stream: () => postgresSocket(lookup, AbortSignal.timeout(RETRY_MS)),
    });
    // Without a listener a server that goes away would end this whole process.
    fresh.on('error', () => forget(fresh));
    fresh.on('end', () => forget(fresh));
    try {
      await fresh.connect();
      await migrate(fresh);
    } catch (error) {
      discard(fresh);
      throw error;
    }
    client = fresh;
    return fresh;
  };
  const forget = (gone: pg.Client): void => {
    if (client === gone) client = undefined;
  };
  const discard = (broken: pg.Client): void => {
    forget(broken);
    void broken.end().catch(() => undefined);
  };

  /** Writes everything that waits. */
  const write = async (): Promise<void> => {
    const db = await connect();
    try {
      if (!recalled) {
        onPast(await readPast(db, maxAgeMs));
        recalled = true;
      }
      while (queue.length > 0) {
        const batch = queue.slice(0, BATCH);
        await writeBatch(db, batch).catch((error: unknown) => {
          // What the database will never take must not stand in the way of everything after it.
          if (!/^2[23]/.test(String((error as { code?: unknown }).code))) throw error;
          lost += batch.length;
          log.error(
            { event: 'history.refused', err: error },
            `${batch.length} lines of history were refused.`,
          );
        });
        // By identity: meanwhile the head of the queue may have been dropped.
        const written = new Set(batch);
        while (queue[0] !== undefined && written.has(queue[0])) queue.shift();
      }
      if (performance.now() - prunedAt > PRUNE_EVERY_MS) {
        await prune(db, maxAgeMs);
        prunedAt = performance.now();
      }
    } catch (error) {
      discard(db);
      throw error;
    }
  };

  const work = (async () => {
    while (!stopping.signal.aborted) {
      let pauseMs = WRITE_EVERY_MS;
      try {
        await write();
        if (down) log.info({ event: 'history.back' }, 'The database answers again; history is kept again.');
        down = false;
      } catch (error) {
        pauseMs = RETRY_MS;
        if (!down) {
          log.warn(
            { event: 'history.down' },
            `History is in memory only until the database answers: ${describeError(error, secrets)}.`,
          );
        }
        down = true;
      }
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();

  return {
    keep(keepsake) {
      queue.push(keepsake);
      if (queue.length <= QUEUE_LIMIT) return;
      // A minute more or less is a gap in a strip; a drain that is lost here is told by nobody again.
      const leastWorth = queue.findIndex(({ kind }) => kind === 'minute');
      queue.splice(Math.max(0, leastWorth), 1);
      lost += 1;
    },
    lost: () => lost,
    async close(limitMs) {
      stopping.abort();
      const limit = delay(limitMs, undefined, { ref: false });
      await Promise.race([work.then(write).catch(() => undefined), limit]);
      if (client !== undefined) await Promise.race([client.end().catch(() => undefined), limit]);
    },
  };
}

type Of<K extends Keepsake['kind']> = Extract<Keepsake, { readonly kind: K }>;

async function inTransaction(db: pg.Client, run: () => Promise<void>): Promise<void> {
  await db.query('BEGIN');
  try {
    await run();
    await db.query('COMMIT');
  } catch (error) {
    await db.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Two dashboards may start at once: one migrates, the other waits and finds it done. */
async function migrate(db: pg.Client): Promise<void> {
  await inTransaction(db, async () => {
    await db.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    await db.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`);
    await db.query(
      `CREATE TABLE IF NOT EXISTS ${SCHEMA}.migrations (number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const { rows } = await db.query<{ applied: number }>(
      `SELECT coalesce(max(number), 0)::int AS applied FROM ${SCHEMA}.migrations`,
    );
    for (const [index, migration] of MIGRATIONS.entries()) {
      if (index < (rows[0]?.applied ?? 0)) continue;
      await db.query(migration);
      await db.query(`INSERT INTO ${SCHEMA}.migrations (number) VALUES ($1)`, [index + 1]);
    }
  });
}

async function writeBatch(db: pg.Client, batch: readonly Keepsake[]): Promise<void> {
  const only = <K extends Keepsake['kind']>(kind: K): Array<Of<K>> =>
    batch.filter((item): item is Of<K> => item.kind === kind);
  await inTransaction(db, async () => {
    await insert(
      db,
      'minutes',
      ['bot', 'subject', 'at', 'worst', 'runs', 'timed', 'total_ms'],
      only('minute'),
      ({ minute: m }) => [m.bot, m.subject, new Date(m.at), m.worst, m.runs, m.timed, m.totalMs],
      `(bot, subject, at) DO UPDATE SET worst = greatest(minutes.worst, excluded.worst), runs = minutes.runs + excluded.runs,
        timed = minutes.timed + excluded.timed, total_ms = minutes.total_ms + excluded.total_ms`,
    );
    await insert(
      db,
      'events',
      ['bot', 'key', 'at', 'kind', 'subject', 'tone', 'text'],
      only('event'),
      ({ event: e }) => [e.bot, e.key, new Date(e.at), e.kind, e.subject, e.tone, e.text],
      '(bot, key) DO NOTHING',
    );
    await insert(
      db,
      'drains',
      ['bot', 'drain_id', 'receipt'],
      only('drain'),
      ({ bot, receipt }) => [bot, receipt.id, JSON.stringify(receipt)],
      '(bot, drain_id) DO UPDATE SET receipt = excluded.receipt',
    );
    await insert(
      db,
      'looked',
      ['bot', 'at'],
      only('looked'),
      ({ looked: { bot, at } }) => [bot, new Date(at)],
      '(bot) DO UPDATE SET at = excluded.at',
    );
  });
}

/** Row by row with one prepared statement: a batch is small, and what a row may hold stays plain to see. */
async function insert<K extends Keepsake['kind']>(
  db: pg.Client,
  table: string,
  columns: readonly string[],
  items: ReadonlyArray<Of<K>>,
  rowOf: (item: Of<K>) => readonly unknown[],
  onConflict: string,
): Promise<void> {
  for (const item of items) {
    const row = rowOf(item);
    const places = row.map((_, index) => `$${index + 1}`).join(', ');
    await db.query({
      name: `insert-${table}`,
      text: `INSERT INTO ${SCHEMA}.${table} AS ${table} (${columns.join(', ')}) VALUES (${places}) ON CONFLICT ${onConflict}`,
      values: [...row],
    });
  }
}

const missing = ({ boot, proof }: Partial<Receipt>): Pick<Receipt, 'boot' | 'proof'> => ({
  boot: boot ?? null,
  proof: proof ?? [],
});

async function readPast(db: pg.Client, maxAgeMs: number): Promise<Past> {
  const since = (ms: number): Date => new Date(Date.now() - Math.min(ms, maxAgeMs));
  const cell = `worst, runs, timed, total_ms AS "totalMs"`;
  const at = `(extract(epoch FROM at) * 1000)::float8 AS at`;
  const minutes = await db.query<Minute>(
    `SELECT bot, subject, ${at}, ${cell} FROM ${SCHEMA}.minutes WHERE at >= $1 ORDER BY at`,
    [since(HOUR_CELLS * HOUR_SPAN_MS)],
  );
  const quarters = await db.query<Minute>(
    `SELECT bot, '' AS subject, (floor(extract(epoch FROM at) * 1000 / $2) * $2)::float8 AS at,
            max(worst) AS worst, sum(runs)::int AS runs, 0 AS timed, 0 AS "totalMs"
       FROM ${SCHEMA}.minutes WHERE subject = '' AND at >= $1 GROUP BY 1, 3 ORDER BY 3`,
    [since(DAY_CELLS * DAY_SPAN_MS), DAY_SPAN_MS],
  );
  const events = await db.query<TimelineEvent>(
    `SELECT bot, key, ${at}, kind, subject, tone, text
       FROM (SELECT *, row_number() OVER (PARTITION BY bot ORDER BY at DESC) AS place FROM ${SCHEMA}.events WHERE at >= $1) AS newest
      WHERE place <= 200 ORDER BY at`,
    [since(maxAgeMs)],
  );
  const drains = await db.query<{ bot: string; receipt: Receipt }>(
    `SELECT bot, receipt
       FROM (SELECT *, row_number() OVER (PARTITION BY bot ORDER BY seen_at DESC) AS place,
                    row_number() OVER (PARTITION BY bot, ended_badly ORDER BY seen_at DESC) AS place_of_its_kind
               FROM (SELECT *, ${ENDED_BADLY} AS ended_badly FROM ${SCHEMA}.drains AS drains) AS judged) AS newest
      WHERE place <= 100 OR (ended_badly AND place_of_its_kind <= $1)`,
    [ALARMS_KEPT],
  );
  const looked = await db.query<Looked>(`SELECT bot, ${at} FROM ${SCHEMA}.looked`);
  return {
    minutes: minutes.rows,
    quarters: quarters.rows,
    events: events.rows,
    // An earlier version kept neither boot nor proof.
    drains: drains.rows.map(({ bot, receipt }) => ({ bot, receipt: { ...receipt, ...missing(receipt) } })),
    looked: looked.rows,
  };
}

/**
 * Deletes what is too old, a piece at a time, so that no statement runs into its limit. A drain that ended badly
 * goes only once somebody has looked at the exchange after it.
 */
async function prune(db: pg.Client, maxAgeMs: number): Promise<void> {
  const before = new Date(Date.now() - maxAgeMs);
  for (const table of ['minutes', 'events']) {
    let deleted = 0;
    do {
      const result = await db.query(
        `DELETE FROM ${SCHEMA}.${table} WHERE ctid IN (SELECT ctid FROM ${SCHEMA}.${table} WHERE at < $1 LIMIT 5000)`,
        [before],
      );
      deleted = result.rowCount ?? 0;
    } while (deleted > 0);
  }
  await db.query(`DELETE FROM ${SCHEMA}.drains AS drains WHERE seen_at < $1 AND NOT ${ENDED_BADLY}`, [
    before,
  ]);
  // Bounded also against a sidecar that makes them up.
  await db.query(
    `DELETE FROM ${SCHEMA}.drains WHERE ctid IN (SELECT ctid
       FROM (SELECT ctid, row_number() OVER (PARTITION BY bot ORDER BY seen_at DESC) AS place
               FROM ${SCHEMA}.drains AS drains WHERE ${ENDED_BADLY}) AS newest
      WHERE place > $1)`,
    [ALARMS_KEPT],
  );
}
