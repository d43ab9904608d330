import { describe, expect, it } from 'vitest';
import {
  boundOf,
  type Cadence,
  GAPS,
  LEAST_MS,
  NO_CADENCE,
  nextBoot,
  PATIENCE_MS,
  restartedForSilence,
  rested,
  sawTick,
  silenceOf,
} from '../../../src/heal/cadence.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The bot ticks so many times at this gap. */
function ticks(from: Cadence, start: number, count: number, gap: number, instance = 'a'): Cadence {
  let cadence = from;
  for (let n = 0; n < count; n += 1) cadence = sawTick(cadence, start + n * gap, instance, start + n * gap);
  return cadence;
}

describe('the bound of a tick', () => {
  it('is five times the longest of the last twenty gaps', () => {
    const slow = ticks(NO_CADENCE, 0, GAPS + 1, 5 * MINUTE);
    expect(boundOf(slow)).toEqual({ maxAgeMs: 25 * MINUTE, learning: false });
    // One long gap among many short ones counts, until it is more than twenty gaps ago.
    const mixed = ticks(ticks(NO_CADENCE, 0, 2, 40 * SECOND), 41 * SECOND, GAPS - 1, SECOND);
    expect(boundOf(mixed)).toEqual({ maxAgeMs: 200 * SECOND, learning: false });
    expect(boundOf(ticks(mixed, 61 * SECOND, 2, SECOND)).maxAgeMs).toBe(LEAST_MS);
  });

  it('is never less than a minute', () => {
    const quick = ticks(NO_CADENCE, 0, 100, SECOND);
    expect(boundOf(quick)).toEqual({ maxAgeMs: LEAST_MS, learning: false });
  });

  it('is generous until twenty gaps are known', () => {
    expect(boundOf(NO_CADENCE)).toEqual({ maxAgeMs: PATIENCE_MS, learning: true });
    const some = ticks(NO_CADENCE, 0, GAPS, SECOND);
    expect(boundOf(some)).toEqual({ maxAgeMs: PATIENCE_MS, learning: true });
    const slow = ticks(NO_CADENCE, 0, 3, 60 * MINUTE);
    expect(boundOf(slow)).toEqual({ maxAgeMs: 300 * MINUTE, learning: true });
  });

  it('is what the settings of the bot allow, twice over, until it has shown its own cadence', () => {
    const told = { ...NO_CADENCE, told: 10 * MINUTE };
    expect(boundOf(told)).toEqual({ maxAgeMs: 20 * MINUTE, learning: true });
    // Its settings allow that much, and it ticks far more often.
    expect(boundOf({ ...ticks(told, 0, GAPS + 1, 5 * SECOND), told: 10 * MINUTE })).toEqual({
      maxAgeMs: LEAST_MS,
      learning: false,
    });
    // Set to be slower than the boot before.
    expect(boundOf({ ...NO_CADENCE, floor: LEAST_MS, told: 10 * MINUTE }).maxAgeMs).toBe(20 * MINUTE);
  });

  it('leaves a bot on five-minute candles alone from its first tick on', () => {
    let cadence = NO_CADENCE;
    for (let at = 0; at < 24 * 60 * MINUTE; at += 5 * SECOND) {
      const tick = at - (at % (5 * MINUTE));
      cadence = sawTick(cadence, tick, 'a', at);
      expect(at - tick).toBeLessThan(boundOf(cadence).maxAgeMs);
    }
    expect(boundOf(cadence)).toEqual({ maxAgeMs: 25 * MINUTE, learning: false });
  });

  it('takes no step back of the clock for a gap, nor the time for which the bot was halted', () => {
    const quick = ticks(NO_CADENCE, 100 * SECOND, GAPS + 1, SECOND);
    const back = sawTick(quick, 50 * SECOND, 'a', 121 * SECOND);
    expect(back.gaps).toEqual(quick.gaps);
    const halted = sawTick(rested(quick), 10_000 * SECOND, 'a', 10_000 * SECOND);
    expect(halted.gaps).toEqual(quick.gaps);
  });

  it('takes a silence that was longer than the bound for the bound', () => {
    const quick = ticks(NO_CADENCE, 0, GAPS + 1, SECOND);
    const jumped = sawTick(quick, 1_000 * MINUTE, 'a', 30 * SECOND);
    expect(boundOf(jumped).maxAgeMs).toBe(5 * LEAST_MS);
  });
});

describe('the silence of a bot', () => {
  it('is as long as its last tick is old, where nobody saw it come', () => {
    expect(silenceOf(sawTick(NO_CADENCE, 0, 'a', 5 * SECOND), 100 * SECOND, 6 * SECOND)).toBe(100 * SECOND);
  });

  it('counts from when the tick was seen to come, however far the clock of the bot is behind', () => {
    const first = sawTick(NO_CADENCE, -1_000 * SECOND, 'a', 5 * SECOND);
    const second = sawTick(first, -999 * SECOND, 'a', 6 * SECOND);
    expect(silenceOf(second, 1_005 * SECOND, 8 * SECOND)).toBe(2 * SECOND);
  });

  it('after a halt is that of the next tick', () => {
    const second = sawTick(sawTick(NO_CADENCE, 0, 'a', 0), SECOND, 'a', SECOND);
    expect(silenceOf(rested(second), 50 * SECOND, 60 * SECOND)).toBe(50 * SECOND);
  });
});

describe('the next boot', () => {
  const slow = ticks(NO_CADENCE, 0, GAPS + 1, 5 * MINUTE);

  it('is judged by no less than the last one, until it has shown its own cadence', () => {
    const next = nextBoot(slow, 'b');
    expect(boundOf(next)).toEqual({ maxAgeMs: 25 * MINUTE, learning: true });
    // It warms up on old candles, faster than it will ever be again.
    const warm = ticks(next, 200 * MINUTE, 100, SECOND, 'b');
    expect(boundOf(warm).maxAgeMs).toBe(25 * MINUTE);
    const long = ticks(warm, 202 * MINUTE, 60 * 60, SECOND, 'b');
    expect(boundOf(long)).toEqual({ maxAgeMs: LEAST_MS, learning: false });
  });

  it('is seen by its name, and the time between the two is no gap', () => {
    const next = sawTick(slow, 1_000 * MINUTE, 'b', 1_000 * MINUTE);
    expect([next.gaps, next.floor]).toEqual([[], 25 * MINUTE]);
  });

  it('keeps what the last one had to learn in a short life', () => {
    const short = ticks({ ...NO_CADENCE, floor: 2 * MINUTE }, 0, 4, 5 * MINUTE);
    expect(nextBoot(short, 'b').floor).toBe(25 * MINUTE);
    expect(nextBoot(NO_CADENCE, 'b').floor).toBeNull();
  });

  it('has twice the time after a restart for silence, so that a slow bot is restarted a few times at most', () => {
    // It warms up for three minutes and then ticks every ten: nothing that can be known in the first boot.
    let cadence = NO_CADENCE;
    let restarts = 0;
    for (let boot = 0; boot < 10; boot += 1) {
      const start = boot * 1_000 * MINUTE;
      let last = start;
      for (let at = start; at < start + 600 * MINUTE; at += 5 * SECOND) {
        const since = at - start;
        if (since < 3 * MINUTE) last = at;
        else last = Math.max(last, at - (since % (10 * MINUTE)));
        cadence = sawTick(cadence, last, `boot-${boot}`, at);
        if (at - last <= boundOf(cadence).maxAgeMs) continue;
        restarts += 1;
        cadence = restartedForSilence(cadence);
        break;
      }
    }
    expect(restarts).toBe(3);
  });
});
