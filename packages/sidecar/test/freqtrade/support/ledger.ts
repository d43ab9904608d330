import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** What freqtrade's own tables say. */
export interface Ledger {
  readonly trades: readonly { readonly id: number; readonly pair: string; readonly open: boolean }[];
  readonly orders: readonly Order[];
}

export interface Order {
  readonly trade: number;
  readonly side: string;
  readonly type: string;
  readonly status: string;
  readonly open: boolean;
  readonly filled: number;
  readonly at: string;
}

/** Reads the tables of trades and orders; both are empty before freqtrade made them. */
export function readLedger(file: string): Ledger {
  if (!existsSync(file)) return { trades: [], orders: [] };
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    database.exec('PRAGMA busy_timeout = 5000');
    const tables = database
      .prepare("SELECT name FROM sqlite_master WHERE name IN ('trades', 'orders')")
      .all();
    if (tables.length < 2) return { trades: [], orders: [] };
    const trades = database.prepare('SELECT id, pair, is_open FROM trades ORDER BY id').all();
    const orders = database
      .prepare(
        `SELECT ft_trade_id AS trade, ft_order_side AS side, order_type AS type, status, ft_is_open, filled, order_date AS at
         FROM orders ORDER BY id`,
      )
      .all();
    return {
      trades: trades.map(({ id, pair, is_open }) => ({
        id: Number(id),
        pair: String(pair),
        open: is_open === 1,
      })),
      orders: orders.map(({ trade, side, type, status, ft_is_open, filled, at }) => ({
        trade: Number(trade),
        side: String(side),
        type: String(type),
        status: String(status),
        open: ft_is_open === 1,
        filled: Number(filled ?? 0),
        at: String(at),
      })),
    };
  } finally {
    database.close();
  }
}

/**
 * What is wrong with a ledger that should be flat, one sentence each: a trade or an order that is open, and a trade of
 * which not exactly what was bought was sold.
 */
export function wrongs({ trades, orders }: Ledger): string[] {
  const sum = (trade: number, side: string): number =>
    orders
      .filter((order) => order.trade === trade && order.side === side)
      .reduce((all, { filled }) => all + filled, 0);
  return [
    ...trades.filter(({ open }) => open).map(({ id, pair }) => `trade ${id} (${pair}) is open`),
    ...orders
      .filter(({ open }) => open)
      .map(({ trade, side }) => `a ${side} order of trade ${trade} is open`),
    ...trades
      .filter(({ id }) => Math.abs(sum(id, 'buy') - sum(id, 'sell')) > 1e-9)
      .map(({ id }) => `trade ${id}: bought ${sum(id, 'buy')}, sold ${sum(id, 'sell')}`),
  ];
}
