import { parseDuration } from '@botwarden/probes';
import { ConfigError, type ConfigProblem } from '@botwarden/service/configuration';
import { type Environment, readVariable, type Variable } from '@botwarden/service/variables';
import { z } from 'zod';
import { isExchange } from '../account/load-exchange.ts';
import { MARKETS, type Market, TESTED_EXCHANGES, waysOf } from '../account/ways.ts';
import { VARIABLES, type VariableName } from './variables.ts';

/** The configuration, checked as a whole. Times in milliseconds. */
export interface Config {
  readonly id: string;
  readonly keys: { readonly key: string; readonly secret: string; readonly password?: string | undefined };
  readonly token: string;
  readonly markets: readonly Market[];
  /** Null: every contract. */
  readonly symbols: ReadonlySet<string> | null;
  readonly sandbox: 'testnet' | 'demo' | null;
  readonly url?: string | undefined;
  readonly timeoutMs: number;
  readonly checkIntervalMs: number;
  /** The dead man's switch; null: off. */
  readonly cancelAfter: { readonly ms: number; readonly sidecarUrl: string } | null;
  readonly host: string;
  readonly port: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Every secret that was given, for masking. */
  readonly secrets: readonly string[];
}

const SPAN = 'a duration such as 250ms, 5s or 2m';

const duration = (minMs: number, maxMs: number) =>
  z.string().transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return Math.round(ms);
    context.addIssue({
      code: 'custom',
      message: `${SPAN}, at least ${minMs / 1_000}s and at most ${maxMs / 1_000}s`,
    });
    return z.NEVER;
  });
const list = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
const address = z.string().refine((text) => ['http:', 'https:'].includes(URL.parse(text)?.protocol ?? ''), {
  error: 'a URL such as http://localhost:9700',
});

const SCHEMA = z.object({
  EXCHANGE_ID: z
    .string({ error: "ccxt's name of the exchange, such as binanceusdm" })
    .refine(isExchange, { error: "ccxt's name of an exchange, such as binanceusdm, in lower case" }),
  EXCHANGE_TOKEN: z
    .string({ error: 'a token of at least 16 characters: whoever carries it can close positions' })
    .regex(/^[\x21-\x7e]{16,}$/, { error: 'a token of at least 16 characters, without blanks' }),
  EXCHANGE_MARKETS: z.string().transform((text, context) => {
    const names = list(text);
    const unknown = names.filter((name) => !MARKETS.includes(name as Market));
    if (names.length > 0 && unknown.length === 0) return [...new Set(names as Market[])];
    context.addIssue({ code: 'custom', message: `some of ${MARKETS.join(', ')}, with commas` });
    return z.NEVER;
  }),
  EXCHANGE_SYMBOLS: z
    .string()
    .transform(list)
    .refine(
      (names) => names.length > 0 && names.every((name) => /^[^\s/]+\/[^\s/:]+(:[^\s/]+)?$/.test(name)),
      {
        error:
          'symbols as ccxt has them, such as BTC/USDT:USDT for a swap or BTC/USDT for coins, with commas',
      },
    )
    .optional(),
  EXCHANGE_SANDBOX: z.enum(['testnet', 'demo'], { error: 'testnet, demo, or nothing' }).optional(),
  EXCHANGE_URL: address.optional(),
  EXCHANGE_UNTESTED: z.enum(['true', 'false'], { error: 'true or false' }).optional(),
  EXCHANGE_TIMEOUT: duration(500, 60_000),
  EXCHANGE_CHECK_INTERVAL: duration(1_000, 3_600_000),
  EXCHANGE_CANCEL_AFTER: duration(10_000, 120_000).optional(),
  SIDECAR_URL: address.optional(),
  HOST: z.string(),
  PORT: z
    .string()
    .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535, {
      error: 'a whole number from 0 to 65535',
    })
    .transform(Number),
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
  const keys = {
    key: keyFrom('EXCHANGE_KEY', true, env, problems),
    secret: keyFrom('EXCHANGE_SECRET', true, env, problems),
    password: keyFrom('EXCHANGE_PASSWORD', false, env, problems),
  };

  const values = SCHEMA.safeParse(given);
  for (const { path, message } of values.error?.issues ?? []) {
    const name = String(path[0]) as VariableName;
    if (problems.some((problem) => problem.name.startsWith(name))) continue;
    const got = name === 'EXCHANGE_TOKEN' ? undefined : given[name];
    problems.push({ name, expected: message, ...(got === undefined ? {} : { got }) });
  }
  if (values.success) problems.push(...together(values.data));
  if (!values.success || problems.length > 0 || keys.key === undefined || keys.secret === undefined) {
    throw new ConfigError(problems);
  }

  const { data } = values;
  return {
    id: data.EXCHANGE_ID,
    keys: { key: keys.key, secret: keys.secret, password: keys.password },
    token: data.EXCHANGE_TOKEN,
    markets: data.EXCHANGE_MARKETS,
    symbols: data.EXCHANGE_SYMBOLS === undefined ? null : new Set(data.EXCHANGE_SYMBOLS),
    sandbox: data.EXCHANGE_SANDBOX ?? null,
    url: data.EXCHANGE_URL,
    timeoutMs: data.EXCHANGE_TIMEOUT,
    checkIntervalMs: data.EXCHANGE_CHECK_INTERVAL,
    cancelAfter:
      data.EXCHANGE_CANCEL_AFTER === undefined || data.SIDECAR_URL === undefined
        ? null
        : { ms: data.EXCHANGE_CANCEL_AFTER, sidecarUrl: data.SIDECAR_URL },
    host: data.HOST,
    port: data.PORT,
    logLevel: data.LOG_LEVEL,
    secrets: [keys.key, keys.secret, keys.password, data.EXCHANGE_TOKEN].filter((one) => one !== undefined),
  };
}

