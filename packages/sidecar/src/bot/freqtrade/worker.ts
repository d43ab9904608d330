import { BotError } from '../bot.ts';
import type { FreqtradeCalls, HealthBody, LogLine } from './calls.ts';

/** The logger of freqtrade's worker. It writes between two iterations, and never in the middle of one. */
const WORKER = 'freqtrade.worker';
/** What it writes before the bot is made. */
const BEFORE_THE_FIRST = 'Starting worker';
/** So many lines of the log are looked through. */
const LINES = 200;

/** What is seen of freqtrade's worker, the loop that trades, at one moment. Times are freqtrade's own, in milliseconds. */
export interface Sight {
  readonly state: 'running' | 'paused' | 'stopped' | 'other';
  /** When an iteration last ended well; null when none has since it started, or since its configuration was read anew. */
  readonly processedAt: number | null;
  /** When it was last started, or its configuration last read. */
  readonly startedAt: number | null;
  /** What the length of a candle, and the throttle, allow two iterations to lie apart; null where it does not tell. */
  readonly gapMs: number | null;
}

/** The worker waits for the next candle at the longest, and one second more. */
const CANDLE_OFFSET_MS = 1_000;

/** Looks at the worker: two calls. */
export async function lookAtWorker(calls: FreqtradeCalls, signal: AbortSignal): Promise<Sight> {
  const [health, config] = await Promise.all([calls.health(signal).catch(withoutBot), calls.config(signal)]);
  const candle = (config.timeframe_ms ?? 0) > 0 ? (config.timeframe_ms ?? 0) + CANDLE_OFFSET_MS : null;
  const throttle = config.process_throttle_secs == null ? null : config.process_throttle_secs * 1_000;
  return {
    state: stateOf(config.state, config.max_open_trades ?? null),
    processedAt: milliseconds(health.last_process_ts),
    startedAt: milliseconds(health.bot_startup_ts),
    gapMs: throttle === null ? candle : Math.min(throttle, candle ?? throttle),
  };
}

/** While it starts, or reads its configuration anew, there is no bot to tell of, and it answers 502. */
function withoutBot(error: unknown): HealthBody {
  if (error instanceof BotError && error.status === 502) return {};
  throw error;
}

/** Versions before 2022.3 stop entries by setting `max_open_trades` to 0, and go on `running`. */
function stateOf(state: string, maxOpenTrades: number | null): Sight['state'] {
  if (state === 'running') return maxOpenTrades === 0 ? 'paused' : 'running';
  return state === 'paused' || state === 'stopped' ? state : 'other';
}

/** Versions that never ticked tell 0. */
const milliseconds = (seconds: number | null | undefined): number | null =>
  seconds == null || seconds <= 0 ? null : seconds * 1_000;

/** The newest lines of the log; none where they cannot be had. */
export async function linesOf(calls: FreqtradeCalls, signal: AbortSignal): Promise<readonly LogLine[]> {
  return calls.logs(LINES, signal).catch(() => []);
}

/** When the worker last wrote between two iterations; null when no such line is left. */
export function wroteAt(lines: readonly LogLine[]): number | null {
  return lines.findLast(isOfWorker)?.at ?? null;
}

export function isOfWorker({ logger, text }: LogLine): boolean {
  return logger === WORKER && !text.startsWith(BEFORE_THE_FIRST);
}
