import type { ProbeView, RunResult, Snapshot } from '@botwarden/probes';
import type { Facts } from '../heal/facts.ts';
import { BOT_DATABASE_DISCONNECTED, BOT_NEVER_TICKED, HALTED } from './bot-probes.ts';
import type { OpenNow } from './open-now.ts';
import { isUnmendable } from './unmendable.ts';

/** Codes that say that nothing is there, or went away in the middle: what answers next may be another boot. */
const GONE = new Set(['BOT_REFUSED', 'BOT_UNREACHABLE', 'BOT_RESET']);
/** Codes that say that something is there which does not answer. */
const SILENT = new Set(['BOT_TIMEOUT', 'PROBE_TIMEOUT', 'PROBE_STUCK']);

/** What the `api` probe read of the bot. */
export interface BotSelf {
  readonly instance: string | null;
  readonly trading: 'running' | 'halted' | null;
  readonly database: 'connected' | 'disconnected' | null;
  readonly lastTickAt: string | null;
}

/** What facts are made of beside a snapshot; see {@link Facts}. */
export interface FactsContext extends Pick<Facts, 'lease' | 'held' | 'drained' | 'heeded'> {
  /** Runs in a row that must have failed for a reason that a restart mends. */
  readonly failureThreshold: number;
  /** The last runs of a probe, oldest first. */
  readonly history: (probe: string) => readonly RunResult[];
}

/** Reads a snapshot as healing needs it. Pure. */
export function factsOf(snapshot: Snapshot, context: FactsContext): Facts {
  const { lease, held, drained, heeded, failureThreshold, history } = context;
  const self = selfOf(snapshot);
  const probe = (name: string): ProbeView | undefined => snapshot.probes.find((view) => view.name === name);
  /** The probe fails, and has failed in so many runs in a row for one of these reasons alone. */
  const failsBy = (name: string, accuses: (code: string) => boolean): boolean => {
    const view = probe(name);
    if (view?.status !== 'fail' || view.stale) return false;
    // What was forgotten since is not counted: it was another boot's.
    const runs = history(name).slice(-Math.max(view.consecutiveFailures, 1));
    const last = runs.slice(-failureThreshold);
    return last.length === failureThreshold && last.every(({ code }) => accuses(code ?? ''));
  };
  return {
    api: apiFact(probe('api'), failsBy),
    instance: self.instance,
    lease,
    ready: snapshot.groups.readiness?.healthy === true,
    // The tick is asked apart from the rest, and may know it first.
    halted: self.trading === 'halted' || probe('tick')?.last?.details?.because === HALTED,
    loopHangs: failsBy('tick', (code) => code === 'TICK_STALE')
      ? 'old'
      : failsBy('tick', (code) => code === BOT_NEVER_TICKED)
        ? 'began'
        : null,
    modelsMissing: failsBy('models', (code) => code === 'MODELS_NOT_LOADED'),
    databaseLost: failsBy('database', (code) => code === BOT_DATABASE_DISCONNECTED),
    database: databaseFact(probe('database')),
    held: held || snapshot.pause !== undefined,
    drained,
    heeded,
  };
}

function apiFact(
  api: ProbeView | undefined,
  failsBy: (name: string, accuses: (code: string) => boolean) => boolean,
): Facts['api'] {
  // Switched off: nobody asks for its health, and its other probes speak for it.
  if (api === undefined) return 'answers';
  // A result that is old says nothing of the bot: it is our own timer that is late.
  if (api.last === undefined || api.stale) return 'unknown';
  if (api.last.outcome !== 'fail') return 'answers';
  const code = api.last.code ?? '';
  if (GONE.has(code)) return 'gone';
  if (code === 'BOT_NOT_FOUND') return 'unnamed';
  if (isUnmendable(code)) return 'refuses';
  const accuses = (each: string): boolean => !GONE.has(each) && !isUnmendable(each);
  if (!failsBy('api', accuses)) return 'unknown';
  return failsBy('api', (each) => SILENT.has(each)) ? 'silent' : 'fails';
}

function databaseFact(database: ProbeView | undefined): Facts['database'] {
  if (database?.last === undefined || database.stale) return 'unknown';
  const { outcome, code } = database.last;
  return outcome !== 'fail' || code === BOT_DATABASE_DISCONNECTED ? 'up' : 'down';
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
