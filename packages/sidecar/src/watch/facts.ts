import type { ProbeView, Snapshot } from '@botwarden/probes';
import { isHealthy } from '@botwarden/probes';
import type { Facts } from '../heal/heal.ts';
import { BOT_DATABASE_DISCONNECTED } from './bot-probes.ts';
import type { OpenNow } from './open-now.ts';

/** Codes that say that nothing is there, or went away in the middle: what answers next may be another boot. */
const GONE = new Set(['BOT_REFUSED', 'BOT_NOT_FOUND', 'BOT_UNREACHABLE', 'BOT_RESET']);

/** What the `api` probe read of the bot. */
export interface BotSelf {
  readonly instance: string | null;
  readonly trading: 'running' | 'halted' | null;
  readonly database: 'connected' | 'disconnected' | null;
  readonly lastTickAt: string | null;
}

/** Reads a snapshot as healing needs it. Pure. */
export function factsOf(snapshot: Snapshot, held: boolean): Facts {
  const probe = (name: string): ProbeView | undefined => snapshot.probes.find((view) => view.name === name);
  const failsWith = (name: string, code: string): boolean => {
    const view = probe(name);
    return view?.status === 'fail' && view.code === code;
  };
  const api = probe('api');
  return {
    api: apiFact(api),
    instance: selfOf(snapshot).instance,
    ready: snapshot.groups.readiness?.healthy === true,
    tickStale: failsWith('tick', 'TICK_STALE'),
    modelsMissing: failsWith('models', 'MODELS_NOT_LOADED'),
    databaseLost: failsWith('database', BOT_DATABASE_DISCONNECTED),
    held: held || snapshot.pause !== undefined,
  };
}

function apiFact(api: ProbeView | undefined): Facts['api'] {
  // Switched off: nobody asks for its health, and its other probes speak for it.
  if (api === undefined) return 'answers';
  // A result that is old says nothing of the bot: it is our own timer that is late.
  if (api.last === undefined || api.stale) return 'unknown';
  if (api.last.outcome !== 'fail') return 'answers';
  if (GONE.has(api.last.code ?? '')) return 'gone';
  return isHealthy(api.status) || api.status === 'unknown' ? 'unknown' : 'fails';
}

/** What the bot says of itself, from the `api` probe's last run; all null where that read nothing. Pure. */
export function selfOf(snapshot: Snapshot): BotSelf {
  const details = snapshot.probes.find((view) => view.name === 'api')?.last?.details ?? {};
  const text = (key: string): string | null =>
    typeof details[key] === 'string' ? (details[key] as string) : null;
  return {
    instance: text('instance'),
    trading: text('trading') as BotSelf['trading'],
    database: text('database') as BotSelf['database'],
    lastTickAt: text('last_tick_at'),
  };
}

/** When the bot was last seen trading or with something open, as far as this tells; milliseconds since 1970. Pure. */
export function tradedAt(snapshot: Snapshot, openNow: OpenNow | null): number | null {
  const api = snapshot.probes.find((view) => view.name === 'api')?.last;
  const seen = [
    ...(api?.details?.trading === 'running' ? [api.at] : []),
    ...(openNow !== null && openNow.open_positions + openNow.pending_orders > 0
      ? [Date.parse(openNow.at)]
      : []),
  ];
  return seen.length === 0 ? null : Math.max(...seen);
}
