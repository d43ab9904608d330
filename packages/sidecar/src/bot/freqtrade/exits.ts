import { BotError, type Refusal } from '../bot.ts';
import type { FreqtradeCalls } from './calls.ts';
import { type Asked, nextFor } from './next-for.ts';
import { reasonFor } from './reasons.ts';
import { nameOf, type Open, readOpen, type Trade } from './trades.ts';
import { linesOf } from './worker.ts';

/**
 * The exits of a drain, one trade at a time: `/forceexit` of `all` ends at the first trade that fails and leaves the
 * others open. freqtrade carries a call out whether or not anybody waits for its answer, so no call is cut off and none
 * is made again while it runs; the next round joins it.
 */
export interface Exits {
  /** Another drain begins: what was asked for in the one before is forgotten, but for the call that runs. */
  readonly begin: () => void;
  /**
   * Asks for all that can be asked for now, and waits for the answers, `patienceMs` at the longest or until `signal`
   * aborts. Rejects with a BotError when the open trades cannot be read.
   */
  readonly round: (patienceMs: number, signal: AbortSignal) => Promise<void>;
  /** What freqtrade did not close, with its own reason. */
  readonly refusals: () => readonly Refusal[];
  /** The trades that were seen open since the drain began. */
  readonly known: () => ReadonlySet<number>;
  /** freqtrade is another process than before: no earlier call runs any more. */
  readonly restarted: () => void;
}

/** `closed` ends all calls. `elapsed` gives elapsed milliseconds. */
export function createExits(calls: FreqtradeCalls, closed: AbortSignal, elapsed: () => number): Exits {
  const known = new Set<number>();
  const asked = new Map<number, Asked>();
  const refusals = new Map<number, Refusal>();
  let running: Promise<void> | null = null;
  /** A call that is not ours, or of which we know nothing, may still run: a person's, or that of a sidecar before us. */
  let othersMayRun = true;

  async function round(patienceMs: number, signal: AbortSignal): Promise<void> {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
    for (;;) {
      if (running !== null && !(await endsBefore(running, patience))) break;
      const open = await readOpen(calls, signal);
      // Before that an exit that is under way shows nowhere, and asking for another sells twice.
      if (othersMayRun && open.trades.length > 0) {
        running = awaitTurn();
        if (!(await endsBefore(running, patience)) || othersMayRun) break;
        continue;
      }
      await note(open, signal);
      const next = pick(open);
      if (next === null || patience.aborted) break;
      running = ask(next.trade, next.what);
    }
    signal.throwIfAborted();
  }

  async function awaitTurn(): Promise<void> {
    try {
      await calls.awaitTurn(closed);
      othersMayRun = false;
    } catch (error) {
      // Without it, exits are better asked for than not. An answer that is lost is asked for again.
      const { status } = BotError.from(error, 'exits');
      othersMayRun = status === null || status === 429;
    } finally {
      running = null;
    }
  }

  /** The trade to turn to now: those that were never asked first, so that none that fails holds up another. */
  function pick({ trades }: Open): { trade: Trade; what: 'exit' | 'cancel' } | null {
    const age = ({ id }: Trade): number => asked.get(id)?.answeredAt ?? Number.NEGATIVE_INFINITY;
    for (const trade of [...trades].sort((a, b) => age(a) - age(b))) {
      const what = nextFor(trade, asked.get(trade.id), elapsed());
      if (what !== 'wait') return { trade, what };
    }
    return null;
  }

  async function ask(trade: Trade, what: 'exit' | 'cancel'): Promise<void> {
    const exited = what === 'exit' || asked.get(trade.id)?.exited === true;
    const answered = (lost: boolean): void => {
      asked.set(trade.id, { what, exited, answeredAt: elapsed(), lost });
    };
    asked.set(trade.id, { what, exited, answeredAt: null, lost: false });
    try {
      await (what === 'exit' ? calls.exit(trade.id, closed) : calls.cancelOrders(trade.id, closed));
      answered(false);
    } catch (error) {
      const failure = BotError.from(error, `exit of ${nameOf(trade)}`);
      answered(failure.status === null && !failure.gone);
      // Told only where the trade is still open at the next look: an order that was filled meanwhile is refused too.
      const why = await reasonFor(trade, failure, () => linesOf(calls, closed));
      refusals.set(trade.id, { what: nameOf(trade), why });
    } finally {
      running = null;
    }
  }

  async function note({ trades }: Open, signal: AbortSignal): Promise<void> {
    const open = new Set(trades.map(({ id }) => id));
    for (const id of open) known.add(id);
    for (const id of [...refusals.keys()]) if (!open.has(id)) refusals.delete(id);
    for (const trade of trades) {
      const last = asked.get(trade.id);
      if (trade.exits.length > 0) refusals.delete(trade.id);
      // Answered 200 and not done: the strategy said no, or the exchange did in a way that freqtrade swallows.
      const ignored = last?.what === 'exit' && last.answeredAt !== null && trade.exits.length === 0;
      if (!ignored || refusals.has(trade.id)) continue;
      const why = await reasonFor(trade, null, () => linesOf(calls, signal));
      refusals.set(trade.id, { what: nameOf(trade), why });
    }
  }

  return {
    begin() {
      othersMayRun = true;
      known.clear();
      refusals.clear();
      for (const [id, { answeredAt, lost }] of asked) if (answeredAt !== null && !lost) asked.delete(id);
    },
    round,
    refusals: () => [...refusals.values()],
    known: () => known,
    restarted() {
      for (const [id, last] of asked) if (last.lost) asked.set(id, { ...last, lost: false });
    },
  };
}

/** Whether `work` ends before `signal` aborts. */
async function endsBefore(work: Promise<void>, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  const { promise: aborted, resolve } = Promise.withResolvers<false>();
  const onAbort = (): void => resolve(false);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work.then(() => true), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
