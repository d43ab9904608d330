import { describeError, httpProbe, isHealthy, type Monitor, type ProbeView } from '@botwarden/probes';
import { lookup } from '@botwarden/service/lookup';
import type { Sidecar } from '../config/config.ts';
import {
  type DrainView,
  MAX_ANSWER_BYTES,
  parseDrain,
  parseReceipts,
  parseReport,
  type Receipt,
  type Report,
} from './answers.ts';
import { type Drain, drainsOf, isAlarming } from './drains.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/** Everything that is known of one bot at one moment. Read from memory. Times in milliseconds since 1970. */
export interface BotView {
  readonly name: string;
  readonly verdict: Verdict;
  /** Whether its sidecar still answers; what follows is the last that was heard. */
  readonly inTouch: boolean;
  /** When its sidecar last answered; null when it never did. */
  readonly heardAt: number | null;
  readonly report: Report | null;
  /** The drain that runs, or the last one. */
  readonly drain: DrainView | null;
  /** Newest first; null before the sidecar told. */
  readonly drains: readonly Drain[] | null;
  /** Why its drains cannot be read; null when they can, or were not asked for yet. */
  readonly drainsProblem: string | null;
  /** Whether its drain token is configured: a person can then drain it, lift its hold and acknowledge from here. */
  readonly hasToken: boolean;
}

/** What a sidecar was asked. */
export type Asked = 'health' | 'drain' | 'drains';

/** What watches the bots. */
export interface Bots {
  readonly names: readonly string[];
  /** A bot as it is now; undefined when there is none of that name. */
  readonly view: (name: string) => BotView | undefined;
  /** Looks at one bot now, beside the schedule. */
  readonly look: (name: string) => Promise<void>;
  /** Calls `listener` with the name of a bot each time its sidecar was asked. */
  readonly onLook: (listener: (name: string, asked: Asked) => void) => void;
  readonly close: () => void;
}

/** How the bots are watched. */
export interface BotsOptions {
  readonly sidecars: readonly Sidecar[];
  /** The probes of the sidecars are added to it. */
  readonly monitor: Monitor;
  readonly secrets: readonly string[];
  /** Milliseconds since 1970. Default: the clock of this machine. */
  readonly now?: () => number;
}

/** What was last heard of one sidecar. */
interface Heard {
  report: Report | null;
  heardAt: number | null;
  drain: DrainView | null;
  receipts: readonly Receipt[] | null;
  /** Made of the above; made anew when one of them is. */
  drains: readonly Drain[] | null;
}

/** While a drain runs its steps are read this often, in milliseconds. */
const FOLLOW_MS = 500;

/**
 * Watches bots through their sidecars, with three probes each: `btc` for the state, `btc/drain` and `btc/drains`. A
 * 503 is an answer like any other: it is the bot that fails then, and the sidecar that works.
 */
export function watchBots({ sidecars, monitor, secrets, now = Date.now }: BotsOptions): Bots {
  const heard = new Map<string, Heard>();
  const following = new Map<string, NodeJS.Timeout>();
  const listeners: Array<Parameters<Bots['onLook']>[0]> = [];

  const ask = (name: string, url: string, take: (body: unknown) => void): void => {
    const probe = httpProbe({
      name,
      url,
      status: [200, 503],
      maxBodyBytes: MAX_ANSWER_BYTES,
      lookup,
      json: (body) => {
        take(body);
        return true;
      },
    });
    // A sidecar that is gone says nothing of this server: it is shown, and makes nobody restart the dashboard.
    monitor.add({ probe, critical: false });
  };

  for (const { name, url } of sidecars) {
    const known: Heard = { report: null, heardAt: null, drain: null, receipts: null, drains: null };
    heard.set(name, known);
    const base = url.replace(/\/$/, '');
    ask(name, `${base}/healthz`, (body) => {
      known.report = parseReport(body);
      known.heardAt = now();
    });
    ask(`${name}/drain`, `${base}/drain`, (body) => {
      known.drain = parseDrain(body);
    });
    ask(`${name}/drains`, `${base}/drains`, (body) => {
      known.receipts = parseReceipts(body);
    });
  }

  const look = async (name: string): Promise<void> => {
    await Promise.all([name, `${name}/drain`, `${name}/drains`].map((probe) => monitor.check(probe)));
  };

  const isInTouch = (name: string): boolean =>
    heard.get(name)?.heardAt !== null && isHealthy(monitor.probe(name)?.status ?? 'unknown');

  /** Reads the steps of a drain closely for as long as it runs and the sidecar answers. */
  const follow = (name: string, { report, drain }: Heard): void => {
    const runs =
      report?.drain.active === true || (drain?.state === 'started' && (drain.remainingMs ?? 0) > 0);
    const wanted = runs && isInTouch(name);
    const timer = following.get(name);
    if (wanted === (timer !== undefined)) return;
    clearInterval(timer);
    following.delete(name);
    if (wanted) {
      const next = (): void => void monitor.check(`${name}/drain`).catch(() => undefined);
      following.set(name, setInterval(next, FOLLOW_MS).unref());
    }
    void look(name).catch(() => undefined);
  };

  const off = monitor.on('run', ({ name: probe }) => {
    const [name = '', asked = 'health'] = probe.split('/');
    const known = heard.get(name);
    if (known === undefined) return;
    known.drains = drainsIn(known);
    follow(name, known);
    for (const listener of listeners) listener(name, asked as Asked);
  });

  return {
    names: sidecars.map(({ name }) => name),
    view(name) {
      const known = heard.get(name);
      const probe = monitor.probe(name);
      if (known === undefined || probe === undefined) return undefined;
      const { report, heardAt, drain, drains } = known;
      const inTouch = isInTouch(name);
      const masked = (text: string | null): string | null =>
        text === null ? null : describeError(text, secrets);
      const problem = masked(inTouch ? null : (probe.output ?? null));
      const unread = [`${name}/drains`, `${name}/drain`].map((one) => monitor.probe(one)).find(hasFailed);
      const drainsProblem = unread === undefined ? null : masked(unread.output ?? 'no readable answer');
      return {
        name,
        verdict: verdictOf({ report, inTouch, problem, drainsProblem }),
        inTouch,
        heardAt,
        report,
        drain,
        drains,
        drainsProblem,
        hasToken: sidecars.some((sidecar) => sidecar.name === name && sidecar.drainToken !== undefined),
      };
    },
    look,
    onLook: (listener) => void listeners.push(listener),
    close() {
      off();
      for (const timer of following.values()) clearInterval(timer);
    },
  };
}

function drainsIn({ report, drain, receipts }: Heard): readonly Drain[] | null {
  // What ended badly is told even where the list of all drains is not.
  const endedBadly = drain !== null && drain.state !== 'started' && isAlarming(drain.state);
  if (receipts === null && !endedBadly) return null;
  const { active, unfinished } = report?.drain ?? { active: false, unfinished: false };
  return drainsOf({ receipts: receipts ?? [], current: drain, active, unfinished });
}

/** Not merely not asked yet. */
const hasFailed = (probe: ProbeView | undefined): probe is ProbeView =>
  probe !== undefined && probe.status !== 'unknown' && !isHealthy(probe.status);
