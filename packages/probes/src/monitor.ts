import { type Clock, systemClock } from './clock.ts';
import { type Duration, durationOption } from './duration.ts';
import { ProbeError, ProbeOptionError } from './errors.ts';
import type { HistoryLimits } from './history.ts';
import { assertProbeName, type ComponentType, type Probe } from './probe.ts';
import { redact } from './redact.ts';
import { ProbeRunner } from './runner.ts';
import {
  aggregate,
  isHealthy,
  type Judgement,
  judge,
  type Member,
  type RunResult,
  type Status,
} from './status.ts';

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

interface Entry {
  readonly runner: ProbeRunner;
  readonly critical: boolean;
  readonly staleAfterMs: number;
  readonly initialDelayMs: number;
  readonly intervalMs: number;
  cancelStaleCheck: (() => void) | undefined;
  shown: Status;
}

const BUILT_IN_GROUPS = ['liveness', 'readiness', 'startup'] as const;

/**
 * Makes a monitor. Nothing runs before `start()`.
 *
 * @throws {ProbeOptionError} when an option cannot work: a duration that is none, two probes of one name, a group that
 * names an unknown probe.
 */
export function createMonitor(options: MonitorOptions = {}): Monitor {
  return new BackgroundMonitor(options);
}

class BackgroundMonitor implements Monitor {
  readonly #options: MonitorOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #spreadMs: number;
  readonly #graceMs: number;
  readonly #history: HistoryLimits;
  readonly #entries = new Map<string, Entry>();
  readonly #groups = new Map<string, Set<string>>();
  readonly #shownGroups = new Map<string, { status: Status; healthy: boolean }>();
  readonly #listeners: { [E in keyof MonitorEvents]: Set<(value: MonitorEvents[E]) => void> } = {
    change: new Set(),
    run: new Set(),
  };
  #pause: Pause | undefined;
  #startedAt: number | undefined;
  #startupReached = false;
  #closed = false;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#spreadMs = durationOption('spread', options.spread ?? 1000, 0);
    this.#graceMs = durationOption('startupGrace', options.startupGrace ?? 0, 0);
    const { results = 60, failures = 20 } = options.history ?? {};
    this.#history = {
      results: count('history.results', results, 1),
      failures: count('history.failures', failures, 0),
    };
    for (const item of options.probes ?? []) this.#insert(item);
    for (const [group, names] of Object.entries(options.groups ?? {})) {
      if (!Array.isArray(names))
        throw new ProbeOptionError(`groups.${group}`, 'a list of probe names', names);
      for (const name of names) this.#assertKnown(`groups.${group}`, name);
      this.#groups.set(group, new Set(names));
    }
    this.#showGroups();
  }

  start(): void {
    if (this.#startedAt !== undefined || this.#closed) return;
    this.#startedAt = this.#clock.monotonic();
    this.#showGroups();
    let position = 0;
    for (const entry of this.#entries.values()) {
      this.#launch(entry, position, this.#entries.size);
      position += 1;
    }
  }

  snapshot(): Snapshot {
    const probes = [...this.#entries.values()].map((entry) => this.#view(entry));
    const names = new Set<string>([...BUILT_IN_GROUPS, ...this.#groups.keys()]);
    const pause = this.#activePause();
    return {
      at: new Date(this.#clock.now()),
      status: this.#whole(probes),
      probes,
      groups: Object.fromEntries([...names].map((name) => [name, this.#groupView(name)])),
      ...(pause === undefined ? {} : { pause }),
    };
  }

  group(name: string): GroupView {
    if (!this.#groups.has(name) && !BUILT_IN_GROUPS.some((builtIn) => builtIn === name)) {
      throw new ProbeOptionError(
        'group',
        `one of ${[...new Set([...BUILT_IN_GROUPS, ...this.#groups.keys()])].join(', ')}`,
        name,
      );
    }
    return this.#groupView(name);
  }

  probe(name: string): ProbeView | undefined {
    const entry = this.#entries.get(name);
    return entry === undefined ? undefined : this.#view(entry);
  }

  history(name: string): readonly RunResult[] {
    return this.#entries.get(name)?.runner.history ?? [];
  }

  async check(name: string): Promise<ProbeView> {
    const entry = this.#entry('check', name);
    const result = await entry.runner.check();
    if (this.#entries.get(name) !== entry || this.#closed) {
      throw new ProbeError('PROBE_CLOSED', result.output ?? 'the probe was closed');
    }
    return this.#view(entry);
  }

  forget(name: string): void {
    const entry = this.#entry('forget', name);
    entry.cancelStaleCheck?.();
    entry.runner.forget();
    this.#showAll();
  }

  add(item: Probe | MonitoredProbe, options: { groups?: readonly string[] } = {}): void {
    if (this.#closed) throw new ProbeError('PROBE_CLOSED', 'the monitor was closed; expected no more probes');
    const entry = this.#insert(item);
    for (const group of options.groups ?? []) {
      // Naming members turns a default group into a list, which then begins with the members it had.
      if (!this.#groups.has(group)) this.#groups.set(group, new Set(this.#members(group)));
      this.#groups.get(group)?.add(entry.runner.probe.name);
    }
    if (this.#startedAt !== undefined) this.#launch(entry, 0, 1);
    this.#showGroups();
  }

  async remove(name: string): Promise<boolean> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    this.#entries.delete(name);
    for (const members of this.#groups.values()) members.delete(name);
    entry.cancelStaleCheck?.();
    this.#showGroups();
    await entry.runner.stop();
    return true;
  }

  pause(pause: Pause = {}): void {
    for (const name of pause.probes ?? []) this.#assertKnown('pause.probes', name);
    if (pause.until !== undefined && pause.until.getTime() <= (pause.from?.getTime() ?? this.#clock.now())) {
      throw new ProbeOptionError(
        'pause.until',
        'a time after the beginning of the pause',
        pause.until.toISOString(),
      );
    }
    this.#pause = {
      ...pause,
      ...(pause.reason === undefined ? {} : { reason: redact(pause.reason, this.#options.secrets) }),
    };
    this.#showAll();
  }

  resume(): void {
    this.#pause = undefined;
    this.#showAll();
  }

  on<E extends keyof MonitorEvents>(event: E, listener: (value: MonitorEvents[E]) => void): () => void {
    this.#listeners[event].add(listener);
    return () => this.#listeners[event].delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const entry of this.#entries.values()) entry.cancelStaleCheck?.();
    await Promise.allSettled([...this.#entries.values()].map(({ runner }) => runner.stop()));
    for (const listeners of Object.values(this.#listeners)) listeners.clear();
  }

  #insert(item: Probe | MonitoredProbe): Entry {
    const own: MonitoredProbe = 'probe' in item ? item : { probe: item };
    const { probe } = own;
    assertProbeName(probe.name);
    const name = probe.name;
    if (this.#entries.has(name)) throw new ProbeOptionError('probes', 'each name once', name);
    const setting = <K extends keyof ProbeSettings>(key: K): ProbeSettings[K] =>
      own[key] ?? (this.#options as ProbeSettings)[key];
    const intervalMs = durationOption(`${name}.interval`, setting('interval') ?? 5000, 10);
    const timeoutMs = durationOption(`${name}.timeout`, setting('timeout') ?? 2000, 1);
    const staleAfterMs = durationOption(
      `${name}.staleAfter`,
      setting('staleAfter') ?? 2 * intervalMs + timeoutMs,
      1,
    );
    if (staleAfterMs <= intervalMs) {
      throw new ProbeOptionError(
        `${name}.staleAfter`,
        `more than the interval of ${intervalMs} ms`,
        staleAfterMs,
      );
    }
    const entry: Entry = {
      critical: own.critical ?? true,
      staleAfterMs,
      intervalMs,
      initialDelayMs: durationOption(`${name}.initialDelay`, setting('initialDelay') ?? 0, 0),
      cancelStaleCheck: undefined,
      shown: 'unknown',
      runner: new ProbeRunner(probe, {
        intervalMs,
        timeoutMs,
        thresholds: {
          failure: count(`${name}.failureThreshold`, setting('failureThreshold') ?? 3, 1),
          success: count(`${name}.successThreshold`, setting('successThreshold') ?? 1, 1),
          staleAfterMs,
        },
        history: this.#history,
        secrets: this.#options.secrets ?? [],
        clock: this.#clock,
        isPaused: () => this.#isPaused(name),
        onResult: (result) => this.#onResult(entry, result),
        onPaused: () => this.#showAll(),
      }),
    };
    this.#entries.set(name, entry);
    return entry;
  }

  #launch(entry: Entry, position: number, of: number): void {
    const window = Math.min(this.#spreadMs, entry.intervalMs);
    // Even slots keep probes apart; the jitter inside a slot keeps many monitors apart.
    const share = ((position + this.#random()) / of) * window;
    entry.runner.start(entry.initialDelayMs + (of === 1 ? 0 : share));
  }

  #onResult(entry: Entry, result: RunResult): void {
    this.#watchStaleness(entry);
    this.#emit('run', { name: entry.runner.probe.name, result });
    this.#showAll();
  }

  /** Staleness is judged when read; this only makes the change known to listeners as well. */
  #watchStaleness(entry: Entry): void {
    entry.cancelStaleCheck?.();
    const { last } = entry.runner.state;
    const left = last === undefined ? 0 : last.endedAt + entry.staleAfterMs - this.#clock.monotonic();
    entry.cancelStaleCheck = this.#clock.after(Math.max(0, left) + 1, () => {
      const { stale, ageMs } = this.#judge(entry);
      // A timer may fire early by what its loop was late.
      if (!stale && ageMs !== undefined) this.#watchStaleness(entry);
      this.#showAll();
    });
  }

  /** Without members nothing is known before the start, and nothing is asked after it. */
  #whole(members: readonly Member[]): Status {
    return members.length === 0 && (this.#startedAt === undefined || this.#closed)
      ? 'unknown'
      : aggregate(members);
  }

  #judge({ runner, staleAfterMs }: Entry): Judgement {
    return judge(runner.state, this.#clock.monotonic(), staleAfterMs, this.#isPaused(runner.probe.name));
  }

  #view(entry: Entry): ProbeView {
    const { state, probe } = entry.runner;
    const { status, stale, ageMs } = this.#judge(entry);
    const why = this.#explain(entry, status, stale, ageMs);
    return {
      name: probe.name,
      measurement: probe.measurement ?? 'responseTime',
      componentType: probe.componentType ?? 'component',
      critical: entry.critical,
      status,
      since: new Date(state.since),
      stale,
      consecutiveFailures: state.failures,
      consecutiveSuccesses: state.successes,
      ...(ageMs === undefined ? {} : { ageMs }),
      ...(state.last === undefined ? {} : { last: state.last }),
      ...(state.lastFailure === undefined ? {} : { lastFailure: state.lastFailure }),
      ...(state.lastSuccessAt === undefined ? {} : { lastSuccessAt: new Date(state.lastSuccessAt) }),
      ...why,
    };
  }

  #explain(
    entry: Entry,
    status: Status,
    stale: boolean,
    ageMs: number | undefined,
  ): { output?: string; code?: string } {
    const { last, lastFailure } = entry.runner.state;
    if (status === 'paused') {
      const { reason, until } = this.#pause ?? {};
      return {
        output: `paused${until ? ` until ${until.toISOString()}` : ''}${reason ? `: ${reason}` : ''}`,
      };
    }
    if (stale) {
      const age = Math.round((ageMs ?? 0) / 1000);
      return {
        code: 'PROBE_STALE',
        output: `the last result is ${age} s old; expected one every ${entry.intervalMs} ms`,
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

  #members(group: string): readonly string[] {
    const named = this.#groups.get(group);
    if (named !== undefined) return [...named];
    if (group === 'liveness') return [];
    if (group === 'startup') return this.#members('readiness');
    return [...this.#entries.keys()];
  }

  #groupView(name: string): GroupView {
    const probes = this.#members(name);
    const status = this.#whole(
      probes.flatMap((member) => {
        const entry = this.#entries.get(member);
        if (entry === undefined) return [];
        return [{ status: this.#judge(entry).status, critical: entry.critical }];
      }),
    );
    if (name === 'startup' && this.#startupReached && !this.#closed)
      return { name, status: 'pass', healthy: true, probes };
    if (name === 'liveness') return { name, status, healthy: status !== 'fail' || this.#inGrace(), probes };
    return { name, status, healthy: isHealthy(status), probes };
  }

  #inGrace(): boolean {
    if (this.#startupReached) return false;
    return this.#startedAt === undefined || this.#clock.monotonic() - this.#startedAt < this.#graceMs;
  }

  #activePause(): Pause | undefined {
    const pause = this.#pause;
    if (pause === undefined) return undefined;
    const now = this.#clock.now();
    if (pause.from !== undefined && now < pause.from.getTime()) return undefined;
    return pause.until !== undefined && now >= pause.until.getTime() ? undefined : pause;
  }

  #isPaused(name: string): boolean {
    const pause = this.#activePause();
    return pause !== undefined && (pause.probes === undefined || pause.probes.includes(name));
  }

  #showAll(): void {
    for (const entry of this.#entries.values()) {
      const from = entry.shown;
      const { status } = this.#judge(entry);
      if (status === from) continue;
      entry.shown = status;
      const view = this.#view(entry);
      this.#emit('change', {
        kind: 'probe',
        name: view.name,
        from,
        to: status,
        at: new Date(this.#clock.now()),
        probe: view,
      });
    }
    this.#showGroups();
  }

  #showGroups(): void {
    if (!this.#startupReached && this.#startedAt !== undefined && this.#groupView('startup').healthy) {
      this.#startupReached = true;
    }
    for (const name of new Set<string>([...BUILT_IN_GROUPS, ...this.#groups.keys()])) {
      const { status, healthy } = this.#groupView(name);
      const shown = this.#shownGroups.get(name);
      this.#shownGroups.set(name, { status, healthy });
      if (shown === undefined || (shown.status === status && shown.healthy === healthy)) continue;
      this.#emit('change', {
        kind: 'group',
        name,
        from: shown.status,
        to: status,
        healthy,
        at: new Date(this.#clock.now()),
      });
    }
  }

  #emit<E extends keyof MonitorEvents>(event: E, value: MonitorEvents[E]): void {
    for (const listener of this.#listeners[event]) {
      // A listener is somebody else's code, asynchronous perhaps: what it throws must reach neither the probes, nor the
      // other listeners, nor the process.
      const call = async (): Promise<void> => listener(value);
      const tell = async (error: unknown): Promise<void> => this.#options.onListenerError?.(error, event);
      call()
        .catch(tell)
        .catch(() => undefined);
    }
  }

  #entry(option: string, name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw unknownProbe(option, name, this.#entries.keys());
    return entry;
  }

  #assertKnown(option: string, name: string): void {
    if (!this.#entries.has(name)) throw unknownProbe(option, name, this.#entries.keys());
  }
}

function unknownProbe(option: string, name: string, known: Iterable<string>): ProbeOptionError {
  return new ProbeOptionError(
    option,
    `a probe of this monitor (${[...known].join(', ') || 'it has none'})`,
    name,
  );
}

function count(option: string, value: number, min: number): number {
  if (Number.isInteger(value) && value >= min) return value;
  throw new ProbeOptionError(option, `a whole number of at least ${min}`, value);
}
