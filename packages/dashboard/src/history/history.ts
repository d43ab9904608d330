import type { Receipt } from '../watch/answers.ts';
import type { BotView } from '../watch/bots.ts';
import { changesBetween, type LastTold, type TimelineEvent } from '../watch/changes.ts';
import { isAcknowledged } from '../watch/drains.ts';
import { type Cell, levelOf, levelOfTone, merged, type Sighting, type Strip, seen } from './strip.ts';

/** A minute of one thing, complete, for keeping. */
export interface Minute extends Cell {
  readonly bot: string;
  /** The probe; empty for the verdict on the bot. */
  readonly subject: string;
}

/**
 * When a person last looked at the exchange, as the sidecar told it. It is kept with the drains: those are remembered
 * for longer than the sidecar tells them, and also while the sidecar cannot be asked.
 */
export interface Looked {
  readonly bot: string;
  /** Milliseconds since 1970, by the clock of the sidecar. */
  readonly at: number;
}

/** What is to be kept for longer than this process. */
export type Keepsake =
  | { readonly kind: 'minute'; readonly minute: Minute }
  | { readonly kind: 'event'; readonly event: TimelineEvent }
  | { readonly kind: 'drain'; readonly bot: string; readonly receipt: Receipt }
  | { readonly kind: 'looked'; readonly looked: Looked };

/** What an earlier process kept. */
export interface Past {
  readonly minutes: readonly Minute[];
  /** Spans of {@link DAY_SPAN_MS}, of verdicts. */
  readonly quarters: readonly Minute[];
  readonly events: readonly TimelineEvent[];
  readonly drains: ReadonlyArray<{ readonly bot: string; readonly receipt: Receipt }>;
  readonly looked: readonly Looked[];
}

/** What happened, in memory and bounded: pages are answered from here and never from a database. */
export interface History {
  /** Takes in a bot as it is now. `sampled`: its checks are results of this moment, and not of an earlier one. */
  readonly observe: (view: BotView, sampled: boolean) => readonly TimelineEvent[];
  /** The last hour by minutes, of one probe of a bot; of the verdict when `subject` is empty. */
  readonly hour: (bot: string, subject: string) => Strip;
  /** The last day by quarters of an hour, of the verdict on a bot. */
  readonly day: (bot: string) => Strip;
  /** Newest first. */
  readonly events: (bot: string) => readonly TimelineEvent[];
  /** The newest failure of one probe that is remembered. */
  readonly lastError: (bot: string, subject: string) => TimelineEvent | undefined;
  /** Drains that the sidecar no longer tells of are remembered here. Newest first. */
  readonly drains: (bot: string) => readonly Receipt[];
  /** When a person last looked at the exchange of this bot, as its sidecar told it; null where it told of none. */
  readonly lookedAt: (bot: string) => number | null;
  /** Puts in what an earlier process kept. */
  readonly recall: (past: Past) => void;
  /** Hands over the minutes that are not complete yet: for the end of the process. */
  readonly flush: () => void;
}

/** One cell of the hour strip, in milliseconds. */
export const HOUR_SPAN_MS = 60_000;
/** Cells of the hour strip. */
export const HOUR_CELLS = 60;
/** One cell of the day strip, in milliseconds. */
export const DAY_SPAN_MS = 15 * 60_000;
/** Cells of the day strip. */
export const DAY_CELLS = 96;
const EVENTS_KEPT = 200;
const DRAINS_KEPT = 100;
/** Of those that ended badly and that nobody has acknowledged: they go last. */
export const ALARMS_KEPT = 200;
const SUBJECTS_KEPT = 60;

interface BotPast {
  view: BotView | null;
  told: LastTold;
  readonly hours: Map<string, Strip>;
  day: Strip;
  events: TimelineEvent[];
  readonly errors: Map<string, TimelineEvent>;
  drains: Receipt[];
  lookedAt: number | null;
}

