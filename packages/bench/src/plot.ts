/** What a plot shows. */
export interface PlotOptions {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** All above zero. */
  readonly points: readonly (readonly [number, number])[];
}

const WIDTH = 640;
const HEIGHT = 400;
const LEFT = 70;
const TOP = 40;
const BOTTOM = 50;

/** Draws points on two logarithmic axes as SVG, with the straight line that proportional to x would be. */
export function plot({ title, x, y, points }: PlotOptions): string {
  const decades = (values: readonly number[]): [number, number] => [
    Math.floor(Math.log10(Math.min(...values))),
    Math.ceil(Math.log10(Math.max(...values))),
  ];
  const [left, right] = decades(points.map(([value]) => value));
  const [low, high] = decades(points.map(([, value]) => value));
  const across = (value: number): number =>
    LEFT + ((Math.log10(value) - left) / (right - left)) * (WIDTH - LEFT - 20);
  const up = (value: number): number =>
    HEIGHT - BOTTOM - ((Math.log10(value) - low) / (high - low)) * (HEIGHT - BOTTOM - TOP);
  const at = ([one, other]: readonly [number, number]): string =>
    `${across(one).toFixed(1)},${up(other).toFixed(1)}`;
  const text = (left: number, top: number, anchor: string, words: string): string =>
    `<text x="${left}" y="${top}" text-anchor="${anchor}">${words}</text>`;
  const grid: string[] = [];
  for (let power = left; power <= right; power += 1) {
    const place = across(10 ** power);
    grid.push(
      `<path d="M${place} ${TOP}V${HEIGHT - BOTTOM}"/>`,
      text(place, HEIGHT - BOTTOM + 18, 'middle', (10 ** power).toLocaleString('en')),
    );
  }
  for (let power = low; power <= high; power += 1) {
    const place = up(10 ** power);
    grid.push(
      `<path d="M${LEFT} ${place}H${WIDTH - 20}"/>`,
      text(LEFT - 8, place + 4, 'end', String(10 ** power)),
    );
  }
  const last = points.at(-1) ?? [1, 1];
  const slope = points
    .map(([value]) => [value, (last[1] * value) / last[0]] as const)
    .filter(([, value]) => value >= 10 ** low);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<g stroke="#ddd">${grid.filter((part) => part.startsWith('<path')).join('')}</g>
<g fill="#444">${grid.filter((part) => part.startsWith('<text')).join('')}
${text(WIDTH / 2, 22, 'middle', title)}
${text(WIDTH / 2, HEIGHT - 12, 'middle', `${x} (both axes logarithmic; dashed: proportional to n)`)}
<text transform="rotate(-90 16 ${HEIGHT / 2})" x="16" y="${HEIGHT / 2}" text-anchor="middle">${y}</text></g>
<polyline points="${slope.map(at).join(' ')}" fill="none" stroke="#999" stroke-dasharray="6 4"/>
<polyline points="${points.map(at).join(' ')}" fill="none" stroke="#06c" stroke-width="2"/>
<g fill="#06c">${points.map((point) => `<circle cx="${at(point).replace(',', '" cy="')}" r="4"/>`).join('')}</g>
</svg>
`;
}
