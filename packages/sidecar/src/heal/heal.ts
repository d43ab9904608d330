import { type Boot, followBoot, isNamed, nameOf } from './boot.ts';
import { capOf, withinTheHour } from './cap.ts';
import { cooldownOf } from './cooldown.ts';
import { type Crashes, countCrashes, NO_CRASHES } from './crash-loop.ts';
import type { Facts } from './facts.ts';
import { type HealReason, type Need, needOf } from './need.ts';

/** How healing behaves. Times in milliseconds. */
export interface HealRules {
  /** How long a new boot may take to load. */
  readonly startupGraceMs: number;
  /** After a verdict, no other for this long; see {@link cooldownOf}. */
  readonly cooldownMs: number;
  /** Restarts in an hour. */
  readonly maxPerHour: number;
}

/** A request for one restart of the bot. While it stands, `/livez` answers 503. */
export interface Verdict extends Need {
  /** Elapsed milliseconds. */
  readonly at: number;
  /** The id of the boot that is meant; null where it is not known. */
  readonly boot: string | null;
}

/** What healing remembers. Times are elapsed milliseconds. */
export interface HealState {
  /** The current boot of the bot; null before the first was seen. */
  readonly boot: Boot | null;
  /** When this boot began, or first answered. */
  readonly bootAt: number;
  /** This boot was ready once. */
  readonly reached: boolean;
  /** Since when nothing is there; null when something is. */
  readonly goneSince: number | null;
  /** Boots that were seen to follow another one. */
  readonly boots: { readonly asked: number; readonly unasked: number };
  readonly crashes: Crashes;
  /** The database: whether it was ever seen up, whether it is down, and when it last came back. */
  readonly database: { readonly proven: boolean; readonly down: boolean; readonly backAt: number };
  readonly verdict: Verdict | null;
  /** The last verdict, when it no longer stands and the boot that follows it has not come. */
  readonly awaited: { readonly at: number; readonly reason: HealReason } | null;
  /** A restart was asked for that is still needed, and no boot has followed, whether or not a verdict stands just now. */
  readonly pending: boolean;
  readonly cooldownUntil: number;
  /** Restarts in a row after which the bot did not become ready. */
  readonly fruitless: number;
  /** Restarts of the last hour: verdicts that a boot followed. */
  readonly heals: readonly number[];
  /** A restart is needed and the cap forbids it; in words. Stays until the bot was ready once, or a person says so. */
  readonly capped: string | null;
  /** Nobody carries out verdicts. */
  readonly unheeded: boolean;
  /** A boot that was left halted, to be restarted once, by its gate's name or its own. */
  readonly halted: string | null;
}

/**
 * A verdict stands no longer than this, in milliseconds, when nothing shows that it was carried out. Long enough for
 * three looks ten seconds apart (a Kubernetes liveness probe), and for a process that ignores SIGTERM to be killed.
 */
export const VERDICT_STANDS_MS = 45_000;

/** A verdict that has stood for so long, in milliseconds, with nobody there to see it, is carried out by nobody. */
export const UNHEEDED_AFTER_MS = 10_000;

/** What a restart may take on top of STARTUP_GRACE until the next boot is seen, in milliseconds: Docker waits up to a minute. */
const RESTART_MS = VERDICT_STANDS_MS + 60_000;

/** Nothing known yet: the bot may be starting beside us. */
export function beginHealing(at: number): HealState {
  return {
    boot: null,
    bootAt: at,
    reached: false,
    goneSince: null,
    boots: { asked: 0, unasked: 0 },
    crashes: NO_CRASHES,
    database: { proven: false, down: false, backAt: Number.NEGATIVE_INFINITY },
    verdict: null,
    awaited: null,
    pending: false,
    cooldownUntil: Number.NEGATIVE_INFINITY,
    fruitless: 0,
    heals: [],
    capped: null,
    unheeded: false,
    halted: null,
  };
}

/** The state after one more look. A verdict is one heal; it is new when the state before had none. */
export function heal(before: HealState, facts: Facts, at: number, rules: HealRules): HealState {
  const { state: followed, another } = follow(withoutTheOld(before, at, rules), facts, at);
  const settled = another
    ? restarted(followed, facts, at, rules)
    : ready(settle(followed, before, facts, at, rules), facts);
  const state = heeded(withDatabase(settled, facts, at), facts, at);
  return state.verdict === null ? ask(state, facts, at, rules) : state;
}

/** A person says that it may be tried again: the latch is off, and nothing that was counted counts any more. */
export function acknowledge(state: HealState): HealState {
  return { ...state, capped: null, heals: [], fruitless: 0, cooldownUntil: Number.NEGATIVE_INFINITY };
}

