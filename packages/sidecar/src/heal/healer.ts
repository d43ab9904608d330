import { EventEmitter } from 'node:events';
import type { Facts } from './facts.ts';
import { acknowledge, beginHealing, type HealRules, type HealState, heal, type Verdict } from './heal.ts';
import { type KeptHealing, keepHealing, type Moment, recallHealing } from './kept.ts';
import type { HealReason } from './need.ts';

/** A boot that followed another one. */
export interface NextBoot {
  /** A verdict, or a drain, had asked for the end of the one before. */
  readonly asked: boolean;
  /** The verdict that it carries out; null where there was none. */
  readonly healed: HealReason | null;
}

/** What a {@link Healer} tells. */
export interface HealEvents {
  /** A restart is asked for. */
  verdict: [verdict: Verdict];
  /** A verdict no longer stands. */
  ended: [verdict: Verdict];
  boot: [boot: NextBoot];
  /** The current boot has answered for the first time, or is another one. */
  arrived: [];
  /** A restart is needed and the cap forbids it; why. */
  capped: [why: string];
  crashLoop: [boots: number];
  /** Nobody carries out verdicts. */
  unheeded: [];
}

/** Remembers, look after look, how the bot is and what was done about it. Decides nothing that {@link heal} does not. */
export interface Healer {
  readonly state: () => HealState;
  /** One more look. */
  readonly look: (facts: Facts) => void;
  /** A person has looked: what is latched is lifted. False when nothing was. */
  readonly acknowledge: () => boolean;
  readonly on: <E extends keyof HealEvents>(event: E, listener: (...what: HealEvents[E]) => void) => void;
  /** What a restart of the sidecar must not forget. */
  readonly keep: () => KeptHealing;
  /** What an earlier process kept; before the first look. `leases`: whether gates can hold a lease at all. */
  readonly recall: (kept: KeptHealing, leases: boolean) => void;
  /** The boot of this name, its gate's or its own, was left halted: it is to be restarted once. */
  readonly leftHalted: (name: string | null) => void;
}

/** `moment` reads both clocks. */
export function createHealer(rules: HealRules, moment: () => Moment): Healer {
  const events = new EventEmitter<HealEvents>();
  let state = beginHealing(moment().elapsed);

  function tell(before: HealState): void {
    const { verdict, boots, boot, capped, crashes, unheeded } = state;
    if (before.verdict !== null && verdict === null) events.emit('ended', before.verdict);
    const asked = boots.asked > before.boots.asked;
    if (asked || boots.unasked > before.boots.unasked) {
      const healed = state.heals.length > 0 && state.heals.at(-1) !== before.heals.at(-1);
      const reason = before.verdict?.reason ?? before.awaited?.reason ?? null;
      events.emit('boot', { asked, healed: healed ? reason : null });
      events.emit('arrived');
    } else if (boot?.answered === true && before.boot?.answered !== true) events.emit('arrived');
    if (before.verdict === null && verdict !== null) events.emit('verdict', verdict);
    if (before.capped === null && capped !== null) events.emit('capped', capped);
    if (!before.crashes.loop && crashes.loop) events.emit('crashLoop', crashes.at.length);
    if (!before.unheeded && unheeded) events.emit('unheeded');
  }

  return {
    state: () => state,
    look(facts) {
      const before = state;
      state = heal(before, facts, moment().elapsed, rules);
      tell(before);
    },
    acknowledge() {
      const latched = state.capped !== null;
      state = acknowledge(state);
      return latched;
    },
    on: (event, listener) => void events.on(event, listener as never),
    keep: () => keepHealing(state, moment()),
    recall(kept, leases) {
      const boot = kept.boot === null || leases ? kept.boot : { ...kept.boot, lease: null };
      state = recallHealing(state, { ...kept, boot }, moment(), rules);
    },
    leftHalted(name) {
      state = { ...state, halted: name };
    },
  };
}
