import type { Exchange } from 'ccxt';
import type { Parameters } from './account.ts';
import type { ExchangeErrorCode } from './errors.ts';

/** What is looked at: contracts settled in the quote or in the coin, coins on credit, coins. */
export const MARKETS = ['linear', 'inverse', 'margin', 'spot'] as const;

/** One of {@link MARKETS}. */
export type Market = (typeof MARKETS)[number];

/** What must be asked to see everything in one kind of market. */
export interface MarketWay {
  /** The exchange's lists of open orders: one call each, with this in it. */
  readonly orders: readonly Parameters[];
  /** Its lists of positions, likewise; none where balances tell. */
  readonly positions: readonly Parameters[];
  /** Where coins are held: what a call for balances carries. */
  readonly balance?: Parameters;
}

/** How one exchange is asked. */
export interface Ways {
  /** Driven by tests, with ccxt as it is, at the wire. */
  readonly tested: boolean;
  readonly markets: Readonly<Partial<Record<Market, MarketWay>>>;
  /** Options of ccxt for looking at these markets. */
  readonly options: (markets: readonly Market[]) => Readonly<Record<string, unknown>>;
  /** Where one symbol's orders cost far less than everybody's. */
  readonly ordersBySymbol: boolean;
  /** How much may be asked at once after a rest, in the exchange's own units of cost. */
  readonly burst: number;
  /** What the exchange's error numbers mean where ccxt does not say it clearly enough. */
  readonly codes: Readonly<Record<string, ExchangeErrorCode>>;
  /** Has every open order cancelled in so many milliseconds. Fails where the exchange, or ccxt, has no such call. */
  readonly cancelAfter: (exchange: Exchange, ms: number, symbols: readonly string[]) => Promise<unknown>;
  /** Whether the switch needs the symbols to be named. */
  readonly cancelAfterNeedsSymbols?: boolean;
}

/** Not everything is in ccxt's types: each exchange has calls of its own, by name. */
type OwnCalls = Exchange & Readonly<Record<string, (params: object) => Promise<unknown>>>;

const BINANCE_TYPES: Readonly<Record<Market, string>> = {
  linear: 'linear',
  inverse: 'inverse',
  margin: 'spot',
  spot: 'spot',
};

/** Conditional orders stand in a list of their own. */
const BINANCE: Ways = {
  tested: true,
  markets: {
    linear: {
      orders: [
        { type: 'swap', subType: 'linear' },
        { type: 'swap', subType: 'linear', trigger: true },
      ],
      positions: [{ type: 'swap', subType: 'linear' }],
    },
    inverse: {
      orders: [
        { type: 'swap', subType: 'inverse' },
        { type: 'swap', subType: 'inverse', trigger: true },
      ],
      positions: [{ type: 'swap', subType: 'inverse' }],
    },
    margin: { orders: [{ type: 'margin' }], positions: [], balance: { type: 'margin' } },
    spot: { orders: [{ type: 'spot' }], positions: [], balance: { type: 'spot' } },
  },
  options: (markets) => ({
    fetchMarkets: { types: [...new Set(markets.map((market) => BINANCE_TYPES[market]))] },
    fetchMargins: false,
    warnOnFetchOpenOrdersWithoutSymbol: false,
  }),
  ordersBySymbol: true,
  // 2,400 a minute are allowed, and without symbols one look costs 85.
  burst: 1_000,
  codes: {
    '-1007': 'EXCHANGE_TIMEOUT',
    '-2022': 'EXCHANGE_REDUCE_ONLY',
    '-4116': 'EXCHANGE_DUPLICATE',
  },
  cancelAfterNeedsSymbols: true,
  cancelAfter: (exchange, ms, symbols) =>
    Promise.all(
      symbols
        .map((symbol) => exchange.market(symbol))
        .filter(({ linear, inverse }) => linear === true || inverse === true)
        .map(({ id, linear }) =>
          (exchange as OwnCalls)[
            linear === true ? 'fapiPrivatePostCountdownCancelAll' : 'dapiPrivatePostCountdownCancelAll'
          ]?.({ symbol: id, countdownTime: ms }),
        ),
    ),
};

/** One call tells the positions of all kinds; every kind of conditional order stands in a list of its own. */
const OKX_ORDERS: readonly Parameters[] = [
  {},
  { trigger: true, ordType: 'trigger' },
  { trigger: true, ordType: 'conditional,oco' },
  { trailing: true },
  { trigger: true, ordType: 'iceberg' },
  { trigger: true, ordType: 'twap' },
];

const OKX: Ways = {
  tested: true,
  markets: {
    linear: { orders: OKX_ORDERS, positions: [{}] },
    inverse: { orders: OKX_ORDERS, positions: [{}] },
    spot: { orders: OKX_ORDERS, positions: [], balance: { type: 'trading' } },
  },
  options: (markets) => ({
    fetchMarkets: {
      types: [...new Set(markets.flatMap((market) => (market === 'spot' ? ['spot'] : ['swap', 'future'])))],
    },
  }),
  ordersBySymbol: false,
  burst: 20,
  codes: {
    '50004': 'EXCHANGE_TIMEOUT',
    '50120': 'EXCHANGE_READ_ONLY',
    '51016': 'EXCHANGE_DUPLICATE',
    '51112': 'EXCHANGE_REDUCE_ONLY',
    '51169': 'EXCHANGE_REDUCE_ONLY',
    '51205': 'EXCHANGE_REDUCE_ONLY',
  },
  cancelAfter: (exchange, ms) => exchange.cancelAllOrdersAfter(ms),
};

/** Any other exchange, by what ccxt has in common for all. Nobody has tried whether that tells everything. */
const OTHERS: Ways = {
  tested: false,
  markets: {
    linear: { orders: [{}, { trigger: true }], positions: [{}] },
    inverse: { orders: [{}, { trigger: true }], positions: [{}] },
    spot: { orders: [{}], positions: [], balance: {} },
  },
  options: () => ({ warnOnFetchOpenOrdersWithoutSymbol: false }),
  ordersBySymbol: false,
  burst: 1,
  codes: {},
  cancelAfter: (exchange, ms) => exchange.cancelAllOrdersAfter(ms),
};

const KNOWN: Readonly<Record<string, Ways>> = {
  binance: BINANCE,
  binanceusdm: { ...BINANCE, markets: pick(BINANCE, 'linear') },
  binancecoinm: { ...BINANCE, markets: pick(BINANCE, 'inverse') },
  okx: OKX,
};

/** The exchanges that tests drive at the wire, by ccxt's names for them. */
export const TESTED_EXCHANGES: readonly string[] = Object.keys(KNOWN);

/** How an exchange is asked, by ccxt's name for it. */
export function waysOf(id: string): Ways {
  return KNOWN[id] ?? OTHERS;
}

function pick({ markets }: Ways, market: Market): Ways['markets'] {
  return { [market]: markets[market] };
}
