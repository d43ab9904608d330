/** How healing behaves. Times in milliseconds. */
export interface HealRules {
  /** How long a new boot may take to load. */
  readonly startupGraceMs: number;
  /** After a verdict, no other for this long. */
  readonly cooldownMs: number;
  /** Verdicts in an hour. */
  readonly maxPerHour: number;
}

/** Why a restart is asked for. */
export type HealReason = 'api' | 'tick' | 'models' | 'database' | 'drained';

/** What the probes know of the bot at one moment. */
export interface Facts {
  /**
   * `answers`: its last run passed. `gone`: nothing is there to talk to, so that a new boot may be on its way.
   * `fails`: something is there and has not answered well past its threshold. `unknown`: none of these yet.
   */
  readonly api: 'answers' | 'gone' | 'fails' | 'unknown';
  /** The boot that answered last; null where the bot does not say. */
  readonly instance: string | null;
  /** Every critical probe passes. */
  readonly ready: boolean;
  /** The last tick is too old, past the threshold, and the bot is not halted. */
  readonly tickStale: boolean;
  /** The models are not loaded, past the threshold. */
  readonly modelsMissing: boolean;
  /** The bot says `disconnected`, past the threshold, while the sidecar's own connection works. */
  readonly databaseLost: boolean;
  /** A drain runs, or maintenance: nothing may be restarted. */
  readonly held: boolean;
}

/** A request for one restart of the bot. While it stands, `/livez` answers 503. */
export interface Verdict {
  readonly reason: HealReason;
  /** In words. */
  readonly because: string;
  /** Elapsed milliseconds. */
  readonly at: number;
  readonly instance: string | null;
}

/** What healing remembers. Times are elapsed milliseconds. */
export interface HealState {
  readonly instance: string | null;
  /** When this boot, or the wait for the next one, began. */
  readonly bootAt: number;
  /** This boot was ready once. */
  readonly reached: boolean;
  /** Nothing was there at the last look. */
  readonly gone: boolean;
  readonly verdict: Verdict | null;
  readonly cooldownUntil: number;
  /** Verdicts of the last hour. */
  readonly heals: readonly number[];
  /** A restart is needed and the cap forbids it; in words. */
  readonly capped: string | null;
  /** A boot that an earlier sidecar left halted, to be restarted once. */
  readonly halted: string | null;
}

/**
 * A verdict stands no longer than this, in milliseconds, when nothing shows that it was carried out. Long enough for
 * three looks ten seconds apart (a Kubernetes liveness probe), and for a process that ignores SIGTERM to be killed.
 */
export const VERDICT_STANDS_MS = 45_000;

const HOUR_MS = 3_600_000;

/** Nothing known yet: the bot may be starting beside us. `halted` names a boot that an earlier sidecar drained on its own signal. */
export function beginHealing(at: number, halted: string | null = null): HealState {
  return {
    instance: null,
    bootAt: at,
    reached: false,
    gone: false,
    verdict: null,
    cooldownUntil: Number.NEGATIVE_INFINITY,
    heals: [],
    capped: null,
    halted,
  };
}

/** The state after one more look. A verdict is one heal; it is new when the state before had none. */
export function heal(before: HealState, facts: Facts, at: number, rules: HealRules): HealState {
  const state = settle(follow(before, facts, at), before, facts, at, rules);
  const heals = state.heals.filter((time) => at - time < HOUR_MS);
  if (state.verdict !== null) return { ...state, heals, capped: null };
  const found = facts.held ? null : need(state, facts, at, rules);
  if (found === null) return { ...state, heals, capped: null };
  if (at < state.cooldownUntil) return { ...state, heals };
  if (heals.length >= rules.maxPerHour) {
    return {
      ...state,
      heals,
      capped: `${found.because}; ${heals.length} restarts in the last hour did not help`,
    };
  }
  return {
    ...state,
    heals: [...heals, at],
    capped: null,
    halted: null,
    verdict: { ...found, at, instance: state.instance },
  };
}

/** Which boot we are looking at. */
function follow(state: HealState, facts: Facts, at: number): HealState {
  if (facts.api === 'gone') {
    // The grace of the next boot begins when the last one went; it is not begun again while nothing answers.
    return state.gone ? state : { ...state, gone: true, bootAt: at, reached: false };
  }
  if (facts.api !== 'answers') return state;
  const first = state.instance === null && !state.gone;
  const other = state.gone || (facts.instance !== state.instance && !first);
  return {
    ...state,
    gone: false,
    instance: facts.instance,
    bootAt: other ? at : state.bootAt,
    // At the first look at a boot, what makes ready is still known of the boot before.
    reached: !other && (state.reached || facts.ready),
    halted: facts.instance === state.halted ? state.halted : null,
  };
}

/** Ends a verdict that was carried out, or that nothing asks for any more, or that nobody heeded. */
function settle(state: HealState, before: HealState, facts: Facts, at: number, rules: HealRules): HealState {
  const { verdict } = state;
  if (verdict === null) return state;
  const another = facts.api === 'answers' && (facts.instance !== verdict.instance || before.gone);
  const went = facts.api === 'gone' && !before.gone;
  const recovered = facts.ready && verdict.reason !== 'drained';
  if (!another && !went && !recovered && !facts.held && at - verdict.at < VERDICT_STANDS_MS) return state;
  const over = { ...state, verdict: null, cooldownUntil: at + rules.cooldownMs };
  // A bot that does not name its boots may have been restarted unseen: the next one has to be let load.
  return state.instance === null ? { ...over, bootAt: at, reached: facts.ready } : over;
}

function need(
  state: HealState,
  facts: Facts,
  at: number,
  rules: HealRules,
): { reason: HealReason; because: string } | null {
  if (state.halted !== null && facts.api === 'answers' && facts.instance === state.halted) {
    return {
      reason: 'drained',
      because: 'this boot of the bot was drained for a stop of the sidecar and is still halted',
    };
  }
  if (!state.reached && at - state.bootAt < rules.startupGraceMs) return null;
  if (facts.api === 'fails') return { reason: 'api', because: "the bot's API does not answer as it should" };
  if (facts.api === 'gone') {
    return {
      reason: 'api',
      because: 'nothing has answered at the address of the bot for longer than STARTUP_GRACE',
    };
  }
  if (facts.tickStale) return { reason: 'tick', because: 'the trading loop hangs: its last tick is too old' };
  if (facts.modelsMissing) return { reason: 'models', because: 'the models are not loaded' };
  if (facts.databaseLost) {
    return {
      reason: 'database',
      because: 'the bot says that its database is disconnected while the database answers the sidecar',
    };
  }
  return null;
}
