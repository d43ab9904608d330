import type { Clock } from './clock.ts';
import { ProbeError } from './errors.ts';
import { History, type HistoryLimits } from './history.ts';
import type { Probe, ProbeOutcome } from './probe.ts';
import { describeError, redact, redactValue } from './redact.ts';
import { initialState, type ProbeState, type RunResult, record, type Thresholds } from './status.ts';

/** What a runner needs to know, with every default filled in; times in milliseconds. */
export interface RunnerSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly thresholds: Thresholds;
  readonly history: HistoryLimits;
  readonly secrets: readonly string[];
  readonly clock: Clock;
  /** Asked at each turn: while true the probe is not run and nothing is remembered of it. */
  readonly isPaused: () => boolean;
  /** Told of each result after it entered the state. */
  readonly onResult: (result: RunResult) => void;
  /** Told when a turn was left out because of a pause. */
  readonly onPaused: () => void;
}

/**
 * Runs one probe over and over, at a fixed rate, one run at a time.
 *
 * A run that is over its time is aborted and counts as failed at that moment, whether or not the probe lets go. A
 * probe that ignores its signal is not run again while it hangs: each turn counts one more failure instead, so that
 * runs never overlap and never pile up.
 */
export class ProbeRunner {
  readonly probe: Probe;
  readonly #settings: RunnerSettings;
  readonly #history: History;
  #state: ProbeState;
  #cancelTurn: (() => void) | undefined;
  /** The run that still may give a result. */
  #flight: { result: Promise<RunResult>; abort: (reason: ProbeError) => void } | undefined;
  /** True from the start of a run until the probe's own promise settles, long after a time-out perhaps. */
  #held = false;
  #stopped = false;

  constructor(probe: Probe, settings: RunnerSettings) {
    this.probe = probe;
    this.#settings = settings;
    this.#history = new History(settings.history);
    this.#state = initialState(settings.clock.now());
  }

  get state(): ProbeState {
    return this.#state;
  }

  get history(): readonly RunResult[] {
    return this.#history.list();
  }

  /** Takes the first turn after `delayMs`, then one every interval. */
  start(delayMs: number): void {
    this.#cancelTurn = this.#settings.clock.after(delayMs, () => this.#turn());
  }

  /** Runs now, or joins the run that is under way. */
  check(): Promise<RunResult> {
    if (this.#flight !== undefined) return this.#flight.result;
    if (this.#stopped) return Promise.resolve(this.#failure(this.#begin(), closed()));
    return this.#held ? Promise.resolve(this.#countStuck()) : this.#run();
  }

  /** Ends the schedule, cuts off a run that is under way, and lets the probe close. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancelTurn?.();
    this.#flight?.abort(closed());
    await this.probe.close?.();
  }

  #turn(): void {
    const { clock, intervalMs, isPaused, onPaused } = this.#settings;
    // Before the run, so that a run which throws from an unexpected place cannot end the schedule.
    this.#cancelTurn = clock.after(intervalMs, () => this.#turn());
    if (isPaused()) {
      // What was known before a pause says nothing about the time after it.
      if (this.#state.last !== undefined) this.#state = initialState(clock.now());
      onPaused();
    } else if (this.#flight === undefined) {
      if (this.#held) this.#countStuck();
      else void this.#run();
    }
  }

  #begin(): { at: number; monotonic: number } {
    return { at: this.#settings.clock.now(), monotonic: this.#settings.clock.monotonic() };
  }

  #run(): Promise<RunResult> {
    const { clock, timeoutMs } = this.#settings;
    const controller = new AbortController();
    const started = this.#begin();
    const { promise, resolve } = Promise.withResolvers<RunResult>();
    let ended = false;
    const end = (make: () => RunResult): void => {
      if (ended) return;
      ended = true;
      cancelTimeout();
      this.#flight = undefined;
      const result = make();
      resolve(result);
      if (!this.#stopped) this.#remember(result);
    };
    const abort = (reason: ProbeError): void => {
      controller.abort(reason);
      end(() => this.#failure(started, reason));
    };
    const cancelTimeout = clock.after(timeoutMs, () =>
      abort(new ProbeError('PROBE_TIMEOUT', `no answer within ${timeoutMs} ms`)),
    );
    this.#flight = { result: promise, abort };
    this.#held = true;
    const call = async (): Promise<ProbeOutcome> => this.probe.run(controller.signal);
    void call()
      .then(
        (outcome) => end(() => this.#success(started, outcome)),
        (error: unknown) => end(() => this.#failure(started, error)),
      )
      .finally(() => {
        this.#held = false;
      });
    return promise;
  }

  #countStuck(): RunResult {
    const result = this.#failure(
      this.#begin(),
      new ProbeError(
        'PROBE_STUCK',
        'an earlier run ignores its cancellation and has not ended; expected it to stop',
      ),
    );
    this.#remember(result);
    return result;
  }

  #remember(result: RunResult): void {
    this.#state = record(this.#state, result, this.#settings.thresholds);
    this.#history.add(result);
    this.#settings.onResult(result);
  }

  #success(started: { at: number; monotonic: number }, outcome: ProbeOutcome): RunResult {
    // A probe written in plain JavaScript may return anything; what is not understood must not count as healthy.
    const problem = misunderstood(outcome);
    if (problem !== undefined) return this.#failure(started, new ProbeError('PROBE_FAILED', problem));
    const { status = 'pass', value, unit, output, details } = outcome ?? {};
    const { secrets } = this.#settings;
    return {
      ...this.#times(started),
      outcome: status,
      ...(value === undefined ? {} : { value: typeof value === 'string' ? redact(value, secrets) : value }),
      ...(unit === undefined ? {} : { unit }),
      ...(output === undefined ? {} : { output: redact(output, secrets) }),
      ...(details === undefined ? {} : { details: redactValue(details, secrets) as Record<string, unknown> }),
    };
  }

  #failure(started: { at: number; monotonic: number }, error: unknown): RunResult {
    return {
      ...this.#times(started),
      outcome: 'fail',
      code: codeOf(error),
      output: describeError(error, this.#settings.secrets),
    };
  }

  #times(started: { at: number; monotonic: number }): Pick<RunResult, 'at' | 'endedAt' | 'durationMs'> {
    const endedAt = this.#settings.clock.monotonic();
    return { at: started.at, endedAt, durationMs: Math.max(0, endedAt - started.monotonic) };
  }
}

function misunderstood(outcome: unknown): string | undefined {
  if (outcome === undefined || outcome === null) return undefined;
  if (typeof outcome !== 'object')
    return `the probe returned ${String(outcome)}; expected nothing or an observation`;
  const status = (outcome as { status?: unknown }).status;
  if (status === undefined || status === 'pass' || status === 'warn') return undefined;
  return `the probe returned status ${JSON.stringify(status)}; expected "pass" or "warn", and a throw on failure`;
}

function codeOf(error: unknown): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' && /^[A-Z0-9_]{2,64}$/.test(code) ? code : 'PROBE_FAILED';
}

function closed(): ProbeError {
  return new ProbeError('PROBE_CLOSED', 'the monitor was closed');
}
