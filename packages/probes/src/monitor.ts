import type { Clock } from './clock.ts';
import type { Duration } from './duration.ts';
import type { HistoryLimits } from './history.ts';
import type { ComponentType, Probe } from './probe.ts';
import type { RunResult, Status } from './status.ts';

/** How one probe is run and judged. A {@link Duration} is milliseconds or a text such as `5s`. */
export interface ProbeSettings {
  /** A critical probe that fails makes the whole fail; one that is not makes it warn. Default true. */
  critical?: boolean;
  /** From the start of one run to the start of the next. Default 5 s. */
  interval?: Duration;
  /** A run that takes longer is cancelled and has failed. Default 2 s. */
  timeout?: Duration;
  /** Failures in a row before the probe fails. Default 3. */
  failureThreshold?: number;
  /** Passes in a row before the probe passes (again). Default 1. */
  successThreshold?: number;
  /** A result older than this fails whatever it was. Default twice the interval plus the time-out. */
  staleAfter?: Duration;
  /** Before the first run. Default 0, to which the monitor adds a share of its `spread`. */
  initialDelay?: Duration;
}

/** A probe together with how it is run. */
export interface MonitoredProbe extends ProbeSettings {
  /** The probe itself. */
  probe: Probe;
}

/** Options of {@link createMonitor}. The settings of a probe stand here as defaults for all of them. */
export interface MonitorOptions extends Omit<ProbeSettings, 'critical'> {
  /** The probes; more can come with `add`. */
  probes?: ReadonlyArray<Probe | MonitoredProbe>;
  /**
   * Which probes answer which question, by name. `readiness` default: all probes. `liveness` default: none, because a
   * restart mends little. `startup` default: the members of `readiness`. Any other name makes a group of your own.
   */
  groups?: Readonly<Record<string, readonly string[]>>;
  /** How long after the start `liveness` stays healthy whatever its probes say, unless `startup` was reached. Default 0. */
  startupGrace?: Duration;
  /** First runs are spread over this time, with jitter, so that they do not fire as a herd. Default 1 s, never more than the interval. */
  spread?: Duration;
  /** How much past is kept of each probe. Default 60 results, and 20 failures beyond those. */
  history?: Partial<HistoryLimits>;
  /**
   * Told of what a listener of `on` throws, or rejects with. Default: it is dropped, as it is somebody else's error and
   * must reach neither the probes nor the process.
   */
  onListenerError?: (error: unknown, event: keyof MonitorEvents) => void;
  /** Strings that are masked wherever they would appear in an output, beside what looks like a credential anyway. */
  secrets?: readonly string[];
  /** Default: the clock of this process. */
  clock?: Clock;
  /** A number from 0 to 1, for the jitter. Default `Math.random`. */
  random?: () => number;
}

/** A probe as a reader sees it at one moment. */
export interface ProbeView {
  /** The name of the probe. */
  readonly name: string;
  /** What health+json calls the measurement. */
  readonly measurement: string;
  /** The kind of thing it looks at. */
  readonly componentType: ComponentType;
  /** Whether its failure makes the whole fail, or only warn. */
  readonly critical: boolean;
  /** What is known of it at this moment. */
  readonly status: Status;
  /** When `status` last changed by a result. */
  readonly since: Date;
  /** True when the last result is too old to be trusted; the status is then `fail`. */
  readonly stale: boolean;
  /** Age of the last result, in milliseconds. */
  readonly ageMs?: number;
  /** The last run, whatever its outcome. */
  readonly last?: RunResult;
  /** The last run that failed. */
  readonly lastFailure?: RunResult;
  /** When a run last passed. */
  readonly lastSuccessAt?: Date;
  /** Failures in a row, ending with the last run. */
  readonly consecutiveFailures: number;
  /** Passes in a row, ending with the last run. */
  readonly consecutiveSuccesses: number;
  /** Why the status is not `pass`; redacted. */
  readonly output?: string;
  /** Stable code of the failure in `output`. */
  readonly code?: string;
}

/** A group as a reader sees it at one moment. */
export interface GroupView {
  /** `liveness`, `readiness`, `startup`, or the name of a group of your own. */
  readonly name: string;
  /** The members' worst, see {@link aggregate}; `unknown` for a group without members until the monitor has started. */
  readonly status: Status;
  /**
   * The answer to the group's question: whether `status` is healthy. `liveness` asks whether the process should be
   * left alone, which needs a failure to be denied: it is healthy unless its status is `fail`, and during the start-up
   * grace even then. `startup` stays healthy once it was.
   */
  readonly healthy: boolean;
  /** Why not, where that is not in the members themselves. */
  readonly output?: string;
  /** Names of the members. */
  readonly probes: readonly string[];
}

