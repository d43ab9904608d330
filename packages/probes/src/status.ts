/**
 * What is known of a probe or a group.
 *
 * - `pass`: it works. - `warn`: it works, but a person should look. - `fail`: it does not work, or what was known is
 *   too old to be trusted. - `unknown`: not enough results yet. - `paused`: not asked, because of maintenance.
 *
 * Only `pass` and `warn` are healthy. `unknown` and `paused` never are.
 */
export type Status = 'pass' | 'warn' | 'fail' | 'unknown' | 'paused';

/** True for the two states in which something can be relied on. */
export function isHealthy(status: Status): boolean {
  return status === 'pass' || status === 'warn';
}

/** One finished run, as it enters the state of its probe. */
export interface RunResult {
  /** `fail` when the run threw, timed out, or was still stuck in an earlier run. */
  readonly outcome: 'pass' | 'warn' | 'fail';
  /** When it began, wall clock, in milliseconds since 1970. */
  readonly at: number;
  /** When it ended, on the monotonic clock; ages are judged by this. */
  readonly endedAt: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
  /** Stable code of the failure. */
  readonly code?: string;
  /** What failed, or what the probe said of itself; redacted. */
  readonly output?: string;
  /** The measured value, if the probe gave one. */
  readonly value?: number | string | boolean;
  /** The unit of `value`. */
  readonly unit?: string;
  /** Whatever else the probe told; redacted. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** How many results in a row it takes, and how long one is worth anything. */
export interface Thresholds {
  /** Failures in a row before a probe counts as failed. */
  readonly failure: number;
  /** Passes in a row before a probe counts as working again. */
  readonly success: number;
  /** The age, in milliseconds, above which a result proves nothing any more. */
  readonly staleAfterMs: number;
}

/** What is remembered of a probe between runs. */
export interface ProbeState {
  readonly status: 'pass' | 'warn' | 'fail' | 'unknown';
  /** Wall clock of the last change of `status`. */
  readonly since: number;
  /** Good results in a row, ending with the last; 0 when the last was a failure. */
  readonly successes: number;
  /** Failures in a row, ending with the last; 0 when the last was good. */
  readonly failures: number;
  readonly last?: RunResult;
  /** Wall clock of the last run that passed or warned. */
  readonly lastSuccessAt?: number;
  /** The last failure, kept while the probe recovers. */
  readonly lastFailure?: RunResult;
}

/** The state of a probe that has not run. */
export function initialState(now: number): ProbeState {
  return { status: 'unknown', since: now, successes: 0, failures: 0 };
}

/**
 * The state after one more result. A status changes only when `thresholds` say so, whichever status it was,
 * `unknown` included: one lost packet at the start proves as little as one later. A result that comes after a gap in
 * which the one before it went stale continues nothing: the probe had failed by then, and has to pass anew.
 */
export function record(state: ProbeState, result: RunResult, thresholds: Thresholds): ProbeState {
  const good = result.outcome !== 'fail';
  const { last } = state;
  const lapsed = last !== undefined && isStale(result.endedAt - last.endedAt, thresholds.staleAfterMs);
  const before = lapsed ? 'fail' : state.status;
  const successes = good ? (lapsed ? 0 : state.successes) + 1 : 0;
  const failures = good ? 0 : state.failures + 1;
  const status = nextStatus(before, result.outcome, successes, failures, thresholds);
  return {
    status,
    since: status === state.status ? state.since : result.at + result.durationMs,
    successes,
    failures,
    last: result,
    ...optional('lastSuccessAt', good ? result.at + result.durationMs : state.lastSuccessAt),
    ...optional('lastFailure', good ? state.lastFailure : result),
  };
}

function nextStatus(
  current: ProbeState['status'],
  outcome: RunResult['outcome'],
  successes: number,
  failures: number,
  thresholds: Thresholds,
): ProbeState['status'] {
  if (outcome === 'fail') return failures >= thresholds.failure ? 'fail' : current;
  // Between pass and warn nothing has to be proven: both are healthy.
  if (current === 'pass' || current === 'warn') return outcome;
  return successes >= thresholds.success ? outcome : current;
}

function isStale(ageMs: number, staleAfterMs: number): boolean {
  return ageMs > staleAfterMs;
}

/** What a reader is told of a probe's state at one moment. */
export interface Judgement {
  readonly status: Status;
  readonly stale: boolean;
  /** Age of the last result in milliseconds; undefined before the first. */
  readonly ageMs: number | undefined;
}

/**
 * The status as of `monotonicNow`. A result older than `staleAfterMs` fails, whatever became of the timer that
 * should have replaced it.
 */
export function judge(
  state: ProbeState,
  monotonicNow: number,
  staleAfterMs: number,
  paused: boolean,
): Judgement {
  const ageMs = state.last === undefined ? undefined : Math.max(0, monotonicNow - state.last.endedAt);
  const stale = ageMs !== undefined && isStale(ageMs, staleAfterMs);
  const status = paused ? 'paused' : stale ? 'fail' : state.status;
  return { status, stale: stale && !paused, ageMs };
}

/** A member of a group, as far as the whole depends on it. */
export interface Member {
  /** What is known of it. */
  readonly status: Status;
  /** A member that is not critical makes the whole warn, never fail. */
  readonly critical: boolean;
}

/**
 * The status of a whole. Worst first: a critical failure, then anything critical that is unknown, then a pause, then
 * a warning or a failure of something not critical. A whole without members passes: nothing was asked of it.
 */
export function aggregate(members: Iterable<Member>): Status {
  let worst: Status = 'pass';
  for (const member of members) {
    const counted = countedAs(member.status, member.critical);
    if (RANK[counted] > RANK[worst]) worst = counted;
  }
  return worst;
}

/** What a member's status is to the whole. */
function countedAs(status: Status, critical: boolean): Status {
  return critical || status === 'pass' ? status : 'warn';
}

/** How many members stand at each status, so that {@link aggregate} of them costs the same however many they are. */
export class Tally {
  readonly #counts: Record<Status, number> = { pass: 0, warn: 0, paused: 0, unknown: 0, fail: 0 };
  #size = 0;

  /** How many members there are. */
  get size(): number {
    return this.#size;
  }

  /** As {@link aggregate} would say. */
  get whole(): Status {
    for (const status of WORST_FIRST) if (this.#counts[status] > 0) return status;
    return 'pass';
  }

  add({ judged, critical }: { readonly judged: Status; readonly critical: boolean }): void {
    this.#counts[countedAs(judged, critical)] += 1;
    this.#size += 1;
  }

  remove({ judged, critical }: { readonly judged: Status; readonly critical: boolean }): void {
    this.#counts[countedAs(judged, critical)] -= 1;
    this.#size -= 1;
  }
}

const RANK: Record<Status, number> = { pass: 0, warn: 1, paused: 2, unknown: 3, fail: 4 };
const WORST_FIRST: readonly Status[] = ['fail', 'unknown', 'paused', 'warn'];

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
