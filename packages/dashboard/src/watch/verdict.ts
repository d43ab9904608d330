import { type Check, isGood, type Report } from './answers.ts';

/** What colours, icons and sorting go by. `unknown` is never shown like `good`. */
export type Tone = 'good' | 'busy' | 'caution' | 'bad' | 'unknown';

/** One bot at a glance. */
export interface Verdict {
  readonly kind:
    | 'healthy'
    | 'look'
    | 'halted'
    | 'on-hold'
    | 'starting'
    | 'draining'
    | 'restarting'
    | 'failing'
    | 'needs-person'
    | 'out-of-touch'
    | 'unheard';
  /** The verdict in words. */
  readonly word: string;
  readonly tone: Tone;
  /** Why, as sentences; empty when there is nothing to say. */
  readonly because: readonly string[];
}

/** What a verdict rests on. */
export interface Evidence {
  /** What the sidecar last told; null before its first answer. */
  readonly report: Report | null;
  /** Whether the sidecar still answers. */
  readonly inTouch: boolean;
  /** Why it does not. */
  readonly problem: string | null;
  /** Why its drains cannot be read, one of which may have left something open; null when they can. */
  readonly drainsProblem: string | null;
}

/** Says in words how a bot is. Pure. An old answer is never a verdict, and a "pass" that its own checks belie is none. */
export function verdictOf({ report, inTouch, problem, drainsProblem }: Evidence): Verdict {
  const why = problem === null ? [] : [problem];
  if (!inTouch) {
    return report === null && problem === null
      ? {
          kind: 'unheard',
          word: 'Not heard yet',
          tone: 'unknown',
          because: ['the sidecar has not been asked yet'],
        }
      : { kind: 'out-of-touch', word: 'Out of touch', tone: 'unknown', because: why };
  }
  if (report === null) return { kind: 'unheard', word: 'Not heard yet', tone: 'unknown', because: why };
  const { heal, drain, checks } = report;
  const notes = otherNotes(report);
  if (drain.active) return { kind: 'draining', word: 'Draining', tone: 'busy', because: notes };
  const failing = checks.filter((check) => check.critical && !isGood(check.state));
  const because = notes.length > 0 ? notes : failing.map(sentence);
  if (heal.capped) return { kind: 'needs-person', word: 'Needs a person', tone: 'bad', because };
  if (!heal.live) return { kind: 'restarting', word: 'Restart asked for', tone: 'bad', because };
  if (failing.length > 0 && failing.every(({ state }) => state === 'unknown' || state === 'paused')) {
    const paused = failing.some(({ state }) => state === 'paused');
    return { kind: 'starting', word: paused ? 'Paused' : 'Starting', tone: 'caution', because };
  }
  if (report.status === 'fail' || failing.length > 0)
    return { kind: 'failing', word: 'Failing', tone: 'bad', because };
  const weak = checks.filter((check) => check.state !== 'pass');
  if (report.hold !== null) return { kind: 'on-hold', word: 'On hold', tone: 'caution', because };
  if (report.bot.trading === 'halted') return { kind: 'halted', word: 'Halted', tone: 'caution', because };
  if (report.status === 'warn' || weak.length > 0) {
    return {
      kind: 'look',
      word: 'Needs a look',
      tone: 'caution',
      because: notes.length > 0 ? notes : weak.map(sentence),
    };
  }
  // Nothing was checked: that proves nothing.
  if (checks.length === 0)
    return { kind: 'look', word: 'Needs a look', tone: 'caution', because: ['the sidecar checks nothing'] };
  if (drainsProblem !== null) {
    const unread = `its drains cannot be read: ${drainsProblem}`;
    return { kind: 'look', word: 'Needs a look', tone: 'caution', because: [unread] };
  }
  return { kind: 'healthy', word: 'Healthy', tone: 'good', because: [] };
}

/** The notes but for those that are shown in a place of their own, with what a person can do about them. */
function otherNotes({ notes, hold, vanished }: Report): readonly string[] {
  return notes
    .filter((note) => hold === null || !note.startsWith('on hold since '))
    .filter((note) => vanished === null || !note.includes('position(s) vanished: boot '));
}

function sentence({ name, state, output }: Check): string {
  return `${name}: ${output ?? state}`;
}
