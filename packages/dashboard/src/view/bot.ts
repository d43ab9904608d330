import type { SeenDrain } from '../history/attention.ts';
import { allDrains } from '../history/attention.ts';
import { DAY_CELLS, type History, HOUR_CELLS } from '../history/history.ts';
import { type Check, type DrainView, isGood, type Receipt } from '../watch/answers.ts';
import type { BotView } from '../watch/bots.ts';
import { leftBy, type TimelineEvent, toneOf } from '../watch/changes.ts';
import { isAlarming } from '../watch/drains.ts';
import { type Html, html, nothing } from './html.ts';
import { openTable } from './open-now.ts';
import { averageMs, stripPicture } from './strip.ts';
import { badge, counted, lasting, moment, OUTCOMES, PROVED_BY, STATE_WORDS, sign, span } from './words.ts';

/** How much of a bot is shown. */
export interface BotSectionOptions {
  readonly now: number;
  /** Lines of the timeline, and drains. */
  readonly lines: number;
}

/** Everything about one bot. */
export function botSection(view: BotView, history: History, { now, lines }: BotSectionOptions): Html {
  const { name, report, inTouch, heardAt } = view;
  const id = pieceOf(name);
  return html`<article class="bot" id="${id}" aria-labelledby="${id}-name">
${heading(view)}
${runningDrain(view)}
${onHold(view)}
${undelivered(view)}
${dayStrip(view, history, now)}
${
  inTouch || heardAt === null
    ? nothing
    : html`<p class="old">The sidecar was last heard ${moment(heardAt)}. What follows is what it said then.</p>`
}
${report === null ? nothing : facts(view)}
${openTable(view)}
${
  report === null || report.checks.length === 0
    ? nothing
    : html`<h3 id="${id}-probes">Probes <span class="small">with the last hour, by minutes</span></h3>
<ul class="checks" aria-labelledby="${id}-probes">${report.checks.map((check) => checkItem(view, check, history, now))}</ul>`
}
${drainsPart(view, history, lines)}
${timeline(id, history.events(name), lines)}
</article>`;
}

/** One bot among many: the verdict, and where to read more. */
export function botCard(view: BotView, history: History, now: number): Html {
  const id = pieceOf(view.name);
  return html`<article class="bot card" id="${id}" aria-labelledby="${id}-name">
${heading(view)}
<p class="small">${openNow(view)}</p>
${dayStrip(view, history, now)}
</article>`;
}

/** The id of the part of the page that shows a bot. */
export function pieceOf(name: string): string {
  return `bot-${name}`;
}

function heading({ name, verdict, hasToken }: BotView): Html {
  return html`<header>
<h2 id="${pieceOf(name)}-name"><a href="/bots/${name}">${name}</a></h2>
<p class="verdict ${verdict.tone}">${sign(verdict.tone)}<span class="was">Last known: </span><strong>${verdict.word}</strong></p>
${hasToken ? html`<p class="actions"><a class="button" href="/bots/${name}/drain">Drain now…</a></p>` : nothing}
${verdict.because.length === 0 ? nothing : html`<ul class="because">${verdict.because.map((why) => html`<li>${why}</li>`)}</ul>`}
</header>`;
}

/** A person's drain stands: what that means, and how it ends. */
function onHold({ name, report, hasToken, inTouch }: BotView): Html {
  const hold = report?.hold ?? null;
  if (hold === null) return nothing;
  return html`<section class="hold${inTouch ? '' : ' stale'}"><h3>${inTouch ? 'On hold' : 'Was on hold'}</h3>
<p>Since ${moment(hold.since)}. Reason: ${hold.reason === '' ? 'none given' : hold.reason}.</p>
<p>The bot opens nothing until the hold is lifted, also after a restart of the bot or of its sidecar.</p>
${
  hasToken
    ? html`<p class="actions"><a class="button" href="/bots/${name}/lift">Lift the hold…</a></p>`
    : html`<p>Call <code>DELETE /hold</code> at the sidecar to lift it, or set DRAIN_TOKEN here to do it from this page.</p>`
}</section>`;
}

/** Whoever waits for an alert on the phone should know that none comes. */
function undelivered({ report }: BotView): Html {
  const count = report?.undelivered ?? 0;
  return count === 0
    ? nothing
    : html`<p class="error undelivered">${counted(count, 'alert')} of this bot ${count === 1 ? 'was' : 'were'} not delivered. The sidecar tries again. Look at its log and at its ALERT_ variables.</p>`;
}

function dayStrip({ name }: BotView, history: History, now: number): Html {
  return html`<figure class="day">${stripPicture(history.day(name), {
    cells: DAY_CELLS,
    now,
    what: name,
    unit: 'quarters of an hour',
  })}<figcaption>Last 24 hours</figcaption></figure>`;
}

function openNow({ report, inTouch, heardAt }: BotView): Html {
  const positions = report?.positions ?? null;
  if (positions === null) return html`Open positions: unknown`;
  return html`${inTouch ? nothing : html`Last heard ${moment(heardAt)}, then `}${positions.open} open, ${positions.pending} pending`;
}

