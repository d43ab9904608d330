import type { Counts, DrainEvent, DrainState } from './machine.ts';

/** One step of a drain, as it is logged and shown. */
export interface Told {
  readonly level: 'info' | 'warn' | 'error';
  /** Stable name, for filters. */
  readonly event: string;
  /** For a person who reads this line alone, at three in the morning. */
  readonly sentence: string;
}

/**
 * What to say about a transition; null where nothing new happened, so that four reads a second do not bury the one
 * that matters. `remainingMs` is what is left until the drain gives up.
 */
export function tell(
  before: DrainState,
  event: DrainEvent,
  after: DrainState,
  remainingMs: number,
): Told | null {
  const left = `${seconds(remainingMs)} remain`;
  switch (event.type) {
    case 'attempt-started':
      return info(
        'drain.close',
        `Close call ${after.attempts} is being sent to the bot; ${known(after)}; ${left}.`,
      );
    case 'attempt-failed':
      return event.final
        ? error(
            'drain.close_refused',
            `Close call ${after.attempts} failed and no retry can mend it: ${event.why}; ${left}.`,
          )
        : warn(
            'drain.close_failed',
            `Close call ${after.attempts} failed: ${event.why}; ${
              event.retryInMs === undefined ? 'it will be made again' : `again in ${seconds(event.retryInMs)}`
            }; ${known(after)}; ${left}.`,
          );
    case 'close-answered':
      return info(
        'drain.close_answered',
        `The bot ${event.done ? 'answered' : 'accepted'} close call ${after.attempts}${event.counts === null ? '' : ` and says that ${count(event.counts)} left`}; ${left}.`,
      );
    case 'read':
      return tellRead(before, after, left);
    case 'proved':
      return event.value === 0
        ? info('drain.proven', `${NAMES[event.source]} says 0, too; ${left}.`)
        : warn(
            'drain.not_proven',
            `Nothing seems to be open, but ${NAMES[event.source]} says ${event.value}, not 0; ${left}.`,
          );
    case 'proof-failed':
      return warn('drain.not_proven', `${NAMES[event.source]} gave no number: ${event.why}; ${left}.`);
    case 'boot-began':
    case 'boot-ended':
      return tellBoot(before, event, after, left);
    case 'signal-joined':
      return null;
    case 'deadline':
      return error(
        'drain.out_of_time',
        `The budget is spent and the bot is not proven flat: ${after.reason}.`,
      );
    case 'abandoned':
      return error('drain.abandoned', `The drain is abandoned (${event.why}); ${known(after)}.`);
    case 'alarm-ended':
      return null;
  }
}

function tellBoot(
  before: DrainState,
  event: DrainEvent & { type: 'boot-began' | 'boot-ended' },
  after: DrainState,
  left: string,
): Told | null {
  if (event.type === 'boot-ended') {
    return warn('drain.boot_ended', `Boot ${event.boot} of the bot has ended; ${known(after)}; ${left}.`);
  }
  if (before.boot === null || before.boot === event.boot) return null;
  return warn(
    'drain.bot_restarted',
    `Boot ${event.boot} of the bot has begun in the middle of the drain of boot ${before.boot}; ${known(after)}; ${left}.`,
  );
}

function tellRead(before: DrainState, after: DrainState, left: string): Told | null {
  if (before.instance !== null && after.instance !== before.instance) {
    return warn(
      'drain.bot_restarted',
      `The bot restarted in the middle of the drain: boot ${after.instance} runs now instead of ${before.instance}, ` +
        `and the drain goes on against it; ${known(after)}; ${left}.`,
    );
  }
  if (after.standing === before.standing && after.zeros === before.zeros) return null;
  if (after.zeros > 0) {
    return info(
      'drain.positions',
      `Nothing is open and nothing is pending (read ${after.zeros} of 2); ${left}.`,
    );
  }
  const sentence = `${capital(after.standing)}; ${left}.`;
  if (after.counts === null || !after.readable) return warn('drain.positions_unreadable', sentence);
  return info('drain.positions', sentence);
}

function known(state: DrainState): string {
  if (state.counts === null) return 'what is open is not known yet';
  return `${count(state.counts)} left${state.readable ? '' : ' since it could last be read'}`;
}

function count(counts: Counts): string {
  const open = `${counts.open} position${counts.open === 1 ? '' : 's'}`;
  const pending = `${counts.pending} order${counts.pending === 1 ? '' : 's'}`;
  return `${open} and ${pending} are`;
}

const NAMES = { sql: 'FLAT_CHECK_SQL', exchange: 'FLAT_CHECK_URL' } as const;

/** Milliseconds as a person says them. */
export const seconds = (ms: number): string => `${(Math.max(0, ms) / 1000).toFixed(1)} s`;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const info = (event: string, sentence: string): Told => ({ level: 'info', event, sentence });
const warn = (event: string, sentence: string): Told => ({ level: 'warn', event, sentence });
const error = (event: string, sentence: string): Told => ({ level: 'error', event, sentence });
