import { EventEmitter } from 'node:events';

/** Which boot's gate holds the lease, and which did. A boot is one start of the bot, with the id its gate gave it. */
export interface Leases {
  /** The boot whose gate holds the lease now; null when nobody does. */
  readonly holder: () => string | null;
  /** The boot that held the lease last, whether or not it still does; null before the first. */
  readonly last: () => string | null;
  /** `taken`: a boot that did not hold the lease holds it now. `ended`: its gate has gone. Returns how to stop that. */
  readonly on: (event: 'taken' | 'ended', listener: (boot: string) => void) => () => void;
}

/** The side of the leases that the HTTP call writes to. */
export interface LeaseBook extends Leases {
  /**
   * The gate of `boot` asks. Gives what to call when its ask is over, answered or because its connection has closed;
   * null where the gate of another boot is still connected: that one is the current boot, and this one does not take
   * its place.
   */
  readonly ask: (boot: string) => ((answered: boolean) => void) | null;
  /** Ends every timer. */
  readonly close: () => void;
}

/** A gate that was answered asks again at once; one that has not after so many milliseconds has gone. */
export const LEASE_MS = 3_000;
/** The same for a gate whose connection closed while it waited: most likely its container has ended. */
const CUT_OFF_MS = 1_000;

/**
 * Keeps the lease. Of two gates that ask at once, the one that was there first stands for the bot until its connection
 * has closed; a new boot then takes the lease at once, without the wait for the old one.
 */
export function createLeases(leaseMs: number = LEASE_MS): LeaseBook {
  const events = new EventEmitter<{ taken: [string]; ended: [string] }>();
  let holder: string | null = null;
  let last: string | null = null;
  let open = 0;
  let timer: NodeJS.Timeout | undefined;

  function end(): void {
    const boot = holder;
    holder = null;
    open = 0;
    if (boot !== null) events.emit('ended', boot);
  }

  function take(boot: string): void {
    holder = boot;
    last = boot;
    events.emit('taken', boot);
  }

  return {
    holder: () => holder,
    last: () => last,
    on(event, listener) {
      events.on(event, listener);
      return () => events.off(event, listener);
    },
    ask(boot) {
      if (holder !== null && holder !== boot) {
        if (open > 0) return null;
        end();
      }
      clearTimeout(timer);
      open += 1;
      if (holder === null) take(boot);
      let closed = false;
      return (answered) => {
        if (closed || holder !== boot) return;
        closed = true;
        open -= 1;
        if (open > 0) return;
        clearTimeout(timer);
        timer = setTimeout(end, answered ? leaseMs : Math.min(leaseMs, CUT_OFF_MS));
        timer.unref();
      };
    },
    close: () => clearTimeout(timer),
  };
}
