import type { ProbeView, Snapshot } from './monitor.ts';
import { isHealthy, type Status } from './status.ts';

/** The media type of {@link healthJson}, from draft-inadarei-api-health-check-06. */
export const HEALTH_JSON_TYPE = 'application/health+json';

/** One check of {@link HealthJson}; keys as in draft-inadarei-api-health-check-06, section 4. */
export interface HealthJsonCheck {
  /** The name of the probe. */
  componentId: string;
  /** `component`, `datastore` or `system`. */
  componentType: string;
  /** In the words of the draft. */
  status: HealthJsonStatus;
  /** What the probe measured, or how long the last run took. */
  observedValue?: unknown;
  /** The unit of `observedValue`. */
  observedUnit?: string;
  /** When the last run began, ISO 8601. */
  time?: string;
  /** Why the status is not `pass`; redacted. */
  output?: string;
  /** Beside the draft: the state in our own words, of which `unknown`, `paused` and `stale` show as `fail`. */
  state: Status | 'stale';
  /** Beside the draft: since when the state has been this. */
  since: string;
  /** Beside the draft: a stable code of the failure. */
  code?: string;
  /** Beside the draft: whether a failure makes the whole fail. */
  critical: boolean;
}

/** The three words of the draft. */
export type HealthJsonStatus = 'pass' | 'warn' | 'fail';

/** A health document of draft-inadarei-api-health-check-06. */
export interface HealthJson {
  /** The whole; `fail` goes with an HTTP status of 4xx or 5xx, the others with 2xx or 3xx. */
  status: HealthJsonStatus;
  /** Public version of the service. */
  version?: string;
  /** Internal version of the service. */
  releaseId?: string;
  /** Unique name of the service. */
  serviceId?: string;
  /** What the service is, for a person. */
  description?: string;
  /** What else a reader should know. */
  notes?: string[];
  /** Why the status is not `pass`, where no check says it. */
  output?: string;
  /** Where to read more, by link relation. */
  links?: Record<string, string>;
  /** By `component:measurement`. */
  checks?: Record<string, HealthJsonCheck[]>;
}

/** What {@link healthJson} adds to what the monitor knows. */
export type HealthJsonOptions = Omit<HealthJson, 'status' | 'checks'> & {
  /** Default: the status of the whole snapshot. */
  status?: HealthJsonStatus;
};

/**
 * Shows a snapshot as `application/health+json`. What is `unknown`, `paused` or stale is not healthy, and the draft
 * has no word for it: it shows as `fail`, with its own word in `state`.
 */
export function healthJson(snapshot: Snapshot, options: HealthJsonOptions = {}): HealthJson {
  const { status = draftStatus(snapshot.status), ...rest } = options;
  const checks: Record<string, HealthJsonCheck[]> = {};
  for (const probe of snapshot.probes) checks[`${probe.name}:${probe.measurement}`] = [check(probe)];
  return { status, ...rest, checks };
}

function draftStatus(status: Status): HealthJsonStatus {
  return isHealthy(status) ? (status as HealthJsonStatus) : 'fail';
}

function check(probe: ProbeView): HealthJsonCheck {
  const { last } = probe;
  const measured =
    last?.value === undefined
      ? responseTime(last?.durationMs)
      : { observedValue: last.value, ...(last.unit === undefined ? {} : { observedUnit: last.unit }) };
  return {
    componentId: probe.name,
    componentType: probe.componentType,
    ...measured,
    status: draftStatus(probe.status),
    state: probe.stale ? 'stale' : probe.status,
    critical: probe.critical,
    since: probe.since.toISOString(),
    ...(last === undefined ? {} : { time: new Date(last.at).toISOString() }),
    ...(probe.code === undefined ? {} : { code: probe.code }),
    ...(probe.status === 'pass' || probe.output === undefined ? {} : { output: probe.output }),
  };
}

function responseTime(durationMs: number | undefined): { observedValue?: number; observedUnit?: string } {
  return durationMs === undefined
    ? {}
    : { observedValue: Math.round(durationMs * 10) / 10, observedUnit: 'ms' };
}
