import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@botwarden/service/configuration';
import { describe, expect, it, onTestFinished } from 'vitest';
import { helpText } from '../../src/commands/help.ts';
import { loadConfig } from '../../src/config/config.ts';
import { VARIABLES } from '../../src/config/variables.ts';
import { VERSION } from '../../src/version.ts';

const SIDECARS = 'btc=http://sidecar:9400,eth-perp=http://u:pass-word-1@eth:9400';

function problems(env: Record<string, string>): string {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'secret'), text);
  return join(folder, 'secret');
}

describe('the configuration', () => {
  it('needs nothing but the bots', () => {
    expect(loadConfig({ SIDECARS })).toMatchObject({
      sidecars: [
        { name: 'btc', url: 'http://sidecar:9400/' },
        { name: 'eth-perp', url: 'http://u:pass-word-1@eth:9400/' },
      ],
      probes: { intervalMs: 5000, timeoutMs: 2000, failureThreshold: 2 },
      host: '127.0.0.1',
      port: 9500,
    });
  });

  it('gives a bot its own drain token before the one for all', () => {
    const { sidecars, secrets } = loadConfig({
      SIDECARS,
      DRAIN_TOKEN: 'token-for-all',
      DRAIN_TOKEN_ETH_PERP_FILE: file('token-for-eth\n'),
    });
    expect(sidecars.map(({ drainToken }) => drainToken)).toEqual(['token-for-all', 'token-for-eth']);
    expect(secrets).toEqual(expect.arrayContaining(['token-for-all', 'token-for-eth', 'pass-word-1']));
  });

  it('leaves "Drain now" off for a bot without a token', () => {
    const { sidecars } = loadConfig({ SIDECARS, DRAIN_TOKEN_BTC: 'token-for-btc' });
    expect(sidecars.map(({ drainToken }) => drainToken)).toEqual(['token-for-btc', undefined]);
  });

  it('tells every problem at once, and no secret', () => {
    const text = problems({
      SIDECARS: 'btc=ftp://u:hunter22@h,btc =x',
      DATABASE_URL: 'mysql://u:hunter23@h/d',
      HISTORY_MAX_AGE: '7 days',
      PROBE_INTERVAL: 'often',
      DRAIN_TOKEN: 'hunter2',
      DRAIN_TOKEN_FILE: '/nowhere',
      DASHBOARD_PASSWORD: 'hunter24',
      PORT: '99999',
      LOG_LEVEL: 'loud',
    });
    for (const name of [
      'SIDECARS',
      'DATABASE_URL',
      'HISTORY_MAX_AGE',
      'PROBE_INTERVAL',
      'DRAIN_TOKEN',
      'DASHBOARD_USER',
      'PORT',
      'LOG_LEVEL',
    ])
      expect(text).toContain(`${name}: expected`);
    expect(text).not.toMatch(/hunter2/);
  });

  it.each([
    ['two bots of one name', { SIDECARS: 'btc=http://a,btc=http://b' }, 'differs from btc'],
    [
      'two names with one variable',
      { SIDECARS: 'eth-perp=http://a,ETH_perp=http://b' },
      'differs from eth-perp',
    ],
    ['a token for a bot that is none', { SIDECARS, DRAIN_TOKEN_XRP: 'some-token' }, 'DRAIN_TOKEN_XRP'],
    ['a user without a password', { SIDECARS, DASHBOARD_USER: 'eve' }, 'DASHBOARD_PASSWORD'],
    [
      'a secret given twice',
      { SIDECARS, DASHBOARD_TOKEN: 'some-token', DASHBOARD_TOKEN_FILE: '/x' },
      'not both',
    ],
    ['a name that is no name', { SIDECARS: '<b>=http://a' }, 'as item 1'],
  ])('refuses %s', (_, env, said) => {
    expect(problems(env)).toContain(said);
  });
});

it('--help names every variable', () => {
  for (const { name } of VARIABLES) expect(helpText()).toContain(name);
});

it('the README names every variable, its default, and what it is for', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  for (const variable of VARIABLES) {
    const fallback = 'fallback' in variable ? `\`${variable.fallback}\`` : '';
    expect(readme).toContain(`| \`${variable.name}\` | ${fallback} | ${variable.about}`);
  }
});

it('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(VERSION).toBe(version);
});
