import type { Outcome, Proof } from './receipts.ts';

/**
 * The drain as a pure function: what is known, what happened, what to do next. No clock, no socket, no log in here.
 *
 * Flat is said only when all of this holds for the boot of the bot that is meant:
 * - It is halted: it answered the close call with 200, or says so itself, and does not say that it is trading. A 202 is
 *   a promise, not a halt.
 * - Two reads in a row, with no close call under way, showed nothing open and nothing pending.
 * - Every proof from outside that is configured said 0 after them, and one more read after that showed no change.
 * - No positions vanished between two boots, unless a proof from outside says 0.
 * Where the bot has no positions to read, an answer 200 to the close call that leaves nothing stands for the reads.
 */
export interface DrainState {
  /**
   * `closing`: the close call is being made, or is about to be made again · `watching`: it was answered, positions
   * are read · `refused`: it can never succeed (401, 403, 404, 405), positions are read · `outside`: the boot has
   * ended, only the exchange is asked · `failing`: given up, emergency call and alert are under way · `ended`
   */
  readonly phase: 'closing' | 'watching' | 'refused' | 'outside' | 'failing' | 'ended';
  readonly rules: DrainRules;
  /** The boot that is being drained, as its gate names it; null where no gate does. */
  readonly boot: string | null;
  /** The same boot, as the bot names it; null where it does not say. */
  readonly instance: string | null;
  /** The caller named the boot: this drain never goes over to another one. */
  readonly bound: boolean;
  /** An earlier drain left this very boot flat, and its gate said which boot that was. */
  readonly drainedFlat: boolean;
  /** The gate of this boot has gone. */
  readonly bootEnded: boolean;
  /** `halted`: it answered the close call with 200, or says so. `promised`: it answered 202. */
  readonly halt: 'unknown' | 'promised' | 'halted';
  /** Touch was lost since: whoever answers next has to show that it is still the same boot. */
  readonly doubted: boolean;
  /** When the bot last answered, in elapsed milliseconds; null before. */
  readonly contactAt: number | null;
  /** Close calls begun. */
  readonly attempts: number;
  /** Numbers the stretches between close calls; a read of an earlier stretch no longer counts. */
  readonly epoch: number;
  /** Reads in a row that showed nothing open on a halted bot; in `outside`, answers of the exchange in a row. */
  readonly zeros: number;
  /** The last readable counts; null before the first. */
  readonly counts: Counts | null;
  /** Whether the last try to learn the counts succeeded. */
  readonly readable: boolean;
  /** When a close call was last answered or something last closed, in elapsed milliseconds. */
  readonly progressAt: number;
  /** Emergency call and alert were already started, after a refusal. */
  readonly alarmed: boolean;
  /** What the proofs that are asked would prove, and what speaks for it so far. */
  readonly claim: Claim | null;
  /** How far each proof from outside is: being asked, or 0 was its answer. */
  readonly proofs: Readonly<Partial<Record<Outside, 'asked' | 'zero'>>>;
  /** Numbers the rounds of proofs; an answer of an earlier round no longer counts. */
  readonly round: number;
  /** A proof that spoke against flat, as a clause; stands until that proof says 0. */
  readonly contradiction: string | null;
  /** Positions that vanished between two boots and were not seen since. */
  readonly vanished: Vanished | null;
  /** What became of the close call, as a clause. */
  readonly closing: string;
  /** What the reads show, as a clause. */
  readonly standing: string;
  readonly outcome: Outcome | null;
  /** Who said that it is flat; empty unless it is. */
  readonly proof: readonly Proof[];
  /** Why it ended so; empty before. */
  readonly reason: string;
}

/** A proof that does not come from the bot. */
export type Outside = Exclude<Proof, 'bot'>;

interface Claim {
  readonly outcome: 'flat' | 'nothing_to_do';
  readonly because: string;
}

/** What does not change during a drain. */
export interface DrainRules {
  /** The bot tells its positions. */
  readonly readsPositions: boolean;
  /** The proofs from outside that are configured; each has to say 0. */
  readonly outside: readonly Outside[];
  readonly readEveryMs: number;
  readonly closeAgainAfterMs: number;
}

export interface Counts {
  readonly open: number;
  readonly pending: number;
}