/** Everything the monitor knows at one moment. Read from memory: taking it runs no probe. */
export interface Snapshot {
  /** When it was taken, wall clock. */
  readonly at: Date;
  /** The worst of all probes, see {@link aggregate}. */
  readonly status: Status;
  /** In the order in which they were given. */
  readonly probes: readonly ProbeView[];
  /** By name; `liveness`, `readiness` and `startup` are always there. */
  readonly groups: Readonly<Record<string, GroupView>>;
  /** The pause that is in force. */
  readonly pause?: Pause;
}

/** Maintenance: while it lasts, the probes it names are not run and show as `paused`. */
export interface Pause {
  /** When it begins. Default now. */
  from?: Date;
  /** When it ends by itself. Default: when `resume` is called. */
  until?: Date;
  /** Why, for a reader. */
  reason?: string;
  /** Names. Default: all probes. */
  probes?: readonly string[];
}

/** Something that changed. */
export type Change =
  | {
      readonly kind: 'probe';
      readonly name: string;
      readonly from: Status;
      readonly to: Status;
      readonly at: Date;
      readonly probe: ProbeView;
    }
  | {
      readonly kind: 'group';
      readonly name: string;
      readonly from: Status;
      readonly to: Status;
      readonly healthy: boolean;
      readonly at: Date;
    };

/** One finished run. */
export interface Run {
  /** The name of the probe. */
  readonly name: string;
  /** What came of it. */
  readonly result: RunResult;
}

/** What {@link Monitor.on} can be told of, and what the listener is given. */
export interface MonitorEvents {
  /** The status of a probe or group changed. */
  change: Change;
  /** A run ended. */
  run: Run;
}

/** Runs probes in the background and answers from memory. */
export interface Monitor {
  /** Begins to run the probes. A second call does nothing. */
  start(): void;
  /** Everything that is known now. Runs nothing. */
  snapshot(): Snapshot;
  /** Whether a snapshot of this monitor still holds: whether a new one would differ from it in `at` and in ages alone. Costs the same however many probes there are. */
  isCurrent(snapshot: Snapshot): boolean;
  /** One group as it is now, without the cost of a whole snapshot. @throws {ProbeOptionError} when there is none of that name. */
  group(name: string): GroupView;
  /** One probe as it is now; undefined when there is none of that name. */
  probe(name: string): ProbeView | undefined;
  /** The bounded past of one probe, oldest first; empty when there is none of that name. */
  history(name: string): readonly RunResult[];
  /** Runs a probe now, or joins the run that is under way, and resolves with what is known then. Works before `start()`, and during a pause. @throws {ProbeOptionError} when there is none of that name. @throws {ProbeError} `PROBE_CLOSED` when the probe or the monitor was closed meanwhile. */
  check(name: string): Promise<ProbeView>;
  /** Forgets what is known of a probe, because what it asks was replaced: it is `unknown` until a run has ended that begins after this call, at once unless an earlier one is still under way. Thresholds count from nothing; the history stays. @throws {ProbeOptionError} when there is none of that name. */
  forget(name: string): void;
  /** Adds a probe, to `readiness` unless the groups were given by name, and to the groups named here. @throws {ProbeOptionError} when an option cannot work. @throws {ProbeError} `PROBE_CLOSED` after `close()`. */
  add(probe: Probe | MonitoredProbe, options?: { groups?: readonly string[] }): void;
  /** Removes a probe, from its groups as well, and lets it close. Resolves to false when there was none of that name. */
  remove(name: string): Promise<boolean>;
  /** Stops asking for a time. A later call replaces the pause. @throws {ProbeOptionError} when a name is unknown or the end is before the beginning. */
  pause(pause?: Pause): void;
  /** Ends the pause. A probe that missed a turn meanwhile is `unknown` until it has run. */
  resume(): void;
  /** Calls `listener` at each event; the returned function ends that. What a listener throws, or rejects with, goes to `onListenerError`. */
  on<E extends keyof MonitorEvents>(event: E, listener: (value: MonitorEvents[E]) => void): () => void;
  /** Stops every probe and lets each close, for as long as its time-out. Afterwards all of them are `unknown`, and no timer, socket or connection is left. */
  close(): Promise<void>;
}
