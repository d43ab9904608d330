import pRetry from 'p-retry';
import type { Alert } from '../alerts.ts';
import { type Bot, BotError, type BotPositions, type CloseRequest } from '../bot/bot.ts';
import type { Clock } from '../clock.ts';
import type { EventLog } from '../event-log.ts';
import { CallError } from '../json-call.ts';
import { backOff } from './back-off.ts';
import { cutOff, pause } from './cut-off.ts';
import type { EmergencyCall } from './emergency.ts';
import {
  begin,
  type DrainEffect,
  type DrainEvent,
  type DrainState,
  type Reading,
  reportable,
  step,
} from './machine.ts';
import { seconds, type Told, tell } from './narration.ts';
import type { Outcome, Receipt, ReceiptLog, Trigger } from './receipts.ts';

/** What a drain works with. All times are milliseconds. */
export interface DrainContext {
  readonly bot: Bot;
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
  readonly flatCheck: ((signal: AbortSignal) => Promise<number>) | null;
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
  readonly instance: string | null;
  /** An earlier drain left that very boot flat. */
  readonly alreadyFlat: boolean;
  /** Called after every step. */
  readonly onChange: () => void;
}

/** A step of a drain, for those who watch. */
export interface DrainStep {
  /** ISO 8601. */
  readonly at: string;
  readonly event: string;
  readonly sentence: string;
}

/** A drain as it stands: its receipt so far, and how it is getting on. */
export interface DrainView extends Receipt {
  readonly phase: DrainState['phase'];
  /** Until `DRAIN_TIMEOUT`, in milliseconds; 0 when it has ended. */
  readonly remaining_ms: number;
  /** The newest 200. */
  readonly steps: readonly DrainStep[];
}

/** One drain under way. */
export interface DrainRun {
  /** The last receipt. Never rejects, and is there by the end of the budget. */
  readonly done: Promise<Receipt>;
  readonly view: () => DrainView;
  /** Ends it now, with a receipt `abandoned`; nothing more is sent to the bot. */
  readonly abandon: (why: string) => void;
}

/** p-retry tries again as long as its signal lets it; the wait in between is ours, for it has to know the budget. */
const UNTIL_STOPPED = { retries: Number.POSITIVE_INFINITY, minTimeout: 0 };
/** A disk that hangs must not hold up the close call: the paper of a start may take this long. */
const FIRST_PAPER_MS = 1_000;
const PROOF_MS = 5_000;
const STEPS_KEPT = 200;

