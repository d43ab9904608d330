import type { Writable } from 'node:stream';

/** Everything of the process that a command may touch. Only `main.ts` makes one. */
export interface Host {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Calls `listener` at each SIGTERM and SIGINT. */
  readonly onStop: (listener: () => void) => void;
  readonly exit: (code: number) => never;
}
