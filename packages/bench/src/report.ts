import { type Figure, type Measured, reached, type Target } from './figure.ts';
import type { Machine } from './machine.ts';

/** Everything that one run of the bench found, as it is written to the file of `--json`. */
export interface Report {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly parts: Readonly<Record<string, Measured>>;
}

/** What one part measured, as text: its own table first, then its figures beside what they must reach. */
export function textOf(name: string, { figures, table = [] }: Measured): string {
  const rows = figures.map((figure) => [
    figure.what,
    numberOf(figure),
    spreadOf(figure),
    targetOf(figure.target),
    verdictOf(figure),
  ]);
  return [
    `\n${name}\n`,
    ...(table.length === 0 ? [] : [aligned(table), '\n']),
    aligned([['', 'measured', 'middle half', 'must be', ''], ...rows]),
    ...figures.flatMap(({ what, note }) => (note === undefined ? [] : [`  ${what}: ${note}\n`])),
  ].join('');
}

/** The figures of all parts as a Markdown table. */
export function markdownOf({ parts }: Report): string {
  const rows = Object.values(parts)
    .flatMap(({ figures }) => figures)
    .map((figure) =>
      [figure.what, numberOf(figure), spreadOf(figure), targetOf(figure.target), verdictOf(figure)].join(
        ' | ',
      ),
    );
  return `| figure | measured | middle half | must be | |\n|---|---|---|---|---|\n${rows.map((row) => `| ${row} |\n`).join('')}`;
}

function numberOf({ value, unit }: Figure): string {
  return value === null ? 'not measured' : `${short(value)}${unit === '' ? '' : ` ${unit}`}`;
}

function spreadOf({ spread }: Figure): string {
  return spread === undefined ? '' : `${short(spread[0])} – ${short(spread[1])}`;
}

function targetOf(target: Target | undefined): string {
  if (target === undefined) return '';
  return 'atMost' in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`;
}

function verdictOf(figure: Figure): string {
  const reaches = reached(figure);
  return reaches === null ? '' : reaches ? 'reached' : 'missed';
}

/** Three digits, and no more than the number has. */
export function short(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return rows.map((row) => `  ${line(row)}\n`).join('');
}
