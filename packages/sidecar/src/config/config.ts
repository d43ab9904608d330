import { type ExpectedModels, parseDuration } from '@botwarden/probes';
import { ConfigError, type ConfigProblem } from '@botwarden/service/configuration';
import { decoded, passwordsOf, withoutCredentials } from '@botwarden/service/url';
import { type Environment, readVariable } from '@botwarden/service/variables';
import { z } from 'zod';
import { VARIABLES, type VariableName } from './variables.ts';

/** Seconds of the drain's budget that are kept back for the emergency call, the alert and the receipt, in milliseconds. */
export const RESERVE_MS = 5000;

/** The configuration, checked as a whole. Times in milliseconds. */
export interface Config {
  /** Stands in alerts, log lines and metrics. */
  readonly botName: string;
  readonly bot: {
    readonly url: string;
    readonly adapter: 'http' | 'freqtrade';
    readonly token?: string;
    readonly username?: string;
    readonly password?: string;
    /** An empty path switches its probe off. */
    readonly paths: {
      readonly health: string;
      readonly models: string;
      readonly positions: string;
      readonly close: string;
    };
    readonly expectedModels: ExpectedModels;
  };
  readonly databaseUrl?: string;
  readonly probes: {
    /** `auto`: learnt from the bot. */
    readonly tickMaxAgeMs: number | 'auto';
    readonly intervalMs: number;
    readonly timeoutMs: number;
    readonly failureThreshold: number;
    readonly successThreshold: number;
    readonly file?: string;
  };
  readonly heal: {
    readonly startupGraceMs: number;
    readonly cooldownMs: number;
    readonly maxPerHour: number;
  };
  readonly drain: {
    readonly timeoutMs: number;
    readonly closeTimeoutMs: number;
    readonly stopGracePeriodMs?: number;
    readonly flatCheckSql?: string;
    readonly flatCheckUrl?: string;
    readonly flatCheckToken?: string;
    readonly token?: string;
    readonly log: string;
    readonly emergencyUrl?: string;
  };
  readonly alertWebhookUrl?: string;
  readonly host: string;
  readonly port: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Every secret that was given, for masking. */
  readonly secrets: readonly string[];
}

/** What was given for each variable, or its default; undefined where there is neither. */
export type Effective = Readonly<Record<VariableName, string | undefined>>;

/**
 * Reads and checks the whole configuration.
 *
 * @throws {ConfigError} with every problem at once.
 */
export function loadConfig(env: Environment): {
  config: Config;
  effective: Effective;
} {
  const problems: ConfigProblem[] = [];
  const effective = withinBudget(
    Object.fromEntries(
      VARIABLES.map((variable) => [variable.name, readVariable(variable, env, problems)]),
    ) as Effective,
    env,
  );
  const parsed = SCHEMA.safeParse(effective);
  if (!parsed.success) {
    for (const { path, message } of parsed.error.issues) {
      const name = String(path[0]) as VariableName;
      // One sentence for one variable: an unreadable file has been told already.
      if (!problems.some((problem) => problem.name.startsWith(name)))
        problems.push(problem(name, message, effective));
    }
    problems.push(...crossChecks(partial(effective), effective, problems));
    throw new ConfigError(problems);
  }
  problems.push(...crossChecks(parsed.data, effective, problems));
  if (problems.length > 0) throw new ConfigError(problems);
  return { config: shape(parsed.data, effective), effective };
}

/** A short DRAIN_TIMEOUT shortens the default of CLOSE_TIMEOUT; a CLOSE_TIMEOUT that was given is held to it instead. */
function withinBudget(effective: Effective, env: Environment): Effective {
  const room = (parseDuration(effective.DRAIN_TIMEOUT ?? '') ?? 0) - RESERVE_MS;
  const shortens =
    (env.CLOSE_TIMEOUT ?? '') === '' &&
    room > 0 &&
    room < (parseDuration(effective.CLOSE_TIMEOUT ?? '') ?? 0);
  return shortens ? { ...effective, CLOSE_TIMEOUT: `${room}ms` } : effective;
}

function problem(name: VariableName, expected: string, effective: Effective): ConfigProblem {
  const secret = VARIABLES.some((variable) => variable.name === name && 'secret' in variable);
  const got = secret ? undefined : effective[name];
  if (got === undefined) return { name, expected };
  return { name, expected, got: name.endsWith('_URL') ? withoutCredentials(got) : got };
}

const duration = (expected: string, minMs: number) =>
  z.string().transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= minMs) return ms;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
