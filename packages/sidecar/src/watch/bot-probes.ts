import {
  type ExpectedModels,
  expectFreshTick,
  expectModels,
  type Observation,
  type Probe,
  ProbeError,
  probe,
} from '@botwarden/probes';
import { createPostgresSession } from '@botwarden/probes/postgres';
import type { Bot, BotHealth } from '../bot/bot.ts';

/** What the probes of a bot need to know. */
export interface BotProbesOptions {
  readonly bot: Bot;
  readonly expectedModels: ExpectedModels;
  readonly tickMaxAgeMs: number;
  readonly timeoutMs: number;
  /** Whether the last drain left this boot flat, and so halted. */
  readonly drained: (instance: string) => boolean;
  /** Unset: no database probe. */
  readonly databaseUrl?: string;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
}

/** The code of the `database` probe when the bot has lost a database that answers the sidecar. */
export const BOT_DATABASE_DISCONNECTED = 'BOT_DATABASE_DISCONNECTED';

/** The bot said something of itself that is not healthy. */
export class BotUnhealthyError extends Error {
  override readonly name = 'BotUnhealthyError';
  readonly code: 'BOT_NOT_OK' | typeof BOT_DATABASE_DISCONNECTED;

  constructor(code: BotUnhealthyError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** The probes `api`, `database`, `models` and `tick`, as far as the bot and the configuration have them. */
export function botProbes(options: BotProbesOptions): Probe[] {
  const { bot, expectedModels, tickMaxAgeMs, drained, now } = options;
  const { health, models } = bot;
  // What the bot last said of its database; the database probe reads it, so that one sick call is not asked twice.
  let said: BotHealth['database'] = null;
  const probes: Probe[] = [];
  if (health !== undefined) {
    probes.push(
      probe('api', async (signal) => {
        // What was said last holds until the next answer: the database probe may run in between.
        const answer = await health(signal).catch((error: unknown) => {
          said = null;
          throw error;
        });
        said = answer.database;
        return apiObservation(answer, options.databaseUrl !== undefined);
      }),
      probe(
        'tick',
        async (signal) => {
          const answer = await health(signal);
          return tickObservation({ ...answer, trading: tradingOf(answer, drained) }, tickMaxAgeMs, now());
        },
        { measurement: 'age' },
      ),
    );
  }
  if (models !== undefined) {
    probes.push(
      probe(
        'models',
        async (signal) => {
          const reported = await models(signal);
          return expectModels(
            reported.map(({ name, loaded, version }) => ({
              name,
              loaded,
              ...(version === null ? {} : { version }),
            })),
            expectedModels,
          );
        },
        { measurement: 'loaded' },
      ),
    );
  }
  if (options.databaseUrl !== undefined) {
    const session = createPostgresSession({
      connectionString: options.databaseUrl,
      statementTimeout: options.timeoutMs,
      applicationName: 'botwarden-sidecar',
    });
    probes.push(
      probe(
        'database',
        async (signal) => {
          const [row] = await session.query('SELECT pg_is_in_recovery() AS standby', signal);
          if (row?.standby !== false) {
            throw new ProbeError(
              'DATABASE_UNEXPECTED_ANSWER',
              'the database is in recovery and takes no writes; expected a primary',
            );
          }
          if (said === 'disconnected') {
            throw new BotUnhealthyError(
              BOT_DATABASE_DISCONNECTED,
              'the bot says that its database is disconnected, while the database answers the sidecar',
            );
          }
        },
        { componentType: 'datastore', close: () => session.close() },
      ),
    );
  }
  return probes;
}

function apiObservation(answer: BotHealth, databaseIsProbed: boolean): Observation {
  if (answer.status !== 'ok') {
    throw new BotUnhealthyError(
      'BOT_NOT_OK',
      `expected the bot to say status "ok", it says ${JSON.stringify(answer.status.slice(0, 60))}`,
    );
  }
  const details = {
    instance: answer.instance,
    trading: answer.trading,
    database: answer.database,
    last_tick_at: answer.lastTickAt?.toISOString() ?? null,
  };
  if (answer.database === 'disconnected' && !databaseIsProbed) {
    return { status: 'warn', output: 'the bot says that its database is disconnected', details };
  }
  return { details };
}

/** A bot that does not say whether it trades is halted after a drain that left it flat. */
function tradingOf(answer: BotHealth, drained: (instance: string) => boolean): BotHealth['trading'] {
  if (answer.trading !== null || answer.instance === null) return answer.trading;
  return drained(answer.instance) ? 'halted' : null;
}

/** A halted bot need not tick, and one that reports no tick cannot be judged by it. */
function tickObservation(answer: BotHealth, maxAgeMs: number, now: number): Observation {
  if (answer.trading === 'halted') return { details: { judged: false, because: 'the bot is halted' } };
  if (answer.lastTickAt === null) return { details: { judged: false, because: 'the bot reports no tick' } };
  return expectFreshTick(answer.lastTickAt, maxAgeMs, now);
}
