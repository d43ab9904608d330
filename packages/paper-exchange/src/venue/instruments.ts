/** What is traded here, whatever a dialect calls it. */
export interface Instrument {
  /** As ccxt names it: `BTC/USDT:USDT` is a swap, `BTC/USDT` is spot. */
  readonly name: string;
  readonly base: string;
  readonly quote: string;
  /**
   * `linear`: a perpetual swap settled in the quote, sizes in the base. `inverse`: one settled in the base, sizes in
   * contracts. `spot`: coins for coins, sizes in the base.
   */
  readonly kind: 'linear' | 'inverse' | 'spot';
  /** The price it starts with. */
  readonly price: number;
  /** Decimals of a price. */
  readonly decimals: number;
}

const COINS = [
  { base: 'BTC', price: 60_000, decimals: 1 },
  { base: 'ETH', price: 3_000, decimals: 2 },
  { base: 'SOL', price: 150, decimals: 2 },
] as const;

/** Everything that is traded here. */
export const INSTRUMENTS: readonly Instrument[] = [
  ...COINS.map(
    (coin): Instrument => ({
      ...coin,
      name: `${coin.base}/USDT:USDT`,
      quote: 'USDT',
      kind: 'linear',
    }),
  ),
  ...COINS.map((coin): Instrument => ({ ...coin, name: `${coin.base}/USDT`, quote: 'USDT', kind: 'spot' })),
  { name: 'BTC/USD:BTC', base: 'BTC', quote: 'USD', kind: 'inverse', price: 60_000, decimals: 1 },
];

/** The instrument of that name. Throws a TypeError for one that is not traded here. */
export function instrument(name: string): Instrument {
  const found = INSTRUMENTS.find((one) => one.name === name);
  if (found === undefined) throw new TypeError(`${name} is not traded here`);
  return found;
}
