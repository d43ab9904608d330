import { parseDuration } from '@botwarden/probes';
import { ConfigError, type ConfigProblem } from '@botwarden/service/configuration';
import { passwordsOf } from '@botwarden/service/url';
import { type Environment, readVariable, type Variable } from '@botwarden/service/variables';
import { z } from 'zod';
import { VARIABLES, type VariableName } from './variables.ts';

/** One bot, as the dashboard reaches it: through its sidecar. */
export interface Sidecar {
  /** The bot's name: in the page, in addresses and in `DRAIN_TOKEN_<NAME>`. */
  readonly name: string;
  /** Where its sidecar answers. Credentials in it are sent as basic authorization and never shown. */
  readonly url: string;
  /** Enables "Drain now" for this bot. */
  readonly drainToken?: string;
}

/** The configuration, checked as a whole. Times in milliseconds. */
export interface Config {
  readonly sidecars: readonly Sidecar[];
  readonly databaseUrl?: string;
  readonly historyMaxAgeMs: number;
  readonly probes: {
    readonly intervalMs: number;
    readonly timeoutMs: number;
    readonly failureThreshold: number;
  };
  readonly access: {
    readonly user?: string;
    readonly password?: string;
    readonly token?: string;
    /** Lower case. */
    readonly allowedHosts: readonly string[];
  };
  readonly maxPages: number;
  readonly host: string;
  readonly port: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Every secret that was given, for masking. */
  readonly secrets: readonly string[];
}

const HTTP = ['http:', 'https:'];
const SPAN = 'a duration such as 250ms, 5s or 2m';
const NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/i;
const TOKEN_NAME = /^DRAIN_TOKEN_([A-Z0-9_]+?)(?:_FILE)?$/;

const duration = (minMs: number) =>
  z.string().transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= minMs) return ms;
    context.addIssue({ code: 'custom', message: `${SPAN}, at least ${minMs}ms and at most 596h` });
    return z.NEVER;
  });
const wholeNumber = (min: number, max: number) =>
  z.string().transform((text, context) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    context.addIssue({ code: 'custom', message: `a whole number from ${min} to ${max}` });
    return z.NEVER;
  });
const list = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

const sidecars = z
  .string({ error: 'at least one bot, such as SIDECARS=btc=http://sidecar:9400' })
  .transform((text, context) => {
    const tell = (message: string): void => context.addIssue({ code: 'custom', message });
    const items = list(text);
    if (items.length === 0) tell('at least one bot, such as SIDECARS=btc=http://sidecar:9400');
    const seen = new Map<string, string>();
    return items.flatMap((item, index): Sidecar[] => {
      const at = item.indexOf('=');
      const name = item.slice(0, Math.max(0, at));
      const url = URL.parse(item.slice(at + 1));
      // The item itself is not quoted: its URL may hold a password.
      const which = NAME.test(name) ? `for ${name}` : `as item ${index + 1}`;
      if (!NAME.test(name) || url === null || !HTTP.includes(url.protocol)) {
        tell(
          `${which}: name=URL, the name of letters, digits, "-" and "_" (at most 40), the URL http: or https:`,
        );
        return [];
      }
      const other = seen.get(variableOf(name));
      if (other !== undefined)
        tell(`${which}: a name that differs from ${other} by more than case, "-" and "_"`);
      seen.set(variableOf(name), name);
      return [{ name, url: url.href }];
    });
  });

const SCHEMA = z.object({
  SIDECARS: sidecars,
  DATABASE_URL: z
    .string()
    .refine((text) => ['postgres:', 'postgresql:'].includes(URL.parse(text)?.protocol ?? ''), {
      error: 'a URL such as postgres://user:password@db:5432/bot',
    })
    .optional(),
  HISTORY_MAX_AGE: duration(60_000),
  PROBE_INTERVAL: duration(100),
  PROBE_TIMEOUT: duration(50),
  FAILURE_THRESHOLD: wholeNumber(1, 100),
  DRAIN_TOKEN: z.string().min(8, { error: 'a token of at least 8 characters' }).optional(),
  DASHBOARD_USER: z
    .string()
    .refine((text) => !text.includes(':'), { error: 'a name without ":"' })
    .optional(),
  DASHBOARD_PASSWORD: z.string().min(8, { error: 'a password of at least 8 characters' }).optional(),
  DASHBOARD_TOKEN: z.string().min(8, { error: 'a token of at least 8 characters' }).optional(),
  ALLOWED_HOSTS: z
    .string()
    .transform((text) => list(text).map((host) => host.toLowerCase()))
    .optional(),
  MAX_PAGES: wholeNumber(1, 10_000),
  HOST: z.string(),
  PORT: wholeNumber(0, 65_535),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error'], { error: 'debug, info, warn or error' }),
});