/** Positions that the last boot had and this one does not report, without a close in between. */
export interface Vanished {
  readonly boot: string;
  readonly open: number;
  readonly nowOpen: number;
}

/** How a drain begins. */
export interface Beginning {
  readonly boot: string | null;
  readonly instance: string | null;
  readonly bound: boolean;
  readonly drainedFlat: boolean;
  readonly bootEnded: boolean;
  readonly vanished: Vanished | null;
  /** Elapsed milliseconds. */
  readonly at: number;
}

/** One look at the bot: positions first, then health, so that the boot named is that of the positions. */
export interface Reading {
  /** Null when they could not be read. */
  readonly counts: Counts | null;
  /** Why not. */
  readonly why?: string;
  /** It answered, and says itself that what it shows does not count yet: it starts, or may still open something. */
  readonly unsettled?: boolean;
  readonly instance: string | null;
  readonly trading: 'running' | 'halted' | null;
  /** The boot whose gate held the lease all through this look; null where none did. */
  readonly boot: string | null;
  /** The connection was lost or never made, or nothing came in time: a restart may have gone unseen. */
  readonly lostTouch: boolean;
  /** Nothing is there: refused, unknown name, no route. */
  readonly gone: boolean;
  /** How long the look took, in milliseconds. */
  readonly tookMs: number;
}

/** `at` is elapsed milliseconds. */
export type DrainEvent =
  | { readonly type: 'attempt-started' }
  | ({ readonly type: 'attempt-failed' } & AttemptFailure)
  | {
      readonly type: 'close-answered';
      readonly at: number;
      readonly counts: Counts | null;
      /** 200, not 202. */
      readonly done: boolean;
      /** What could not be closed, as a clause, where the bot says so. */
      readonly refused?: string;
    }
  | ({ readonly type: 'read'; readonly at: number; readonly epoch: number } & Reading)
  | {
      readonly type: 'proved';
      readonly at: number;
      readonly source: Outside;
      readonly round: number;
      readonly value: number;
    }
  | {
      readonly type: 'proof-failed';
      readonly source: Outside;
      readonly round: number;
      readonly why: string;
    }
  /** The gate of a boot took the lease. */
  | { readonly type: 'boot-began'; readonly at: number; readonly boot: string }
  /** The gate of a boot has gone. */
  | { readonly type: 'boot-ended'; readonly boot: string }
  /** The sidecar itself is to end: from now on whichever boot runs is meant; `boot` is the one that its gate named last. */
  | { readonly type: 'signal-joined'; readonly at: number; readonly boot: string | null }
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
  /** Ask a proof from outside after so many milliseconds. */
  | { readonly type: 'prove'; readonly source: Outside; readonly round: number; readonly afterMs: number }
  | { readonly type: 'stop-proving' }
  /** Emergency call and alert: `early` ones run beside the reads, the others are waited for. */
  | { readonly type: 'alarm'; readonly early: boolean }
  /** Write the last receipt, and be done. */
  | { readonly type: 'end'; readonly outcome: Outcome };

type Step = readonly [DrainState, readonly DrainEffect[]];

/** How a drain begins. */
export function begin(rules: DrainRules, known: Beginning): Step {
  const { at, ...beginning } = known;
  const state: DrainState = {
    ...beginning,
    phase: 'closing',
    rules,
    halt: 'unknown',
    doubted: false,
    contactAt: null,
    attempts: 0,
    epoch: 0,
    zeros: 0,
    counts: null,
    readable: false,
    progressAt: at,
    alarmed: false,
    claim: null,
    proofs: {},
    round: 0,
    contradiction: null,
    closing: 'the close call was not answered',
    standing: 'positions were never read',
    outcome: null,
    proof: [],
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
      return giveUp(state, `out of time: ${state.closing}; ${state.contradiction ?? state.standing}`);
    case 'proved':
      return event.round === state.round && state.proofs[event.source] === 'asked'
        ? proved(state, event)
        : [state, []];
    case 'proof-failed':
      return event.round === state.round && state.proofs[event.source] === 'asked'
        ? proofFailed(state, event)
        : [state, []];
    case 'alarm-ended':
      return [state, []];
  }
  switch (event.type) {
    case 'boot-began':
      return bootBegan(state, event);
    case 'boot-ended':
      return bootEnded(state, event.boot);
    case 'signal-joined':
      return signalJoined(state, event);
  }
  if (state.phase === 'outside') return [state, []];
  switch (event.type) {
    case 'attempt-started': {
      const [next, effects] = nextStretch({ ...state, phase: 'closing', attempts: state.attempts + 1 });
      return [next, [{ type: 'stop-reading' }, ...effects]];
    }
    case 'attempt-failed':
      return attemptFailed(state, event);
    case 'close-answered':
      return closeAnswered(state, event);
    case 'read':
      return event.epoch === state.epoch ? read(state, event) : [state, []];
  }
}

