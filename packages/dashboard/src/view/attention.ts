import { type SeenDrain, type Waiting, waitingFor } from '../history/attention.ts';
import type { History } from '../history/history.ts';
import type { BotView } from '../watch/bots.ts';
import { leftBy, vanishedWords } from '../watch/changes.ts';
import type { Tone } from '../watch/verdict.ts';
import { type Html, html, nothing } from './html.ts';
import { badge, counted, moment } from './words.ts';

/** The id of the part of the page that stands on top. */
export const ATTENTION = 'attention';

const RANK: Readonly<Record<Tone, number>> = { good: 0, busy: 1, caution: 2, unknown: 3, bad: 4 };
const NAMED = 12;
/** Of one bot; the rest is counted. */
const DRAINS_SHOWN = 10;

/** What a person should look at first: what may have left something open, then the bots that are not healthy. */
export function attention(views: readonly BotView[], history: History): Html {
  const waiting = views.flatMap((view) => {
    const found = waitingFor(view, history);
    return found === null ? [] : [{ view, found }];
  });
  const ill = views
    .filter(({ verdict }) => verdict.tone !== 'good')
    .sort((one, other) => RANK[other.verdict.tone] - RANK[one.verdict.tone]);
  const title = titleOf(
    views.length,
    ill.length,
    waiting.map(({ found }) => found),
  );
  return html`<section id="${ATTENTION}" aria-label="At a glance" data-title="${title}">
${waiting.map(({ view, found }) => alarm(view, found))}
<p class="sum">${sentence(views.length, ill)}</p>
${
  ill.length === 0 || views.length === 1
    ? nothing
    : html`<ul class="ill">${ill
        .slice(0, NAMED)
        .map(
          ({ name, verdict }) =>
            html`<li><a href="#bot-${name}">${name}</a> ${badge(verdict.tone, verdict.word)}</li>`,
        )}${ill.length > NAMED ? html`<li>and ${ill.length - NAMED} more</li>` : nothing}</ul>`
}
</section>`;
}

function sentence(count: number, ill: readonly BotView[]): Html {
  const [worst] = ill;
  if (worst === undefined)
    return badge('good', count === 1 ? 'The bot is healthy' : `All ${count} bots are healthy`);
  if (count === 1) return badge(worst.verdict.tone, `${worst.name}: ${worst.verdict.word}`);
  return badge(worst.verdict.tone, `${count - ill.length} of ${count} bots healthy`);
}

function titleOf(count: number, ill: number, waiting: readonly Waiting[]): string {
  if (waiting.some(mayBeOpen)) return 'NOT FLAT';
  if (waiting.length > 0) return 'needs a person';
  return ill === 0 ? 'all healthy' : `${count - ill} of ${count} healthy`;
}

const mayBeOpen = ({ drains, vanished }: Waiting): boolean => drains.length > 0 || vanished !== null;

/** Everything of one bot that waits for a person, with the one button that ends it. */
function alarm({ name, hasToken, inTouch, heardAt }: BotView, waiting: Waiting): Html {
  const { drains, vanished, capped } = waiting;
  const more = drains.length - DRAINS_SHOWN;
  const heading = `alarm-${name}`;
  return html`<article class="alarm" aria-labelledby="${heading}">
<h2 id="${heading}">${name}: ${mayBeOpen(waiting) ? 'positions may be open' : 'restarts have stopped'}</h2>
<ul>
${drains.slice(0, DRAINS_SHOWN).map(aboutDrain)}
${more > 0 ? html`<li>and ${counted(more, 'more drain')} like that</li>` : nothing}
${
  vanished === null
    ? nothing
    : html`<li>${counted(vanished.open - vanished.nowOpen, 'position')} vanished: ${vanishedWords(vanished)}. Until this is acknowledged, no drain is flat by the bot’s word alone.</li>`
}
${capped ? html`<li>The bot was restarted as often as HEAL_MAX_PER_HOUR allows and is still ill. It is not restarted again until it was ready once, or until you press the button.</li>` : nothing}
</ul>
${inTouch ? nothing : html`<p class="small">The sidecar does not answer; it was last heard ${moment(heardAt, 'never')}.</p>`}
${
  hasToken
    ? html`<p class="actions"><a class="button" href="/bots/${name}/acknowledge">I have looked at the exchange…</a></p>`
    : html`<p>Look at the exchange. Then call <code>POST /acknowledge</code> at the sidecar, or set DRAIN_TOKEN here to do it from this page.</p>`
}
</article>`;
}

function aboutDrain({ receipt, outcome }: SeenDrain): Html {
  const what =
    outcome === 'cut_off'
      ? 'was cut off before its end'
      : outcome === 'not_flat'
        ? 'ended NOT FLAT'
        : outcome === 'abandoned'
          ? 'was abandoned'
          : 'ended in a way that is not known';
  return html`<li>The drain of ${moment(receipt.startedAt)} (${receipt.trigger}) ${what}: ${leftBy(receipt)} left.
${receipt.reason === '' ? nothing : html`<span class="small">${receipt.reason}</span>`}</li>`;
}
