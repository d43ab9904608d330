import { type Bot, BotError, type BotPositions, type CloseAnswer, type CloseRequest } from '../bot.ts';
import { createFreqtradeCalls } from './calls.ts';
import { ENTRIES_OPEN, type Entries, sawWorker, stopAnswered } from './entries.ts';
import { createExits, type Exits } from './exits.ts';
import { readHealth } from './health.ts';
import { readModels } from './models.ts';
import { createPace } from './pace.ts';
import { readOpen, readPositions } from './trades.ts';
import { linesOf, lookAtWorker, type Sight, wroteAt } from './worker.ts';

/** Options of {@link createFreqtradeBot}. */
export interface FreqtradeBotOptions {
  /** Base URL, like `http://freqtrade:8080`; `/api/v1` is put behind it. */
  readonly url: string | URL;
  /** `api_server.username` and `api_server.password` of its configuration. */
  readonly username: string;
  readonly password: string;
  /** Pairs whose FreqAI models are to be looked after. Default: none, and there are no models to ask for. */
  readonly models?: readonly string[];
  /** Wall clock, milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** Monotonic, milliseconds since any fixed point. Default: this process's. */
  readonly elapsed?: () => number;
}

/** The drain under way, or the last one. */
interface Drain {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly deadline: number;
  readonly exits: Exits;
}

const PACE = { readEveryMs: 1_000, closeAgainAfterMs: 2_000 };
/** Stopping entries may take this long of an attempt, in milliseconds, so that one that hangs leaves time to close. */
const STOP_ENTRIES_MS = 2_000;
/** One attempt waits this long for exits, in milliseconds; those that take longer are joined by the next one. */
const EXITS_MS = 7_000;
/** What is left once the exits were asked for is read within this, in milliseconds. */
const LEFT_MS = 1_000;

/**
 * freqtrade, over its REST API (`/api/v1`, from version 2022.3 on, and older ones where the names are the same).
 *
 * Closing is `/stopentry` (never `/stop`, which would refuse the exits) and then an exit for each trade. Flat is an
 * empty `/status` and `/count` 0 after the worker has ended an iteration behind `/stopentry`: until then positions
 * reject rather than show nothing open. See `entries.ts`, `exits.ts` and `trades.ts` for what goes wrong otherwise.
 * Health is `last_process_ts` and the state, see `health.ts`. There is no name for a boot: its gate has one.
 *
 * Throws a TypeError for a URL that is not absolute http or https.
 */