/** A part of the keys, from its file. A variable would stand in `docker inspect`, and in every child of the process. */
function keyFrom(
  name: string,
  required: boolean,
  env: Environment,
  problems: ConfigProblem[],
): string | undefined {
  const { [name]: plain, [`${name}_FILE`]: file } = env;
  if (plain !== undefined && plain !== '') {
    problems.push({
      name,
      expected: `nothing: keys are read from files only; put it in a file and name that in ${name}_FILE`,
    });
    return undefined;
  }
  if (file === undefined || file === '') {
    if (required) problems.push({ name: `${name}_FILE`, expected: 'the path of a file' });
    return undefined;
  }
  // Keys are pasted: a line break at the end of one would be signed with.
  return readVariable({ name, secret: true }, { [`${name}_FILE`]: file }, problems)?.trim();
}

/** What is right by itself and wrong together. */
function together(data: z.infer<typeof SCHEMA>): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const ways = waysOf(data.EXCHANGE_ID);
  if (!ways.tested && data.EXCHANGE_UNTESTED !== 'true') {
    problems.push({
      name: 'EXCHANGE_ID',
      expected: `one of ${TESTED_EXCHANGES.join(', ')}, which were tested; for another one set EXCHANGE_UNTESTED=true, and try it out with a small position first`,
      got: data.EXCHANGE_ID,
    });
  }
  const missing = data.EXCHANGE_MARKETS.filter((market) => ways.markets[market] === undefined);
  if (missing.length > 0) {
    problems.push({
      name: 'EXCHANGE_MARKETS',
      expected: `some of ${Object.keys(ways.markets).join(', ')} for ${data.EXCHANGE_ID}`,
      got: missing.join(','),
    });
  }
  const areCoins = data.EXCHANGE_MARKETS.filter((market) => market === 'margin' || market === 'spot');
  const names = data.EXCHANGE_SYMBOLS ?? [];
  if (areCoins.length > 0 && !names.some((name) => !name.includes(':'))) {
    problems.push({
      name: 'EXCHANGE_SYMBOLS',
      expected: `the symbols whose coins may be sold, such as BTC/USDT, as EXCHANGE_MARKETS has ${areCoins.join(' and ')}: never the whole wallet`,
    });
  }
  if (data.EXCHANGE_MARKETS.includes('spot') && data.EXCHANGE_MARKETS.includes('margin')) {
    problems.push({
      name: 'EXCHANGE_MARKETS',
      expected: 'spot or margin, not both: the same symbols would mean two wallets',
      got: data.EXCHANGE_MARKETS.join(','),
    });
  }
  if (data.EXCHANGE_CANCEL_AFTER !== undefined && data.SIDECAR_URL === undefined) {
    problems.push({
      name: 'SIDECAR_URL',
      expected:
        'the address of the sidecar, as EXCHANGE_CANCEL_AFTER is renewed while it says that the tick is fresh',
    });
  }
  if (
    data.EXCHANGE_CANCEL_AFTER !== undefined &&
    ways.cancelAfterNeedsSymbols === true &&
    names.length === 0
  ) {
    problems.push({
      name: 'EXCHANGE_SYMBOLS',
      expected: `the symbols that the bot trades, as ${data.EXCHANGE_ID} has one timer for each`,
    });
  }
  return problems;
}
