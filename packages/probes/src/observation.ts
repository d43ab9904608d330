import { ProbeError } from './errors.ts';
import { redact, redactValue } from './redact.ts';
import type { RunResult } from './status.ts';

const EXPECTED: ReadonlyArray<readonly [string, (value: unknown) => boolean, string]> = [
  ['status', (value) => value === 'pass' || value === 'warn', '"pass" or "warn", and a throw on failure'],
  [
    'value',
    (value) => typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value),
    'a finite number, a text or a boolean',
  ],
  ['unit', (value) => typeof value === 'string', 'a text'],
  ['output', (value) => typeof value === 'string', 'a text'],
  ['details', (value) => typeof value === 'object', 'an object'],
];

/**
 * What a probe gave back, checked and redacted. A probe written in plain JavaScript may return anything; what is not
 * understood must not count as healthy.
 *
 * @throws {ProbeError} `PROBE_FAILED`
 */
export function readObservation(
  outcome: unknown,
  secrets: readonly string[],
): Pick<RunResult, 'outcome' | 'value' | 'unit' | 'output' | 'details'> {
  if (outcome === undefined || outcome === null) return { outcome: 'pass' };
  if (typeof outcome !== 'object') {
    throw new ProbeError(
      'PROBE_FAILED',
      `the probe returned a ${typeof outcome}; expected nothing or an observation`,
    );
  }
  const observed: Record<string, unknown> = {};
  for (const [key, isRight, expected] of EXPECTED) {
    const value = (outcome as Record<string, unknown>)[key];
    if (value === undefined || value === null) continue;
    if (!isRight(value)) {
      throw new ProbeError('PROBE_FAILED', `the probe returned another ${key} than ${expected}`);
    }
    if (key !== 'status')
      observed[key] = typeof value === 'string' ? redact(value, secrets) : redactValue(value, secrets);
  }
  return { outcome: (outcome as { status?: 'pass' | 'warn' | null }).status ?? 'pass', ...observed };
}
