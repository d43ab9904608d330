import { createJsonCaller, type JsonAnswer, type JsonCall } from '@botwarden/service/json-call';
import { z } from 'zod';
import { BotError } from '../bot.ts';
import type { Pace } from './pace.ts';

// Keys that are not needed are ignored; a needed one of another type is an error: an answer that is half understood
// must never pass for health, or for flat.

const healthBody = z.object({
  last_process_ts: z.number().nullish(),
  bot_startup_ts: z.number().nullish(),
});
const configBody = z.object({
  state: z.string(),
  max_open_trades: z.number().nullish(),
  timeframe: z.string().nullish(),
  timeframe_ms: z.number().nullish(),
  // No release tells it so far.
  process_throttle_secs: z.number().nullish(),
});
const orderBody = z.looseObject({
  order_id: z.string().nullish(),
  order_type: z.string().nullish(),
  ft_order_side: z.string().nullish(),
  ft_order_tag: z.string().nullish(),
  is_open: z.boolean().nullish(),
});
const tradeBody = z.looseObject({
  trade_id: z.number(),
  pair: z.string(),
  is_short: z.boolean().nullish(),
  orders: z.array(orderBody).nullish(),
  // Versions before 2.14 of the API name the open order only.
  open_order_id: z.string().nullish(),
});
const statusBody = z.array(tradeBody);
const countBody = z.object({ current: z.int().nonnegative() });
const closedBody = z.object({ trades: z.array(tradeBody) });
const candlesBody = z.object({ columns: z.array(z.string()), data: z.array(z.array(z.unknown())) });
const logsBody = z.object({
  logs: z.array(z.tuple([z.string(), z.number(), z.string(), z.string(), z.string()])),
});

/** What `GET /health` and `GET /show_config` say, as far as it is needed. */
export type HealthBody = z.infer<typeof healthBody>;
export type ConfigBody = z.infer<typeof configBody>;
/** A trade as `GET /status` and `GET /trades` tell it. */
export type TradeBody = z.infer<typeof tradeBody>;

/** The newest candles of a pair, with what the strategy made of them; no columns where it has not looked at the pair. */
export type CandlesBody = z.infer<typeof candlesBody>;

/** One line of freqtrade's log. */
export interface LogLine {
  /** Milliseconds since 1970, by freqtrade's clock. */
  readonly at: number;
  /** Like `freqtrade.worker`. */
  readonly logger: string;
  readonly level: string;
  readonly text: string;
}

/** The calls of freqtrade's REST API that are used. All reject with a BotError. */
export interface FreqtradeCalls {
  readonly health: (signal: AbortSignal) => Promise<HealthBody>;
  readonly config: (signal: AbortSignal) => Promise<ConfigBody>;
  /** The open trades; empty also after some errors. */
  readonly status: (signal: AbortSignal) => Promise<readonly TradeBody[]>;
  /** How many trades are open; refused (502) while freqtrade is stopped. */
  readonly count: (signal: AbortSignal) => Promise<number>;
  /** The trades that were closed last. */
  readonly closed: (signal: AbortSignal) => Promise<readonly TradeBody[]>;
  /** The newest lines of its log, oldest first; it keeps the last 1,000. */
  readonly logs: (limit: number, signal: AbortSignal) => Promise<readonly LogLine[]>;
  readonly candles: (
    pair: string,
    timeframe: string,
    limit: number,
    signal: AbortSignal,
  ) => Promise<CandlesBody>;
  /** Whether it answers without credentials. */
  readonly ping: (signal: AbortSignal) => Promise<boolean>;
  /** Starts a stopped freqtrade in the state `paused`. Not remembered over a restart. */
  readonly stopEntries: (signal: AbortSignal) => Promise<void>;
  readonly exit: (tradeId: number, signal: AbortSignal) => Promise<void>;
  /** Answers an error where the order was filled meanwhile, and brings the trade up to date all the same. */
  readonly cancelOrders: (tradeId: number, signal: AbortSignal) => Promise<void>;
  /** Does nothing, and is answered when no exit runs: freqtrade runs one at a time. */
  readonly awaitTurn: (signal: AbortSignal) => Promise<void>;
  readonly dispose: () => Promise<void>;
}

