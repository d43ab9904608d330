import type { Clock } from '../clock.ts';
import type { EventLog } from '../event-log.ts';
import { cutOff } from './cut-off.ts';
import { type DrainState, reportable } from './machine.ts';
import { seconds, type Told } from './narration.ts';
import type { Outcome, Receipt, ReceiptLog, Trigger } from './receipts.ts';

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

/** What a record is made of. */
export interface RecordOptions {
  readonly drainId: string;
  readonly trigger: Trigger;
  readonly reason: string;
  /** When the signal came, on the elapsed clock. */
  readonly startedAt: number;
  readonly clock: Clock;
  readonly log: EventLog;
  readonly receipts: ReceiptLog;
  readonly state: () => DrainState;
  /** When the drain gives up, and when it is over at the latest, on the elapsed clock. */
  readonly ends: () => { readonly givesUpAt: number; readonly endsAt: number };
}

/** What is written and told of one drain: log lines, steps, receipts. */
export interface DrainRecord {
  readonly startedAt: Date;
  readonly say: (told: Told) => void;
  readonly receiptOf: (state: Receipt['state'], reason: string) => Receipt;
  /** Writes a receipt within so many milliseconds. Never rejects: what cannot be written is logged. */
  readonly keep: (receipt: Receipt, withinMs: number) => Promise<void>;
  /** Makes the last receipt, writes it and tells it. */
  readonly close: (outcome: Outcome, withinMs: number) => Promise<Receipt>;
  readonly view: () => DrainView;
}

const STEPS_KEPT = 200;

/** Begins the record of one drain. */
export function recordDrain(options: RecordOptions): DrainRecord {
  const { drainId, clock, log, receipts, state, ends } = options;
  const startedAt = new Date(clock.now() - (clock.elapsed() - options.startedAt));
  const steps: DrainStep[] = [];
  let last: Receipt | null = null;

  function say({ level, event, sentence }: Told): void {
    const counts = reportable(state());
    remember(event, sentence);
    log[level](
      {
        event,
        drain_id: drainId,
        boot: state().boot,
        attempts: state().attempts,
        open_positions: counts?.open ?? null,
        pending_orders: counts?.pending ?? null,
        remaining_ms: Math.max(0, Math.round(ends().givesUpAt - clock.elapsed())),
      },
      sentence,
    );
  }

  function remember(event: string, sentence: string): void {
    steps.push({ at: new Date(clock.now()).toISOString(), event, sentence });
    if (steps.length > STEPS_KEPT) steps.shift();
  }

  function receiptOf(outcome: Receipt['state'], reason: string): Receipt {
    const now = state();
    const counts = outcome === 'nothing_to_do' ? { open: 0, pending: 0 } : countsOf(outcome, now);
    return {
      drain_id: drainId,
      trigger: options.trigger,
      state: outcome,
      at: new Date(clock.now()).toISOString(),
      started_at: startedAt.toISOString(),
      duration_ms: Math.round(clock.elapsed() - options.startedAt),
      boot: now.boot,
      bot_instance: now.instance,
      attempts: now.attempts,
      proof: [...now.proof],
      open_positions: counts?.open ?? null,
      pending_orders: counts?.pending ?? null,
      reason,
    };
  }

  async function keep(receipt: Receipt, withinMs: number): Promise<void> {
    try {
      await cutOff(withinMs, null, () => receipts.append(receipt));
    } catch (error) {
      log.error(
        { event: 'drain.receipt_lost', drain_id: drainId, receipt },
        `The ${receipt.state} receipt was not written in time (${inWords(error)}); the drain goes on, and this line may be its only copy.`,
      );
    }
  }

  return {
    startedAt,
    say,
    receiptOf,
    keep,
    async close(outcome, withinMs) {
      const receipt = receiptOf(outcome, state().reason);
      last = receipt;
      await keep(receipt, withinMs);
      const flat = outcome === 'flat' || outcome === 'nothing_to_do';
      log[flat ? 'info' : 'error'](
        { event: 'drain.ended', ...receipt },
        `Drain ${outcome} after ${seconds(receipt.duration_ms)}: ${receipt.reason}.`,
      );
      remember('drain.ended', `Drain ${outcome}: ${receipt.reason}.`);
      return receipt;
    },
    view: () => ({
      ...(last ?? receiptOf('started', options.reason)),
      phase: state().phase,
      remaining_ms: last === null ? Math.max(0, Math.round(ends().endsAt - clock.elapsed())) : 0,
      steps: [...steps],
    }),
  };
}

/** Where the exchange alone proved flat, the bot's last counts are old. */
const countsOf = (outcome: Receipt['state'], state: DrainState) =>
  outcome === 'flat' ? { open: 0, pending: 0 } : reportable(state);

const inWords = (error: unknown): string => (error instanceof Error ? error.message : 'unknown error');
