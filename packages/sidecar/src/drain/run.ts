import pRetry from 'p-retry';
import type { Alert } from '../alerts/alert.ts';
import { type Bot, BotError, type BotPositions, type CloseRequest } from '../bot/bot.ts';
import type { Clock } from '../clock.ts';
import type { EventLog } from '../event-log.ts';
import type { Leases } from '../lease/leases.ts';
import { createAlarm } from './alarm.ts';
import { backOff } from './back-off.ts';
import { cutOff, pause } from './cut-off.ts';
import type { EmergencyCall } from './emergency.ts';
import {
  type Beginning,
  begin,
  type DrainEffect,
  type DrainEvent,
  type Outside,
  reportable,
  step,
} from './machine.ts';
import { seconds, tell } from './narration.ts';
import { lookAtBot } from './reading.ts';
import type { Outcome, Receipt, ReceiptLog, Trigger } from './receipts.ts';
import { type DrainView, recordDrain } from './record.ts';

/** Asks a proof from outside; resolves with its number, of which 0 is flat. */
export type FlatCheck = (signal: AbortSignal) => Promise<number>;

/** What a drain works with. All times are milliseconds. */
export interface DrainContext {
  readonly bot: Bot;
  readonly leases: Leases;
  readonly receipts: ReceiptLog;
  readonly log: EventLog;
  readonly clock: Clock;
  /** The whole budget, from the signal to the last receipt. */
  readonly drainTimeoutMs: number;
  /** One attempt at the close call. */
  readonly closeTimeoutMs: number;
  /** One read of positions, one of health. */
  readonly readTimeoutMs: number;
  /** The end of the budget, kept back for emergency call, alert and receipt. */
  readonly reserveMs: number;
  readonly flatChecks: Readonly<Partial<Record<Outside, FlatCheck>>>;
  readonly emergency: EmergencyCall | null;
  readonly alert: (alert: Alert) => Promise<unknown>;
  /** Masks what must not be told. */
  readonly mask: (text: string) => string;
}

/** What starts one drain. */
export interface DrainStart {
  readonly drainId: string;
  readonly trigger: Trigger;
  readonly reason: string;
  /** When the signal came, on the elapsed clock. */
  readonly startedAt: number;
  /** What is known of the bot at that moment. */
  readonly known: Omit<Beginning, 'at'>;
  /** Called after every step. */
  readonly onChange: () => void;
}

/** One drain under way. */
export interface DrainRun {
  /** The last receipt. Never rejects, and is there by the end of the budget. */
  readonly done: Promise<Receipt>;
  readonly view: () => DrainView;
  /** The boot that it is bound to; null where it is not. */
  readonly boundTo: () => string | null;
  /**
   * A signal joins: the drain has its whole budget from `signalAt` (elapsed milliseconds) on, and means whichever boot
   * runs. False when it is too late for that: it has given up.
   */
  readonly join: (signalAt: number) => boolean;
  /** Ends it now, with a receipt `abandoned`; nothing more is sent to the bot. */
  readonly abandon: (why: string) => void;
}

/** p-retry tries again as long as its signal lets it; the wait in between is ours, for it has to know the budget. */
const UNTIL_STOPPED = { retries: Number.POSITIVE_INFINITY, minTimeout: 0 };
/** A disk that hangs must not hold up the close call: the first receipt may take this long. */
const FIRST_RECEIPT_MS = 50;
const PROOF_MS = 5_000;

