import type { CallName } from './call.ts';

/** A call that came, as tests want to see it. */
export interface Call {
  /** Milliseconds since 1970, by this machine's clock. */
  readonly at: number;
  readonly dialect: string;
  readonly call: CallName;
  readonly method: string;
  readonly path: string;
  /** What it said, without its signature. */
  readonly said: string;
}

const KEPT = 5_000;

/** The calls that came, oldest first. */
export class CallLog {
  readonly #calls: Call[] = [];

  add(call: Call): void {
    this.#calls.push(call);
    if (this.#calls.length > KEPT) this.#calls.shift();
  }

  clear(): void {
    this.#calls.length = 0;
  }

  /** Those of that name; without one, all. */
  of(call?: CallName): readonly Call[] {
    return call === undefined ? [...this.#calls] : this.#calls.filter((one) => one.call === call);
  }
}
