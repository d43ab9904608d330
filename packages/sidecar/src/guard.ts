import { isHealthy, type Monitor, type RunResult, type Snapshot } from '@botwarden/probes';
import type { Alert } from './alerts/alert.ts';
import type { VanishedPositions } from './boots/vanished.ts';
import type { Clock } from './clock.ts';
import type { Defects } from './defects.ts';
import type { Drainer } from './drain/drain.ts';
import type { Hold } from './drain/hold.ts';
import type { ReceiptLog } from './drain/receipts.ts';
import { decideOnReturn } from './drain/returning.ts';
import type { EventLog } from './event-log.ts';
import { nameOf } from './heal/boot.ts';
import type { HealRules, Verdict } from './heal/heal.ts';
import type { HealFile } from './heal/heal-file.ts';
import { createHealer, type NextBoot } from './heal/healer.ts';
import { createHealMemory } from './heal/memory.ts';
import { tellHealing } from './heal/telling.ts';
import type { Leases } from './lease/leases.ts';
import type { StateFile } from './state/state-file.ts';
import { concerns } from './watch/concerns.ts';
import { factsOf, selfOf, tradedAt } from './watch/facts.ts';
import { type HealthDocument, healthDocument } from './watch/health-document.ts';
import type { KnownModels } from './watch/known-models.ts';
import { createNews } from './watch/news.ts';
import type { OpenNow } from './watch/open-now.ts';
import { remade } from './watch/remade.ts';
import type { TickLimit } from './watch/tick-limit.ts';

/** What the guard is made of. */
export interface GuardOptions {
  /** BOT_NAME. */
  readonly botName: string;
  readonly monitor: Monitor;
  /** Runs in a row before a probe fails. */
  readonly failureThreshold: number;
  readonly drainer: Drainer;
  readonly receipts: ReceiptLog;
  /** Null where no gate can hold a lease, as without DRAIN_TOKEN. */
  readonly leases: Leases | null;
  readonly hold: Pick<Hold, 'current' | 'known' | 'on'>;
  readonly vanished: Pick<VanishedPositions, 'concern' | 'current'>;
  readonly rules: HealRules;
  readonly tickLimit: TickLimit;
  readonly knownModels: KnownModels;
  /** `heal.json`. Nothing is decided before it was read, or could not be. */
  readonly memory: StateFile<HealFile>;
  /** What the state files cannot keep, one sentence each. */
  readonly stateProblems: () => readonly string[];
  readonly openNow: () => OpenNow | null;
  readonly alert: (alert: Alert) => void;
  /** How many alerts are not delivered, and why as a sentence. */
  readonly alertState: () => { readonly undelivered: number; readonly problem: string | null };
  /** The cap of restarts was reached: what can still be done for the bot is to be tried. */
  readonly atTheCap: (reason: string) => void;
  readonly defects: Defects;
  readonly log: EventLog;
  readonly clock: Clock;
}

/** Whether the bot should be left alone. */
export interface Liveness {
  readonly live: boolean;
  /** The boot that is current, and that is meant where `live` is false; null while unknown. */
  readonly boot: string | null;
  readonly because: string | null;
}

/** Whether the bot is ready, and why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly because: string | null;
}

/**
 * Answers the questions about the bot, from memory: to ask changes nothing. `live`, `ready` and `health` give the same
 * object for as long as they say the same, so that whoever sends it need not write it out again.
 */
export interface Guard {
  readonly live: () => Liveness;
  /** Calls `listener` when what `live` gives has changed. Returns how to stop that. */
  readonly onChange: (listener: () => void) => () => void;
  /** Whether the bot is ready, and why not. */
  readonly ready: () => Readiness;
  /** Whether this boot of the bot has been ready once. */
  readonly started: () => boolean;
  readonly health: () => HealthDocument;
  /** What the boot of the bot that was last seen calls itself; null when none was, or the bot does not say. */
  readonly instance: () => string | null;
  /** When the bot was last seen trading or with something open, in milliseconds since 1970; null when it never was. */
  readonly lastTraded: () => number | null;
  /** Calls `listener` at each new verdict. */
  readonly onHeal: (listener: (verdict: Verdict) => void) => void;
  /** Calls `listener` at each boot that follows another one. */
  readonly onBoot: (listener: (boot: NextBoot) => void) => void;
  /** Somebody who is no gate asked `/livez`: one who asks again and again carries verdicts out. */
  readonly polled: () => void;
  /** A person has looked: restarts may be asked for again. False when nothing was latched. */
  readonly acknowledge: () => boolean;
  /** Whether the cap of restarts was reached, so that none is asked for until a person says so. */
  readonly capped: () => boolean;
  /** Whether a restart was asked for that is still needed, and that no boot has followed. */
  readonly restartPending: () => boolean;
  /** The hold was lifted: a bot that is halted is asked to restart. */
  readonly restartHalted: () => void;
  readonly close: () => void;
}