/** Begins with nothing. `keep` is given what should outlive the process; it must not throw and not wait. */
export function createHistory(
  bots: readonly string[],
  keep: (keepsake: Keepsake) => void,
  now: () => number = Date.now,
): History {
  const pasts = new Map(bots.map((bot) => [bot, emptyPast()]));
  const of = (bot: string): BotPast => pasts.get(bot) ?? emptyPast();

  const addEvents = (past: BotPast, events: readonly TimelineEvent[]): readonly TimelineEvent[] => {
    if (events.length === 0) return events;
    const known = new Set(past.events.map(({ key }) => key));
    const fresh = events.filter(({ key }) => !known.has(key));
    if (fresh.length === 0) return fresh;
    past.events = [...past.events, ...fresh].sort((one, other) => other.at - one.at).slice(0, EVENTS_KEPT);
    for (const event of fresh) {
      if (event.kind !== 'probe' || (event.tone !== 'bad' && event.tone !== 'caution')) continue;
      const last = past.errors.get(event.subject);
      if ((last?.at ?? 0) <= event.at && past.errors.size < SUBJECTS_KEPT)
        past.errors.set(event.subject, event);
    }
    return fresh;
  };

  const addDrain = (past: BotPast, receipt: Receipt): boolean => {
    const known = past.drains.find(({ id }) => id === receipt.id);
    if (known !== undefined && (known.state === receipt.state || receipt.state === 'started')) return false;
    past.drains = [receipt, ...past.drains.filter(({ id }) => id !== receipt.id)].sort(
      (one, other) => (other.startedAt ?? 0) - (one.startedAt ?? 0),
    );
    const alarming = new Set(past.drains.filter((one) => isOpenEnd(past, one)).slice(0, ALARMS_KEPT));
    past.drains = past.drains.filter((one, place) => place < DRAINS_KEPT || alarming.has(one));
    return true;
  };

  const sample = (bot: string, past: BotPast, subject: string, sighting: Sighting): void => {
    const before = past.hours.get(subject) ?? { spanMs: HOUR_SPAN_MS, cells: [] };
    // A sidecar that makes up new names all the time fills no memory.
    if (!past.hours.has(subject) && past.hours.size >= SUBJECTS_KEPT) return;
    const after = seen(before, sighting, HOUR_CELLS);
    past.hours.set(subject, after);
    const complete = before.cells.at(-1);
    if (complete !== undefined && after.cells.at(-1)?.at !== complete.at)
      keep({ kind: 'minute', minute: { bot, subject, ...complete } });
  };

  return {
    observe(view, sampled) {
      const past = of(view.name);
      const at = now();
      const events = addEvents(past, changesBetween(past.view, view, past.told, at));
      const answered = view.report !== past.view?.report;
      past.view = view;
      const { instance, trading } = view.report?.bot ?? past.told;
      past.told = {
        boot: view.report?.heal.boot ?? past.told.boot,
        instance: instance ?? past.told.instance,
        trading: trading ?? past.told.trading,
      };
      const looked = view.report?.acknowledgedAt ?? null;
      if (looked !== null && looked !== past.lookedAt) {
        past.lookedAt = looked;
        keep({ kind: 'looked', looked: { bot: view.name, at: looked } });
      }
      for (const event of events) keep({ kind: 'event', event });
      for (const { receipt } of view.drains ?? []) {
        if (addDrain(past, receipt)) keep({ kind: 'drain', bot: view.name, receipt });
      }
      if (!sampled) return events;
      // A look without an answer says nothing about the bot, and is no second sight of what was told before.
      const tone = answered || !view.inTouch ? view.verdict.tone : 'unknown';
      const verdict: Sighting = { at, level: levelOfTone(tone), responseMs: null };
      sample(view.name, past, '', verdict);
      past.day = seen(past.day, verdict, DAY_CELLS);
      if (!view.inTouch || !answered) return events;
      for (const check of view.report?.checks ?? []) {
        const { name, state, responseMs } = check;
        sample(view.name, past, name, { at, level: levelOf(state), responseMs });
      }
      return events;
    },
    hour: (bot, subject) => of(bot).hours.get(subject) ?? { spanMs: HOUR_SPAN_MS, cells: [] },
    day: (bot) => of(bot).day,
    events: (bot) => of(bot).events,
    lastError: (bot, subject) => of(bot).errors.get(subject),
    drains: (bot) => of(bot).drains,
    lookedAt: (bot) => of(bot).lookedAt,
    recall({ minutes, quarters, events, drains, looked }) {
      for (const [bot, mine] of Map.groupBy(minutes, (minute) => minute.bot)) {
        const past = pasts.get(bot);
        if (past === undefined) continue;
        for (const [subject, cells] of Map.groupBy(mine, (minute) => minute.subject)) {
          const strip = past.hours.get(subject) ?? { spanMs: HOUR_SPAN_MS, cells: [] };
          if (past.hours.has(subject) || past.hours.size < SUBJECTS_KEPT)
            past.hours.set(subject, merged(strip, cells.map(toCell), HOUR_CELLS));
        }
      }
      for (const quarter of quarters) {
        const past = pasts.get(quarter.bot);
        if (past !== undefined) past.day = merged(past.day, [toCell(quarter)], DAY_CELLS);
      }
      for (const event of events) {
        const past = pasts.get(event.bot);
        if (past !== undefined) addEvents(past, [event]);
      }
      for (const { bot, at } of looked) {
        const past = pasts.get(bot);
        // What its sidecar has told meanwhile is newer.
        if (past !== undefined) past.lookedAt ??= at;
      }
      for (const { bot, receipt } of drains) {
        const past = pasts.get(bot);
        if (past !== undefined) addDrain(past, receipt);
      }
    },
    flush() {
      for (const [bot, past] of pasts) {
        for (const [subject, strip] of past.hours) {
          const cell = strip.cells.at(-1);
          if (cell !== undefined) keep({ kind: 'minute', minute: { bot, subject, ...cell } });
        }
      }
    },
  };
}

/** Positions may be open after it, and nobody has looked since. */
function isOpenEnd({ lookedAt }: BotPast, receipt: Receipt): boolean {
  const { state } = receipt;
  return state !== 'flat' && state !== 'nothing_to_do' && !isAcknowledged(receipt, lookedAt);
}

function emptyPast(): BotPast {
  return {
    view: null,
    told: { boot: null, instance: null, trading: null },
    hours: new Map(),
    day: { spanMs: DAY_SPAN_MS, cells: [] },
    events: [],
    errors: new Map(),
    drains: [],
    lookedAt: null,
  };
}

function toCell({ at, worst, runs, timed, totalMs }: Minute): Cell {
  return { at, worst, runs, timed, totalMs };
}
