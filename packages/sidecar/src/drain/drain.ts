import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { redact } from '@botwarden/probes';
import type { Alert } from '../alerts.ts';
import type { Bot } from '../bot/bot.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { EventLog } from '../event-log.ts';
import type { EmergencyCall } from './emergency.ts';
import type { Receipt, ReceiptLog, Trigger } from './receipts.ts';
import { type DrainContext, type DrainRun, type DrainView, runDrain } from './run.ts';

export { exitCodeOf } from './machine.ts';
export type { DrainStep, DrainView } from './run.ts';

/** Options of {@link createDrainer}. All times are milliseconds. */
export interface DrainerOptions {
  readonly bot: Bot;
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
  /** Runs FLAT_CHECK_SQL and resolves with its number; 0 is flat. Should end when its signal aborts. */
  readonly flatCheck?: ((signal: AbortSignal) => Promise<number>) | undefined;
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
  /** Default: the clocks of this process. */
  readonly clock?: Clock;
}

/** More about a drain that is asked for. */
export interface DrainRequest {
  /** For logs, the bot and the receipts. Default: the name of the trigger. */
  readonly reason?: string | undefined;
  /** When the signal came, on `clock.elapsed`, if that was before this call. Default: now. */
  readonly startedAt?: number | undefined;
}

/** Runs drains, one at a time. */
export interface Drainer {
  /**
   * Starts a drain, or joins the one that runs: that changes nothing for it and never calls the bot. Resolves with
   * the last receipt, by the end of the budget, and never rejects. A drain that a signal started or joined is the last
   * one of this process: whoever asks after its end gets its receipt, and nothing is called.
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
    receipts,
    log,
    clock,
    drainTimeoutMs: options.drainTimeoutMs,
    closeTimeoutMs: options.closeTimeoutMs,
    readTimeoutMs: options.readTimeoutMs ?? 2_000,
    reserveMs: options.reserveMs ?? 5_000,
    flatCheck: options.flatCheck ?? null,
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
    const instance = options.currentInstance?.() ?? null;
    const earlier = instance === null ? undefined : receipts.lastOf(instance);
    // A bot may be let trade on without a restart: from then on that receipt vouches for nothing.
    const tradedSince = (options.lastTraded?.() ?? 0) > Date.parse(earlier?.at ?? '');
    const started: DrainRun = runDrain(context, {
      drainId: randomUUID(),
      trigger,
      reason: oneLine(request.reason ?? trigger),
      startedAt: request.startedAt ?? clock.elapsed(),
      instance,
      alreadyFlat: (earlier?.state === 'flat' || earlier?.state === 'nothing_to_do') && !tradedSince,
      onChange: () => tell(started.view()),
    });
    run = started;
    void started.done.then(() => {
      last = started.view();
      run = null;
    });
    return started;
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

  return {
    drain(trigger, request = {}) {
      if (run === null && final !== null) {
        log.warn(
          { event: 'drain.over', drain_id: last?.drain_id ?? null, trigger },
          `${trigger} came after the drain had ended and before the process has: it changes nothing.`,
        );
        return final;
      }
      const joined = run;
      const { done } = run ?? begin(trigger, request);
      if (trigger !== 'http') final = done;
      if (joined === null) return done;
      const { drain_id, attempts, open_positions, pending_orders, remaining_ms } = joined.view();
      log.warn(
        { event: 'drain.joined', drain_id, trigger, attempts, open_positions, pending_orders, remaining_ms },
        `${trigger} came while a drain runs: it joins that one and changes nothing; still open: ` +
          `${open_positions ?? 'unknown'} position(s), ${pending_orders ?? 'unknown'} pending order(s).`,
      );
      return done;
    },
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
