import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { redact } from '@botwarden/probes';
import type { Alert } from '../alerts/alert.ts';
import type { Bot } from '../bot/bot.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { EventLog } from '../event-log.ts';
import type { Leases } from '../lease/leases.ts';
import type { EmergencyCall } from './emergency.ts';
import type { Outside, Vanished } from './machine.ts';
import type { Receipt, ReceiptLog, Trigger } from './receipts.ts';
import type { DrainView } from './record.ts';
import { type DrainContext, type DrainRun, type DrainStart, type FlatCheck, runDrain } from './run.ts';

export { exitCodeOf } from './machine.ts';
export type { DrainStep, DrainView } from './record.ts';

/** Options of {@link createDrainer}. All times are milliseconds. */
export interface DrainerOptions {
  readonly bot: Bot;
  readonly leases: Leases;
  readonly receipts: ReceiptLog;
  readonly log: EventLog;
  /** `DRAIN_TIMEOUT`: the whole budget, from the signal to the last receipt. Must be more than `reserveMs`. */
  readonly drainTimeoutMs: number;
  /** `CLOSE_TIMEOUT`: one attempt at the close call. */
  readonly closeTimeoutMs: number;
  /** One read of positions, and one of health. Default 2,000. */
  readonly readTimeoutMs?: number;
  /** The end of the budget, kept back for emergency call, alert and receipt. Default 5,000. */
  readonly reserveMs?: number;
  /** The proofs from outside that are configured: FLAT_CHECK_SQL, FLAT_CHECK_URL. Should end when their signal aborts. */
  readonly flatChecks?: Readonly<Partial<Record<Outside, FlatCheck>>>;
  /** The call to EMERGENCY_CLOSE_URL. */
  readonly emergency?: EmergencyCall | undefined;
  /** Delivers an alert; resolves when it is delivered or given up. Never waited for longer than the budget allows. */
  readonly alert?: ((alert: Alert) => Promise<unknown>) | undefined;
  /** Texts that are masked in all that is told of a drain, beside what looks like a credential. */
  readonly secrets?: readonly string[] | undefined;
  /** The boot of the bot that was last seen; null when none was, or the bot does not say. */
  readonly currentInstance?: (() => string | null) | undefined;
  /** When the bot was last seen trading or with something open, in milliseconds since 1970; null when it never was. */
  readonly lastTraded?: (() => number | null) | undefined;
  /** Positions that vanished between two boots and were not seen again, nor acknowledged by a person. */
  readonly vanished?: (() => Vanished | null) | undefined;
  /** Default: the clocks of this process. */
  readonly clock?: Clock;
}

/** More about a drain that is asked for. */
export interface DrainRequest {
  /** For logs, the bot and the receipts. Default: the name of the trigger. */
  readonly reason?: string | undefined;
  /** When the signal came, on `clock.elapsed`, if that was before this call. Default: now. */
  readonly startedAt?: number | undefined;
  /** The boot that is meant, where the caller is its gate: the drain never goes over to another boot. */
  readonly boot?: string | undefined;
  /** The key of every close call. Default: a new one. */
  readonly drainId?: string | undefined;
}

/** Runs drains, one at a time. */
export interface Drainer {
  /**
   * Starts a drain, or joins the one that runs: joining never calls the bot. A signal that joins gives it the whole
   * budget from then on. Where the one that runs cannot be joined (it has given up, or is bound to another boot), a
   * drain follows it. Resolves with the last receipt and never rejects. A drain that a signal started or joined is
   * the last one of this process: whoever asks after its end gets its receipt, and nothing is called.
   */
  readonly drain: (trigger: Trigger, request?: DrainRequest) => Promise<Receipt>;
  /** Ends the drain that runs, with a receipt `abandoned`. Resolves with it; with null when none runs. */
  readonly abandon: (why: string) => Promise<Receipt | null>;
  /** The drain that runs; null when none does. */
  readonly current: () => DrainView | null;
  /** The last drain that this process ended; null before the first. */
  readonly last: () => DrainView | null;
  /** Calls `listener` after every step of a drain, the last one included. Returns how to stop that. */
  readonly on: (event: 'change', listener: (view: DrainView) => void) => () => void;
}

