import type { Readable, Writable } from 'node:stream';

/** The signals that make the program drain. */
export type StopSignal = 'SIGTERM' | 'SIGINT';

/** A signal that came before there was anything to drain with. */
export interface EarlySignal {
  readonly signal: StopSignal | 'SIGQUIT';
  /** On the monotonic clock of the process, in milliseconds. */
  readonly at: number;
}

/** Everything of the process that a command may touch. Only `main.ts` makes one. */
export interface Host {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable & { isTTY?: boolean };
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Ends recording, and gives the signals that came since the program began, oldest first. */
  readonly takeSignals: () => readonly EarlySignal[];
  /** Calls `listener` at each signal. */
  readonly onSignal: (signal: EarlySignal['signal'], listener: () => void) => void;
  /** Makes the process believe that the signal just came. */
  readonly raise: (signal: StopSignal) => void;
  /** Calls `listener` with what nobody caught, in place of ending the process. */
  readonly onUncaught: (listener: (error: unknown) => void) => void;
  readonly exit: (code: number) => never;
}