function facts({ report, inTouch }: BotView): Html {
  if (report === null) return nothing;
  const { bot, positions, heal } = report;
  const fact = (label: string, value: Html, more: Html = nothing): Html =>
    html`<div><dt>${label}</dt><dd>${value}${more}</dd></div>`;
  const at =
    positions === null || positions.at === null
      ? nothing
      : html` <span class="small">read ${moment(positions.at)}</span>`;
  return html`<dl class="facts${inTouch ? '' : ' stale'}">
${fact('Open positions', html`<b>${positions?.open ?? 'unknown'}</b>`, at)}
${fact('Pending orders', html`<b>${positions?.pending ?? 'unknown'}</b>`)}
${fact('Trading', html`${bot.trading ?? 'not told'}`)}
${fact('Last tick', moment(bot.lastTickAt, 'not told'))}
${fact(
  'Restarts by Botwarden',
  html`${heal.lastHour} in the last hour`,
  heal.capped ? html` <span class="small">no more until a person has looked</span>` : nothing,
)}
${heal.bootsUnasked === null ? nothing : fact('Starts nobody asked for', html`${heal.bootsUnasked} in the last 10 minutes`)}
${fact('This boot', html`<span class="id">${heal.boot ?? bot.instance ?? 'not told'}</span>`)}
${bot.name === null ? nothing : fact('Name in alerts', html`${bot.name}`)}
</dl>`;
}

function checkItem(view: BotView, check: Check, history: History, now: number): Html {
  const { name, state, since, output, code, measured, responseMs, critical } = check;
  const { inTouch } = view;
  const strip = history.hour(view.name, name);
  const average = averageMs(strip);
  const word = inTouch ? STATE_WORDS[state] : `was ${STATE_WORDS[state]}`;
  const error = history.lastError(view.name, name);
  return html`<li class="check${inTouch ? '' : ' stale'}">
<h4>${name}${critical ? nothing : html` <span class="small">not critical</span>`}</h4>
<p class="state">${badge(inTouch ? toneOf(check) : 'unknown', word)} <span class="small">${lasting(since)}</span></p>
<p class="took">${
    responseMs === null
      ? (measured ?? '')
      : html`${span(responseMs)}${average === null ? nothing : html` <span class="small">average ${span(average)}</span>`}`
  }</p>
${stripPicture(strip, { cells: HOUR_CELLS, now, what: name, unit: 'minutes' })}
${
  output === null && (code === null || isGood(state))
    ? error === undefined
      ? nothing
      : html`<p class="error past">Last ${error.tone === 'bad' ? 'error' : 'warning'} ${moment(error.at)}: ${error.text.slice(name.length + 2)}</p>`
    : html`<p class="error">${output}${code === null ? nothing : html` <code>${code}</code>`}</p>`
}
</li>`;
}

function isRunning({ drain, inTouch }: BotView): boolean {
  return inTouch && drain?.state === 'started';
}

/** What is happening right now stands above everything else that is told of the bot. */
function runningDrain(view: BotView): Html {
  if (view.drain === null || !isRunning(view)) return nothing;
  const left = view.drain.remainingMs;
  return html`<section class="running"><h3>Drain running${left === null ? nothing : `, ${span(left)} left`}</h3>${steps(view.drain)}</section>`;
}

function steps(drain: DrainView): Html {
  return html`<ol class="steps">${drain.steps.map(({ at, sentence }) => html`<li>${moment(at)} <span>${sentence}</span></li>`)}</ol>`;
}

function drainsPart(view: BotView, history: History, lines: number): Html {
  const drains = allDrains(view, history);
  const shown = drains.slice(0, lines);
  const last = view.drain === null || view.drain.steps.length === 0 || isRunning(view) ? null : view.drain;
  return html`<h3>Drains</h3>
${view.drainsProblem === null ? nothing : html`<p class="small">Not known: ${view.drainsProblem}.${drains.length === 0 ? '' : ' What was heard before:'}</p>`}
${drains.length > 0 ? html`<ul class="drains">${shown.map(drainItem)}</ul>` : view.drainsProblem === null ? html`<p class="small">${view.drains === null ? 'Not heard yet.' : 'None yet.'}</p>` : nothing}
${drains.length > shown.length ? html`<p class="small"><a href="/bots/${view.name}">${drains.length - shown.length} more</a></p>` : nothing}
${
  last === null
    ? nothing
    : html`<details id="steps-${last.id}"><summary>Steps of the last one</summary>${steps(last)}</details>`
}`;
}

function drainItem({ receipt, outcome, acknowledged }: SeenDrain): Html {
  const { tone, word } = OUTCOMES[outcome];
  const took =
    receipt.durationMs === null || outcome === 'running' ? nothing : html` after ${span(receipt.durationMs)}`;
  const attempts = receipt.attempts === null ? nothing : html`, close call sent ${receipt.attempts}×`;
  return html`<li>${badge(tone, word)} ${moment(receipt.startedAt)}, ${receipt.trigger}${took}${attempts}.
${isAlarming(outcome) ? html`<span>${leftBy(receipt)} left.</span>` : nothing} ${provedBy(receipt)}<span class="small">${receipt.reason}</span>
${isAlarming(outcome) && acknowledged ? html`<span class="small">Acknowledged.</span>` : nothing}
<span class="small id">drain ${receipt.id}</span>${bootOf(receipt)}</li>`;
}

const PROVERS = new Intl.ListFormat('en-GB', { type: 'conjunction' });

function provedBy({ proof }: Receipt): Html {
  return proof.length === 0
    ? nothing
    : html`<span>Proved flat by ${PROVERS.format(proof.map((one) => PROVED_BY[one]))}.</span> `;
}

function bootOf({ boot, instance }: Receipt): Html {
  const name = boot ?? instance;
  return name === null ? nothing : html`<span class="small id">boot ${name}</span>`;
}

function timeline(id: string, events: readonly TimelineEvent[], lines: number): Html {
  const shown = events.slice(0, lines);
  return html`<h3 id="${id}-timeline">Timeline</h3>
${
  shown.length === 0
    ? html`<p class="small">Nothing has changed since the dashboard started.</p>`
    : html`<ol class="timeline" aria-labelledby="${id}-timeline">${shown.map(
        ({ at, tone, text }) =>
          html`<li class="${tone}">${sign(tone)}${moment(at)} <span>${text}</span></li>`,
      )}</ol>`
}`;
}
