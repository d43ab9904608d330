import { described } from './tables.ts';
import type { Seen } from './watch.ts';

/** What a piece of text means; the words say it too, colour is an addition. */
export type Tone = 'plain' | 'strong' | 'quiet' | 'good' | 'doubtful' | 'bad';

/** A line of the screen, in pieces. */
export type Line = readonly (readonly [tone: Tone, text: string])[];

/** What the live part of the screen is drawn from. */
export interface View {
  /** What the demo is doing, in a few words. */
  readonly doing: string;
  readonly parts: readonly { readonly name: string; readonly state: string; readonly where: string }[];
  readonly seen: Seen;
  /** What one may do now. */
  readonly hint: string;
}

const INDENT: readonly [Tone, string] = ['plain', '  '];
const STATE_TONES: Readonly<Record<string, Tone>> = {
  pass: 'good',
  running: 'good',
  warn: 'doubtful',
  starting: 'doubtful',
  restarting: 'doubtful',
  stopping: 'doubtful',
  unknown: 'doubtful',
  fail: 'bad',
  stale: 'bad',
};
const QUESTIONS = [
  ['livez', 'live'],
  ['readyz', 'ready'],
  ['startupz', 'started'],
] as const;

/** The live part of the screen, cut to a window of this size. The first lines and the last one matter most. */
export function frame(view: View, window: { readonly columns: number; readonly rows: number }): Line[] {
  const lines = compose(view).map((line) => cut(line, window.columns));
  // The line below the frame belongs to the cursor.
  const room = Math.max(2, window.rows - 1);
  return lines.length <= room ? lines : [...lines.slice(0, room - 1), ...lines.slice(-1)];
}

function compose({ doing, parts, seen, hint }: View): Line[] {
  const silent = doing === 'starting' ? 'not up yet' : 'no answer';
  return [
    [],
    [
      ['strong', 'Botwarden demo'],
      ['quiet', ' · '],
      ['strong', doing],
    ],
    ...parts.map(({ name, state, where }) => row(name, state, where)),
    [INDENT, ...QUESTIONS.flatMap(([path, word]) => question(word, seen.questions[path]))],
    [['strong', 'Probes']],
    ...(seen.probes?.map(({ name, state, detail }) => row(name, state, detail)) ?? [nothing(silent)]),
    [['strong', 'Open, says Postgres']],
    ...open(seen, silent),
    [['quiet', hint]],
  ];
}

function row(name: string, state: string, detail: string): Line {
  return [
    INDENT,
    ['plain', name.padEnd(12)],
    [STATE_TONES[state] ?? 'plain', state.padEnd(11)],
    ['quiet', detail],
  ];
}

function question(word: string, status: number | null): Line {
  const answer = status === null ? 'unknown' : status === 200 ? 'yes' : 'no';
  const tone: Tone = status === null ? 'doubtful' : status === 200 ? 'good' : 'bad';
  return [
    ['plain', `${word} `],
    [tone, answer],
    ['plain', '   '],
  ];
}

function open({ book }: Seen, silent: string): Line[] {
  if (book === null) return [nothing(silent)];
  const rows = [
    ...book.positions.map((position) => ['position', described(position)] as const),
    ...book.orders.map((order) => ['order', described(order)] as const),
  ];
  if (rows.length === 0) return [nothing('no position and no order')];
  return rows.map(([kind, text]) => [INDENT, ['plain', kind.padEnd(12)], ['plain', text]]);
}

const nothing = (text: string): Line => [INDENT, ['quiet', text]];

/** Cuts a line to this many columns, and takes out what would move the cursor. */
function cut(line: Line, columns: number): Line {
  const pieces: [Tone, string][] = [];
  let left = Math.max(1, columns);
  for (const [tone, raw] of line) {
    const text = [...raw.replace(/\p{C}+/gu, ' ')];
    if (text.length > left) {
      pieces.push([tone, `${text.slice(0, left - 1).join('')}…`]);
      return pieces;
    }
    pieces.push([tone, text.join('')]);
    left -= text.length;
  }
  return pieces;
}
