import { Agenda, appointment } from './agenda.ts';
import { type Clock, systemClock } from './clock.ts';
import { durationOption } from './duration.ts';
import { ProbeError, ProbeOptionError } from './errors.ts';
import { Groups } from './groups.ts';
import type { HistoryLimits } from './history.ts';
import type {
  GroupView,
  Monitor,
  MonitorEvents,
  MonitoredProbe,
  MonitorOptions,
  Pause,
  ProbeSettings,
  ProbeView,
  Snapshot,
} from './monitor.ts';
import { assertProbeName, type Probe } from './probe.ts';
import { redact } from './redact.ts';
import { ProbeRunner } from './runner.ts';
import { isHealthy, type RunResult, type Status } from './status.ts';
import { WatchedProbe } from './watched-probe.ts';

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
  readonly #agenda: Agenda;
  readonly #random: () => number;
  readonly #spreadMs: number;
  readonly #graceMs: number;
  readonly #history: HistoryLimits;
  readonly #probes = new Map<string, WatchedProbe>();
  readonly #groups = new Groups();
  readonly #shownGroups = new Map<string, { status: Status; healthy: boolean }>();
  readonly #listeners: { [E in keyof MonitorEvents]: Set<(value: MonitorEvents[E]) => void> } = {
    change: new Set(),
    run: new Set(),
  };
  /** Probes of which something else was judged than listeners were told. */
  readonly #news = new Set<WatchedProbe>();
  readonly #staleness = appointment(() => this.#show());
  #pause: Pause | undefined;
  #startedAt: number | undefined;
  #startupReached = false;
  #closed = false;

  // What was judged of the probes holds until one of these three is over: nothing has happened (each event judges its
  // own probe), no result has turned stale, and no pause has begun or ended by itself.
  /** Changes with every event after which a reader may see something else. */
  #version = 0;
  /** No result that was not stale when it was judged is stale up to this moment, monotonic. Perhaps not later either. */
  #goodUntil = Number.POSITIVE_INFINITY;
  #judgedPause: Pause | undefined;
  /** Those that are stale, and so tell their age. */
  readonly #stale = new Set<WatchedProbe>();
  /** What was true when each snapshot was taken. */
  readonly #taken = new WeakMap<
    Snapshot,
    { readonly version: number; readonly pause: Pause | undefined; readonly inGrace: boolean }
  >();

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#agenda = new Agenda(this.#clock);
    this.#random = options.random ?? Math.random;
    this.#spreadMs = durationOption('spread', options.spread ?? 1000, 0);
    this.#graceMs = durationOption('startupGrace', options.startupGrace ?? 0, 0);
    const { results = 60, failures = 20 } = options.history ?? {};
    this.#history = {
      results: count('history.results', results, 1),
      failures: count('history.failures', failures, 0),
    };
    for (const item of options.probes ?? []) this.#insert(item);
    for (const [name, members] of Object.entries(options.groups ?? {})) {
      if (!Array.isArray(members))
        throw new ProbeOptionError(`groups.${name}`, 'a list of probe names', members);
      const group = this.#groups.define(name);
      for (const member of members) group.add(this.#known(`groups.${name}`, member));
    }
    this.#showGroups();
  }

  start(): void {
    if (this.#startedAt !== undefined || this.#closed) return;
    this.#startedAt = this.#clock.monotonic();
    this.#version += 1;
    this.#showGroups();
    let position = 0;
    for (const watched of this.#probes.values()) {
      this.#launch(watched, position, this.#probes.size);
      position += 1;
    }
  }

  snapshot(): Snapshot {
    this.#judgeAll();
    const monotonic = this.#clock.monotonic();
    const pause = this.#activePause();
    const probes = [...this.#probes.values()].map((watched) =>
      watched.view(monotonic, holds(pause, watched.name)),
    );
    const names = [...this.#groups.names];
    const snapshot: Snapshot = {
      at: new Date(this.#clock.now()),
      status: this.#whole(this.#groups.all.tally),
      probes,
      groups: Object.fromEntries(names.map((name) => [name, this.#groupView(name)])),
      ...(pause === undefined ? {} : { pause }),
    };
    this.#taken.set(snapshot, { version: this.#version, pause, inGrace: this.#inGrace() });
    return snapshot;
  }

  isCurrent(snapshot: Snapshot): boolean {
    const taken = this.#taken.get(snapshot);
    return (
      taken !== undefined &&
      taken.version === this.#version &&
      // A stale probe tells its age, which is never the same for long.
      this.#stale.size === 0 &&
      this.#clock.monotonic() <= this.#goodUntil &&
      taken.pause === this.#activePause() &&
      taken.inGrace === this.#inGrace()
    );
  }

  group(name: string): GroupView {
    if (this.#groups.get(name) === undefined) {
      throw new ProbeOptionError('group', `one of ${[...this.#groups.names].join(', ')}`, name);
    }
    this.#judgeAll();
    return this.#groupView(name);
  }

  probe(name: string): ProbeView | undefined {
    const watched = this.#probes.get(name);
    return watched === undefined ? undefined : this.#view(watched);
  }

  history(name: string): readonly RunResult[] {
    return this.#probes.get(name)?.runner.history ?? [];
  }

  async check(name: string): Promise<ProbeView> {
    const watched = this.#known('check', name);
    const result = await watched.runner.check();
    if (this.#probes.get(name) !== watched || this.#closed) {
      throw new ProbeError('PROBE_CLOSED', result.output ?? 'the probe was closed');
    }
    return this.#view(watched);
  }

  forget(name: string): void {
    this.#known('forget', name).runner.forget();
    this.#show();
  }

  add(item: Probe | MonitoredProbe, options: { groups?: readonly string[] } = {}): void {
    if (this.#closed) throw new ProbeError('PROBE_CLOSED', 'the monitor was closed; expected no more probes');
    const watched = this.#insert(item);
    // Naming members turns a default group into a list, which then begins with the members it had.
    for (const group of options.groups ?? []) this.#groups.named(group).add(watched);
    if (this.#startedAt !== undefined) this.#launch(watched, 0, 1);
    this.#showGroups();
  }

  async remove(name: string): Promise<boolean> {
    const watched = this.#probes.get(name);
    if (watched === undefined) return false;
    this.#probes.delete(name);
    this.#groups.remove(watched);
    this.#stale.delete(watched);
    this.#news.delete(watched);
    this.#version += 1;
    this.#showGroups();
    await watched.runner.stop();
    return true;
  }

  pause(pause: Pause = {}): void {
    for (const name of pause.probes ?? []) this.#known('pause.probes', name);
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
    this.#show();
  }

  resume(): void {
    this.#pause = undefined;
    this.#show();
  }

  on<E extends keyof MonitorEvents>(event: E, listener: (value: MonitorEvents[E]) => void): () => void {
    this.#listeners[event].add(listener);
    return () => this.#listeners[event].delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#version += 1;
    this.#agenda.close();
    await Promise.allSettled([...this.#probes.values()].map(({ runner }) => runner.stop()));
    for (const listeners of Object.values(this.#listeners)) listeners.clear();
  }

  #insert(item: Probe | MonitoredProbe): WatchedProbe {
    const own: MonitoredProbe = 'probe' in item ? item : { probe: item };
    const { probe } = own;
    assertProbeName(probe.name);
    const name = probe.name;
    if (this.#probes.has(name)) throw new ProbeOptionError('probes', 'each name once', name);
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
    const runner = new ProbeRunner(probe, {
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
      agenda: this.#agenda,
      isPaused: () => holds(this.#activePause(), name) !== undefined,
      onState: () => this.#judge(watched),
      onResult: (result) => {
        this.#emit('run', { name, result });
        this.#show();
      },
      onPaused: () => this.#show(),
    });
    const watched = new WatchedProbe(runner, {
      critical: own.critical ?? true,
      staleAfterMs,
      intervalMs,
      initialDelayMs: durationOption(`${name}.initialDelay`, setting('initialDelay') ?? 0, 0),
    });
    this.#probes.set(name, watched);
    this.#groups.all.add(watched);
    this.#judge(watched);
    return watched;
  }

  #launch(watched: WatchedProbe, position: number, of: number): void {
    const window = Math.min(this.#spreadMs, watched.intervalMs);
    // Even slots keep probes apart; the jitter inside a slot keeps many monitors apart.
    const share = ((position + this.#random()) / of) * window;
    watched.runner.start(watched.initialDelayMs + (of === 1 ? 0 : share));
  }

  /** Judges one probe, of which something new is known. */
  #judge(watched: WatchedProbe): void {
    this.#version += 1;
    // One that was removed is in no group, and no reader sees it.
    if (this.#probes.get(watched.name) !== watched) return;
    this.#judgeAt(this.#clock.monotonic(), watched, this.#judgedPause);
  }

  #judgeAt(monotonic: number, watched: WatchedProbe, pause: Pause | undefined): void {
    const { status, stale } = watched.judge(monotonic, holds(pause, watched.name));
    if (stale) this.#stale.add(watched);
    else this.#stale.delete(watched);
    // One that is paused has no age; all are judged again when the pause is over.
    if (!stale && status !== 'paused') this.#goodUntil = Math.min(this.#goodUntil, watched.goodUntil);
    this.#groups.judge(watched, status);
    if (watched.judged === watched.shown) this.#news.delete(watched);
    else this.#news.add(watched);
  }

  /** Judges every probe again, if time alone may have changed what was judged. Tells nobody. */
  #judgeAll(): void {
    const pause = this.#activePause();
    const monotonic = this.#clock.monotonic();
    if (pause === this.#judgedPause && monotonic <= this.#goodUntil) return;
    this.#version += 1;
    this.#judgedPause = pause;
    this.#goodUntil = Number.POSITIVE_INFINITY;
    for (const watched of this.#probes.values()) this.#judgeAt(monotonic, watched, pause);
  }

  /** Without members nothing is known before the start, and nothing is asked after it. */
  #whole({ size, whole }: { readonly size: number; readonly whole: Status }): Status {
    return size === 0 && (this.#startedAt === undefined || this.#closed) ? 'unknown' : whole;
  }

  #view(watched: WatchedProbe): ProbeView {
    return watched.view(this.#clock.monotonic(), holds(this.#activePause(), watched.name));
  }

  /** As of the last time that all were judged. */
  #groupView(name: string): GroupView {
    const { names: probes = [], tally = { size: 0, whole: 'pass' as const } } = this.#groups.get(name) ?? {};
    const status = this.#whole(tally);
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

  /** Tells listeners what has changed for a reader since they were last told. */
  #show(): void {
    this.#judgeAll();
    // In the order of the probes, as a reader sees them.
    const news =
      this.#news.size < 2 ? [...this.#news] : [...this.#probes.values()].filter((one) => this.#news.has(one));
    this.#news.clear();
    for (const watched of news) {
      const from = watched.shown;
      const to = watched.judged;
      if (from === to) continue;
      watched.shown = to;
      this.#emit('change', {
        kind: 'probe',
        name: watched.name,
        from,
        to,
        at: new Date(this.#clock.now()),
        probe: this.#view(watched),
      });
    }
    this.#showGroups();
    // Staleness is judged when read; this only makes it known to listeners as well.
    if (this.#goodUntil === Number.POSITIVE_INFINITY) this.#agenda.clear(this.#staleness);
    else if (this.#staleness.position === -1 || this.#staleness.due > this.#goodUntil + 1)
      this.#agenda.set(this.#staleness, this.#goodUntil + 1);
  }

  #showGroups(): void {
    this.#judgeAll();
    if (!this.#startupReached && this.#startedAt !== undefined && this.#groupView('startup').healthy) {
      this.#startupReached = true;
      this.#version += 1;
    }
    for (const name of this.#groups.names) {
      const { status, healthy } = this.#groupView(name);
      const shown = this.#shownGroups.get(name);
      if (shown !== undefined && shown.status === status && shown.healthy === healthy) continue;
      this.#shownGroups.set(name, { status, healthy });
      if (shown === undefined) continue;
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

  #known(option: string, name: string): WatchedProbe {
    const watched = this.#probes.get(name);
    if (watched !== undefined) return watched;
    throw new ProbeOptionError(
      option,
      `a probe of this monitor (${[...this.#probes.keys()].join(', ') || 'it has none'})`,
      name,
    );
  }
}

/** The pause, where it holds the probe of this name. */
function holds(pause: Pause | undefined, name: string): Pause | undefined {
  return pause !== undefined && (pause.probes === undefined || pause.probes.includes(name))
    ? pause
    : undefined;
}

function count(option: string, value: number, min: number): number {
  if (Number.isInteger(value) && value >= min) return value;
  throw new ProbeOptionError(option, `a whole number of at least ${min}`, value);
}
