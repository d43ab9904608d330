import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '@botwarden/service/log';
import type { Account } from '../account/account.ts';
import { ExchangeError } from '../account/errors.ts';
import { isTickFresh } from './freshness.ts';

/** Keeps the exchange's cancel-all-after timer from running out while the bot's tick is fresh. */
export interface DeadMansSwitch {
  /** Renews until `signal` aborts. The timer is then left to run out: whoever no longer watches must leave no orders. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** Options of {@link createDeadMansSwitch}. */
export interface DeadMansSwitchOptions {
  readonly account: Pick<Account, 'cancelAfter'>;
  /** After so many milliseconds without renewal the exchange cancels every open order. */
  readonly ms: number;
  /** Where the sidecar answers. It is asked, and not the bot: it alone knows how old a tick may be. */
  readonly sidecarUrl: string;
  readonly log: Log;
}

/** Renewed so often before it runs out. */
const RENEWALS = 3;
/** The sidecar answers from memory; one that takes longer says nothing, in milliseconds. */
const SIDECAR_MS = 2_000;
const BODY_LIMIT = 1_000_000;

/** Makes the switch. */
export function createDeadMansSwitch({
  account,
  ms,
  sidecarUrl,
  log,
}: DeadMansSwitchOptions): DeadMansSwitch {
  const seconds = ms / 1_000;
  const everyMs = Math.floor(ms / RENEWALS);
  let state: 'begun' | 'renewed' | 'stale' | 'failed' = 'begun';

  async function isFresh(signal: AbortSignal): Promise<boolean> {
    try {
      const response = await fetch(new URL('/healthz', sidecarUrl), {
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(SIDECAR_MS)]),
      });
      // 503 is an answer too: something else may be wrong with the bot while it trades.
      const text = await response.text();
      return text.length <= BODY_LIMIT && isTickFresh(JSON.parse(text));
    } catch {
      return false;
    }
  }

  async function renew(signal: AbortSignal): Promise<void> {
    if (!(await isFresh(signal))) {
      if (state !== 'stale') {
        log.warn(
          { event: 'switch.stale' },
          `The sidecar does not say that the bot's tick is fresh: the exchange's timer is not renewed, and in at most ${seconds}s the exchange cancels every open order. It closes no position.`,
        );
      }
      state = 'stale';
      return;
    }
    try {
      await account.cancelAfter(ms, AbortSignal.any([signal, AbortSignal.timeout(everyMs)]));
      if (state !== 'renewed') {
        log.info(
          { event: 'switch.renewed', seconds },
          `The exchange cancels every open order unless it hears from here within ${seconds}s. It closes no position.`,
        );
      }
      state = 'renewed';
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      if (signal.aborted) return;
      if (state !== 'failed') {
        log.warn(
          { event: 'switch.failed', code: error.code },
          `The exchange's cancel-all-after timer could not be renewed: ${error.message}.`,
        );
      }
      state = 'failed';
    }
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        await renew(signal);
        await sleep(everyMs, undefined, { signal }).catch(() => undefined);
      }
      if (state === 'renewed') {
        log.info(
          { event: 'switch.left' },
          `The exchange's timer runs on: unless this program is back within ${seconds}s, the exchange cancels every open order.`,
        );
      }
    },
  };
}
