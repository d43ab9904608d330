import { z } from 'zod';
import { createJsonCaller, type JsonAnswer, type JsonCall } from '../json-call.ts';
import {
  type Bot,
  BotError,
  type BotHealth,
  type BotPositions,
  type CloseAnswer,
  type CloseRequest,
} from './bot.ts';

/** Options of {@link createFreqtradeBot}. */
export interface FreqtradeBotOptions {
  /** Base URL, like `http://freqtrade:8080`; `/api/v1` is put behind it. */
  readonly url: string | URL;
  /** `api_server.username` and `api_server.password` of its configuration. */
  readonly username: string;
  readonly password: string;
  /** Wall clock in milliseconds. Default `Date.now`. */
  readonly now?: () => number;
}

// Newer versions allow 5 force exits, 5 counts and 20 statuses a minute. A drain takes 13 statuses, which leaves room
// for who else watches, and one force exit a quarter of a minute.
const PACE = { readEveryMs: 4_500, closeAgainAfterMs: 15_000 };
/** Stopping entries may take this long of an attempt, so that one that hangs leaves time to close. */
const STOP_ENTRIES_MS = 2_000;
/** Outside a drain the count is asked for at most this often, so that a drain finds its calls unspent. */
const COUNT_FRESH_MS = 30_000;
/** In a drain a count that says something is open holds for so long; one that says zero is never used again. */
const OPEN_FRESH_MS = 20_000;

const healthBody = z.object({
  last_process_ts: z.number().nullish(),
  bot_startup_ts: z.number().nullish(),
});
const configBody = z.object({
  state: z.string(),
  max_open_trades: z.number().nullish(),
});
const statusBody = z.array(
  z.looseObject({
    trade_id: z.number(),
    open_order_id: z.string().nullish(),
    open_order: z.string().nullish(),
    has_open_orders: z.boolean().nullish(),
    orders: z.array(z.looseObject({ is_open: z.boolean().nullish() })).nullish(),
  }),
);
const countBody = z.object({ current: z.int().nonnegative() });

type Trade = z.infer<typeof statusBody>[number];

/**
 * freqtrade, over its REST API (`/api/v1`, from version 2022.3 on, and older ones where the names are the same).
 *
 * Closing is three steps of its own: entries are stopped (`/stopentry`, never `/stop`, which would refuse the exits),
 * every trade is force-exited at the market, and the rest is waiting: freqtrade answers before its orders are filled
 * and says nothing of trades that failed. Flat is an empty `/status` **and** `/count` 0, because `/status` is empty
 * after any error as well. The tick is `last_process_ts`, the boot `bot_startup_ts`. There are no models to ask for.
 *
 * Every call is sent with HTTP Basic: the other way in, a token of 15 minutes, would one day run out in a drain.
 * Throws a TypeError for a URL that is not absolute http or https.
 */
