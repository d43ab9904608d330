import type { Exit } from './processes.ts';
import type { Book } from './tables.ts';

/** How the demo ended, as far as that is known. */
export interface Ending {
  /** How the sidecar ended; null when it did not run. */
  readonly sidecar: Exit | null;
  /** What the bot's tables held afterwards; null when they could not be read. */
  readonly book: Book | null;
  /** Whether something of the demo failed. */
  readonly failed: boolean;
}

/** The demo's exit code: 0 flat was proven and the tables are empty, 3 something is or may be open, 1 otherwise. */
export function exitCode({ sidecar, book, failed }: Ending): 0 | 1 | 3 {
  const open = book === null ? 0 : book.positions.length + book.orders.length;
  if (open > 0 || sidecar?.code === 3) return 3;
  return sidecar?.code === 0 && book !== null && !failed ? 0 : 1;
}

/** What an exit code of the sidecar means. */
export function meaning({ code, signal }: Exit): string {
  if (signal !== null) return 'it was killed, and positions may be open';
  if (code === 0) return 'flat was proven, or there was nothing to close';
  if (code === 3) return 'NOT FLAT: positions may be open';
  return code === 2 ? 'bad configuration' : 'a defect';
}
