import { BotError } from '../bot.ts';

/** How often freqtrade lets itself be asked, learnt from what it (or a proxy in front of it) refused. */
export interface Pace {
  /** Throws the same refusal again, with what is left of the wait, while a call is to be left alone. */
  readonly heed: (call: string) => void;
  /** Takes a failed call into account. */
  readonly learn: (call: string, failure: BotError) => void;
}

/** The wait after a 429 without a `Retry-After`, in milliseconds. */
const DEFAULT_WAIT_MS = 5_000;

/**
 * No release of freqtrade limits its calls so far; a later one may, and a proxy in front of it does. So nothing is
 * assumed: a call that was answered 429 is not made again before its `Retry-After`, by nobody. `elapsed` gives elapsed
 * milliseconds.
 */
export function createPace(elapsed: () => number): Pace {
  const waits = new Map<string, { readonly until: number; readonly message: string }>();
  return {
    heed(call) {
      const wait = waits.get(call);
      if (wait === undefined) return;
      const left = wait.until - elapsed();
      if (left > 0) throw new BotError('BOT_STATUS', wait.message, { status: 429, retryAfterMs: left });
      waits.delete(call);
    },
    learn(call, failure) {
      if (failure.status !== 429) return;
      const waitMs = failure.retryAfterMs ?? DEFAULT_WAIT_MS;
      waits.set(call, { until: elapsed() + waitMs, message: failure.message });
    },
  };
}
