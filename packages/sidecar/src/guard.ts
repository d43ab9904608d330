import {
  type HealthJson,
  healthJson,
  isHealthy,
  type Monitor,
  type Snapshot,
  type Status,
} from '@botwarden/probes';
import type { Alert } from './alerts.ts';
import type { VanishedPositions } from './boots/vanished.ts';
import type { Clock } from './clock.ts';
import type { Drainer } from './drain/drain.ts';
import type { Hold } from './drain/hold.ts';
import type { ReceiptLog } from './drain/receipts.ts';
import { decideOnReturn } from './drain/returning.ts';
import type { EventLog } from './event-log.ts';
import { beginHealing, type HealRules, type HealState, heal, type Verdict } from './heal/heal.ts';
import type { Leases } from './lease/leases.ts';
import { VERSION } from './version.ts';
import { concerns } from './watch/concerns.ts';
import { type BotSelf, factsOf, selfOf, tradedAt } from './watch/facts.ts';
import type { OpenNow } from './watch/open-now.ts';

/** What the guard is made of. */
export interface GuardOptions {
  readonly monitor: Monitor;
  readonly drainer: Drainer;
  readonly receipts: ReceiptLog;
  readonly leases: Leases;
  readonly hold: Pick<Hold, 'current'>;
  readonly vanished: Pick<VanishedPositions, 'concern'>;
  readonly rules: HealRules;
  readonly openNow: () => OpenNow | null;
  readonly alert: (alert: Alert) => void;
  readonly log: EventLog;
  readonly clock: Clock;
}

/** What `/healthz` shows: a health document, and beside the draft what a dashboard wants to know. */
export interface HealthDocument extends HealthJson {
  bot: {
    instance: string | null;
    trading: 'running' | 'halted' | null;
    database: 'connected' | 'disconnected' | null;
    last_tick_at: string | null;
  };
  positions: OpenNow | null;
  drain: { active: boolean; unfinished: boolean };
  heal: { live: boolean; reason: string | null; heals_last_hour: number; capped: boolean };
}

/** Answers the questions about the bot, from memory. */
export interface Guard {
  /** Whether the bot should be left alone, and why not. */
  readonly live: () => { live: boolean; boot: string | null; because: string | null };
  /** Whether the bot is ready, and why not. */
  readonly ready: () => { ready: boolean; because: string | null };
  /** Whether this boot of the bot has been ready once. */
  readonly started: () => boolean;
  readonly health: () => HealthDocument;
  /** The boot of the bot that was last seen; null when none was, or the bot does not say. */
  readonly instance: () => string | null;
  /** When the bot was last seen trading or with something open, in milliseconds since 1970; null when it never was. */
  readonly lastTraded: () => number | null;
  /** Calls `listener` at each new verdict. */
  readonly onHeal: (listener: (verdict: Verdict) => void) => void;
  /** Calls `listener` when what `live` gives has changed. */
  readonly onChange: (listener: () => void) => void;
  /** A person has looked: what waits for one is over. False where nothing did. */
  readonly acknowledge: () => boolean;
  /** The hold was lifted: a bot that is halted is asked to restart. */
  readonly restartHalted: () => void;
  readonly close: () => void;
}

/** While a verdict stands the API is asked this often, so that the next boot is not met by the last one's verdict. */
const LOOK_AGAIN_MS = 500;

