import { EventEmitter } from 'node:events';
import { z } from 'zod';
import type { StateFile } from '../state/state-file.ts';

/** What `hold.json` holds. */
export const holdSchema = z.object({ since: z.string(), reason: z.string() }).nullable();

/** A person had the bot drained: nothing trades until a person lifts it. */
export interface StandingHold {
  /** ISO 8601. */
  readonly since: string;
  readonly reason: string;
}

/** Whether a person's drain stands. It outlives restarts of sidecar and bot. */
export interface Hold {
  readonly current: () => StandingHold | null;
  /** Resolves when what an earlier process kept is known, 2 s after the start at the latest. */
  readonly known: Promise<void>;
  readonly set: (reason: string) => void;
  /** Ends it. Gives what stood; null where nothing did. */
  readonly lift: () => StandingHold | null;
  readonly on: (event: 'change', listener: (hold: StandingHold | null) => void) => () => void;
}

/** What a hold is made of. */
export interface HoldOptions {
  readonly file: Pick<StateFile<StandingHold | null>, 'load' | 'save'>;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
}

/** Reads what an earlier process kept, and keeps what is asked for from now on. */
export function createHold({ file, now }: HoldOptions): Hold {
  const changes = new EventEmitter<{ change: [StandingHold | null] }>();
  let hold: StandingHold | null = null;
  let decided = false;
  const known = file.load().then(({ value }) => {
    // What a person said meanwhile is newer than what stands in the file.
    if (decided || value === null) return;
    hold = value;
    changes.emit('change', hold);
  });

  function become(next: StandingHold | null): void {
    decided = true;
    hold = next;
    file.save(next);
    changes.emit('change', next);
  }

  return {
    current: () => hold,
    known,
    set(reason) {
      if (hold === null) become({ since: new Date(now()).toISOString(), reason });
    },
    lift() {
      const stood = hold;
      if (stood !== null) become(null);
      return stood;
    },
    on(event, listener) {
      changes.on(event, listener);
      return () => changes.off(event, listener);
    },
  };
}
