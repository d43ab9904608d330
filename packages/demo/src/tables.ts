import pg from 'pg';

/** The bot's own count of what is open: 0 when it is flat. */
export const COUNT_OPEN = 'SELECT (SELECT count(*) FROM bot_positions) + (SELECT count(*) FROM bot_orders)';

/** One row of `bot_positions` or `bot_orders`. */
export interface Row {
  readonly symbol: string;
  readonly side: string;
  readonly quantity: number;
  readonly price: number;
}

/** What the bot has on record. */
export interface Book {
  readonly positions: readonly Row[];
  readonly orders: readonly Row[];
}

/** The bot's tables, read with SQL and without the bot. */
export interface Tables {
  /** Rejects while the database does not answer. Tables that were never made hold nothing. */
  readonly read: () => Promise<Book>;
  readonly close: () => Promise<void>;
}

const LIMIT_MS = 2_000;
const UNDEFINED_TABLE = '42P01';

/** Opens them; nothing is connected before the first reading. */
export function openTables(url: string): Tables {
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    application_name: 'demo',
    connectionTimeoutMillis: LIMIT_MS,
    query_timeout: LIMIT_MS,
  });
  // An idle connection that breaks is made again by the next reading.
  pool.on('error', () => undefined);
  const rows = async (table: string): Promise<Row[]> => {
    try {
      const { rows } = await pool.query(`SELECT symbol, side, quantity, price FROM ${table} ORDER BY symbol`);
      return rows;
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === UNDEFINED_TABLE) return [];
      throw error;
    }
  };
  return {
    read: async () => ({ positions: await rows('bot_positions'), orders: await rows('bot_orders') }),
    close: () => pool.end(),
  };
}

/** `0 open positions, 0 pending orders`. */
export function counted({ positions, orders }: Book): string {
  const some = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
  return `${some(positions.length, 'open position')}, ${some(orders.length, 'pending order')}`;
}

/** `long 0.016667 BTC/USDT at 60000`. */
export const described = ({ symbol, side, quantity, price }: Row): string =>
  `${side} ${quantity} ${symbol} at ${price}`;
