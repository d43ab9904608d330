import { randomBytes } from 'node:crypto';
import { describeError } from '@botwarden/probes';
import type { Log } from '@botwarden/service/log';
import { same } from '@botwarden/service/token';
import express, { type Request, type Response, Router } from 'express';
import type { Sidecar } from '../config/config.ts';
import { askAgain, askToken, refusal } from '../view/drain-now.ts';
import type { Bots, BotView } from '../watch/bots.ts';

/** What "Drain now" is made of. */
export interface DrainNowOptions {
  readonly bots: Bots;
  readonly sidecars: readonly Sidecar[];
  readonly secrets: readonly string[];
  readonly log: Log;
}

/** A ticket is good for one confirmation within this time, in milliseconds. */
const TICKET_MS = 60_000;
/** Wrong tokens for one bot within {@link GUESS_MS}; then nobody may try until that time is over. */
const GUESSES = 5;
const GUESS_MS = 60_000;
const CALL_MS = 5_000;

/**
 * "Drain now", in two questions. The person types the token, which is compared here and never put into a page; a right
 * one is answered with a ticket for the second question. Only that one calls the sidecar.
 */
export function drainNow({ bots, sidecars, secrets, log }: DrainNowOptions): Router {
  const tickets = new Map<string, { readonly bot: string; readonly until: number }>();
  const wrong = new Map<string, number[]>();
  const router = Router();
  const form = express.urlencoded({ extended: false, limit: '4kb', parameterLimit: 4 });

  const target = (
    request: Request,
    response: Response,
  ): { view: BotView; sidecar: Sidecar & { drainToken: string } } | undefined => {
    const view = bots.view(String(request.params.bot));
    const sidecar = sidecars.find(({ name }) => name === request.params.bot);
    if (view === undefined || sidecar === undefined) {
      response.status(404).send(refusal('Unknown bot', 'There is no bot of that name here.', '/'));
      return undefined;
    }
    const { drainToken } = sidecar;
    if (drainToken === undefined) {
      response
        .status(403)
        .send(
          refusal('Drain now is off', `No DRAIN_TOKEN is configured for ${view.name}.`, `/bots/${view.name}`),
        );
      return undefined;
    }
    return { view, sidecar: { ...sidecar, drainToken } };
  };

  router.get('/bots/:bot/drain', (request, response) => {
    const found = target(request, response);
    if (found !== undefined) response.send(askToken(found.view));
  });

  router.post('/bots/:bot/drain', form, (request, response) => {
    const found = target(request, response);
    if (found === undefined) return;
    const { view, sidecar } = found;
    const recent = (wrong.get(view.name) ?? []).filter((at) => at > performance.now() - GUESS_MS);
    if (recent.length >= GUESSES) {
      response
        .status(429)
        .set('Retry-After', '60')
        .send(askToken(view, 'Too many wrong tokens. Wait a minute.'));
      return;
    }
    if (!same(fieldOf(request, 'token'), sidecar.drainToken)) {
      wrong.set(view.name, [...recent, performance.now()]);
      log.warn(
        { event: 'drain.wrong_token', bot: view.name, from: request.ip },
        `A wrong token was given to drain ${view.name}.`,
      );
      response.status(403).send(askToken(view, 'That is not the token.'));
      return;
    }
    for (const [known, { until }] of tickets) if (until < performance.now()) tickets.delete(known);
    const ticket = randomBytes(24).toString('base64url');
    tickets.set(ticket, { bot: view.name, until: performance.now() + TICKET_MS });
    response.send(askAgain(view, ticket));
  });

  router.post('/bots/:bot/drain/confirm', form, async (request, response) => {
    const found = target(request, response);
    if (found === undefined) return;
    const { view, sidecar } = found;
    const given = fieldOf(request, 'ticket');
    const ticket = tickets.get(given);
    tickets.delete(given);
    if (ticket?.bot !== view.name || ticket.until < performance.now()) {
      response
        .status(403)
        .send(
          askToken(view, 'That took longer than a minute, or was confirmed already. Give the token again.'),
        );
      return;
    }
    log.warn(
      { event: 'drain.asked', bot: view.name, from: request.ip },
      `A person asked to drain ${view.name}.`,
    );
    const problem = await callSidecar(sidecar, secrets);
    if (problem !== null) {
      log.error({ event: 'drain.not_confirmed', bot: view.name }, `The drain of ${view.name}: ${problem}.`);
      response.status(502).send(refusal('No drain was confirmed', `${problem}.`, `/bots/${view.name}`));
      return;
    }
    await bots.look(view.name);
    response.redirect(303, `/bots/${view.name}`);
  });

  return router;
}

function fieldOf(request: Request, name: string): string {
  const value: unknown = (request.body as Record<string, unknown> | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}

/** Why it is not certain that the sidecar drains, as a sentence; null when it is. */
async function callSidecar(
  { url, drainToken }: Sidecar & { drainToken: string },
  secrets: readonly string[],
): Promise<string | null> {
  const address = new URL(`${url.replace(/\/$/, '')}/drain?wait=false`);
  // Credentials in the address are for a proxy; the sidecar's own come in the header that fetch would not send with them.
  address.username = '';
  address.password = '';
  try {
    const response = await fetch(address, {
      method: 'POST',
      headers: { authorization: `Bearer ${drainToken}` },
      redirect: 'error',
      signal: AbortSignal.timeout(CALL_MS),
    });
    await response.body?.cancel();
    if (response.status === 202 || response.status === 200) return null;
    if (response.status === 401 || response.status === 403)
      return `The sidecar refused the token (${response.status}), and nothing was closed: is its DRAIN_TOKEN the same as here?`;
    return `The sidecar answered ${response.status}: look at its log`;
  } catch (error) {
    // It may have been heard all the same.
    return `The sidecar gave no answer (${describeError(error, secrets)}): whether it drains is not known`;
  }
}
