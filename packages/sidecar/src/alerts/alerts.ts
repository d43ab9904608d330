import { CallError, createJsonCaller, type JsonCaller } from '@botwarden/service/json-call';
import pRetry from 'p-retry';
import type { Clock } from '../clock.ts';
import { cutOff } from '../drain/cut-off.ts';
import type { EventLog } from '../event-log.ts';
import type { StateFile } from '../state/state-file.ts';
import type { Alert, AlertsFile } from './alert.ts';
import { createKeptAlerts, type Item } from './kept-alerts.ts';
import { masker, payload } from './payload.ts';

/**
 * What became of an alert: `off` without a URL, `gathered` into a summary that is still to come, `failed` where nobody
 * took it: a critical one is then tried again and again, until it is a day old.
 */
export type Delivery = 'delivered' | 'failed' | 'gathered' | 'dropped' | 'off';

/** Options of {@link createAlerts}. All times are milliseconds. */
export interface AlertsOptions {
  /** BOT_NAME, in each alert. */
  readonly botName: string;
  /** ALERT_WEBHOOK_URL; without one every alert is `off`. */
  readonly url?: string | URL | undefined;
  /** `alerts.json`. */
  readonly file: StateFile<AlertsFile>;
  readonly log: EventLog;
  readonly clock: Clock;
  /** Texts that are masked wherever they turn up in an alert. */
  readonly secrets?: readonly string[];
  /** One try. Default 5,000. */
  readonly timeoutMs?: number;
  /** Tries after the first. Default 4. */
  readonly retries?: number;
  /** How long a key stays quiet after an alert. Default 60,000. */
  readonly quietMs?: number;
  /** How many may wait. Default 100. */
  readonly capacity?: number;
  /** A critical one that nobody took is tried again after this, and then after twice as long each time. Default 30,000. */
  readonly againMs?: number;
}

/** Sends alerts, one after the other, in the background. */
export interface Alerts {
  /** Resolves when it is delivered, or when nobody took it. Never rejects; nobody has to wait. */
  readonly send: (alert: Alert) => Promise<Delivery>;
  /** Sends what is gathered and waits until nothing waits, but at most so many milliseconds. True when all is out. */
  readonly flush: (ms: number) => Promise<boolean>;
  /** How many nobody took, and why, as a sentence; null while all are delivered. */
  readonly state: () => { readonly undelivered: number; readonly problem: string | null };
  /** Stops, and destroys the sockets. What still waits is dropped; critical ones stay on disk. */
  readonly dispose: () => Promise<void>;
}

interface Waiting extends Item {
  readonly settle: (delivery: Delivery) => void;
}

interface Quiet {
  readonly timer: ReturnType<typeof setTimeout>;
  gathered: number;
  latest: Alert;
  at: string;
}

