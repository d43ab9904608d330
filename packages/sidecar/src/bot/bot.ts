import { CallError, type CallErrorCode, type WaitedFor } from '@botwarden/service/json-call';

/**
 * What Botwarden needs of a trading bot. `http.ts` speaks the project's own table of calls, `freqtrade.ts` another
 * bot's; everything else knows only this file.
 */

/** What the bot says of itself. Every field but `status` is `null` where the bot does not report it. */
export interface BotHealth {
  /** As sent; `"ok"` is the only healthy one. */
  readonly status: string;
  /** Identity of this boot: changes with every restart of the bot, and with nothing else. */
  readonly instance: string | null;
  readonly trading: 'running' | 'halted' | null;
  readonly lastTickAt: Date | null;
  readonly database: 'connected' | 'disconnected' | null;
  /** True only where the bot announces that its close call understands `dry_run`; see `rehearsal.ts`. */
  readonly dryRun: boolean;
  /** Its loop has not run once since it started: it is not ready, and past STARTUP_GRACE it is hung. Default false. */
  readonly starting?: boolean;
  /** Its loop goes on while it is halted, so that the tick is judged then too. Default false: a halted bot need not tick. */
  readonly ticksWhileHalted?: boolean;
  /** The longest that its own settings let two ticks lie apart, in milliseconds. Default: it does not tell. */
  readonly tickGapMs?: number;
  /** What is wrong with it that no restart can mend, as a sentence: it is not ready, and a person is told. Default: nothing. */
  readonly fault?: string;
  /** What a person should know although the bot is not ill, as a sentence. Default: nothing. */
  readonly notice?: string;
}

/** One model the bot trades with. */
export interface BotModel {
  readonly name: string;
  readonly loaded: boolean;
  readonly version: string | null;
  readonly loadedAt: Date | null;
}

/** What is open, as counts; the items themselves only where the bot sent lists. */
export interface BotPositions {
  readonly open: number;
  readonly pending: number;
  readonly detail: { readonly open: readonly unknown[] | null; readonly pending: readonly unknown[] | null };
}

/** What the bot said to a close call. */
export interface CloseAnswer {
  /** False for 202: accepted, and closing still goes on. */
  readonly done: boolean;
  /** What it says is left; null where it does not say. */
  readonly left: BotPositions | null;
  /** What it could not close so far. It is asked for again, and told in the receipt. Default: nothing. */
  readonly refusals?: readonly Refusal[];
}

/** One thing that the bot could not close. */
export interface Refusal {
  /** Like `trade 3 (BTC/USDT)`. */
  readonly what: string;
  /** Why not, in the bot's own words where it has some. */
  readonly why: string;
}

/** What a close call carries. */
export interface CloseRequest {
  /** UUID of the drain; also the `Idempotency-Key` of every attempt. */
  readonly drainId: string;
  readonly reason: string;
  /** When the caller stops waiting. */
  readonly deadline: Date;
}

/**
 * A bot, one attempt per call: no retries, no own time-outs. A call ends when its signal aborts, with the socket
 * destroyed; it rejects with a {@link BotError} and nothing else. Abort with a `TimeoutError` to get `BOT_TIMEOUT`.
 *
 * An adapter may remember the drain that is under way, from its first close call to its deadline: which orders it asked
 * for, and whether what it reads counts yet. Until it does, `positions` rejects with `BOT_UNSETTLED` rather than show
 * nothing open. A call that the bot finishes even when nobody waits for it may outlive its signal, so that it is not
 * made twice.
 */
export interface Bot {
  /** Which adapter this is, for logs. */
  readonly adapter: string;
  /** Absent where the path is switched off. */
  readonly health?: (signal: AbortSignal) => Promise<BotHealth>;
  /** Absent where the path is switched off, or the bot has no models. */
  readonly models?: (signal: AbortSignal) => Promise<readonly BotModel[]>;
  /** Absent where the path is switched off: then only the answers to close calls and FLAT_CHECK_SQL can tell. */
  readonly positions?: (signal: AbortSignal) => Promise<BotPositions>;
  /** Stops opening, cancels pending orders, closes open positions. The bot stays halted until it restarts. */
  readonly close: (request: CloseRequest, signal: AbortSignal) => Promise<CloseAnswer>;
  /**
   * Tries what a close call needs, and closes nothing; `left` is what a drain would close. Only for a boot that
   * announced `dryRun`: any other may close for real.
   */
  readonly rehearse: (request: CloseRequest, signal: AbortSignal) => Promise<CloseAnswer>;
  /** How fast this bot may be asked. */
  readonly pace: BotPace;
  /** Frees the sockets. No call may follow. */
  readonly dispose: () => Promise<void>;
}

