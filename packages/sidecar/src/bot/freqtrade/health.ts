import type { BotHealth } from '../bot.ts';
import type { FreqtradeCalls, LogLine } from './calls.ts';
import { isOfWorker, linesOf, type Sight } from './worker.ts';

/** An iteration that ended so long ago, in milliseconds, makes one look for other signs of life. */
const LOOK_AFTER_MS = 10_000;
/** Complaints about the exchange excuse a silent worker for so long after its last iteration, in milliseconds. */
const EXCUSED_FOR_MS = 900_000;
/** What is quoted of the log. */
const LONGEST = 200;

/** What makes a health of what was seen. */
export interface Self {
  readonly sight: Sight;
  /** The newest lines of its log; empty where they were not needed. */
  readonly lines: readonly LogLine[];
  /** How many trades are open; null where it was not asked, or did not say. */
  readonly openTrades: number | null;
}

/**
 * Whether the log is needed to judge: a worker that is stopped may have stopped itself, and one that ended no iteration
 * for long may be waiting for its exchange. `now`: milliseconds since 1970.
 */
export function needsLog({ state, processedAt }: Sight, now: number): boolean {
  return state === 'stopped' || (processedAt !== null && now - processedAt > LOOK_AFTER_MS);
}

/** What freqtrade says of itself, read with care. Pure. */
export function healthOf({ sight, lines, openTrades }: Self): BotHealth {
  const { state, processedAt, gapMs } = sight;
  const signs = signsOfLife(sight, lines);
  const fault = state === 'stopped' ? whyStopped(lines, openTrades) : null;
  // `stopped` is also its state until its start is over; then its worker writes that it is.
  const starting = processedAt === null && (state !== 'stopped' || !lines.some(isOfWorker));
  const notice = starting ? null : noticeOf(sight, signs);
  return {
    status: 'ok',
    // None of its calls names the process: bot_startup_ts also changes with /stop and /reload_config.
    instance: null,
    trading: state === 'running' ? 'running' : state === 'other' ? null : 'halted',
    lastTickAt: state === 'stopped' || signs.at === null ? null : new Date(signs.at),
    database: null,
    dryRun: true,
    starting,
    ticksWhileHalted: state !== 'stopped',
    ...(gapMs === null ? {} : { tickGapMs: gapMs }),
    ...(starting || fault === null ? {} : { fault }),
    ...(notice === null ? {} : { notice }),
  };
}

/** When the loop last showed that it runs, and what the exchange last did to it. */
interface Signs {
  readonly at: number | null;
  readonly complaint: string | null;
}

/**
 * An iteration that fails moves `last_process_ts` not at all, and one whose calls to the exchange time out takes
 * minutes. The worker shows that it runs in its log all the same: by its own lines, and by complaints about the exchange.
 */
function signsOfLife({ processedAt }: Sight, lines: readonly LogLine[]): Signs {
  if (processedAt === null) return { at: null, complaint: null };
  const newer = lines.filter(({ at }) => at > processedAt);
  const complaint = newer.findLast(isAboutExchange);
  const excused = complaint !== undefined && complaint.at - processedAt < EXCUSED_FOR_MS ? complaint.at : 0;
  const written = newer.findLast(isOfWorker)?.at ?? 0;
  return { at: Math.max(processedAt, excused, written), complaint: complaint?.text ?? null };
}

const isAboutExchange = ({ logger, level }: LogLine): boolean =>
  logger.startsWith('freqtrade.exchange') && (level === 'WARNING' || level === 'ERROR');

function whyStopped(lines: readonly LogLine[], openTrades: number | null): string | null {
  const error = lines.findLast(
    ({ logger, text }) => logger === 'freqtrade.worker' && text.startsWith('OperationalException'),
  );
  const because = error === undefined ? '' : ` by an error (${quote(lastLine(error.text))})`;
  const start = 'send it /start, or /stopentry to let it only close what is open';
  if (openTrades === null) return `freqtrade was stopped${because}, and does not tell what is open: ${start}`;
  if (openTrades > 0) {
    const trades = openTrades === 1 ? '1 open trade that' : `${openTrades} open trades that`;
    return `freqtrade was stopped${because} with ${trades} nobody manages: ${start}`;
  }
  return error === undefined ? null : `freqtrade stopped${because}: ${start}`;
}

function noticeOf({ state, processedAt }: Sight, { at, complaint }: Signs): string | null {
  if (state === 'stopped') return 'freqtrade is stopped: it trades again after /start';
  if (complaint === null || at === null || processedAt === null || at === processedAt) return null;
  const since = new Date(processedAt).toISOString();
  return `freqtrade has trouble with its exchange, its last whole iteration ended at ${since}: ${quote(complaint)}`;
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
const quote = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, LONGEST);

/** Asks what a health needs: two calls, and up to two more where something is out of the ordinary. */
export async function readHealth(
  calls: FreqtradeCalls,
  sight: Sight,
  now: number,
  signal: AbortSignal,
): Promise<BotHealth> {
  const [lines, openTrades] = await Promise.all([
    needsLog(sight, now) ? linesOf(calls, signal) : [],
    sight.state === 'stopped'
      ? calls.status(signal).then(
          ({ length }) => length,
          () => null,
        )
      : null,
  ]);
  return healthOf({ sight, lines, openTrades });
}
