import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@botwarden/service/configuration';
import type { Variable } from '@botwarden/service/variables';
import { describe, expect, it } from 'vitest';
import { helpText } from '../../src/commands/help.ts';
import { loadConfig } from '../../src/config/config.ts';
import { VARIABLES } from '../../src/config/variables.ts';
import { VERSION } from '../../src/version.ts';

const folder = mkdtempSync(join(tmpdir(), 'exchange-config-'));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const KEYS = {
  EXCHANGE_KEY_FILE: file('key', 'the-key\n'),
  EXCHANGE_SECRET_FILE: file('secret', 'the-secret \n'),
};
const ENV = { ...KEYS, EXCHANGE_ID: 'binanceusdm', EXCHANGE_TOKEN: 'a-token-for-the-tests' };

function problemsOf(env: Record<string, string>): Record<string, string> {
  try {
    loadConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return Object.fromEntries(error.problems.map(({ name, expected }) => [name, expected]));
  }
  return {};
}

describe('the configuration', () => {
  it('needs an exchange, keys and a token, and no more', () => {
    expect(loadConfig(ENV)).toMatchObject({
      id: 'binanceusdm',
      keys: { key: 'the-key', secret: 'the-secret' },
      markets: ['linear'],
      symbols: null,
      sandbox: null,
      cancelAfter: null,
      timeoutMs: 10_000,
      port: 9_600,
    });
  });

  it('names everything that is missing at once', () => {
    expect(Object.keys(problemsOf({})).sort()).toEqual([
      'EXCHANGE_ID',
      'EXCHANGE_KEY_FILE',
      'EXCHANGE_SECRET_FILE',
      'EXCHANGE_TOKEN',
    ]);
  });

  it.each<[string, Record<string, string>, string, string]>([
    ['a key in a variable', { EXCHANGE_KEY: 'x' }, 'EXCHANGE_KEY', 'files only'],
    ['a key file that is not there', { EXCHANGE_KEY_FILE: '/nowhere' }, 'EXCHANGE_KEY_FILE', 'can be read'],
    ['a short token', { EXCHANGE_TOKEN: 'short' }, 'EXCHANGE_TOKEN', '16 characters'],
    ['an exchange that ccxt does not have', { EXCHANGE_ID: 'nobody' }, 'EXCHANGE_ID', "ccxt's name"],
    ['a path for an exchange', { EXCHANGE_ID: '../base/Exchange' }, 'EXCHANGE_ID', "ccxt's name"],
    ['an exchange that was never tried', { EXCHANGE_ID: 'kraken' }, 'EXCHANGE_ID', 'EXCHANGE_UNTESTED'],
    [
      'a market that it does not have',
      { EXCHANGE_MARKETS: 'spot', EXCHANGE_SYMBOLS: 'BTC/USDT' },
      'EXCHANGE_MARKETS',
      'linear for binanceusdm',
    ],
    [
      'a market that nobody has',
      { EXCHANGE_MARKETS: 'swaps' },
      'EXCHANGE_MARKETS',
      'linear, inverse, margin, spot',
    ],
    [
      'coins without names',
      { EXCHANGE_ID: 'binance', EXCHANGE_MARKETS: 'spot' },
      'EXCHANGE_SYMBOLS',
      'never the whole wallet',
    ],
    [
      'coins, with the name of a contract alone',
      { EXCHANGE_ID: 'binance', EXCHANGE_MARKETS: 'spot', EXCHANGE_SYMBOLS: 'BTC/USDT:USDT' },
      'EXCHANGE_SYMBOLS',
      'never the whole wallet',
    ],
    [
      'two wallets for one name',
      { EXCHANGE_ID: 'binance', EXCHANGE_MARKETS: 'spot,margin', EXCHANGE_SYMBOLS: 'BTC/USDT' },
      'EXCHANGE_MARKETS',
      'not both',
    ],
    [
      'symbols in the exchange’s own words',
      { EXCHANGE_SYMBOLS: 'BTCUSDT' },
      'EXCHANGE_SYMBOLS',
      'as ccxt has them',
    ],
    [
      'a timer without a sidecar',
      { EXCHANGE_CANCEL_AFTER: '30s', EXCHANGE_SYMBOLS: 'BTC/USDT:USDT' },
      'SIDECAR_URL',
      'tick is fresh',
    ],
    [
      'a timer without symbols where each has its own',
      { EXCHANGE_CANCEL_AFTER: '30s', SIDECAR_URL: 'http://sidecar:9400' },
      'EXCHANGE_SYMBOLS',
      'one timer for each',
    ],
    ['a timer that is too short', { EXCHANGE_CANCEL_AFTER: '5s' }, 'EXCHANGE_CANCEL_AFTER', 'at least 10s'],
    ['another sandbox', { EXCHANGE_SANDBOX: 'true' }, 'EXCHANGE_SANDBOX', 'testnet, demo'],
    ['no URL', { EXCHANGE_URL: 'localhost' }, 'EXCHANGE_URL', 'http://localhost:9700'],
  ])('%s is refused, in words', (_, env, name, words) => {
    expect(problemsOf({ ...ENV, ...env })[name]).toContain(words);
  });

  it('takes another exchange where somebody insists', () => {
    expect(loadConfig({ ...ENV, EXCHANGE_ID: 'kraken', EXCHANGE_UNTESTED: 'true' }).id).toBe('kraken');
  });

  it('repeats no secret', () => {
    try {
      loadConfig({
        EXCHANGE_KEY: 'plain-key',
        EXCHANGE_SECRET: 'plain-secret',
        EXCHANGE_TOKEN: 'tiny-token',
      });
    } catch (error) {
      expect(String(error)).not.toMatch(/plain-key|plain-secret|tiny-token/);
    }
    expect.assertions(1);
  });
});

describe('the documentation', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

  it('has every variable in the README’s table, in the same words as --help', () => {
    for (const { name, fallback, secret, about } of VARIABLES as readonly Variable[]) {
      const value = fallback === undefined ? '' : `\`${fallback}\``;
      const words = `${about}${secret === true ? ' (secret)' : ''}`;
      expect(readme).toContain(`| \`${name}\` | ${value} | ${words} |`);
      expect(helpText()).toContain(about);
    }
  });

  it('has no variable that is not read', () => {
    const names = [...readme.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name);
    expect(names).toEqual(VARIABLES.map(({ name }) => name));
  });

  it('has the version of the package', () => {
    expect(VERSION).toBe(manifest.version);
  });
});