function attemptFailed(before: DrainState, event: AttemptFailure): Step {
  const [state, effects] = nextStretch({
    ...before,
    closing: `the close call failed (${event.why})`,
    doubted: before.doubted || event.lostTouch,
  });
  if (event.gone && needsNothing(state)) return conclude(state, effects, 'nothing_to_do', GONE_FLAT);
  if (event.gone && onlyExchangeKnows(state)) return outside(state, ENDED);
  if (!event.final) return [state, [...effects, ...look(state, 0)]];
  if (!state.rules.readsPositions) return giveUp(state, `${state.closing}, and no retry can mend that`);
  const refused: DrainState = { ...state, phase: 'refused' };
  return [refused, [...effects, ...look(refused, 0)]];
}

function closeAnswered(before: DrainState, event: DrainEvent & { type: 'close-answered' }): Step {
  const { counts } = event;
  const none = counts !== null && nothing(counts);
  const answered = event.done ? 'the close call was answered' : 'the close call was accepted';
  const [state, effects] = nextStretch({
    ...before,
    phase: 'watching',
    halt: event.done || before.halt === 'halted' ? 'halted' : 'promised',
    doubted: false,
    contactAt: event.at,
    counts: counts ?? before.counts,
    readable: counts !== null,
    progressAt: event.at,
    closing: event.refused === undefined ? answered : `${answered}, but ${event.refused}`,
    standing: counts === null || none ? 'positions were not read since' : left(counts),
  });
  if (state.rules.readsPositions) return [state, [...effects, ...look(state, 0)]];
  // The answer is all there is to go by, and a 202 is only a promise: that one is asked for again.
  if (none && event.done) return conclude(state, effects, 'flat', 'the bot answered that nothing is left');
  return closeAgain(state, state.rules.closeAgainAfterMs, effects);
}

function read(before: DrainState, event: Reading & { readonly at: number }): Step {
  if (event.gone && needsNothing(before)) return conclude(before, [], 'nothing_to_do', GONE_FLAT);
  if (event.gone && onlyExchangeKnows(before)) return outside(before, ENDED);
  const restarted = isAnotherBoot(before, event);
  if (restarted && before.bound && names(before, event)) {
    return outside(before, 'another boot of the bot answers');
  }
  const { counts } = event;
  const fell = counts !== null && before.counts !== null && total(counts) < total(before.counts);
  const halt = haltOf(before.halt, event.trading, restarted);
  const seenAgain = before.vanished !== null && counts !== null && counts.open >= before.vanished.open;
  const state: DrainState = {
    ...before,
    boot: event.boot ?? before.boot,
    instance: event.instance ?? before.instance,
    drainedFlat: before.drainedFlat && !restarted && (counts === null || nothing(counts)),
    halt,
    doubted: event.lostTouch || (before.doubted && counts === null),
    contactAt: counts === null && event.unsettled !== true ? before.contactAt : event.at,
    counts: counts ?? before.counts,
    readable: counts !== null,
    progressAt: fell ? event.at : before.progressAt,
    vanished: seenAgain ? null : before.vanished,
  };
  const calm = counts !== null && nothing(counts) && halt === 'halted' && !event.lostTouch;
  const spoken: DrainState = {
    ...state,
    zeros: calm ? (restarted ? 1 : before.zeros + 1) : 0,
    standing: standing(state, event),
  };
  // What cannot be read says nothing against a proof that is being asked, but it ends one that was given.
  const [next, effects] =
    restarted || (counts !== null && !calm)
      ? unprove(spoken)
      : [calm ? spoken : { ...spoken, proofs: onlyAsked(spoken.proofs) }, []];

  // A new boot that says it is halted answered a close call already, or a person's.
  if (restarted && next.halt !== 'halted' && next.phase !== 'closing') {
    // Not faster than any other repeat, or a bot that names another boot each time would be flooded with calls.
    const wait = Math.max(0, next.rules.closeAgainAfterMs - (event.at - before.progressAt));
    return closeAgain({ ...next, closing: 'the bot may have restarted since' }, wait, effects);
  }
  if (next.zeros >= 2) {
    return conclude(next, effects, 'flat', 'two reads in a row showed nothing open and nothing pending');
  }
  if (next.phase === 'refused' && !next.alarmed) {
    const alarmed: DrainState = { ...next, alarmed: true };
    return [alarmed, [...effects, { type: 'alarm', early: true }, ...look(alarmed, next.rules.readEveryMs)]];
  }
  const stalled = event.at - next.progressAt >= next.rules.closeAgainAfterMs;
  const wasOpen = next.counts !== null && !nothing(next.counts);
  const unfinished = !calm && (counts !== null || event.unsettled === true || wasOpen);
  if (next.phase === 'watching' && unfinished && stalled) return closeAgain(next, 0, effects);
  return [next, [...effects, ...look(next, next.rules.readEveryMs)]];
}

