import { expect, it } from 'vitest';
import { withoutCredentials } from '../../src/url.ts';

it('a URL is told without its credentials, and otherwise as it is', () => {
  expect(withoutCredentials('http://bot:8000/x@y')).toBe('http://bot:8000/x@y');
  expect(withoutCredentials('http://u:p@ss@bot/x')).toBe('http://***@bot/x');
  expect(withoutCredentials('http://bot:p/w@bot:8000')).toBe('http://***@bot:8000');
});
