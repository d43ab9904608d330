import { INSTRUMENTS } from './venue/instruments.ts';

/** How the prices move: the same for every start with the same seed. */
export interface Walk {
  /** Moves every price by one step, and gives the new ones by instrument. */
  readonly step: () => ReadonlyMap<string, string>;
}

const VOLATILITY = 0.002;
/** Returns carry on a little, so that there is something for a model to learn. */
const MOMENTUM = 0.4;

/** A random walk of all prices. Swap and spot of one coin move together. */
export function createWalk(seed: number): Walk {
  const random = mulberry32(seed);
  const logs = new Map(INSTRUMENTS.map(({ base, price }) => [base, Math.log(price)]));
  const returns = new Map<string, number>();
  return {
    step() {
      for (const [base, log] of logs) {
        const change = MOMENTUM * (returns.get(base) ?? 0) + VOLATILITY * gauss(random);
        returns.set(base, change);
        logs.set(base, log + change);
      }
      return new Map(
        INSTRUMENTS.map(({ name, base, decimals }) => [
          name,
          Math.exp(logs.get(base) ?? 0).toFixed(decimals),
        ]),
      );
    },
  };
}

/** Between 0 and 1, the same for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const gauss = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