/** Throws a TypeError for a URL that is not absolute http or https. */
export function createAlerts(options: AlertsOptions): Alerts {
  const { botName, url, file, log, clock } = options;
  const { timeoutMs = 5_000, retries = 4, quietMs = 60_000, capacity = 100, againMs = 30_000 } = options;
  if (url === undefined || url === '') {
    return {
      send: async () => 'off',
      flush: async () => true,
      state: () => ({ undelivered: 0, problem: null }),
      dispose: async () => undefined,
    };
  }
  const caller: JsonCaller = createJsonCaller({ url });
  const stopped = new AbortController();
  const mask = masker(options.secrets ?? []);
  const quiet = new Map<string, Quiet>();
  const waiting: Waiting[] = [];
  /** Everything accepted and not yet settled. */
  const outstanding = new Set<Promise<Delivery>>();
  /** Alerts that are not critical and were given up since one was last delivered. */
  let givenUp = 0;
  let why = '';
  let working = false;
  const kept = createKeptAlerts({
    file,
    log,
    clock,
    capacity,
    againMs,
    post,
    failed(error) {
      why = reasonOf(error);
      return !isFinal(error);
    },
    gathered: () =>
      [...quiet.values()]
        .filter(({ gathered, latest }) => gathered > 0 && latest.severity === 'critical')
        .map(({ latest, at }) => ({ alert: latest, at })),
  });

  const now = (): string => new Date(clock.now()).toISOString();

  function send(alert: Alert): Promise<Delivery> {
    if (stopped.signal.aborted) return Promise.resolve('dropped');
    const masked = mask(alert);
    const same = quiet.get(masked.key);
    if (same !== undefined) {
      same.gathered += 1;
      same.latest = masked;
      same.at = now();
      if (masked.severity === 'critical') kept.keep();
      return Promise.resolve('gathered');
    }
    hush(masked);
    return enqueue(masked);
  }

  function hush(alert: Alert): void {
    const timer = setTimeout(() => summarise(alert.key), quietMs);
    timer.unref();
    quiet.set(alert.key, { timer, gathered: 0, latest: alert, at: now() });
  }

  /** The end of a quiet time: what was gathered goes out as one alert, and the key is quiet again. */
  function summarise(key: string): void {
    const ended = quiet.get(key);
    if (ended === undefined) return;
    clearTimeout(ended.timer);
    quiet.delete(key);
    if (ended.gathered === 0) return;
    hush(ended.latest);
    const times =
      ended.gathered === 1 ? 'once more' : `${ended.gathered} more times, the latest of which is this one`;
    void enqueue({ ...ended.latest, text: `${ended.latest.text} (happened ${times})` });
  }

  function enqueue(alert: Alert): Promise<Delivery> {
    const { promise, resolve } = Promise.withResolvers<Delivery>();
    const item: Waiting = { alert, at: now(), late: false, settle: resolve };
    outstanding.add(promise);
    void promise.then(() => outstanding.delete(promise));
    if (alert.severity === 'critical') kept.add(item);
    if (alert.urgent === true) {
      void deliver(item).then(resolve);
      return promise;
    }
    waiting.push(item);
    if (waiting.length > capacity) drop();
    if (!working) void work();
    return promise;
  }

  /** The oldest that is not critical; where all are, the oldest, which has its turn with those that nobody took. */
  function drop(): void {
    const least = waiting.findIndex(({ alert }) => alert.severity !== 'critical');
    const [dropped] = waiting.splice(Math.max(0, least), 1);
    if (dropped === undefined) return;
    if (least === -1) kept.undelivered(dropped);
    log.warn(
      { event: 'alert.dropped', alert: dropped.alert.event },
      'Too many alerts wait: the oldest was dropped.',
    );
    dropped.settle('dropped');
  }

  async function work(): Promise<void> {
    working = true;
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift())
      item.settle(await deliver(item));
    working = false;
  }

  async function deliver(item: Item): Promise<Delivery> {
    const { alert } = item;
    try {
      await pRetry(() => post(item), {
        retries,
        minTimeout: 500,
        maxTimeout: 10_000,
        factor: 2,
        randomize: true,
        signal: stopped.signal,
        // A webhook that does not exist, or does not want this, will not want it in a moment either.
        shouldRetry: ({ error }) => !isFinal(error),
      });
    } catch (error) {
      if (stopped.signal.aborted) return 'dropped';
      why = reasonOf(error);
      const lasting = alert.severity === 'critical';
      if (lasting) kept.undelivered(item);
      else givenUp += 1;
      log.error(
        { event: 'alert.failed', alert: alert.event, reason: why },
        `The alert webhook did not take an alert (${why})${lasting ? '; it is tried again for a day' : ''}.`,
      );
      return 'failed';
    }
    givenUp = 0;
    kept.delivered(item);
    kept.tryNow();
    return 'delivered';
  }

  function post({ alert, at, late }: Item): Promise<unknown> {
    const body = payload(botName, alert, at, late);
    const accept = (code: number): boolean => code >= 200 && code < 300;
    return cutOff(timeoutMs, stopped.signal, (cut) =>
      caller.call({ method: 'POST', path: '', body, accept, json: false }, cut),
    );
  }

  return {
    send,
    async flush(ms) {
      const began = clock.elapsed();
      for (const key of [...quiet.keys()]) summarise(key);
      const out = await cutOff(ms, null, () => Promise.all(outstanding)).then(
        () => true,
        () => false,
      );
      // What nobody took has to be on disk for the next process.
      const left = (): number => Math.max(0, ms - (clock.elapsed() - began));
      await cutOff(left(), null, () => kept.loaded).catch(() => undefined);
      await file.settled(left());
      return out;
    },
    state() {
      const undelivered = givenUp + kept.late();
      if (undelivered === 0) return { undelivered, problem: null };
      const many = undelivered === 1 ? '1 alert is' : `${undelivered} alerts are`;
      const last = why === '' ? '' : ` (the webhook: ${why})`;
      return { undelivered, problem: `${many} not delivered${last}: check ALERT_WEBHOOK_URL` };
    },
    async dispose() {
      stopped.abort(new DOMException('stopped', 'AbortError'));
      kept.stop();
      for (const { timer } of quiet.values()) clearTimeout(timer);
      quiet.clear();
      for (const item of waiting.splice(0)) item.settle('dropped');
      await caller.dispose();
    },
  };
}

const isFinal = (error: unknown): boolean =>
  error instanceof CallError && [400, 401, 403, 404, 405, 410].includes(error.status ?? 0);

/** Never the address, the path of which may be the secret. */
function reasonOf(error: unknown): string {
  if (!(error instanceof CallError)) return 'TIMEOUT';
  return error.status === null ? error.code : `answered ${error.status}`;
}