/** Watches what the monitor sees, and asks for restarts. Alerts of changes, of heals and of the cap. */
export function createGuard(options: GuardOptions): Guard {
  const { monitor, drainer, receipts, leases, hold, vanished, rules, openNow, alert, log, clock } = options;
  let state: HealState = beginHealing(clock.elapsed());
  let met = false;
  let wasReady = false;
  let lastTraded: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  /** What was last known of each probe, and told. */
  const told = new Map<string, Status>();
  const healListeners: Array<(verdict: Verdict) => void> = [];
  const changeListeners: Array<() => void> = [];

  const look = (): HealState => {
    const snapshot = monitor.snapshot();
    const facts = factsOf(snapshot, drainer.current() !== null || hold.current() !== null);
    lastTraded = tradedAt(snapshot, openNow()) ?? lastTraded;
    // The first boot that answers may be one that an earlier sidecar left halted; any later one cannot be.
    if (!met && facts.api === 'answers') state = meet(selfOf(snapshot));
    const before = state;
    state = heal(before, facts, clock.elapsed(), rules);
    if ((state.verdict === null) !== (before.verdict === null)) for (const told of changeListeners) told();
    if (state.verdict !== null && before.verdict === null) begun(state.verdict);
    if (state.verdict === null && before.verdict !== null) ended(before.verdict);
    if (state.capped !== null && before.capped === null) capped(state.capped);
    if (facts.api === 'answers' && (state.instance !== before.instance || before.gone)) askAnew(snapshot);
    return state;
  };

  /**
   * Another boot owes nothing to what is known of the last one: its models may still be loading, its token another.
   * Each of the other probes is `unknown` until it has asked this boot, which it does at once.
   */
  const askAnew = ({ probes }: Snapshot): void => {
    for (const { name } of probes) if (name !== 'api') monitor.forget(name);
  };

  const meet = (bot: BotSelf): HealState => {
    met = true;
    const { instance, trading } = bot;
    const found = decideOnReturn({
      unfinished: receipts.unfinished(),
      receipts: receipts.newest(),
      instance,
      boot: leases.holder(),
      trading,
      onHold: hold.current() !== null,
    });
    if (found.action === 'nothing') return state;
    log.warn({ event: `return.${found.action}`, drain_id: found.receipt.drain_id, instance }, found.sentence);
    return found.action === 'restart-bot' ? { ...state, halted: instance } : state;
  };

  const begun = (verdict: Verdict): void => {
    const text = `Restart of the bot asked for: ${verdict.because}.`;
    log.error({ event: 'heal.verdict', reason: verdict.reason, instance: verdict.instance }, text);
    alert({
      key: 'heal',
      event: 'heal.verdict',
      severity: 'warning',
      text,
      fields: { reason: verdict.reason },
    });
    for (const listener of healListeners) listener(verdict);
    timer = setInterval(() => void monitor.check('api').catch(() => undefined), LOOK_AGAIN_MS);
    timer.unref();
  };

  const ended = (verdict: Verdict): void => {
    clearInterval(timer);
    log.info(
      { event: 'heal.ended', reason: verdict.reason },
      'The restart verdict no longer stands; the cool-down begins.',
    );
  };

  const capped = (why: string): void => {
    const text = `The bot needs a person: ${why}. No further restart is asked for.`;
    log.error({ event: 'heal.capped' }, text);
    alert({ key: 'heal.capped', event: 'heal.capped', severity: 'critical', text });
  };

  const offRun = monitor.on('run', look);
  const offChange = monitor.on('change', (change) => {
    if (change.kind === 'group') {
      if (change.name !== 'readiness' || change.healthy === wasReady) return;
      wasReady = change.healthy;
      log.info({ event: 'ready', ready: wasReady }, wasReady ? 'The bot is ready.' : 'The bot is not ready.');
      return;
    }
    const { name, to, probe } = change;
    // Not known for the moment is not news; what comes of it is told against what was known before.
    if (to === 'unknown') return;
    const from = told.get(name) ?? 'unknown';
    told.set(name, to);
    if (from === to) return;
    const text = `Probe ${name} went from ${from} to ${to}${probe.output === undefined ? '' : `: ${probe.output}`}.`;
    log[isHealthy(to) ? 'info' : 'warn'](
      { event: 'probe.changed', probe: name, from, to, code: probe.code ?? null },
      text,
    );
    // What was never known to work is the start, not news.
    if (from === 'unknown' && isHealthy(to)) return;
    alert({
      key: `probe.${name}`,
      event: 'probe.changed',
      severity: isHealthy(to) ? 'info' : 'warning',
      text,
      fields: { probe: name, from, to },
    });
  });

  const ready = (snapshot: Snapshot): { ready: boolean; because: string | null } => {
    if (drainer.current() !== null)
      return { ready: false, because: 'draining: every position is being closed' };
    if (snapshot.groups.readiness?.healthy === true) return { ready: true, because: null };
    const failing = snapshot.probes.filter((probe) => probe.critical && !isHealthy(probe.status));
    return {
      ready: false,
      because: failing.map(({ name, output }) => `${name}: ${output ?? 'not checked yet'}`).join('; '),
    };
  };

  return {
    live() {
      const { verdict } = look();
      return {
        live: verdict === null,
        boot: leases.holder() ?? state.instance,
        because: verdict?.because ?? null,
      };
    },
    ready: () => ready(monitor.snapshot()),
    started: () => look().reached,
    health() {
      const snapshot = monitor.snapshot();
      const { verdict, capped, heals } = look();
      const readiness = ready(snapshot);
      const self = selfOf(snapshot);
      const worrying = concerns(
        {
          unfinished: receipts.unfinished(),
          worrying: receipts.worrying(),
          vanished: vanished.concern(),
          hold: hold.current(),
          ofThisBoot: self.instance === null ? undefined : receipts.lastOf(self.instance),
          problem: receipts.problem(),
        },
        self,
      );
      const failing = [
        ...(readiness.because === null ? [] : [readiness.because]),
        ...(verdict === null ? [] : [`restart of the bot asked for: ${verdict.because}`]),
        ...(capped === null ? [] : [`a person is needed: ${capped}`]),
      ];
      const status =
        failing.length > 0 ? 'fail' : worrying.length > 0 || snapshot.status !== 'pass' ? 'warn' : 'pass';
      return {
        ...healthJson(snapshot, {
          status,
          version: '1',
          releaseId: VERSION,
          serviceId: 'botwarden-sidecar',
          description: 'a trading bot, as its sidecar sees it',
          ...(failing.length + worrying.length === 0 ? {} : { notes: [...failing, ...worrying] }),
          ...(failing.length === 0 ? {} : { output: failing.join('; ') }),
        }),
        bot: {
          instance: self.instance,
          trading: self.trading,
          database: self.database,
          last_tick_at: self.lastTickAt,
        },
        positions: openNow(),
        drain: { active: drainer.current() !== null, unfinished: receipts.unfinished() !== undefined },
        heal: {
          live: verdict === null,
          reason: verdict?.reason ?? null,
          heals_last_hour: heals.length,
          capped: capped !== null,
        },
      };
    },
    instance: () => state.instance,
    lastTraded: () => lastTraded,
    onHeal: (listener) => void healListeners.push(listener),
    onChange: (listener) => void changeListeners.push(listener),
    acknowledge: () => false,
    restartHalted() {
      const self = selfOf(monitor.snapshot());
      if (self.trading === 'halted') state = { ...state, halted: state.instance };
      look();
    },
    close() {
      clearInterval(timer);
      offRun();
      offChange();
    },
  };
}
