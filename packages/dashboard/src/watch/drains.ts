import type { DrainView, Receipt } from './answers.ts';

/** How a drain ended, for a person. `cut_off`: it began, and nothing ever told its end. */
export type DrainOutcome =
  | 'running'
  | 'flat'
  | 'not_flat'
  | 'nothing_to_do'
  | 'abandoned'
  | 'cut_off'
  | 'unknown';

/** One drain: its last receipt, and what became of it. */
export interface Drain {
  readonly receipt: Receipt;
  readonly outcome: DrainOutcome;
}

/** What is known of the drains of one bot. */
export interface DrainFacts {
  /** Newest first; more than one for a drain. */
  readonly receipts: readonly Receipt[];
  readonly current: DrainView | null;
  /** Whether the sidecar says that a drain runs. */
  readonly active: boolean;
  /** Whether the sidecar says that its newest drain was cut off. */
  readonly unfinished: boolean;
}

/** The drains, newest first. Pure. */
export function drainsOf(facts: DrainFacts): readonly Drain[] {
  const latest = new Map<string, Receipt>();
  // One that the receipts do not tell of yet is newer than they are.
  const unlisted = facts.receipts.some(({ id }) => id === facts.current?.id) ? null : facts.current;
  for (const receipt of unlisted === null ? facts.receipts : [unlisted, ...facts.receipts]) {
    const known = latest.get(receipt.id);
    // Newest first, yet an end is an end wherever it stands.
    if (known === undefined || (known.state === 'started' && receipt.state !== 'started'))
      latest.set(receipt.id, receipt);
  }
  const { current } = facts;
  return [...latest.values()].map((told, index) => {
    // The view of a drain is ahead of the receipts, which are asked for less often.
    const receipt = told.state === 'started' && current?.id === told.id ? current : told;
    return { receipt, outcome: outcomeOf(receipt, index, facts) };
  });
}

/** True for an end after which positions may be open. */
export function isAlarming(outcome: DrainOutcome): boolean {
  return outcome === 'not_flat' || outcome === 'abandoned' || outcome === 'cut_off' || outcome === 'unknown';
}

function outcomeOf(
  receipt: Receipt,
  index: number,
  { active, unfinished, current }: DrainFacts,
): DrainOutcome {
  if (receipt.state !== 'started') return receipt.state;
  if (current?.id === receipt.id && current.state !== 'started') return current.state;
  // Its own view says that it has time left; the health was asked for before.
  if (current?.id === receipt.id && (current.remainingMs ?? 0) > 0) return 'running';
  // A newer drain began: whatever became of this one, nobody told.
  if (index > 0) return 'cut_off';
  return unfinished && !active ? 'cut_off' : 'running';
}

/** Whether a person has looked at the exchange after this receipt was written; both times are the sidecar's. */
export function isAcknowledged({ at }: Receipt, lookedAt: number | null): boolean {
  return at !== null && lookedAt !== null && at <= lookedAt;
}
