import { setTimeout as delay } from 'node:timers/promises';
import { ask, type Urls } from './parts.ts';
import type { Book, Tables } from './tables.ts';

/** A probe, as `/healthz` shows it. */
export interface ProbeSeen {
  readonly name: string;
  readonly state: string;
  /** What was measured, with its unit; or why it is not well. */
  readonly detail: string;
}

/** What was seen from outside, at one moment. */
export interface Seen {
  /** Statuses of the sidecar's questions; null where it does not answer. */
  readonly questions: Readonly<Record<'livez' | 'readyz' | 'startupz', number | null>>;
  /** Null when the sidecar does not answer. */
  readonly probes: readonly ProbeSeen[] | null;
  /** Null when the database does not answer. */
  readonly book: Book | null;
}

/** Nothing was looked at yet. */
export const UNSEEN: Seen = {
  questions: { livez: null, readyz: null, startupz: null },
  probes: null,
  book: null,
};

const LOOK_EVERY_MS = 500;

/** Looks at the parts again and again, and hands each look to `onLook`. Returns how to stop. */
export function watch(urls: Urls, tables: Tables, onLook: (seen: Seen) => void): () => void {
  const ending = new AbortController();
  void (async () => {
    while (!ending.signal.aborted) {
      const seen = await look(urls, tables);
      if (!ending.signal.aborted) onLook(seen);
      await delay(LOOK_EVERY_MS, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  })();
  return () => ending.abort();
}

async function look({ sidecar }: Urls, tables: Tables): Promise<Seen> {
  const status = async (path: string): Promise<number | null> => {
    try {
      const response = await ask(`${sidecar}/${path}`);
      await response.body?.cancel();
      return response.status;
    } catch {
      return null;
    }
  };
  const [livez, readyz, startupz, probes, book] = await Promise.all([
    status('livez'),
    status('readyz'),
    status('startupz'),
    ask(`${sidecar}/healthz`)
      .then(async (response) => probesOf(await response.json()))
      .catch(() => null),
    tables.read().catch(() => null),
  ]);
  return { questions: { livez, readyz, startupz }, probes, book };
}

function probesOf(health: unknown): ProbeSeen[] {
  const checks = (health as { checks: Record<string, Record<string, unknown>[]> }).checks;
  return Object.values(checks)
    .flat()
    .map(({ componentId, state, status, output, observedValue, observedUnit }) => ({
      name: String(componentId),
      state: String(state ?? status),
      detail: String(output ?? measured(observedValue, observedUnit)),
    }));
}

function measured(value: unknown, unit: unknown): string {
  if (value === undefined) return '';
  return unit === undefined || unit === 'count' ? String(value) : `${value} ${unit}`;
}
