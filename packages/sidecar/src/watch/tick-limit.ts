import {
  boundOf,
  type Cadence,
  type KeptCadence,
  NO_CADENCE,
  nextBoot,
  restartedForSilence,
  rested,
  sawTick,
  silenceOf,
  type TickBound,
} from '../heal/cadence.ts';
import { remade } from './remade.ts';

/** How old the last tick of the bot may be: as configured, or as learnt from the bot. */
export interface TickLimit {
  /** The same object for as long as it is the same. */
  readonly bound: () => TickBound;
  /**
   * The bot that trades told its last tick, in milliseconds since 1970. `gapMs`: the longest gap that its own settings
   * allow; null where it does not tell.
   */
  readonly saw: (tick: number, instance: string | null, gapMs: number | null) => void;
  /** How long the bot has not ticked, in milliseconds, where its last tick is `ageMs` old by its own clock. */
  readonly silenceOf: (ageMs: number) => number;
  /** The bot is halted, and need not tick. */
  readonly rested: () => void;
  /** Another boot of the bot is there; `silent`: the last one was restarted because it did not tick. */
  readonly nextBoot: (instance: string | null, silent: boolean) => void;
  /** What a restart of the sidecar must not forget; null where nothing is learnt. */
  readonly keep: () => KeptCadence | null;
  readonly recall: (kept: KeptCadence) => void;
}

/** `maxAgeMs`: TICK_MAX_AGE in milliseconds. `elapsed` gives elapsed milliseconds. */
export function createTickLimit(maxAgeMs: number | 'auto', elapsed: () => number): TickLimit {
  if (maxAgeMs !== 'auto') {
    const nothing = (): void => undefined;
    return {
      bound: () => ({ maxAgeMs, learning: false }),
      saw: nothing,
      silenceOf: (ageMs) => ageMs,
      rested: nothing,
      nextBoot: nothing,
      keep: () => null,
      recall: nothing,
    };
  }
  let cadence: Cadence = NO_CADENCE;
  return {
    bound: remade({ cadence: () => cadence }, ({ cadence }) => boundOf(cadence)),
    saw(tick, instance, gapMs) {
      cadence = { ...sawTick(cadence, tick, instance, elapsed()), told: gapMs };
    },
    silenceOf: (ageMs) => silenceOf(cadence, ageMs, elapsed()),
    rested() {
      cadence = rested(cadence);
    },
    nextBoot(instance, silent) {
      if (silent) cadence = restartedForSilence(cadence);
      if (instance === null || instance !== cadence.instance) cadence = nextBoot(cadence, instance);
    },
    keep: () => ({ instance: cadence.instance, gaps: [...cadence.gaps], floor: cadence.floor }),
    recall(kept) {
      cadence = { ...NO_CADENCE, ...kept };
    },
  };
}
