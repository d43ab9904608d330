import type { Clock } from '../clock.ts';
import type { EventLog } from '../event-log.ts';
import type { StateFile } from '../state/state-file.ts';
import type { KnownModels } from '../watch/known-models.ts';
import type { TickLimit } from '../watch/tick-limit.ts';
import type { HealFile } from './heal-file.ts';
import type { Healer } from './healer.ts';

/** What the memory is made of. */
export interface HealMemoryOptions {
  /** `heal.json`. */
  readonly file: StateFile<HealFile>;
  readonly healer: Healer;
  readonly tickLimit: TickLimit;
  readonly knownModels: KnownModels;
  /** Whether gates can hold a lease at all. */
  readonly leases: boolean;
  readonly log: EventLog;
  readonly clock: Clock;
}

/** What a restart of the sidecar must not forget of the bot. */
export interface HealMemory {
  /** Gives back what an earlier process kept. Resolves within the bound of the file, and never rejects. */
  readonly recall: () => Promise<void>;
  /** Keeps what is known now, where that is something else than was kept last. */
  readonly keep: () => void;
}

/** What is learnt of the bot without anything having happened is kept this often, in milliseconds. */
const KEEP_EVERY_MS = 60_000;
/** The wall clock was set when it differs from the other one by so many milliseconds more than at the last look. */
const CLOCK_SET_MS = 2_000;

export function createHealMemory(options: HealMemoryOptions): HealMemory {
  const { file, healer, tickLimit, knownModels, leases, log, clock } = options;
  let keptKey = '';
  let keptAt = clock.elapsed();
  let offset = clock.now() - clock.elapsed();
  return {
    async recall() {
      const { value, problem } = await file.load();
      if (problem !== null) {
        log.error({ event: 'state.lost' }, `What was known of earlier restarts is lost: ${problem}.`);
      }
      if (value === null) return;
      healer.recall(value.healing, leases);
      if (value.cadence !== null) tickLimit.recall(value.cadence);
      knownModels.recall(value.models);
    },
    keep() {
      const { boot, heals, fruitless, cooldownUntil, capped, awaited, verdict, crashes } = healer.state();
      const { learning } = tickLimit.bound();
      const counts = [fruitless, cooldownUntil, capped, awaited, verdict, learning];
      const key = JSON.stringify([boot, heals, crashes, ...counts]);
      const elapsed = clock.elapsed();
      const now = clock.now() - elapsed;
      // What is kept stands on the wall clock: when that was set, it is written anew.
      const clockWasSet = Math.abs(now - offset) > CLOCK_SET_MS;
      if (key === keptKey && !clockWasSet && elapsed - keptAt < KEEP_EVERY_MS) return;
      keptKey = key;
      keptAt = elapsed;
      offset = now;
      file.save({ healing: healer.keep(), cadence: tickLimit.keep(), models: [...knownModels.keep()] });
    },
  };
}
