import { expect, it } from 'vitest';
import { type Asked, type Next, nextFor } from '../../../src/bot/freqtrade/next-for.ts';
import type { ExitOrder } from '../../../src/bot/freqtrade/trades.ts';

const AT = 100_000;
const MARKET: ExitOrder = { market: true, forced: true };
const STRATEGYS_MARKET: ExitOrder = { market: true, forced: false };
const STRATEGYS: ExitOrder = { market: false, forced: false };
/** Some exchanges know no market orders and call them limit. */
const OURS: ExitOrder = { market: false, forced: true };

const asked = (what: Asked['what'], secondsAgo: number | null, more: Partial<Asked> = {}): Asked => ({
  what,
  exited: what === 'exit',
  answeredAt: secondsAgo === null ? null : AT - secondsAgo * 1_000,
  lost: false,
  ...more,
});

it.each<[string, readonly ExitOrder[], Asked | undefined, Next]>([
  ['no exit, never asked', [], undefined, 'exit'],
  ['a market exit is open, never asked', [STRATEGYS_MARKET], undefined, 'wait'],
  ['an exit waits for its price, never asked', [STRATEGYS], undefined, 'cancel'],
  ['one exit waits for its price beside a market exit', [MARKET, STRATEGYS], undefined, 'cancel'],
  ['somebody’s exit at a price, over Telegram', [OURS], undefined, 'cancel'],
  ['the call runs', [], asked('exit', null), 'wait'],
  ['the call runs, for a minute', [STRATEGYS], asked('cancel', null), 'wait'],
  ['asked a second ago, and nothing came of it', [], asked('exit', 1), 'wait'],
  ['asked 3 s ago, and nothing came of it', [], asked('exit', 3), 'exit'],
  ['our exit is open', [MARKET], asked('exit', 60), 'wait'],
  ['our exit is open, on an exchange without market orders', [OURS], asked('exit', 60), 'wait'],
  ['asked to exit, and the strategy placed one of its own', [STRATEGYS], asked('exit', 1), 'cancel'],
  ['asked to cancel a second ago, and not done yet', [STRATEGYS], asked('cancel', 1), 'wait'],
  ['asked to cancel 3 s ago, and not done yet', [STRATEGYS], asked('cancel', 3), 'cancel'],
  ['cancelled', [], asked('cancel', 0), 'exit'],
  ['the answer was lost', [], asked('exit', 29, { lost: true }), 'wait'],
  ['the answer was lost half a minute ago', [], asked('exit', 30, { lost: true }), 'exit'],
])('%s', (_, exits, last, next) => {
  expect(nextFor({ id: 1, pair: 'BTC/USDT', exits, orders: [] }, last, AT)).toBe(next);
});
