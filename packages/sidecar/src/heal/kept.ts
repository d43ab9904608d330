import { z } from 'zod';
import type { Boot } from './boot.ts';
import { cooldownOf } from './cooldown.ts';
import type { HealRules, HealState } from './heal.ts';

// The state counts on a clock that starts anew with each process. What is kept stands on the clock of the wall, which
// may be wrong at one of the two ends: what lies in the future then happened just now, and what is to end in the future
// ends no later than it may.

const time = z.iso.datetime();
const name = z.string().nullable();

/** What a restart of the sidecar must not forget of healing, as it stands in `heal.json`. */
export const keptHealing = z.object({
  boot: z.object({ lease: name, instance: name }).nullable(),
  heals: z.array(time),
  fruitless: z.int().nonnegative(),
  cooldown_until: time.nullable(),
  capped: z.string().nullable(),
  awaited: z
    .object({ at: time, reason: z.enum(['api', 'tick', 'models', 'database', 'drained']) })
    .nullable(),
  crashes: z.object({ at: z.array(time), loop: z.boolean() }),
});
export type KeptHealing = z.infer<typeof keptHealing>;

/** The same moment on both clocks, in milliseconds. */
export interface Moment {
  /** Since 1970. */
  readonly now: number;
  /** Since any fixed point. */
  readonly elapsed: number;
}

/** What is to be kept of `state`. Pure. */
export function keepHealing(state: HealState, { now, elapsed }: Moment): KeptHealing {
  const wall = (at: number): string => new Date(now + (at - elapsed)).toISOString();
  const { boot, verdict, awaited, crashes } = state;
  // A verdict that stands is, for the next process, one whose boot has not come yet.
  const open = verdict ?? awaited;
  return {
    boot: boot === null ? null : { lease: boot.lease, instance: boot.instance },
    heals: state.heals.map(wall),
    fruitless: state.fruitless,
    cooldown_until: state.cooldownUntil > elapsed ? wall(state.cooldownUntil) : null,
    capped: state.capped,
    awaited: open === null ? null : { at: wall(open.at), reason: open.reason },
    crashes: { at: crashes.at.map(wall), loop: crashes.loop },
  };
}

/** `state` with what was kept by an earlier process. `rules` are those of now. Pure. */
export function recallHealing(
  state: HealState,
  kept: KeptHealing,
  { now, elapsed }: Moment,
  rules: HealRules,
): HealState {
  const past = (text: string): number => elapsed - Math.max(0, now - Date.parse(text));
  const { awaited, crashes, cooldown_until: until } = kept;
  const longest = cooldownOf(rules.cooldownMs, kept.fruitless);
  const left = until === null ? 0 : Math.min(longest, Math.max(0, Date.parse(until) - now));
  return {
    ...state,
    boot: state.boot ?? bootOf(kept.boot),
    heals: kept.heals.map(past),
    fruitless: kept.fruitless,
    cooldownUntil: left > 0 ? elapsed + left : state.cooldownUntil,
    capped: kept.capped,
    awaited: awaited === null ? null : { at: past(awaited.at), reason: awaited.reason },
    crashes: { at: crashes.at.map(past), loop: crashes.loop },
  };
}

/** One that has named itself has answered. */
function bootOf(kept: KeptHealing['boot']): Boot | null {
  if (kept === null || (kept.lease === null && kept.instance === null)) return null;
  return { ...kept, answered: kept.instance !== null, before: { lease: null, instance: null } };
}