/**
 * Reads and checks the whole configuration.
 *
 * @throws {ConfigError} with every problem at once.
 */
export function loadConfig(env: Environment): Config {
  const problems: ConfigProblem[] = [];
  const given = Object.fromEntries(
    VARIABLES.map((variable: Variable) => [variable.name, readVariable(variable, env, problems)]),
  ) as Record<VariableName, string | undefined>;

  const values = SCHEMA.safeParse(given);
  for (const { path, message } of values.error?.issues ?? []) {
    const name = String(path[0]) as VariableName;
    // One sentence for one variable: an unreadable file has been told already.
    if (problems.some((problem) => problem.name.startsWith(name) && name !== 'SIDECARS')) continue;
    const secret = VARIABLES.some((variable) => variable.name === name && 'secret' in variable);
    const got = secret ? undefined : given[name];
    problems.push({ name, expected: message, ...(got === undefined ? {} : { got }) });
  }

  const bots = sidecars.safeParse(given.SIDECARS).data;
  const tokens = drainTokens(bots, env, problems);
  if ((given.DASHBOARD_USER === undefined) !== (given.DASHBOARD_PASSWORD === undefined)) {
    const missing = given.DASHBOARD_USER === undefined ? 'DASHBOARD_USER' : 'DASHBOARD_PASSWORD';
    if (!problems.some(({ name }) => name.startsWith(missing)))
      problems.push({
        name: missing,
        expected: 'a value, as DASHBOARD_USER and DASHBOARD_PASSWORD go together',
      });
  }
  if (!values.success || problems.length > 0) throw new ConfigError(problems);

  const { data } = values;
  const withTokens = data.SIDECARS.map((sidecar): Sidecar => {
    const drainToken = tokens.get(variableOf(sidecar.name)) ?? data.DRAIN_TOKEN;
    return drainToken === undefined ? sidecar : { ...sidecar, drainToken };
  });
  const { DATABASE_URL, DASHBOARD_USER: user, DASHBOARD_PASSWORD: password, DASHBOARD_TOKEN: token } = data;
  return {
    sidecars: withTokens,
    ...(DATABASE_URL === undefined ? {} : { databaseUrl: DATABASE_URL }),
    historyMaxAgeMs: data.HISTORY_MAX_AGE,
    probes: {
      intervalMs: data.PROBE_INTERVAL,
      timeoutMs: data.PROBE_TIMEOUT,
      failureThreshold: data.FAILURE_THRESHOLD,
    },
    access: {
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
      ...(token === undefined ? {} : { token }),
      allowedHosts: data.ALLOWED_HOSTS ?? [],
    },
    maxPages: data.MAX_PAGES,
    host: data.HOST,
    port: data.PORT,
    logLevel: data.LOG_LEVEL,
    secrets: [
      ...new Set([
        ...withTokens.flatMap(({ url, drainToken }) => [drainToken, ...passwordsOf(url)]),
        ...tokens.values(),
        ...(DATABASE_URL === undefined ? [] : [DATABASE_URL, ...passwordsOf(DATABASE_URL)]),
        password,
        token,
      ]),
    ].filter((secret) => secret !== undefined),
  };
}

/** The end of the variable that holds a bot's own token: `eth-perp` has `DRAIN_TOKEN_ETH_PERP`. */
export function variableOf(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

/** The tokens of single bots, by the end of their variable. */
function drainTokens(
  bots: readonly Sidecar[] | undefined,
  env: Environment,
  problems: ConfigProblem[],
): Map<string, string> {
  const tokens = new Map<string, string>();
  const known = new Set(bots?.map(({ name }) => variableOf(name)));
  const named = Object.keys(env).flatMap((name) =>
    name === 'DRAIN_TOKEN_FILE' || env[name] === '' ? [] : [TOKEN_NAME.exec(name)?.[1] ?? []].flat(),
  );
  for (const end of new Set(named)) {
    const name = `DRAIN_TOKEN_${end}`;
    if (bots !== undefined && !known.has(end)) {
      problems.push({
        name,
        expected: `the name of a bot of SIDECARS at its end (${[...known].join(', ')})`,
      });
      continue;
    }
    const token = readVariable({ name, secret: true }, env, problems);
    if (token === undefined) continue;
    if (token.length < 8) problems.push({ name, expected: 'a token of at least 8 characters' });
    tokens.set(end, token);
  }
  return tokens;
}
