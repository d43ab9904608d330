import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '@botwarden/service/log';
import type { Account, Rights } from '../account/account.ts';
import { ExchangeError, type ExchangeErrorCode } from '../account/errors.ts';
import type { Reader } from '../account/reader.ts';
import { isFlat, type Judged, judge } from './judge.ts';
import { plan } from './plan.ts';
import type { Problem } from './problem.ts';
import { createSender, type Sender } from './sender.ts';

/** What is asked for. */
export interface CloseRequest {
  /** The same for every attempt of one drain. */
  readonly key: string;
  /** When nobody waits any more, in milliseconds since 1970. */
  readonly deadline: number;
}

/** How a close stands, or ended. */
export interface CloseState {
  /** What was left when it was looked at last. */
  readonly left: Judged;
  /** How many orders were sent to close something, and how many were cancelled. */
  readonly sent: number;
  readonly cancelled: number;
  /** What went wrong since that look. */
  readonly problems: readonly Problem[];
}

/** Closes everything, one close at a time. */
export interface Closer {
  /**
   * Cancels every order and closes every holding until nothing is left, or until the deadline. A call while another is
   * under way joins it, and lengthens it where its own deadline is later. Rejects with an ExchangeError where nobody
   * could see what is open.
   */
  readonly close: (request: CloseRequest) => Promise<CloseState>;
  /** Whether a close is under way. */
  readonly busy: () => boolean;
  /** Resolves when none is. */
  readonly idle: () => Promise<void>;
}

/** Options of {@link createCloser}. */
export interface CloserOptions {
  readonly account: Account;
  readonly reader: Reader;
  readonly symbols: ReadonlySet<string> | null;
  /** What the keys may do, as far as is known. */
  readonly rights: () => Promise<Rights>;
  readonly log: Log;
}

/** Pauses between two rounds that changed nothing, in milliseconds. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;
/** So many senders are kept, for keys that come again. */
const KEYS_KEPT = 20;

/** No retry can mend these. */
const FINAL: ReadonlySet<string> = new Set<ExchangeErrorCode>(['EXCHANGE_KEYS', 'EXCHANGE_READ_ONLY']);

interface Run {
  deadline: number;
  readonly lengthen: (deadline: number) => void;
  state: CloseState | null;
  problems: Problem[];
  /** How long the exchange asked to be left alone, in milliseconds. */
  waitMs: number;
  readonly done: Promise<CloseState>;
}

