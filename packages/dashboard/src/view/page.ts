import type { History } from '../history/history.ts';
import type { BotView } from '../watch/bots.ts';
import { attention } from './attention.ts';
import { botCard, botSection } from './bot.ts';
import { type Html, html, nothing } from './html.ts';
import { moment } from './words.ts';

/** Up to this many bots are shown whole on one page; more as cards, each with a page of its own. */
export const SHOWN_WHOLE = 6;
const LINES_AMONG_OTHERS = 6;
const LINES_ALONE = 100;

/** What a page shows of each bot. */
export type Detail = 'card' | 'section' | 'alone';

/** The part of a page that shows one bot. */
export function botPart(view: BotView, history: History, detail: Detail, now: number): Html {
  if (detail === 'card') return botCard(view, history, now);
  return botSection(view, history, { now, lines: detail === 'alone' ? LINES_ALONE : LINES_AMONG_OTHERS });
}

/** The page that stays up to date. */
export function livePage(options: {
  readonly views: readonly BotView[];
  readonly history: History;
  readonly detail: Detail;
  /** The address of its events. */
  readonly events: string;
  /** What is to be seen on it: pages of another one have to be loaded anew. */
  readonly layout: string;
  readonly now: number;
}): string {
  const { views, history, detail, events, layout, now } = options;
  return htmlDocument({
    title: 'Botwarden',
    live: { events, layout },
    body: html`
<div id="touch" class="touch" role="status"><p>As of ${moment(now)}. <noscript>This page is loaded again every 10 seconds.</noscript></p></div>
${attention(views, history)}
<div class="bots ${detail}">${views.map((view) => botPart(view, history, detail, now))}</div>
${detail === 'alone' ? html`<p><a href="/">All bots</a></p>` : nothing}
<div id="news" class="unseen" aria-live="polite"></div>`,
  });
}

/** A page that asks or tells one thing. */
export function plainPage(title: string, body: Html): string {
  return htmlDocument({ title: `${title} – Botwarden`, body });
}

function htmlDocument(options: {
  title: string;
  body: Html;
  live?: { events: string; layout: string };
}): string {
  const { title, body, live } = options;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/style.css">
${
  live === undefined
    ? nothing
    : html`<noscript><meta http-equiv="refresh" content="10"></noscript>
<script type="module" src="/assets/page.js"></script>`
}
</head>
<body${live === undefined ? nothing : html` data-events="${live.events}" data-layout="${live.layout}"`}>
<header class="top"><h1><a href="/">Botwarden</a></h1></header>
<main>${body}</main>
</body>
</html>
`;
  return page.toString();
}
