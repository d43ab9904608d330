import type { Report } from '../watch/answers.ts';
import type { BotView } from '../watch/bots.ts';
import { type Drain, drainsOf, isAcknowledged, isAlarming } from '../watch/drains.ts';
import type { History } from './history.ts';

/** A drain of a bot, and whether a person has looked at the exchange since it ended. */
export interface SeenDrain extends Drain {
  readonly acknowledged: boolean;
}

/** What waits until a person has looked at the exchange and says so. */
export interface Waiting {
  /** Drains after which positions may be open. */
  readonly drains: readonly SeenDrain[];
  readonly vanished: Report['vanished'];
  /** Restarts have stopped at the cap. */
  readonly capped: boolean;
}

/** Every drain of a bot that is known, newest first: what its sidecar tells, then what only the history remembers. */
export function allDrains(view: BotView, history: History): readonly SeenDrain[] {
  const told = view.drains ?? [];
  const ids = new Set(told.map(({ receipt }) => receipt.id));
  const remembered = history
    .drains(view.name)
    .filter(({ id }) => !ids.has(id))
    // Before the sidecar has told, one that only began may still be running.
    .filter(({ state }) => view.drains !== null || state !== 'started');
  const forgotten = drainsOf({ receipts: remembered, current: null, active: false, unfinished: true });
  return [...told, ...forgotten]
    .map((drain) => ({ ...drain, acknowledged: isAcknowledged(drain.receipt, history.lookedAt(view.name)) }))
    .sort((one, other) => (other.receipt.startedAt ?? 0) - (one.receipt.startedAt ?? 0));
}

/** What waits for a person; null where nothing does. */
export function waitingFor(view: BotView, history: History): Waiting | null {
  const drains = allDrains(view, history).filter(
    ({ outcome, acknowledged }) => isAlarming(outcome) && !acknowledged,
  );
  const vanished = view.report?.vanished ?? null;
  const capped = view.report?.heal.capped ?? false;
  return drains.length === 0 && vanished === null && !capped ? null : { drains, vanished, capped };
}
