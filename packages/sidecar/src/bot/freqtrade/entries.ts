import type { Sight } from './worker.ts';

/**
 * Whether entries are surely stopped. The answer to `/stopentry` is not enough: the worker reads its state once in each
 * iteration, so that an entry loop which was under way still opens trades; and while freqtrade starts, its own start
 * sets the state anew and starts trading after all.
 *
 * Entries are stopped when the worker has ended an iteration, or was between two of them, after the answer: any later
 * iteration reads `paused`. Both are compared by freqtrade's own clock with what was read after the answer.
 */
export interface Entries {
  /**
   * `open`: may be made · `asked`: the answer to `/stopentry` came, and nothing was read since · `ending`: read since,
   * the iteration that was under way may still open trades · `stopped`
   */
  readonly phase: 'open' | 'asked' | 'ending' | 'stopped';
  /** What was read first after the answer. */
  readonly since: Progress | null;
  /** Numbers the answers to `/stopentry`: a look that began before the last one says nothing. */
  readonly answers: number;
}

/** How far the worker is, by freqtrade's clock in milliseconds. */
export interface Progress {
  readonly processedAt: number | null;
  /** When the worker last wrote to its log. */
  readonly wroteAt: number | null;
  readonly startedAt: number | null;
}

export const ENTRIES_OPEN: Entries = { phase: 'open', since: null, answers: 0 };

/** `/stopentry` was answered 200. */
export function stopAnswered(before: Entries): Entries {
  const answers = before.answers + 1;
  return before.phase === 'open' ? { phase: 'asked', since: null, answers } : { ...before, answers };
}

/** The worker was looked at; `began`: the value of `answers` when the look began. */
export function sawWorker(before: Entries, state: Sight['state'], now: Progress, began: number): Entries {
  const { phase, since, answers } = before;
  // What was asked before the last answer may be older than that.
  if (phase === 'open' || (phase === 'asked' && began !== answers)) return before;
  // Somebody let it trade on, or it started again and knows nothing of the stop. Null: its start is not over.
  const again = since !== null && now.startedAt !== since.startedAt;
  if (state !== 'paused' || now.processedAt === null || again)
    return { ...before, phase: 'open', since: null };
  if (since === null) return { ...before, phase: 'ending', since: now };
  const moved = later(now.processedAt, since.processedAt) || later(now.wroteAt, since.wroteAt);
  return phase === 'ending' && moved ? { ...before, phase: 'stopped' } : before;
}

const later = (now: number | null, then: number | null): boolean => now !== null && now > (then ?? -1);