/** Which boot we are looking at. */
function follow(state: HealState, facts: Facts, at: number): { state: HealState; another: boolean } {
  const gone = facts.api === 'gone' || facts.api === 'unnamed';
  // One that answers that it is ill says which boot it is, too.
  const answers = facts.api === 'answers' || facts.instance !== null;
  const { boot, another } = followBoot(state.boot, {
    lease: facts.lease,
    instance: answers ? facts.instance : undefined,
    wasGone: state.goneSince !== null,
    // While a verdict stands, a gate that was not there before must not find its own boot condemned.
    mayBeTheSame: state.verdict === null,
  });
  const firstAnswer = boot?.answered === true && state.boot?.answered !== true;
  const began = another || firstAnswer;
  return {
    another,
    state: {
      ...state,
      boot,
      bootAt: began ? at : state.bootAt,
      reached: state.reached && !another,
      goneSince: gone ? (another ? at : (state.goneSince ?? at)) : answers ? null : state.goneSince,
      halted: answers && state.halted !== null && !isNamed(boot, state.halted) ? null : state.halted,
    },
  };
}

/** Another boot is there: it carries out the verdict, if there was one, and has everything before it. */
function restarted(state: HealState, facts: Facts, at: number, rules: HealRules): HealState {
  const healed = state.verdict !== null || state.awaited !== null;
  const asked = healed || facts.drained;
  const { boots } = state;
  const counted: HealState = {
    ...state,
    boots: asked ? { ...boots, asked: boots.asked + 1 } : { ...boots, unasked: boots.unasked + 1 },
    crashes: countCrashes(state.crashes, !asked, at),
    verdict: null,
    awaited: null,
    pending: false,
    unheeded: false,
  };
  if (!healed) return counted;
  const fruitless = state.fruitless + 1;
  return {
    ...counted,
    heals: [...state.heals, at],
    fruitless,
    cooldownUntil: at + cooldownOf(rules.cooldownMs, fruitless),
  };
}

/** Ends a verdict that is being carried out, or that nothing asks for any more, or that nobody heeded. */
function settle(state: HealState, before: HealState, facts: Facts, at: number, rules: HealRules): HealState {
  const { verdict, fruitless } = state;
  if (verdict === null) return state;
  const went = state.goneSince !== null && before.goneSince === null;
  const recovered = facts.ready && verdict.reason !== 'drained';
  if (!went && !recovered && !facts.held && at - verdict.at < VERDICT_STANDS_MS) return state;
  const over: HealState = {
    ...state,
    verdict: null,
    awaited: { at: verdict.at, reason: verdict.reason },
    cooldownUntil: at + cooldownOf(rules.cooldownMs, fruitless),
  };
  // A bot that does not name its boots may have been restarted unseen: the next one has to be let load.
  return nameOf(state.boot) === null ? { ...over, bootAt: at, reached: false } : over;
}

/** A boot that is ready has reached what it started for, and lifts what stood against it. */
function ready(state: HealState, facts: Facts): HealState {
  if (!facts.ready || state.boot?.answered !== true) return state;
  // The drain at the cap leaves a bot halted that hangs: that is not what lifts the latch.
  const capped = facts.halted ? state.capped : null;
  return { ...state, reached: true, fruitless: facts.halted ? state.fruitless : 0, capped };
}

/** Forgets what has grown too old to count. */
function withoutTheOld(state: HealState, at: number, rules: HealRules): HealState {
  const { awaited } = state;
  const late = awaited !== null && at - awaited.at > rules.startupGraceMs + RESTART_MS;
  return {
    ...state,
    heals: withinTheHour(state.heals, at),
    crashes: countCrashes(state.crashes, false, at),
    awaited: late ? null : awaited,
  };
}

/** A database counts as down only where it was once seen up: else its address may be wrong, which says nothing of the bot. */
function withDatabase(state: HealState, facts: Facts, at: number): HealState {
  const { proven, down, backAt } = state.database;
  if (facts.database === 'unknown') return state;
  if (facts.database === 'down') return { ...state, database: { proven, down: proven, backAt } };
  return { ...state, database: { proven: true, down: false, backAt: down ? at : backAt } };
}

function heeded(state: HealState, facts: Facts, at: number): HealState {
  if (facts.heeded) return state.unheeded ? { ...state, unheeded: false } : state;
  const { verdict } = state;
  const ignored = verdict !== null && at - verdict.at >= UNHEEDED_AFTER_MS;
  return ignored ? { ...state, unheeded: true } : state;
}

/** Asks for a restart, where one would help and may be asked for. */
function ask(state: HealState, facts: Facts, at: number, rules: HealRules): HealState {
  const { startupGraceMs, cooldownMs, maxPerHour } = rules;
  const need = facts.held
    ? null
    : needOf(facts, {
        starting: !state.reached && at - state.bootAt < startupGraceMs,
        goneForMs: state.goneSince === null ? null : at - state.goneSince,
        // One that has just come back leaves the bot the time of a cool-down to connect again.
        databaseDown: state.database.down || at - state.database.backAt < cooldownMs,
        leaseEnded: state.boot !== null && state.boot.lease !== null && facts.lease === null,
        halted: state.halted !== null && isNamed(state.boot, state.halted),
        startupGraceMs,
      });
  // With a cap of nought nothing was tried, and so nothing has to be lifted.
  if (need === null) return { ...state, pending: false, capped: maxPerHour === 0 ? null : state.capped };
  if (state.capped !== null || at < state.cooldownUntil) return state;
  const why = capOf(state.heals, maxPerHour);
  if (why !== null) return { ...state, capped: `${need.because}; ${why}` };
  return { ...state, halted: null, pending: true, verdict: { ...need, at, boot: nameOf(state.boot) } };
}
