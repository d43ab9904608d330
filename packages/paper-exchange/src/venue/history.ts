import type { Big } from 'big.js';
import { INSTRUMENTS, type Instrument } from './instruments.ts';
import type { Venue } from './venue.ts';

/** Prices over one interval. */
export interface Candle {
  /** Its start, in milliseconds since 1970. */
  readonly at: number;
  readonly open: Big;
  readonly high: Big;
  readonly low: Big;
  readonly close: Big;
}

const KEPT = 20_000;

/** What the prices were. */
export class History {
  readonly #past = new Map<string, { at: number; price: Big }[]>();

  constructor(venue: Venue) {
    for (const one of INSTRUMENTS) this.note(one, venue.now(), venue.price(one));
  }

  note({ name }: Instrument, at: number, price: Big): void {
    const past = this.#past.get(name) ?? [];
    past.push({ at, price });
    if (past.length > KEPT) past.shift();
    this.#past.set(name, past);
  }

  /** The last `limit` intervals up to `now`, oldest first. Before the first known price it was that one. */
  candles({ name }: Instrument, intervalMs: number, limit: number, now: number): Candle[] {
    const past = this.#past.get(name) ?? [];
    const first = past[0];
    if (first === undefined) return [];
    const candles: Candle[] = [];
    let next = 0;
    let last = first.price;
    const newest = Math.floor(now / intervalMs) * intervalMs;
    for (let at = newest - (limit - 1) * intervalMs; at <= newest; at += intervalMs) {
      let [high, low] = [last, last];
      const open = last;
      for (let tick = past[next]; tick !== undefined && tick.at < at + intervalMs; tick = past[++next]) {
        last = tick.price;
        if (tick.at < at) continue;
        if (last.gt(high)) high = last;
        if (last.lt(low)) low = last;
      }
      candles.push({ at, open, high, low, close: last });
    }
    return candles;
  }
}
