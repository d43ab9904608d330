import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '@botwarden/service/log';
import type { Account, Rights } from './account/account.ts';
import { ExchangeError } from './account/errors.ts';
import type { Reader } from './account/reader.ts';

/** How it goes with the exchange. */
export interface Standing {
  /** True where the last look succeeded, and is not old. */
  readonly ok: boolean;
  /** Null before the first. */
  readonly readAt: Date | null;
  /** What went wrong in the last look; null where nothing did. */
  readonly error: ExchangeError | null;
  readonly rights: Rights;
}

/** Looks at the exchange now and then, so that keys that no longer work are told before they are needed. */
export interface Watch {
  readonly standing: () => Standing;
  /** What the keys may do; asked anew where it is not known that they may trade. */
  readonly rights: () => Promise<Rights>;
  /** Looks until `signal` aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** Options of {@link createWatch}. */
export interface WatchOptions {
  readonly account: Account;
  readonly reader: Reader;
  /** From one look to the next where nobody else looks, in milliseconds. */
  readonly intervalMs: number;
  /** How long one call may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly log: Log;
}

/** The first look is tried again this soon, in milliseconds. */
const FIRST_AGAIN_MS = 1_000;
/** What the keys may do is asked again after so many milliseconds. */
const RIGHTS_AGAIN_MS = 600_000;
/** A look that is older than so many intervals says nothing of now. */
const OLD_AFTER_INTERVALS = 3;

const SENTENCES: Readonly<Record<Rights, string>> = {
  trade: 'The keys may read and trade: positions can be proven, and closed.',
  read: 'The keys may only read: positions can be proven, and NOT closed. Closing needs keys that may trade.',
  unknown: 'The keys may read. Whether they may trade the exchange does not say: the first close will tell.',
};

/** Makes the watch. */
export function createWatch({ account, reader, intervalMs, timeoutMs, log }: WatchOptions): Watch {
  let readAt: Date | null = null;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let error: ExchangeError | null = null;
  let rights: Rights = 'unknown';
  let rightsAt = Number.NEGATIVE_INFINITY;

  reader.onLook((look) => {
    lookedAt = performance.now();
    if (look.error === null) {
      if (error !== null) log.info({ event: 'exchange.readable' }, 'The exchange can be read again.');
      readAt = look.reading.at;
    } else if (error?.code !== look.error.code) {
      log.warn(
        { event: 'exchange.unreadable', code: look.error.code },
        `What is open cannot be read from the exchange: ${look.error.message}.`,
      );
    }
    error = look.error;
  });

  async function askRights(): Promise<Rights> {
    const before = rights;
    const isFirst = rightsAt === Number.NEGATIVE_INFINITY;
    try {
      rights = await account.rights(AbortSignal.timeout(2 * timeoutMs));
      rightsAt = performance.now();
    } catch (failure) {
      if (!(failure instanceof ExchangeError)) throw failure;
      return rights;
    }
    if (isFirst || rights !== before) {
      log[rights === 'trade' ? 'info' : 'warn']({ event: 'keys.rights', rights }, SENTENCES[rights]);
    }
    return rights;
  }

  return {
    standing: () => ({
      ok:
        error === null && readAt !== null && performance.now() - lookedAt < OLD_AFTER_INTERVALS * intervalMs,
      readAt,
      error,
      rights,
    }),
    rights: () => (rights === 'trade' ? Promise.resolve(rights) : askRights()),
    async run(signal) {
      while (!signal.aborted) {
        const isDue = performance.now() - lookedAt >= intervalMs || error !== null;
        if (isDue) await reader.fresh(signal).catch(() => undefined);
        if (error === null && performance.now() - rightsAt >= RIGHTS_AGAIN_MS) await askRights();
        const pause = error === null ? intervalMs : Math.min(intervalMs, FIRST_AGAIN_MS);
        await sleep(pause, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}