/** While a verdict stands the API is asked this often, so that the next boot is not met by the last one's verdict. */
const LOOK_AGAIN_MS = 500;
/** What time alone changes is looked at this often. */
const LOOK_EVERY_MS = 1_000;
/** Two looks at `/livez` within this time are somebody who looks again and again. */
const POLLER_MS = 120_000;

/** Watches what the monitor sees, and asks for restarts. */
export function createGuard(options: GuardOptions): Guard {
  const { monitor, drainer, receipts, leases, hold, vanished, rules, tickLimit, knownModels } = options;
  const { openNow, alert, defects, log, clock } = options;
  const healer = createHealer(rules, () => ({ now: clock.now(), elapsed: clock.elapsed() }));
  const memory = createHealMemory({
    file: options.memory,
    healer,
    tickLimit,
    knownModels,
    leases: leases !== null,
    log,
    clock,
  });
  const news = createNews({ log, alert });
  const changeListeners = new Set<() => void>();
  const offs: Array<() => void> = [];
  let remembered = false;
  let met = false;
  let lastTraded: number | null = null;
  /** The drain that was seen last, and whether one was seen since the current boot began. */
  let lastDrain: string | null = null;
  let drained = false;
  /** When `/livez` was asked last, and the time before, in elapsed milliseconds. */
  let polls: readonly number[] = [];
  let shown: Liveness = { live: true, boot: null, because: null };
  let lookAgain: NodeJS.Timeout | undefined;

  let seen = monitor.snapshot();
  /** What the monitor knows now, but for ages. */
  const known = (): Snapshot => {
    if (!monitor.isCurrent(seen)) seen = monitor.snapshot();
    return seen;
  };

  const live = remade(
    { state: healer.state },
    ({ state: { verdict, boot } }): Liveness => ({
      live: verdict === null,
      boot: nameOf(boot),
      because: verdict?.because ?? null,
    }),
  );

  const look = (): void => {
    if (!remembered) return;
    const snapshot = known();
    lastTraded = tradedAt(snapshot, openNow()) ?? lastTraded;
    const lease = leases?.holder() ?? null;
    const [older = Number.NEGATIVE_INFINITY] = polls.length === 2 ? polls : [];
    const facts = factsOf(snapshot, {
      lease,
      held: drainer.current() !== null || hold.current() !== null,
      drained,
      heeded: lease !== null || clock.elapsed() - older < POLLER_MS,
      failureThreshold: options.failureThreshold,
      history: (probe): readonly RunResult[] => monitor.history(probe),
    });
    // The first boot that answers may be one that an earlier sidecar left halted; any later one cannot be.
    // One that does not name itself is met once its gate has.
    const named = lease !== null || facts.instance !== null;
    if (!met && named && facts.api === 'answers') meet(snapshot);
    healer.look(facts);
    news.look(snapshot);
    show();
    memory.keep();
  };

  const show = (): void => {
    const now = live();
    if (now.live === shown.live && now.boot === shown.boot && now.because === shown.because) return;
    shown = now;
    for (const listener of changeListeners)
      defects.guard('in what waits for the liveness of the bot', listener);
  };

  const meet = (snapshot: Snapshot): void => {
    met = true;
    const { instance, trading } = selfOf(snapshot);
    const boot = leases?.holder() ?? null;
    const found = decideOnReturn({
      unfinished: receipts.unfinished(),
      receipts: receipts.newest(),
      instance,
      boot,
      trading,
      onHold: hold.current() !== null,
    });
    if (found.action === 'nothing') return;
    log.warn({ event: `return.${found.action}`, drain_id: found.receipt.drain_id, instance }, found.sentence);
    if (found.action === 'restart-bot') healer.leftHalted(boot ?? instance);
  };

  const remember = async (): Promise<void> => {
    await Promise.all([memory.recall(), hold.known]);
    remembered = true;
    defects.guard('when the guard began', look);
  };

  // ── What follows from what healing decides ──────────────────────────────────────────────────────────────────

  tellHealing({ healer, log, alert, clock });
  healer.on('verdict', () => {
    clearInterval(lookAgain);
    lookAgain = setInterval(() => void monitor.check('api').catch(() => undefined), LOOK_AGAIN_MS);
    lookAgain.unref();
  });
  healer.on('ended', () => clearInterval(lookAgain));
  healer.on('boot', ({ healed }) => {
    drained = false;
    tickLimit.nextBoot(healer.state().boot?.instance ?? null, healed === 'tick');
  });
  // What is known of the last boot says nothing of this one: its models may still be loading, its token another. Each
  // probe is `unknown` until it has asked this boot, which it does at once.
  healer.on('arrived', () => {
    const answered = healer.state().boot?.answered === true;
    for (const { name } of known().probes) if (name !== 'api' || !answered) monitor.forget(name);
  });
  healer.on('capped', (why) => {
    // Who allows no restarts at all did not ask for what comes after them.
    if (rules.maxPerHour > 0) defects.guard('at the cap', () => options.atTheCap(why));
  });

  // ── When there is a look ────────────────────────────────────────────────────────────────────────────────────

  /** What failed while the API did not answer may work again with it, and need not wait for its turn. */
  const askTheOthers = (): void => {
    for (const { name, status } of known().probes)
      if (name !== 'api' && status === 'fail') void monitor.check(name).catch(() => undefined);
  };
  const safely = (): void => defects.guard('in a look at the bot', look);
  offs.push(monitor.on('run', safely));
  offs.push(
    monitor.on('change', (change) => {
      defects.guard('in telling what changed', () => news.changed(change));
      if (change.kind === 'probe' && change.name === 'api' && isHealthy(change.to)) askTheOthers();
    }),
  );
  offs.push(
    drainer.on('change', ({ drain_id }) => {
      if (drain_id !== lastDrain) drained = true;
      lastDrain = drain_id;
      safely();
    }),
  );
  offs.push(hold.on('change', safely));
  if (leases !== null) offs.push(leases.on('taken', safely), leases.on('ended', safely));
  const timer = setInterval(safely, LOOK_EVERY_MS);
  timer.unref();
  void remember();

  // ── What is answered ────────────────────────────────────────────────────────────────────────────────────────

  const draining = (): boolean => drainer.current() !== null;
  const cooldownS = (): number =>
    Math.max(0, Math.ceil((healer.state().cooldownUntil - clock.elapsed()) / 1000));

  const ready = remade({ snapshot: known, draining }, ({ snapshot, draining }): Readiness => {
    if (draining) return { ready: false, because: 'draining: every position is being closed' };
    if (snapshot.groups.readiness?.healthy === true) return { ready: true, because: null };
    const failing = snapshot.probes.filter((probe) => probe.critical && !isHealthy(probe.status));
    return {
      ready: false,
      because: failing.map(({ name, output }) => `${name}: ${output ?? 'not checked yet'}`).join('; '),
    };
  });

  const health = remade(
    {
      snapshot: known,
      ready,
      draining,
      state: healer.state,
      cooldownS,
      leaseHeld: () => (leases?.holder() ?? null) !== null,
      tick: tickLimit.bound,
      positions: openNow,
      // Each receipt that is kept is a new last one: it stands for all of them.
      lastReceipt: receipts.last,
      unfinished: receipts.unfinished,
      worrying: receipts.worrying,
      acknowledgedAt: receipts.acknowledgedAt,
      receiptsProblem: receipts.problem,
      vanished: vanished.current,
      vanishedConcern: vanished.concern,
      hold: hold.current,
      undelivered: () => options.alertState().undelivered,
      alertsProblem: () => options.alertState().problem,
      stateProblems: () => options.stateProblems().join('\n'),
    },
    (parts): HealthDocument => {
      const { snapshot, state, unfinished, hold } = parts;
      const self = selfOf(snapshot);
      return healthDocument({
        ...parts,
        botName: options.botName,
        unready: parts.ready.because,
        boot: nameOf(state.boot),
        drain: { active: parts.draining, unfinished: unfinished !== undefined },
        concerns: concerns(
          {
            unfinished,
            worrying: parts.worrying,
            vanished: parts.vanishedConcern,
            hold,
            ofThisBoot: self.instance === null ? undefined : receipts.lastOf(self.instance),
            problem: parts.receiptsProblem,
          },
          self,
          {
            crashLoop: state.crashes.loop ? state.crashes.at.length : null,
            unheeded: state.unheeded,
            alerts: parts.alertsProblem,
            state: parts.stateProblems === '' ? [] : parts.stateProblems.split('\n'),
          },
        ),
      });
    },
  );

  return {
    live,
    onChange(listener) {
      changeListeners.add(listener);
      return () => changeListeners.delete(listener);
    },
    ready,
    started() {
      const { reached, goneSince } = healer.state();
      return reached && goneSince === null;
    },
    health,
    instance: () => healer.state().boot?.instance ?? null,
    lastTraded: () => lastTraded,
    onHeal: (listener) => healer.on('verdict', listener),
    onBoot: (listener) => healer.on('boot', listener),
    polled() {
      polls = [...polls.slice(-1), clock.elapsed()];
    },
    capped: () => healer.state().capped !== null,
    restartPending: () => healer.state().pending,
    acknowledge() {
      const latched = healer.acknowledge();
      if (latched)
        log.warn({ event: 'heal.acknowledged' }, 'A person says that restarts may be asked for again.');
      memory.keep();
      return latched;
    },
    restartHalted() {
      const { instance, trading } = selfOf(known());
      if (trading === 'halted') healer.leftHalted(leases?.holder() ?? instance);
      safely();
    },
    close() {
      clearInterval(lookAgain);
      clearInterval(timer);
      for (const off of offs) off();
    },
  };
}
