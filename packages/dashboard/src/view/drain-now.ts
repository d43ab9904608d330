import type { BotView } from '../watch/bots.ts';
import { type Html, html, nothing } from './html.ts';
import { plainPage } from './page.ts';
import { counted, moment } from './words.ts';

/** Asks for the token. */
export function askToken(view: BotView, problem?: string): string {
  return plainPage(
    `Drain ${view.name}`,
    html`<section class="ask">
<h2>Drain ${view.name} now?</h2>
<p>The bot is told to cancel every pending order and to close every open position, and is watched until it is flat. It stays halted until it restarts.</p>
<p>${whatIsOpen(view)}</p>
<form method="post" action="/bots/${view.name}/drain" autocomplete="off">
${problem === undefined ? nothing : html`<p id="problem" class="error" role="alert">${problem}</p>`}
<label for="token">The drain token of ${view.name}</label>
<input id="token" name="token" type="password" required autocomplete="off" autofocus${problem === undefined ? nothing : html` aria-invalid="true" aria-describedby="problem"`}>
<p class="actions"><button>Continue</button> <a class="button quiet" href="/bots/${view.name}">Back</a></p>
</form>
</section>`,
  );
}

/** Asks once more. The token is not in this page: `ticket` stands for it, once and for a minute. */
export function askAgain(view: BotView, ticket: string): string {
  return plainPage(
    `Drain ${view.name}`,
    html`<section class="ask">
<h2>Close everything at ${view.name}?</h2>
<p>${whatIsOpen(view)} This cannot be taken back.</p>
<form method="post" action="/bots/${view.name}/drain/confirm">
<input type="hidden" name="ticket" value="${ticket}">
<p class="actions"><button class="danger">Yes, drain ${view.name} now</button> <a class="button quiet" href="/bots/${view.name}">No, go back</a></p>
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

function whatIsOpen({ report, inTouch, heardAt }: BotView): Html {
  const positions = report?.positions ?? null;
  const known =
    positions === null
      ? html`What is open is not known.`
      : html`${counted(positions.open, 'position')} and ${counted(positions.pending, 'order')} ${inTouch ? 'are' : 'were'} open.`;
  return inTouch
    ? known
    : html`${known} <strong>The sidecar does not answer; it was last heard ${moment(heardAt, 'never')}.</strong>`;
}
