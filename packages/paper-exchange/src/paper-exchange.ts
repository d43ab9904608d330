import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Big } from 'big.js';
import { type AccountBook, readBook } from './book.ts';
import { createControl } from './control.ts';
import { binance } from './dialects/binance/binance.ts';
import { okx } from './dialects/okx/okx.ts';
import { Faults } from './faults.ts';
import { Keys } from './keys.ts';
import { History } from './venue/history.ts';
import { instrument } from './venue/instruments.ts';
import { Venue } from './venue/venue.ts';
import { CallLog } from './wire/call-log.ts';
import { createListener } from './wire/listener.ts';

/** Options of {@link startPaperExchange}. */
export interface PaperExchangeOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 0, which picks a free one. */
  readonly port?: number;
}

/** A running exchange. */
export interface PaperExchange {
  readonly url: string;
  readonly venue: Venue;
  readonly keys: Keys;
  readonly faults: Faults;
  readonly calls: CallLog;
  /** What the account `main`, or another one, has by the exchange's own truth. */
  readonly book: (account?: string) => AccountBook;
  readonly setPrice: (name: string, price: number | string) => void;
  /** How far the exchange's clock is ahead of this machine's, in milliseconds. */
  readonly setClock: (aheadMs: number) => void;
  /** Everything as it was at the start, but for the address. */
  readonly reset: () => void;
  readonly close: () => Promise<void>;
}

/** Starts an exchange that speaks every dialect at one address. Rejects where nothing can listen there. */
export async function startPaperExchange(options: PaperExchangeOptions = {}): Promise<PaperExchange> {
  const { host = '127.0.0.1', port = 0 } = options;
  let aheadMs = 0;
  const now = (): number => Date.now() + aheadMs;
  const parts = () => {
    const venue = new Venue({ now });
    return {
      venue,
      history: new History(venue),
      keys: new Keys(),
      faults: new Faults(),
      calls: new CallLog(),
    };
  };
  let current = parts();

  const exchange = {
    get venue() {
      return current.venue;
    },
    get keys() {
      return current.keys;
    },
    get faults() {
      return current.faults;
    },
    get calls() {
      return current.calls;
    },
    book: (account = 'main') => readBook(current.venue)[account] ?? { positions: [], orders: [], coins: {} },
    setPrice(name: string, price: number | string) {
      const one = instrument(name);
      current.venue.setPrice(one, new Big(price));
      current.history.note(one, now(), new Big(price));
    },
    setClock(ms: number) {
      aheadMs = ms;
    },
    reset() {
      current.venue.close();
      aheadMs = 0;
      current = parts();
    },
  };
  const control = createControl(exchange);
  const server = createServer((message, response) => {
    createListener({ ...current, dialects: [binance, okx], control })(message, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return Object.defineProperties(
    {
      url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
      async close() {
        current.venue.close();
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    },
    Object.getOwnPropertyDescriptors(exchange),
  ) as PaperExchange;
}
