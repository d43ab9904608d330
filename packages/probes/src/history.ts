import type { RunResult } from './status.ts';

/** How much of a probe's past is kept. */
export interface HistoryLimits {
  /** Results of any outcome. Default 60. */
  results: number;
  /** Failures kept beyond those, so that a rare one is still there when a person looks. Default 20. */
  failures: number;
}

/** The bounded past of one probe: the newest results, and failures for longer than passes. */
export class History {
  readonly #limits: HistoryLimits;
  #recent: RunResult[] = [];
  #oldFailures: RunResult[] = [];

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  add(result: RunResult): void {
    this.#recent.push(result);
    if (this.#recent.length <= this.#limits.results) return;
    const dropped = this.#recent.shift();
    if (dropped?.outcome !== 'fail' || this.#limits.failures === 0) return;
    this.#oldFailures.push(dropped);
    if (this.#oldFailures.length > this.#limits.failures) this.#oldFailures.shift();
  }

  /** Oldest first. */
  list(): readonly RunResult[] {
    return [...this.#oldFailures, ...this.#recent];
  }
}
