import ccxt, { type Exchange } from 'ccxt';
import { PAPER_KEY, type PaperExchange } from '../../src/index.ts';

/** ccxt as it is, with its own addresses; only the connection goes to the paper exchange. */
function redirected(exchange: PaperExchange): typeof fetch {
  return (input, init) => {
    const { pathname, search } = new URL(String(input));
    return fetch(`${exchange.url}${pathname}${search}`, init);
  };
}

/** How ccxt's clients differ for what is tested here. */
export interface Client {
  readonly name: string;
  readonly connect: (exchange: PaperExchange, key?: { apiKey: string; secret: string }) => Exchange;
  /** How much of BTC one unit of size is. */
  readonly contract: number;
}

const COMMON = { apiKey: PAPER_KEY.key, secret: PAPER_KEY.secret, enableRateLimit: false };

export const CLIENTS: readonly Client[] = [
  {
    name: 'Binance USDⓈ-M',
    contract: 1,
    connect: (exchange, key) =>
      new ccxt.binanceusdm({
        ...COMMON,
        ...key,
        fetchImplementation: redirected(exchange),
        options: { warnOnFetchOpenOrdersWithoutSymbol: false },
      }),
  },
  {
    name: 'OKX',
    contract: 0.01,
    connect: (exchange, key) =>
      new ccxt.okx({
        ...COMMON,
        ...key,
        password: PAPER_KEY.passphrase,
        fetchImplementation: redirected(exchange),
        options: { fetchMarkets: { types: ['swap', 'spot'] } },
      }),
  },
];
