import type { CheckState, Proof } from '../watch/answers.ts';
import type { DrainOutcome } from '../watch/drains.ts';
import type { Tone } from '../watch/verdict.ts';
import { type Html, html } from './html.ts';

/** Shapes differ as well as colours, for those who see no difference between the colours. */
const SHAPES: Readonly<Record<Tone, Html>> = {
  good: html`<path d="M3.5 8.5l3 3 6-7" fill="none" stroke="currentColor" stroke-width="2.2"/>`,
  busy: html`<path d="M8 3v5l3.5 2" fill="none" stroke="currentColor" stroke-width="2.2"/>`,
  caution: html`<path d="M8 3v6.5M8 11.8v1.7" fill="none" stroke="currentColor" stroke-width="2.2"/>`,
  bad: html`<path d="M4 4l8 8M12 4l-8 8" fill="none" stroke="currentColor" stroke-width="2.2"/>`,
  unknown: html`<path d="M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.6M8 11.8v1.7" fill="none" stroke="currentColor" stroke-width="2"/>`,
};

/** The sign of a tone; what it means stands in words beside it. */
export function sign(tone: Tone): Html {
  return html`<svg class="sign" viewBox="0 0 16 16" aria-hidden="true">${SHAPES[tone]}</svg>`;
}

/** A word with its sign, in the colour of its tone. */
export function badge(tone: Tone, word: string): Html {
  return html`<span class="badge ${tone}">${sign(tone)}${word}</span>`;
}

/** A moment; the page says how long ago that is, and this text is what it is without a script. */
export function moment(at: number | null, otherwise = 'unknown'): Html {
  if (at === null) return html`${otherwise}`;
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${iso.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time>`;
}

/** How long something has lasted, told in the same way. */
export function lasting(since: number | null): Html {
  if (since === null) return html`for an unknown time`;
  const iso = new Date(since).toISOString();
  return html`<time datetime="${iso}" data-lasting>since ${iso.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time>`;
}

/** Milliseconds as a person says them. */
export function span(ms: number): string {
  if (ms < 1) return 'under 1 ms';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** `2 positions`. */
export function counted(count: number | null, noun: string): string {
  return count === null ? `an unknown number of ${noun}s` : `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The state of a probe as a word. */
export const STATE_WORDS: Readonly<Record<CheckState, string>> = {
  pass: 'OK',
  warn: 'Warning',
  fail: 'Failing',
  stale: 'Stale',
  paused: 'Paused',
  unknown: 'Unknown',
};

/** Who said that it is flat, as words. */
export const PROVED_BY: Readonly<Record<Proof, string>> = {
  bot: 'the bot',
  sql: 'the database',
  exchange: 'the exchange',
};

/** The end of a drain as words, and how it looks. */
export const OUTCOMES: Readonly<Record<DrainOutcome, { readonly word: string; readonly tone: Tone }>> = {
  running: { word: 'Running', tone: 'busy' },
  flat: { word: 'Flat', tone: 'good' },
  nothing_to_do: { word: 'Nothing to do', tone: 'good' },
  not_flat: { word: 'NOT FLAT', tone: 'bad' },
  abandoned: { word: 'Abandoned', tone: 'bad' },
  cut_off: { word: 'Cut off', tone: 'bad' },
  unknown: { word: 'Unknown end', tone: 'bad' },
};
