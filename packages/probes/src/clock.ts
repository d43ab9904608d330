import { MAX_DURATION_MS } from './duration.ts';

/** Time, passed in so that tests need not wait. */
export interface Clock {
  /** Wall-clock time, in milliseconds since 1970. For showing only: it may jump. */
  now(): number;
  /** Milliseconds since some fixed point; never goes back. Every age and interval is measured with it. */
  monotonic(): number;
  /** Calls `callback` once after `ms` milliseconds; the returned function cancels. Never keeps a process alive. */
  after(ms: number, callback: () => void): () => void;
}

/** The real clock of this process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    // Node fires a longer timer at once.
    const timer = setTimeout(callback, Math.min(ms, MAX_DURATION_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
