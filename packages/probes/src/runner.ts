import { type Agenda, appointment } from './agenda.ts';
import type { Clock } from './clock.ts';
import { ProbeError } from './errors.ts';
import { History, type HistoryLimits } from './history.ts';
import { readObservation } from './observation.ts';
import type { Probe } from './probe.ts';
import { describeError, redactValue } from './redact.ts';
import { initialState, type ProbeState, type RunResult, record, type Thresholds } from './status.ts';

/** What a runner needs to know, with every default filled in; times in milliseconds. */
export interface RunnerSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly thresholds: Thresholds;
  readonly history: HistoryLimits;
  readonly secrets: readonly string[];
  readonly clock: Clock;
  /** Where turns and time-outs stand. */
  readonly agenda: Agenda;
  /** Asked at each turn: while true the probe is not run and nothing is remembered of it. */
  readonly isPaused: () => boolean;
  /** Told whenever what is known of the probe has changed. */
  readonly onState: () => void;
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
  readonly #turn = appointment(() => this.#takeTurn());
  readonly #timeout = appointment(() => this.#flight?.abort(this.#late()));
  /** The run that still may give a result. */
  #flight: { result: Promise<RunResult>; abort: (reason: ProbeError) => void } | undefined;
  /** True from the start of a run until the probe's own promise settles, long after a time-out perhaps. */
  #held = false;
  /** The run that is under way began before all was forgotten: what comes of it does not count. */
  #outdated = false;
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
    this.#setTurn(delayMs);
  }

  /** Runs now, or joins the run that is under way. */
  check(): Promise<RunResult> {
    if (this.#flight !== undefined) return this.#flight.result;
    if (this.#stopped) return Promise.resolve(this.#failure(this.#begin(), closed()));
    // Told, not counted: however many ask, a stuck run is one failure a turn.
    return this.#held ? Promise.resolve(this.#failure(this.#begin(), stuck())) : this.#run();
  }

  /** Forgets what was known and runs anew: at once, or when the run that is under way has let go. */
  forget(): void {
    if (this.#stopped || (this.#state.last === undefined && !this.#held)) return;
    this.#set(initialState(this.#settings.clock.now()));
    if (this.#held) this.#outdated = true;
    else if (!this.#settings.isPaused()) void this.#run();
  }

  /** Ends the schedule, cuts off a run that is under way, and lets the probe close. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#settings.agenda.clear(this.#turn);
    this.#flight?.abort(closed());
    // Nothing is known from here on, and what was known must not be read as if it were.
    this.#set(initialState(this.#settings.clock.now()));
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancelPatience = this.#settings.clock.after(this.#settings.timeoutMs, resolve);
    try {
      // A probe that cannot close must not keep its monitor from closing.
      await Promise.race([this.probe.close?.(), late]);
    } finally {
      cancelPatience();
    }
  }

  #setTurn(inMs: number): void {
    this.#settings.agenda.set(this.#turn, this.#settings.clock.monotonic() + inMs);
  }

  #takeTurn(): void {
    const { clock, intervalMs, isPaused, onPaused } = this.#settings;
    // Before the run, so that a run which throws from an unexpected place cannot end the schedule. What a busy process
    // is late by is not added up; one that was suspended begins anew.
    const lateMs = clock.monotonic() - this.#turn.due;
    this.#setTurn(lateMs < intervalMs / 10 ? intervalMs - lateMs : intervalMs);
    if (isPaused()) {
      // What was known before a pause says nothing about the time after it.
      if (this.#state.last !== undefined) this.#set(initialState(clock.now()));
      onPaused();
    } else if (this.#flight === undefined) {
      if (this.#held) this.#remember(this.#failure(this.#begin(), stuck()));
      else void this.#run();
    }
  }

  #begin(): { at: number; monotonic: number } {
    return { at: this.#settings.clock.now(), monotonic: this.#settings.clock.monotonic() };
  }

  #run(): Promise<RunResult> {
    const { agenda, clock, timeoutMs } = this.#settings;
    const controller = new AbortController();
    const started = this.#begin();
    const { promise, resolve } = Promise.withResolvers<RunResult>();
    let ended = false;
    const end = (make: () => RunResult): void => {
      if (ended) return;
      ended = true;
      agenda.clear(this.#timeout);
      this.#flight = undefined;
      const result = make();
      if (!this.#stopped && !this.#outdated) this.#remember(result);
      resolve(result);
    };
    const abort = (reason: ProbeError): void => {
      controller.abort(reason);
      end(() => this.#failure(started, reason));
    };
    agenda.set(this.#timeout, clock.monotonic() + timeoutMs);
    this.#flight = { result: promise, abort };
    this.#held = true;
    const call = async (): Promise<unknown> => this.probe.run(controller.signal);
    void call()
      .then(
        (outcome) => end(() => this.#success(started, outcome)),
        (error: unknown) => end(() => this.#failure(started, error)),
      )
      .finally(() => {
        this.#held = false;
        if (!this.#outdated) return;
        this.#outdated = false;
        if (!this.#stopped && !this.#settings.isPaused()) void this.#run();
      });
    return promise;
  }

  #remember(result: RunResult): void {
    this.#history.add(result);
    this.#set(record(this.#state, result, this.#settings.thresholds));
    this.#settings.onResult(result);
  }

  #set(state: ProbeState): void {
    this.#state = state;
    this.#settings.onState();
  }

  #late(): ProbeError {
    return new ProbeError('PROBE_TIMEOUT', `no answer within ${this.#settings.timeoutMs} ms`);
  }

  #success(started: { at: number; monotonic: number }, outcome: unknown): RunResult {
    try {
      return { ...this.#times(started), ...readObservation(outcome, this.#settings.secrets) };
    } catch (error) {
      return this.#failure(started, error);
    }
  }

  #failure(started: { at: number; monotonic: number }, error: unknown): RunResult {
    const { secrets } = this.#settings;
    const details = read(error, 'details');
    return {
      ...this.#times(started),
      outcome: 'fail',
      code: codeOf(error),
      output: describeError(error, secrets),
      ...(isRecord(details) ? { details: redactValue(details, secrets) as Record<string, unknown> } : {}),
    };
  }

  #times(started: { at: number; monotonic: number }): Pick<RunResult, 'at' | 'endedAt' | 'durationMs'> {
    const endedAt = this.#settings.clock.monotonic();
    return { at: started.at, endedAt, durationMs: Math.max(0, endedAt - started.monotonic) };
  }
}

function codeOf(error: unknown): string {
  const code = read(error, 'code');
  return typeof code === 'string' && /^[A-Z0-9_]{2,64}$/.test(code) ? code : 'PROBE_FAILED';
}

function read(error: unknown, key: 'code' | 'details'): unknown {
  try {
    return error instanceof Error ? (error as { [K in typeof key]?: unknown })[key] : undefined;
  } catch {
    // A getter of somebody else's error that throws.
    return undefined;
  }
}

/** An object literal: what else somebody else's error may carry is not for a reader. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype;
}

function stuck(): ProbeError {
  return new ProbeError(
    'PROBE_STUCK',
    'an earlier run ignores its cancellation and has not ended; expected it to stop',
  );
}

function closed(): ProbeError {
  return new ProbeError('PROBE_CLOSED', 'the monitor was closed');
}
