import type { Reason } from './venue/rejection.ts';
import type { CallName, Refusal } from './wire/call.ts';

/** What goes wrong. */
export type Misdeed =
  /** Nothing is done, and the dialect's own error is sent. */
  | { readonly refuse: Refusal | Reason; readonly headers?: Readonly<Record<string, string>> }
  /** Nothing is done, and this is sent. */
  | {
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** It is done, and this is sent in place of the answer, with status 200. */
  | { readonly say: string }
  /** It is done after so many milliseconds. */
  | { readonly delay: number }
  /** No answer comes. It is done at once, or after so many milliseconds. */
  | { readonly silent: number }
  /** The connection is reset: before it is done, after it was, or in the middle of the answer. */
  | { readonly reset: 'before' | 'after' | 'half' }
  /** Nothing is done. The error quotes everything that the request held: address, headers and body. */
  | { readonly echo: number };

/** A fault that waits for its call. */
export interface Fault {
  /** The call that it hits; none: any. */
  readonly call?: CallName;
  /** Only where the request holds this text, such as the name of an instrument. */
  readonly where?: string;
  /** How many such calls pass before it. Default 0. */
  readonly after?: number;
  /** How many it hits. Default 1; `null` is all. */
  readonly times?: number | null;
  readonly does: Misdeed;
}

/** The faults that wait. */
export class Faults {
  #waiting: { fault: Fault; skip: number; left: number }[] = [];

  add(fault: Fault): void {
    this.#waiting.push({
      fault,
      skip: fault.after ?? 0,
      left: fault.times === null ? Infinity : (fault.times ?? 1),
    });
  }

  clear(): void {
    this.#waiting = [];
  }

  /** What goes wrong with this call; undefined: nothing. */
  hit(call: CallName, text: string): Misdeed | undefined {
    for (const entry of this.#waiting) {
      const { fault } = entry;
      if (fault.call !== undefined && fault.call !== call) continue;
      if (fault.where !== undefined && !text.includes(fault.where)) continue;
      if (entry.skip > 0) {
        entry.skip -= 1;
        continue;
      }
      entry.left -= 1;
      if (entry.left <= 0) this.#waiting = this.#waiting.filter((other) => other !== entry);
      return fault.does;
    }
    return undefined;
  }
}
