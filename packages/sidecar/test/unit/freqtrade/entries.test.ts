import { describe, expect, it } from 'vitest';
import {
  ENTRIES_OPEN,
  type Entries,
  type Progress,
  sawWorker,
  stopAnswered,
} from '../../../src/bot/freqtrade/entries.ts';
import type { Sight } from '../../../src/bot/freqtrade/worker.ts';

type Step =
  | 'stopped'
  | {
      state?: Sight['state'];
      processed?: number | null;
      wrote?: number | null;
      started?: number;
      began?: number;
    };

/** What becomes of entries; each look began after the last answer unless it says otherwise. */
function after(...steps: readonly Step[]): Entries['phase'] {
  let entries = ENTRIES_OPEN;
  for (const step of steps) {
    if (step === 'stopped') {
      entries = stopAnswered(entries);
      continue;
    }
    const { state = 'paused', processed = 100, wrote = 50, started = 1, began = entries.answers } = step;
    const progress: Progress = { processedAt: processed, wroteAt: wrote, startedAt: started };
    entries = sawWorker(entries, state, progress, began);
  }
  return entries.phase;
}

describe('entries are surely stopped', () => {
  it.each<[string, Step[]]>([
    ['when an iteration ended after the answer', ['stopped', { processed: 100 }, { processed: 105 }]],
    ['when the worker was between two of them after it', ['stopped', { wrote: 50 }, { wrote: 51 }]],
    ['and stay so', ['stopped', {}, { processed: 105 }, { processed: 105 }, { processed: 110 }]],
    [
      'and a second answer changes nothing',
      ['stopped', {}, { processed: 105 }, 'stopped', { processed: 105 }],
    ],
    [
      'when they were let in again and stopped again, and an iteration ended since',
      ['stopped', {}, { state: 'running' }, 'stopped', { processed: 110 }, { processed: 115 }],
    ],
  ])('%s', (_, steps) => {
    expect(after(...steps)).toBe('stopped');
  });
});

describe('entries may still be made', () => {
  it.each<[string, Step[]]>([
    ['before anything was asked', [{}, { processed: 105 }]],
    ['while no iteration has ended since the first look', ['stopped', {}, {}, {}]],
    ['where that look began before the answer', [{}, 'stopped', { processed: 105, began: 0 }]],
    ['where a look from before the answer is followed by one', ['stopped', { began: 0 }, { processed: 105 }]],
    [
      'where the worker never ended an iteration',
      ['stopped', { processed: null }, { processed: null, wrote: 99 }],
    ],
    [
      'where it ended its first one, for its start sets its state anew',
      ['stopped', { processed: null }, { processed: 100 }],
    ],
    ['where somebody started it again', ['stopped', {}, { processed: 105 }, { state: 'running' }]],
    ['where it stopped itself', ['stopped', {}, { processed: 105 }, { state: 'stopped' }]],
    ['where it reads its configuration anew', ['stopped', {}, { state: 'other' }, { processed: 105 }]],
    ['where it is another process', ['stopped', {}, { started: 2, processed: 105 }]],
  ])('%s', (_, steps) => {
    expect(after(...steps)).not.toBe('stopped');
  });
});
