import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, type ConfigProblem } from '@botwarden/service/configuration';
import { afterAll, describe, expect, it } from 'vitest';
import { helpText } from '../../src/commands/help.ts';
import { loadConfig } from '../../src/config/config.ts';
import { VARIABLES } from '../../src/config/variables.ts';
import { VERSION } from '../../src/version.ts';

const folder = mkdtempSync(join(tmpdir(), 'botwarden-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BOT = { BOT_URL: 'http://bot:8000' };

function problemsOf(env: Record<string, string>): readonly ConfigProblem[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('a configuration that works', () => {
  it('needs nothing but BOT_URL', () => {
    const { config } = loadConfig(BOT);
    expect(config).toMatchObject({
      botName: 'bot',
      bot: { url: 'http://bot:8000', adapter: 'http', expectedModels: 'any' },
      probes: {
        intervalMs: 5000,
        timeoutMs: 2000,
        failureThreshold: 3,
        successThreshold: 1,
        tickMaxAgeMs: 'auto',
      },
      heal: { startupGraceMs: 120_000, cooldownMs: 60_000, maxPerHour: 5 },
      drain: { timeoutMs: 60_000, closeTimeoutMs: 10_000, log: '/var/lib/botwarden/drains.jsonl' },
      host: '0.0.0.0',
      port: 9400,
      logLevel: 'info',
      secrets: [],
    });
    expect(config).not.toHaveProperty('databaseUrl');
    expect(config.drain).not.toHaveProperty('token');
  });

  it('takes a duration for TICK_MAX_AGE, or auto', () => {
    expect(loadConfig({ ...BOT, TICK_MAX_AGE: '90s' }).config.probes.tickMaxAgeMs).toBe(90_000);
    expect(problemsOf({ ...BOT, TICK_MAX_AGE: 'soon' })).toEqual([
      { name: 'TICK_MAX_AGE', expected: expect.stringMatching(/^auto, or a duration/), got: 'soon' },
    ]);
  });

  it.each(['btc grid', '-btc', 'x'.repeat(61)])('takes no %j for a BOT_NAME', (BOT_NAME) => {
    expect(problemsOf({ ...BOT, BOT_NAME })).toMatchObject([{ name: 'BOT_NAME' }]);
  });

  it('takes an empty value for an unset one, as Compose passes it, except where empty means off', () => {
    const { config } = loadConfig({ ...BOT, BOT_TOKEN: '', DATABASE_URL: '', PORT: '', BOT_MODELS_PATH: '' });
    expect(config.bot).not.toHaveProperty('token');
    expect(config).not.toHaveProperty('databaseUrl');
    expect(config.port).toBe(9400);
    expect(config.bot.paths.models).toBe('');
    expect(config.bot.paths.health).toBe('/health');
  });

  it.each([
    ['signal', ['signal']],
    [' a , b ,', ['a', 'b']],
    ['none', 'none'],
    ['', 'any'],
  ])('reads EXPECTED_MODELS %j as %j', (text, expected) => {
    expect(loadConfig({ ...BOT, EXPECTED_MODELS: text }).config.bot.expectedModels).toEqual(expected);
  });

  it('reads a secret from its file, without the newline at the end', () => {
    const file = join(folder, 'token');
    writeFileSync(file, 's3cret-token\n');
    const { config } = loadConfig({ ...BOT, DRAIN_TOKEN_FILE: file });
    expect(config.drain.token).toBe('s3cret-token');
    expect(config.secrets).toContain('s3cret-token');
  });

  it('knows the password inside a URL as a secret of its own, decoded too', () => {
    const { config } = loadConfig({ ...BOT, DATABASE_URL: 'postgres://trader:p%40ss@db:5432/bot' });
    expect(config.secrets).toEqual(expect.arrayContaining(['p%40ss', 'p@ss']));
  });
});

describe('a configuration that does not work', () => {
  it('tells every problem at once, with name, expectation and value', () => {
    const problems = problemsOf({
      BOT_ADAPTER: 'telegram',
      DRAIN_TIMEOUT: '3',
      PORT: '99999',
      FAILURE_THRESHOLD: '0',
      LOG_LEVEL: 'loud',
      FLAT_CHECK_SQL: 'SELECT 0',
    });
    expect(problems.map(({ name }) => name).sort()).toEqual(
      [
        'BOT_ADAPTER',
        'BOT_URL',
        'DATABASE_URL',
        'DRAIN_TIMEOUT',
        'FAILURE_THRESHOLD',
        'LOG_LEVEL',
        'PORT',
      ].sort(),
    );
    expect(problems).toContainEqual({ name: 'PORT', expected: 'a port from 0 to 65535', got: '99999' });
  });

  const CASES: ReadonlyArray<[string, Record<string, string>, string]> = [
    ['a grace period in which the drain does not fit', { STOP_GRACE_PERIOD: '64s' }, 'STOP_GRACE_PERIOD'],
    ['an attempt longer than the budget', { CLOSE_TIMEOUT: '56s' }, 'CLOSE_TIMEOUT'],
    ['a budget with nothing but what is kept back', { DRAIN_TIMEOUT: '5s' }, 'DRAIN_TIMEOUT'],
    ['a proof without a database', { FLAT_CHECK_SQL: 'SELECT 0' }, 'DATABASE_URL'],
    ['a close path that is switched off', { BOT_CLOSE_PATH: 'off' }, 'BOT_CLOSE_PATH'],
    ['freqtrade without its user', { BOT_ADAPTER: 'freqtrade', BOT_PASSWORD: 'x' }, 'BOT_USERNAME'],
    [
      'freqtrade with a bearer token',
      { BOT_ADAPTER: 'freqtrade', BOT_USERNAME: 'u', BOT_PASSWORD: 'p', BOT_TOKEN: 't' },
      'BOT_TOKEN',
    ],
    ['a user where only a token is known', { BOT_USERNAME: 'u' }, 'BOT_USERNAME'],
    ['a database that is no Postgres', { DATABASE_URL: 'mysql://u:p@db/x' }, 'DATABASE_URL'],
    ['a secret given twice', { BOT_TOKEN: 'a', BOT_TOKEN_FILE: '/nowhere' }, 'BOT_TOKEN'],
    ['a secret file that is missing', { BOT_TOKEN_FILE: '/nowhere' }, 'BOT_TOKEN_FILE'],
    ['a unit that is none', { PROBE_INTERVAL: '5 sec' }, 'PROBE_INTERVAL'],
  ];
  it.each(CASES)('refuses %s', (_what, env, name) => {
    expect(problemsOf({ ...BOT, ...env }).map((problem) => problem.name)).toEqual([name]);
  });

  it.each([
    [{ STOP_GRACE_PERIOD: '65s' }],
    [{ CLOSE_TIMEOUT: '55s' }],
    [{ DRAIN_TIMEOUT: '6s', CLOSE_TIMEOUT: '1s' }],
    [{ PROBE_INTERVAL: '200ms' }],
    [{ DRAIN_TIMEOUT: '8s' }],
  ])('accepts the last value that works: %j', (env) => {
    expect(problemsOf({ ...BOT, ...env })).toEqual([]);
  });

  it('never quotes a secret, nor the password in a URL', () => {
    let message = '';
    try {
      loadConfig({
        BOT_URL: 'ftp://trader:hunter22@bot',
        DATABASE_URL: 'mysql://trader:hunter22@db/x',
        BOT_USERNAME: 'hunter22',
        ALERT_WEBHOOK_URL: 'hunter22',
      });
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('4 problems');
    expect(message).not.toMatch(/hunt/);
  });
});

describe('what is written about the variables', () => {
  it('is in --help for each of them, with its default', () => {
    const help = helpText();
    for (const variable of VARIABLES) {
      const line = help.split('\n').find((text) => text.trim().startsWith(`${variable.name} `));
      expect(line, variable.name).toBeDefined();
      if ('fallback' in variable) expect(line).toContain(`default ${variable.fallback}`);
      if ('secret' in variable) expect(line).toContain(`${variable.name}_FILE`);
    }
  });

  it('is the same in the README', () => {
    const readme = readFileSync(new URL('../../../../README.md', import.meta.url), 'utf8');
    for (const variable of VARIABLES) {
      const row = readme.split('\n').find((text) => text.startsWith(`| \`${variable.name}\``));
      expect(row, variable.name).toBeDefined();
      if ('fallback' in variable) expect(row).toContain(`\`${variable.fallback}\``);
    }
  });

  it('has the version of the package', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(VERSION).toBe(manifest.version);
  });
});

describe('a credential in a URL that is wrong', () => {
  it.each([
    ['without a scheme', 'trader:hunter2secret@bot:8000'],
    ['with another scheme, and an @ in the password', 'htp://trader:p@hunter2secret@bot'],
  ])('%s is not repeated', (_, BOT_URL) => {
    const [problem] = problemsOf({ BOT_URL });
    expect(problem?.name).toBe('BOT_URL');
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  });

  it('that has a lone % is a problem with a name, and not a defect', () => {
    const [problem] = problemsOf({ ...BOT, DATABASE_URL: 'postgres://bot:50%off@db/x' });
    expect(problem).toMatchObject({ name: 'DATABASE_URL', expected: expect.stringContaining('%25') });
  });
});
