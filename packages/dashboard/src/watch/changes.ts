import { type Check, isGood, type Receipt, type Report } from './answers.ts';
import type { BotView } from './bots.ts';
import type { Drain } from './drains.ts';
import { isAlarming } from './drains.ts';
import type { Tone } from './verdict.ts';

/** One line of the timeline of a bot. */
export interface TimelineEvent {
  readonly bot: string;
  /** Unique for a bot, and the same however often the event is found again. */
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind:
    | 'verdict'
    | 'probe'
    | 'boot'
    | 'trading'
    | 'heal'
    | 'drain'
    | 'touch'
    | 'hold'
    | 'vanished'
    | 'alerts'
    | 'acknowledged';
  /** The probe it is about; empty for the bot itself. */
  readonly subject: string;
  readonly tone: Tone;
  readonly text: string;
}

/** What a bot last told of itself: it tells nothing while it hangs. */
export interface LastTold {
  /** As its gate names it. */
  readonly boot: string | null;
  readonly instance: string | null;
  readonly trading: string | null;
}

/** What is new between two views of one bot. Pure. Without an earlier view nothing is, but for receipts, which have their own time. */
export function changesBetween(
  before: BotView | null,
  after: BotView,
  told: LastTold,
  now: number,
): readonly TimelineEvent[] {
  const found: TimelineEvent[] = [];
  const tell = (kind: TimelineEvent['kind'], tone: Tone, text: string, subject = ''): void => {
    found.push({ bot: after.name, key: `${kind}:${subject}:${now}`, at: now, kind, subject, tone, text });
  };
  for (const drain of after.drains ?? []) {
    const known = before?.drains?.find(({ receipt }) => receipt.id === drain.receipt.id);
    if (known?.outcome !== drain.outcome) found.push(aboutDrain(after.name, drain, now));
  }
  // It has a time of its own, as a receipt has.
  const looked = after.report?.acknowledgedAt ?? null;
  if (looked !== null && looked !== before?.report?.acknowledgedAt)
    found.push(aboutLooking(after.name, looked, now));
  if (before === null) return found;

  const { verdict } = after;
  if (verdict.word !== before.verdict.word) {
    const why = verdict.because[0];
    tell(
      verdict.kind === 'out-of-touch' || before.verdict.kind === 'out-of-touch' ? 'touch' : 'verdict',
      verdict.tone,
      `${before.verdict.word} → ${verdict.word}${why === undefined ? '' : `: ${why}`}`,
    );
  }
  const was = before.report;
  const is = after.report;
  if (was === null || is === null || was === is) return found;
  for (const check of is.checks) {
    const earlier = was.checks.find(({ name }) => name === check.name);
    if (earlier === undefined || earlier.state === check.state) continue;
    tell(
      'probe',
      toneOf(check),
      `${check.name}: ${earlier.state} → ${check.state}${because(check)}`,
      check.name,
    );
  }
  const { instance, trading } = is.bot;
  const { boot } = is.heal;
  const another =
    boot !== null && told.boot !== null
      ? boot !== told.boot
      : instance !== null && told.instance !== null && instance !== told.instance;
  if (another) tell('boot', 'caution', `The bot was restarted; this is boot ${boot ?? instance}`);
  if (trading !== null && told.trading !== null && trading !== told.trading)
    tell('trading', trading === 'halted' ? 'caution' : 'good', `Trading: ${told.trading} → ${trading}`);
  if (was.heal.live && !is.heal.live)
    tell('heal', 'bad', `Restart of the bot asked for: ${is.heal.reason ?? 'no reason given'}`);
  if (!was.heal.capped && is.heal.capped)
    tell('heal', 'bad', 'No further restart is asked for: a person is needed');
  if (was.hold === null && is.hold !== null)
    tell(
      'hold',
      'caution',
      `The bot is on hold: ${is.hold.reason === '' ? 'no reason given' : is.hold.reason}`,
    );
  if (was.hold !== null && is.hold === null) tell('hold', 'good', 'The hold was lifted');
  if (is.vanished !== null && was.vanished?.boot !== is.vanished.boot)
    tell('vanished', 'bad', `Positions vanished: ${vanishedWords(is.vanished)}`);
  if ((was.undelivered ?? 0) === 0 && (is.undelivered ?? 0) > 0)
    tell('alerts', 'bad', 'Alerts of the sidecar are not delivered');
  return found;
}

/** How many positions and orders a receipt leaves, in words. */
export function leftBy({ open, pending }: Receipt): string {
  const say = (value: number | null, noun: string): string =>
    value === null ? `an unknown number of ${noun}s` : `${value} ${noun}${value === 1 ? '' : 's'}`;
  return `${say(open, 'open position')} and ${say(pending, 'pending order')}`;
}

/** Both numbers, and the boot, as a sentence without its end. */
export function vanishedWords({ boot, open, nowOpen }: NonNullable<Report['vanished']>): string {
  return `boot ${boot} ended with ${open} open, the next boot reports ${nowOpen}, and nothing closed them in between`;
}

function aboutLooking(bot: string, looked: number, now: number): TimelineEvent {
  return {
    bot,
    key: `acknowledged:${looked}`,
    at: Math.min(looked, now),
    kind: 'acknowledged',
    subject: '',
    tone: 'unknown',
    text: 'Somebody said that they had looked at the exchange',
  };
}

function aboutDrain(bot: string, { receipt, outcome }: Drain, now: number): TimelineEvent {
  // A clock that is ahead must not keep a line on top for ever.
  const at = Math.min((outcome === 'running' ? receipt.startedAt : receipt.at) ?? now, now);
  const text =
    outcome === 'running'
      ? `Drain began (${receipt.trigger})`
      : outcome === 'flat' || outcome === 'nothing_to_do'
        ? `Drain ended ${outcome === 'flat' ? 'flat' : 'with nothing to do'} (${receipt.trigger})`
        : `Drain ${outcome === 'cut_off' ? 'was cut off' : `ended ${outcome.replace('_', ' ')}`} (${receipt.trigger}): ${leftBy(receipt)} left${receipt.reason === '' ? '' : `; ${receipt.reason}`}`;
  return {
    bot,
    key: `drain:${receipt.id}:${outcome}`,
    at,
    kind: 'drain',
    subject: '',
    tone: outcome === 'running' ? 'busy' : isAlarming(outcome) ? 'bad' : 'good',
    text,
  };
}

/** How the state of a check is shown. */
export function toneOf({ state, critical }: Check): Tone {
  if (state === 'pass') return 'good';
  if (state === 'warn' || (!critical && state === 'fail')) return 'caution';
  return isGood(state) || state === 'unknown' || state === 'paused' ? 'unknown' : 'bad';
}

function because({ output }: Check): string {
  return output === null ? '' : `: ${output}`;
}
