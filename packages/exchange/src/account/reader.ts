import type { Account, Reading } from './account.ts';
import { ExchangeError } from './errors.ts';

/** Looks at the account for whoever asks, one look at a time. */
export interface Reader {
  /**
   * What a look shows that began after this call: an older one may not know yet what was just done. All who wait share
   * one look. Rejects with an ExchangeError; when `signal` aborts, for this caller alone.
   */
  readonly fresh: (signal?: AbortSignal) => Promise<Reading>;
  /** Called at the end of every look. */
  readonly onLook: (listener: (look: Look) => void) => void;
}

/** How a look ended. */
export type Look =
  | { readonly reading: Reading; readonly error: null }
  | { readonly reading: null; readonly error: ExchangeError };

/** A look that takes longer is given up, in milliseconds. */
const LOOK_LIMIT_MS = 60_000;

/** Makes the reader of an account. */
export function createReader(account: Pick<Account, 'read'>): Reader {
  const listeners: ((look: Look) => void)[] = [];
  let current: Promise<Reading> | null = null;
  let next: Promise<Reading> | null = null;

  async function look(): Promise<Reading> {
    try {
      const reading = await account.read(AbortSignal.timeout(LOOK_LIMIT_MS));
      for (const listener of listeners) listener({ reading, error: null });
      return reading;
    } catch (error) {
      const failed =
        error instanceof ExchangeError
          ? error
          : new ExchangeError('EXCHANGE_FAILED', 'reading failed unexpectedly');
      for (const listener of listeners) listener({ reading: null, error: failed });
      throw failed;
    }
  }

  function begin(): Promise<Reading> {
    const begun = look().finally(() => {
      current = null;
    });
    current = begun;
    return begun;
  }

  function share(): Promise<Reading> {
    if (current === null) return begin();
    if (next === null) {
      const after = (): Promise<Reading> => {
        next = null;
        return begin();
      };
      next = current.then(after, after);
      // Whoever waits for it hears of its failure; nobody may.
      next.catch(() => undefined);
    }
    return next;
  }

  return {
    fresh(signal) {
      const shared = share();
      if (signal === undefined) return shared;
      const { promise, resolve, reject } = Promise.withResolvers<Reading>();
      const giveUp = (): void =>
        reject(new ExchangeError('EXCHANGE_CANCELLED', 'reading: given up, as time was up'));
      signal.addEventListener('abort', giveUp, { once: true });
      if (signal.aborted) giveUp();
      shared.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
      return promise;
    },
    onLook(listener) {
      listeners.push(listener);
    },
  };
}
