import { describe, expect, it } from 'vitest';
import { beginHealing, type HealRules, type HealState } from '../../../src/heal/heal.ts';
import { keepHealing, keptHealing, recallHealing } from '../../../src/heal/kept.ts';

const RULES: HealRules = { startupGraceMs: 120_000, cooldownMs: 60_000, maxPerHour: 5 };
const NOW = Date.parse('2026-01-31T12:00:00.000Z');
const MINUTE = 60_000;
/** An hour into the first process. */
const ENDS = { now: NOW, elapsed: 60 * MINUTE };

const STATE: HealState = {
  ...beginHealing(0),
  boot: { lease: 'boot-1', instance: 'its name', answered: true, before: { lease: null, instance: null } },
  heals: [30 * MINUTE, 50 * MINUTE],
  fruitless: 2,
  cooldownUntil: 61 * MINUTE,
  capped: 'why',
  awaited: { at: 59 * MINUTE, reason: 'tick' },
  crashes: { at: [55 * MINUTE], loop: true },
};
/** What the next process knows, `downMs` later by its wall clock, one second into its own life. */
const after = (downMs: number, state = STATE): HealState => {
  const kept = keptHealing.parse(JSON.parse(JSON.stringify(keepHealing(state, ENDS))));
  return recallHealing(beginHealing(0), kept, { now: NOW + downMs, elapsed: 1_000 }, RULES);
};

describe('what a restart of the sidecar does not forget of healing', () => {
  it('is cap, cool-down, latch, boot and crashes, each as old as it is', () => {
    expect(after(10_000)).toMatchObject({
      boot: { lease: 'boot-1', instance: 'its name', answered: true },
      heals: [1_000 - 30 * MINUTE - 10_000, 1_000 - 10 * MINUTE - 10_000],
      fruitless: 2,
      cooldownUntil: 1_000 + MINUTE - 10_000,
      capped: 'why',
      awaited: { at: 1_000 - MINUTE - 10_000, reason: 'tick' },
      crashes: { at: [1_000 - 5 * MINUTE - 10_000], loop: true },
    });
  });

  it('leaves a verdict that stood as one whose boot is still to come', () => {
    const verdict = { reason: 'api', because: 'it hangs', at: 60 * MINUTE, boot: 'boot-1' } as const;
    expect(after(5_000, { ...STATE, verdict, awaited: null })).toMatchObject({
      verdict: null,
      awaited: { at: 1_000 - 5_000, reason: 'api' },
    });
  });

  it('ends a cool-down that ran out meanwhile', () => {
    expect(after(10 * MINUTE).cooldownUntil).toBe(Number.NEGATIVE_INFINITY);
  });

  it('takes nothing for younger than it can be, and no cool-down for longer, when the clock was set back', () => {
    const state = after(-100 * MINUTE);
    expect(state.heals).toEqual([1_000, 1_000]);
    expect(state.cooldownUntil).toBe(1_000 + 2 * MINUTE);
  });

  it('keeps the latch whatever the clock says', () => {
    expect(after(1_000_000 * MINUTE).capped).toBe('why');
  });

  it('has no boot where none was named', () => {
    const boot = { lease: null, instance: null, answered: true, before: { lease: null, instance: null } };
    expect(after(0, { ...STATE, boot }).boot).toBeNull();
  });
});
