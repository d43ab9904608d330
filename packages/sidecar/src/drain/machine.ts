import type { Outcome } from './receipts.ts';

/**
 * The drain as a pure function: what is known, what happened, what to do next. No clock, no socket, no log in here.
 *
 * Flat is said only when all of this holds for the boot of the bot that runs now: it is halted (it answered the close
 * call or says so itself, and does not say that it is trading); two reads in a row, with no close call under way,
 * showed nothing open and nothing pending; and FLAT_CHECK_SQL, where there is one, said 0 after them, and one more read
 * after that showed no change. Where the bot
 * has no positions to read, an answer 200 to the close call that leaves nothing stands for the two reads.
 */
export interface DrainState {
  /**
   * `closing`: the close call is being made, or is about to be made again · `watching`: it was answered, positions
   * are read · `refused`: it can never succeed (401, 403, 404, 405), positions are read · `proving`: FLAT_CHECK_SQL
   * runs · `failing`: given up, emergency call and alert are under way · `ended`
   */
  readonly phase: 'closing' | 'watching' | 'refused' | 'proving' | 'failing' | 'ended';
  readonly rules: DrainRules;
  /** The boot of the bot that is being drained; null where it does not say. */
  readonly instance: string | null;
  /** An earlier drain left this very boot flat: if it is gone, there is nothing to do. */
  readonly alreadyFlat: boolean;
  /** This boot stopped trading: it answered the close call, or says that it is halted. */
  readonly halted: boolean;
  /** Touch was lost since: whoever answers next has to show that it is still the same boot. */
  readonly doubted: boolean;
  /** Close calls begun. */
  readonly attempts: number;
  /** Numbers the stretches between close calls; a read of an earlier stretch no longer counts. */
  readonly epoch: number;
  /** Reads in a row that showed nothing open on a halted bot. */
  readonly zeros: number;
  /** The last readable counts; null before the first. */
  readonly counts: Counts | null;
  /** Whether the last try to learn the counts succeeded. */
  readonly readable: boolean;
  /** When a close call was last answered or something last closed, in elapsed milliseconds. */
  readonly progressAt: number;
  /** Emergency call and alert were already started, after a refusal. */
  readonly alarmed: boolean;
  /** What the proof under way would prove, and what speaks for it so far. */
  readonly claim: { readonly outcome: 'flat' | 'nothing_to_do'; readonly because: string } | null;
  /** FLAT_CHECK_SQL said 0, and nothing was seen since that speaks against it. */
  readonly proven: boolean;
  /** What became of the close call, as a clause. */
  readonly closing: string;
  /** What the reads (or the proof) show, as a clause. */
  readonly standing: string;
  readonly outcome: Outcome | null;
  /** Why it ended so; empty before. */
  readonly reason: string;
}

/** What does not change during a drain. */
export interface DrainRules {
  /** The bot tells its positions. */
  readonly readsPositions: boolean;
  /** FLAT_CHECK_SQL is set. */
  readonly hasProof: boolean;
  readonly readEveryMs: number;
  readonly closeAgainAfterMs: number;
}

export interface Counts {
  readonly open: number;
  readonly pending: number;
}

/** One look at the bot: positions first, then health, so that the boot named is that of the positions. */
export interface Reading {
  /** Null when they could not be read. */
  readonly counts: Counts | null;
  /** Why not. */
  readonly why?: string;
  readonly instance: string | null;
  readonly trading: 'running' | 'halted' | null;
  /** The connection was lost or never made, or nothing came in time: a restart may have gone unseen. */
  readonly lostTouch: boolean;
  /** Nothing is there: refused, unknown name, no route. */
  readonly gone: boolean;
}

