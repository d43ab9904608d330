import { expect, test } from 'vitest';
import { CONTENDER_NAMES } from '../../src/health-contender.ts';
import { measureHealthEndpoints } from '../../src/health-endpoint.ts';

test('every contender starts, passes its three checks and answers under load', {
  timeout: 240_000,
}, async () => {
  const measured = await measureHealthEndpoints({ seconds: 1, rounds: 1 });
  expect(measured.map(({ name }) => name)).toEqual(CONTENDER_NAMES);
  for (const { name, requestsPerSecond, failed } of measured) {
    expect(requestsPerSecond, name).toBeGreaterThan(0);
    expect(failed, name).toBe(0);
  }
});
