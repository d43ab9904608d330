import { setImmediate as nextLoop } from 'node:timers/promises';
import type { Clock } from './clock.ts';
import { assertProbeName, type Observation, type Probe, type ProbeOutcome } from './probe.ts';

/** A clock that stands still until it is told to move. Pass it to a monitor as `clock`. */
export interface FakeClock extends Clock {
  /** Lets `ms` milliseconds pass: fires each timer at its moment, and lets promises settle in between. */
  advance(ms: number): Promise<void>;
  /** Lets `ms` milliseconds pass without firing any timer, as in a process that is suspended. They fire late, with the next `advance`. */
  suspend(ms: number): void;
  /** Moves the wall clock alone, as a correction of the time does; negative goes back. */
  jump(ms: number): void;
  /** Lets promises settle; no time passes. */
  flush(): Promise<void>;
  /** How many timers are set. After a monitor has closed: none of its own. */
  readonly timers: number;
}

/** Options of {@link createFakeClock}. */
export interface FakeClockOptions {
  /** Wall-clock time at which it begins, in milliseconds since 1970. Default 2026-01-01T00:00:00Z. */
  now?: number;
}

/** Makes a {@link FakeClock}. */
export function createFakeClock({ now = Date.UTC(2026, 0, 1) }: FakeClockOptions = {}): FakeClock {
  let wall = now;
  let elapsed = 0;
  const timers = new Map<symbol, { due: number; callback: () => void }>();
  const pass = (ms: number): void => {
    wall += ms;
    elapsed += ms;
  };
  const earliest = (): number => {
    let first = Number.POSITIVE_INFINITY;
    for (const { due } of timers.values()) first = Math.min(first, due);
    return first;
  };
  return {
    now: () => wall,
    monotonic: () => elapsed,
    after(ms, callback) {
      const id = Symbol('timer');
      timers.set(id, { due: elapsed + ms, callback });
      return () => timers.delete(id);
    },
    async advance(ms) {
      const end = elapsed + ms;
      await nextLoop();
      for (let due = earliest(); due <= end; due = earliest()) {
        pass(Math.max(0, due - elapsed));
        for (const [id, timer] of timers) {
          if (timer.due !== due) continue;
          timers.delete(id);
          timer.callback();
        }
        await nextLoop();
      }
      pass(end - elapsed);
      await nextLoop();
    },
    suspend: pass,
    jump(ms) {
      wall += ms;
    },
    async flush() {
      await nextLoop();
    },
    get timers() {
      return timers.size;
    },
  };
}

/**
 * What a {@link ScriptedProbe} does in one run. `pass`, `warn` and `fail` end at once; `hang` never answers but ends
 * when it is cancelled; `stuck` never answers and ignores its cancellation until `release()`. An observation passes
 * with it, an error is thrown, a function is called.
 */
export type ScriptStep =
  | 'pass'
  | 'warn'
  | 'fail'
  | 'hang'
  | 'stuck'
  | Observation
  | Error
  | ((signal: AbortSignal) => ProbeOutcome | Promise<ProbeOutcome>);

/** A probe that does as it is told. */
export interface ScriptedProbe extends Probe {
  /** Replaces what is left of the script. The last step is repeated for ever. */
  script(...steps: ScriptStep[]): void;
  /** Lets every `stuck` run end. */
  release(): void;
  /** How often it was run. */
  readonly runs: number;
  /** How many runs have not ended. */
  readonly running: number;
  /** The most runs that were under way at one time. */
  readonly mostRunning: number;
  /** How often it was told to close. */
  readonly closed: number;
}

/**
 * Makes a {@link ScriptedProbe}.
 *
 * @throws {ProbeOptionError} when the name cannot be used.
 */
export function scriptedProbe(name: string, ...steps: ScriptStep[]): ScriptedProbe {
  assertProbeName(name);
  let left = steps;
  let runs = 0;
  let running = 0;
  let mostRunning = 0;
  let closed = 0;
  let { promise: released, resolve: release } = Promise.withResolvers<void>();
  const perform = (step: ScriptStep, signal: AbortSignal): ProbeOutcome | Promise<ProbeOutcome> => {
    if (step === 'pass') return undefined;
    if (step === 'warn') return { status: 'warn', output: 'scripted warning' };
    if (step === 'fail') throw new Error('scripted failure');
    if (step === 'stuck') return released;
    if (step === 'hang') {
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    }
    if (step instanceof Error) throw step;
    return typeof step === 'function' ? step(signal) : step;
  };
  return {
    name,
    async run(signal) {
      runs += 1;
      running += 1;
      mostRunning = Math.max(mostRunning, running);
      const step = left[0] ?? 'pass';
      if (left.length > 1) left = left.slice(1);
      try {
        return await perform(step, signal);
      } finally {
        running -= 1;
      }
    },
    close() {
      closed += 1;
    },
    script(...next) {
      left = next;
    },
    release() {
      release();
      ({ promise: released, resolve: release } = Promise.withResolvers<void>());
    },
    get runs() {
      return runs;
    },
    get running() {
      return running;
    },
    get mostRunning() {
      return mostRunning;
    },
    get closed() {
      return closed;
    },
  };
}
