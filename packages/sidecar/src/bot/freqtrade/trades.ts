import { BotError, type BotPositions } from '../bot.ts';
import type { FreqtradeCalls, TradeBody } from './calls.ts';

/** An open trade, with its open orders. */
export interface Trade {
  readonly id: number;
  readonly pair: string;
  /** Open orders that close it, a stop-loss on the exchange aside: freqtrade cancels that one itself. */
  readonly exits: readonly ExitOrder[];
  /** All its open orders. */
  readonly orders: readonly unknown[];
}

/** An open order that closes a trade. */
export interface ExitOrder {
  readonly market: boolean;
  /** It was asked for over the API or Telegram, and not placed by the strategy. */
  readonly forced: boolean;
}

/** What `GET /status` told, with the items as they were sent. */
export interface Open {
  readonly trades: readonly Trade[];
  readonly sent: readonly unknown[];
}

/** The open trades by `GET /status`, which is empty also after some errors. */
export async function readOpen(calls: FreqtradeCalls, signal: AbortSignal): Promise<Open> {
  const sent = await calls.status(signal);
  return { trades: sent.map(tradeOf), sent };
}

/**
 * What is open. Nothing is only believed where `GET /status` and `GET /count` agree, and where no trade of `known` that
 * was closed since has kept an open order: such an order shows in neither. `known` is null outside a drain, where
 * that last look is spared.
 */
export async function readPositions(
  calls: FreqtradeCalls,
  known: ReadonlySet<number> | null,
  signal: AbortSignal,
): Promise<BotPositions> {
  const [status, count] = await Promise.allSettled([readOpen(calls, signal), calls.count(signal)]);
  if (status.status === 'fulfilled' && status.value.trades.length > 0) {
    const { trades, sent } = status.value;
    const pending = trades.flatMap(({ orders }) => orders);
    return { open: trades.length, pending: pending.length, detail: { open: sent, pending } };
  }
  if (count.status === 'rejected') throw count.reason;
  // A status that hangs, as while the exchange does not answer, hides no trade that is counted.
  if (count.value > 0) return { open: count.value, pending: 0, detail: { open: null, pending: null } };
  if (status.status === 'rejected') throw status.reason;
  const pending = known === null || known.size === 0 ? [] : await leftBehind(calls, known, signal);
  return { open: 0, pending: pending.length, detail: { open: [], pending } };
}

/** Open orders of closed trades. */
async function leftBehind(
  calls: FreqtradeCalls,
  known: ReadonlySet<number>,
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const closed = await calls.closed(signal).catch((error: unknown) => {
    const failure = BotError.from(error, 'GET /api/v1/trades');
    // A version without this call has nothing more to tell.
    if (failure.status === 404 || failure.status === 405) return [];
    throw failure;
  });
  return closed
    .filter(({ trade_id }) => known.has(trade_id))
    .map(tradeOf)
    .flatMap(({ orders }) => orders);
}

function tradeOf(body: TradeBody): Trade {
  const open = (body.orders ?? []).filter(({ is_open }) => is_open === true);
  const entrySide = body.is_short === true ? 'sell' : 'buy';
  const exits = open.filter(
    ({ ft_order_side: side }) => side != null && side !== entrySide && side !== 'stoploss',
  );
  const unlisted = open.length === 0 && body.open_order_id != null ? [{ order_id: body.open_order_id }] : [];
  return {
    id: body.trade_id,
    pair: body.pair,
    exits: exits.map(({ order_type, ft_order_tag }) => ({
      market: order_type === 'market',
      forced: ft_order_tag === 'force_exit',
    })),
    orders: [...open, ...unlisted].map((order) => ({ trade_id: body.trade_id, pair: body.pair, ...order })),
  };
}

/** How a trade is called in messages. */
export const nameOf = ({ id, pair }: Pick<Trade, 'id' | 'pair'>): string => `trade ${id} (${pair})`;
