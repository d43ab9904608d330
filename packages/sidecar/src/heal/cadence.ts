import { z } from 'zod';

// How often a bot ticks is its own affair: every second, or at the end of every five-minute candle. With
// TICK_MAX_AGE=auto the bound is learnt from the bot. Learning errs on the side of patience: a bot that is restarted
// in the middle of its own rhythm is restarted for ever.

/** So many gaps between ticks are looked at. */
export const GAPS = 20;
/** A tick that is this many times as old as the longest gap is too old. */
const TIMES = 5;
/** The bound is never less, in milliseconds. */
export const LEAST_MS = 60_000;
/** The bound of a bot of which nothing is known yet, in milliseconds. */
export const PATIENCE_MS = 7_200_000;
/** A boot is judged by no less than the ones before it for so long, in milliseconds: it may begin faster than it goes on. */
export const PROBATION_MS = 3_600_000;

const ms = z.number().nonnegative();

/** What is known of how often the bot ticks, as it stands in `heal.json`. Times are milliseconds. */
export const keptCadence = z.object({
  /** The boot whose gaps these are, as it calls itself. */
  instance: z.string().nullable(),
  /** The last gaps of this boot, oldest first. */
  gaps: z.array(ms).max(GAPS),
  /** The bound that boots before this one have shown to be needed; null where none has. */
  floor: ms.nullable(),
});
export type KeptCadence = z.infer<typeof keptCadence>;

/** What is known of how often the bot ticks. */
export interface Cadence extends Readonly<KeptCadence> {
  /** The last tick, in milliseconds since 1970; null before one was seen, and after the bot was halted. */
  readonly last: number | null;
  /** From the first tick of this boot that was seen to the last one, in elapsed milliseconds; null before the first. */
  readonly ticked: { readonly from: number; readonly to: number } | null;
  /** The longest gap that the bot's own settings allow; null where it does not tell. */
  readonly told: number | null;
  /** When the last tick was seen to come, in elapsed milliseconds; null where it was there at the first look. */
  readonly cameAt: number | null;
}

export const NO_CADENCE: Cadence = {
  instance: null,
  gaps: [],
  floor: null,
  last: null,
  ticked: null,
  told: null,
  cameAt: null,
};

/** How old a tick may be, in milliseconds, and whether that is still to be learnt. */
export interface TickBound {
  readonly maxAgeMs: number;
  readonly learning: boolean;
}

/**
 * How old the last tick may be: {@link TIMES} times the longest of the last {@link GAPS} gaps, at least
 * {@link LEAST_MS}. Until this boot has shown so many it is not judged by less than the boots before it were, and in
 * any case not before it has ticked on for {@link PROBATION_MS}, and for twice the bound that those needed.
 *
 * What its own settings allow is a bound for that time only, twice over: they say how far apart ticks may lie, and not
 * how far they do. A freqtrade of hourly candles ticks every five seconds all the same.
 */
export function boundOf({ gaps, floor, ticked, told }: Cadence): TickBound {
  const own = Math.max(LEAST_MS, TIMES * Math.max(0, ...gaps));
  const tickedForMs = ticked === null ? 0 : ticked.to - ticked.from;
  const proven = floor === null || tickedForMs >= Math.max(PROBATION_MS, 2 * floor);
  if (gaps.length >= GAPS && proven) return { maxAgeMs: own, learning: false };
  // A bot that tells its own settings need not be guessed at.
  const unknown = floor === null && told === null ? PATIENCE_MS : 0;
  return { maxAgeMs: Math.max(own, unknown, floor ?? 0, 2 * (told ?? 0)), learning: true };
}

/**
 * One more look at the last tick of a bot that trades: `tick` in milliseconds since 1970, `at` in elapsed milliseconds.
 */
export function sawTick(before: Cadence, tick: number, instance: string | null, at: number): Cadence {
  const cadence = instance === before.instance ? before : nextBoot(before, instance);
  if (cadence.last === tick) return cadence;
  const ticked = { from: cadence.ticked?.from ?? at, to: at };
  const cameAt = cadence.last === null ? null : at;
  const gap = cadence.last === null ? 0 : tick - cadence.last;
  if (gap <= 0) return { ...cadence, last: tick, ticked, cameAt };
  // A silence that was longer than the bound was taken for a hang, or a clock was set: it counts as the bound.
  const counted = Math.min(gap, boundOf(cadence).maxAgeMs);
  return { ...cadence, last: tick, ticked, cameAt, gaps: [...cadence.gaps, counted].slice(-GAPS) };
}

/** The bot is halted: the silence until its next tick is no gap. */
export function rested(cadence: Cadence): Cadence {
  return cadence.last === null ? cadence : { ...cadence, last: null, cameAt: null };
}

/**
 * How long the bot has not ticked, in milliseconds. A tick that was seen to come is as old as that is ago, whatever the
 * clock of the bot says; of another one only its own time tells, by which it is `ageMs` old.
 */
export function silenceOf({ cameAt }: Cadence, ageMs: number, at: number): number {
  return cameAt === null ? ageMs : at - cameAt;
}

/** Another boot: it is judged by no less than the last one, until it has shown its own cadence. */
export function nextBoot(cadence: Cadence, instance: string | null): Cadence {
  const { maxAgeMs, learning } = boundOf(cadence);
  const floor = learning && cadence.floor === null ? null : maxAgeMs;
  return { ...NO_CADENCE, instance, floor };
}

/**
 * A restart was asked for because the bot did not tick. It may have been its own rhythm, so the next boot has twice
 * the time: a bot that is slow, and not hung, is restarted a few times at most.
 */
export function restartedForSilence(cadence: Cadence): Cadence {
  return { ...NO_CADENCE, instance: cadence.instance, floor: 2 * boundOf(cadence).maxAgeMs };
}
