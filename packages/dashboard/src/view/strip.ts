import type { Cell, Level, Strip } from '../history/strip.ts';
import { type Html, html, nothing } from './html.ts';

const CELL = 4;
const GAP = 1;
const HEIGHT = 24;
/** How tall a cell stands: the worse, the taller, so that a strip reads without its colours. */
const TALL: Readonly<Record<Level, number>> = { 0: 12, 1: 18, 2: 18, 3: 24 };
const CLASSES: Readonly<Record<Level, string>> = { 0: 'good', 1: 'caution', 2: 'unknown', 3: 'bad' };
const WORDS: Readonly<Record<Level, string>> = {
  0: 'good',
  1: 'to be looked at',
  2: 'unknown',
  3: 'failing',
};

/** A strip as a picture, the newest on the right, with its sum in words. `what` begins the words; `unit` is what a cell is. */
export function stripPicture(
  strip: Strip,
  options: { readonly cells: number; readonly now: number; readonly what: string; readonly unit: string },
): Html {
  const { cells: count, now, what, unit } = options;
  const newest = Math.floor(now / strip.spanMs) * strip.spanMs;
  const shown = strip.cells.filter(({ at }) => at > newest - count * strip.spanMs && at <= newest);
  const place = (at: number): number => (count - 1 - (newest - at) / strip.spanMs) * (CELL + GAP);
  const width = count * (CELL + GAP) - GAP;
  return html`<svg class="strip" viewBox="0 0 ${width} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${inWords(shown, count, what, unit)}"><rect class="ground" width="${width}" height="2" y="${HEIGHT - 2}"/>${shown.map((cell) => bar(cell, place(cell.at)))}${line(shown, place)}</svg>`;
}

/** How long runs took on average, over the whole strip; null when nothing was measured. */
export function averageMs(strip: Strip): number | null {
  const timed = strip.cells.reduce((sum, cell) => sum + cell.timed, 0);
  return timed === 0 ? null : strip.cells.reduce((sum, cell) => sum + cell.totalMs, 0) / timed;
}

function bar({ worst }: Cell, x: number): Html {
  const height = TALL[worst];
  return html`<rect class="${CLASSES[worst]}" x="${x}" y="${HEIGHT - height}" width="${CELL}" height="${height}"/>`;
}

/** Response times as a line over the cells, scaled to the slowest. */
function line(cells: readonly Cell[], place: (at: number) => number): Html {
  const points = cells.flatMap(({ at, timed, totalMs }) =>
    timed === 0 ? [] : [{ x: place(at) + CELL / 2, ms: totalMs / timed }],
  );
  if (points.length < 2) return nothing;
  const slowest = Math.max(1, ...points.map(({ ms }) => ms));
  const path = points
    .map(({ x, ms }) => `${x},${(HEIGHT - 2 - (ms / slowest) * (HEIGHT - 4)).toFixed(1)}`)
    .join(' ');
  return html`<polyline class="times" points="${path}"/>`;
}

function inWords(cells: readonly Cell[], count: number, what: string, unit: string): string {
  const sums = ([3, 2, 1, 0] as const).flatMap((level) => {
    const number = cells.filter(({ worst }) => worst === level).length;
    return number === 0 ? [] : [`${number} ${WORDS[level]}`];
  });
  const unheard = count - cells.length;
  if (unheard > 0) sums.push(`${unheard} without news`);
  return `${what}, the last ${count} ${unit}: ${sums.join(', ')}`;
}