export function createFreqtradeBot(options: FreqtradeBotOptions): Bot {
  const now = options.now ?? Date.now;
  const pair = Buffer.from(`${options.username}:${options.password}`).toString('base64');
  const caller = createJsonCaller({
    url: options.url,
    authorization: `Basic ${pair}`,
    secrets: [options.password],
  });
  /** Until when reads must be fresh: the deadline of the drain that was asked for last. */
  let drainingUntil = 0;
  let forcedAt = Number.NEGATIVE_INFINITY;
  let counted: { readonly at: number; readonly current: number } | null = null;

  async function call(
    method: 'GET' | 'POST',
    path: string,
    signal: AbortSignal,
    more: Partial<JsonCall> = {},
  ): Promise<JsonAnswer> {
    try {
      const request: JsonCall = {
        method,
        path: `/api/v1${path}`,
        accept: (status) => status === 200,
        ...more,
      };
      return await caller.call(request, signal);
    } catch (error) {
      throw BotError.from(error, `${method} /api/v1${path}`);
    }
  }

  async function get<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const { body } = await call('GET', path, signal);
    const result = schema.safeParse(body);
    if (result.success) return result.data;
    const where = result.error.issues[0]?.path.join('.') ?? '';
    throw new BotError(
      'BOT_MALFORMED',
      `GET /api/v1${path}: not what freqtrade answers${where === '' ? '' : ` (${where})`}: is BOT_URL a freqtrade?`,
    );
  }

  async function health(signal: AbortSignal): Promise<BotHealth> {
    const told = await get('/health', healthBody, signal);
    const config = await get('/show_config', configBody, signal);
    const tick = told.last_process_ts ?? 0;
    const trading = tradingOf(config.state, config.max_open_trades ?? null);
    return {
      status: 'ok',
      instance: told.bot_startup_ts == null ? null : `freqtrade-${told.bot_startup_ts}`,
      trading,
      lastTickAt: tick > 0 ? new Date(tick * 1000) : null,
      database: null,
      dryRun: true,
    };
  }

  async function positions(signal: AbortSignal): Promise<BotPositions> {
    const trades = await get('/status', statusBody, signal);
    if (trades.length > 0) {
      const pending = trades.flatMap(openOrders);
      return { open: trades.length, pending: pending.length, detail: { open: trades, pending } };
    }
    if (counted === null || now() - counted.at >= freshFor(counted.current)) {
      const { current } = await get('/count', countBody, signal);
      counted = { at: now(), current };
    }
    return { open: counted.current, pending: 0, detail: { open: null, pending: null } };
  }

  function freshFor(current: number): number {
    if (now() >= drainingUntil) return COUNT_FRESH_MS;
    return current === 0 ? 0 : OPEN_FRESH_MS;
  }

  async function close(request: CloseRequest, signal: AbortSignal): Promise<CloseAnswer> {
    drainingUntil = request.deadline.getTime();
    counted = null;
    // Money first: where entries cannot be stopped, what is open is closed all the same, and then this is an error.
    const stopped = await stopEntries(AbortSignal.any([signal, AbortSignal.timeout(STOP_ENTRIES_MS)])).then(
      () => null,
      (error: unknown) => error,
    );
    forcedAt = now();
    let reached = false;
    try {
      await call('POST', '/forceexit', signal, { body: { tradeid: 'all', ordertype: 'market' } });
      reached = true;
      if (stopped !== null) throw stopped;
    } catch (error) {
      const failure = BotError.from(error, 'POST /api/v1/forceexit');
      throw reached || failure.status !== null ? unhurried(failure) : failure;
    }
    return { done: false, left: null };
  }

  async function stopEntries(signal: AbortSignal): Promise<void> {
    try {
      await call('POST', '/stopentry', signal);
    } catch (error) {
      if (!(error instanceof BotError) || (error.status !== 404 && error.status !== 405)) throw error;
      await call('POST', '/stopbuy', signal);
    }
  }

  /** What reached freqtrade counts against its limit: the next try keeps the distance. */
  function unhurried(error: BotError): BotError {
    const wait = Math.max(error.retryAfterMs ?? 0, forcedAt + PACE.closeAgainAfterMs - now());
    return new BotError(error.code, error.message, { status: error.status, retryAfterMs: wait });
  }

  return {
    adapter: 'freqtrade',
    pace: PACE,
    health,
    positions,
    close,
    // Reading is what can be rehearsed: the same credentials, and what would be closed. It has no call that pretends.
    rehearse: async (_, signal) => ({ done: true, left: await positions(signal) }),
    dispose: caller.dispose,
  };
}

/** Older versions stop entries by setting `max_open_trades` to 0 and go on `running`, newer ones are `paused`. */
function tradingOf(state: string, maxOpenTrades: number | null): BotHealth['trading'] {
  if (state === 'paused' || state === 'stopped') return 'halted';
  if (state === 'running') return maxOpenTrades === 0 ? 'halted' : 'running';
  return null;
}

function openOrders(trade: Trade): readonly unknown[] {
  const listed = (trade.orders ?? []).filter((order) => order.is_open === true);
  if (listed.length > 0) return listed;
  const told = trade.has_open_orders === true || (trade.open_order_id ?? trade.open_order ?? null) !== null;
  return told ? [{ trade_id: trade.trade_id }] : [];
}
