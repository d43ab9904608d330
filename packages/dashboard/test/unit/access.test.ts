import { describe, expect, it } from 'vitest';
import { isLetIn, isOurHost, isOurPage } from '../../src/http/access.ts';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('who is let in', () => {
  const both = { user: 'eve', password: 'correct horse', token: 'script-token', allowedHosts: [] };
  it.each([
    ['everybody, when nothing is configured', undefined, { allowedHosts: [] }, true],
    ['nobody without a header', undefined, both, false],
    ['who has the password', basic('eve:correct horse'), both, true],
    ['who has the token', 'Bearer script-token', both, true],
    ['not with another password', basic('eve:correct hors'), both, false],
    ['not with another user', basic('adam:correct horse'), both, false],
    ['not with the password as token', 'Bearer correct horse', both, false],
    ['not with the token as password', basic('eve:script-token'), both, false],
    ['not with an empty token', 'Bearer ', both, false],
    [
      'not by a password, when only a token is configured',
      basic(':'),
      { token: 'script-token', allowedHosts: [] },
      false,
    ],
    [
      'not by a token, when only a password is configured',
      'Bearer undefined',
      { user: 'eve', password: 'p', allowedHosts: [] },
      false,
    ],
  ])('%s', (_, header, access, expected) => {
    expect(isLetIn(header, access)).toBe(expected);
  });
});

describe('which names are ours', () => {
  it.each([
    ['localhost:9500', true],
    ['127.0.0.1:9500', true],
    ['[::1]:9500', true],
    ['192.168.1.7', true],
    ['dashboard:9500', true],
    ['bots.example.com', true],
    ['BOTS.example.com:443', true],
    ['evil.example.com', false],
    ['127.0.0.1.evil.example.com', false],
    ['', false],
    [undefined, false],
  ])('%s: %s', (host, expected) => {
    expect(isOurHost(host, ['bots.example.com'])).toBe(expected);
  });
});

describe('whose page may change something', () => {
  const host = 'localhost:9500';
  it.each([
    ['our own, by its browser', { site: 'same-origin', origin: undefined, host }, true],
    ['another site, by its browser', { site: 'cross-site', origin: `http://${host}`, host }, false],
    ['another port of this machine', { site: 'same-site', origin: undefined, host }, false],
    ['our own, by its origin', { site: undefined, origin: `http://${host}`, host }, true],
    ['another origin', { site: undefined, origin: 'http://evil.example.com', host }, false],
    ['no origin at all', { site: undefined, origin: 'null', host }, false],
    ['no browser', { site: undefined, origin: undefined, host }, true],
  ])('%s', (_, headers, expected) => {
    expect(isOurPage(headers)).toBe(expected);
  });
});
