import pRetry from 'p-retry';
import type { Clock } from './clock.ts';
import { cutOff } from './drain/cut-off.ts';
import type { EventLog } from './event-log.ts';
import { CallError, createJsonCaller, type JsonCaller } from './json-call.ts';

/** Something a person should know. */
export interface Alert {
  /** What it is about: alerts with the same key within the quiet time are gathered into one summary. */
  readonly key: string;
  /** Stable name, like `drain.not_flat`. */
  readonly event: string;
  readonly severity: 'info' | 'warning' | 'critical';
  /** One sentence. */
  readonly text: string;
  /** Does not queue behind the others, one of which may be in its retries. */
  readonly urgent?: boolean;
  /** More facts, as JSON. */
  readonly fields?: object;
}

/** What became of an alert: `off` without a URL, `gathered` into a summary that is still to come. */
export type Delivery = 'delivered' | 'failed' | 'gathered' | 'dropped' | 'off';

/** Options of {@link createAlerts}. All times are milliseconds. */
export interface AlertsOptions {
  /** ALERT_WEBHOOK_URL; without one every alert is `off`. */
  readonly url?: string | URL | undefined;
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
}

/** Sends alerts, one after the other, in the background. */
export interface Alerts {
  /** Resolves when it is delivered, or when it is clear that it will not be. Never rejects; nobody has to wait. */
  readonly send: (alert: Alert) => Promise<Delivery>;
  /** Sends what is gathered and waits until nothing waits, but at most so many milliseconds. True when all is out. */
  readonly flush: (ms: number) => Promise<boolean>;
  /** Stops, and destroys the sockets. What still waits is dropped. */
  readonly dispose: () => Promise<void>;
}

interface Waiting {
  readonly alert: Alert;
  readonly at: string;
  readonly settle: (delivery: Delivery) => void;
}

interface Quiet {
  readonly timer: ReturnType<typeof setTimeout>;
  gathered: number;
  latest: Alert;
}

/** Throws a TypeError for a URL that is not absolute http or https. */
export function createAlerts(options: AlertsOptions): Alerts {
  const { url, log, clock, timeoutMs = 5_000, retries = 4, quietMs = 60_000, capacity = 100 } = options;
  if (url === undefined || url === '') {
    return { send: async () => 'off', flush: async () => true, dispose: async () => undefined };
  }
  const caller: JsonCaller = createJsonCaller({ url });
  const stopped = new AbortController();
  const mask = masker(options.secrets ?? []);
  const quiet = new Map<string, Quiet>();
  const waiting: Waiting[] = [];
  /** Everything accepted and not yet settled. */
  const outstanding = new Set<Promise<Delivery>>();
  let working = false;

  function send(alert: Alert): Promise<Delivery> {
    if (stopped.signal.aborted) return Promise.resolve('dropped');
    const same = quiet.get(alert.key);
    if (same !== undefined) {
      same.gathered += 1;
      same.latest = alert;
      return Promise.resolve('gathered');
    }
    hush(alert);
    return enqueue(alert);
  }

  function hush(alert: Alert): void {
    const timer = setTimeout(() => summarise(alert.key), quietMs);
    timer.unref();
    quiet.set(alert.key, { timer, gathered: 0, latest: alert });
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
    const item: Waiting = { alert, at: new Date(clock.now()).toISOString(), settle: resolve };
    outstanding.add(promise);
    void promise.then(() => outstanding.delete(promise));
    if (alert.urgent === true) {
      void deliver(item).then(resolve);
      return promise;
    }
    waiting.push(item);
    if (waiting.length > capacity) {
      log.warn(
        { event: 'alert.dropped', alert: waiting[0]?.alert.event },
        'Too many alerts wait: the oldest was dropped.',
      );
      waiting.shift()?.settle('dropped');
    }
    if (!working) void work();
    return promise;
  }

  async function work(): Promise<void> {
    working = true;
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift())
      item.settle(await deliver(item));
    working = false;
  }

  async function deliver({ alert, at }: Waiting): Promise<Delivery> {
    const body: unknown = JSON.parse(
      JSON.stringify(payload(alert, at), (_, value: unknown) =>
        typeof value === 'string' ? mask(value) : value,
      ),
    );
    const post = (cut: AbortSignal) =>
      caller.call(
        { method: 'POST', path: '', body, accept: (code) => code >= 200 && code < 300, json: false },
        cut,
      );
    try {
      await pRetry(() => cutOff(timeoutMs, stopped.signal, post), {
        retries,
        minTimeout: 500,
        maxTimeout: 10_000,
        factor: 2,
        randomize: true,
        signal: stopped.signal,
        // A webhook that does not exist, or does not want this, will not want it later either.
        shouldRetry: ({ error }) =>
          !(error instanceof CallError && [400, 401, 403, 404, 405, 410].includes(error.status ?? 0)),
      });
      return 'delivered';
    } catch (error) {
      if (stopped.signal.aborted) return 'dropped';
      const why = error instanceof CallError ? error.code : 'TIMEOUT';
      log.error(
        { event: 'alert.failed', alert: alert.event, code: why },
        'The alert webhook did not take an alert.',
      );
      return 'failed';
    }
  }

  return {
    send,
    async flush(ms) {
      for (const key of [...quiet.keys()]) summarise(key);
      return cutOff(ms, null, () => Promise.all(outstanding)).then(
        () => true,
        () => false,
      );
    },
    async dispose() {
      stopped.abort(new DOMException('stopped', 'AbortError'));
      for (const { timer } of quiet.values()) clearTimeout(timer);
      quiet.clear();
      for (const item of waiting.splice(0)) item.settle('dropped');
      await caller.dispose();
    },
  };
}

/** `text` is what Slack reads, `content` what Discord does (2,000 characters at most); the facts are for programs. */
function payload(alert: Alert, at: string): object {
  const line = `[botwarden] ${alert.text}`.slice(0, 1_900);
  return {
    text: line,
    content: line,
    botwarden: { event: alert.event, severity: alert.severity, at, ...alert.fields },
  };
}

function masker(secrets: readonly string[]): (text: string) => string {
  const words = secrets
    .filter((secret) => secret.length >= 3)
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .sort((a, b) => b.length - a.length);
  return (text) => words.reduce((rest, word) => rest.replaceAll(word, '***'), text);
}