/** Throws a RangeError for times that cannot work. */
export function createDrainer(options: DrainerOptions): Drainer {
  const { receipts, log, clock = systemClock } = options;
  const context: DrainContext = {
    bot: options.bot,
    leases: options.leases,
    receipts,
    log,
    clock,
    drainTimeoutMs: options.drainTimeoutMs,
    closeTimeoutMs: options.closeTimeoutMs,
    readTimeoutMs: options.readTimeoutMs ?? 2_000,
    reserveMs: options.reserveMs ?? 5_000,
    flatChecks: options.flatChecks ?? {},
    emergency: options.emergency ?? null,
    alert: options.alert ?? (() => Promise.resolve()),
    mask: (text) => redact(text, options.secrets ?? []),
  };
  for (const name of ['drainTimeoutMs', 'closeTimeoutMs', 'readTimeoutMs', 'reserveMs'] as const) {
    const ms = context[name];
    if (!Number.isFinite(ms) || ms <= 0)
      throw new RangeError(`${name} must be a positive number of milliseconds`);
  }
  if (context.drainTimeoutMs <= context.reserveMs) {
    throw new RangeError(
      `DRAIN_TIMEOUT (${context.drainTimeoutMs} ms) must be longer than the ${context.reserveMs} ms that are kept back`,
    );
  }

  const changes = new EventEmitter<{ change: [DrainView] }>();
  let run: DrainRun | null = null;
  let last: DrainView | null = null;
  /** The drain of a signal, behind which the process ends. */
  let final: Promise<Receipt> | null = null;

  function begin(trigger: Trigger, request: DrainRequest): DrainRun {
    const started: DrainRun = runDrain(context, {
      drainId: request.drainId ?? randomUUID(),
      trigger,
      reason: oneLine(request.reason ?? trigger),
      startedAt: request.startedAt ?? clock.elapsed(),
      known: known(request),
      onChange: () => tell(started.view()),
    });
    run = started;
    void started.done.then(() => {
      last = started.view();
      run = null;
      // Now its receipt is kept, and whoever waits for that may hear of it.
      tell(last);
    });
    return started;
  }

  function known(request: DrainRequest): DrainStart['known'] {
    const { leases } = options;
    const leased = leases.holder() ?? leases.last();
    const boot = request.boot ?? leased;
    const earlier = boot === null ? undefined : receipts.lastOf(boot);
    // A bot may be let trade on without a restart: from then on that receipt vouches for nothing.
    const tradedSince = (options.lastTraded?.() ?? 0) > Date.parse(earlier?.at ?? '');
    const flat = earlier?.state === 'flat' || earlier?.state === 'nothing_to_do';
    return {
      boot,
      instance: options.currentInstance?.() ?? null,
      bound: request.boot !== undefined,
      // What was only seen, and not said by its gate, may not be the boot that ran last.
      drainedFlat: boot !== null && boot === leased && flat && !tradedSince,
      bootEnded: boot !== null && boot === leased && leases.holder() === null,
      vanished: options.vanished?.() ?? null,
    };
  }

  /** Whether this request may join the drain that runs. */
  function joins(running: DrainRun, trigger: Trigger, request: DrainRequest): boolean {
    if (trigger !== 'http') return running.join(request.startedAt ?? clock.elapsed());
    const boundTo = running.boundTo();
    return request.boot === undefined || boundTo === null || boundTo === request.boot;
  }

  function tell(view: DrainView): void {
    try {
      changes.emit('change', view);
    } catch (error) {
      // Whoever watches must not be able to stop a drain.
      log.error(
        { event: 'drain.listener_failed', drain_id: view.drain_id, err: error },
        'A watcher of the drain failed.',
      );
    }
  }

  function drain(trigger: Trigger, asked: DrainRequest = {}): Promise<Receipt> {
    // A signal's budget begins with the signal, also where another drain has to end first.
    const request = trigger === 'http' ? asked : { startedAt: clock.elapsed(), ...asked };
    if (run === null && final !== null) {
      log.warn(
        { event: 'drain.over', drain_id: last?.drain_id ?? null, trigger },
        `${trigger} came after the drain had ended and before the process has: it changes nothing.`,
      );
      return final;
    }
    // The first signal gives the drain that runs a whole budget; a second one changes nothing.
    if (trigger !== 'http' && final !== null) {
      sayJoined(run, trigger, asked);
      return final;
    }
    const done = run === null ? begin(trigger, request).done : join(run, trigger, request);
    if (trigger !== 'http') final = done;
    return done;
  }

  function join(running: DrainRun, trigger: Trigger, request: DrainRequest): Promise<Receipt> {
    if (joins(running, trigger, request)) {
      sayJoined(running, trigger, request);
      return running.done;
    }
    log.warn(
      { event: 'drain.follows', trigger, drain_id: running.view().drain_id },
      `${trigger} came while a drain runs that it cannot join; another one follows it.`,
    );
    return running.done.then(() =>
      run === null ? begin(trigger, request).done : join(run, trigger, request),
    );
  }

  function sayJoined(running: DrainRun | null, trigger: Trigger, request: DrainRequest): void {
    if (running === null) return;
    const { drain_id, attempts, open_positions, pending_orders, remaining_ms } = running.view();
    log.warn(
      { event: 'drain.joined', drain_id, trigger, attempts, open_positions, pending_orders, remaining_ms },
      `${trigger} came while a drain runs and joins it (${oneLine(request.reason ?? trigger)}); still open: ` +
        `${open_positions ?? 'unknown'} position(s), ${pending_orders ?? 'unknown'} pending order(s).`,
    );
  }

  return {
    drain,
    async abandon(why) {
      if (run === null) return null;
      const { abandon, done } = run;
      abandon(oneLine(why));
      return done;
    },
    current: () => run?.view() ?? null,
    last: () => last,
    on(event, listener) {
      changes.on(event, listener);
      return () => changes.off(event, listener);
    },
  };
}

/** Reasons come from outside: they are kept to one short line. */
const oneLine = (text: string): string =>
  text
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, 200);
