import { styleText } from 'node:util';
import type { Line, Tone } from './frame.ts';

/** Where the demo speaks. On a terminal its last lines are live; elsewhere there are only the lines that were said. */
export interface Screen {
  /** Adds a line above the live ones, with its time (now, if none is given). `name` says who speaks. */
  readonly say: (text: string, name?: string, at?: Date) => void;
  /** Adds lines as they are. */
  readonly print: (lines: readonly string[]) => void;
  /** Draws the live lines anew. */
  readonly show: (draw: (window: { columns: number; rows: number }) => Line[]) => void;
  /** Takes the live lines away. */
  readonly clear: () => void;
}

/** What a screen is made of. */
export type Output = NodeJS.WriteStream;

const STYLES: Readonly<Record<Tone, Parameters<typeof styleText>[0]>> = {
  plain: 'none',
  strong: 'bold',
  quiet: 'dim',
  good: 'green',
  doubtful: 'yellow',
  bad: 'red',
};

/** Makes a screen of a stream. Colours are used on a terminal without NO_COLOR. */
export function createScreen(output: Output): Screen {
  let drawn: Line[] = [];
  let draw: ((window: { columns: number; rows: number }) => Line[]) | undefined;
  // Whoever read along may be gone: the parts are ended all the same.
  output.on('error', () => undefined);
  if (output.isTTY) output.on('resize', () => draw !== undefined && write('', draw));

  const window = (): { columns: number; rows: number } => ({
    // A pseudo-terminal that nobody sized says 0.
    columns: output.columns || 80,
    rows: output.rows || 24,
  });
  // Lines that are longer than a window that was made narrower since are on several rows now.
  const rowsOf = (line: Line): number =>
    Math.max(1, Math.ceil(line.reduce((width, [, text]) => width + text.length, 0) / window().columns));
  const erase = (): string => {
    const rows = Math.min(
      window().rows - 1,
      drawn.reduce((sum, line) => sum + rowsOf(line), 0),
    );
    return rows === 0 ? '' : `\x1b[${rows}A\r\x1b[J`;
  };
  const painted = ([tone, text]: Line[number]): string => styleText(STYLES[tone], text, { stream: output });

  /** One write for all of it, so that nobody sees half of a change. */
  function write(above: string, next: typeof draw): void {
    const before = erase();
    draw = next;
    drawn = next === undefined ? [] : next(window());
    output.write(`${before}${above}${drawn.map((line) => `${line.map(painted).join('')}\n`).join('')}`);
  }

  return {
    say(text, name, at = new Date()) {
      const time = styleText('dim', at.toTimeString().slice(0, 8), { stream: output });
      const speaker = name === undefined ? '' : `${styleText('cyan', name.padEnd(8), { stream: output })} `;
      write(`${time} ${speaker}${text.replace(/\p{C}+/gu, ' ')}\n`, draw);
    },
    print: (lines) => write(lines.map((line) => `${line}\n`).join(''), draw),
    show(next) {
      if (output.isTTY) write('', next);
    },
    clear: () => write('', undefined),
  };
}
