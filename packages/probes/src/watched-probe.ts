import type { Pause, ProbeView } from './monitor.ts';
import type { ProbeRunner } from './runner.ts';
import { type Judgement, judge, type Status } from './status.ts';

/** One probe of a monitor: who runs it, and how its results are read. */
export class WatchedProbe {
  readonly name: string;
  readonly runner: ProbeRunner;
  readonly critical: boolean;
  readonly intervalMs: number;
  readonly staleAfterMs: number;
  readonly initialDelayMs: number;
  /** What was last judged of it, for the tallies of its groups. */
  judged: Status = 'unknown';
  /** What listeners were last told. */
  shown: Status = 'unknown';

  constructor(
    runner: ProbeRunner,
    settings: Pick<WatchedProbe, 'critical' | 'intervalMs' | 'staleAfterMs' | 'initialDelayMs'>,
  ) {
    this.name = runner.probe.name;
    this.runner = runner;
    this.critical = settings.critical;
    this.intervalMs = settings.intervalMs;
    this.staleAfterMs = settings.staleAfterMs;
    this.initialDelayMs = settings.initialDelayMs;
  }

  /** The last moment at which its last result is not stale, monotonic; infinite before the first. */
  get goodUntil(): number {
    const { last } = this.runner.state;
    return last === undefined ? Number.POSITIVE_INFINITY : last.endedAt + this.staleAfterMs;
  }

  /** What is known of it at one moment. `pause`: the one that holds it, if any does. */
  judge(monotonic: number, pause: Pause | undefined): Judgement {
    return judge(this.runner.state, monotonic, this.staleAfterMs, pause !== undefined);
  }

  /** The same for a reader, with why. */
  view(monotonic: number, pause: Pause | undefined): ProbeView {
    const { state, probe } = this.runner;
    const judgement = this.judge(monotonic, pause);
    const { status, stale, ageMs } = judgement;
    return {
      name: this.name,
      measurement: probe.measurement ?? 'responseTime',
      componentType: probe.componentType ?? 'component',
      critical: this.critical,
      status,
      since: new Date(state.since),
      stale,
      consecutiveFailures: state.failures,
      consecutiveSuccesses: state.successes,
      ...(ageMs === undefined ? {} : { ageMs }),
      ...(state.last === undefined ? {} : { last: state.last }),
      ...(state.lastFailure === undefined ? {} : { lastFailure: state.lastFailure }),
      ...(state.lastSuccessAt === undefined ? {} : { lastSuccessAt: new Date(state.lastSuccessAt) }),
      ...this.#explain(judgement, pause),
    };
  }

  #explain(
    { status, stale, ageMs }: Judgement,
    pause: Pause | undefined,
  ): { output?: string; code?: string } {
    const { last, lastFailure } = this.runner.state;
    if (status === 'paused') {
      const { reason, until } = pause ?? {};
      return {
        output: `paused${until ? ` until ${until.toISOString()}` : ''}${reason ? `: ${reason}` : ''}`,
      };
    }
    if (stale) {
      const age = Math.round((ageMs ?? 0) / 1000);
      return {
        code: 'PROBE_STALE',
        output: `the last result is ${age} s old; expected one every ${this.intervalMs} ms`,
      };
    }
    if (status === 'unknown' && last === undefined) return { output: 'not checked yet' };
    // A probe that is on its way to a status says what its last run saw.
    const source =
      last?.outcome === 'fail' || status === 'warn' ? last : status === 'fail' ? lastFailure : undefined;
    return {
      ...(source?.output === undefined ? {} : { output: source.output }),
      ...(source?.code === undefined ? {} : { code: source.code }),
    };
  }
}
