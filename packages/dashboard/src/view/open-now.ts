import type { OpenItem, OpenNow } from '../watch/answers.ts';
import type { BotView } from '../watch/bots.ts';
import { type Html, html, nothing } from './html.ts';
import { counted, moment } from './words.ts';

/** Named in a sentence; the rest is counted. */
const NAMED = 5;

/** What is open, item by item; nothing where only the counts are known, or nothing is open. */
export function openTable({ report, inTouch, name }: BotView): Html {
  const now = report?.positions ?? null;
  const rows = [...rowsOf('Position', now?.positions ?? null), ...rowsOf('Order', now?.orders ?? null)];
  if (now === null || rows.length === 0) return nothing;
  const more = [rest(now.open, now.positions, 'position'), rest(now.pending, now.orders, 'order')].filter(
    (text) => text !== '',
  );
  return html`<table class="open${inTouch ? '' : ' stale'}" aria-label="What is open at ${name}">
<thead><tr><th scope="col">Open</th><th scope="col">Symbol</th><th scope="col">Side</th><th scope="col">Size</th></tr></thead>
<tbody>${rows}</tbody></table>
${more.length === 0 ? nothing : html`<p class="small">and ${more.join(' and ')}</p>`}`;
}

/** What is open, as a sentence before something is done about it. */
export function openSentence({ report, inTouch, heardAt }: BotView): Html {
  const now = report?.positions ?? null;
  const are = inTouch ? 'are' : 'were';
  const known =
    now === null
      ? html`What is open is not known.`
      : html`${counted(now.open, 'position')}${named(now.positions)} and ${counted(now.pending, 'order')}${named(now.orders)} ${are} open.`;
  return inTouch
    ? known
    : html`${known} <strong>The sidecar does not answer; it was last heard ${moment(heardAt, 'never')}.</strong>`;
}

function rowsOf(kind: string, items: readonly OpenItem[] | null): Html[] {
  return (items ?? []).map(
    ({ symbol, side, size }) =>
      html`<tr><td>${kind}</td><td>${symbol ?? 'not told'}</td><td>${side ?? 'not told'}</td><td class="size">${size ?? 'not told'}</td></tr>`,
  );
}

/** Those that are not listed, as `3 more positions`; empty where all are. */
function rest(count: OpenNow['open'], items: readonly OpenItem[] | null, noun: string): string {
  const more = items === null ? count : count - items.length;
  return more > 0 ? counted(more, items === null ? noun : `more ${noun}`) : '';
}

function named(items: readonly OpenItem[] | null): string {
  if (items === null || items.length === 0) return '';
  const told = items
    .slice(0, NAMED)
    .map(({ symbol, side, size }) =>
      [symbol ?? 'unknown symbol', side, size].filter((part) => part !== null).join(' '),
    );
  return ` (${told.join(', ')}${items.length > NAMED ? ', …' : ''})`;
}
