import { ProbeError, type ProbeErrorCode, ProbeOptionError } from './errors.ts';
import type { Observation } from './probe.ts';

/** How full something may be. */
export interface UtilizationLimits {
  /** Fails above this share in use, in percent. Default 95. */
  maxPercent?: number;
  /** Warns above this share in use, in percent. Default 85. */
  warnPercent?: number;
}

/** Makes the judge of how full something is; it throws a {@link ProbeError} with `code` when it is too full. @throws {ProbeOptionError} */
export function utilizationJudge(
  { maxPercent = 95, warnPercent = Math.min(85, maxPercent) }: UtilizationLimits,
  code: ProbeErrorCode,
): (what: string, usedBytes: number, totalBytes: number) => Observation {
  if (!(maxPercent > 0 && maxPercent <= 100)) {
    throw new ProbeOptionError('maxPercent', 'a number above 0 and of at most 100', maxPercent);
  }
  if (!(warnPercent > 0 && warnPercent <= maxPercent)) {
    throw new ProbeOptionError(
      'warnPercent',
      `a number above 0 and of at most maxPercent, ${maxPercent}`,
      warnPercent,
    );
  }
  return (what, usedBytes, totalBytes) => {
    const percent = Math.round((usedBytes / totalBytes) * 1000) / 10;
    const says = `${what}: ${percent} % of ${megabytes(totalBytes)} in use`;
    // Written so that a share that is no number fails.
    if (!(percent <= maxPercent)) throw new ProbeError(code, `${says}; expected at most ${maxPercent} %`);
    return {
      status: percent > warnPercent ? 'warn' : 'pass',
      value: percent,
      unit: 'percent',
      output: says,
      details: { used_bytes: usedBytes, total_bytes: totalBytes },
    };
  };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
