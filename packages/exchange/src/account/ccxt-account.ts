import type { Exchange, MarketInterface } from 'ccxt';
import type { Account, Holding, OpenOrder, Parameters, Reading, Rights } from './account.ts';
import { createAsk } from './ask.ts';
import { classify } from './classify.ts';
import { ExchangeError } from './errors.ts';
import { checkNothingLost, rowsIn } from './evidence.ts';
import { loadExchange } from './load-exchange.ts';
import { looksFor } from './looks.ts';
import { coinHolding, contractHolding, limitsOf, openOrder } from './understand.ts';
import { type Market, type Ways, waysOf } from './ways.ts';
import { createWire, type Wire } from './wire.ts';

/** Options of {@link createCcxtAccount}. */
export interface CcxtAccountOptions {
  /** ccxt's name of the exchange. */
  readonly id: string;
  readonly keys: { readonly key: string; readonly secret: string; readonly password?: string | undefined };
  /** `testnet` and `demo` are the exchange's own places for trying things out. */
  readonly sandbox: 'testnet' | 'demo' | null;
  readonly markets: readonly Market[];
  /** What counts. Null: every contract. Coins are never looked at unless they are named. */
  readonly symbols: ReadonlySet<string> | null;
  /** Sends every call there in place of the exchange's own address. */
  readonly url?: string | undefined;
  /** How long one answer may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** Markets are read again for a symbol that is not among them, at most once in so many milliseconds. */
const MARKETS_AGAIN_MS = 60_000;
/** How many orders one call cancels at most. */
const CANCEL_BATCH = 20;
/** No account has an order of that id. */
const NO_ORDER = '1';

/** An account by ccxt as it is: its own addresses, signatures and rate limits. Throws for a sandbox that ccxt does not have. */
export async function createCcxtAccount(options: CcxtAccountOptions): Promise<Account> {
  const { symbols, markets } = options;
  const ways = waysOf(options.id);
  const wire = createWire(options);
  const exchange = await createExchange(options, ways, wire);
  const ask = createAsk(exchange, wire, ways);
  const looks = looksFor(ways, markets);
  let marketsAt = Number.NEGATIVE_INFINITY;
  const marketOf = (symbol: string): MarketInterface | undefined => exchange.markets?.[symbol];

  async function loadMarkets(signal: AbortSignal, reload = false): Promise<void> {
    if (!reload && exchange.markets !== undefined) return;
    marketsAt = performance.now();
    // Always anew: what failed once, ccxt would give again for ever.
    await ask('reading markets', signal, () => exchange.loadMarkets(true));
  }

  async function readOrders(list: Parameters, symbol: string | undefined, signal: AbortSignal) {
    const what = 'reading open orders';
    const orders = await ask(
      what,
      signal,
      () => exchange.fetchOpenOrders(symbol, undefined, undefined, { ...list }),
      (understood, text) => checkNothingLost(rowsIn(text, what), understood.length, what),
    );
    return orders.map((order) => openOrder(order, list));
  }

  async function readAllOrders(signal: AbortSignal): Promise<OpenOrder[]> {
    const named = symbols !== null && ways.ordersBySymbol ? [...symbols] : [undefined];
    const found = await Promise.all(
      looks.orders.flatMap((list) =>
        named
          .filter((symbol) => symbol === undefined || isIn(marketOf(symbol), list))
          .map((symbol) => readOrders(list, symbol, signal)),
      ),
    );
    // Where the exchange has fewer lists than it was asked for, the same order comes twice.
    return [...new Map(found.flat().map((order) => [`${order.symbol} ${order.id}`, order])).values()];
  }

  async function readPositions(list: Parameters, signal: AbortSignal): Promise<Holding[]> {
    const what = 'reading positions';
    const positions = await ask(
      what,
      signal,
      () => exchange.fetchPositions(undefined, { ...list }),
      (understood, text) => checkNothingLost(rowsIn(text, what), understood.length, what),
    );
    return positions.map(contractHolding).filter((holding) => holding !== null);
  }

  async function readCoins(balance: Parameters, signal: AbortSignal): Promise<Holding[]> {
    const coins = [...(symbols ?? [])].map(marketOf).filter((market) => market?.spot === true);
    if (coins.length === 0) return [];
    const what = 'reading balances';
    const balances = await ask(
      what,
      signal,
      () => exchange.fetchBalance({ ...balance }),
      (_, text) => void rowsIn(text, what),
    );
    const kind = balance.type === 'margin' ? 'margin' : 'spot';
    const holdings = coins
      .map((market) => coinHolding(market as MarketInterface, balances, kind))
      .filter((holding) => holding !== null);
    return Promise.all(
      holdings.map(async (holding) => ({ ...holding, price: await priceOf(holding.symbol, signal) })),
    );
  }

  /** Null where nobody says: it only decides what is dust. */
  async function priceOf(symbol: string, signal: AbortSignal): Promise<number | null> {
    try {
      const { last } = await ask('reading a price', signal, () => exchange.fetchTicker(symbol));
      return last ?? null;
    } catch (error) {
      if (error instanceof ExchangeError && error.code === 'EXCHANGE_CANCELLED') throw error;
      return null;
    }
  }

  return {
    async read(signal): Promise<Reading> {
      const at = new Date();
      await loadMarkets(signal);
      const orders = await readAllOrders(signal);
      const holdings = (
        await Promise.all([
          ...looks.positions.map((list) => readPositions(list, signal)),
          ...looks.balances.map((balance) => readCoins(balance, signal)),
        ])
      ).flat();
      const isNew = holdings.some(({ symbol }) => marketOf(symbol) === undefined);
      if (isNew && performance.now() - marketsAt > MARKETS_AGAIN_MS) {
        // What cannot be sized cannot be closed; that it is open is known all the same.
        await loadMarkets(signal, true).catch(() => undefined);
      }
      return { at, orders, holdings };
    },

    limits({ symbol }) {
      const market = marketOf(symbol);
      return market === undefined ? null : limitsOf(exchange, market);
    },

    async cancel(orders, signal) {
      const [first] = orders;
      if (first === undefined) return;
      const { symbol, list } = first;
      const ids = orders.map(({ id }) => id);
      if (exchange.has.cancelAllOrders === true) {
        await ignoringGone(
          ask('cancelling orders', signal, () => exchange.cancelAllOrders(symbol, { ...list })),
        );
      } else if (exchange.has.cancelOrders === true) {
        for (let at = 0; at < ids.length; at += CANCEL_BATCH) {
          const batch = ids.slice(at, at + CANCEL_BATCH);
          await ignoringGone(
            ask('cancelling orders', signal, () => exchange.cancelOrders(batch, symbol, { ...list })),
          );
        }
      } else {
        for (const id of ids) {
          await ignoringGone(
            ask('cancelling an order', signal, () => exchange.cancelOrder(id, symbol, { ...list })),
          );
        }
      }
    },

    async close({ holding, amount, clientOrderId }, signal) {
      const { symbol, side } = holding;
      const order = await ask('closing', signal, () =>
        exchange.createOrder(symbol, 'market', side === 'long' ? 'sell' : 'buy', Number(amount), undefined, {
          clientOrderId,
          ...closingParameters(holding),
        }),
      );
      if (order.status !== 'rejected') return;
      // Of an order that alone was refused, some exchanges tell in an answer that ccxt takes for a success.
      const answer = { status: 200, text: JSON.stringify(order.info ?? null), retryAfterMs: null };
      const refused = classify(new Error('rejected'), 'closing', answer, ways.codes);
      throw refused.code === 'EXCHANGE_FAILED'
        ? new ExchangeError('EXCHANGE_REJECTED', 'closing: the exchange refused the order')
        : refused;
    },

    async knows({ symbol, kind }, clientOrderId, signal) {
      const margin = kind === 'margin' ? { marginMode: 'cross' } : {};
      try {
        await ask('looking up an order', signal, () =>
          exchange.fetchOrder('', symbol, { clientOrderId, ...margin }),
        );
        return true;
      } catch (error) {
        if (error instanceof ExchangeError && error.code === 'EXCHANGE_UNKNOWN_ORDER') return false;
        throw error;
      }
    },

    async rights(signal): Promise<Rights> {
      await loadMarkets(signal);
      const symbol = symbols?.values().next().value ?? anyMarket(exchange, markets)?.symbol;
      if (symbol === undefined) return 'unknown';
      try {
        await ask('trying what the keys may do', signal, () => exchange.cancelOrder(NO_ORDER, symbol));
        return 'trade';
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error;
        if (error.code === 'EXCHANGE_UNKNOWN_ORDER') return 'trade';
        // Whether the keys are accepted at all was seen when they read.
        if (error.code === 'EXCHANGE_READ_ONLY' || error.code === 'EXCHANGE_KEYS') return 'read';
        if (error.code === 'EXCHANGE_REJECTED' || error.code === 'EXCHANGE_UNSUPPORTED') return 'unknown';
        throw error;
      }
    },

    async cancelAfter(ms, signal) {
      const { cancelAfter } = ways;
      await loadMarkets(signal);
      await ask('renewing the cancel-all-after timer', signal, () =>
        cancelAfter(exchange, ms, [...(symbols ?? [])]),
      );
    },
  };
}

async function createExchange(options: CcxtAccountOptions, ways: Ways, wire: Wire): Promise<Exchange> {
  const { id, keys, sandbox, markets, timeoutMs } = options;
  const ExchangeClass = await loadExchange(id);
  const exchange = new ExchangeClass({
    apiKey: keys.key,
    secret: keys.secret,
    ...(keys.password === undefined ? {} : { password: keys.password }),
    enableRateLimit: true,
    tokenBucket: { capacity: ways.burst, tokens: ways.burst },
    timeout: timeoutMs,
    fetchImplementation: wire.fetch,
    options: { adjustForTimeDifference: true, ...ways.options(markets) },
  });
  // The list of coins is not needed, and asks for rights that the keys need not have.
  exchange.has.fetchCurrencies = false;
  if (sandbox === 'testnet') exchange.setSandboxMode(true);
  if (sandbox === 'demo') exchange.enableDemoTrading(true);
  return exchange;
}

/** Whether the orders of a market can stand in a list. */
function isIn(market: MarketInterface | undefined, { type, subType }: Parameters): boolean {
  if (market === undefined) return false;
  if (type === 'spot' || type === 'margin') return market.spot === true;
  return (
    market.contract === true && (subType === undefined || market[subType as 'linear' | 'inverse'] === true)
  );
}

/** Orders that close contracts may only reduce. For coins there is no such word, but in margin they pay back first. */
function closingParameters({ kind, hedged, isolated }: Holding): Parameters {
  if (kind === 'spot') return {};
  if (kind === 'margin') return { marginMode: 'cross', reduceOnly: true };
  return {
    reduceOnly: true,
    ...(hedged ? { hedged: true } : {}),
    ...(isolated ? { marginMode: 'isolated' } : {}),
  };
}

/** Some market of a kind that is looked at. */
function anyMarket({ markets }: Exchange, kinds: readonly Market[]): MarketInterface | undefined {
  return Object.values(markets ?? {}).find(
    (market) =>
      market.active !== false &&
      kinds.some((kind) =>
        kind === 'linear' || kind === 'inverse' ? market[kind] === true : market.spot === true,
      ),
  );
}

/** An order that is gone needs no cancelling. */
async function ignoringGone(cancelled: Promise<unknown>): Promise<void> {
  try {
    await cancelled;
  } catch (error) {
    if (!(error instanceof ExchangeError) || error.code !== 'EXCHANGE_UNKNOWN_ORDER') throw error;
  }
}
