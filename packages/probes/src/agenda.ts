import type { Clock } from './clock.ts';

/** Something that is to be done at a moment. Made once, and put on an {@link Agenda} again and again. */
export interface Appointment {
  readonly keep: () => void;
  /** On the monotonic clock, in milliseconds. For the agenda alone. */
  due: number;
  /** Where it stands on the agenda; -1 while it does not. For the agenda alone. */
  position: number;
}

/** Makes an appointment that is not on any agenda yet. */
export function appointment(keep: () => void): Appointment {
  return { keep, due: 0, position: -1 };
}

/** Everything that is due, with one timer for the earliest. To put something on it or take it off allocates nothing. */
export class Agenda {
  readonly #clock: Clock;
  /** A binary heap: nobody is due before the one at half its position. */
  readonly #heap: Appointment[] = [];
  #cancelTimer: (() => void) | undefined;
  #timerDue = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Puts `item` on the agenda for `due`, or moves it there. After `close()` nothing happens. */
  set(item: Appointment, due: number): void {
    if (this.#closed) return;
    item.due = due;
    if (item.position === -1) {
      item.position = this.#heap.length;
      this.#heap.push(item);
    }
    this.#rise(item);
    this.#sink(item);
    this.#arm();
  }

  /** Takes `item` off the agenda, if it is on it. */
  clear(item: Appointment): void {
    const { position } = item;
    if (position === -1) return;
    item.position = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#place(last, position);
    this.#rise(last);
    this.#sink(last);
  }

  /** Takes everything off, and ends the timer. */
  close(): void {
    this.#closed = true;
    for (const item of this.#heap) item.position = -1;
    this.#heap.length = 0;
    this.#cancelTimer?.();
  }

  /** The timer may come too early for what is left: then it is set anew. It is never too late. */
  #arm(): void {
    const due = this.#heap[0]?.due ?? Number.POSITIVE_INFINITY;
    if (due >= this.#timerDue) return;
    this.#cancelTimer?.();
    this.#timerDue = due;
    this.#cancelTimer = this.#clock.after(
      Math.max(0, Math.ceil(due - this.#clock.monotonic())),
      this.#keepDue,
    );
  }

  readonly #keepDue = (): void => {
    this.#timerDue = Number.POSITIVE_INFINITY;
    this.#cancelTimer = undefined;
    try {
      const now = this.#clock.monotonic();
      for (let first = this.#heap[0]; first !== undefined && first.due <= now; first = this.#heap[0]) {
        this.clear(first);
        first.keep();
      }
    } finally {
      // One that throws must not keep the others from being kept.
      this.#arm();
    }
  };

  #place(item: Appointment, position: number): void {
    item.position = position;
    this.#heap[position] = item;
  }

  #rise(item: Appointment): void {
    for (
      let parent = this.#parent(item);
      parent !== undefined && parent.due > item.due;
      parent = this.#parent(item)
    )
      this.#swap(parent, item);
  }

  #sink(item: Appointment): void {
    for (
      let child = this.#child(item);
      child !== undefined && child.due < item.due;
      child = this.#child(item)
    )
      this.#swap(item, child);
  }

  #parent({ position }: Appointment): Appointment | undefined {
    return position === 0 ? undefined : this.#heap[(position - 1) >> 1];
  }

  /** The earlier of the two below. */
  #child({ position }: Appointment): Appointment | undefined {
    const left = this.#heap[2 * position + 1];
    const right = this.#heap[2 * position + 2];
    return left === undefined || right === undefined || left.due <= right.due ? left : right;
  }

  #swap(upper: Appointment, lower: Appointment): void {
    const { position } = upper;
    this.#place(upper, lower.position);
    this.#place(lower, position);
  }
}