/** Whether what answers now is, or may be, another boot than the one that answered before. */
function isAnotherBoot(before: DrainState, event: Reading & { readonly at: number }): boolean {
  if (event.boot !== null && before.boot !== null) return event.boot !== before.boot;
  if (event.instance !== null && before.instance !== null) return event.instance !== before.instance;
  if (event.counts === null || before.halt === 'unknown') return false;
  // Nothing names the boot. A restart would show as a lost connection, or fits between two looks that lie far apart.
  const silentFor = before.contactAt === null ? 0 : event.at - event.tookMs - before.contactAt;
  return before.doubted || silentFor > GAP_READS * before.rules.readEveryMs;
}

/** Whether that it is another boot was said, by its gate or by the bot; not only to be feared. */
const names = (before: DrainState, event: Reading): boolean =>
  (event.boot !== null && before.boot !== null) || (event.instance !== null && before.instance !== null);

function haltOf(
  before: DrainState['halt'],
  trading: Reading['trading'],
  restarted: boolean,
): DrainState['halt'] {
  if (trading === 'halted') return 'halted';
  return restarted || trading === 'running' ? 'unknown' : before;
}

function bootBegan(before: DrainState, event: { readonly at: number; readonly boot: string }): Step {
  if (event.boot === before.boot) return [{ ...before, bootEnded: false }, []];
  if (before.bound) {
    return before.phase === 'outside' ? [before, []] : outside(before, 'another boot of the bot has begun');
  }
  if (before.boot === null && before.halt === 'unknown') return [{ ...before, boot: event.boot }, []];
  // A close call that is under way may still be answered by the boot before.
  const wait = Math.max(0, before.rules.closeAgainAfterMs - (event.at - before.progressAt));
  return closeAgain(
    {
      ...before,
      boot: event.boot,
      bootEnded: false,
      drainedFlat: false,
      halt: 'unknown',
      closing: 'another boot of the bot has begun since',
    },
    wait,
    [],
  );
}

function bootEnded(before: DrainState, boot: string): Step {
  if (boot !== before.boot || before.phase === 'outside') return [before, []];
  const state: DrainState = { ...before, bootEnded: true };
  return before.bound ? outside(state, ENDED) : [state, []];
}

function signalJoined(
  before: DrainState,
  event: { readonly at: number; readonly boot: string | null },
): Step {
  const state: DrainState = { ...before, bound: false };
  const another = event.boot !== null && event.boot !== before.boot;
  return another ? bootBegan(state, { at: event.at, boot: event.boot }) : [state, []];
}

