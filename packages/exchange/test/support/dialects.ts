/** The two exchanges whose dialects these tests speak, and how much of a coin one of their contracts is. */
export const DIALECTS = [
  { name: 'Binance USDⓈ-M', id: 'binanceusdm', btc: 1 },
  { name: 'OKX', id: 'okx', btc: 0.01 },
] as const;

export const BTC = 'BTC/USDT:USDT';
export const ETH = 'ETH/USDT:USDT';
export const SOL = 'SOL/USDT:USDT';
