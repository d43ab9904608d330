/** The two clocks a drain reads. Passed in, so that tests can own time. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch: for what is written down. */
  readonly now: () => number;
  /** Monotonic, milliseconds since any fixed point: for budgets, which a corrected wall clock must not stretch. */
  readonly elapsed: () => number;
}

/** The clocks of this process; `elapsed` counts from its start. */
export const systemClock: Clock = { now: () => Date.now(), elapsed: () => performance.now() };