/** Runs one drain to its end. */
export function runDrain(context: DrainContext, start: DrainStart): DrainRun {
  const { bot, clock, log, receipts } = context;
  const { drainId } = start;
  const endsAt = start.startedAt + context.drainTimeoutMs;
  const givesUpAt = endsAt - context.reserveMs;
  const startedAt = new Date(clock.now() - (clock.elapsed() - start.startedAt));
  const steps: DrainStep[] = [];
  const finished = Promise.withResolvers<Receipt>();
  const closing = new Replaceable();
  const reading = new Replaceable();
  const pending: DrainEvent[] = [];
  let dispatching = false;
  let detail: BotPositions['detail'] = { open: null, pending: null };
  let emergency: Promise<boolean> | null = null;
  /** A `Retry-After` that reaches past the budget was cut short once already. */
  let hurried = false;
  let end: Receipt | null = null;

  const [first, effects] = begin(
    {
      readsPositions: bot.positions !== undefined,
      hasProof: context.flatCheck !== null,
      readEveryMs: bot.pace.readEveryMs,
      closeAgainAfterMs: bot.pace.closeAgainAfterMs,
    },
    { instance: start.instance, alreadyFlat: start.alreadyFlat, at: start.startedAt },
  );
  let state = first;

  const untilGivingUp = (): number => givesUpAt - clock.elapsed();
  const request: CloseRequest = {
    drainId,
    reason: start.reason,
    deadline: new Date(startedAt.getTime() + context.drainTimeoutMs - context.reserveMs),
  };

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
    if (told !== null) say(told);
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
        void prove(reading.replace());
        return;
      case 'alarm':
        void alarm(effect.early);
        return;
      case 'end':
        clearTimeout(deadline);
        void finish(effect.outcome);
        return;
    }
  }

  /** p-retry makes the attempts; what a failure means, the machine decides from the same facts. */
  async function close(afterMs: number, signal: AbortSignal): Promise<void> {
    try {
      if (afterMs > 0) await pause(afterMs, signal);
      await pRetry(
        async () => {
          dispatch({ type: 'attempt-started' });
          const ms = Math.min(context.closeTimeoutMs, untilGivingUp());
          const answer = await cutOff(ms, signal, (cut) => bot.close(request, cut)).catch(
            (error: unknown) => {
              throw BotError.from(error, 'close call');
            },
          );
          if (signal.aborted) return;
          if (answer.left !== null) detail = answer.left.detail;
          dispatch({ type: 'close-answered', at: clock.elapsed(), counts: answer.left, done: answer.done });
        },
        {
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
        },
      );
    } catch {
      // Told already: each failed attempt was an event, and a stop was asked for by the machine itself.
    }
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
      const seen = await lookAt(signal);
      if (!signal.aborted) dispatch({ type: 'read', at: clock.elapsed(), epoch, ...seen });
    } catch {
      // Only a stop gets here.
    }
  }

  async function lookAt(signal: AbortSignal): Promise<Reading> {
    const positions = await attempt(bot.positions, signal);
    if (!(positions instanceof BotError) && positions !== null) detail = positions.detail;
    // Where nobody listens there is no health to ask for either.
    const health =
      positions instanceof BotError && positions.disconnected ? null : await attempt(bot.health, signal);
    // Slow health alone is no sign of a restart: the bot did tell its positions.
    const lostTouch =
      (positions instanceof BotError && (positions.disconnected || positions.code === 'BOT_TIMEOUT')) ||
      (health instanceof BotError && health.disconnected);
    return {
      counts: positions === null || positions instanceof BotError ? null : positions,
      ...(positions instanceof BotError ? { why: positions.message } : {}),
      instance: health === null || health instanceof BotError ? null : health.instance,
      trading: health === null || health instanceof BotError ? null : health.trading,
      lostTouch,
      gone: positions instanceof BotError && positions.gone,
    };
  }

  async function attempt<T>(
    call: ((signal: AbortSignal) => Promise<T>) | undefined,
    signal: AbortSignal,
  ): Promise<T | BotError | null> {
    if (call === undefined) return null;
    try {
      return await cutOff(context.readTimeoutMs, signal, call);
    } catch (error) {
      signal.throwIfAborted();
      return BotError.from(error, 'read');
    }
  }

  async function prove(signal: AbortSignal): Promise<void> {
    const { flatCheck } = context;
    if (flatCheck === null) return;
    try {
      const value = await cutOff(PROOF_MS, signal, flatCheck);
      if (signal.aborted) return;
      if (Number.isFinite(value)) dispatch({ type: 'proved', at: clock.elapsed(), value });
      else dispatch({ type: 'proof-failed', why: 'the answer is not a number' });
    } catch (error) {
      if (!signal.aborted) dispatch({ type: 'proof-failed', why: inWords(error) });
    }
  }

  async function alarm(early: boolean): Promise<void> {
    const what = early ? 'close_refused' : 'not_flat';
    const reason = early ? state.closing : state.reason;
    const limit = context.reserveMs * 0.8;
    await Promise.all([
      callForHelp(reason, limit),
      sendAlert(what, 'critical', `NOT FLAT: ${reason}`, limit),
    ]);
    if (!early) dispatch({ type: 'alarm-ended' });
  }

  /** The emergency call, once: a second alarm waits for the first call, and makes another only if that one failed. */
  async function callForHelp(reason: string, limit: number): Promise<void> {
    if (context.emergency === null) return;
    const earlier = emergency;
    const call = context.emergency;
    emergency = (async () => (await earlier) === true || (await emergencyRound(call, reason, limit)))();
    await cutOff(limit, null, async () => emergency).catch(() => undefined);
  }

  async function emergencyRound(call: EmergencyCall, reason: string, limit: number): Promise<boolean> {
    const counts = reportable(state);
    const notice = {
      drain_id: drainId,
      reason,
      bot_instance: state.instance,
      open_positions: counts?.open ?? null,
      pending_orders: counts?.pending ?? null,
      positions: counts === null ? { open: null, pending: null } : detail,
    };
    say({
      level: 'warn',
      event: 'drain.emergency',
      sentence: 'The emergency endpoint is being called with what is open.',
    });
    let last = 'no answer in time';
    // A little less than whoever waits for it has, so that its failure is still told.
    const endsBy = clock.elapsed() + limit * 0.95;
    try {
      await cutOff(endsBy - clock.elapsed(), null, (cut) =>
        pRetry(() => call(notice, cut), {
          ...UNTIL_STOPPED,
          signal: cut,
          onFailedAttempt: async ({ error, attemptNumber }) => {
            // Its address is a secret, and an error may name a part of it.
            last =
              error instanceof CallError
                ? error.status === null
                  ? error.code
                  : `answered ${error.status}`
                : 'failed';
            await pause(backOff(attemptNumber, endsBy - clock.elapsed()), cut);
          },
        }),
      );
      say({
        level: 'warn',
        event: 'drain.emergency_answered',
        sentence: 'The emergency endpoint accepted the call.',
      });
      return true;
    } catch {
      say({
        level: 'error',
        event: 'drain.emergency_failed',
        sentence: `The emergency call failed: ${last}.`,
      });
      return false;
    }
  }

  async function sendAlert(
    what: string,
    severity: Alert['severity'],
    text: string,
    limit: number,
  ): Promise<void> {
    const { steps: _, ...now } = view();
    const fields = what === 'not_flat' ? { ...now, state: what, reason: state.reason } : now;
    const alert: Alert = {
      key: `drain.${what}:${drainId}`,
      event: `drain.${what}`,
      severity,
      text,
      urgent: true,
      fields,
    };
    await cutOff(limit, null, () => context.alert(alert)).catch(() => undefined);
  }

  async function finish(outcome: Outcome): Promise<void> {
    const receipt = receiptOf(outcome, state.reason);
    end = receipt;
    const flat = outcome === 'flat' || outcome === 'nothing_to_do';
    await keep(receipt, context.reserveMs * 0.15);
    log[flat ? 'info' : 'error'](
      { event: 'drain.ended', ...receipt },
      `Drain ${outcome} after ${seconds(receipt.duration_ms)}: ${receipt.reason}.`,
    );
    remember('drain.ended', `Drain ${outcome}: ${receipt.reason}.`);
    if (outcome !== 'not_flat') {
      // Whoever ends the process flushes the alerts; a drain that is over waits for nobody.
      void sendAlert(
        outcome,
        flat ? 'info' : 'critical',
        `Drain ${outcome}: ${receipt.reason}`,
        context.reserveMs,
      );
    }
    finished.resolve(receipt);
    start.onChange();
  }

  async function keep(receipt: Receipt, limit: number): Promise<void> {
    try {
      await cutOff(limit, null, () => receipts.append(receipt));
    } catch (error) {
      log.error(
        { event: 'drain.receipt_lost', drain_id: drainId, receipt },
        `The ${receipt.state} receipt could not be written (${inWords(error)}); the drain goes on, and this line is its only copy.`,
      );
    }
  }

  function receiptOf(outcome: Receipt['state'], reason: string): Receipt {
    const counts = outcome === 'nothing_to_do' ? { open: 0, pending: 0 } : reportable(state);
    return {
      drain_id: drainId,
      trigger: start.trigger,
      state: outcome,
      at: new Date(clock.now()).toISOString(),
      started_at: startedAt.toISOString(),
      duration_ms: Math.round(clock.elapsed() - start.startedAt),
      bot_instance: state.instance,
      attempts: state.attempts,
      open_positions: counts?.open ?? null,
      pending_orders: counts?.pending ?? null,
      reason,
    };
  }

  function say({ level, event, sentence }: Told): void {
    const counts = reportable(state);
    remember(event, sentence);
    log[level](
      {
        event,
        drain_id: drainId,
        attempts: state.attempts,
        open_positions: counts?.open ?? null,
        pending_orders: counts?.pending ?? null,
        remaining_ms: Math.max(0, Math.round(untilGivingUp())),
      },
      sentence,
    );
  }

  function remember(event: string, sentence: string): void {
    steps.push({ at: new Date(clock.now()).toISOString(), event, sentence });
    if (steps.length > STEPS_KEPT) steps.shift();
  }

  function view(): DrainView {
    return {
      ...(end ?? receiptOf('started', start.reason)),
      phase: state.phase,
      remaining_ms: end === null ? Math.max(0, Math.round(endsAt - clock.elapsed())) : 0,
      steps: [...steps],
    };
  }

  const deadline = setTimeout(() => dispatch({ type: 'deadline' }), Math.max(0, untilGivingUp()));
  void (async () => {
    say({
      level: 'info',
      event: 'drain.started',
      sentence: `Drain started (${start.reason}): closing every position of boot ${start.instance ?? 'unknown'}; ${seconds(untilGivingUp())} remain.`,
    });
    await keep(receiptOf('started', start.reason), Math.min(FIRST_PAPER_MS, Math.max(0, untilGivingUp())));
    if (state.phase === 'closing') for (const effect of effects) perform(effect);
    void sendAlert('started', 'info', `Drain started: ${start.reason}`, context.drainTimeoutMs);
  })();

  return { done: finished.promise, view, abandon: (why) => dispatch({ type: 'abandoned', why }) };
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
