import type { Facts } from './facts.ts';

/** Why a restart is asked for. */
export type HealReason = 'api' | 'tick' | 'models' | 'database' | 'drained';

/** A restart would help, and why. */
export interface Need {
  readonly reason: HealReason;
  /** In words. */
  readonly because: string;
}

/** What the need depends on beside what is seen now. Times in milliseconds. */
export interface NeedContext {
  /** This boot is still within its time to start. */
  readonly starting: boolean;
  /** How long nothing has been there; null when something is. */
  readonly goneForMs: number | null;
  /** The database is down, or came back so lately that the bot may not have noticed. */
  readonly databaseDown: boolean;
  /** The current boot had the lease, and has it no more: its gate is gone, and the whole container with it. */
  readonly leaseEnded: boolean;
  /** This boot was left halted, and is to be restarted once. */
  readonly halted: boolean;
  readonly startupGraceMs: number;
}

/** Whether a restart of the bot would help. What no restart can mend is never a need. */
export function needOf(facts: Facts, context: NeedContext): Need | null {
  const { starting, goneForMs, databaseDown, leaseEnded, halted, startupGraceMs } = context;
  if (halted && facts.api === 'answers') {
    return {
      reason: 'drained',
      because: 'this boot of the bot was drained, and is still halted though no hold stands',
    };
  }
  if (starting || databaseDown) return null;
  if (facts.api === 'fails') return { reason: 'api', because: "the bot's API does not answer as it should" };
  // A bot whose gate is gone too was stopped; it does not hang.
  if (facts.api === 'silent' && !leaseEnded) return { reason: 'api', because: "the bot's API hangs" };
  if (facts.api === 'gone' && !leaseEnded && goneForMs !== null && goneForMs >= startupGraceMs) {
    return {
      reason: 'api',
      because: 'nothing has answered at the address of the bot for longer than STARTUP_GRACE',
    };
  }
  if (facts.loopHangs === 'old')
    return { reason: 'tick', because: 'the trading loop hangs: its last tick is too old' };
  if (facts.loopHangs === 'began')
    return { reason: 'tick', because: 'the trading loop hangs: it has not run once since the bot started' };
  if (facts.modelsMissing) return { reason: 'models', because: 'the models are not loaded' };
  if (facts.databaseLost) {
    return {
      reason: 'database',
      because: 'the bot says that its database is disconnected while the database answers the sidecar',
    };
  }
  return null;
}
