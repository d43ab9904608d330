import type { BotView } from '../watch/bots.ts';
import { type Drain, drainsOf, isAlarming } from '../watch/drains.ts';
import type { History } from './history.ts';

/** A drain of a bot, with what a person made of it. */
export interface SeenDrain extends Drain {
  /** Milliseconds since 1970; null while nobody has acknowledged it. */
  readonly acknowledgedAt: number | null;
}

/** Every drain of a bot that is known, newest first: what its sidecar tells, then what only the history remembers. */
export function allDrains(view: BotView, history: History): readonly SeenDrain[] {
  const told = view.drains ?? [];
  const ids = new Set(told.map(({ receipt }) => receipt.id));
  const remembered = history
    .drains(view.name)
    .filter(({ receipt }) => !ids.has(receipt.id))
    .map(({ receipt }) => receipt)
    // Before the sidecar has told, one that only began may still be running.
    .filter(({ state }) => view.drains !== null || state !== 'started');
  const forgotten = drainsOf({ receipts: remembered, current: null, active: false, unfinished: true });
  return [...told, ...forgotten]
    .map((drain) => ({ ...drain, acknowledgedAt: history.acknowledgedAt(view.name, drain.receipt.id) }))
    .sort((one, other) => (other.receipt.startedAt ?? 0) - (one.receipt.startedAt ?? 0));
}

/** The drains after which positions may be open, and that nobody has acknowledged. */
export function alarms(view: BotView, history: History): readonly SeenDrain[] {
  return allDrains(view, history).filter(
    ({ outcome, acknowledgedAt }) => isAlarming(outcome) && acknowledgedAt === null,
  );
}
