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
import { lookup } from '@botwarden/service/lookup';
import type { Bot, BotHealth, BotModel } from '../bot/bot.ts';
import type { KnownModels } from './known-models.ts';
import type { TickLimit } from './tick-limit.ts';
import { explain, type FailedCall, unknownModels } from './unmendable.ts';

/** What the probes of a bot need to know. */
export interface BotProbesOptions {
  readonly bot: Bot;
  readonly expectedModels: ExpectedModels;
  readonly knownModels: KnownModels;
  readonly tickLimit: TickLimit;
  readonly timeoutMs: number;
  /** How long a bot may take until its loop has run once. */
  readonly startupGraceMs: number;
  /** Whether the last drain left this boot flat, and so halted. */
  readonly drained: (instance: string) => boolean;
  /** Unset: no database probe. */
  readonly databaseUrl?: string;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
}

/** The code of the `database` probe when the bot has lost a database that answers the sidecar. */
export const BOT_DATABASE_DISCONNECTED = 'BOT_DATABASE_DISCONNECTED';

/** The code of the `tick` probe when the loop of the bot has not run once since the bot started, or read its settings anew. */
export const BOT_STARTING = 'BOT_STARTING';

/** The same, for longer than STARTUP_GRACE. */
export const BOT_NEVER_TICKED = 'BOT_NEVER_TICKED';

/** Why the `tick` probe judges nothing. */
export const HALTED = 'the bot is halted';

/** The bot said something of itself that is not healthy. `BOT_FAULT`: something that no restart can mend. */
export class BotUnhealthyError extends Error {
  override readonly name = 'BotUnhealthyError';
  readonly code:
    | 'BOT_NOT_OK'
    | 'BOT_FAULT'
    | typeof BOT_STARTING
    | typeof BOT_NEVER_TICKED
    | typeof BOT_DATABASE_DISCONNECTED;
  /** What it said of itself beside that: an ill bot, too, says which boot it is. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: BotUnhealthyError['code'],
    message: string,
    details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** The probes `api`, `database`, `models` and `tick`, as far as the bot and the configuration have them. */
export function botProbes(options: BotProbesOptions): Probe[] {
  const { bot, expectedModels, knownModels, tickLimit, timeoutMs, drained, now } = options;
  const health = explained(bot.health, timeoutMs, { adapter: bot.adapter, path: 'BOT_HEALTH_PATH' });
  const models = explained(bot.models, timeoutMs, { adapter: bot.adapter, path: 'BOT_MODELS_PATH' });
  // What the bot last said of its database; the database probe reads it, so that one sick call is not asked twice.
  let said: BotHealth['database'] = null;
  // Not since its boot began: a bot may also read its settings anew, hours later, and then starts in the same way.
  let startingSince: number | null = null;
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
          const answer = await health(signal).catch((error: unknown) => {
            startingSince = null;
            throw error;
          });
          startingSince = answer.starting === true ? (startingSince ?? now()) : null;
          if (startingSince !== null) throw notStarted(now() - startingSince, options.startupGraceMs);
          return tickObservation({ ...answer, trading: tradingOf(answer, drained) }, tickLimit, now());
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
          rejectUnknown(reported, expectedModels, knownModels);
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
      lookup,
      connectionString: options.databaseUrl,
      statementTimeout: options.timeoutMs,
      applicationName: 'botwarden-sidecar',
    });
    probes.push(
      probe(
        'database',
        async (signal) => {
          const [row] = await session
            .query('SELECT pg_is_in_recovery() AS standby', signal)
            .catch((error: unknown) => {
              throw advised(error);
            });
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
  const details = {
    instance: answer.instance,
    trading: answer.trading,
    database: answer.database,
    last_tick_at: answer.lastTickAt?.toISOString() ?? null,
  };
  if (answer.status !== 'ok') {
    throw new BotUnhealthyError(
      'BOT_NOT_OK',
      `expected the bot to say status "ok", it says ${JSON.stringify(answer.status.slice(0, 60))}`,
      details,
    );
  }
  const notices = [
    ...(answer.notice === undefined ? [] : [answer.notice]),
    ...(answer.database === 'disconnected' && !databaseIsProbed
      ? ['the bot says that its database is disconnected']
      : []),
  ];
  return notices.length === 0 ? { details } : { status: 'warn', output: notices.join('; '), details };
}

/** A bot that does not say whether it trades is halted after a drain that left it flat. */
function tradingOf(answer: BotHealth, drained: (instance: string) => boolean): BotHealth['trading'] {
  if (answer.trading !== null || answer.instance === null) return answer.trading;
  return drained(answer.instance) ? 'halted' : null;
}

function notStarted(forMs: number, graceMs: number): BotUnhealthyError {
  const what = 'the loop of the bot has not run once since the bot started';
  if (forMs < graceMs) return new BotUnhealthyError(BOT_STARTING, what);
  return new BotUnhealthyError(BOT_NEVER_TICKED, `${what}, ${Math.round(forMs / 1_000)} s ago`);
}

/** A halted bot need not tick, and one that reports no tick cannot be judged by it. */
function tickObservation(answer: BotHealth, limit: TickLimit, now: number): Observation {
  // Here and not in the api probe, which goes on telling which boot it is.
  if (answer.fault !== undefined)
    throw new BotUnhealthyError('BOT_FAULT', `${answer.fault}; look at the log of the bot`);
  if (answer.trading === 'halted' && answer.ticksWhileHalted !== true) {
    limit.rested();
    return { details: { judged: false, because: HALTED } };
  }
  if (answer.lastTickAt === null) return { details: { judged: false, because: 'the bot reports no tick' } };
  limit.saw(answer.lastTickAt.getTime(), answer.instance, answer.tickGapMs ?? null);
  const silentMs = limit.silenceOf(now - answer.lastTickAt.getTime());
  const { details: _, ...fresh } = expectFreshTick(now - silentMs, limit.bound().maxAgeMs, now);
  return { ...fresh, details: { last_tick_at: answer.lastTickAt.toISOString() } };
}

/** A name that the bot never had is a mistake of the configuration; that one it had is missing is the bot's. */
function rejectUnknown(reported: readonly BotModel[], expected: ExpectedModels, known: KnownModels): void {
  known.saw(reported.map(({ name }) => name));
  if (typeof expected === 'string') return;
  const missing = expected.filter((name) => !reported.some((model) => model.name === name && model.loaded));
  const unknown = missing.filter((name) => !known.has(name));
  if (unknown.length === 0 || unknown.length < missing.length) return;
  throw unknownModels(
    unknown,
    reported.map(({ name }) => name),
  );
}

/** Of the time that a probe has, the share that a call has: what ends by itself tells how far it came. */
const OWN_SHARE = 0.9;

function explained<T>(
  ask: ((signal: AbortSignal) => Promise<T>) | undefined,
  timeoutMs: number,
  call: FailedCall,
): ((signal: AbortSignal) => Promise<T>) | undefined {
  if (ask === undefined) return undefined;
  return (signal) =>
    ask(AbortSignal.any([signal, AbortSignal.timeout(OWN_SHARE * timeoutMs)])).catch((error: unknown) => {
      throw explain(error, call);
    });
}

function advised(error: unknown): unknown {
  if (!(error instanceof ProbeError) || error.code !== 'DATABASE_UNREACHABLE') return error;
  return new ProbeError(error.code, `${error.message}; look at the database and at DATABASE_URL`);
}