/** The rates at which a drain may talk to a bot, in milliseconds. */
export interface BotPace {
  /** Between two reads of positions. */
  readonly readEveryMs: number;
  /** Shortest wait, without progress, before a close call that left something open is sent again. */
  readonly closeAgainAfterMs: number;
}

/**
 * - `BOT_REFUSED` nothing listens there · `BOT_NOT_FOUND` the name does not resolve · `BOT_UNREACHABLE` no route, or
 *   no connection in time · `BOT_RESET` the connection broke · `BOT_TLS` the certificate was not accepted
 * - `BOT_TIMEOUT` no whole answer in time · `BOT_CANCELLED` the caller gave up
 * - `BOT_UNAUTHORISED` 401 or 403 · `BOT_STATUS` any other unexpected status · `BOT_REDIRECT` a redirect, which is
 *   never followed
 * - `BOT_TOO_LARGE` the body went past the limit · `BOT_MALFORMED` not HTTP, not JSON, or not the documented shape
 * - `BOT_UNSETTLED` it answers, and what it says does not count yet: it starts, or may still open something
 * - `BOT_FAILED` anything else
 */
export type BotErrorCode = `BOT_${CallErrorCode}` | 'BOT_UNSETTLED';

/** Details of a {@link BotError}. */
export interface BotErrorOptions extends ErrorOptions {
  /** HTTP status, where one came. */
  readonly status?: number | null;
  /** From `Retry-After`, in milliseconds. */
  readonly retryAfterMs?: number | null;
  /** With `BOT_TIMEOUT`: what was waited for when time was up. */
  readonly waitedFor?: WaitedFor | null;
}

/** Statuses that no retry can mend: the credentials or the path are wrong. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([401, 403, 404, 405]);

/** Codes that say no bot is there at all. */
const GONE: ReadonlySet<BotErrorCode> = new Set(['BOT_REFUSED', 'BOT_NOT_FOUND', 'BOT_UNREACHABLE']);

/** A call to the bot that did not succeed. The message names call, expectation and outcome, and holds no credential. */
export class BotError extends Error {
  override readonly name = 'BotError';
  readonly code: BotErrorCode;
  readonly status: number | null;
  /** How long the bot asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** What was waited for when time was up; null where it was not a matter of time, or is not known. */
  readonly waitedFor: WaitedFor | null;

  constructor(code: BotErrorCode, message: string, options: BotErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.waitedFor = options.waitedFor ?? null;
  }

  /** False for 401, 403, 404 and 405, and where the caller gave up itself. */
  get retryable(): boolean {
    if (this.code === 'BOT_CANCELLED') return false;
    return this.status === null || !FINAL_STATUSES.has(this.status);
  }

  /** Nothing is there to talk to: refused, unknown name, no route. */
  get gone(): boolean {
    return GONE.has(this.code);
  }

  /** The connection was lost or never made: whoever answers next may be another boot. */
  get disconnected(): boolean {
    return this.gone || this.code === 'BOT_RESET';
  }

  /** `error` itself, or the BotError that stands for it: nothing but a BotError ever leaves an adapter. */
  static from(error: unknown, call: string): BotError {
    if (error instanceof BotError) return error;
    if (error instanceof CallError) return new BotError(`BOT_${error.code}`, error.message, error);
    if (isTimeout(error))
      return new BotError('BOT_TIMEOUT', `${call}: no whole answer in time`, { cause: error });
    return new BotError('BOT_FAILED', `${call}: failed unexpectedly`, { cause: error });
  }
}

/** Whether this is the reason of a signal that aborted because time was up. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}
