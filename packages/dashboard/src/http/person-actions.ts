import { randomBytes } from 'node:crypto';
import { type CallError, createJsonCaller } from '@botwarden/service/json-call';
import type { Log } from '@botwarden/service/log';
import { same } from '@botwarden/service/token';
import express, { type Request, type Response, Router } from 'express';
import type { Sidecar } from '../config/config.ts';
import { type ActionName, askAgain, askToken, refusal } from '../view/asking.ts';
import type { Bots, BotView } from '../watch/bots.ts';

/** What the actions are made of. */
export interface PersonActionsOptions {
  readonly bots: Bots;
  readonly sidecars: readonly Sidecar[];
  readonly log: Log;
}

/** The call of the sidecar behind each action, and what it is in a sentence such as "a person asked to …". */
const CALLS: Readonly<Record<ActionName, { method: 'POST' | 'DELETE'; path: string; to: string }>> = {
  drain: { method: 'POST', path: '/drain?wait=false', to: 'drain the bot' },
  lift: { method: 'DELETE', path: '/hold', to: 'lift the hold of the bot' },
  acknowledge: { method: 'POST', path: '/acknowledge', to: 'note that the exchange was looked at' },
};

/** A ticket is good for one confirmation within this time, in milliseconds. */
const TICKET_MS = 60_000;
const CALL_MS = 5_000;

/**
 * What a person can do about a bot, in two questions each. The person types the token, which is compared here and never
 * put into a page; a right one is answered with a ticket for the second question. Only that one calls the sidecar. Wrong
 * tokens, however many, keep nobody out who has the right one.
 */
export function personActions({ bots, sidecars, log }: PersonActionsOptions): Router {
  const tickets = new Map<
    string,
    { readonly action: ActionName; readonly bot: string; readonly until: number }
  >();
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
      const why = `No DRAIN_TOKEN is configured for ${view.name}. Set it for the dashboard, with the same value as for the sidecar.`;
      response.status(403).send(refusal('This is off', why, `/bots/${view.name}`));
      return undefined;
    }
    return { view, sidecar: { ...sidecar, drainToken } };
  };

  for (const action of Object.keys(CALLS) as ActionName[]) {
    const { to } = CALLS[action];

    router.get(`/bots/:bot/${action}`, (request, response) => {
      const found = target(request, response);
      if (found !== undefined) response.send(askToken(action, found.view));
    });

    router.post(`/bots/:bot/${action}`, form, (request, response) => {
      const found = target(request, response);
      if (found === undefined) return;
      const { view, sidecar } = found;
      if (!same(fieldOf(request, 'token'), sidecar.drainToken)) {
        log.warn(
          { event: `${action}.wrong_token`, bot: view.name, from: request.ip },
          `A wrong token was given to ${to} ${view.name}.`,
        );
        response.status(403).send(askToken(action, view, 'That is not the token.'));
        return;
      }
      for (const [known, { until }] of tickets) if (until < performance.now()) tickets.delete(known);
      const ticket = randomBytes(24).toString('base64url');
      tickets.set(ticket, { action, bot: view.name, until: performance.now() + TICKET_MS });
      response.send(askAgain(action, view, ticket));
    });

    router.post(`/bots/:bot/${action}/confirm`, form, async (request, response) => {
      const found = target(request, response);
      if (found === undefined) return;
      const { view, sidecar } = found;
      const given = fieldOf(request, 'ticket');
      const ticket = tickets.get(given);
      tickets.delete(given);
      if (ticket?.action !== action || ticket.bot !== view.name || ticket.until < performance.now()) {
        const again = 'That took longer than a minute, or was confirmed already. Give the token again.';
        response.status(403).send(askToken(action, view, again));
        return;
      }
      log.warn(
        { event: `${action}.asked`, bot: view.name, from: request.ip },
        `A person asked to ${to} ${view.name}.`,
      );
      const problem = await callSidecar(action, sidecar);
      if (problem !== null) {
        log.error({ event: `${action}.not_confirmed`, bot: view.name }, `To ${to} ${view.name}: ${problem}.`);
        const title = action === 'drain' ? 'No drain was confirmed' : 'It was not confirmed';
        response.status(502).send(refusal(title, `${problem}.`, `/bots/${view.name}`));
        return;
      }
      await bots.look(view.name);
      response.redirect(303, `/bots/${view.name}`);
    });
  }

  return router;
}

function fieldOf(request: Request, name: string): string {
  const value: unknown = (request.body as Record<string, unknown> | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}

/** Why it is not certain that the sidecar did it, as a sentence; null when it is. */
async function callSidecar(
  action: ActionName,
  { url, drainToken }: Sidecar & { drainToken: string },
): Promise<string | null> {
  const { method, path } = CALLS[action];
  // Credentials in the address are for a proxy; the sidecar's own come in their place.
  const caller = createJsonCaller({ url, authorization: `Bearer ${drainToken}` });
  const accept = (status: number): boolean => status === 202 || status === 200;
  try {
    await caller.call({ method, path, accept, json: false }, AbortSignal.timeout(CALL_MS));
    return null;
  } catch (error) {
    const { status, message } = error as CallError;
    if (status === 401 || status === 403)
      return `The sidecar refused the token (${status}), and nothing was done: is its DRAIN_TOKEN the same as here?`;
    if (status === 404 || status === 405)
      return `The sidecar does not know this call (${status}), and nothing was done: it is older than this dashboard, update it`;
    if (status !== null) return `The sidecar answered ${status}: look at its log`;
    // It may have been heard all the same.
    return action === 'drain'
      ? `The sidecar gave no answer (${message}): whether it drains is not known`
      : `The sidecar gave no answer (${message}): whether it was done is not known`;
  }
}
