import { type Duration, durationOption } from '../duration.ts';
import { ProbeError } from '../errors.ts';
import type { Observation, Probe } from '../probe.ts';
import { type HttpTargetOptions, httpTarget } from './http.ts';

/** Options of {@link tickProbe}. */
export interface TickProbeOptions extends HttpTargetOptions {
  /** The loop is hung when its last tick is older than this. Default 60 s. */
  maxAge?: Duration;
  /** Finds the time of the last tick in the JSON body: an ISO 8601 text (UTC where it names no zone), milliseconds since 1970, or undefined where there is none yet. Default: `last_tick_at`. */
  lastTick?: (body: unknown) => string | number | Date | undefined | null;
  /** Milliseconds since 1970. Default `Date.now`; both clocks must agree to within `maxAge`. */
  now?: () => number;
}

/**
 * Asks whether a loop still turns: reads the time of its last tick from a JSON answer. An API often answers long after
 * the loop behind it has hung.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function tickProbe(options: TickProbeOptions): Probe {
  const target = httpTarget(options);
  const maxAgeMs = durationOption('maxAge', options.maxAge ?? 60_000, 1);
  const {
    now = Date.now,
    lastTick = (body: unknown) => (body as { last_tick_at?: string } | null)?.last_tick_at,
  } = options;
  return {
    name: options.name,
    measurement: 'age',
    run: async (signal) => expectFreshTick(lastTick(await target.askJson(signal)), maxAgeMs, now()),
  };
}

/**
 * Judges the time of a last tick.
 *
 * @throws {ProbeError} `TICK_STALE` when it is older than `maxAgeMs`; `TICK_MISSING` when there is none, or it is no
 * time, or lies further in the future than `maxAgeMs`: such a clock can prove nothing.
 */
export function expectFreshTick(
  tick: string | number | Date | undefined | null,
  maxAgeMs: number,
  now: number,
): Observation {
  const at = timeOf(tick);
  if (Number.isNaN(at)) {
    throw new ProbeError(
      'TICK_MISSING',
      `expected the time of the last tick, got ${JSON.stringify(tick) ?? 'none'}`,
    );
  }
  const ageMs = now - at;
  if (ageMs > maxAgeMs) {
    throw new ProbeError(
      'TICK_STALE',
      `the last tick is ${seconds(ageMs)} old; expected at most ${seconds(maxAgeMs)}`,
    );
  }
  if (ageMs < -maxAgeMs) {
    throw new ProbeError(
      'TICK_MISSING',
      `the last tick lies ${seconds(-ageMs)} in the future; compare the clocks`,
    );
  }
  return {
    value: Math.max(0, ageMs) / 1000,
    unit: 's',
    details: { last_tick_at: new Date(at).toISOString() },
  };
}

/** A text without a zone is read as UTC: read as local time it could seem fresher than it is by hours. */
function timeOf(tick: string | number | Date | undefined | null): number {
  if (typeof tick === 'string') {
    const iso = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)\s*(Z|[+-]\d\d:?\d\d)?$/i.exec(
      tick.trim(),
    );
    if (iso === null) return Number.NaN;
    const zone = (iso[3] ?? 'Z').replace(/^([+-]\d\d)(\d\d)$/, '$1:$2').toUpperCase();
    return new Date(`${iso[1]}T${iso[2]?.replace(',', '.')}${zone}`).getTime();
  }
  return typeof tick === 'number' || tick instanceof Date ? new Date(tick).getTime() : Number.NaN;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
