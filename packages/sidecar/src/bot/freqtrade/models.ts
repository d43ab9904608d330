import type { BotModel } from '../bot.ts';
import type { FreqtradeCalls } from './calls.ts';

/** FreqAI adds this to each candle: 1 where its model was used, 2 where it was and has expired, else 0. */
const USED = 'do_predict';
/** The names of what a model foretells begin so. */
const FORETOLD = '&';
/** So many candles are looked at: the newest ones may have none, as after a restart. */
const CANDLES = 20;

/**
 * The FreqAI models of these pairs, one a pair, by its name. No call of freqtrade tells of models; what they left in
 * the candles that the strategy has looked at does, and without a model it is nothing but zeros. A pair that the
 * strategy has not looked at, or not with FreqAI, has none.
 */
export async function readModels(
  calls: FreqtradeCalls,
  pairs: readonly string[],
  signal: AbortSignal,
): Promise<readonly BotModel[]> {
  const { timeframe } = await calls.config(signal);
  const found = await Promise.all(pairs.map((pair) => readModel(calls, pair, timeframe ?? '', signal)));
  return found.filter((model) => model !== null);
}

async function readModel(
  calls: FreqtradeCalls,
  pair: string,
  timeframe: string,
  signal: AbortSignal,
): Promise<BotModel | null> {
  const { columns, data } = await calls.candles(pair, timeframe, CANDLES, signal);
  if (!columns.includes(USED)) return null;
  const told = columns.flatMap((name, at) => (name === USED || name.startsWith(FORETOLD) ? [at] : []));
  const loaded = data.some((row) => told.some((at) => row[at] !== 0 && row[at] != null));
  return { name: pair, loaded, version: null, loadedAt: null };
}
