import type { Clock } from '../clock.ts';
import type { EventLog } from '../event-log.ts';
import type { StateFile } from '../state/state-file.ts';
import type { Alert, AlertsFile } from './alert.ts';

/** An alert on its way. */
export interface Item {
  readonly alert: Alert;
  /** When it happened, ISO 8601. */
  readonly at: string;
  /** Nobody took it when it happened. */
  late: boolean;
}

/** What keeps critical alerts; see {@link createKeptAlerts}. All times are milliseconds. */
export interface KeptAlertsOptions {
  readonly file: StateFile<AlertsFile>;
  /** Critical ones that wait for a summary to be made of them. */
  readonly gathered: () => readonly Omit<Item, 'late'>[];
  /** One try. */
  readonly post: (item: Item) => Promise<unknown>;
  /** Told that a try failed. True: the others need not be tried, nobody is there. */
  readonly failed: (error: unknown) => boolean;
  readonly log: EventLog;
  readonly clock: Clock;
  /** How many are kept. */
  readonly capacity: number;
  /** The first wait before another try; each one after it is twice as long. */
  readonly againMs: number;
}

/** The critical alerts that are not delivered: on disk, and tried again until they are. */
export interface KeptAlerts {
  readonly add: (item: Item) => void;
  readonly delivered: (item: Item) => void;
  /** Nobody took it: from now on it is tried again. */
  readonly undelivered: (item: Item) => void;
  /** Writes down what is kept. */
  readonly keep: () => void;
  /** Resolves when what an earlier process left was read, and all that came meanwhile is to be written. */
  readonly loaded: Promise<void>;
  /** Somebody takes alerts again: those that nobody took need not wait. */
  readonly tryNow: () => void;
  /** How many nobody took so far. */
  readonly late: () => number;
  readonly stop: () => void;
}

/** A critical alert that nobody took for so long, in milliseconds, is given up. */
export const GIVE_UP_MS = 86_400_000;
/** The longest wait before the next try, in milliseconds. */
const AGAIN_MAX_MS = 600_000;

/** Reads what an earlier process could not deliver, and tries that at once. */
export function createKeptAlerts(options: KeptAlertsOptions): KeptAlerts {
  const { file, post, log, clock, capacity, againMs } = options;
  /** Oldest first. */
  const items = new Set<Item>();
  let loaded = false;
  let stopped = false;
  let trying = false;
  let timer: NodeJS.Timeout | undefined;
  let wait = againMs;

  const lateOnes = (): Item[] => [...items].filter(({ late }) => late);

  function keep(): void {
    // What an earlier process left is not written over before it was read.
    if (!loaded) return;
    const all = [...items, ...options.gathered()];
    file.save({
      alerts: all.map(({ alert: { key, event, text, fields }, at }) => ({
        key,
        event,
        text,
        fields: { ...fields },
        at,
      })),
    });
  }

  async function recall(): Promise<void> {
    const { value, problem } = await file.load();
    if (problem !== null)
      log.error({ event: 'state.lost' }, `Alerts that were not delivered are lost: ${problem}.`);
    const newer = [...items];
    items.clear();
    for (const { at, ...alert } of value?.alerts ?? [])
      items.add({ alert: { ...alert, severity: 'critical' }, at, late: true });
    for (const item of newer) items.add(item);
    loaded = true;
    if (newer.length > 0) keep();
    void tryAll();
  }

  function forget(item: Item): void {
    if (items.delete(item)) keep();
  }

  function later(): void {
    clearTimeout(timer);
    if (stopped || lateOnes().length === 0) return;
    timer = setTimeout(() => void tryAll(), wait);
    timer.unref();
    wait = Math.min(2 * wait, AGAIN_MAX_MS);
  }

  async function tryAll(): Promise<void> {
    if (trying) return;
    trying = true;
    for (const item of lateOnes()) {
      if (stopped) break;
      if (clock.now() - Date.parse(item.at) > GIVE_UP_MS) {
        forget(item);
        log.error(
          { event: 'alert.given_up', alert: item.alert.event, at: item.at },
          'A critical alert could not be delivered for a day and is given up.',
        );
        continue;
      }
      try {
        await post(item);
        wait = againMs;
        forget(item);
      } catch (error) {
        if (options.failed(error)) break;
      }
    }
    trying = false;
    later();
  }

  return {
    loaded: recall(),
    add(item) {
      items.add(item);
      const [oldest] = items;
      if (items.size > capacity && oldest !== undefined) {
        items.delete(oldest);
        log.error(
          { event: 'alert.dropped', alert: oldest.alert.event },
          'Too many critical alerts wait: the oldest was dropped.',
        );
      }
      keep();
    },
    delivered(item) {
      wait = againMs;
      forget(item);
    },
    undelivered(item) {
      item.late = true;
      later();
    },
    keep,
    tryNow() {
      if (lateOnes().length > 0) void tryAll();
    },
    late: () => lateOnes().length,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