const wholeNumber = (expected: string, min: number, max: number) =>
  z.string().transform((text, context) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
const url = (expected: string, protocols: readonly string[]) =>
  z
    .string({ error: expected })
    .refine((text) => protocols.includes(URL.parse(text)?.protocol ?? ''), { error: expected })
    .refine((text) => decoded(URL.parse(text)?.password ?? '') !== undefined, {
      error: `${expected}, with a % in its password written as %25`,
    });
const path = (expected: string) =>
  z.string().refine((text) => text === '' || text.startsWith('/'), { error: expected });
/** What an Authorization header can carry: anything else would fail only when money has to move. */
const headerText = z.string().regex(/^[\x20-\x7e]+$/, {
  error: 'one line of printable ASCII characters: it travels in a header',
});
const HTTP = ['http:', 'https:'];
const SPAN = 'a duration such as 250ms, 5s or 2m';

const SCHEMA = z.object({
  BOT_NAME: z.string().regex(/^[A-Za-z0-9][\w.-]{0,59}$/, {
    error: 'a name such as btc-grid: up to 60 letters, digits, or any of _ . -',
  }),
  BOT_URL: url('the http: or https: URL of the bot, such as http://bot:8000', HTTP),
  BOT_ADAPTER: z.enum(['http', 'freqtrade'], { error: 'http or freqtrade' }),
  BOT_TOKEN: headerText.optional(),
  BOT_USERNAME: z.string().optional(),
  BOT_PASSWORD: z.string().optional(),
  BOT_HEALTH_PATH: path('a path such as /health, or nothing to switch the probe off'),
  BOT_MODELS_PATH: path('a path such as /models, or nothing to switch the probe off'),
  BOT_POSITIONS_PATH: path('a path such as /positions, or nothing to do without'),
  BOT_CLOSE_PATH: z.string().refine((text) => text.startsWith('/'), {
    error: 'a path such as /close-positions; it cannot be switched off',
  }),
  EXPECTED_MODELS: z.string().optional(),
  DATABASE_URL: url('a URL such as postgres://user:password@db:5432/bot', [
    'postgres:',
    'postgresql:',
  ]).optional(),
  TICK_MAX_AGE: z.union([z.literal('auto'), duration(`auto, or ${SPAN}, at least 1s`, 1000)], {
    error: `auto, or ${SPAN}, at least 1s`,
  }),
  PROBE_INTERVAL: duration(`${SPAN}, at least 100ms`, 100),
  PROBE_TIMEOUT: duration(`${SPAN}, at least 50ms`, 50),
  FAILURE_THRESHOLD: wholeNumber('a whole number from 1 to 100', 1, 100),
  SUCCESS_THRESHOLD: wholeNumber('a whole number from 1 to 100', 1, 100),
  STARTUP_GRACE: duration(SPAN, 0),
  HEAL_COOLDOWN: duration(SPAN, 0),
  HEAL_MAX_PER_HOUR: wholeNumber('a whole number from 0 (never restart) to 60', 0, 60),
  DRAIN_TIMEOUT: duration(`${SPAN}, at least ${RESERVE_MS / 1000 + 1}s`, RESERVE_MS + 1000),
  CLOSE_TIMEOUT: duration(`${SPAN}, at least 100ms`, 100),
  STOP_GRACE_PERIOD: duration(SPAN, 0).optional(),
  FLAT_CHECK_SQL: z.string().optional(),
  FLAT_CHECK_URL: url('an http: or https: URL', HTTP).optional(),
  FLAT_CHECK_TOKEN: headerText.optional(),
  DRAIN_TOKEN: headerText.optional(),
  DRAIN_LOG: z.string(),
  EMERGENCY_CLOSE_URL: url('an http: or https: URL', HTTP).optional(),
  ALERT_WEBHOOK_URL: url('an http: or https: URL', HTTP).optional(),
  PROBES_FILE: z.string().optional(),
  HOST: z.string(),
  PORT: wholeNumber('a port from 0 to 65535', 0, 65_535),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error'], { error: 'debug, info, warn or error' }),
});
type Values = z.output<typeof SCHEMA>;

/** What can be read of a configuration in which something else is wrong, so that its cross-checks are told as well. */
function partial(effective: Effective): Partial<Values> {
  const entries = Object.entries(SCHEMA.shape).flatMap(([name, schema]) => {
    const result = schema.safeParse(effective[name as VariableName]);
    return result.success ? [[name, result.data]] : [];
  });
  return Object.fromEntries(entries) as Partial<Values>;
}

/** What no variable can be blamed for alone. */
function crossChecks(
  values: Partial<Values>,
  effective: Effective,
  told: readonly ConfigProblem[],
): ConfigProblem[] {
  const found: ConfigProblem[] = [];
  const tell = (name: VariableName, expected: string): void => {
    if (!told.some((item) => item.name.startsWith(name))) found.push(problem(name, expected, effective));
  };
  const { DRAIN_TIMEOUT, CLOSE_TIMEOUT, STOP_GRACE_PERIOD } = values;
  if (
    DRAIN_TIMEOUT !== undefined &&
    CLOSE_TIMEOUT !== undefined &&
    CLOSE_TIMEOUT > DRAIN_TIMEOUT - RESERVE_MS
  ) {
    tell(
      'CLOSE_TIMEOUT',
      `at most DRAIN_TIMEOUT less the ${RESERVE_MS / 1000}s kept back, which is ${show(DRAIN_TIMEOUT - RESERVE_MS)}`,
    );
  }
  if (
    DRAIN_TIMEOUT !== undefined &&
    STOP_GRACE_PERIOD !== undefined &&
    DRAIN_TIMEOUT + 5000 > STOP_GRACE_PERIOD
  ) {
    tell(
      'STOP_GRACE_PERIOD',
      `at least DRAIN_TIMEOUT + 5s, which is ${show(DRAIN_TIMEOUT + 5000)}, or the drain would be killed in the middle`,
    );
  }
  if (values.FLAT_CHECK_SQL !== undefined && effective.DATABASE_URL === undefined) {
    tell('DATABASE_URL', 'a database to run FLAT_CHECK_SQL on');
  }
  if (effective.FLAT_CHECK_TOKEN !== undefined && effective.FLAT_CHECK_URL === undefined) {
    tell('FLAT_CHECK_URL', 'an address to send FLAT_CHECK_TOKEN to');
  }
  if (values.BOT_ADAPTER === 'freqtrade') {
    for (const name of ['BOT_USERNAME', 'BOT_PASSWORD'] as const) {
      if (effective[name] === undefined) tell(name, 'a value, as BOT_ADAPTER is freqtrade');
    }
    if (effective.BOT_TOKEN !== undefined)
      tell('BOT_TOKEN', 'nothing with BOT_ADAPTER freqtrade, which takes BOT_USERNAME and BOT_PASSWORD');
  }
  if (values.BOT_ADAPTER === 'http') {
    for (const name of ['BOT_USERNAME', 'BOT_PASSWORD'] as const) {
      if (effective[name] !== undefined) tell(name, 'nothing with BOT_ADAPTER http, which takes BOT_TOKEN');
    }
  }
  return found;
}

function show(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

function shape(values: Values, effective: Effective): Config {
  const secrets = VARIABLES.flatMap((variable) => {
    const value = 'secret' in variable ? effective[variable.name] : undefined;
    return value === undefined ? [] : [value, ...passwordsOf(value)];
  });
  return {
    botName: values.BOT_NAME,
    bot: defined({
      url: values.BOT_URL,
      adapter: values.BOT_ADAPTER,
      token: values.BOT_TOKEN,
      username: values.BOT_USERNAME,
      password: values.BOT_PASSWORD,
      paths: {
        health: values.BOT_HEALTH_PATH,
        models: values.BOT_MODELS_PATH,
        positions: values.BOT_POSITIONS_PATH,
        close: values.BOT_CLOSE_PATH,
      },
      expectedModels: expectedModels(values.EXPECTED_MODELS),
    }),
    probes: defined({
      tickMaxAgeMs: values.TICK_MAX_AGE,
      intervalMs: values.PROBE_INTERVAL,
      timeoutMs: values.PROBE_TIMEOUT,
      failureThreshold: values.FAILURE_THRESHOLD,
      successThreshold: values.SUCCESS_THRESHOLD,
      file: values.PROBES_FILE,
    }),
    heal: {
      startupGraceMs: values.STARTUP_GRACE,
      cooldownMs: values.HEAL_COOLDOWN,
      maxPerHour: values.HEAL_MAX_PER_HOUR,
    },
    drain: defined({
      timeoutMs: values.DRAIN_TIMEOUT,
      closeTimeoutMs: values.CLOSE_TIMEOUT,
      stopGracePeriodMs: values.STOP_GRACE_PERIOD,
      flatCheckSql: values.FLAT_CHECK_SQL,
      flatCheckUrl: values.FLAT_CHECK_URL,
      flatCheckToken: values.FLAT_CHECK_TOKEN,
      token: values.DRAIN_TOKEN,
      log: values.DRAIN_LOG,
      emergencyUrl: values.EMERGENCY_CLOSE_URL,
    }),
    host: values.HOST,
    port: values.PORT,
    logLevel: values.LOG_LEVEL,
    secrets: [...new Set([...secrets, ...passwordsOf(values.BOT_URL)])],
    ...defined({ databaseUrl: values.DATABASE_URL, alertWebhookUrl: values.ALERT_WEBHOOK_URL }),
  };
}

function expectedModels(text: string | undefined): ExpectedModels {
  if (text === undefined) return 'any';
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 1 && names[0] === 'none') return 'none';
  return names.length === 0 ? 'any' : names;
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Leaves out what is undefined, so that an optional property is absent and not present without a value. */
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}