export function createFreqtradeBot(options: FreqtradeBotOptions): Bot {
  const now = options.now ?? Date.now;
  const elapsed = options.elapsed ?? (() => performance.now());
  const closed = new AbortController();
  const calls = createFreqtradeCalls({ ...options, pace: createPace(elapsed) });
  let drain: Drain | null = null;
  let entries: Entries = ENTRIES_OPEN;
  let last: Sight | null = null;

  const draining = (): boolean => drain !== null && now() < drain.deadline;

  /** Looks at the worker, and draws from it what the drain must know. */
  async function look(signal: AbortSignal): Promise<Sight> {
    const began = entries.answers;
    const [sight, lines] = await Promise.all([
      lookAtWorker(calls, signal),
      draining() ? linesOf(calls, signal) : [],
    ]).catch((error: unknown) => {
      if (error instanceof BotError && error.gone) drain?.exits.restarted();
      throw error;
    });
    entries = sawWorker(entries, sight.state, { ...sight, wroteAt: wroteAt(lines) }, began);
    if (last?.processedAt != null && sight.processedAt === null) drain?.exits.restarted();
    last = sight;
    return sight;
  }

  async function health(signal: AbortSignal) {
    const sight = await look(signal).catch(async (error: unknown) => {
      throw await told(error, signal);
    });
    return readHealth(calls, sight, now(), signal);
  }

  /** A wrong password does not mean that freqtrade is ill: `/ping`, which needs none, tells the two apart. */
  async function told(error: unknown, signal: AbortSignal): Promise<unknown> {
    if (!(error instanceof BotError) || error.code !== 'BOT_UNAUTHORISED') return error;
    const pongs = await calls.ping(signal);
    const what = pongs
      ? 'GET /api/v1/ping answers, so freqtrade runs, and the password is wrong'
      : 'GET /api/v1/ping does not answer either, so it may not be freqtrade that refuses';
    return new BotError(error.code, `${error.message}: ${what}`, { status: error.status });
  }

  async function positions(signal: AbortSignal): Promise<BotPositions> {
    if (!draining()) {
      // It would refuse to count, and write so to its log each time.
      if (last?.state === 'stopped') throw unsettled('freqtrade is stopped, and counts no trades then');
      return readPositions(calls, null, signal);
    }
    // What is read must be younger than the proof that nothing can open any more.
    await look(signal);
    const { phase } = entries;
    const found = await readPositions(calls, drain?.exits.known() ?? null, signal);
    if (found.open + found.pending > 0 || phase === 'stopped') return found;
    throw unsettled(`nothing is open, but ${WHY_NOT[phase]}`);
  }

  async function close(request: CloseRequest, signal: AbortSignal): Promise<CloseAnswer> {
    try {
      return await attempt(request, signal);
    } catch (error) {
      throw BotError.from(error, 'closing freqtrade');
    }
  }

  async function attempt(request: CloseRequest, signal: AbortSignal): Promise<CloseAnswer> {
    const { exits } = begin(request);
    // Money first: where entries cannot be stopped, what is open is closed all the same, and then this is an error.
    const stopped = entries.phase === 'open' ? await stopEntries(signal) : null;
    if (stopped !== null && !stopped.retryable) throw stopped;
    await exits.round(EXITS_MS, signal);
    if (stopped !== null) throw stopped;
    await look(signal);
    if (entries.phase === 'open') throw unsettled(WHY_NOT.open);
    const left = await readOpen(calls, AbortSignal.any([signal, AbortSignal.timeout(LEFT_MS)])).catch(
      () => null,
    );
    return {
      done: entries.phase === 'stopped',
      left: left === null || left.trades.length === 0 ? null : countsOf(left),
      refusals: exits.refusals(),
    };
  }

  /** Each drain proves anew that entries are stopped; a call of the one before may still run, and is not made again. */
  function begin({ drainId, deadline }: CloseRequest): Drain {
    const exits = drain?.exits ?? createExits(calls, closed.signal, elapsed);
    if (drain?.id !== drainId) {
      entries = { ...ENTRIES_OPEN, answers: entries.answers };
      exits.begin();
    }
    drain = { id: drainId, deadline: deadline.getTime(), exits };
    return drain;
  }

  /** What went wrong; null when it was answered 200. */
  async function stopEntries(signal: AbortSignal): Promise<BotError | null> {
    try {
      await calls.stopEntries(AbortSignal.any([signal, AbortSignal.timeout(STOP_ENTRIES_MS)]));
      entries = stopAnswered(entries);
      return null;
    } catch (error) {
      return BotError.from(error, 'POST /api/v1/stopentry');
    }
  }

  const pairs = options.models ?? [];
  return {
    adapter: 'freqtrade',
    pace: PACE,
    health,
    ...(pairs.length === 0 ? {} : { models: (signal) => readModels(calls, pairs, signal) }),
    positions,
    close,
    // Reading is what can be rehearsed: the same credentials, and what would be closed. It has no call that pretends.
    rehearse: async (_, signal) => ({ done: true, left: countsOf(await readOpen(calls, signal)) }),
    async dispose() {
      closed.abort(new DOMException('the bot is no longer needed', 'AbortError'));
      await calls.dispose();
    },
  };
}

/** Why nothing is flat yet. */
const WHY_NOT = {
  open: 'entries are not stopped: freqtrade starts, was started again, or was sent /start',
  asked: 'its worker was not looked at since entries were stopped',
  ending:
    'its worker has not ended an iteration since entries were stopped, and may still open a trade in the one under way',
};

const unsettled = (why: string): BotError => new BotError('BOT_UNSETTLED', why);

function countsOf({ trades, sent }: Awaited<ReturnType<typeof readOpen>>): BotPositions {
  const pending = trades.flatMap(({ orders }) => orders);
  return { open: trades.length, pending: pending.length, detail: { open: sent, pending } };
}
