import type { CheckState } from '../watch/answers.ts';
import type { Tone } from '../watch/verdict.ts';

/** One cell of a strip: what a span of time was like, judged by its worst moment. */
export interface Cell {
  /** When it begins, in milliseconds since 1970; a whole multiple of the strip's span. */
  readonly at: number;
  readonly worst: Level;
  /** Results in it. */
  readonly runs: number;
  /** Results in it that told a response time, and the sum of those in milliseconds. */
  readonly timed: number;
  readonly totalMs: number;
}

/** How bad it was: 0 good, 1 should be looked at, 2 not known, 3 failed. A hole in a strip is no level: nothing was heard. */
export type Level = 0 | 1 | 2 | 3;

/** The past of one thing in cells of equal span, oldest first, without those in which nothing was heard. */
export interface Strip {
  readonly spanMs: number;
  readonly cells: readonly Cell[];
}

/** One thing seen at one moment. */
export interface Sighting {
  readonly at: number;
  readonly level: Level;
  readonly responseMs: number | null;
}

/** A strip with one more sighting, and never more than `keep` cells' worth of time. Pure. */
export function seen(strip: Strip, { at, level, responseMs }: Sighting, keep: number): Strip {
  return merged(
    strip,
    [
      {
        at: Math.floor(at / strip.spanMs) * strip.spanMs,
        worst: level,
        runs: 1,
        timed: responseMs === null ? 0 : 1,
        totalMs: responseMs ?? 0,
      },
    ],
    keep,
  );
}

/** A strip with the cells of another time put in, in order and bounded. Pure. */
export function merged(strip: Strip, more: readonly Cell[], keep: number): Strip {
  const { spanMs } = strip;
  const cells = [...strip.cells];
  for (const cell of more) {
    const at = Math.floor(cell.at / spanMs) * spanMs;
    const index = cells.findLastIndex((known) => known.at <= at);
    const known = cells[index];
    if (known?.at === at) cells[index] = together(known, cell);
    else cells.splice(index + 1, 0, { ...cell, at });
  }
  const newest = cells.at(-1)?.at ?? 0;
  const first = cells.findIndex(({ at }) => at > newest - keep * spanMs);
  return { spanMs, cells: first > 0 ? cells.slice(first) : cells };
}

function together(one: Cell, other: Cell): Cell {
  return {
    at: one.at,
    worst: Math.max(one.worst, other.worst) as Level,
    runs: one.runs + other.runs,
    timed: one.timed + other.timed,
    totalMs: one.totalMs + other.totalMs,
  };
}

/** The level of a check. */
export function levelOf(state: CheckState): Level {
  if (state === 'pass') return 0;
  if (state === 'warn') return 1;
  return state === 'unknown' || state === 'paused' ? 2 : 3;
}

/** The level of a verdict. */
export function levelOfTone(tone: Tone): Level {
  if (tone === 'good') return 0;
  if (tone === 'bad') return 3;
  return tone === 'unknown' ? 2 : 1;
}
