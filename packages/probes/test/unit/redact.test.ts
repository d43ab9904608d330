import { expect, test } from 'vitest';
import { describeError, redact, redactValue } from '../../src/redact.ts';

const SECRET = 'hunter2-and-more';

test.each([
  [`postgres://trader:${SECRET}@db:5432/bot`, 'postgres://***@db:5432/bot'],
  [`connect to https://u:${SECRET}/x@host/ failed`, 'connect to https://***@host/ failed'],
  [`Authorization: Bearer ${SECRET}`, 'Authorization: ***'],
  [`{"authorization":"Basic ${SECRET}"}`, '{"authorization":"***"}'],
  [`sent bearer ${SECRET}, got 401`, 'sent bearer ***, got 401'],
  [`host=db password=${SECRET} dbname=x`, 'host=db password=*** dbname=x'],
  [`password='${SECRET} with space' x`, 'password=*** x'],
  [`{"api_key": "${SECRET}"}`, '{"api_key": ***}'],
  [`GET /?token=${SECRET}&page=2`, 'GET /?token=***&page=2'],
  ['password authentication failed for user "trader"', 'password authentication failed for user "***"'],
  ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'jwt ***'],
  ['nothing to hide at http://bot:8000/health', 'nothing to hide at http://bot:8000/health'],
])('%s', (text, masked) => {
  expect(redact(text)).toBe(masked);
});

test('a known secret is masked wherever it stands, also encoded for a URL', () => {
  expect(redact('got s3cr/t and s3cr%2Ft', ['s3cr/t'])).toBe('got *** and ***');
});

test('credentials are masked in causes, in a list of errors, and in what is no error', () => {
  const driver = Object.assign(new Error(`invalid dsn "postgres://a:${SECRET}@h/x"`), { code: 'XX' });
  expect(describeError(new Error('no answer', { cause: driver }))).toBe(
    'no answer: invalid dsn "postgres://***@h/x"',
  );
  expect(describeError(new AggregateError([driver]))).not.toContain(SECRET);
  expect(describeError(`token=${SECRET}`)).toBe('token=***');
});

test('a credential that a long text is cut at does not get through in part', () => {
  const long = `${'x '.repeat(4990)}${'postgres://u:'.padEnd(13)}${SECRET.repeat(5)}@h`;
  expect(redact(long)).not.toContain('hunter2');
  expect(redact('y'.repeat(20_000))).toBe('a text of 20000 characters');
  expect(describeError(new Error('z '.repeat(5000))).length).toBeLessThanOrEqual(1000);
});

test('values are masked by their key and inside, and become plain JSON', () => {
  const value = {
    apiKey: 1,
    nested: [{ url: `redis://:${SECRET}@h`, cookie: 'c' }],
    big: 1n,
    call: () => 1,
    at: new Date(0),
  };
  expect(JSON.parse(JSON.stringify(redactValue(value)))).toEqual({
    apiKey: '***',
    nested: [{ url: 'redis://***@h', cookie: '***' }],
    big: '1',
    at: '1970-01-01T00:00:00.000Z',
  });
});

test('patterns take no time that grows out of hand with the text', () => {
  // Bounded by the limit of the text; without that limit this takes minutes.
  for (const part of ['a', 'postgres://', 'password', 'user=', 'bearer '])
    redact(part.repeat(1e6 / part.length));
});
