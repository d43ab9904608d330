import { alarms, type SeenDrain } from '../history/attention.ts';
import type { History } from '../history/history.ts';
import type { BotView } from '../watch/bots.ts';
import { leftBy } from '../watch/changes.ts';
import type { Tone } from '../watch/verdict.ts';
import { type Html, html, nothing } from './html.ts';
import { badge, moment } from './words.ts';

/** The id of the part of the page that stands on top. */
export const ATTENTION = 'attention';

const RANK: Readonly<Record<Tone, number>> = { good: 0, busy: 1, caution: 2, unknown: 3, bad: 4 };
const NAMED = 12;
/** Of one bot; the rest is counted. */
const ALARMS_SHOWN = 10;

/** What a person should look at first: drains that left something open, then the bots that are not healthy. */
export function attention(views: readonly BotView[], history: History): Html {
  const open = views.flatMap((view) => {
    const drains = alarms(view, history);
    return drains.length === 0 ? [] : [{ bot: view.name, drains }];
  });
  const ill = views
    .filter(({ verdict }) => verdict.tone !== 'good')
    .sort((one, other) => RANK[other.verdict.tone] - RANK[one.verdict.tone]);
  return html`<section id="${ATTENTION}" aria-label="At a glance" data-title="${titleOf(views.length, ill.length, open.length)}">
${open.map(({ bot, drains }) => drains.slice(0, ALARMS_SHOWN).map((drain) => alarm(bot, drain)))}
${open.map(({ bot, drains }) => (drains.length > ALARMS_SHOWN ? html`<p class="alarm">${bot}: ${drains.length - ALARMS_SHOWN} more drains that nobody has acknowledged</p>` : nothing))}
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

function titleOf(count: number, ill: number, open: number): string {
  if (open > 0) return 'NOT FLAT';
  return ill === 0 ? 'all healthy' : `${count - ill} of ${count} healthy`;
}

function alarm(bot: string, { receipt, outcome }: SeenDrain): Html {
  const what =
    outcome === 'cut_off'
      ? 'was cut off, and nothing tells its end'
      : outcome === 'not_flat'
        ? 'ended NOT FLAT'
        : outcome === 'abandoned'
          ? 'was abandoned'
          : 'ended in a way that is not known';
  const heading = `alarm-${bot}-${receipt.id}`;
  return html`<article class="alarm" aria-labelledby="${heading}">
<h2 id="${heading}">${bot}: positions may be open</h2>
<p>The drain of ${moment(receipt.startedAt)} (${receipt.trigger}) ${what}: ${leftBy(receipt)} left. Look at the exchange.</p>
${receipt.reason === '' ? nothing : html`<p class="small">${receipt.reason}</p>`}
<form method="post" action="/bots/${bot}/drains/${encodeURIComponent(receipt.id)}/acknowledge"><button>I have looked at the exchange: acknowledge</button></form>
</article>`;
}