/** The boot is over: what it says no longer counts. The exchange can still prove flat; nothing else can. */
function outside(before: DrainState, why: string): Step {
  const unproven = `${why}, and flat was not proven before: ${before.contradiction ?? before.standing}`;
  if (!before.rules.outside.includes('exchange')) return giveUp(before, unproven);
  const [state, effects] = unprove({
    ...before,
    phase: 'outside',
    epoch: before.epoch + 1,
    zeros: 0,
    closing: why,
    standing: 'the exchange was not asked since',
  });
  const because = `${why}, and the exchange shows nothing open, twice`;
  const [asked, prove] = ask({ ...state, claim: { outcome: 'flat', because } }, 0);
  return [asked, [{ type: 'stop-closing' }, { type: 'stop-reading' }, ...effects, ...prove]];
}

/** Ends it so, when every proof from outside agrees; asks those that have not been asked. */
function conclude(
  before: DrainState,
  effects: readonly DrainEffect[],
  outcome: Claim['outcome'],
  because: string,
): Step {
  const { outside: needed, readEveryMs, readsPositions } = before.rules;
  if (before.vanished !== null && needed.length === 0) return giveUp(before, unaccounted(before.vanished));
  if (needed.every((source) => before.proofs[source] === 'zero')) {
    const proof: readonly Proof[] = outcome === 'flat' ? ['bot', ...needed] : needed;
    return end({ ...before, proof }, outcome, [because, ...needed.map(agreed)].join(', and '));
  }
  const claim: Claim = { outcome, because };
  const standing = `${because}, but ${needed.map(called).join(' and ')} did not confirm it`;
  const phase = before.phase === 'closing' ? 'watching' : before.phase;
  const [state, prove] = ask({ ...before, phase, claim, standing }, 0);
  // Reads go on meanwhile: a bot that restarts during a slow proof must not go unseen.
  const reads: readonly DrainEffect[] =
    readsPositions && outcome === 'flat' ? look(state, readEveryMs) : [{ type: 'stop-reading' }];
  return [state, [...effects, { type: 'stop-closing' }, ...prove, ...reads]];
}

function ask(before: DrainState, afterMs: number): Step {
  const open = before.rules.outside.filter((source) => before.proofs[source] === undefined);
  const proofs = {
    ...before.proofs,
    ...Object.fromEntries(open.map((source) => [source, 'asked' as const])),
  };
  return [
    { ...before, proofs },
    open.map((source) => ({ type: 'prove', source, round: before.round, afterMs })),
  ];
}

function proved(before: DrainState, event: DrainEvent & { type: 'proved' }): Step {
  const { claim, rules } = before;
  if (event.value !== 0) return contradicted(before, event);
  const state: DrainState = {
    ...before,
    proofs: { ...before.proofs, [event.source]: 'zero' },
    contradiction: null,
  };
  if (claim === null || rules.outside.some((source) => state.proofs[source] !== 'zero')) return [state, []];
  if (state.phase === 'outside') {
    if (state.zeros >= 1) return end({ ...state, proof: rules.outside }, 'flat', claim.because);
    const [again, effects] = unprove({
      ...state,
      zeros: 1,
      standing: 'the exchange shows nothing open, once',
    });
    const [asked, prove] = ask({ ...again, claim }, rules.readEveryMs);
    return [asked, [...effects, ...prove]];
  }
  // The proof took its time: a last read has to show that nothing changed meanwhile.
  if (claim.outcome === 'flat' && rules.readsPositions) {
    const proven: DrainState = { ...state, zeros: Math.min(state.zeros, 1) };
    return [proven, look(proven, 0)];
  }
  return conclude(state, [], claim.outcome, claim.because);
}

function contradicted(before: DrainState, event: DrainEvent & { type: 'proved' }): Step {
  const contradiction = `${called(event.source)} says ${event.value}, not 0`;
  const stalled = event.at - before.progressAt >= before.rules.closeAgainAfterMs;
  return notProven({ ...before, drainedFlat: false, contradiction }, stalled);
}

function proofFailed(before: DrainState, event: DrainEvent & { type: 'proof-failed' }): Step {
  const standing = `${called(event.source)} gave no number: ${event.why}`;
  return notProven({ ...before, standing }, false);
}