/** Where freqtrade is, and as whom it is called. */
export interface FreqtradeCallsOptions {
  readonly url: string | URL;
  readonly username: string;
  readonly password: string;
  readonly pace: Pace;
}

/** So many closed trades are looked through for orders that were left open. */
const CLOSED_LOOKED_AT = 50;

/**
 * Every call is sent with HTTP Basic: the other way in, a token of 15 minutes, would one day run out in a drain.
 * Throws a TypeError for a URL that is not absolute http or https.
 */
export function createFreqtradeCalls(options: FreqtradeCallsOptions): FreqtradeCalls {
  const { pace } = options;
  const pair = Buffer.from(`${options.username}:${options.password}`).toString('base64');
  const caller = createJsonCaller({
    url: options.url,
    authorization: `Basic ${pair}`,
    secrets: [options.password],
  });

  async function call(
    method: JsonCall['method'],
    path: string,
    signal: AbortSignal,
    more: Partial<JsonCall> = {},
  ): Promise<JsonAnswer> {
    const name = `${method} /api/v1${path.replace(/\?.*/, '')}`;
    pace.heed(name);
    try {
      const accept = (status: number): boolean => status === 200;
      return await caller.call({ method, path: `/api/v1${path}`, accept, ...more }, signal);
    } catch (error) {
      const failure = BotError.from(error, name);
      pace.learn(name, failure);
      throw failure;
    }
  }

  async function get<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const { body } = await call('GET', path, signal);
    const result = schema.safeParse(body);
    if (result.success) return result.data;
    const where = result.error.issues[0]?.path.join('.') ?? '';
    throw new BotError(
      'BOT_MALFORMED',
      `GET /api/v1${path.replace(/\?.*/, '')}: not what freqtrade answers${where === '' ? '' : ` (${where})`}: is BOT_URL a freqtrade?`,
    );
  }

  return {
    health: (signal) => get('/health', healthBody, signal),
    config: (signal) => get('/show_config', configBody, signal),
    status: (signal) => get('/status', statusBody, signal),
    count: async (signal) => (await get('/count', countBody, signal)).current,
    closed: async (signal) =>
      (await get(`/trades?limit=${CLOSED_LOOKED_AT}&order_by_id=false`, closedBody, signal)).trades,
    async logs(limit, signal) {
      const { logs } = await get(`/logs?limit=${limit}`, logsBody, signal);
      return logs.map(([, at, logger, level, text]) => ({ at, logger, level, text }));
    },
    candles(pair, timeframe, limit, signal) {
      const query = new URLSearchParams({ pair, timeframe, limit: String(limit) });
      return get(`/pair_candles?${query}`, candlesBody, signal);
    },
    ping: (signal) =>
      call('GET', '/ping', signal).then(
        () => true,
        () => false,
      ),
    async stopEntries(signal) {
      try {
        await call('POST', '/stopentry', signal);
      } catch (error) {
        if (!(error instanceof BotError) || (error.status !== 404 && error.status !== 405)) throw error;
        // Its name in versions before 2022.3.
        await call('POST', '/stopbuy', signal);
      }
    },
    async exit(tradeId, signal) {
      const body = { tradeid: String(tradeId), ordertype: 'market' };
      await call('POST', '/forceexit', signal, { body });
    },
    async cancelOrders(tradeId, signal) {
      await call('DELETE', `/trades/${tradeId}/open-order`, signal, { json: false });
    },
    async awaitTurn(signal) {
      // There is no trade 0; to find that out it takes the same lock as an exit.
      const refused = (status: number): boolean => status !== 429 && status !== 401;
      await call('DELETE', '/trades/0/open-order', signal, { accept: refused, json: false });
    },
    dispose: caller.dispose,
  };
}
