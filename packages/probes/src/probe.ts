import { ProbeOptionError } from './errors.ts';

/** What a probe may tell beside the bare fact that it passed. */
export interface Observation {
  /** `warn`: it works, but a person should look. Default `pass`. A failure is thrown, never returned. */
  status?: 'pass' | 'warn';
  /** The measured value; where absent, health+json shows how long the run took. */
  value?: number | string | boolean;
  /** The unit of `value`, in words of the health+json draft where one fits: `ms`, `s`, `percent`, `count`. */
  unit?: string;
  /** One sentence for a person; shown only with `warn`. */
  output?: string;
  /** Anything else a reader may want, as plain JSON. Redacted like every output. */
  details?: Readonly<Record<string, unknown>>;
}

/** What `run` may give back: nothing, an {@link Observation}, or a promise of either. */
// biome-ignore lint/suspicious/noConfusingVoidType: a probe that has nothing to tell is written without a return
export type ProbeOutcome = Observation | undefined | void;

/** The kind of thing a probe looks at, after draft-inadarei-api-health-check-06. */
export type ComponentType = 'component' | 'datastore' | 'system';

/**
 * One question about the world: a name and a function of an AbortSignal that resolves when the answer is good,
 * with an {@link Observation} if it has any, and throws when it is not.
 */
export interface Probe {
  /** Unique within a monitor; also the component's name in health+json and the `probe` label in metrics. */
  readonly name: string;
  /** What health+json calls the measurement, after the colon. Default `responseTime`. */
  readonly measurement?: string;
  /** Default `component`. */
  readonly componentType?: ComponentType;
  /** Asks once. An error that it throws may carry `details`, as an observation does. When `signal` aborts, whatever the run holds (socket, backend query, timer) must be let go. */
  run(signal: AbortSignal): ProbeOutcome | Promise<ProbeOutcome>;
  /** Lets go of what is kept between runs, such as a connection. Called once, when the monitor lets go of the probe. */
  close?(): void | Promise<void>;
}

/** Options of {@link probe}. */
export interface FunctionProbeOptions {
  /** What health+json calls the measurement. Default `responseTime`. */
  measurement?: string;
  /** Default `component`. */
  componentType?: ComponentType;
  /** Called once, when the monitor lets go of the probe. */
  close?: () => void | Promise<void>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;

/** Throws a {@link ProbeOptionError} unless `name` can stand in a metric label, a health+json key and a log line. */
export function assertProbeName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new ProbeOptionError(
      'name',
      'letters, digits, ".", "_", "/" or "-", at most 128, a letter or digit first',
      name,
    );
  }
}

/**
 * Makes a probe of a function of your own. It passes when the function returns or resolves, and fails when it
 * throws or rejects.
 *
 * @throws {ProbeOptionError} when the name or the function cannot be used.
 */
export function probe(
  name: string,
  run: (signal: AbortSignal) => ProbeOutcome | Promise<ProbeOutcome>,
  options: FunctionProbeOptions = {},
): Probe {
  assertProbeName(name);
  if (typeof run !== 'function') throw new ProbeOptionError('run', 'a function of an AbortSignal', run);
  return { name, run, ...options };
}