/** Makes the closer of an account. */
export function createCloser(options: CloserOptions): Closer {
  const { account, reader, symbols, log } = options;
  const since = performance.now();
  const senders = new Map<string, Sender>();
  let running: Run | null = null;

  function senderOf(key: string): Sender {
    const sender = senders.get(key) ?? createSender(account, key, since);
    senders.delete(key);
    senders.set(key, sender);
    const [oldest] = senders.keys();
    if (senders.size > KEYS_KEPT && oldest !== undefined) senders.delete(oldest);
    return sender;
  }

  function start({ key, deadline }: CloseRequest): Run {
    const over = new AbortController();
    let timer: NodeJS.Timeout;
    const run: Run = {
      deadline,
      lengthen(later) {
        if (later <= run.deadline) return;
        run.deadline = later;
        clearTimeout(timer);
        timer = setTimeout(() => over.abort(), later - Date.now());
      },
      state: null,
      problems: [],
      waitMs: 0,
      done: Promise.resolve().then(() => closeAll(run, senderOf(key), over.signal)),
    };
    timer = setTimeout(() => over.abort(), deadline - Date.now());
    run.done
      .finally(() => {
        clearTimeout(timer);
        running = null;
      })
      .catch(() => undefined);
    return run;
  }

  async function closeAll(run: Run, sender: Sender, signal: AbortSignal): Promise<CloseState> {
    let pause = FIRST_PAUSE_MS;
    let before = '';
    let [sent, cancelled] = [0, 0];
    for (;;) {
      try {
        const reading = await reader.fresh(signal);
        const left = judge(reading, symbols, account.limits);
        run.problems = [];
        run.state = { left, sent, cancelled, problems: run.problems };
        if (isFlat(left)) return run.state;
        const now = JSON.stringify([left.open, left.orders]);
        const hasMoved = now !== before;
        if (hasMoved) pause = FIRST_PAUSE_MS;
        before = now;
        const round = await act(run, left, sender, signal);
        sent += round.sent;
        cancelled += round.cancelled;
        run.state = { left, sent, cancelled, problems: run.problems };
        // Where the exchange took everything, the next look tells how far that went.
        if (run.problems.length === 0 && hasMoved) continue;
      } catch (error) {
        note(run, null, error);
      }
      if (signal.aborted) break;
      // Keys that have closed something are fine, whatever the exchange says of them in a hurry.
      const final = run.problems.find(({ code }) => FINAL.has(code));
      if (final !== undefined && sent + cancelled === 0) {
        throw new ExchangeError(final.code as ExchangeErrorCode, final.message);
      }
      await sleep(Math.max(pause, run.waitMs), undefined, { signal }).catch(() => undefined);
      run.waitMs = 0;
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
      if (signal.aborted) break;
    }
    return stateOf(run);
  }

  /** One round: what rests is cancelled first, so that it frees what the closing orders need. */
  async function act(run: Run, left: Judged, sender: Sender, signal: AbortSignal) {
    const { cancels, closes, stuck } = plan(left, account.limits, sender.caps);
    for (const { holding, why } of stuck) {
      run.problems.push({
        symbol: holding.symbol,
        code: 'EXCHANGE_STUCK',
        message: `${holding.symbol} cannot be closed from here: ${why}; close it at the exchange`,
      });
    }
    let [sent, cancelled] = [0, 0];
    await Promise.all(
      cancels.map(async (orders) => {
        try {
          await account.cancel(orders, signal);
          cancelled += orders.length;
        } catch (error) {
          note(run, orders[0]?.symbol ?? null, error);
        }
      }),
    );
    await Promise.all(
      closes.map(async ({ holding, amounts }) => {
        try {
          const taken = await sender.send(holding, amounts, signal);
          sent += taken;
        } catch (error) {
          note(run, holding.symbol, error);
        }
      }),
    );
    log.info(
      { event: 'close.round', sent, cancelled, open: left.open.length, pending: left.orders.length },
      `Found ${left.open.length} open position(s) and ${left.orders.length} pending order(s): cancelled ${cancelled}, sent ${sent} closing order(s).`,
    );
    return { sent, cancelled };
  }

  function note(run: Run, symbol: string | null, error: unknown): void {
    const { code, message, retryAfterMs } =
      error instanceof ExchangeError
        ? error
        : new ExchangeError('EXCHANGE_FAILED', 'failed unexpectedly; the log says more');
    if (!(error instanceof ExchangeError))
      log.error({ event: 'close.failed', err: error }, 'A defect in closing.');
    if (code === 'EXCHANGE_CANCELLED') return;
    run.problems.push({ symbol, code, message });
    run.waitMs = Math.max(run.waitMs, retryAfterMs ?? 0);
    log.warn(
      { event: 'close.problem', symbol, code },
      `${symbol === null ? '' : `${symbol}: `}${message}. It is tried again until the deadline.`,
    );
  }

  function stateOf(run: Run): CloseState {
    if (run.state !== null) return { ...run.state, problems: run.problems };
    const [problem] = run.problems;
    throw problem === undefined || problem.code === 'EXCHANGE_STUCK'
      ? new ExchangeError('EXCHANGE_TIMEOUT', 'the exchange did not say in time what is open')
      : new ExchangeError(problem.code, problem.message);
  }

  return {
    busy: () => running !== null,
    async idle() {
      while (running !== null) await running.done.catch(() => undefined);
    },
    async close(request) {
      if ((await options.rights()) === 'read') {
        throw new ExchangeError(
          'EXCHANGE_READ_ONLY',
          'these keys may read and not trade: nothing was closed. Keys that may trade are needed for that',
        );
      }
      if (running === null) running = start(request);
      else running.lengthen(request.deadline);
      const run = running;
      const given = new AbortController();
      const deadline = sleep(request.deadline - Date.now(), undefined, { signal: given.signal }).then(
        () => stateOf(run),
        () => stateOf(run),
      );
      deadline.catch(() => undefined);
      try {
        return await Promise.race([run.done, deadline]);
      } finally {
        given.abort();
      }
    },
  };
}
