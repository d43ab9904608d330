import { createJsonCaller } from '@botwarden/service/json-call';
import { readPositions } from '../bot/answers.ts';
import type { FlatCheck } from './run.ts';

/**
 * The proof of FLAT_CHECK_URL: a GET of an address that answers as the bot's `GET /positions` does, but from the
 * exchange itself. Resolves with how many positions and orders are open there. Rejects with a CallError or a BotError:
 * what cannot be read proves nothing. Throws a TypeError for a URL that is not absolute http or https.
 */
export function createExchangeCheck(options: {
  readonly url: string | URL;
  readonly token?: string | undefined;
}): FlatCheck {
  const caller = createJsonCaller({
    url: options.url,
    authorization: options.token === undefined ? undefined : `Bearer ${options.token}`,
  });
  return async (signal) => {
    const { body } = await caller.call(
      { method: 'GET', path: '', accept: (status) => status === 200 },
      signal,
    );
    const { open, pending } = readPositions(body, 'GET FLAT_CHECK_URL');
    return open + pending;
  };
}