/** Not flat after all, or not yet: new zeros are needed before the proofs are asked for again. */
function notProven(before: DrainState, closeNow: boolean): Step {
  const { claim, rules } = before;
  if (before.phase === 'outside') {
    const [state, effects] = unprove({ ...before, zeros: 0 });
    const [asked, prove] = ask({ ...state, claim }, rules.readEveryMs);
    return [asked, [...effects, ...prove]];
  }
  const [state, effects] = nextStretch(before);
  if (closeNow) return closeAgain(state, 0, effects);
  if (state.halt === 'unknown' || !rules.readsPositions) {
    return closeAgain(state, rules.closeAgainAfterMs, effects);
  }
  return [state, [...effects, ...look(state, rules.readEveryMs)]];
}

function closeAgain(before: DrainState, afterMs: number, earlier: readonly DrainEffect[]): Step {
  const [state, effects] = nextStretch({ ...before, phase: 'closing' });
  return [
    state,
    [...earlier, { type: 'stop-reading' }, { type: 'stop-closing' }, ...effects, { type: 'close', afterMs }],
  ];
}

function giveUp(before: DrainState, reason: string): Step {
  return [{ ...before, phase: 'failing', reason }, [...STOP, { type: 'alarm', early: false }]];
}

function end(before: DrainState, outcome: Outcome, reason: string): Step {
  return [{ ...before, phase: 'ended', outcome, reason }, [...STOP, { type: 'end', outcome }]];
}

/** What was read or proven before this moment says nothing about the time after it. */
function nextStretch(before: DrainState): Step {
  return unprove({ ...before, epoch: before.epoch + 1, zeros: 0 });
}

function unprove(before: DrainState): Step {
  if (Object.keys(before.proofs).length === 0) return [{ ...before, claim: null }, []];
  return [{ ...before, claim: null, proofs: {}, round: before.round + 1 }, [{ type: 'stop-proving' }]];
}

const onlyAsked = (proofs: DrainState['proofs']): DrainState['proofs'] =>
  Object.fromEntries(Object.entries(proofs).filter(([, state]) => state === 'asked'));

const look = (state: DrainState, afterMs: number): readonly DrainEffect[] =>
  state.rules.readsPositions ? [{ type: 'read', afterMs, epoch: state.epoch }] : [];

/** Said only of a boot that its gate named, that was drained flat, and whose gate has gone; never to a caller that lives. */
const needsNothing = (state: DrainState): boolean => state.drainedFlat && state.bootEnded && !state.bound;

/** Its gate says that this boot has ended: nothing can be closed through it, and nothing that it said counts. */
const onlyExchangeKnows = (state: DrainState): boolean =>
  state.bootEnded && state.rules.outside.includes('exchange');

function standing(state: DrainState, event: Reading): string {
  if (event.counts === null) return `positions could not be read (${event.why ?? 'no answer'})`;
  if (!nothing(event.counts)) return left(event.counts);
  if (event.trading === 'running') return 'nothing is open, but the bot says that it is still trading';
  if (state.halt === 'promised') return 'nothing is open, but the bot only promised to halt (202)';
  if (state.halt === 'unknown')
    return 'nothing is open, but the bot is not known to be halted and may open again';
  return 'nothing was open at the last read, and a second one did not follow';
}

/** A look that comes later than so many pauses between reads is too late to vouch for the same boot. */
const GAP_READS = 3;
const ENDED = 'this boot of the bot has ended';
const GONE_FLAT = 'this boot of the bot was already drained flat, and has ended';
const STOP: readonly DrainEffect[] = [
  { type: 'stop-closing' },
  { type: 'stop-reading' },
  { type: 'stop-proving' },
];
const NAMES: Readonly<Record<Outside, string>> = { sql: 'FLAT_CHECK_SQL', exchange: 'FLAT_CHECK_URL' };
const called = (source: Outside): string => NAMES[source];
const agreed = (source: Outside): string => `${called(source)} says 0`;
const total = (counts: Counts): number => counts.open + counts.pending;
const nothing = (counts: Counts): boolean => total(counts) === 0;
const left = (counts: Counts): string =>
  `${counts.open} open position(s) and ${counts.pending} pending order(s) are left`;
const unaccounted = ({ boot, open, nowOpen }: Vanished): string =>
  `boot ${boot} ended with ${open} open position(s) and the next one reports ${nowOpen}, without a close in between: ` +
  'look at the exchange, then acknowledge it, or set FLAT_CHECK_SQL or FLAT_CHECK_URL';

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