/** `at` is elapsed milliseconds. */
export type DrainEvent =
  | { readonly type: 'attempt-started' }
  | ({ readonly type: 'attempt-failed' } & AttemptFailure)
  | {
      readonly type: 'close-answered';
      readonly at: number;
      readonly counts: Counts | null;
      readonly done: boolean;
    }
  | ({ readonly type: 'read'; readonly at: number; readonly epoch: number } & Reading)
  | { readonly type: 'proved'; readonly at: number; readonly value: number }
  | { readonly type: 'proof-failed'; readonly why: string }
  | { readonly type: 'deadline' }
  | { readonly type: 'alarm-ended' }
  | { readonly type: 'abandoned'; readonly why: string };

/** A close call that was not answered as it should be. */
export interface AttemptFailure {
  readonly why: string;
  /** No retry can mend it. */
  readonly final: boolean;
  readonly gone: boolean;
  readonly lostTouch: boolean;
  /** When it is made again, in milliseconds: to be told, not to decide by. */
  readonly retryInMs?: number;
}

export type DrainEffect =
  /** After so many milliseconds make close calls, with back-off, until one is answered or refused for good. */
  | { readonly type: 'close'; readonly afterMs: number }
  /** Cut off the close calls, and any wait before the next one. */
  | { readonly type: 'stop-closing' }
  /** Read positions after so many milliseconds; replaces a read that is still to come or under way. */
  | { readonly type: 'read'; readonly afterMs: number; readonly epoch: number }
  | { readonly type: 'stop-reading' }
  /** Run FLAT_CHECK_SQL. */
  | { readonly type: 'prove' }
  /** Emergency call and alert: `early` ones run beside the reads, the others are waited for. */
  | { readonly type: 'alarm'; readonly early: boolean }
  /** Write the last receipt, and be done. */
  | { readonly type: 'end'; readonly outcome: Outcome };

type Step = readonly [DrainState, readonly DrainEffect[]];

/** How a drain begins; `at` is elapsed milliseconds. */
export function begin(
  rules: DrainRules,
  known: { readonly instance: string | null; readonly alreadyFlat: boolean; readonly at: number },
): Step {
  const state: DrainState = {
    phase: 'closing',
    rules,
    instance: known.instance,
    alreadyFlat: known.alreadyFlat,
    halted: false,
    doubted: false,
    attempts: 0,
    epoch: 0,
    zeros: 0,
    counts: null,
    readable: false,
    progressAt: known.at,
    alarmed: false,
    claim: null,
    proven: false,
    closing: 'the close call was not answered',
    standing: 'positions were never read',
    outcome: null,
    reason: '',
  };
  return [state, [{ type: 'close', afterMs: 0 }]];
}

/** The one step of the machine. An event that no longer matters changes nothing. */
export function step(state: DrainState, event: DrainEvent): Step {
  if (state.phase === 'ended') return [state, []];
  if (event.type === 'abandoned') return end(state, 'abandoned', event.why);
  if (state.phase === 'failing') {
    return event.type === 'alarm-ended' ? end(state, 'not_flat', state.reason) : [state, []];
  }
  switch (event.type) {
    case 'deadline':
      return giveUp(state, `out of time: ${state.closing}; ${state.standing}`);
    case 'attempt-started':
      return [
        nextStretch({ ...state, phase: 'closing', attempts: state.attempts + 1 }),
        [{ type: 'stop-reading' }],
      ];
    case 'attempt-failed':
      return attemptFailed(state, event);
    case 'close-answered':
      return closeAnswered(state, event);
    case 'read':
      return event.epoch === state.epoch && state.phase !== 'proving' ? read(state, event) : [state, []];
    case 'proved':
      return state.phase === 'proving' ? proved(state, event) : [state, []];
    case 'proof-failed':
      return state.phase === 'proving'
        ? unproven(state, `FLAT_CHECK_SQL gave no number: ${event.why}`)
        : [state, []];
    case 'alarm-ended':
      return [state, []];
  }
}

function attemptFailed(before: DrainState, event: AttemptFailure): Step {
  const state = nextStretch({
    ...before,
    closing: `the close call failed (${event.why})`,
    doubted: before.doubted || event.lostTouch,
  });
  if (event.gone && state.alreadyFlat) return prove(state, 'nothing_to_do', GONE_FLAT);
  if (!event.final) return [state, look(state, 0)];
  if (!state.rules.readsPositions) return giveUp(state, `${state.closing}, and no retry can mend that`);
  const refused: DrainState = { ...state, phase: 'refused' };
  return [refused, look(refused, 0)];
}

