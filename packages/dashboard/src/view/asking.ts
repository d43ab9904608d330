import type { BotView } from '../watch/bots.ts';
import { type Html, html, nothing } from './html.ts';
import { openSentence } from './open-now.ts';
import { plainPage } from './page.ts';

/** What a person can do about a bot from the page. Each asks for the token, and then once more. */
export type ActionName = 'drain' | 'lift' | 'acknowledge';

/** The words of an action. */
interface Words {
  readonly title: (bot: string) => string;
  /** What it does, before the token is asked for. */
  readonly explains: Html;
  /** The second question. */
  readonly asks: (bot: string) => string;
  /** What follows from a yes. */
  readonly warns: Html;
  readonly yes: (bot: string) => string;
}

const WORDS: Readonly<Record<ActionName, Words>> = {
  drain: {
    title: (bot) => `Drain ${bot} now?`,
    explains: html`<p>The bot is told to cancel every pending order and to close every open position. The sidecar watches it until it is flat.</p>
<p>It also sets a <strong>hold</strong>: afterwards the bot opens nothing, also after a restart of the bot or of its sidecar, until somebody lifts the hold on this page.</p>`,
    asks: (bot) => `Close everything at ${bot}?`,
    warns: html`Closing cannot be taken back. The bot then stays on hold until somebody lifts the hold.`,
    yes: (bot) => `Yes, drain ${bot} now`,
  },
  lift: {
    title: (bot) => `Lift the hold of ${bot}?`,
    explains: html`<p>The hold keeps the bot from trading since a person drained it. Without it the bot may open positions again. If it is halted, it is restarted, so that it trades again.</p>`,
    asks: (bot) => `Let ${bot} trade again?`,
    warns: html`The bot may open positions at once.`,
    yes: (bot) => `Yes, lift the hold of ${bot}`,
  },
  acknowledge: {
    title: (bot) => `Have you looked at the exchange for ${bot}?`,
    explains: html`<p>Log in at the exchange itself. Look for open positions and pending orders of this bot, and close there what should not be open.</p>
<p>Then say so here. This ends everything of this bot that waits for a person: drains that ended badly or were cut off, positions that vanished, and restarts that have stopped. Nothing is closed by it.</p>`,
    asks: (bot) => `You have looked at the exchange for ${bot}?`,
    warns: html`From now on the bot’s own word counts again as proof that it is flat, and it may be restarted again.`,
    yes: () => 'Yes, I have looked at the exchange',
  },
};

/** Asks for the token. */
export function askToken(action: ActionName, view: BotView, problem?: string): string {
  const { title, explains } = WORDS[action];
  const { name } = view;
  return plainPage(
    title(name),
    html`<section class="ask">
<h2>${title(name)}</h2>
${explains}
<p>${openSentence(view)}</p>
<form method="post" action="/bots/${name}/${action}" autocomplete="off">
${problem === undefined ? nothing : html`<p id="problem" class="error" role="alert">${problem}</p>`}
<label for="token">The drain token of ${name}</label>
<input id="token" name="token" type="password" required autocomplete="off" autofocus${problem === undefined ? nothing : html` aria-invalid="true" aria-describedby="problem"`}>
<p class="actions"><button>Continue</button> <a class="button quiet" href="/bots/${name}">Back</a></p>
</form>
</section>`,
  );
}

/** Asks once more. The token is not in this page: `ticket` stands for it, once and for a minute. */
export function askAgain(action: ActionName, view: BotView, ticket: string): string {
  const { title, asks, warns, yes } = WORDS[action];
  const { name } = view;
  return plainPage(
    title(name),
    html`<section class="ask">
<h2>${asks(name)}</h2>
<p>${openSentence(view)}</p>
<p>${warns}</p>
<form method="post" action="/bots/${name}/${action}/confirm">
<input type="hidden" name="ticket" value="${ticket}">
<p class="actions"><button class="danger">${yes(name)}</button> <a class="button quiet" href="/bots/${name}">No, go back</a></p>
</form>
</section>`,
  );
}

/** Says why something cannot be done. */
export function refusal(title: string, why: string, back: string): string {
  return plainPage(
    title,
    html`<section class="ask"><h2>${title}</h2><p role="alert">${why}</p><p><a class="button quiet" href="${back}">Back</a></p></section>`,
  );
}