/** Runs one drain to its end. */
export function runDrain(context: DrainContext, start: DrainStart): DrainRun {
  const { bot, clock, leases, reserveMs } = context;
  const finished = Promise.withResolvers<Receipt>();
  const closing = new Replaceable();
  const reading = new Replaceable();
  const proving = new Map<Outside, Replaceable>();
  const pending: DrainEvent[] = [];
  let endsAt = start.startedAt + context.drainTimeoutMs;
  let dispatching = false;
  let detail: BotPositions['detail'] = { open: null, pending: null };
  /** A `Retry-After` that reaches past the budget was cut short once already. */
  let hurried = false;

  const [first, effects] = begin(
    {
      readsPositions: bot.positions !== undefined,
      outside: Object.keys(context.flatChecks) as Outside[],
      readEveryMs: bot.pace.readEveryMs,
      closeAgainAfterMs: bot.pace.closeAgainAfterMs,
    },
    { ...start.known, at: start.startedAt },
  );
  let state = first;

  const ends = () => ({ endsAt, givesUpAt: endsAt - reserveMs });
  const untilGivingUp = (): number => ends().givesUpAt - clock.elapsed();
  const record = recordDrain({ ...start, ...context, state: () => state, ends });
  const alarm = createAlarm({ ...context, say: record.say, view: record.view });

  function dispatch(event: DrainEvent): void {
    // A bot may quote its own credentials in an error: no word of it gets into logs, steps or receipts unmasked.
    pending.push(
      'why' in event && event.why !== undefined ? { ...event, why: context.mask(event.why) } : event,
    );
    // An effect may raise an event at once: it waits until the step that caused it is over.
    if (dispatching) return;
    dispatching = true;
    try {
      for (let next = pending.shift(); next !== undefined; next = pending.shift()) advance(next);
    } finally {
      dispatching = false;
    }
  }

  function advance(event: DrainEvent): void {
    const before = state;
    const [after, todo] = step(before, event);
    state = after;
    const told = before === after ? null : tell(before, event, after, untilGivingUp());
    if (told !== null) record.say(told);
    for (const effect of todo) perform(effect);
    if (before !== after) start.onChange();
  }

  function perform(effect: DrainEffect): void {
    switch (effect.type) {
      case 'close':
        void close(effect.afterMs, closing.replace());
        return;
      case 'stop-closing':
        closing.stop();
        return;
      case 'read':
        void read(effect.afterMs, effect.epoch, reading.replace());
        return;
      case 'stop-reading':
        reading.stop();
        return;
      case 'prove':
        void prove(effect);
        return;
      case 'stop-proving':
        for (const work of proving.values()) work.stop();
        return;
      case 'alarm':
        void raise(effect.early);
        return;
      case 'end':
        void finish(effect.outcome);
        return;
    }
  }

  /** p-retry makes the attempts; what a failure means, the machine decides from the same facts. */
  async function close(afterMs: number, signal: AbortSignal): Promise<void> {
    try {
      if (afterMs > 0) await pause(afterMs, signal);
      await pRetry(() => attempt(signal), {
        ...UNTIL_STOPPED,
        signal,
        shouldRetry: ({ error }) => isRetryable(error),
        onFailedAttempt: async ({ error, attemptNumber }) => {
          const failure = BotError.from(error, 'close call');
          const final = !isRetryable(failure);
          const waitMs = final ? 0 : Math.max(backOff(attemptNumber, untilGivingUp()), askedFor(failure));
          dispatch({
            type: 'attempt-failed',
            why: failure.message,
            final,
            gone: failure.gone,
            lostTouch: failure.disconnected || failure.code === 'BOT_TIMEOUT',
            retryInMs: waitMs,
          });
          await pause(waitMs, signal);
        },
      });
    } catch {
      // Told already: each failed attempt was an event, and a stop was asked for by the machine itself.
    }
  }

  async function attempt(signal: AbortSignal): Promise<void> {
    dispatch({ type: 'attempt-started' });
    const { drainId, reason } = start;
    const elapsedUntilEnd = ends().givesUpAt - start.startedAt;
    const request: CloseRequest = {
      drainId,
      reason,
      deadline: new Date(record.startedAt.getTime() + elapsedUntilEnd),
    };
    const ms = Math.min(context.closeTimeoutMs, untilGivingUp());
    const answer = await cutOff(ms, signal, (cut) => bot.close(request, cut)).catch((error: unknown) => {
      throw BotError.from(error, 'close call');
    });
    if (signal.aborted) return;
    if (answer.left !== null) detail = answer.left.detail;
    const { left: counts, done, refusals = [] } = answer;
    const refused = context.mask(
      refusals.map(({ what, why }) => `could not close ${what}: ${why}`).join('; '),
    );
    dispatch({
      type: 'close-answered',
      at: clock.elapsed(),
      counts,
      done,
      ...(refused === '' ? {} : { refused }),
    });
  }

  /** `Retry-After`; one that leaves no room for an attempt is cut short to where there is, once: after that it holds. */
  function askedFor(failure: BotError): number {
    const left = Math.max(0, untilGivingUp());
    const asked = Math.min(failure.retryAfterMs ?? 0, left);
    const latest = Math.max(left - context.closeTimeoutMs, left / 2);
    if (asked <= latest || hurried) return asked;
    hurried = true;
    return latest;
  }

  async function read(afterMs: number, epoch: number, signal: AbortSignal): Promise<void> {
    try {
      await pause(afterMs, signal);
      const { reading: seen, detail: listed } = await lookAtBot(context, signal);
      if (listed !== null) detail = listed;
      if (!signal.aborted) dispatch({ type: 'read', at: clock.elapsed(), epoch, ...seen });
    } catch {
      // Only a stop gets here.
    }
  }

  async function prove({ source, round, afterMs }: DrainEffect & { type: 'prove' }): Promise<void> {
    const flatCheck = context.flatChecks[source];
    if (flatCheck === undefined) return;
    const work = proving.get(source) ?? new Replaceable();
    proving.set(source, work);
    const signal = work.replace();
    try {
      if (afterMs > 0) await pause(afterMs, signal);
      const value = await cutOff(PROOF_MS, signal, flatCheck);
      if (signal.aborted) return;
      if (Number.isFinite(value)) dispatch({ type: 'proved', at: clock.elapsed(), source, round, value });
      else dispatch({ type: 'proof-failed', source, round, why: 'the answer is not a number' });
    } catch (error) {
      if (!signal.aborted) dispatch({ type: 'proof-failed', source, round, why: inWords(error) });
    }
  }

  async function raise(early: boolean): Promise<void> {
    const reason = early ? state.closing : state.reason;
    const notice = { reason, counts: reportable(state), detail };
    await alarm.raise(early ? 'close_refused' : 'not_flat', notice, reserveMs * 0.8);
    if (!early) dispatch({ type: 'alarm-ended' });
  }

  async function finish(outcome: Outcome): Promise<void> {
    clearTimeout(deadline);
    for (const stop of watching) stop();
    const receipt = await record.close(outcome, reserveMs * 0.15);
    if (outcome !== 'not_flat') {
      // Whoever ends the process flushes the alerts; a drain that is over waits for nobody.
      const severity = outcome === 'abandoned' ? 'critical' : 'info';
      void alarm.tell(outcome, severity, `Drain ${outcome}: ${receipt.reason}`, reserveMs);
    }
    finished.resolve(receipt);
    start.onChange();
  }

  const awaitDeadline = (): NodeJS.Timeout =>
    setTimeout(() => dispatch({ type: 'deadline' }), Math.max(0, untilGivingUp()));
  let deadline = awaitDeadline();
  const watching = [
    leases.on('taken', (boot) => dispatch({ type: 'boot-began', at: clock.elapsed(), boot })),
    leases.on('ended', (boot) => dispatch({ type: 'boot-ended', boot })),
  ];
  void (async () => {
    record.say({
      level: 'info',
      event: 'drain.started',
      sentence: `Drain started (${start.reason}): closing every position of boot ${state.boot ?? state.instance ?? 'unknown'}; ${seconds(untilGivingUp())} remain.`,
    });
    await record.keep(
      record.receiptOf('started', start.reason),
      Math.min(FIRST_RECEIPT_MS, Math.max(0, untilGivingUp())),
    );
    if (state.phase === 'closing') for (const effect of effects) perform(effect);
    void alarm.tell('started', 'info', `Drain started: ${start.reason}`, context.drainTimeoutMs);
  })();

  return {
    done: finished.promise,
    view: record.view,
    boundTo: () => (state.bound ? state.boot : null),
    join(signalAt) {
      if (state.phase === 'failing' || state.phase === 'ended') return false;
      endsAt = signalAt + context.drainTimeoutMs;
      clearTimeout(deadline);
      deadline = awaitDeadline();
      dispatch({ type: 'signal-joined', at: clock.elapsed(), boot: leases.holder() });
      return true;
    },
    abandon: (why) => dispatch({ type: 'abandoned', why }),
  };
}

/** One piece of work at a time: a new one stops the one before. */
class Replaceable {
  private controller = new AbortController();

  replace(): AbortSignal {
    this.stop();
    this.controller = new AbortController();
    return this.controller.signal;
  }

  stop(): void {
    this.controller.abort(new DOMException('no longer needed', 'AbortError'));
  }
}

const isRetryable = (error: Error): boolean => !(error instanceof BotError) || error.retryable;

const inWords = (error: unknown): string => (error instanceof Error ? error.message : 'unknown error');
