import type { Writable } from 'node:stream';

/** Everything of the process that a command may touch. Only `main.ts` makes one. */
export interface Host {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** The folder of the files that the page is made of, built or as sources. */
  readonly client: URL;
  readonly exit: (code: number) => never;
}