function closeAnswered(before: DrainState, event: DrainEvent & { type: 'close-answered' }): Step {
  const { counts } = event;
  const none = counts !== null && nothing(counts);
  const state = nextStretch({
    ...before,
    phase: 'watching',
    halted: true,
    doubted: false,
    counts: counts ?? before.counts,
    readable: counts !== null,
    progressAt: event.at,
    closing: 'the close call was answered',
    standing: counts === null || none ? 'positions were not read since' : left(counts),
  });
  if (state.rules.readsPositions) return [state, look(state, 0)];
  // The answer is all there is to go by, and a 202 is only a promise: that one is asked for again.
  if (none && event.done) return prove(state, 'flat', 'the bot answered that nothing is left');
  return closeAgain(state, state.rules.closeAgainAfterMs);
}

function read(before: DrainState, event: Reading & { readonly at: number }): Step {
  if (event.gone && before.alreadyFlat) return prove(before, 'nothing_to_do', GONE_FLAT);
  const known = before.instance !== null && event.instance !== null;
  const otherBoot = known && event.instance !== before.instance;
  const sameBoot = known && !otherBoot;
  const unvouched = before.doubted && before.halted && !sameBoot && event.counts !== null;
  const restarted = otherBoot || unvouched;
  const fell = event.counts !== null && before.counts !== null && total(event.counts) < total(before.counts);
  const state: DrainState = {
    ...before,
    instance: event.instance ?? before.instance,
    alreadyFlat: before.alreadyFlat && !restarted && (event.counts === null || nothing(event.counts)),
    halted: event.trading === 'halted' || (before.halted && !restarted && event.trading !== 'running'),
    doubted: event.lostTouch || (before.doubted && event.counts === null),
    zeros: restarted ? 0 : before.zeros,
    counts: event.counts ?? before.counts,
    readable: event.counts !== null,
    progressAt: fell ? event.at : before.progressAt,
  };
  const calm = event.counts !== null && nothing(event.counts) && state.halted && !event.lostTouch;
  const next: DrainState = {
    ...state,
    zeros: calm ? state.zeros + 1 : 0,
    proven: calm && !restarted && state.proven,
    standing: standing(state, event),
  };

  // A new boot that says it is halted answered a close call already, or a person's.
  if (restarted && !next.halted && next.phase !== 'closing') {
    // Not faster than any other repeat, or a bot that names another boot each time would be flooded with calls.
    const wait = Math.max(0, next.rules.closeAgainAfterMs - (event.at - before.progressAt));
    return closeAgain({ ...next, closing: 'the bot restarted since' }, wait);
  }
  if (next.zeros >= 2)
    return prove(next, 'flat', 'two reads in a row showed nothing open and nothing pending');
  if (next.phase === 'refused' && !next.alarmed) {
    const alarmed: DrainState = { ...next, alarmed: true };
    return [alarmed, [{ type: 'alarm', early: true }, ...look(alarmed, next.rules.readEveryMs)]];
  }
  const stalled = event.at - next.progressAt >= next.rules.closeAgainAfterMs;
  const unfinished = !calm && (event.counts !== null || (next.counts !== null && !nothing(next.counts)));
  if (next.phase === 'watching' && unfinished && stalled) return closeAgain(next, 0);
  return [next, look(next, next.rules.readEveryMs)];
}

function prove(before: DrainState, outcome: 'flat' | 'nothing_to_do', because: string): Step {
  if (!before.rules.hasProof) return end(before, outcome, because);
  if (before.proven) return end(before, outcome, `${because}, and FLAT_CHECK_SQL says 0`);
  const standing = `${because}, but FLAT_CHECK_SQL has not confirmed it`;
  const state: DrainState = { ...before, phase: 'proving', claim: { outcome, because }, standing };
  return [state, [{ type: 'stop-closing' }, { type: 'stop-reading' }, { type: 'prove' }]];
}

function proved(state: DrainState, event: { readonly at: number; readonly value: number }): Step {
  const { claim } = state;
  if (event.value === 0 && claim !== null) {
    // The proof took its time, in which the bot may have restarted: a last read has to show that nothing changed.
    const proven: DrainState = { ...state, phase: 'watching', claim: null, proven: true, zeros: 1 };
    if (claim.outcome === 'flat' && state.rules.readsPositions) return [proven, look(proven, 0)];
    return end(state, claim.outcome, `${claim.because}, and FLAT_CHECK_SQL says 0`);
  }
  const contradicted: DrainState = { ...state, alreadyFlat: false };
  const standing = `FLAT_CHECK_SQL says ${event.value}, not 0`;
  const stalled = event.at - state.progressAt >= state.rules.closeAgainAfterMs;
  return stalled ? closeAgain({ ...contradicted, standing }, 0) : unproven(contradicted, standing);
}

/** Not flat after all, or not yet: new zeros are needed before the proof is asked for again. */
function unproven(before: DrainState, standing: string): Step {
  const state = nextStretch({ ...before, claim: null, standing });
  if (!state.halted || !state.rules.readsPositions) return closeAgain(state, state.rules.closeAgainAfterMs);
  const watching: DrainState = { ...state, phase: 'watching' };
  return [watching, look(watching, state.rules.readEveryMs)];
}

function closeAgain(before: DrainState, afterMs: number): Step {
  const state = nextStretch({ ...before, phase: 'closing', claim: null });
  return [state, [{ type: 'stop-reading' }, { type: 'stop-closing' }, { type: 'close', afterMs }]];
}

function giveUp(before: DrainState, reason: string): Step {
  const state: DrainState = { ...before, phase: 'failing', reason };
  return [state, [{ type: 'stop-closing' }, { type: 'stop-reading' }, { type: 'alarm', early: false }]];
}

function end(before: DrainState, outcome: Outcome, reason: string): Step {
  const state: DrainState = { ...before, phase: 'ended', outcome, reason };
  return [state, [{ type: 'stop-closing' }, { type: 'stop-reading' }, { type: 'end', outcome }]];
}

/** What was read before this moment says nothing about the time after it. */
const nextStretch = (state: DrainState): DrainState => ({
  ...state,
  epoch: state.epoch + 1,
  zeros: 0,
  proven: false,
});

const look = (state: DrainState, afterMs: number): readonly DrainEffect[] =>
  state.rules.readsPositions ? [{ type: 'read', afterMs, epoch: state.epoch }] : [];

function standing(state: DrainState, event: Reading): string {
  if (event.counts === null) return `positions could not be read (${event.why ?? 'no answer'})`;
  if (!nothing(event.counts)) return left(event.counts);
  if (event.trading === 'running') return 'nothing is open, but the bot says that it is still trading';
  if (!state.halted) return 'nothing is open, but the bot is not known to be halted and may open again';
  return 'nothing was open at the last read, and a second one did not follow';
}

const GONE_FLAT = 'this boot of the bot was already drained flat, and is gone';
const total = (counts: Counts): number => counts.open + counts.pending;
const nothing = (counts: Counts): boolean => total(counts) === 0;
const left = (counts: Counts): string =>
  `${counts.open} open position(s) and ${counts.pending} pending order(s) are left`;

/**
 * The counts to report: a zero only when the last read could be read, since what was nothing then may be something
 * now; what was seen open is reported until something better is known. Null when unknown.
 */
export function reportable(state: DrainState): Counts | null {
  return state.counts === null || state.readable || !nothing(state.counts) ? state.counts : null;
}

/** The exit code of a process whose last drain ended so: 0 flat or nothing to do, 3 positions may be open. */
export function exitCodeOf(outcome: Outcome): 0 | 3 {
  return outcome === 'flat' || outcome === 'nothing_to_do' ? 0 : 3;
}
